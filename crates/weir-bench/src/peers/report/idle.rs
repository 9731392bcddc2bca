//! The table of what idle connections cost.

use super::Section;
use crate::harness::table::Table;
use crate::peers::idle::{Idle, PerConnection};

pub(super) fn section(idle: &[Idle]) -> Section {
    let connections = idle.first().map_or(0, |idle| idle.connections);
    let mut table = Table::new(
        1,
        &["", "without, MiB", "silent: PSS", "RSS", "kernel", "after an answer: PSS", "RSS", "kernel"],
    );
    for idle in idle {
        let bytes = |bytes: f64| format!("{bytes:.0}");
        let each = |each: &PerConnection| [bytes(each.pss), bytes(each.rss), bytes(each.kernel)];
        let mut row = vec![idle.peer.clone(), format!("{:.1}", idle.base.pss_kib as f64 / 1024.0)];
        row.extend(each(&idle.silent));
        row.extend(each(&idle.answered));
        table.row(row);
    }
    let note = "PSS and RSS are the proxy's growth; the kernel's figure is half of its growth, because it holds the \
                clients' ends here too, and an estimate.";
    Section {
        title: format!("Memory of an idle connection, bytes each of {connections}"),
        table,
        notes: vec![note.into()],
    }
}
