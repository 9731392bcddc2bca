//! What was found, for people (text, Markdown) and for programs (JSON).

mod case;
mod idle;
mod overload;
mod scale;

use serde::Serialize;

use super::bench::{Bench, Options};
use super::environment::Environment;
use super::idle::IdleRun;
use super::overload::Overload;
use super::rounds::{CaseRun, LeftOut};
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
    pub idle: Vec<IdleRun>,
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
        lines.push(format!("proxies on core {proxy_cores}, origin and load on core {load_cores}"));
        if !self.findings.cases.is_empty() || !self.findings.scale.is_empty() {
            lines.push(format!("{connections} connections, {rounds} rounds of {seconds} s; medians"));
        }
        lines.extend(versions.iter().map(|(name, version)| format!("{name}: {version}")));
        lines
    }

    fn sections(&self) -> Vec<Section> {
        let Findings { cases, idle, overload, scale } = &self.findings;
        let mut sections: Vec<Section> = cases.iter().map(case::section).collect();
        sections.extend(idle.iter().map(idle::section));
        sections.extend(overload.iter().map(overload::section));
        sections.extend(scale.iter().map(scale::section));
        sections
    }
}

/// A target for a ratio, and whether it is met.
fn target(ratio_max: Option<f64>, ratio: Option<f64>) -> String {
    let Some(max) = ratio_max else { return String::new() };
    let verdict = match ratio {
        Some(ratio) if ratio <= max => ", met",
        Some(_) => ", missed",
        None => "",
    };
    format!("≤ {max:.2}{verdict}")
}

/// A line for each proxy that wasn't measured.
fn not_measured(left_out: &[LeftOut]) -> Vec<String> {
    let line = |LeftOut { peer, why }: &LeftOut| {
        let mut lines = why.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        // What it complained of: the error, where a line says so, else the end.
        let rest: Vec<&str> = lines.collect();
        let telling = rest.iter().find(|line| line.to_lowercase().contains("error:")).or(rest.last());
        let telling = telling.map_or(String::new(), |telling| format!(" {telling}"));
        format!("{peer}: not measured: {first}{telling}")
    };
    left_out.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_met_at_its_bound() {
        assert_eq!(target(None, Some(0.1)), "");
        assert_eq!(target(Some(0.75), None), "≤ 0.75");
        assert_eq!(target(Some(0.75), Some(0.75)), "≤ 0.75, met");
        assert_eq!(target(Some(0.75), Some(0.751)), "≤ 0.75, missed");
    }

    #[test]
    fn who_was_not_measured_is_told_in_a_line() {
        let left_out = |why: &str| not_measured(&[LeftOut { peer: "x".into(), why: why.into() }]);
        assert_eq!(left_out("it ended:\n    a\n    b\n"), ["x: not measured: it ended: b"]);
        assert_eq!(left_out("it ended:\n  b\n  error: c\n  d"), ["x: not measured: it ended: error: c"]);
        assert_eq!(left_out("it ended"), ["x: not measured: it ended"]);
    }
}
