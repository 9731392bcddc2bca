//! What a session may be waiting for, and until when.
//!
//! Every timeout of a session, its exchange and its upstream connection is one [`Wait`]. Whoever finds that
//! it can't go on calls [`Watchdog::begin`], whoever gets on calls [`Watchdog::end`]; beginning again while
//! already waiting changes nothing, so a spurious wake-up never extends a timeout. The session's single
//! [`Deadline`] is kept at the earliest of them.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::worker::deadline::Deadline;
use crate::worker::local::Local;

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The client's next request.
    KeepAlive,
    /// The moment from which the client's socket is watched while its request is served.
    Unwatched,
    /// The rest of a request's head.
    RequestHead,
    /// The next piece of a request's body from the client.
    ClientSends,
    /// The client to take the next piece of a response.
    ClientReads,
    /// A server with room.
    Queue,
    /// A connection to a server, or a client's handshake.
    Connect,
    /// The server's 100 (Continue), before the body is sent without it.
    Continue,
    /// The head of the server's response.
    Response,
    /// The next piece of a response's body from the server.
    ServerSends,
    /// The server to take the next piece of a request.
    ServerReads,
    /// Anything to move in a tunnel.
    Tunnel,
    /// The peer to close after we have sent our last byte.
    Linger,
}

const WAITS: usize = Wait::Linger as usize + 1;

/// A wait that lasted too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired;

/// All waits of one session.
pub(crate) struct Watchdog {
    local: Rc<Local>,
    deadline: Deadline,
    /// In microseconds of the worker's clock, rounded up; 0: not waiting.
    until: [Cell<u64>; WAITS],
}

impl Watchdog {
    /// A watchdog of this worker, waiting for nothing.
    pub(crate) fn new(local: &Rc<Local>) -> Self {
        Self {
            local: Rc::clone(local),
            deadline: local.deadlines.register(),
            until: [const { Cell::new(0) }; WAITS],
        }
    }

    /// Starts waiting, unless it already does; whether it did not.
    pub(crate) fn begin(&self, wait: Wait, timeout: Duration) -> bool {
        let until = &self.until[wait as usize];
        let begins = until.get() == 0;
        if begins {
            until.set(self.local.now_micros() + timeout.as_micros() as u64 + 1);
            self.arm();
        }
        begins
    }

    /// Stops waiting: what was waited for has come.
    pub(crate) fn end(&self, wait: Wait) {
        self.until[wait as usize].set(0); // the deadline may now fire early, which is found out then
    }

    /// Stops waiting for anything: an exchange that begins or ends leaves no wait of another behind.
    pub(crate) fn clear(&self) {
        self.until.iter().for_each(|until| until.set(0));
    }

    /// Whether `wait` has begun and lasted too long. Wakes `cx` when it does.
    pub(crate) fn poll_expired(&self, wait: Wait, cx: &Context<'_>) -> bool {
        let until = self.until[wait as usize].get();
        let expired = until != 0 && until <= self.local.now_micros();
        // If the deadline fired for another wait, its owner is asked in this very turn, or has ended it.
        if !expired && self.deadline.poll_fired(cx) {
            self.arm();
            self.deadline.poll_fired(cx);
        }
        expired
    }

    /// Whether the moment has come that `wait` stands for, which is nobody's limit: it ends, and the others go
    /// on.
    pub(crate) fn poll_passed(&self, wait: Wait, cx: &Context<'_>) -> bool {
        let passed = self.poll_expired(wait, cx);
        if passed {
            self.end(wait);
            self.arm();
            self.deadline.poll_fired(cx);
        }
        passed
    }

    /// Runs `work`, at most for `timeout`.
    pub(crate) async fn within<F: Future>(
        &self,
        wait: Wait,
        timeout: Duration,
        work: F,
    ) -> Result<F::Output, Expired> {
        let mut work = pin!(work);
        let outcome = std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            self.begin(wait, timeout);
            if self.poll_expired(wait, cx) { Poll::Ready(Err(Expired)) } else { Poll::Pending }
        })
        .await;
        self.end(wait);
        outcome
    }

    /// Waits with nothing under way, and could go if room is needed; or no longer.
    pub(crate) fn set_spare(&self, spare: bool) {
        self.deadline.set_spare(spare);
    }

    /// Whether the session is asked to make room for others.
    pub(crate) fn is_shed(&self) -> bool {
        self.deadline.is_shed()
    }

    /// Sets the deadline to the first of the waits that are not over yet.
    fn arm(&self) {
        let now = self.local.now_micros();
        if let Some(first) = self.until.iter().map(Cell::get).filter(|&until| until > now).min() {
            self.deadline.set(self.local.instant_of(first));
        }
    }
}
