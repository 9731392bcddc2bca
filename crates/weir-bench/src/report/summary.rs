//! What the rounds of one run say: medians, spreads and losses. Pure; everything that is shown is computed here or
//! from this.
//!
//! A round in which most requests failed, or nothing was answered, is left out of the medians and counted. A round
//! that was bounded by the injector or the origin is not left out: it says what the target does *at least*, and is
//! marked so.

use crate::inject::outcome::{ErrorKind, Errors, Limit};
use crate::results::{Compared, Environment, Measurement, Mode, Results, Target};

use super::cards::{self, CardKind};

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Summary {
    pub(crate) title: String,
    pub(crate) started_unix_ms: u64,
    pub(crate) sizes: Vec<u64>,
    pub(crate) rounds: u32,
    pub(crate) compares: Compared,
    pub(crate) subjects: Vec<Subject>,
    /// Of [`Self::subjects`]: the one without a hypervisor.
    pub(crate) native: Option<usize>,
    /// Of [`Self::subjects`]: the virtual machine that others are compared with.
    pub(crate) relative_to: Option<usize>,
    pub(crate) modes: Vec<ModeSummary>,
    pub(crate) failures: Vec<(String, u32, String)>,
}

/// A target, whatever was asked of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) about: Option<String>,
    pub(crate) card: Option<String>,
    pub(crate) kind: Option<CardKind>,
    pub(crate) environment: Environment,
    /// Milliseconds of the work without a network.
    pub(crate) work: Option<Spread>,
}

/// One way to use connections.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ModeSummary {
    pub(crate) mode: Mode,
    /// For each subject, in their order: a cell for each size.
    pub(crate) rows: Vec<Vec<Option<Cell>>>,
}

/// One size on one target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// Connections, or requests where these are kept, a second.
    pub(crate) rate: Spread,
    pub(crate) megabits: Spread,
    /// Medians of the rounds' percentiles.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Microseconds of processor time a request.
    pub(crate) guest_us: Option<f64>,
    pub(crate) host_us: Option<f64>,
    /// Rounds that failed and are in none of these.
    pub(crate) rounds_failed: usize,
    pub(crate) errors: Errors,
    pub(crate) responses: u64,
    /// What bounded most of the rounds, if it was not the target.
    pub(crate) bound: Option<Limit>,
}

/// The middle of several values, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) count: usize,
}

impl Spread {
    /// Of values of any order; none of none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Self { median, min, max, count: values.len() })
    }

    /// How far the values lie apart, as a share of their middle.
    pub(crate) fn width(self) -> f64 {
        if self.median > 0.0 { (self.max - self.min) / self.median } else { 0.0 }
    }
}

/// A cell with less than this share of answers among its requests is no figure of a working target.
const ANSWERED_MIN: f64 = 0.99;

impl Cell {
    /// Whether so much went wrong that its figures are to be doubted.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.rounds_failed > 0 || answered(self.responses, &self.errors) < ANSWERED_MIN
    }
}

fn answered(responses: u64, errors: &Errors) -> f64 {
    let all = responses + errors.sum();
    if all > 0 { responses as f64 / all as f64 } else { 1.0 }
}

/// Sums up a run.
pub(crate) fn summarize(results: &Results) -> Summary {
    let scenario = &results.scenario;
    let subjects: Vec<Subject> = results.targets.iter().map(|target| subject(target, results)).collect();
    let place = |name: &Option<String>| {
        let name = name.as_deref()?;
        subjects.iter().position(|subject| subject.name == name)
    };
    let mode = |&mode: &Mode| ModeSummary {
        mode,
        rows: subjects
            .iter()
            .map(|subject| {
                scenario.sizes.iter().map(|&size| cell(results, &subject.name, mode, size)).collect()
            })
            .collect(),
    };
    Summary {
        title: scenario.title.clone(),
        started_unix_ms: results.started_unix_ms,
        sizes: scenario.sizes.clone(),
        rounds: scenario.rounds,
        compares: scenario.compares,
        native: place(&scenario.native),
        relative_to: place(&scenario.relative_to),
        modes: scenario
            .modes
            .iter()
            .map(mode)
            .filter(|mode| mode.rows.iter().flatten().any(Option::is_some))
            .collect(),
        failures: results
            .failures
            .iter()
            .map(|one| (one.target.clone(), one.round, one.why.clone()))
            .collect(),
        subjects,
    }
}

