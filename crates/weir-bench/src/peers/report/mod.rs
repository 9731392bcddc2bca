//! What was found, for people (text, Markdown) and for programs (JSON).

mod case;
mod idle;
mod overload;
mod scale;

use serde::Serialize;

use super::bench::{Bench, Options};
use super::environment::Environment;
use super::idle::Idle;
use super::overload::Overload;
use super::rounds::CaseRun;
use crate::harness::table::Table;

/// Everything that a run found.
#[derive(Debug, Serialize)]
pub struct Report {
    environment: Environment,
    options: Options,
    #[serde(flatten)]
    findings: Findings,
}

/// What the measurements that were made have found; the others are empty.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// The comparison.
    pub cases: Vec<CaseRun>,
    /// The memory of idle connections.
    pub idle: Vec<Idle>,
    /// More connections than can be served.
    pub overload: Vec<Overload>,
    /// One worker, and one on each core.
    pub scale: Vec<CaseRun>,
}

/// A table with what has to be said of it.
struct Section {
    title: String,
    table: Table,
    notes: Vec<String>,
}

impl Report {
    /// The report of what was measured on `bench`.
    pub fn new(bench: &Bench, findings: Findings) -> Self {
        Self { environment: bench.environment.clone(), options: bench.options.clone(), findings }
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
        if !self.findings.cases.is_empty() || !self.findings.scale.is_empty() {
            lines.push(format!("{connections} connections, {rounds} rounds of {seconds} s; medians"));
        }
        lines.extend(versions.iter().map(|(name, version)| format!("{name}: {version}")));
        lines
    }

    fn sections(&self) -> Vec<Section> {
        let Findings { cases, idle, overload, scale } = &self.findings;
        let mut sections: Vec<Section> = cases.iter().map(case::section).collect();
        sections.extend((!idle.is_empty()).then(|| idle::section(idle)));
        sections.extend(overload.iter().map(overload::section));
        sections.extend(scale.iter().map(scale::section));
        sections
    }
}
