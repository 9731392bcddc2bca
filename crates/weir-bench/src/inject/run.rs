//! A run from its first check to its outcome: what is refused, the target tried, the threads started, what they tell
//! put together second by second.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::dial::Dialer;
use super::engine::{self, Pulse, Report, Shared};
use super::judge::{Evidence, judge};
use super::outcome::{Counts, Cpu, Outcome, Phase, Rates, SCHEMA, Second, VERSION};
use super::plan::{Arrivals, Plan, Tick};
use super::request::Requests;
use super::tally::Tally;
use super::tls::ClientTls;
use super::{InjectError, Options, Progress, limits, origin, probe, resolve};
use crate::harness::cores::Cores;
use crate::net::account::Account;
use crate::objects::Stats;

/// Reports that may wait for the main thread, of each thread.
const REPORTS: usize = 8;

/// How often the main thread looks whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// Puts the load on the target and waits for its end.
pub(super) fn run(options: &Options, progress: &mut dyn Progress) -> Result<Outcome, InjectError> {
    limits::options(options)?;
    let facts = limits::Facts::now()
        .map_err(|source| InjectError::System { what: "can't raise the limit on open files", source })?;
    limits::machine(options, facts)?;
    let tls = ClientTls::new(options)?;
    let address = resolve::address(options)?;
    let dialer = Dialer::new(address, &options.sources, options.ending);
    let origin_before = origin::ask(options)?;
    probe::probe(options, address, &dialer, tls.as_ref())?;
    let threads = threads(options)?;
    let started_unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let shared = Arc::new(Shared {
        options: options.clone(),
        plan: Plan::new(options),
        arrivals: Arrivals::new(options),
        dialer,
        tls,
        requests: Requests::new(options),
        threads,
        start: OnceLock::new(),
        stop: AtomicBool::new(false),
        budget: options.requests_max.map(AtomicU64::new),
    });
    let (sender, reports) = sync_channel(threads * REPORTS);
    let (ready, all_ready) = sync_channel::<()>(1);
    let (mut workers, mut gates) = (Vec::new(), Vec::new());
    for number in 0..threads {
        let (shared, sender, ready) = (Arc::clone(&shared), sender.clone(), ready.clone());
        let (gate, opened) = sync_channel::<()>(1);
        gates.push(gate);
        let work = move || {
            drop(ready);
            // The gate is gone where another thread could not be started.
            if opened.recv().is_err() {
                return Ok(());
            }
            let pulse = Pulse::new(&shared, number, sender);
            engine::work(&shared, number, pulse)
        };
        let worker = thread::Builder::new().name(format!("inject-{number}")).spawn(work);
        workers.push(worker.map_err(|source| InjectError::System { what: "can't start a thread", source })?);
    }
    drop((sender, ready));
    // Returns when every thread has dropped its end. A busy machine may let a thread run only after a second, which is
    // not to be a part of what is measured.
    let _ = all_ready.recv();
    shared.start();
    for gate in &gates {
        let _ = gate.send(());
    }
    let mut sums = Sums::new(&shared, origin_before);
    sums.collect(&reports, progress)?;
    for worker in workers {
        let ended =
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the load has panicked")));
        ended.map_err(|source| InjectError::System { what: "the load broke off", source })?;
    }
    Ok(sums.outcome(address, u64::try_from(started_unix_ms).unwrap_or(0)))
}

/// As many as asked for, or as there are cores; never more than there are users.
fn threads(options: &Options) -> Result<usize, InjectError> {
    let cores = Cores::allowed()
        .map_err(|source| InjectError::System { what: "can't find the cores to run on", source })?;
    let users = usize::try_from(options.connections_max()).unwrap_or(usize::MAX);
    Ok(options.threads.unwrap_or(cores.numbers().len()).min(users))
}

/// What the threads have told.
struct Sums<'a> {
    shared: &'a Shared,
    open: OpenSeconds,
    seconds: Vec<Second>,
    measured: Tally,
    total: Tally,
    accounts: BTreeMap<usize, Account>,
    /// When the last thread told of the measured time.
    measured_until: Duration,
    is_broken_off: bool,
    origin: OriginSeen,
}

