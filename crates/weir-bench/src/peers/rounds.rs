//! The same load on each proxy in turn, round after round.
//!
//! A round is short and the order moves on by one from round to round, so what the machine does meanwhile hits
//! everybody alike and nobody always comes first.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::bench::{AccessLog, Bench, OURS, Options};
use super::case::Case;
use super::load::{Job, Load};
use super::proxies::Front;
use super::running::{Running, Variant};
use super::summary::{self, Summary, summarize};
use super::usage::{self, Account, CoreTimes, CpuTime};
use crate::harness::cores::Cores;
use crate::harness::say;

/// The load before the first round, in seconds: connections to the origin, buffers, caches.
const WARM_UP_SECONDS: u32 = 1;

/// Between two loads: what the last one left in queues goes.
const SETTLE: Duration = Duration::from_millis(100);

/// All rounds of one case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseRun {
    /// What was asked for.
    pub case: Case,
    /// Whether the proxies wrote an access log.
    pub access_log: bool,
    /// What the rounds say about each proxy.
    pub summaries: Vec<Summary>,
    /// What of HAProxy's processor time Weir may take, at most.
    pub ratio_max: Option<f64>,
    /// Every measurement, in the order in which they were made.
    pub rounds: Vec<Round>,
    /// Who wasn't measured.
    pub left_out: Vec<LeftOut>,
}

/// What the rounds of a case have given.
#[derive(Debug, Default)]
pub(super) struct Measured {
    rounds: Vec<Round>,
    left_out: Vec<LeftOut>,
}

/// A proxy that can't be measured.
#[derive(Debug, Clone, Serialize)]
pub struct LeftOut {
    /// Whose.
    pub peer: String,
    /// Why.
    pub why: String,
}

/// One load on one proxy.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Round {
    /// Whose.
    pub peer: String,
    /// Which round, from 0.
    pub round: u32,
    /// What the clients saw.
    pub load: Load,
    /// What it cost the proxy, for each request.
    pub cpu: CpuTime,
    /// What it cost the origin, for each request, in microseconds.
    pub origin_us: f64,
    /// What it cost the load generator, for each request, in microseconds.
    pub generator_us: f64,
    /// How busy this proxy kept its cores, from 0 to 1.
    pub proxy_cores_busy: f64,
    /// How busy origin and load generator kept theirs.
    pub load_cores_busy: f64,
    /// How busy anything else kept all of these.
    pub others_busy: f64,
    /// Why there is nothing to see, if there isn't.
    pub failure: Option<String>,
}

impl CaseRun {
    /// Sums the rounds up, and says at once which don't count.
    pub(super) fn new(case: &Case, access_log: bool, measured: Measured) -> Self {
        let Measured { rounds, left_out } = measured;
        summary::warn(&rounds);
        let (summaries, ratio_max) = (summarize(&rounds), case.ratio_max());
        Self { case: case.clone(), access_log, summaries, ratio_max, rounds, left_out }
    }
}

impl LeftOut {
    /// Says it at once, too.
    pub(super) fn new(peer: &str, why: &anyhow::Error) -> Self {
        let why = format!("{why:#}").trim_end().to_owned();
        say(&format!("  {peer}: not measured: {why}"));
        Self { peer: peer.into(), why }
    }
}

impl Round {
    /// Whether it counts: every request was answered, and answered well.
    pub fn is_clean(&self) -> bool {
        self.failure.is_none() && self.load.errors.sum() == 0 && self.load.requests > 0
    }
}

/// Every case, without and with an access log as the options say.
///
/// # Errors
/// When Weir doesn't start with plain HTTP, which it has always known. Whoever else doesn't start, or can't do what a
/// case asks for, is left out there, with the reason.
pub async fn compare(bench: &Bench) -> anyhow::Result<Vec<CaseRun>> {
    let logs: &[bool] = match bench.options.access_log {
        AccessLog::Off => &[false],
        AccessLog::On => &[true],
        AccessLog::Both => &[false, true],
    };
    let mut runs = Vec::new();
    for &access_log in logs {
        let fronts = bench.options.fronts();
        for front in fronts.into_iter().filter(|front| !access_log || front.logs_requests()) {
            runs.extend(compare_front(bench, front, access_log).await?);
        }
    }
    Ok(runs)
}

