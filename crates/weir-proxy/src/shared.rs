//! What all threads of the data plane share: the published snapshot, the workers' mailboxes, the phase.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::mpsc;

use crate::control::Event;
use crate::snapshot::Snapshot;
use crate::stats::{PerWorker, WorkerCounters};
use crate::worker::Mail;

/// What all threads of the data plane share.
pub(crate) struct Shared {
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    /// One mailbox a worker.
    pub(crate) mailboxes: Vec<mpsc::Sender<Mail>>,
    /// What workers tell the control loop.
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) counters: PerWorker<WorkerCounters>,
    /// The most sessions at once, all workers together.
    sessions_max: AtomicU64,
    phase: AtomicU8,
    /// The addresses of the listeners' sockets, by the listener's name.
    bound: Mutex<Vec<(String, SocketAddr)>>,
}

/// Where the process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not every listener is bound yet.
    Starting,
    /// Every listener is bound and serving.
    Serving,
    /// Listeners are closed; exchanges under way go on, within a bound.
    Draining,
}

impl Shared {
    pub(crate) fn new(
        snapshot: Snapshot,
        mailboxes: Vec<mpsc::Sender<Mail>>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            snapshot: Arc::new(ArcSwap::from_pointee(snapshot)),
            counters: PerWorker::new(mailboxes.len()),
            mailboxes,
            events,
            sessions_max: AtomicU64::new(0),
            bound: Mutex::default(),
            phase: AtomicU8::new(0),
        }
    }

    pub(crate) fn sessions_max(&self) -> u64 {
        self.sessions_max.load(Ordering::Relaxed)
    }

    pub(crate) fn set_sessions_max(&self, sessions: u64) {
        self.sessions_max.store(sessions, Ordering::Relaxed);
    }

    pub(crate) fn bound(&self) -> Vec<(String, SocketAddr)> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_bound(&self, bound: Vec<(String, SocketAddr)>) {
        *self.bound.lock().unwrap_or_else(PoisonError::into_inner) = bound;
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Serving,
            2.. => Phase::Draining,
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(
            match phase {
                Phase::Starting => 0,
                Phase::Serving => 1,
                Phase::Draining => 2,
            },
            Ordering::Release,
        );
    }
}