/// Seconds of which not all threads have told.
#[derive(Default)]
struct OpenSeconds {
    seconds: BTreeMap<Tick, OpenSecond>,
    /// The threads that have ended, and tell nothing more.
    ended: BTreeSet<usize>,
}

struct OpenSecond {
    /// The threads that have told of it.
    told: BTreeSet<usize>,
    at: Duration,
    tally: Tally,
}

impl OpenSeconds {
    /// Takes what a thread tells, of so many; returns what is over with it.
    fn take(&mut self, report: &Report, threads: usize) -> Vec<(Tick, OpenSecond)> {
        if report.is_last {
            self.ended.insert(report.thread);
        }
        if let Some(tick) = report.tick {
            let new = || OpenSecond { told: BTreeSet::new(), at: Duration::ZERO, tally: Tally::new() };
            let second = self.seconds.entry(tick).or_insert_with(new);
            second.told.insert(report.thread);
            second.at = second.at.max(report.at.min(tick.end));
            second.tally.add(&report.tally);
        }
        let ended = &self.ended;
        let is_over = |second: &OpenSecond| second.told.union(ended).count() >= threads;
        self.seconds.extract_if(.., |_, second| is_over(second)).collect()
    }
}

/// The origin's counters around the measured time.
struct OriginSeen {
    before: Option<Stats>,
    after: Option<Stats>,
    is_measuring: bool,
}

impl<'a> Sums<'a> {
    fn new(shared: &'a Shared, before: Option<Stats>) -> Self {
        Self {
            shared,
            open: OpenSeconds::default(),
            seconds: Vec::new(),
            measured: Tally::new(),
            total: Tally::new(),
            accounts: BTreeMap::new(),
            measured_until: shared.plan.measured_from(),
            is_broken_off: false,
            origin: OriginSeen { before, after: None, is_measuring: false },
        }
    }

