//! Snapshots and statuses as the API shows them. These shapes are the API: fields are added, never renamed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use weir_config::health::ProbeResult;
use weir_config::model::{Balance, Name};
use weir_proxy::Phase;
use weir_proxy::access_log::{Counts, rfc3339};
use weir_proxy::snapshot::{Listener, OperatorState, Pool, Server, Snapshot};
use weir_proxy::stats::Row;

use crate::operator::Operator;
use crate::reloads::Reloads;

/// `/api/v1/stats`.
pub(crate) struct StatsView<'a> {
    operator: &'a Operator,
    snapshot: Arc<Snapshot>,
}

impl<'a> StatsView<'a> {
    pub(crate) fn of(operator: &'a Operator) -> Self {
        Self { operator, snapshot: operator.proxy().snapshot() }
    }
}

impl Serialize for StatsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { operator, snapshot } = self;
        let proxy = operator.proxy();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("version", env!("CARGO_PKG_VERSION"))?;
        map.serialize_entry("generation", &snapshot.generation)?;
        map.serialize_entry("phase", phase_word(proxy.phase()))?;
        map.serialize_entry("uptime_seconds", &operator.started.0.elapsed().as_secs())?;
        map.serialize_entry("last_reload", &LastReload::of(&operator.reloads()))?;
        map.serialize_entry("sessions_limit", &proxy.sessions_max())?;
        map.serialize_entry("workers", &Workers(operator))?;
        map.serialize_entry("listeners", &Listeners { operator, listeners: &snapshot.listeners })?;
        map.serialize_entry("pools", &PoolsView(&snapshot.pools))?;
        map.serialize_entry("access_log", &AccessLogView::of(proxy.access_log()))?;
        map.end()
    }
}

#[derive(Serialize)]
struct LastReload {
    succeeded: bool,
    at: Time,
    error: Option<String>,
    reloads_succeeded: u64,
    reloads_failed: u64,
}

impl LastReload {
    fn of(reloads: &Reloads) -> Self {
        Self {
            succeeded: reloads.error.is_none(),
            at: Time(reloads.at),
            error: reloads.error.clone(),
            reloads_succeeded: reloads.succeeded,
            reloads_failed: reloads.failed,
        }
    }
}

#[derive(Serialize)]
struct AccessLogView {
    lines: u64,
    dropped: u64,
    failed: u64,
    write_errors: u64,
}

impl AccessLogView {
    fn of(Counts { lines, dropped, failed, write_errors }: Counts) -> Self {
        Self { lines, dropped, failed, write_errors }
    }
}

#[derive(Serialize)]
struct WorkerView {
    worker: usize,
    sessions_open: u64,
    counters: Counters,
}

struct Workers<'a>(&'a Operator);

impl Serialize for Workers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let workers = self.0.proxy().workers();
        serializer.collect_seq((0..workers.workers()).map(|worker| {
            let totals = workers.worker(worker);
            let sessions_open = totals.sessions.saturating_sub(totals.sessions_closed);
            WorkerView { worker, sessions_open, counters: Counters(totals.rows()) }
        }))
    }
}

#[derive(Serialize)]
struct ListenerView<'a> {
    bind: Vec<&'a SocketAddr>,
    sessions_open: u64,
    flows_open: u64,
    counters: Counters,
}

struct Listeners<'a> {
    operator: &'a Operator,
    listeners: &'a [Arc<Listener>],
}

impl Serialize for Listeners<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bound = self.operator.proxy().bound();
        serializer.collect_map(self.listeners.iter().map(|listener| {
            let name = &*listener.config.name;
            let bind = bound.iter().filter(|(owner, _)| owner == name).map(|(_, address)| address).collect();
            let totals = listener.status.counters.totals();
            let sessions_open = totals.sessions.saturating_sub(totals.sessions_closed);
            let flows_open = totals.flows.saturating_sub(totals.flows_closed);
            (name, ListenerView { bind, sessions_open, flows_open, counters: Counters(totals.rows()) })
        }))
    }
}

