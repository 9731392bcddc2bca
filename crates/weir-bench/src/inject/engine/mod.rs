//! The threads that make the load. Each has its share of the users or of the rate, its own connections and its own
//! counts, and tells these once in a tick; nothing else is shared but the end.

mod counted;
mod http1;
mod http2;
mod pulse;
mod user;

pub(super) use pulse::{Pulse, Report};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::dial::Dialer;
use super::options::{Options, Version};
use super::plan::{Arrivals, Plan};
use super::request::Requests;
use super::tls::ClientTls;

/// What all threads work with.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) plan: Plan,
    pub(super) arrivals: Option<Arrivals>,
    pub(super) dialer: Dialer,
    pub(super) tls: Option<ClientTls>,
    pub(super) requests: Requests,
    pub(super) threads: usize,
    /// When it began: once all threads were ready.
    pub(super) start: OnceLock<Instant>,
    /// The run is broken off.
    pub(super) stop: AtomicBool,
    /// Requests that may still come, where their number is bounded.
    pub(super) budget: Option<AtomicU64>,
}

impl Shared {
    /// The start of the run: now, for whoever asks first.
    pub(super) fn start(&self) -> Instant {
        *self.start.get_or_init(Instant::now)
    }

    /// The time since the start of the run.
    pub(super) fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.start())
    }

    /// Takes a request from what may still come; false when there is none.
    pub(super) fn take_from_budget(&self) -> bool {
        let Some(budget) = &self.budget else { return true };
        let taken = budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        taken.is_ok()
    }

    /// Whether no request may come any more.
    pub(super) fn is_spent(&self) -> bool {
        self.budget.as_ref().is_some_and(|budget| budget.load(Ordering::Relaxed) == 0)
    }

    /// The users of a thread: those whose number has this remainder.
    pub(super) fn users_of(&self, thread: usize) -> impl Iterator<Item = u32> {
        let (first, step) = (u32::try_from(thread).unwrap_or(u32::MAX), self.threads);
        (first..self.options.connections_max()).step_by(step)
    }
}

/// Makes the load of one thread, to its end.
///
/// # Errors
/// When epoll or a runtime fails, which they have no reason to.
pub(super) fn work(shared: &Arc<Shared>, thread: usize, pulse: Pulse) -> std::io::Result<()> {
    match shared.options.version {
        Version::Http10 | Version::Http11 => http1::work(shared, thread, pulse),
        Version::Http2 => http2::work(shared, thread, pulse),
    }
}
