//! A run: every visit in its order, a measurement after the other, each kept before the next begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;

use super::admin::Client;
use super::machine::Machine;
use super::plan::{self, Step, Visit};
use super::scenario::{Scenario, Target};
use super::{cpu, work};
use crate::inject::options::{Mode as LoadMode, Reuse, Version};
use crate::inject::outcome::{Outcome, Second};
use crate::inject::{self, InjectError, Progress};
use crate::results::{self, CpuOf, CpuUse, Environment, Failure, Measurement, Mode, Results, Work, file};

/// How long the origin may take to be there.
const ORIGIN_WITHIN: Duration = Duration::from_secs(30);

/// What puts the load on a target; [`inject::run`] outside of tests.
pub type Inject<'i> = &'i dyn Fn(&inject::Options, &mut dyn Progress) -> Result<Outcome, InjectError>;

/// What a run needs from outside.
pub struct Run<'r> {
    /// What is to be measured.
    pub scenario: &'r Scenario,
    /// Where the scenario's relative paths begin.
    pub directory: &'r Path,
    /// Where results are kept.
    pub file: PathBuf,
    /// What puts the load on a target.
    pub inject: Inject<'r>,
    /// Who is told how it goes.
    pub say: &'r dyn Fn(&str),
    /// Whether it is to end.
    pub is_cancelled: &'r dyn Fn() -> bool,
}

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Measurements that were made now.
    pub made: usize,
    /// Measurements that are still missing.
    pub missing: usize,
}

impl Run<'_> {
    /// Measures what is not in `results` yet. A target that can't be measured costs its round, and no other.
    ///
    /// # Errors
    /// When the origin can't be started, or results can't be written.
    pub fn go(&self, results: &mut Results) -> anyhow::Result<Done> {
        let before = results.measurements.len();
        let _origin = self.origin()?;
        for visit in plan::visits(self.scenario) {
            if (self.is_cancelled)() {
                break;
            }
            let steps = plan::left(self.scenario, results, visit);
            let is_work_left = plan::is_work_left(self.scenario, results, visit);
            if steps.is_empty() && !is_work_left {
                continue;
            }
            let target = &self.scenario.targets[visit.target];
            // It is tried again, so that it failed is no longer true.
            results.failures.retain(|one| (one.round, &one.target) != (visit.round, &target.name));
            (self.say)(&format!("round {} of {}: {}", visit.round + 1, self.scenario.rounds, target.name));
            if let Err(error) = self.visit(target, visit, &steps, is_work_left, results) {
                if (self.is_cancelled)() {
                    break;
                }
                (self.say)(&format!("  {}: {error:#}", target.name));
                let (target, round, why) = (target.name.clone(), visit.round, format!("{error:#}"));
                results.failures.push(Failure { target, round, why });
            }
            file::write(&self.file, results)?;
        }
        let missing =
            plan::visits(self.scenario).map(|visit| plan::left(self.scenario, results, visit).len()).sum();
        Ok(Done { made: results.measurements.len() - before, missing })
    }

    fn origin(&self) -> anyhow::Result<Option<Machine<'_>>> {
        let Some(origin) = &self.scenario.origin else { return Ok(None) };
        let mut machine = Machine::start("the origin", &origin.start, &origin.stop, self.directory)?;
        if let Some(url) = &origin.ready {
            machine.wait(&url.plain(), ORIGIN_WITHIN, self.is_cancelled)?;
        }
        Ok(Some(machine))
    }

    fn visit(
        &self,
        target: &Target,
        visit: Visit,
        steps: &[Step],
        is_work_left: bool,
        results: &mut Results,
    ) -> anyhow::Result<()> {
        let mut machine = Machine::start(&target.name, &target.start, &target.stop, self.directory)?;
        let client = target.admin.as_ref().map(|admin| Client::new(admin, self.directory)).transpose()?;
        if let (Some(client), Some(admin)) = (&client, &target.admin) {
            // The admin API is there first; a configuration may be what makes the target answer at all.
            if let Some(path) = &target.configuration {
                let health = admin.url.plain();
                let health = inject::Target { path: "/healthz".into(), ..health };
                machine.wait(&health, target.ready_within, self.is_cancelled)?;
                let path = self.directory.join(path);
                let yaml = fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
                client.configure(&yaml)?;
            }
        }
        let ready =
            target.ready.as_ref().map_or_else(|| target.url.sized(0), super::scenario::UrlText::plain);
        machine.wait(&ready, target.ready_within, self.is_cancelled)?;
        if let Some(client) = &client {
            self.remember(target, client, results)?;
            if is_work_left {
                self.work(target, visit, client, results)?;
            }
        }
        for step in steps {
            let one = self.measure(target, visit, *step, client.as_ref(), machine.id())?;
            let Some(one) = one else { return Ok(()) };
            (self.say)(&line(&one));
            results.measurements.push(one);
            file::write(&self.file, results)?;
        }
        Ok(())
    }

    /// Measures work without a network. Where that fails, there is still something to measure.
    fn work(
        &self,
        target: &Target,
        visit: Visit,
        client: &Client,
        results: &mut Results,
    ) -> anyhow::Result<()> {
        match work::measure(client) {
            Ok(time) => {
                (self.say)(&format!("  work without a network: {:.0} ms", time.milliseconds));
                results.work.push(Work { target: target.name.clone(), round: visit.round, time });
            }
            Err(error) => {
                let why = format!("work without a network: {error}");
                (self.say)(&format!("  {why}"));
                results.failures.push(Failure { target: target.name.clone(), round: visit.round, why });
            }
        }
        file::write(&self.file, results)?;
        Ok(())
    }

    /// Asks a target what it is.
    fn remember(&self, target: &Target, client: &Client, results: &mut Results) -> anyhow::Result<()> {
        let Some(system) = client.system()? else { return Ok(()) };
        if let Some(known) = results.target_mut(&target.name) {
            known.environment = Environment::of_system(&system, &target.url.plain().host);
        }
        Ok(())
    }

    /// One load; none when it was broken off, as half a measurement is none.
    fn measure(
        &self,
        target: &Target,
        visit: Visit,
        step: Step,
        client: Option<&Client>,
        started: Option<u32>,
    ) -> anyhow::Result<Option<Measurement>> {
        let options = self.options(target, step);
        let guest = || client.map(Client::cpu_seconds).transpose();
        let host = || target.host.as_ref().and_then(|of| cpu::seconds(of, started, self.directory));
        let (guest_before, host_before) = (guest()?, host());
        let outcome = (self.inject)(&options, &mut Watch(self))?;
        let (guest_after, host_after) = (guest()?, host());
        if outcome.is_broken_off {
            return Ok(None);
        }
        let used = |before: Option<f64>, after: Option<f64>, of: CpuOf| {
            let seconds = after? - before?;
            Some(CpuUse { seconds: seconds.max(0.0), requests: outcome.total.responses, of })
        };
        let host_kind = target.host.as_ref().map_or(CpuOf::Process, cpu::kind);
        Ok(Some(Measurement {
            guest: used(guest_before, guest_after, CpuOf::Process),
            host: used(host_before, host_after, host_kind),
            ..Measurement::of(&target.name, visit.round, step.mode, step.size, &outcome)
        }))
    }

    fn options(&self, target: &Target, step: Step) -> inject::Options {
        let scenario = self.scenario;
        let users = LoadMode::Closed { users: scenario.users };
        let mut options = inject::Options::new(target.url.sized(step.size), users, scenario.duration);
        (options.version, options.reuse) = match step.mode {
            Mode::Close => (Version::Http10, Reuse::Close),
            Mode::KeepAlive => (Version::Http11, Reuse::KeepAlive),
            Mode::Http2 => (Version::Http2, Reuse::KeepAlive),
        };
        options.warm_up = scenario.warm_up;
        options.threads = scenario.threads;
        options.timeout = scenario.timeout;
        options.tls.ca = target.ca.as_ref().map(|path| self.directory.join(path));
        options.tls.insecure = target.insecure;
        let stats = scenario.origin.as_ref().and_then(|origin| origin.stats.as_ref());
        options.origin_stats = stats.map(super::scenario::UrlText::plain);
        options
    }
}