/// Pools by name.
pub(crate) struct PoolsView<'a>(pub(crate) &'a [Arc<Pool>]);

impl Serialize for PoolsView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|pool| (&*pool.config.name, PoolView(pool))))
    }
}

/// A pool.
pub(crate) struct PoolView<'a>(pub(crate) &'a Pool);

impl Serialize for PoolView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Pool { config, servers, status, .. } = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("balance", balance_word(&config.balance))?;
        map.serialize_entry("queue_length", &status.queue_length())?;
        map.serialize_entry("counters", &Counters(status.counters.totals().rows()))?;
        map.serialize_entry("servers", &Servers(servers))?;
        map.end()
    }
}

struct Servers<'a>(&'a [Arc<Server>]);

impl Serialize for Servers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|server| (&*server.name, ServerView(server))))
    }
}

/// A server.
pub(crate) struct ServerView<'a>(pub(crate) &'a Server);

impl Serialize for ServerView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Server { name, address, config, status, .. } = self.0;
        let report = status.report();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry::<_, Name>("name", name)?;
        map.serialize_entry("address", &Shown(&config.address))?;
        map.serialize_entry("resolved", address)?;
        map.serialize_entry("weight", &report.weight)?;
        map.serialize_entry("state", state_word(report.state))?;
        map.serialize_entry("health", report.health.as_str())?;
        map.serialize_entry("ejected", &report.ejected)?;
        map.serialize_entry("backup", &config.backup)?;
        map.serialize_entry("in_flight", &status.in_flight())?;
        map.serialize_entry("since", &Time(report.since))?;
        map.serialize_entry("last_check", &report.last_check.as_ref().map(CheckView))?;
        map.serialize_entry("counters", &Counters(status.counters.totals().rows()))?;
        map.end()
    }
}

/// The last probe of a server.
struct CheckView<'a>(&'a ProbeResult);

impl Serialize for CheckView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ProbeResult { outcome, took, ended } = self.0;
        let mut map = serializer.serialize_map(Some(4))?;
        map.serialize_entry("at", &Time(*ended))?;
        map.serialize_entry("passed", &outcome.is_ok())?;
        map.serialize_entry("detail", &check_detail(self.0))?;
        map.serialize_entry("duration_ms", &millis(*took))?;
        map.end()
    }
}

/// What a probe found, in a few words.
pub(crate) fn check_detail(result: &ProbeResult) -> String {
    match &result.outcome {
        Ok(passed) => passed
            .status
            .map_or_else(|| "connected".to_owned(), |status| format!("status {}", status.as_u16())),
        Err(error) => error.to_string(),
    }
}

/// Milliseconds, to the microsecond.
fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

/// Counters by name, in the order of their table.
pub(crate) struct Counters(pub(crate) Vec<Row>);

impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|row| (row.name, row.value)))
    }
}

struct Time(SystemTime);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&rfc3339(self.0))
    }
}

struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Every state with its word.
pub(crate) const STATES: [(OperatorState, &str); 3] = [
    (OperatorState::Ready, "ready"),
    (OperatorState::Drain, "drain"),
    (OperatorState::Maintenance, "maintenance"),
];

/// The word for what an operator wants of a server.
pub(crate) fn state_word(state: OperatorState) -> &'static str {
    match state {
        OperatorState::Ready => "ready",
        OperatorState::Drain => "drain",
        OperatorState::Maintenance => "maintenance",
    }
}

/// The word for where the process stands.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Serving => "serving",
        Phase::Draining => "draining",
    }
}

/// The word for a balancer, as in the configuration file.
pub(crate) fn balance_word(balance: &Balance) -> &'static str {
    match balance {
        Balance::RoundRobin => "round_robin",
        Balance::LeastConnections => "least_connections",
        Balance::RandomTwo => "random_two",
        Balance::SourceHash => "source_hash",
        Balance::UriHash => "uri_hash",
        Balance::HeaderHash(_) => "header_hash",
        Balance::First => "first",
    }
}
