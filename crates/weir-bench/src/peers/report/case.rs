//! The table of a case.

use super::{Section, not_measured, target};
use crate::harness::table::Table;
use crate::peers::bench::MEASURE;
use crate::peers::case::{Case, Handshake, Pattern};
use crate::peers::load::{CONNECTIONS_DIVISOR, STREAMS};
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
            "target",
            "load µs",
            "proxy core busy",
            "load core busy",
            "others",
            "failed rounds",
        ],
    );
    let clean = || run.summaries.iter().filter(|summary| summary.rounds > 0);
    for summary in &run.summaries {
        table.row(summary_row(run, summary));
    }
    let mut notes: Vec<String> = about(&run.case).into_iter().collect();
    let bounded: Vec<&str> = clean()
        .filter(|summary| summary.load_cores_busy >= LOAD_BUSY_MAX)
        .map(|summary| summary.peer.as_str())
        .collect();
    if !bounded.is_empty() {
        let names = bounded.join(", ");
        notes.push(format!(
            "Bounded by origin and load generator, not by the proxy, in requests/s and latency: {names}."
        ));
    }
    if clean().any(|summary| summary.others_busy >= OTHERS_BUSY_MAX) {
        notes.push("Something else kept these cores busy too: requests/s and latency say little.".into());
    }
    notes.extend(error_notes(run));
    notes.extend(not_measured(&run.left_out));
    let log = if run.access_log { "access log on" } else { "access log off" };
    Section { title: format!("{}, {log}", run.case), table, notes }
}

/// What a request is here, where that isn't plain.
fn about(case: &Case) -> Option<String> {
    match case.pattern {
        Pattern::Kept | Pattern::Close => None,
        Pattern::Streams => Some(format!(
            "{STREAMS} streams on each connection, and 1 connection for {CONNECTIONS_DIVISOR} of the other cases'."
        )),
        Pattern::Handshakes(kind) => {
            let handshake = match kind {
                Handshake::Full => "a full handshake, keys by X25519",
                Handshake::Hybrid => "a full handshake, keys by X25519MLKEM768",
                Handshake::Resume => "a resumed handshake, keys by X25519",
            };
            Some(format!("A request is a connection here: {handshake}, an empty answer, the end."))
        }
    }
}

fn summary_row(run: &CaseRun, summary: &Summary) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let ratio = summary
        .ratio
        .map_or(String::new(), |ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max));
    let ratio_max = run.ratio_max.filter(|_| summary.peer == MEASURE);
    let figures = if summary.rounds == 0 {
        vec![String::new(); 12]
    } else {
        vec![
            format!("{:.0}", summary.requests_per_second),
            format!("{:.2}", summary.p50_ms),
            format!("{:.2}", summary.p99_ms),
            format!("{:.1}", summary.total_us),
            format!("{:.1}", summary.user_us),
            format!("{:.1}", summary.system_us),
            ratio,
            target(ratio_max, summary.ratio.map(|ratio| ratio.median)),
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