/// Passes on what the injector wants to know and to tell.
struct Watch<'w, 'r>(&'w Run<'r>);

impl Progress for Watch<'_, '_> {
    fn second(&mut self, _second: &Second) {}

    fn notice(&mut self, text: &str) {
        (self.0.say)(&format!("  {text}"));
    }

    fn is_cancelled(&self) -> bool {
        (self.0.is_cancelled)()
    }
}

/// A measurement in a line.
fn line(one: &Measurement) -> String {
    let errors = one.errors.describe();
    let errors = if errors.is_empty() { errors } else { format!(", {errors}") };
    let doubt = if one.limit.is_meaningful() {
        String::new()
    } else {
        one.notes.first().map_or(String::new(), |note| format!(" ({note})"))
    };
    format!(
        "  {:>7}, {}: {:>8} a second, {:>10}{errors}{doubt}",
        crate::report::words::size(one.size),
        one.mode.words(),
        crate::report::words::count(one.requests_per_second),
        crate::report::words::megabits(one.bits_per_second / 1e6)
    )
}

/// Results to go on with: those of the file, if they are of this scenario, else new ones.
///
/// # Errors
/// When there is a file that can't be gone on with.
pub fn begin(
    scenario: &Scenario,
    file: &Path,
    usual_title: &str,
    is_restart: bool,
) -> anyhow::Result<Results> {
    let record = scenario.record(usual_title);
    let known = |target: &Target| results::Target {
        name: target.name.clone(),
        about: target.about.clone(),
        card: target.card.clone(),
        environment: Environment::default(),
    };
    let targets: Vec<results::Target> = scenario.targets.iter().map(known).collect();
    if is_restart || !file.exists() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        return Ok(Results::new(record, targets, Environment::here(), now_ms));
    }
    let mut results = file::read(file)
        .context("there are results that can't be gone on with; `--restart` replaces them")?;
    if let Some(difference) = record.difference(&results.scenario) {
        anyhow::bail!(
            "{} is of another scenario ({difference}): what is measured now could not be compared with it; `--restart` \
             begins anew, `--results FILE` writes somewhere else",
            file.display()
        );
    }
    // What only describes is as the scenario has it now.
    for (old, new) in results.targets.iter_mut().zip(targets) {
        (old.about, old.card) = (new.about, new.card);
    }
    results.scenario = record;
    Ok(results)
}
