//! What the origin has done, thread by thread, and what that took: the answer of `/stats`.
//!
//! A thread's counters have one writer, the thread, so that counting is a load and a store.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::net::account::Account;

/// What `schema` says in the JSON.
pub const SCHEMA: &str = "weir-bench-origin";

/// The version of that.
pub const VERSION: u32 = 1;

/// What an origin has done since its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// Nanoseconds since the start.
    pub uptime_ns: u64,
    /// Thread by thread.
    pub threads: Vec<ThreadStats>,
}

/// What a thread has done. Questions for these counters, and their connections, are not in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadStats {
    /// Connections accepted.
    pub connections: u64,
    /// Of these, those that are open.
    pub open: u64,
    /// Requests whose head was whole.
    pub requests: u64,
    /// Answers that were given to the system as a whole.
    pub answers: u64,
    /// Bytes received, without TLS.
    pub bytes_received: u64,
    /// Bytes sent, without TLS.
    pub bytes_sent: u64,
    /// Nanoseconds on a processor.
    pub run_ns: u64,
    /// Nanoseconds ready to run, with no processor.
    pub wait_ns: u64,
}

impl Stats {
    /// The sum of all threads.
    pub fn sum(&self) -> ThreadStats {
        let mut sum = ThreadStats::default();
        for thread in &self.threads {
            sum.connections += thread.connections;
            sum.open += thread.open;
            sum.requests += thread.requests;
            sum.answers += thread.answers;
            sum.bytes_received += thread.bytes_received;
            sum.bytes_sent += thread.bytes_sent;
            sum.run_ns += thread.run_ns;
            sum.wait_ns += thread.wait_ns;
        }
        sum
    }
}

/// A count with one writer.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: u64) {
        self.0.store(self.get().wrapping_add(more), Ordering::Relaxed);
    }

    pub(super) fn take_back(&self, one: u64) {
        self.0.store(self.get().wrapping_sub(one), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A thread's counters, on cache lines of their own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Counters {
    pub(super) connections: Count,
    pub(super) ended: Count,
    pub(super) requests: Count,
    pub(super) answers: Count,
    pub(super) bytes_received: Count,
    pub(super) bytes_sent: Count,
    thread: AtomicU32,
}

impl Counters {
    /// The calling thread is their writer.
    pub(super) fn adopt(&self) {
        let id = u32::try_from(rustix::thread::gettid().as_raw_nonzero().get()).unwrap_or(0);
        self.thread.store(id, Ordering::Relaxed);
    }

    fn read(&self) -> ThreadStats {
        let account = Account::of_thread(self.thread.load(Ordering::Relaxed));
        let connections = self.connections.get();
        ThreadStats {
            connections,
            open: connections.saturating_sub(self.ended.get()),
            requests: self.requests.get(),
            answers: self.answers.get(),
            bytes_received: self.bytes_received.get(),
            bytes_sent: self.bytes_sent.get(),
            run_ns: account.run_ns,
            wait_ns: account.wait_ns,
        }
    }
}

/// The counters of all threads.
#[derive(Debug)]
pub(super) struct AllCounters {
    pub(super) threads: Vec<Counters>,
    started: Instant,
}

impl AllCounters {
    pub(super) fn new(threads: usize) -> Self {
        Self { threads: (0..threads).map(|_| Counters::default()).collect(), started: Instant::now() }
    }

    pub(super) fn read(&self) -> Stats {
        Stats {
            schema: SCHEMA.into(),
            version: VERSION,
            uptime_ns: u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX),
            threads: self.threads.iter().map(Counters::read).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_threads() {
        let all = AllCounters::new(2);
        all.threads[0].connections.add(3);
        all.threads[1].connections.add(4);
        all.threads[1].ended.add(1);
        all.threads[1].connections.take_back(1);
        let stats = all.read();
        assert_eq!((stats.sum().connections, stats.sum().open), (6, 5));
        all.threads[0].adopt();
        assert_ne!(all.threads[0].thread.load(Ordering::Relaxed), 0);
        let text = serde_json::to_string(&stats).unwrap();
        assert_eq!(serde_json::from_str::<Stats>(&text).unwrap(), stats);
    }
}
