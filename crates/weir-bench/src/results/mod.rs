//! What a benchmark found out, in one JSON file: the scenario, each target's environment, and every measurement.
//!
//! [`file`] reads and writes it. The figures are as they were measured, one round each; whatever is computed of several
//! (medians, losses, findings) is the report's to do, so that an old file gains by a new report.

pub mod environment;
pub mod file;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use environment::{Card, Environment};

use crate::inject::outcome::{Errors, Limit, Outcome};

/// What `schema` says in the JSON.
pub const SCHEMA: &str = "weir-bench-results";

/// The version of that; it grows with every change that a reader has to know of.
pub const VERSION: u32 = 1;

/// Everything that is known of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: String,
    /// [`VERSION`].
    pub version: u32,
    /// When it began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// What was to be measured.
    pub scenario: Scenario,
    /// The machine that made the load.
    pub injector: Environment,
    /// What is known of each target, in the scenario's order. A target that was never reached has an empty environment.
    pub targets: Vec<Target>,
    /// In the order in which they were made.
    pub measurements: Vec<Measurement>,
    /// How long work without a network took on each target; see [`Work`].
    #[serde(default)]
    pub work: Vec<Work>,
    /// What could not be measured, and why.
    #[serde(default)]
    pub failures: Vec<Failure>,
}

/// What was to be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// A line for a reader.
    pub title: String,
    /// Bytes of the objects that are asked for, ascending.
    pub sizes: Vec<u64>,
    /// How connections are used.
    pub modes: Vec<Mode>,
    /// How many times each is measured on each target.
    pub rounds: u32,
    /// How long a measurement takes.
    pub duration_ms: u64,
    /// How long the load lasts before it counts.
    pub warm_up_ms: u64,
    /// Connections at once.
    pub users: u32,
    /// The target that the others are compared with: the same without a hypervisor.
    #[serde(default)]
    pub native: Option<String>,
    /// The virtual machine that the others are compared with.
    #[serde(default)]
    pub relative_to: Option<String>,
    /// What the targets are.
    #[serde(default)]
    pub compares: Compared,
    /// Name and URL of each target, in the file's order.
    pub targets: Vec<Aim>,
}

/// In what the targets of a scenario differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    /// The same program, natively and in virtual machines.
    #[default]
    Machines,
    /// Programs on the same machine.
    Programs,
}

/// A target as the scenario names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Its name.
    pub name: String,
    /// Where it listens.
    pub url: String,
}

/// How connections are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// HTTP/1.0, one request a connection.
    Close,
    /// HTTP/1.1, each user keeps his connection.
    KeepAlive,
    /// HTTP/2, each user has a connection.
    Http2,
}

impl Mode {
    /// All, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Close, Self::KeepAlive, Self::Http2];

    /// Its word in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::KeepAlive => "keep_alive",
            Self::Http2 => "http2",
        }
    }

    /// What a title says.
    pub fn words(self) -> &'static str {
        match self {
            Self::Close => "one request a connection",
            Self::KeepAlive => "kept connections",
            Self::Http2 => "HTTP/2",
        }
    }

    /// What is counted in a second.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Close => "connections",
            Self::KeepAlive | Self::Http2 => "requests",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// What is known of a target.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Target {
    /// Its name in the scenario.
    pub name: String,
    /// A line about it, in the words of the scenario's author.
    #[serde(default)]
    pub about: Option<String>,
    /// Its network card, where the scenario says so; else the environment's first.
    #[serde(default)]
    pub card: Option<String>,
    /// What it said of itself.
    #[serde(default)]
    pub environment: Environment,
}

/// One load on one target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// On which target.
    pub target: String,
    /// How.
    pub mode: Mode,
    /// Bytes of the objects.
    pub size: u64,
    /// In which round, from 0.
    pub round: u32,
    /// When it began, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// How long it lasted.
    pub seconds: f64,
    /// Connections that came to be.
    pub connections_per_second: f64,
    /// Whole answers, as expected.
    pub requests_per_second: f64,
    /// Received by the clients, heads and bodies, without what is below TLS or TCP.
    pub bits_per_second: f64,
    /// Of the answers.
    pub latency: Latency,
    /// Answers that counted.
    pub responses: u64,
    /// What went wrong, by kind.
    pub errors: Errors,
    /// Processor time within the target's machine.
    #[serde(default)]
    pub guest: Option<CpuUse>,
    /// Processor time that the host spent on the target's machine, the guest's included.
    #[serde(default)]
    pub host: Option<CpuUse>,
    /// What the injector's threads used of a processor each, from 0 to 1.
    pub injector_busy: f64,
    /// What the origin's used, where it was asked.
    #[serde(default)]
    pub origin_busy: Option<f64>,
    /// What kept the figures from being higher.
    pub limit: Limit,
    /// What a reader has to know, in words.
    #[serde(default)]
    pub notes: Vec<String>,
}

