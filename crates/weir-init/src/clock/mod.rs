//! The machine's clock: set from NTP at the start, then kept.
//!
//! The thread `weir-clock` asks the servers that `system.time` names, else those that DHCP offers, else
//! `pool.ntp.org`. The first answer is taken at once, since certificates are of no use before; from then on it polls
//! ever more rarely, takes the median of several servers, and lets the clock run faster or slower rather than jump
//! (`discipline`, pure). It goes on asking for ever, at most every [`RETRY_MAX`], and nobody waits for it but who
//! calls [`Clock::wait`]. Where the hypervisor keeps the clock too (Hyper-V), both agree or the larger error is seen
//! and corrected here.
//!
//! It is a client: nobody can ask this machine for the time, and leap seconds are left to the servers.

mod discipline;
mod servers;
mod system;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_config::model::Time;

use crate::{Event, Teller};
use discipline::{Adjustment, Discipline};
use servers::Answer;
pub use system::{KernelClock, SystemClock};

/// How often an unset clock is tried at first; each further wait is twice as long.
const RETRY_MIN: Duration = Duration::from_millis(500);

/// And at most.
const RETRY_MAX: Duration = Duration::from_secs(64);

/// What is asked where neither the file nor DHCP names a server.
const SERVER_DEFAULT: &str = "pool.ntp.org";

/// What tells the servers that DHCP named; asked before each poll.
pub type Offered = Box<dyn Fn() -> Vec<IpAddr> + Send>;

/// The thread that keeps the clock.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Shared>);

/// What became of the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ClockStatus {
    /// Whether a server has set it since the start.
    pub set: bool,
    /// The server that was asked last and answered.
    pub server: Option<String>,
}

#[derive(Debug)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    servers: Vec<Arc<str>>,
    status: ClockStatus,
    /// Somebody has reason to think that asking now gets an answer.
    nudged: bool,
}

/// Where the clock's surroundings are; elsewhere in tests.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Who resolves the names of servers.
    pub resolv_conf: PathBuf,
    /// The port of NTP.
    pub port: u16,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { resolv_conf: "/run/weir/resolv.conf".into(), port: 123 }
    }
}

impl Clock {
    /// Starts the thread; it tells [`Event::Clock`] when the clock was set, and again when it jumped.
    #[must_use]
    pub fn start(time: &Time, offered: Offered, teller: Teller) -> Self {
        Self::start_at(time, offered, teller, Box::new(KernelClock), Surroundings::default())
    }

