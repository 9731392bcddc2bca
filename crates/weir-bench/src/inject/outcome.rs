//! What came of a load: counts, rates, latencies, what went wrong by kind, and whether the figures say something
//! about the target at all. It is the JSON that `weir bench inject --json` writes.
//!
//! Only answers that were whole and as expected are in `responses` and in the latencies; whatever else became of a
//! request is an error of one kind. `measured` is of the time that was to be measured, `total` of everything that was
//! sent, which is what a target's own counters can be compared with.

use serde::{Deserialize, Serialize};

use super::options::Options;

/// What `schema` says in the JSON.
pub const SCHEMA: &str = "weir-bench-inject";

/// The version of that; it grows with every change that a reader has to know of.
pub const VERSION: u32 = 1;

/// What came of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// The load.
    pub options: Options,
    /// The address that was connected to.
    pub address: String,
    /// When it began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The measured time in seconds; less than asked for where the run was broken off or had its number of requests.
    pub measured_seconds: f64,
    /// Whether it was broken off.
    pub is_broken_off: bool,
    /// The measured time.
    pub measured: Counts,
    /// Everything, from the first connection to the last answer.
    pub total: Counts,
    /// Of the measured time.
    pub rates: Rates,
    /// Of requests: from when it was sent, or was to be sent at a rate, to the answer's last byte. For one request a
    /// connection it includes connecting.
    pub latency: Latency,
    /// Of connections: until there is one, with TLS until its handshake is done.
    pub connecting: Latency,
    /// What it cost this side, in the measured time.
    pub cpu: Cpu,
    /// What the origin says of the measured time, if it was asked.
    pub origin: Option<OriginUse>,
    /// What kept the figures from being higher.
    pub limit: Limit,
    /// What a reader has to know, in words; the first says what the limit was.
    pub notes: Vec<String>,
    /// The measured time second by second.
    pub seconds: Vec<Second>,
}

/// Counts of one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Connections that came to be, with TLS those whose handshake is done.
    pub connections: u64,
    /// Requests of which the last byte was given to the system.
    pub requests: u64,
    /// Answers, whole and with an expected status.
    pub responses: u64,
    /// Bytes received: heads and bodies, without TLS and what is below.
    pub bytes_received: u64,
    /// Of these, bodies of answers.
    pub body_bytes: u64,
    /// Bytes sent, in the same way.
    pub bytes_sent: u64,
    /// Requests at a rate that had not been sent when the time was over.
    pub unsent: u64,
    /// What went wrong.
    pub errors: Errors,
}

impl Counts {
    /// Adds what another span of time, or another thread, has counted.
    pub fn add(&mut self, other: &Self) {
        self.connections += other.connections;
        self.requests += other.requests;
        self.responses += other.responses;
        self.bytes_received += other.bytes_received;
        self.body_bytes += other.body_bytes;
        self.bytes_sent += other.bytes_sent;
        self.unsent += other.unsent;
        for kind in ErrorKind::ALL {
            *self.errors.of_mut(kind) += other.errors.of(kind);
        }
    }
}

/// A way in which a connection or a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The target refused the connection.
    ConnectRefused,
    /// No connection within the timeout.
    ConnectTimeout,
    /// The connection was reset before it was one.
    ConnectReset,
    /// No way to the target: host or network unreachable.
    Unreachable,
    /// No port left to come from.
    PortsExhausted,
    /// No file descriptor, or no memory for a socket, left.
    FilesExhausted,
    /// The handshake of TLS failed, or took longer than the timeout.
    Tls,
    /// The connection was reset, or ended, before the first byte of the answer.
    NoAnswer,
    /// The connection was reset within an answer.
    Reset,
    /// The connection ended within an answer: fewer bytes than announced.
    Short,
    /// A whole answer with a status that isn't expected.
    Status,
    /// No whole answer within the timeout.
    Timeout,
    /// Something that isn't HTTP, or not as its standard has it.
    Protocol,
}