impl Measurement {
    /// What a load on `target` found out; whoever knows it adds the processor time.
    pub fn of(target: &str, round: u32, mode: Mode, size: u64, outcome: &Outcome) -> Self {
        let latency = &outcome.latency;
        Self {
            target: target.into(),
            mode,
            size,
            round,
            started_unix_ms: outcome.started_unix_ms,
            seconds: outcome.measured_seconds,
            connections_per_second: outcome.rates.connections_per_second,
            requests_per_second: outcome.rates.responses_per_second,
            bits_per_second: outcome.rates.bits_per_second,
            latency: Latency {
                p50_us: latency.p50_us,
                p90_us: latency.p90_us,
                p99_us: latency.p99_us,
                p999_us: latency.p999_us,
                max_us: latency.max_us,
            },
            responses: outcome.measured.responses,
            errors: outcome.measured.errors,
            guest: None,
            host: None,
            injector_busy: outcome.cpu.busy,
            origin_busy: outcome.origin.map(|origin| origin.busy),
            limit: outcome.limit,
            notes: outcome.notes.clone(),
        }
    }
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half are no longer.
    pub p50_us: f64,
    /// 90 of 100.
    pub p90_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// 999 of 1000.
    pub p999_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// Processor time of a whole load, warm-up included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuUse {
    /// Seconds of one processor.
    pub seconds: f64,
    /// Requests that were answered in that time.
    pub requests: u64,
    /// What was counted.
    pub of: CpuOf,
}

impl CpuUse {
    /// Microseconds for one request; none where there was none.
    pub fn us_per_request(self) -> Option<f64> {
        (self.requests > 0).then(|| self.seconds * 1e6 / self.requests as f64)
    }
}

/// Whose processor time it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuOf {
    /// All processors of a machine, whatever kept them busy.
    Machine,
    /// One process with its threads; interrupts that came for it are not all among them.
    #[default]
    Process,
    /// A control group.
    Group,
}

/// How long the same work without a network took: the target judged one small configuration whose regular expressions
/// are long to compile. On an emulated processor this tells the processor's share in a loss from the card's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WorkTime {
    /// Milliseconds, the answer to a request for no work subtracted.
    pub milliseconds: f64,
}

/// One round of [`WorkTime`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// On which target.
    pub target: String,
    /// In which round, from 0.
    pub round: u32,
    /// How long.
    #[serde(flatten)]
    pub time: WorkTime,
}

/// Something that could not be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// On which target.
    pub target: String,
    /// In which round, from 0.
    pub round: u32,
    /// In words.
    pub why: String,
}

impl Results {
    /// Of a run that begins now.
    pub fn new(scenario: Scenario, targets: Vec<Target>, injector: Environment, now_unix_ms: u64) -> Self {
        Self {
            schema: SCHEMA.into(),
            version: VERSION,
            started_unix_ms: now_unix_ms,
            scenario,
            injector,
            targets,
            measurements: Vec::new(),
            work: Vec::new(),
            failures: Vec::new(),
        }
    }

    /// What is known of the target of this name.
    pub fn target_mut(&mut self, name: &str) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.name == name)
    }
}

impl Scenario {
    /// What makes measurements of `self` and `other` incomparable, in words; none where one can be continued as the
    /// other. More rounds of the same is the same.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let names = |scenario: &Self| scenario.targets.iter().map(|aim| aim.name.clone()).collect::<Vec<_>>();
        let moved = self.targets.iter().zip(&other.targets).find(|(one, two)| one.url != two.url);
        let checks = [
            (self.sizes != other.sizes, "other `sizes`".to_owned()),
            (self.modes != other.modes, "other `modes`".to_owned()),
            (self.users != other.users, format!("{} `users` instead of {}", self.users, other.users)),
            (self.duration_ms != other.duration_ms, "another `duration`".to_owned()),
            (self.warm_up_ms != other.warm_up_ms, "another `warm_up`".to_owned()),
            (names(self) != names(other), "other `targets`".to_owned()),
            (moved.is_some(), format!("another `url` for {}", moved.map_or("", |(one, _)| &one.name))),
        ];
        let found: Vec<String> = checks.into_iter().filter_map(|(is, words)| is.then_some(words)).collect();
        (!found.is_empty()).then(|| found.join(", "))
    }
}
