//! The table of what idle connections cost.

use super::{Section, not_measured, target};
use crate::harness::table::Table;
use crate::peers::idle::{IdleRun, PerConnection};
use crate::peers::proxies::Front;

pub(super) fn section(run: &IdleRun) -> Section {
    let headers = [
        "",
        "without, MiB",
        "silent: PSS",
        "RSS",
        "kernel",
        "after an answer: PSS",
        "RSS",
        "kernel",
        "weir's PSS / its",
        "target",
    ];
    let mut table = Table::new(1, &headers);
    for idle in &run.peers {
        let bytes = |bytes: f64| format!("{bytes:.0}");
        let each = |each: &PerConnection| [bytes(each.pss), bytes(each.rss), bytes(each.kernel)];
        let mut row = vec![idle.peer.clone(), format!("{:.1}", idle.base.pss_kib as f64 / 1024.0)];
        row.extend(each(&idle.silent));
        row.extend(each(&idle.answered));
        let ratio = run.ratio(idle);
        row.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
        row.push(target(run.ratio_max(idle), ratio));
        table.row(row);
    }
    let mut notes = vec![
        "PSS and RSS are the proxy's growth; the kernel's figure is half of its growth, because it holds the \
         clients' ends here too, and an estimate."
            .to_owned(),
    ];
    notes.extend(not_measured(&run.left_out));
    let what = match run.front {
        Front::Tls => "an idle TLS connection",
        Front::Http | Front::H2c | Front::Tcp => "an idle connection",
    };
    Section { title: format!("Memory of {what}, bytes each of {}", run.connections), table, notes }
}
