//! What outlives a snapshot: counters, health, exchanges in flight.
//!
//! Workers read and count here, the control loop alone writes `share`, `ring_weight` and the report.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use weir_config::health::{Health, ProbeResult};

use crate::stats::{Histogram, ListenerCounters, PerWorker, PoolCounters, ServerCounters};
use crate::upstream::queue::Queue;

/// What outlives a snapshot of a listener.
#[derive(Debug)]
pub struct ListenerStatus {
    /// Counted by the workers.
    pub counters: PerWorker<ListenerCounters>,
    /// UDP flows, all workers together.
    flows: AtomicU32,
}

/// A UDP flow's place among those of its listener, given up when dropped.
pub(crate) struct FlowPlace(Arc<ListenerStatus>);

impl Drop for FlowPlace {
    fn drop(&mut self) {
        self.0.flows.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What outlives a snapshot of a pool.
#[derive(Debug)]
pub struct PoolStatus {
    /// Counted by the workers.
    pub counters: PerWorker<PoolCounters>,
    /// From the request's arrival to the last byte of its response.
    pub exchange_seconds: PerWorker<Histogram>,
    /// From the request's arrival to the head of the server's response.
    pub first_byte_seconds: PerWorker<Histogram>,
    /// Requests that wait for a server with room.
    pub(crate) queue: Queue,
    /// Grows whenever a server's share changed: the workers' balancers look again.
    shares: AtomicU64,
}

/// What outlives a snapshot of a server.
#[derive(Debug)]
pub struct ServerStatus {
    /// The only number that all workers write on the way of a request; alone on its cache lines.
    in_flight: Padded<AtomicU32>,
    /// Failed exchanges in a row. Written only by a failure, or by the success after one.
    failures: Padded<AtomicU32>,
    /// The part of the pool's exchanges it gets, in 1/256 of a weight: 0 takes none.
    share: AtomicU32,
    /// The weight that decides its place on a hash ring, whatever its health.
    ring_weight: AtomicU32,
    /// Counted by the workers.
    pub counters: PerWorker<ServerCounters>,
    report: Mutex<ServerReport>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// What is known about a server, for people.
#[derive(Debug, Clone)]
pub struct ServerReport {
    /// The result of checks, or of none.
    pub health: Health,
    /// What the operator wants.
    pub state: OperatorState,
    /// The weight in force: the operator's if one was set, else the configured one.
    pub weight: u16,
    /// Whether traffic has taken it out of the choice for now.
    pub ejected: bool,
    /// When health last changed.
    pub since: SystemTime,
    /// The last probe.
    pub last_check: Option<ProbeResult>,
    /// How many times health has changed.
    pub transitions: u64,
}

/// What the operator wants of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OperatorState {
    /// Use it.
    #[default]
    Ready,
    /// No new exchange; those under way go on. It is still checked.
    Drain,
    /// The same, and it is not checked.
    Maintenance,
}

impl ListenerStatus {
    pub(crate) fn new(workers: usize) -> Self {
        Self { counters: PerWorker::new(workers), flows: AtomicU32::new(0) }
    }

    /// Takes a place for a flow, unless `max` are taken.
    pub(crate) fn flow(self: &Arc<Self>, max: u32) -> Option<FlowPlace> {
        let taken = self.flows.fetch_add(1, Ordering::Relaxed);
        let place = FlowPlace(Arc::clone(self));
        (taken < max).then_some(place)
    }
}

impl PoolStatus {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            counters: PerWorker::new(workers),
            exchange_seconds: PerWorker::new(workers),
            first_byte_seconds: PerWorker::new(workers),
            queue: Queue::default(),
            shares: AtomicU64::new(0),
        }
    }

    /// How many requests wait for a server with room.
    pub fn queue_length(&self) -> u32 {
        self.queue.length()
    }

    pub(crate) fn shares_version(&self) -> u64 {
        self.shares.load(Ordering::Acquire)
    }

    /// Tells balancers that shares changed, and those who wait that there may be room now.
    pub(crate) fn shares_changed(&self) {
        self.shares.fetch_add(1, Ordering::Release);
        self.queue.wake_all();
    }
}

impl ServerStatus {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            in_flight: Padded::default(),
            failures: Padded::default(),
            share: AtomicU32::new(0),
            ring_weight: AtomicU32::new(0),
            counters: PerWorker::new(workers),
            report: Mutex::new(ServerReport {
                health: Health::Unknown,
                state: OperatorState::Ready,
                weight: 1,
                ejected: false,
                since: SystemTime::now(),
                last_check: None,
                transitions: 0,
            }),
        }
    }

    /// Exchanges in flight, all workers together.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.0.load(Ordering::Relaxed)
    }

    /// Takes one of `max` places, if one is free; given back with [`ServerStatus::leave`].
    pub(crate) fn enter(&self, max: u32) -> bool {
        if self.in_flight.0.fetch_add(1, Ordering::Relaxed) < max {
            return true;
        }
        self.leave();
        false
    }

    pub(crate) fn leave(&self) {
        // Not later than the look at who waits that follows: see `Queue::wake_one`.
        self.in_flight.0.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts a failed exchange; returns how many there are in a row.
    pub(crate) fn failed(&self) -> u32 {
        self.failures.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    /// Ends the row of failures.
    pub(crate) fn succeeded(&self) {
        if self.failures.0.load(Ordering::Relaxed) != 0 {
            self.failures.0.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn share(&self) -> u32 {
        self.share.load(Ordering::Relaxed)
    }

    /// Whether what it serves already may go on although it takes nothing new: it is drained, not down.
    pub(crate) fn takes_what_it_has(&self) -> bool {
        let report = self.report();
        report.health.is_usable() && !report.ejected
    }

    pub(crate) fn set_share(&self, share: u32) -> bool {
        self.share.swap(share, Ordering::Relaxed) != share
    }

    pub(crate) fn ring_weight(&self) -> u32 {
        self.ring_weight.load(Ordering::Relaxed)
    }

    pub(crate) fn set_ring_weight(&self, weight: u32) {
        self.ring_weight.store(weight, Ordering::Relaxed);
    }

    /// What is known about the server.
    pub fn report(&self) -> ServerReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update_report(&self, update: impl FnOnce(&mut ServerReport)) {
        update(&mut self.report.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
