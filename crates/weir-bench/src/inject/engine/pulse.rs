//! A thread's counts, told to the main thread at the end of each tick.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use super::super::outcome::Phase;
use super::super::plan::Tick;
use super::super::tally::Tally;
use super::Shared;
use crate::net::account::Account;

/// What a thread tells.
#[derive(Debug)]
pub(in super::super) struct Report {
    /// The number of the thread.
    pub(in super::super) thread: usize,
    /// Of what; none is the time after the last tick, in which what is under way ends.
    pub(in super::super) tick: Option<Tick>,
    /// When it was told, since the start: before the tick's end where the thread has ended before.
    pub(in super::super) at: Duration,
    pub(in super::super) tally: Tally,
    /// What the thread has used of a processor in this time.
    pub(in super::super) account: Account,
    /// It is the thread's last.
    pub(in super::super) is_last: bool,
}

/// Where a thread counts.
#[derive(Debug)]
pub(in super::super) struct Pulse {
    shared: Arc<Shared>,
    thread: usize,
    reports: SyncSender<Report>,
    pub(in super::super) tally: Tally,
    tick: Option<Tick>,
    account: Account,
}

impl Pulse {
    /// The calling thread's.
    pub(in super::super) fn new(shared: &Arc<Shared>, thread: usize, reports: SyncSender<Report>) -> Self {
        let tick = shared.plan.tick_after(Duration::ZERO);
        let (shared, account) = (Arc::clone(shared), Account::of_this_thread());
        Self { shared, thread, reports, tally: Tally::new(), tick, account }
    }

    /// How long until the tick is over; nothing where there is none.
    pub(in super::super) fn left(&self, at: Duration) -> Option<Duration> {
        self.tick.map(|tick| tick.end.saturating_sub(at))
    }

    /// Tells what is over by now; whether new requests may come.
    pub(in super::super) fn beat(&mut self, at: Duration) -> bool {
        while let Some(tick) = self.tick {
            let is_stopped = self.shared.stop.load(Ordering::Relaxed);
            if at < tick.end && !is_stopped {
                return true;
            }
            self.tell(Some(tick), at, false);
            self.tick = if is_stopped { None } else { self.shared.plan.tick_after(tick.end) };
        }
        false
    }

    /// Tells the rest.
    pub(in super::super) fn end(mut self, at: Duration) {
        if let Some(tick) = self.tick.take() {
            self.tell(Some(tick), at, false);
        }
        self.tell(None, at, true);
    }

    fn tell(&mut self, tick: Option<Tick>, at: Duration, is_last: bool) {
        let account = Account::of_this_thread();
        let report = Report {
            thread: self.thread,
            tick,
            at,
            tally: std::mem::replace(&mut self.tally, Tally::new()),
            account: account.since(self.account),
            is_last,
        };
        self.account = account;
        // Who has gone wants to know nothing more.
        let _ = self.reports.send(report);
    }
}

impl Report {
    /// What its counts belong to.
    pub(in super::super) fn phase(&self) -> Phase {
        self.tick.map_or(Phase::Drain, |tick| tick.phase)
    }
}
