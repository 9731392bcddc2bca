//! `make profile` and `make instructions`: what a request costs Weir, counted. See `weir_bench::cost`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use weir_bench::cost::baseline::Baseline;
use weir_bench::cost::case::{CASES, Case};
use weir_bench::cost::subject::Setup;
use weir_bench::cost::{Load, callgrind, perf, report, strace};
use weir_bench::harness::origin;

/// For a regression of one percent this is enough, and it is over soon.
const GUARD: Load = Load { warm_up: 100, few: 100, many: 1100 };

/// For the share of each function.
const PROFILE: Load = Load { warm_up: 200, few: 200, many: 2200 };

/// strace makes each call slow.
const TRACE: Load = Load { warm_up: 0, few: 100, many: 600 };

/// Samples need time.
const SAMPLES: Load = Load { warm_up: 0, few: 0, many: 100_000 };

/// Counts what a request costs Weir. Loopback only; every process it starts ends with it.
#[derive(Debug, Parser)]
#[command(name = "request-cost", disable_help_subcommand = true)]
#[command(after_help = "WEIR in the environment names another binary than the one in PATH.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Instructions, allocations and system calls of a request, and where they are
    Profile(ProfileOptions),
    /// Instructions of a request, compared with a baseline; whatever they are, that is a success
    Instructions(InstructionsOptions),
    /// Be the origin: say the address, serve until standard input ends
    #[command(hide = true)]
    Origin,
}

#[derive(Debug, clap::Args)]
struct ProfileOptions {
    /// The case whose functions are shown: 0b, 1k, 0b-close, 0b-log, https, h2 or tcp
    #[arg(long, default_value = "0b", value_parser = case)]
    case: Case,
    /// How many functions
    #[arg(long, default_value_t = 40)]
    rows: usize,
}

#[derive(Debug, clap::Args)]
struct InstructionsOptions {
    /// The file with the figures to compare with
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Write the figures there instead
    #[arg(long)]
    update: bool,
}

fn case(name: &str) -> Result<Case, String> {
    let found = CASES.into_iter().find(|case| case.name == name);
    found
        .ok_or_else(|| format!("there is no such case; there are {}", CASES.map(|case| case.name).join(", ")))
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Origin => origin::main().map(|()| ExitCode::SUCCESS),
        Command::Profile(options) => unless_interrupted(profile(&options)),
        Command::Instructions(options) => unless_interrupted(instructions(&options)),
    };
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "request-cost: {error:#}");
        ExitCode::FAILURE
    })
}

/// A signal drops the work, and with it every process that it started.
fn unless_interrupted(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            done = work => done.map(|()| ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
            _ = hang_up.recv() => Ok(ExitCode::from(129)),
        }
    })
}

async fn profile(options: &ProfileOptions) -> anyhow::Result<()> {
    let setup = Setup::new()?;
    let &ProfileOptions { case, rows } = options;
    say(&format!("weir: {}\n", setup.weir.display()));
    let costs = callgrind::measure(&setup, &CASES, PROFILE).await?;
    say(&format!("Each request, by callgrind\n\n{}", report::cases(&costs)));
    let Case { name, about, .. } = case;
    say(&format!("All that follows is of one request of {name}: {about}."));
    if let Some(cost) = costs.iter().find(|cost| cost.case == case) {
        say(&format!("Own instructions\n\n{}", report::own(&cost.request, rows)));
        say(&format!("Instructions with what is called\n\n{}", report::inclusive(&cost.request, rows)));
        say(&format!("Instructions by source file\n\n{}", report::files(&cost.request, rows)));
        say(&format!("Allocations\n\n{}", report::allocations(&cost.request, rows)));
    }
    match strace::measure(&setup, case, TRACE).await {
        Ok(calls) => say(&format!("System calls\n\n{}", report::system_calls(&calls))),
        Err(error) => say(&format!("System calls: not counted: {error:#}\n")),
    }
    match perf::measure(&setup, case, SAMPLES).await? {
        Some(samples) => say(&format!("Samples, the kernel's code included\n\n{samples}")),
        None => say("Samples: none, for there is no perf here or the machine has no counters"),
    }
    Ok(())
}

async fn instructions(options: &InstructionsOptions) -> anyhow::Result<()> {
    let counted = async { callgrind::measure(&Setup::new()?, &CASES, GUARD).await }.await;
    let now = match counted {
        Ok(costs) => Baseline::of(&costs),
        Err(error) if options.update => return Err(error),
        Err(error) => {
            say(&format!("\n*** instructions a request could NOT be counted: {error:#}\n"));
            return Ok(());
        }
    };
    if options.update {
        fs::write(&options.baseline, now.text()?)
            .with_context(|| format!("cannot write {}", options.baseline.display()))?;
    }
    say(&read(&options.baseline)?.compare(&now));
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<Baseline> {
    let text = fs::read_to_string(file);
    let text = text.with_context(|| format!("cannot read {}; UPDATE=1 writes it", file.display()))?;
    Baseline::parse(&text).with_context(|| format!("cannot read {}", file.display()))
}

/// A reader that has gone away (`| head`) wants no more of it.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
