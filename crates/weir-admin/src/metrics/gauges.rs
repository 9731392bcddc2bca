//! The tables of gauges, and of what else is not in the tables of counters. A new one is a line here.

use std::sync::Arc;

use weir_config::health::Health;
use weir_proxy::Phase;
use weir_proxy::snapshot::PoolStatus;
use weir_proxy::stats::{HistogramTotals, ListenerTotals, WorkerTotals};

use super::text::Text;
use super::{ProcessNow, Sample, ServerNow, seconds};
use crate::view::{STATES, state_word};

/// A metric that is read when it is asked for.
pub(super) struct Gauge<T> {
    name: &'static str,
    /// `gauge` or `counter`.
    kind: &'static str,
    help: &'static str,
    value: Value<T>,
}

enum Value<T> {
    /// A number, if there is one.
    Number(fn(&T) -> Option<f64>),
    /// One series for each word, 1 for the one that holds now and 0 for the others.
    OneOf { label: &'static str, words: &'static [&'static str], now: fn(&T) -> &'static str },
}

const fn gauge<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<f64>) -> Gauge<T> {
    Gauge { name, kind: "gauge", help, value: Value::Number(value) }
}

const fn counter<T>(name: &'static str, help: &'static str, value: fn(&T) -> Option<f64>) -> Gauge<T> {
    Gauge { name, kind: "counter", help, value: Value::Number(value) }
}

pub(super) const PROCESS: &[Gauge<ProcessNow>] = &[
    gauge("weir_config_generation", "The generation of the configuration in force.", |now| {
        Some(now.generation as f64)
    }),
    gauge(
        "weir_config_last_reload_success",
        "Whether the last reload took effect (1) or was refused (0).",
        |now| Some(f64::from(u8::from(now.reloads.error.is_none()))),
    ),
    gauge(
        "weir_config_last_reload_timestamp_seconds",
        "When the last reload, or the start, was done.",
        |now| Some(seconds(now.reloads.at)),
    ),
    gauge("weir_ready", "Whether every listener is bound and serving.", |now| {
        Some(f64::from(u8::from(now.phase == Phase::Serving)))
    }),
    gauge("weir_sessions_limit", "The most client connections at once.", |now| Some(now.sessions_max as f64)),
    counter("weir_access_log_lines_total", "Lines of the access log, written or under way.", |now| {
        Some(now.log.lines as f64)
    }),
    counter("weir_access_log_dropped_total", "Lines dropped because the writer was behind.", |now| {
        Some(now.log.dropped as f64)
    }),
    counter("weir_access_log_failed_total", "Lines lost because they could not be written.", |now| {
        Some(now.log.failed as f64)
    }),
    counter("weir_access_log_write_errors_total", "Writes of the access log that failed.", |now| {
        Some(now.log.write_errors as f64)
    }),
    gauge("process_start_time_seconds", "When the process began to serve.", |now| Some(seconds(now.started))),
    counter("process_cpu_seconds_total", "CPU time of the process.", |now| now.usage.cpu_seconds),
    gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", |now| {
        now.usage.resident_bytes.map(|bytes| bytes as f64)
    }),
    gauge("process_open_fds", "Open files and sockets of the process.", |now| {
        now.usage.open_files.map(|files| files as f64)
    }),
];

pub(super) const WORKER: &[Gauge<WorkerTotals>] =
    &[gauge("sessions", "Client connections open at this worker.", |now| {
        Some(now.sessions.saturating_sub(now.sessions_closed) as f64)
    })];

pub(super) const LISTENER: &[Gauge<ListenerTotals>] = &[
    gauge("sessions", "Client connections open.", |now| {
        Some(now.sessions.saturating_sub(now.sessions_closed) as f64)
    }),
    gauge("flows", "UDP flows that have not ended.", |now| {
        Some(now.flows.saturating_sub(now.flows_closed) as f64)
    }),
];

pub(super) const POOL: &[Gauge<Arc<PoolStatus>>] =
    &[gauge("queue_length", "Requests that wait for a server with room.", |now| {
        Some(f64::from(now.queue_length()))
    })];

pub(super) const SERVER: &[Gauge<ServerNow>] = &[
    gauge(
        "up",
        "Whether checks say that the server works (1) or not (0). Unchecked servers count as up.",
        |now| Some(f64::from(u8::from(now.report.health.is_usable()))),
    ),
    gauge("checked", "Whether a check has said anything about the server.", |now| {
        Some(f64::from(u8::from(now.report.health != Health::Unknown)))
    }),
    counter("health_changes_total", "Times that checks changed the server's health.", |now| {
        Some(now.report.transitions as f64)
    }),
    gauge("ejected", "Whether failures of its traffic have taken the server out for now.", |now| {
        Some(f64::from(u8::from(now.report.ejected)))
    }),
    gauge("in_flight", "Exchanges in flight.", |now| Some(f64::from(now.in_flight))),
    gauge("weight", "The weight in force.", |now| Some(f64::from(now.report.weight))),
    Gauge {
        name: "state",
        kind: "gauge",
        help: "What the operator wants of the server: 1 for the state that holds.",
        value: Value::OneOf { label: "state", words: &STATE_WORDS, now: |now| state_word(now.report.state) },
    },
];

const STATE_WORDS: [&str; STATES.len()] = [STATES[0].1, STATES[1].1, STATES[2].1];

type Histogram = (&'static str, &'static str, fn(&PoolStatus) -> HistogramTotals);

pub(super) const HISTOGRAMS: &[Histogram] = &[
    ("weir_pool_exchange_seconds", "From a request's arrival to the last byte of its response.", |status| {
        status.exchange_seconds.totals()
    }),
    (
        "weir_pool_first_byte_seconds",
        "From a request's arrival to the head of the server's response.",
        |status| status.first_byte_seconds.totals(),
    ),
];

/// Writes every gauge of `table` for all `samples`.
pub(super) fn write<T>(text: &mut Text, prefix: &str, table: &[Gauge<T>], samples: &[Sample<T>]) {
    if samples.is_empty() {
        return;
    }
    for gauge in table {
        let name = format!("{prefix}{}", gauge.name);
        text.family(&name, gauge.kind, gauge.help);
        for sample in samples {
            match &gauge.value {
                Value::Number(value) => {
                    if let Some(value) = value(&sample.now) {
                        text.series(&name, "", &sample.labels, value);
                    }
                }
                Value::OneOf { label, words, now } => {
                    let now = now(&sample.now);
                    for &word in *words {
                        let holds = u8::from(word == now);
                        text.series_with(&name, "", &sample.labels, (label, word), holds);
                    }
                }
            }
        }
    }
}
