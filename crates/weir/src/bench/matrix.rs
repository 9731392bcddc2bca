//! `weir bench matrix`: measures what a scenario says, and goes on where it was broken off.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use weir_bench::inject;
use weir_bench::matrix::{self, Done, Run, Scenario};

use crate::check::read;
use crate::logging::{color, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The scenario: targets, sizes, modes, rounds
    #[arg(value_name = "FILE")]
    scenario: PathBuf,
    /// Where results are kept; usually beside the scenario, as NAME.results.json
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,
    /// Begin anew, whatever is measured already
    #[arg(long)]
    restart: bool,
    /// Look at the scenario alone; nothing is started or measured
    #[arg(long)]
    check: bool,
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let name = options.scenario.display().to_string();
    let text = read(&options.scenario)?;
    let (scenario, warnings) = match matrix::parse(&text) {
        Ok(valid) => valid,
        Err(found) => {
            say(&found.render(&name, &text, color()));
            return Ok(ExitCode::FAILURE);
        }
    };
    if !warnings.is_empty() {
        say(&warnings.render(&name, &text, color()));
    }
    say(&format!("{name}: {}", describe(&scenario)));
    if options.check {
        return Ok(ExitCode::SUCCESS);
    }
    let file = options.results.clone().unwrap_or_else(|| options.scenario.with_extension("results.json"));
    let stem =
        options.scenario.file_stem().map_or_else(|| name.clone(), |stem| stem.to_string_lossy().into_owned());
    let mut results = matrix::begin(&scenario, &file, &stem, options.restart)?;
    if !results.measurements.is_empty() {
        say(&format!("{}: goes on after {} measurements", file.display(), results.measurements.len()));
    }
    weir_bench::harness::raise_files_limit().context("can't raise the limit on open files")?;
    let is_cancelled = Arc::new(AtomicBool::new(false));
    super::inject::listen_for_the_end(&is_cancelled)?;
    let directory = options.scenario.parent().filter(|path| *path != Path::new("")).unwrap_or(Path::new("."));
    let run = Run {
        scenario: &scenario,
        directory: &directory
            .canonicalize()
            .with_context(|| format!("can't find {}", directory.display()))?,
        file: file.clone(),
        inject: &inject::run,
        say: &say,
        is_cancelled: &|| is_cancelled.load(Ordering::Relaxed),
    };
    let Done { made, missing } = run.go(&mut results)?;
    say(&format!("{}: {made} measurements made, {missing} missing", file.display()));
    if missing > 0 {
        say("the same command goes on where this one stopped");
        return Ok(ExitCode::FAILURE);
    }
    say(&format!("`weir bench report {}` shows what they say", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// What it is, and how long it takes.
fn describe(scenario: &Scenario) -> String {
    let Scenario { sizes, modes, rounds, duration, warm_up, targets, .. } = scenario;
    let count = targets.len() * sizes.len() * modes.len() * *rounds as usize;
    let seconds = (*duration + *warm_up).as_secs_f64() * count as f64;
    format!(
        "{} targets, {} sizes, {} modes, {rounds} rounds: {count} measurements, {:.0} minutes and what starting takes",
        targets.len(),
        sizes.len(),
        modes.len(),
        (seconds / 60.0).ceil()
    )
}
