//! The figures that the repository keeps, and how far from them it is now.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::callgrind::CaseCost;
use crate::harness::process::quiet;
use crate::harness::table::Table;

/// Instructions a request, by case, and what they depend on besides the code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// The versions of the compiler and of valgrind.
    pub tools: BTreeMap<String, String>,
    /// Instructions a request.
    pub cases: BTreeMap<String, u64>,
}

impl Baseline {
    /// What was counted, with the tools of this machine.
    #[must_use]
    pub fn of(costs: &[CaseCost]) -> Self {
        let tools = [("rustc", "rustc"), ("valgrind", "valgrind")];
        let tools = tools.map(|(name, program)| (name.to_owned(), version(Path::new(program))));
        let cases = costs.iter().map(|cost| (cost.case.name.to_owned(), whole(cost.request.total)));
        Self { tools: tools.into(), cases: cases.collect() }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When it is no baseline.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        serde_json::from_str(text).context("this is no baseline")
    }

    /// As a file.
    ///
    /// # Errors
    /// None that is known; as serde_json has them.
    pub fn text(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What `now` is, seen from `self`: a table, and a line for each tool that is another one.
    #[must_use]
    pub fn compare(&self, now: &Self) -> String {
        let mut table = Table::new(1, &["instructions a request", "baseline", "now", "change"]);
        for (case, &count) in &now.cases {
            let before = self.cases.get(case).copied();
            table.row([
                case.clone(),
                before.map_or("none".into(), |before| before.to_string()),
                count.to_string(),
                before.map_or(String::new(), |before| change(before, count)),
            ]);
        }
        let mut text = table.text();
        for (tool, version) in &now.tools {
            let before = self.tools.get(tool).map_or("unknown", String::as_str);
            if before != version {
                text += &format!("{tool} is another one: {before} counted the baseline, {version} this\n");
            }
        }
        text
    }
}

/// In percent, with its sign.
#[expect(clippy::cast_precision_loss, reason = "counts of instructions are far below 2^52")]
fn change(before: u64, now: u64) -> String {
    format!("{:+.2} %", (now as f64 / before.max(1) as f64 - 1.0) * 100.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not below zero")]
fn whole(count: f64) -> u64 {
    count.max(0.0).round() as u64
}

/// A program's version: what it says, without its name.
fn version(program: &Path) -> String {
    let mut command = quiet(program);
    let output = command.arg("--version").stdout(std::process::Stdio::piped()).output();
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    said.split_ascii_whitespace()
        .flat_map(|word| word.split('-'))
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .unwrap_or("unknown")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline(rustc: &str, cases: &[(&str, u64)]) -> Baseline {
        Baseline {
            tools: [("rustc".to_owned(), rustc.to_owned())].into(),
            cases: cases.iter().map(|&(name, count)| (name.to_owned(), count)).collect(),
        }
    }

    #[test]
    fn changes_are_told_with_their_sign() {
        let before = baseline("1.95.0", &[("0b", 20_000), ("gone", 1)]);
        let text = before.compare(&baseline("1.96.0", &[("0b", 19_900), ("new", 5)]));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(lines[1].starts_with("0b ") && lines[1].ends_with("20000  19900  -0.50 %"), "{text}");
        assert!(lines[2].starts_with("new ") && lines[2].ends_with("none      5"), "{text}");
        assert_eq!(lines[3], "rustc is another one: 1.95.0 counted the baseline, 1.96.0 this");
        assert_eq!(change(20_000, 20_300), "+1.50 %");
    }

    #[test]
    fn a_baseline_is_the_same_after_writing_and_reading() {
        let before = baseline("1.95.0", &[("0b", 1)]);
        assert_eq!(Baseline::parse(&before.text().unwrap()).unwrap(), before);
        assert!(Baseline::parse("{}").is_err());
    }
}