    /// The same with another clock and other surroundings.
    #[must_use]
    pub fn start_at(
        time: &Time,
        offered: Offered,
        teller: Teller,
        clock: Box<dyn SystemClock>,
        surroundings: Surroundings,
    ) -> Self {
        let inner = Inner { servers: time.servers.clone(), status: ClockStatus::default(), nudged: false };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() });
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            offered,
            teller,
            clock,
            surroundings,
            discipline: Discipline::new(),
            started: Instant::now(),
        };
        let started = std::thread::Builder::new().name("weir-clock".to_owned()).spawn(move || keeper.run());
        if let Err(error) = started {
            tracing::error!(%error, "the clock's thread can't be started: the clock stays as it is");
        }
        Self(shared)
    }

    /// Other servers, from the next poll on, which is now if they differ.
    pub fn apply(&self, time: &Time) {
        let mut inner = self.0.lock();
        if inner.servers != time.servers {
            inner.servers.clone_from(&time.servers);
            inner.nudged = true;
            self.0.changed.notify_all();
        }
    }

    /// The network has changed: asks at once where the clock is not set yet.
    pub fn nudge(&self) {
        let mut inner = self.0.lock();
        if !inner.status.set {
            inner.nudged = true;
            self.0.changed.notify_all();
        }
    }

    /// Waits until the clock is set; false where the time is over first.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut inner = self.0.lock();
        while !inner.status.set {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            inner = self.0.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// What became of it.
    #[must_use]
    pub fn status(&self) -> ClockStatus {
        self.0.lock().status.clone()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for `time`, or for a nudge; whether it was one.
    fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut inner = self.lock();
        loop {
            if std::mem::take(&mut inner.nudged) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            inner = self.changed.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The thread's own.
struct Keeper {
    shared: Arc<Shared>,
    offered: Offered,
    teller: Teller,
    clock: Box<dyn SystemClock>,
    surroundings: Surroundings,
    discipline: Discipline,
    started: Instant,
}

impl Keeper {
    fn run(mut self) {
        let mut retry = RETRY_MIN;
        loop {
            match self.poll() {
                Ok(pause) => {
                    retry = RETRY_MIN;
                    self.pause(pause);
                }
                Err(error) => {
                    tracing::debug!(error, "no NTP server answers");
                    // A nudge says that the network is another one: what was learned about waiting is void.
                    retry = if self.shared.sleep(retry) { RETRY_MIN } else { (retry * 2).min(RETRY_MAX) };
                }
            }
        }
    }

    /// Asks, and corrects the clock; how long until the next time.
    fn poll(&mut self) -> Result<Duration, String> {
        let (names, set) = {
            let inner = self.shared.lock();
            (inner.servers.clone(), inner.status.set)
        };
        let answer = self.ask(&names, set)?;
        let adjustment = self.discipline.measured(self.started.elapsed(), answer.offset);
        if !self.carry_out(adjustment) {
            return Err("the clock can't be set".to_owned());
        }
        self.note(adjustment, &answer.server.to_string());
        Ok(self.discipline.pause())
    }

    /// The file's servers, and no others where it names some; else DHCP's, and the default where none of those answers,
    /// as what DHCP servers say of the time is often a leftover.
    fn ask(&self, configured: &[Arc<str>], set: bool) -> Result<Answer, String> {
        let ask = |addresses: &[IpAddr]| match set {
            true => servers::ask_all(addresses, self.surroundings.port),
            false => servers::ask_first(addresses, self.surroundings.port),
        };
        let resolv_conf = &self.surroundings.resolv_conf;
        if !configured.is_empty() {
            return ask(&servers::resolve(configured.iter().map(AsRef::as_ref), resolv_conf)?);
        }
        let offered = (self.offered)();
        if !offered.is_empty()
            && let Ok(answer) = ask(&offered)
        {
            return Ok(answer);
        }
        ask(&servers::resolve(std::iter::once(SERVER_DEFAULT), resolv_conf)?)
    }

    fn carry_out(&self, adjustment: Adjustment) -> bool {
        let done = match adjustment {
            Adjustment::Step { offset, ppm } => self
                .clock
                .step(offset)
                .and_then(|()| self.clock.run_at(ppm))
                .and_then(|()| self.clock.synchronised()),
            Adjustment::Slew { ppm } => self.clock.run_at(ppm).and_then(|()| self.clock.synchronised()),
        };
        if let Err(error) = &done {
            tracing::warn!(error, "the clock can't be set");
        }
        done.is_ok()
    }

    fn note(&self, adjustment: Adjustment, server: &str) {
        let mut inner = self.shared.lock();
        let first = !inner.status.set;
        inner.status = ClockStatus { set: true, server: Some(server.to_owned()) };
        drop(inner);
        self.shared.changed.notify_all();
        let stepped = match adjustment {
            Adjustment::Step { offset, .. } => {
                tracing::info!(server, offset, "the clock was set (offset in seconds)");
                true
            }
            Adjustment::Slew { .. } => false,
        };
        if first || stepped {
            // Whether somebody listens is not the clock's concern: it keeps time for the others.
            let _ = self.teller.tell(Event::Clock(server.to_owned()));
        }
    }

    /// Waits for the next poll. A clock that runs faster or slower to make something good does so no longer than that:
    /// the next answer may not come for days.
    fn pause(&self, pause: Duration) {
        self.shared.sleep(pause);
        if let Err(error) = self.clock.run_at(self.discipline.drift_ppm()) {
            tracing::warn!(error, "the clock's speed can't be set");
        }
    }
}