impl ErrorKind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 13] = [
        Self::ConnectRefused,
        Self::ConnectTimeout,
        Self::ConnectReset,
        Self::Unreachable,
        Self::PortsExhausted,
        Self::FilesExhausted,
        Self::Tls,
        Self::NoAnswer,
        Self::Reset,
        Self::Short,
        Self::Status,
        Self::Timeout,
        Self::Protocol,
    ];

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::ConnectRefused => "connection refused",
            Self::ConnectTimeout => "no connection in time",
            Self::ConnectReset => "connection reset while connecting",
            Self::Unreachable => "unreachable",
            Self::PortsExhausted => "no port left",
            Self::FilesExhausted => "no file descriptor left",
            Self::Tls => "TLS",
            Self::NoAnswer => "ended before the answer",
            Self::Reset => "reset within the answer",
            Self::Short => "answer too short",
            Self::Status => "wrong status",
            Self::Timeout => "no answer in time",
            Self::Protocol => "not HTTP",
        }
    }
}

/// How many times what went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "each is the kind of its name")]
pub struct Errors {
    pub connect_refused: u64,
    pub connect_timeout: u64,
    pub connect_reset: u64,
    pub unreachable: u64,
    pub ports_exhausted: u64,
    pub files_exhausted: u64,
    pub tls: u64,
    pub no_answer: u64,
    pub reset: u64,
    pub short: u64,
    pub status: u64,
    pub timeout: u64,
    pub protocol: u64,
}

impl Errors {
    /// How many of one kind.
    pub fn of(&self, kind: ErrorKind) -> u64 {
        let mut copy = *self;
        *copy.of_mut(kind)
    }

    /// The count of one kind.
    pub fn of_mut(&mut self, kind: ErrorKind) -> &mut u64 {
        match kind {
            ErrorKind::ConnectRefused => &mut self.connect_refused,
            ErrorKind::ConnectTimeout => &mut self.connect_timeout,
            ErrorKind::ConnectReset => &mut self.connect_reset,
            ErrorKind::Unreachable => &mut self.unreachable,
            ErrorKind::PortsExhausted => &mut self.ports_exhausted,
            ErrorKind::FilesExhausted => &mut self.files_exhausted,
            ErrorKind::Tls => &mut self.tls,
            ErrorKind::NoAnswer => &mut self.no_answer,
            ErrorKind::Reset => &mut self.reset,
            ErrorKind::Short => &mut self.short,
            ErrorKind::Status => &mut self.status,
            ErrorKind::Timeout => &mut self.timeout,
            ErrorKind::Protocol => &mut self.protocol,
        }
    }

    /// All of them.
    pub fn sum(&self) -> u64 {
        ErrorKind::ALL.iter().map(|&kind| self.of(kind)).sum()
    }

    /// In words, such as `3 connection refused, 12 wrong status`; empty if nothing went wrong.
    pub fn describe(&self) -> String {
        let said = ErrorKind::ALL.iter().filter(|&&kind| self.of(kind) > 0);
        said.map(|&kind| format!("{} {}", self.of(kind), kind.words())).collect::<Vec<_>>().join(", ")
    }
}

/// What the counts are in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// Connections.
    pub connections_per_second: f64,
    /// Answers.
    pub responses_per_second: f64,
    /// Bits received, heads and bodies.
    pub bits_per_second: f64,
    /// Bits of bodies received.
    pub body_bits_per_second: f64,
    /// Errors.
    pub errors_per_second: f64,
}

impl Rates {
    /// Those of so many seconds; all 0 of none.
    pub fn of(counts: &Counts, seconds: f64) -> Self {
        let rate = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            connections_per_second: rate(counts.connections),
            responses_per_second: rate(counts.responses),
            bits_per_second: 8.0 * rate(counts.bytes_received),
            body_bits_per_second: 8.0 * rate(counts.body_bytes),
            errors_per_second: rate(counts.errors.sum()),
        }
    }
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// How many there are.
    pub count: u64,
    /// The least.
    pub min_us: f64,
    /// Their mean.
    pub mean_us: f64,
    /// Half are no longer.
    pub p50_us: f64,
    /// 75 of 100 are no longer.
    pub p75_us: f64,
    /// 90 of 100.
    pub p90_us: f64,
    /// 95 of 100.
    pub p95_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1000.
    pub p999_us: f64,
    /// 9999 of 10,000.
    pub p9999_us: f64,
    /// The longest.
    pub max_us: f64,
    /// Every value that occurred, ascending, with three digits: nanoseconds and how many times.
    pub histogram: Vec<(u64, u64)>,
}

