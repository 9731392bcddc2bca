//! Where the time goes, kernel and waiting for memory included: samples of perf, where the machine has counters.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::Context;

use super::Load;
use super::case::Case;
use super::client::Client;
use super::subject::Setup;
use crate::harness::process::quiet;
use crate::peers::proxies;

/// How many functions are worth showing.
const ROWS: usize = 30;

/// The functions with the most samples under the long load, as perf prints them; `None` where it can't sample.
///
/// # Errors
/// When a request fails, or perf after it has begun.
pub async fn measure(setup: &Setup, case: Case, load: Load) -> anyhow::Result<Option<String>> {
    let Ok(perf) = proxies::find("perf", None) else { return Ok(None) };
    if !counts_cycles(&perf) {
        return Ok(None);
    }
    let file = setup.directory.sub("perf")?.join("samples");
    let mut arguments =
        ["record", "--quiet", "--event", "cycles", "--freq", "5000", "--output"].map(Into::into).to_vec();
    arguments.extend([file.clone().into_os_string(), "--".into()]);
    let subject = setup.start("perf", "perf", arguments, case).await?;
    Client::new(&subject, case).ask(load.many).await?;
    subject.end().await?;
    let mut report = quiet(&perf);
    report.args(["report", "--stdio", "--no-children", "--fields", "overhead,symbol", "--input"]).arg(&file);
    let report = report.stdout(Stdio::piped()).output().context("cannot start perf report")?;
    let _ = fs::remove_file(file);
    let text = String::from_utf8_lossy(&report.stdout);
    let rows = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    Ok(Some(rows.take(ROWS).map(|line| format!("{}\n", line.trim_end())).collect()))
}

/// Whether there are counters: virtual machines often have none.
fn counts_cycles(perf: &Path) -> bool {
    let mut command = quiet(perf);
    command.args(["stat", "--event", "cycles", "--field-separator", ",", "true"]).stderr(Stdio::piped());
    let counted = command.output().ok();
    counted.is_some_and(|output| String::from_utf8_lossy(&output.stderr).lines().any(is_counted))
}

/// Whether this line of `perf stat` begins with a number.
fn is_counted(line: &str) -> bool {
    line.split(',').next().is_some_and(|count| count.parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_counters_is_known_by_its_words() {
        assert!(is_counted("812345,,cycles,400000,100.00,,"));
        assert!(!is_counted("<not supported>,,cycles,0,100.00,,"));
        assert!(!is_counted(""));
    }
}