/// The cases of one kind of listener.
async fn compare_front(bench: &Bench, front: Front, access_log: bool) -> anyhow::Result<Vec<CaseRun>> {
    let (mut peers, mut left_out) = (Vec::new(), Vec::new());
    let variant = Variant { access_log, ..Variant::of(front) };
    for installed in &bench.installed {
        match installed.start(bench, if access_log { "logging" } else { "plain" }, &variant).await {
            Ok(running) => peers.push(running),
            Err(why) if installed.peer.name == OURS && front == Front::Http => return Err(why),
            Err(why) => left_out.push(LeftOut::new(installed.peer.name, &why)),
        }
    }
    let mut runs = Vec::new();
    for case in bench.options.cases.iter().filter(|case| case.front == front) {
        say(&format!("{case}, access log {} …", if access_log { "on" } else { "off" }));
        let mut measured = rounds(bench, &peers, case).await;
        measured.left_out.splice(..0, left_out.iter().cloned());
        runs.push(CaseRun::new(case, access_log, measured));
    }
    Ok(runs)
}

/// The rounds of one case on `peers`, after a warm-up of each. Whoever answers nothing then is left out.
pub(super) async fn rounds(bench: &Bench, peers: &[Running], case: &Case) -> Measured {
    let job = |peer: &Running, seconds| Job {
        address: peer.address,
        case,
        connections: bench.options.connections,
        seconds,
    };
    let mut measured = Measured::default();
    let mut able: Vec<&Running> = Vec::new();
    for peer in peers {
        match bench.generators.run(&job(peer, WARM_UP_SECONDS)).await {
            // What goes wrong now and then goes wrong in the rounds too, and is said there.
            Ok(load) if load.answered() > 0 => able.push(peer),
            Ok(load) => {
                let errors = Some(load.errors.describe()).filter(|errors| !errors.is_empty());
                let errors = errors.unwrap_or_else(|| "and nothing failed".into());
                let why = anyhow::anyhow!("nothing was answered ({errors})");
                measured.left_out.push(LeftOut::new(&peer.name, &why));
            }
            Err(why) => measured.left_out.push(LeftOut::new(&peer.name, &why)),
        }
        peer.empty_access_log();
    }
    for round in 0..bench.options.rounds {
        let mut order = able.clone();
        order.rotate_left(round as usize % able.len().max(1));
        for peer in order {
            tokio::time::sleep(SETTLE).await;
            let one = measure(bench, peer, &job(peer, bench.options.seconds)).await;
            measured.rounds.push(Round { round, ..one });
            peer.empty_access_log();
        }
    }
    measured
}

/// Puts one load on one proxy and reads everybody's account before and after.
pub(super) async fn measure(bench: &Bench, peer: &Running, job: &Job<'_>) -> Round {
    let started = Instant::now();
    let (proxy, origin) = (Account::of(peer.id()), Account::of(bench.origin.id()));
    let (children_us, cores) = (usage::collected_children_us(), CoreTimes::now());
    let outcome = bench.generators.run(job).await;
    let (cores_now, wall_us) = (CoreTimes::now(), started.elapsed().as_secs_f64() * 1e6);
    let proxy = Account::of(peer.id()).since(proxy);
    let origin = Account::of(bench.origin.id()).since(origin);
    let (load, failure) = match outcome {
        Ok(load) => (load, None),
        Err(why) => {
            (Load::default(), Some(format!("{why:#} after {:.1?}\n{}", started.elapsed(), peer.complaints())))
        }
    };
    let Options { proxy_cores, load_cores, .. } = &bench.options;
    let generator_us = usage::collected_children_us() - children_us;
    let requests = load.requests;
    let load_us = origin.total_us() + generator_us;
    let all_cores = proxy_cores.and(load_cores);
    let time_on = |cores: &Cores| wall_us * cores.numbers().len() as f64;
    let others =
        cores_now.busy_since(&cores, &all_cores) - (proxy.total_us() + load_us) / time_on(&all_cores);
    Round {
        peer: peer.name.clone(),
        round: 0,
        cpu: proxy.per(requests),
        origin_us: origin.per(requests).total_us(),
        generator_us: generator_us / requests.max(1) as f64,
        proxy_cores_busy: proxy.total_us() / time_on(proxy_cores),
        load_cores_busy: load_us / time_on(load_cores),
        others_busy: others.max(0.0),
        load,
        failure,
    }
}
