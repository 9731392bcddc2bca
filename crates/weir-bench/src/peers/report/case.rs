//! The table of a case.

use super::Section;
use crate::harness::table::Table;
use crate::peers::rounds::CaseRun;
use crate::peers::summary::Summary;

/// From here on, what else ran on the cores spoils the figures.
const OTHERS_BUSY_MAX: f64 = 0.1;

/// From here on, origin and load generator rather than the proxy bound the requests in a second.
const LOAD_BUSY_MAX: f64 = 0.9;

pub(super) fn section(run: &CaseRun) -> Section {
    let mut table = Table::new(
        1,
        &[
            "",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "CPU µs/request",
            "user",
            "system",
            "weir's CPU / its",
            "load µs",
            "proxy core busy",
            "load core busy",
            "others",
            "failed rounds",
        ],
    );
    let clean = || run.summaries.iter().filter(|summary| summary.rounds > 0);
    for summary in &run.summaries {
        table.row(summary_row(summary));
    }
    let mut notes = Vec::new();
    let bounded: Vec<&str> = clean()
        .filter(|summary| summary.load_cores_busy >= LOAD_BUSY_MAX)
        .map(|summary| summary.peer.as_str())
        .collect();
    if !bounded.is_empty() {
        let names = bounded.join(", ");
        notes.push(format!(
            "Bounded by origin and wrk, not by the proxy, in requests/s and latency: {names}."
        ));
    }
    if clean().any(|summary| summary.others_busy >= OTHERS_BUSY_MAX) {
        notes.push("Something else kept these cores busy too: requests/s and latency say little.".into());
    }
    notes.extend(error_notes(run));
    let log = if run.access_log { "access log on" } else { "access log off" };
    Section { title: format!("{}, {log}", run.case), table, notes }
}

fn summary_row(summary: &Summary) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let ratio = summary
        .ratio
        .map_or(String::new(), |ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max));
    let figures = if summary.rounds == 0 {
        vec![String::new(); 11]
    } else {
        vec![
            format!("{:.0}", summary.requests_per_second),
            format!("{:.2}", summary.p50_ms),
            format!("{:.2}", summary.p99_ms),
            format!("{:.1}", summary.total_us),
            format!("{:.1}", summary.user_us),
            format!("{:.1}", summary.system_us),
            ratio,
            format!("{:.1}", summary.load_us),
            percent(summary.proxy_cores_busy),
            percent(summary.load_cores_busy),
            percent(summary.others_busy),
        ]
    };
    let failed = summary.rounds_failed;
    let failed = if failed > 0 { format!("{failed} of {}", failed + summary.rounds) } else { "0".into() };
    [vec![summary.peer.clone()], figures, vec![failed]].concat()
}

/// What went wrong, once for each proxy.
pub(super) fn error_notes(run: &CaseRun) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for round in run.rounds.iter().filter(|round| !round.is_clean()) {
        let errors = round.load.errors.describe();
        let first = round.failure.as_deref().and_then(|why| why.lines().next()).unwrap_or(&errors);
        notes.push(format!("{}, round {}, does not count: {first}.", round.peer, round.round + 1));
    }
    notes
}
