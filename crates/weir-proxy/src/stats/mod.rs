//! What is counted: the tables of counters, one block a worker, summed only when somebody asks.
//!
//! Each worker adds to blocks of its own that share no cache line with another worker's, with a load and a
//! store instead of a locked addition: a block has one writer. A counter never goes back; what can (open
//! sessions) is the difference of two that don't. Adding a metric is adding a line to one of the tables at
//! the end of this file: the admin API prints whatever stands there.

mod histogram;

pub use histogram::{Histogram, HistogramTotals, SECONDS_BOUNDS};

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows. One thread adds, any may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the thread that owns the block may call this.
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One block of counters for each worker.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[T]>);

impl<T: Default> PerWorker<T> {
    /// A block for each of `workers`.
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| T::default()).collect())
    }

    /// The block that `worker` alone adds to.
    pub(crate) fn of(&self, worker: usize) -> &T {
        &self.0[worker]
    }
}

/// One row of a table as it is printed.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The metric's name without prefix and suffix, such as `exchanges`.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The number.
    pub value: u64,
}

macro_rules! counters {
    ($(#[$about:meta])* $block:ident, $totals:ident { $($field:ident: $help:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        #[repr(align(128))] // two lines: the adjacent-line prefetcher pairs them
        pub struct $block { $(#[doc = $help] pub(crate) $field: Counter,)* }

        #[doc = concat!("The sums of all workers' [`", stringify!($block), "`].")]
        #[derive(Debug, Default, Clone, Copy)]
        pub struct $totals { $(#[doc = $help] pub $field: u64,)* }

        impl PerWorker<$block> {
            /// The sums over all workers.
            pub fn totals(&self) -> $totals {
                let mut totals = $totals::default();
                for block in &self.0 {
                    $(totals.$field += block.$field.get();)*
                }
                totals
            }
        }

        impl $totals {
            /// Every counter, in the order of the table.
            pub fn rows(&self) -> Vec<Row> {
                vec![$(Row { name: stringify!($field), help: $help, value: self.$field },)*]
            }
        }
    };
}

counters! {
    /// What a worker counts for a listener.
    ListenerCounters, ListenerTotals {
        sessions: "Client connections accepted.",
        sessions_closed: "Client connections closed.",
        exchanges: "Requests received, each with its response.",
        responses_1xx: "Responses with a status of 100 to 199 (101 only: a tunnel was opened).",
        responses_2xx: "Responses with a status of 200 to 299.",
        responses_3xx: "Responses with a status of 300 to 399.",
        responses_4xx: "Responses with a status of 400 to 499.",
        responses_5xx: "Responses with a status of 500 to 599.",
        refused: "Requests refused because their framing or syntax was not acceptable.",
        timeouts: "Sessions ended because the client was too slow.",
        aborted: "Exchanges that the client abandoned before their end.",
        tunnels: "Exchanges that became a tunnel.",
        tls_handshakes: "TLS handshakes that succeeded.",
        tls_resumptions: "TLS handshakes that resumed an earlier session.",
        tls_plain_text: "Connections that were not TLS but text, such as HTTP.",
        tls_aborted: "Clients that went away within their TLS handshake, or refused our certificate.",
        tls_timeouts: "TLS handshakes that took too long.",
        tls_incompatible: "Clients with no TLS version, cipher or protocol in common with the listener.",
        tls_unknown_names: "Clients refused because no certificate is for the host that they named.",
        tls_client_certificates: "Clients refused because of the certificate that they showed, or that they showed none.",
        tls_malformed: "TLS handshakes that were not sound.",
        proxy_headers_refused: "Connections closed because no sound PROXY header came, in time and from a trusted proxy.",
        flows: "UDP flows begun.",
        flows_closed: "UDP flows ended.",
        flows_refused: "Datagrams dropped because there were as many flows as `udp.flows` allows.",
        datagrams_received: "Datagrams received from clients.",
        datagrams_sent: "Datagrams of servers sent to clients.",
        datagrams_dropped: "Datagrams, either way, that could not be passed on.",
        received_bytes: "Bytes of request bodies, connections and datagrams received from clients.",
        sent_bytes: "Bytes of response bodies, connections and datagrams sent to clients.",
    }
}

counters! {
    /// What a worker counts for a pool.
    PoolCounters, PoolTotals {
        exchanges: "Requests, TCP connections and UDP flows routed to the pool.",
        retries: "Requests sent again, after a failure, to a server of the pool.",
        retries_denied: "Retries that the budget did not allow.",
        queued: "Requests that waited for a server with room.",
        queue_full: "Requests answered with 503 because the queue was full.",
        queue_timeouts: "Requests answered with 503 because they waited too long.",
        unavailable: "Requests answered with 503 because no server could be chosen.",
    }
}

counters! {
    /// What a worker counts for a server.
    ServerCounters, ServerTotals {
        exchanges: "Requests, TCP connections and UDP flows sent to the server.",
        failures: "Exchanges in which the server failed: no connection, no answer, a broken answer.",
        connects: "Connections opened to the server.",
        reuses: "Exchanges on a connection that was kept from an earlier one.",
        responses_2xx: "Responses with a status of 200 to 299.",
        responses_3xx: "Responses with a status of 300 to 399.",
        responses_4xx: "Responses with a status of 400 to 499.",
        responses_5xx: "Responses with a status of 500 to 599.",
        sent_bytes: "Bytes of request bodies, connections and datagrams sent to the server.",
        received_bytes: "Bytes of response bodies, connections and datagrams received from the server.",
    }
}

counters! {
    /// What a worker counts about itself.
    WorkerCounters, WorkerTotals {
        accepted: "Client connections accepted by this worker.",
        handed_over: "Accepted connections handed to a worker with fewer sessions.",
        sessions: "Sessions this worker began.",
        sessions_closed: "Sessions this worker ended.",
        accept_errors: "Connections that could not be accepted.",
        sessions_shed: "Idle sessions closed to make room at the limit on sessions.",
        accept_pauses: "Times accepting paused because the limit on sessions was reached.",
        flows: "UDP flows this worker began.",
        flows_closed: "UDP flows this worker ended.",
        panics: "Sessions ended by a defect in Weir.",
    }
}

impl PerWorker<WorkerCounters> {
    /// One worker's own numbers.
    pub fn worker(&self, worker: usize) -> WorkerTotals {
        let block = &self.0[worker];
        WorkerTotals {
            accepted: block.accepted.get(),
            handed_over: block.handed_over.get(),
            sessions: block.sessions.get(),
            sessions_closed: block.sessions_closed.get(),
            accept_errors: block.accept_errors.get(),
            sessions_shed: block.sessions_shed.get(),
            accept_pauses: block.accept_pauses.get(),
            flows: block.flows.get(),
            flows_closed: block.flows_closed.get(),
            panics: block.panics.get(),
        }
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.0.len()
    }
}
