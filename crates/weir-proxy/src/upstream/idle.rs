//! The connections to one server that one worker keeps for the next exchange.
//!
//! The most recently used is taken first, so that the others grow old and go. Nobody is woken when a server
//! closes an idle connection: taking one looks at it, and so does the worker's sweep.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use super::http1::Http1;

/// The idle connections to one server.
#[derive(Default)]
pub(crate) struct Idle {
    kept: Rc<RefCell<Vec<Kept>>>,
    keep_alive: Cell<Duration>,
    max: Cell<usize>,
}

struct Kept {
    since: Instant,
    connection: Box<Http1>,
}

impl Idle {
    /// The same connections, for the next view of the same server.
    pub(crate) fn share(&self) -> Self {
        Self { kept: Rc::clone(&self.kept), keep_alive: self.keep_alive.clone(), max: self.max.clone() }
    }

    /// Keeps at most `max` connections, each at most `keep_alive` without an exchange.
    pub(crate) fn configure(&self, keep_alive: Duration, max: usize) {
        self.keep_alive.set(keep_alive);
        self.max.set(max);
    }

    /// A connection that is alive as far as is known. `whose`: the client that it was opened for, where the
    /// server was told; nobody else may have it.
    pub(crate) fn take(&self, whose: Option<SocketAddr>, cx: &mut Context<'_>) -> Option<Box<Http1>> {
        let mut kept = self.kept.borrow_mut();
        while let Some(at) = kept.iter().rposition(|kept| kept.connection.whose == whose) {
            let mut last = kept.remove(at);
            if last.connection.is_alive(cx) {
                return Some(last.connection);
            }
        }
        None
    }

    /// Keeps `connection`, unless there are enough.
    pub(crate) fn put(&self, connection: Box<Http1>) {
        let mut kept = self.kept.borrow_mut();
        if kept.len() < self.max.get() {
            kept.push(Kept { since: Instant::now(), connection });
        }
    }

    /// Closes what has rested too long or was closed by the server.
    pub(crate) fn sweep(&self) {
        let mut kept = self.kept.borrow_mut();
        if kept.is_empty() {
            return;
        }
        let now = Instant::now();
        let keep_alive = self.keep_alive.get();
        let cx = &mut Context::from_waker(Waker::noop());
        kept.retain_mut(|kept| now - kept.since < keep_alive && kept.connection.is_alive(cx));
    }
}
