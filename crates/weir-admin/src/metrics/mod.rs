//! `/metrics`: the Prometheus text format, version 0.0.4.
//!
//! Counters come from the tables in `weir_proxy::stats`, whatever stands there; gauges from the tables in
//! [`gauges`]. A counter whose name ends in a class of statuses (`responses_2xx`) becomes one series of a
//! family with the label `class`. Names are stable: dashboards depend on them.

mod gauges;
#[cfg(test)]
mod tests;
mod text;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

use weir_proxy::Phase;
use weir_proxy::access_log::Counts;
use weir_proxy::snapshot::{ServerReport, Snapshot};
use weir_proxy::stats::{HistogramTotals, Row, SECONDS_BOUNDS};

use self::gauges::{LISTENER, POOL, PROCESS, SERVER, WORKER};
use self::text::{Labels, Text};
use crate::operator::Operator;
use crate::process::Usage;
use crate::reloads::Reloads;

/// A thing with metrics: its labels, its counters, and what its gauges are read from.
struct Sample<T> {
    labels: Labels,
    rows: Vec<Row>,
    now: T,
}

/// What a server's gauges are read from.
struct ServerNow {
    report: ServerReport,
    in_flight: u32,
}

/// What the gauges of the whole process are read from.
struct ProcessNow {
    generation: u64,
    reloads: Reloads,
    phase: Phase,
    sessions_max: u64,
    log: Counts,
    started: SystemTime,
    usage: Usage,
}

/// Counters of a listener's, pool's or server's responses by class: `responses_2xx` and so on.
const BY_CLASS: &str = "responses_";

/// All metrics, as text.
pub(crate) fn render(operator: &Operator) -> String {
    let proxy = operator.proxy();
    let snapshot = proxy.snapshot();
    let mut text = Text::for_servers(snapshot.pools.iter().map(|pool| pool.servers.len()).sum());

    let process = ProcessNow {
        generation: snapshot.generation,
        reloads: operator.reloads().clone(),
        phase: proxy.phase(),
        sessions_max: proxy.sessions_max(),
        log: proxy.access_log(),
        started: operator.started.1,
        usage: Usage::now(),
    };
    let build = Labels::new([("version", env!("CARGO_PKG_VERSION"))]);
    text.family("weir_build_info", "gauge", "The version that runs.");
    text.series("weir_build_info", "", &build, 1);
    gauges::write(
        &mut text,
        "",
        PROCESS,
        &[Sample { labels: Labels::none(), rows: Vec::new(), now: process }],
    );
    reloads(&mut text, operator);

    let workers = proxy.workers();
    let samples: Vec<_> = (0..workers.workers())
        .map(|worker| {
            let totals = workers.worker(worker);
            let labels = Labels::new([("worker", &*worker.to_string())]);
            Sample { labels, rows: totals.rows(), now: totals }
        })
        .collect();
    counters(&mut text, "weir_worker_", &samples);
    gauges::write(&mut text, "weir_worker_", WORKER, &samples);

    let samples: Vec<_> = snapshot
        .listeners
        .iter()
        .map(|listener| {
            let totals = listener.status.counters.totals();
            let labels = Labels::new([("listener", &*listener.config.name)]);
            Sample { labels, rows: totals.rows(), now: totals }
        })
        .collect();
    counters(&mut text, "weir_listener_", &samples);
    gauges::write(&mut text, "weir_listener_", LISTENER, &samples);

    certificates(&mut text, &snapshot);

    let samples: Vec<_> = snapshot
        .pools
        .iter()
        .map(|pool| {
            let labels = Labels::new([("pool", &*pool.config.name)]);
            Sample { labels, rows: pool.status.counters.totals().rows(), now: Arc::clone(&pool.status) }
        })
        .collect();
    counters(&mut text, "weir_pool_", &samples);
    gauges::write(&mut text, "weir_pool_", POOL, &samples);
    for (name, help, totals) in gauges::HISTOGRAMS {
        text.family(name, "histogram", help);
        for sample in &samples {
            histogram(&mut text, name, &sample.labels, &totals(&sample.now));
        }
    }

    let samples: Vec<_> = snapshot
        .pools
        .iter()
        .flat_map(|pool| pool.servers.iter().map(move |server| (pool, server)))
        .map(|(pool, server)| {
            let labels = Labels::new([("pool", &*pool.config.name), ("server", &*server.name)]);
            let status = &server.status;
            let now = ServerNow { report: status.report(), in_flight: status.in_flight() };
            Sample { labels, rows: status.counters.totals().rows(), now }
        })
        .collect();
    counters(&mut text, "weir_server_", &samples);
    gauges::write(&mut text, "weir_server_", SERVER, &samples);
    text.finish()
}

