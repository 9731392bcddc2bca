//! A run from its first check to its outcome: what is refused, the target tried, the threads started, what they tell
//! put together second by second.

use std::collections::BTreeMap;
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
    /// Seconds of which not all threads have told.
    open: BTreeMap<Tick, OpenSecond>,
    /// Threads that have ended.
    ended: usize,
    seconds: Vec<Second>,
    measured: Tally,
    total: Tally,
    accounts: BTreeMap<usize, Account>,
    /// When the last thread told of the measured time.
    measured_until: Duration,
    is_broken_off: bool,
    origin: OriginSeen,
}

struct OpenSecond {
    told: usize,
    at: Duration,
    tally: Tally,
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
            open: BTreeMap::new(),
            ended: 0,
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
        let left: Vec<Tick> = self.open.keys().copied().collect();
        for tick in left {
            self.close(tick, progress);
        }
        if self.origin.after.is_none() {
            self.origin.after = origin::ask(&self.shared.options)?;
        }
        Ok(())
    }

    fn take(&mut self, report: &Report, progress: &mut dyn Progress) {
        self.total.add(&report.tally);
        if report.is_last {
            self.ended += 1;
        }
        if report.phase() == Phase::Measured {
            self.measured.add(&report.tally);
            let account = self.accounts.entry(report.thread).or_default();
            account.run_ns += report.account.run_ns;
            account.wait_ns += report.account.wait_ns;
        }
        if let Some(tick) = report.tick {
            let at = report.at.min(tick.end);
            if tick.phase == Phase::Measured {
                self.measured_until = self.measured_until.max(at);
            }
            let second =
                self.open.entry(tick).or_insert_with(|| OpenSecond { told: 0, at, tally: Tally::new() });
            second.told += 1;
            second.at = second.at.max(at);
            second.tally.add(&report.tally);
        }
        // One whose end was told by as many as there are now is over.
        let over: Vec<Tick> = self
            .open
            .iter()
            .filter(|(_, second)| second.told + self.ended >= self.shared.threads)
            .map(|(tick, _)| *tick)
            .collect();
        for tick in over {
            self.close(tick, progress);
        }
    }

    fn close(&mut self, tick: Tick, progress: &mut dyn Progress) {
        let Some(OpenSecond { at, tally, .. }) = self.open.remove(&tick) else { return };
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