    /// Takes what is told until all threads have ended.
    fn collect(
        &mut self,
        reports: &Receiver<Report>,
        progress: &mut dyn Progress,
    ) -> Result<(), InjectError> {
        loop {
            match reports.recv_timeout(LOOK) {
                Ok(report) => self.take(&report, progress),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if !self.is_broken_off && progress.is_cancelled() {
                self.is_broken_off = true;
                self.shared.stop.store(true, Ordering::Relaxed);
            }
            self.look_at_the_origin()?;
        }
        // Of these a thread that panicked has told nothing.
        for (tick, second) in std::mem::take(&mut self.open.seconds) {
            self.close(tick, second, progress);
        }
        if self.origin.after.is_none() {
            self.origin.after = origin::ask(&self.shared.options)?;
        }
        Ok(())
    }

    fn take(&mut self, report: &Report, progress: &mut dyn Progress) {
        self.total.add(&report.tally);
        if report.phase() == Phase::Measured {
            self.measured.add(&report.tally);
            let account = self.accounts.entry(report.thread).or_default();
            account.run_ns += report.account.run_ns;
            account.wait_ns += report.account.wait_ns;
        }
        for (tick, second) in self.open.take(report, self.shared.threads) {
            self.close(tick, second, progress);
        }
    }

    fn close(&mut self, tick: Tick, second: OpenSecond, progress: &mut dyn Progress) {
        let OpenSecond { at, tally, .. } = second;
        let latency = tally.latency();
        let second = Second {
            phase: tick.phase,
            at_seconds: at.as_secs_f64(),
            seconds: at.saturating_sub(tick.start).as_secs_f64(),
            counts: tally.counts,
            p50_us: latency.p50_us,
            p99_us: latency.p99_us,
            max_us: latency.max_us,
        };
        progress.second(&second);
        if tick.phase == Phase::Measured {
            self.measured_until = self.measured_until.max(at);
            self.seconds.push(second);
        }
    }

    /// Reads the origin's counters when measuring begins and when it ends.
    fn look_at_the_origin(&mut self) -> Result<(), InjectError> {
        let at = self.shared.at(Instant::now());
        let plan = &self.shared.plan;
        if !self.origin.is_measuring && at >= plan.measured_from() {
            self.origin.is_measuring = true;
            if !plan.measured_from().is_zero() {
                self.origin.before = origin::ask(&self.shared.options)?;
            }
        }
        let is_over = at >= plan.end() || self.shared.stop.load(Ordering::Relaxed) || self.shared.is_spent();
        if self.origin.is_measuring && self.origin.after.is_none() && is_over {
            self.origin.after = origin::ask(&self.shared.options)?;
        }
        Ok(())
    }

    fn outcome(self, address: SocketAddr, started_unix_ms: u64) -> Outcome {
        let measured_seconds =
            self.measured_until.saturating_sub(self.shared.plan.measured_from()).as_secs_f64();
        let measured = self.measured.counts;
        let mut total = self.total.counts;
        // The one that was tried before the load.
        total.connections += 1;
        let cpu = self.cpu(measured_seconds, &measured);
        let origin = match (&self.origin.before, &self.origin.after) {
            (Some(before), Some(after)) => Some(origin::between(before, after)),
            (None, _) | (_, None) => None,
        };
        let mode = self.shared.options.mode;
        let (limit, notes) = judge(&Evidence { mode, measured: &measured, measured_seconds, cpu, origin });
        Outcome {
            schema: SCHEMA.into(),
            version: VERSION,
            options: self.shared.options.clone(),
            address: address.to_string(),
            started_unix_ms,
            measured_seconds,
            is_broken_off: self.is_broken_off,
            measured,
            total,
            rates: Rates::of(&measured, measured_seconds),
            latency: self.measured.latency(),
            connecting: self.measured.connecting(),
            cpu,
            origin,
            limit,
            notes,
            seconds: self.seconds,
        }
    }

    fn cpu(&self, seconds: f64, measured: &Counts) -> Cpu {
        let threads = self.shared.threads;
        let share = |nanoseconds: u64| if seconds > 0.0 { nanoseconds as f64 / 1e9 / seconds } else { 0.0 };
        let run: u64 = self.accounts.values().map(|account| account.run_ns).sum();
        let wait: u64 = self.accounts.values().map(|account| account.wait_ns).sum();
        Cpu {
            threads,
            busy: share(run) / threads as f64,
            busiest: self.accounts.values().map(|account| share(account.run_ns)).fold(0.0, f64::max),
            waiting: share(wait) / threads as f64,
            us_per_response: run as f64 / 1e3 / measured.responses.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_over_once_and_when_every_thread_has_told_of_it_or_ended() {
        let mut open = OpenSeconds::default();
        let tick = |number: u64| Tick {
            start: Duration::from_secs(number),
            end: Duration::from_secs(number + 1),
            phase: Phase::Measured,
        };
        let mut take = |thread: usize, number: Option<u64>| {
            let mut tally = Tally::new();
            tally.counts.requests = 1;
            let report = Report {
                thread,
                tick: number.map(tick),
                at: Duration::from_millis(500 + 1000 * number.unwrap_or(9)),
                tally,
                account: Account::default(),
                is_last: number.is_none(),
            };
            let over = open.take(&report, 3);
            over.into_iter()
                .map(|(tick, second)| {
                    assert_eq!(second.at, tick.start + Duration::from_millis(500));
                    (tick.start.as_secs(), second.tally.counts.requests)
                })
                .collect::<Vec<_>>()
        };
        assert_eq!((take(0, Some(0)), take(1, Some(0))), (vec![], vec![]));
        // One that has told of a second and ended still counts as one.
        assert_eq!(take(0, None), []);
        assert_eq!(take(1, Some(1)), []);
        assert_eq!(take(2, Some(0)), [(0, 3)]);
        assert_eq!(take(2, None), [(1, 1)]);
        assert_eq!(take(1, Some(2)), [(2, 1)]);
        assert_eq!(take(1, None), []);
    }
}