/// When the certificates end that listeners and the admin API show; the latter's have no listener.
fn certificates(text: &mut Text, snapshot: &Snapshot) {
    let name = "weir_tls_certificate_expiry_timestamp_seconds";
    let of_listeners = snapshot.listeners.iter().flat_map(|listener| {
        let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
        certificates.map(|certificate| (&*listener.config.name, certificate))
    });
    let of_admin = snapshot.tls.admin().map(|tls| ("", &tls.certificate));
    let mut seen = HashSet::new(); // a certificate may be named twice, a series may not
    for (listener, certificate) in of_listeners.chain(of_admin) {
        if seen.is_empty() {
            text.family(name, "gauge", "When a certificate that clients are shown is valid no more.");
        }
        if !seen.insert((listener, &certificate.path)) {
            continue;
        }
        let file = certificate.path.to_string_lossy();
        let host = certificate.names.first().map_or("", |name| name);
        let labels = Labels::new([("listener", listener), ("certificate", &*file), ("name", host)]);
        text.series(name, "", &labels, seconds(certificate.not_after));
    }
}

/// The counters of things of one kind. All have the same rows: those of their table.
fn counters<T>(text: &mut Text, prefix: &str, samples: &[Sample<T>]) {
    let Some(first) = samples.first() else { return };
    let mut by_class_done = false;
    for (index, row) in first.rows.iter().enumerate() {
        if row.name.starts_with(BY_CLASS) {
            if !by_class_done {
                by_class_done = true;
                by_class(text, prefix, samples);
            }
            continue;
        }
        let name = format!("{prefix}{}_total", row.name);
        text.family(&name, "counter", row.help);
        for sample in samples {
            text.series(&name, "", &sample.labels, sample.rows[index].value);
        }
    }
}

fn by_class<T>(text: &mut Text, prefix: &str, samples: &[Sample<T>]) {
    let name = format!("{prefix}responses_total");
    text.family(&name, "counter", "Responses by the class of their status.");
    for sample in samples {
        for row in &sample.rows {
            if let Some(class) = row.name.strip_prefix(BY_CLASS) {
                text.series_with(&name, "", &sample.labels, ("class", class), row.value);
            }
        }
    }
}

fn histogram(text: &mut Text, name: &str, labels: &Labels, totals: &HistogramTotals) {
    let mut count = 0;
    for (bound, bucket) in SECONDS_BOUNDS.iter().chain([&f64::INFINITY]).zip(totals.buckets) {
        count += bucket;
        let bound = if bound.is_finite() { bound.to_string() } else { "+Inf".to_owned() };
        text.series_with(name, "_bucket", labels, ("le", &bound), count);
    }
    text.series(name, "_sum", labels, totals.seconds);
    text.series(name, "_count", labels, count);
}

fn reloads(text: &mut Text, operator: &Operator) {
    let reloads = operator.reloads();
    let name = "weir_config_reloads_total";
    text.family(name, "counter", "Reloads since the start, by result.");
    for (result, value) in [("success", reloads.succeeded), ("failure", reloads.failed)] {
        text.series(name, "", &Labels::new([("result", result)]), value);
    }
}

/// Seconds since 1970, as Prometheus has times.
fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
