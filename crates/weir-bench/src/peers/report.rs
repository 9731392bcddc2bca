//! What was found, for people (text, Markdown) and for programs (JSON).

use serde::Serialize;

use super::bench::{Bench, Options};
use super::environment::Environment;
use super::idle::{Idle, PerConnection};
use super::rounds::CaseRun;
use super::summary::{Summary, summarize};
use super::table::Table;

/// From here on, origin and load generator rather than the proxy bound the requests in a second.
const LOAD_BUSY_MAX: f64 = 0.95;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    environment: Environment,
    options: Options,
    cases: Vec<CaseReport>,
    idle: Vec<Idle>,
}

/// A case: the rounds, and what they say.
#[derive(Debug, Serialize)]
struct CaseReport {
    summaries: Vec<Summary>,
    #[serde(flatten)]
    run: CaseRun,
}

/// A table with what has to be said of it.
struct Section {
    title: String,
    table: Table,
    notes: Vec<String>,
}

impl Report {
    /// The report of what was measured on `bench`.
    pub fn new(bench: &Bench, cases: Vec<CaseRun>, idle: Vec<Idle>) -> Self {
        let cases = cases.into_iter().map(|run| CaseReport { summaries: summarize(&run.rounds), run });
        Self {
            environment: bench.environment.clone(),
            options: bench.options.clone(),
            cases: cases.collect(),
            idle,
        }
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = self.preamble().join("\n") + "\n";
        for Section { title, table, notes } in self.sections() {
            text += &format!("\n{title}\n\n{}", table.text());
            for note in notes {
                text += &format!("\n{note}\n");
            }
        }
        text
    }

    /// For a page.
    pub fn markdown(&self) -> String {
        let mut text = self.preamble().iter().map(|line| format!("- {line}\n")).collect::<String>();
        for Section { title, table, notes } in self.sections() {
            text += &format!("\n### {title}\n\n{}", table.markdown());
            for note in notes {
                text += &format!("\n{note}\n");
            }
        }
        text
    }

    /// For programs: all of it, every round included.
    ///
    /// # Errors
    /// Never in practice: nothing in it can't be written as JSON.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    fn preamble(&self) -> Vec<String> {
        let Environment { date, cpu, cores, kernel, memory_kib, versions } = &self.environment;
        let memory = *memory_kib as f64 / f64::from(1 << 20);
        let Options { proxy_cores, load_cores, connections, rounds, seconds, .. } = &self.options;
        let mut lines: Vec<String> = date.iter().cloned().collect();
        lines.push(format!("{cpu}, {cores} cores, {memory:.0} GiB; Linux {kernel}"));
        lines.push(format!("proxies on core {proxy_cores}, origin and wrk on core {load_cores}"));
        lines.push(format!("{connections} connections, {rounds} rounds of {seconds} s; medians"));
        lines.extend(versions.iter().map(|(name, version)| format!("{name}: {version}")));
        lines
    }

    fn sections(&self) -> Vec<Section> {
        let mut sections: Vec<Section> = self.cases.iter().map(case_section).collect();
        if !self.idle.is_empty() {
            sections.push(idle_section(&self.idle));
        }
        sections
    }
}

fn case_section(case: &CaseReport) -> Section {
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
            "failed rounds",
        ],
    );
    let mut notes = Vec::new();
    for summary in &case.summaries {
        table.row(summary_row(summary));
        if summary.rounds > 0 && summary.load_cores_busy >= LOAD_BUSY_MAX {
            notes.push(summary.peer.clone());
        }
    }
    if !notes.is_empty() {
        let names = notes.join(", ");
        notes =
            vec![format!("Bounded by origin and wrk, not by the proxy, in requests/s and latency: {names}.")];
    }
    notes.extend(error_notes(&case.run));
    let log = if case.run.access_log { "access log on" } else { "access log off" };
    Section { title: format!("{}, {log}", case.run.case), table, notes }
}

fn summary_row(summary: &Summary) -> Vec<String> {
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let ratio = summary
        .ratio
        .map_or(String::new(), |ratio| format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.min, ratio.max));
    let figures = if summary.rounds == 0 {
        vec![String::new(); 10]
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
        ]
    };
    let failed = summary.rounds_failed;
    let failed = if failed > 0 { format!("{failed} of {}", failed + summary.rounds) } else { "0".into() };
    [vec![summary.peer.clone()], figures, vec![failed]].concat()
}

/// What went wrong, once for each proxy.
fn error_notes(run: &CaseRun) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for round in run.rounds.iter().filter(|round| !round.is_clean()) {
        let errors = round.load.errors.describe();
        let first = round.failure.as_deref().and_then(|why| why.lines().next()).unwrap_or(&errors);
        notes.push(format!("{}, round {}, does not count: {first}.", round.peer, round.round + 1));
    }
    notes
}

fn idle_section(idle: &[Idle]) -> Section {
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
