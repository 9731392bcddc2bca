//! The table of one worker and many.

use super::Section;
use super::case::error_notes;
use crate::harness::table::Table;
use crate::peers::rounds::CaseRun;

pub(super) fn section(run: &CaseRun) -> Section {
    let headers = [
        "",
        "requests/s",
        "of the first",
        "p99 ms",
        "CPU µs/request",
        "of the first",
        "weir busy",
        "load busy",
        "others",
    ];
    let mut table = Table::new(1, &headers);
    let percent =
        |value: f64, of: f64| if of > 0.0 { format!("{:.0} %", value / of * 100.0) } else { String::new() };
    if let Some(first) = run.summaries.first() {
        for summary in &run.summaries {
            table.row([
                summary.peer.clone(),
                format!("{:.0}", summary.requests_per_second),
                percent(summary.requests_per_second, first.requests_per_second),
                format!("{:.2}", summary.p99_ms),
                format!("{:.1}", summary.total_us),
                percent(summary.total_us, first.total_us),
                percent(summary.proxy_cores_busy, 1.0),
                percent(summary.load_cores_busy, 1.0),
                percent(summary.others_busy, 1.0),
            ]);
        }
    }
    Section { title: format!("{}, weir on shared cores", run.case), table, notes: error_notes(run) }
}
