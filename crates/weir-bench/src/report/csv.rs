//! The measurements as CSV (RFC 4180), one line each: for whoever wants to compute something else.

use crate::results::{CpuUse, Measurement, Results};

type Of = fn(&Measurement) -> String;

/// The columns.
const COLUMNS: &[(&str, Of)] = &[
    ("target", |one| one.target.clone()),
    ("mode", |one| one.mode.to_string()),
    ("size_bytes", |one| one.size.to_string()),
    ("round", |one| (one.round + 1).to_string()),
    ("started_unix_ms", |one| one.started_unix_ms.to_string()),
    ("seconds", |one| figure(one.seconds)),
    ("connections_per_second", |one| figure(one.connections_per_second)),
    ("requests_per_second", |one| figure(one.requests_per_second)),
    ("bits_per_second", |one| figure(one.bits_per_second)),
    ("p50_us", |one| figure(one.latency.p50_us)),
    ("p90_us", |one| figure(one.latency.p90_us)),
    ("p99_us", |one| figure(one.latency.p99_us)),
    ("p999_us", |one| figure(one.latency.p999_us)),
    ("max_us", |one| figure(one.latency.max_us)),
    ("responses", |one| one.responses.to_string()),
    ("errors", |one| one.errors.sum().to_string()),
    ("errors_by_kind", |one| one.errors.describe()),
    ("guest_cpu_us_per_request", |one| {
        one.guest.and_then(CpuUse::us_per_request).map_or(String::new(), figure)
    }),
    ("host_cpu_us_per_request", |one| {
        one.host.and_then(CpuUse::us_per_request).map_or(String::new(), figure)
    }),
    ("injector_busy", |one| figure(one.injector_busy)),
    ("origin_busy", |one| one.origin_busy.map_or(String::new(), figure)),
    ("limit", |one| {
        serde_json::to_value(one.limit)
            .ok()
            .and_then(|limit| Some(limit.as_str()?.to_owned()))
            .unwrap_or_default()
    }),
];

/// Every measurement of several runs.
pub(crate) fn csv(runs: &[Results]) -> String {
    let names = ["run"].into_iter().chain(COLUMNS.iter().map(|(name, _)| *name)).map(str::to_owned);
    let mut out = line(names);
    for run in runs {
        for one in &run.measurements {
            let cells = COLUMNS.iter().map(|(_, of)| of(one));
            out += &line([run.scenario.title.clone()].into_iter().chain(cells));
        }
    }
    out
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| quoted(&cell)).collect::<Vec<_>>().join(",") + "\r\n"
}

/// A cell as RFC 4180 has it. What a spreadsheet would take for a formula gets an apostrophe, for names are the user's.
fn quoted(cell: &str) -> String {
    let is_number = cell.parse::<f64>().is_ok();
    let is_formula = !is_number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let cell = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if cell.contains([',', '"', '\r', '\n']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

fn figure(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("=cmd()"), "'=cmd()");
        assert_eq!(quoted("-12.5"), "-12.5");
        assert_eq!(figure(12.0), "12");
        assert_eq!(figure(0.1239), "0.124");
    }
}