fn subject(target: &Target, results: &Results) -> Subject {
    let Target { name, about, card, environment } = target;
    let driver = environment.cards.iter().find_map(|card| card.driver.clone());
    let known = card.as_deref().or(driver.as_deref()).and_then(cards::find);
    let work = results.work.iter().filter(|work| work.target == *name).map(|work| work.time.milliseconds);
    Subject {
        name: name.clone(),
        about: about.clone(),
        card: card.clone().or(driver),
        kind: known.map(|card| card.kind),
        environment: environment.clone(),
        work: Spread::of(work),
    }
}

fn cell(results: &Results, target: &str, mode: Mode, size: u64) -> Option<Cell> {
    let is_here = |one: &&Measurement| one.target == target && one.mode == mode && one.size == size;
    let all: Vec<&Measurement> = results.measurements.iter().filter(is_here).collect();
    let good: Vec<&Measurement> = all.iter().copied().filter(|one| counts(one)).collect();
    let of = |figure: fn(&Measurement) -> f64| Spread::of(good.iter().map(|one| figure(one)));
    let rate: fn(&Measurement) -> f64 = match mode {
        // An opened connection without an answer is no success.
        Mode::Close | Mode::KeepAlive | Mode::Http2 => |one| one.requests_per_second,
    };
    let cpu = |of: fn(&Measurement) -> Option<f64>| {
        Spread::of(good.iter().filter_map(|one| of(one))).map(|spread| spread.median)
    };
    let mut errors = Errors::default();
    for kind in ErrorKind::ALL {
        *errors.of_mut(kind) = all.iter().map(|one| one.errors.of(kind)).sum();
    }
    let rounds_failed = all.len() - good.len();
    let nothing = Spread { median: 0.0, min: 0.0, max: 0.0, count: 0 };
    (!all.is_empty()).then(|| Cell {
        rate: of(rate).unwrap_or(nothing),
        megabits: of(|one| one.bits_per_second / 1e6).unwrap_or(nothing),
        p50_us: of(|one| one.latency.p50_us).map_or(0.0, |spread| spread.median),
        p99_us: of(|one| one.latency.p99_us).map_or(0.0, |spread| spread.median),
        guest_us: cpu(|one| one.guest?.us_per_request()),
        host_us: cpu(|one| one.host?.us_per_request()),
        rounds_failed,
        errors,
        responses: all.iter().map(|one| one.responses).sum(),
        bound: bound(&good),
    })
}

/// Whether a round's figures are figures.
fn counts(one: &Measurement) -> bool {
    match one.limit {
        Limit::Errors | Limit::Unknown => false,
        Limit::Target | Limit::Rate | Limit::Injector | Limit::Starved | Limit::Origin => one.responses > 0,
    }
}

/// What bounded more than half of these rounds, if it was not the target.
fn bound(rounds: &[&Measurement]) -> Option<Limit> {
    [Limit::Injector, Limit::Origin, Limit::Starved]
        .into_iter()
        .find(|&limit| 2 * rounds.iter().filter(|one| one.limit == limit).count() > rounds.len())
}

impl Summary {
    /// A cell with figures in it.
    pub(crate) fn figures<'m>(&self, mode: &'m ModeSummary, subject: usize, size: usize) -> Option<&'m Cell> {
        mode.rows
            .get(subject)?
            .get(size)?
            .as_ref()
            .filter(|cell| cell.rate.count > 0 && cell.rate.median > 0.0)
    }

    /// What `subject` has of the rate of `reference` at a size: 1 is all of it.
    pub(crate) fn share(
        &self,
        mode: &ModeSummary,
        subject: usize,
        reference: usize,
        size: usize,
    ) -> Option<f64> {
        let (one, whole) = (self.figures(mode, subject, size)?, self.figures(mode, reference, size)?);
        Some(one.rate.median / whole.rate.median)
    }

    /// The shares at every size where both were measured.
    pub(crate) fn shares(&self, mode: &ModeSummary, subject: usize, reference: usize) -> Option<Spread> {
        Spread::of((0..self.sizes.len()).filter_map(|size| self.share(mode, subject, reference, size)))
    }

    /// Every subject but the native one.
    pub(crate) fn guests(&self) -> impl Iterator<Item = usize> + Clone {
        let native = self.native;
        (0..self.subjects.len()).filter(move |&index| Some(index) != native)
    }

    pub(crate) fn name(&self, subject: usize) -> &str {
        self.subjects.get(subject).map_or("", |subject| &subject.name)
    }
}
