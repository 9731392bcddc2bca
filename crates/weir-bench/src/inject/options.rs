//! What a load is to be: where to, how many at once or how many a second, over what, for how long.
//!
//! These are plain values, the same on the command line, in a scenario file and in the JSON of results. Whether this
//! machine can do it is [`limits`](super::limits)' to say; nothing here looks at the machine.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::target::Target;

/// The most requests of a kind that an option may name, connections at once or requests a second.
pub const COUNT_MAX: u32 = 1_000_000;

/// The most threads.
pub const THREADS_MAX: usize = 256;

/// The most streams at once on a connection of HTTP/2.
pub const STREAMS_MAX: u32 = 1000;

/// The longest of any span of time.
pub const SPAN_MAX: Duration = Duration::from_secs(24 * 3600);

/// A load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// What is asked for, one after the other; never empty, and all of one scheme, host and port.
    pub targets: Vec<Target>,
    /// How many requests come.
    pub mode: Mode,
    /// How many requests a connection carries.
    #[serde(default)]
    pub reuse: Reuse,
    /// What is spoken.
    #[serde(default)]
    pub version: Version,
    /// Requests at once on each connection; more than one only with HTTP/2.
    #[serde(default = "one")]
    pub streams: u32,
    /// Fields that every request carries besides what is needed.
    #[serde(default)]
    pub fields: Vec<(String, String)>,
    /// The time in which users, or the rate, grow from nothing to all; not measured.
    #[serde(default, with = "milliseconds", rename = "ramp_up_ms")]
    pub ramp_up: Duration,
    /// The time of full load that is not measured yet.
    #[serde(default, with = "milliseconds", rename = "warm_up_ms")]
    pub warm_up: Duration,
    /// The time that is measured.
    #[serde(with = "milliseconds", rename = "duration_ms")]
    pub duration: Duration,
    /// Stop after so many requests, warm-up included, even if the time is not over.
    #[serde(default)]
    pub requests_max: Option<u64>,
    /// Threads, 1 to [`THREADS_MAX`]; none is one on each core that this process may use.
    #[serde(default)]
    pub threads: Option<usize>,
    /// Addresses to come from, in turn; with none, the system chooses.
    #[serde(default)]
    pub sources: Vec<IpAddr>,
    /// How long a connection, its handshake, and the answer to a request may take, each.
    #[serde(default = "usual_timeout", with = "milliseconds", rename = "timeout_ms")]
    pub timeout: Duration,
    /// Which statuses are answers; any other is an error of its own kind.
    #[serde(default)]
    pub expect: Expected,
    /// How connections end that this side ends.
    #[serde(default)]
    pub ending: Ending,
    /// TLS, where the targets are `https`.
    #[serde(default)]
    pub tls: Tls,
    /// Where the origin behind the target tells what it has done, the URL of its `/stats`; asked before and after.
    #[serde(default)]
    pub origin_stats: Option<Target>,
}

impl Options {
    /// A load of this kind on this target for this time, and every other value at its default.
    pub fn new(target: Target, mode: Mode, duration: Duration) -> Self {
        Self {
            targets: vec![target],
            mode,
            reuse: Reuse::default(),
            version: Version::default(),
            streams: one(),
            fields: Vec::new(),
            ramp_up: Duration::ZERO,
            warm_up: Duration::ZERO,
            duration,
            requests_max: None,
            threads: None,
            sources: Vec::new(),
            timeout: usual_timeout(),
            expect: Expected::default(),
            ending: Ending::default(),
            tls: Tls::default(),
            origin_stats: None,
        }
    }

    /// The most connections at once.
    pub fn connections_max(&self) -> u32 {
        match self.mode {
            Mode::Closed { users } => users,
            Mode::Open { users_max, .. } => users_max,
        }
        .div_ceil(self.streams.max(1))
    }
}

/// How many requests come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Mode {
    /// A closed loop: so many users, each of whom asks again when he has his answer.
    Closed {
        /// How many.
        users: u32,
    },
    /// An open loop: requests come at a rate, whatever the answers do. Latencies are from when a request was to
    /// come, not from when there was a connection for it.
    Open {
        /// Requests a second.
        rate: f64,
        /// The most requests at once; those that find no place wait, and their waiting is part of their latency.
        users_max: u32,
    },
}

