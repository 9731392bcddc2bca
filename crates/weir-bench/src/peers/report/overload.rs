//! The table of a proxy under overload.

use super::Section;
use crate::harness::table::Table;
use crate::peers::overload::Overload;

pub(super) fn section(overload: &Overload) -> Section {
    let headers = [
        "connections",
        "answered/s",
        "of best",
        "p99 ms",
        "CPU µs/request",
        "RSS growth MiB",
        "well again after s",
        "others",
        "",
    ];
    let mut table = Table::new(0, &headers);
    for step in &overload.steps {
        let round = &step.round;
        let failure = round.failure.as_deref().and_then(|why| why.lines().next()).unwrap_or("");
        let errors = round.load.errors.describe();
        table.row([
            step.connections.to_string(),
            format!("{:.0}", step.answered_per_second),
            format!("{:.0} %", step.of_best * 100.0),
            format!("{:.1}", round.load.p99_ms),
            format!("{:.1}", round.cpu.total_us()),
            format!("{:.1}", step.rss_growth_kib as f64 / 1024.0),
            step.recovery_seconds.map_or("not".into(), |seconds| format!("{seconds:.2}")),
            format!("{:.0} %", round.others_busy * 100.0),
            if failure.is_empty() { errors } else { failure.into() },
        ]);
    }
    let note = "Refused requests (status) count for p99 and CPU, but not as answered. Memory is read when the load \
                has gone.";
    Section {
        title: format!("{}, {}, under overload", overload.peer, overload.case),
        table,
        notes: vec![note.into()],
    }
}