/// The processor time of this side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Threads that made load.
    pub threads: usize,
    /// What they used of a processor each, on average, from 0 to 1.
    pub busy: f64,
    /// What the busiest used.
    pub busiest: f64,
    /// How long they waited for a processor that somebody else had, on average, from 0 to 1.
    pub waiting: f64,
    /// Microseconds for an answer.
    pub us_per_response: f64,
}

/// What the origin counted in the measured time. Its counters are read just before and just after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OriginUse {
    /// Its threads.
    pub threads: usize,
    /// Connections that it accepted.
    pub connections: u64,
    /// Requests that it answered.
    pub requests: u64,
    /// Bytes that it sent.
    pub bytes_sent: u64,
    /// What its threads used of a processor each, on average, from 0 to 1.
    pub busy: f64,
    /// What the busiest used.
    pub busiest: f64,
    /// How long they waited for a processor that somebody else had, on average, from 0 to 1.
    pub waiting: f64,
}

/// What kept the figures from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Nothing on this side and nothing known of the origin: what was measured is the target.
    Target,
    /// The rate that was asked for was reached: the latencies are the result.
    Rate,
    /// This side's processors: the figures are of the injector, not of the target.
    Injector,
    /// This side did not get its processors, because something else ran there: the figures are of neither.
    Starved,
    /// The origin's processors: the figures are of the origin, not of what is before it.
    Origin,
    /// Most requests failed: the figures say nothing.
    Errors,
    /// Too little was measured to tell: nothing was answered.
    Unknown,
}

impl Limit {
    /// Whether the figures say something about the target.
    pub fn is_meaningful(self) -> bool {
        match self {
            Self::Target | Self::Rate => true,
            Self::Injector | Self::Starved | Self::Origin | Self::Errors | Self::Unknown => false,
        }
    }
}

/// One second of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// What it is a part of.
    pub phase: Phase,
    /// Its end, in seconds since the start of the run.
    pub at_seconds: f64,
    /// How long it was, in seconds.
    pub seconds: f64,
    /// What was counted in it.
    pub counts: Counts,
    /// Half of the latencies in it are no longer, in microseconds.
    pub p50_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The load grows.
    RampUp,
    /// Full load, not measured.
    WarmUp,
    /// Measured.
    #[default]
    Measured,
    /// No new requests; what is under way is waited for.
    Drain,
}

impl Phase {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::RampUp => "ramp-up",
            Self::WarmUp => "warm-up",
            Self::Measured => "measured",
            Self::Drain => "ending",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_count_of_its_own() {
        let mut errors = Errors::default();
        for (at, kind) in ErrorKind::ALL.into_iter().enumerate() {
            *errors.of_mut(kind) += 1 << at;
        }
        assert_eq!(errors.sum(), (1 << ErrorKind::ALL.len()) - 1);
        for (at, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(errors.of(kind), 1 << at);
        }
        let two = Errors { connect_refused: 3, status: 12, ..Errors::default() };
        assert_eq!(two.describe(), "3 connection refused, 12 wrong status");
        assert_eq!(Errors::default().describe(), "");
    }

    #[test]
    fn counts_add_up_and_rates_are_of_a_second() {
        let mut sum = Counts { connections: 1, responses: 10, bytes_received: 1000, ..Counts::default() };
        let errors = Errors { short: 2, ..Errors::default() };
        sum.add(&Counts { responses: 10, body_bytes: 500, errors, unsent: 3, ..Counts::default() });
        assert_eq!((sum.connections, sum.responses, sum.unsent, sum.errors.short), (1, 20, 3, 2));
        let rates = Rates::of(&sum, 2.0);
        assert_eq!((rates.responses_per_second, rates.bits_per_second), (10.0, 4000.0));
        assert_eq!((rates.body_bits_per_second, rates.errors_per_second), (2000.0, 1.0));
        assert_eq!(Rates::of(&sum, 0.0), Rates::default());
    }
}