/// How many requests a connection carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reuse {
    /// One, and the request says so.
    Close,
    /// As many as the target lets it.
    #[default]
    KeepAlive,
    /// So many at most, of which the last says so.
    Requests(u32),
}

/// What is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Version {
    /// HTTP/1.0; a kept connection is asked for with `Connection: keep-alive`.
    #[serde(rename = "1.0")]
    Http10,
    /// HTTP/1.1.
    #[default]
    #[serde(rename = "1.1")]
    Http11,
    /// HTTP/2: in TLS by ALPN, else known beforehand.
    #[serde(rename = "2")]
    Http2,
}

/// Statuses that are answers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The lowest.
    pub from: u16,
    /// The highest.
    pub to: u16,
}

impl Default for Expected {
    /// 200 to 399.
    fn default() -> Self {
        Self { from: 200, to: 399 }
    }
}

impl Expected {
    /// Whether this status is an answer.
    pub fn holds(self, status: u16) -> bool {
        (self.from..=self.to).contains(&status)
    }
}

/// How connections end that this side ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With a FIN, as clients do. Of one request a connection it is the target that ends it, and this side waits.
    #[default]
    Fin,
    /// With a RST, which leaves nothing in TIME_WAIT. It is not what clients do, and not what a target is used to.
    Reset,
}

/// TLS towards the target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificates in PEM to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// Trust any certificate.
    pub insecure: bool,
    /// The name to ask for and to verify, instead of the URL's host.
    pub server_name: Option<String>,
    /// Resume sessions with tickets. Without it every connection has a full handshake.
    pub resume: bool,
    /// What is offered.
    pub offer: Offer,
}

/// What is offered in TLS. Targets that prefer different things are compared by an offer that leaves them no choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// What the library offers: TLS 1.2 and 1.3, X25519MLKEM768 first.
    #[default]
    Usual,
    /// TLS 1.3 with TLS_AES_128_GCM_SHA256 and X25519 alone.
    X25519,
    /// The same with X25519MLKEM768.
    Hybrid,
}

fn one() -> u32 {
    1
}

fn usual_timeout() -> Duration {
    Duration::from_secs(10)
}

/// A span of time as a whole number of milliseconds.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_back_as_they_were_written() {
        let target = "https://bench.example:8443/?s=64k".parse().unwrap();
        let mut options =
            Options::new(target, Mode::Open { rate: 1500.5, users_max: 7 }, Duration::from_millis(1250));
        options.reuse = Reuse::Requests(10);
        options.version = Version::Http10;
        options.sources = vec!["127.0.0.2".parse().unwrap(), "::1".parse().unwrap()];
        options.fields = vec![("x-a".into(), "b".into())];
        options.tls.ca = Some("ca.pem".into());
        let text = serde_json::to_string(&options).unwrap();
        assert_eq!(serde_json::from_str::<Options>(&text).unwrap(), options, "{text}");
    }

    #[test]
    fn little_has_to_be_written() {
        let text = r#"{"targets": ["http://h/"], "mode": {"closed": {"users": 8}}, "reuse": "close", "duration_ms": 1000}"#;
        let options: Options = serde_json::from_str(text).unwrap();
        assert_eq!((options.reuse, options.version, options.streams), (Reuse::Close, Version::Http11, 1));
        assert_eq!((options.timeout, options.duration), (usual_timeout(), Duration::from_secs(1)));
        assert!(serde_json::from_str::<Options>(&text.replace("reuse", "reusse")).is_err());
    }

    #[test]
    fn streams_share_connections() {
        let target: Target = "http://h/".parse().unwrap();
        let mut options = Options::new(target, Mode::Closed { users: 21 }, Duration::from_secs(1));
        assert_eq!(options.connections_max(), 21);
        options.streams = 10;
        assert_eq!(options.connections_max(), 3);
    }
}
