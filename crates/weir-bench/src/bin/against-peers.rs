//! `make bench`: Weir and other proxies under the same load, on this machine. See `weir_bench::peers`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use weir_bench::harness::cores::Cores;
use weir_bench::harness::{injector, origin};
use weir_bench::peers::bench::{AccessLog, Bench, OURS, Options};
use weir_bench::peers::case::{Case, USUAL};
use weir_bench::peers::load::handshakes;
use weir_bench::peers::report::{Findings, Report};
use weir_bench::peers::results::results;
use weir_bench::peers::{idle, overload, rounds, scale};
use weir_bench::report;
use weir_bench::results::file;

/// Compares Weir with other proxies on this machine. Loopback only; every process it starts ends with it.
#[derive(Debug, Parser)]
#[command(name = "against-peers", disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
#[command(after_help = AFTER)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: Run,
}

const AFTER: &str =
    "WEIR, HAPROXY, NGINX, CADDY and ENVOY in the environment name other binaries than those in PATH.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Be the origin: say the address, serve until standard input ends
    #[command(hide = true)]
    Origin,
    /// Be an injector: read a load, say what came of it
    #[command(hide = true)]
    Inject,
    /// Be a load of handshakes, and say what came of it
    #[command(hide = true)]
    Handshakes(handshakes::Arguments),
}

#[derive(Debug, clap::Args)]
struct Run {
    /// Rounds of each case
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of a round
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=60))]
    seconds: u32,
    /// The load generator's connections
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// Instead: many more connections than the servers take, and whether it gets well again
    #[arg(long, conflicts_with = "scale")]
    overload: bool,
    /// Instead: weir with one worker and with one on each core, all sharing both sets of cores
    #[arg(long)]
    scale: bool,
    /// Groups (all, http, tls, h2, tcp) or single cases: sizes of answers such as 64k, with `-close` a connection for
    /// each, with `https-`, `h2-`, `h2c-` or `tcp-` before it over that; tls-full, tls-hybrid, tls-resume. `none` leaves
    /// the load out. Usually all; with --overload or --scale 1k
    #[arg(long, value_delimiter = ',')]
    cases: Vec<String>,
    /// The programs, in the order of the report
    #[arg(long, value_delimiter = ',', default_value = "weir,haproxy,nginx,caddy,envoy")]
    peers: Vec<String>,
    /// Whether they write an access log
    #[arg(long, default_value = "off")]
    access_log: WithLog,
    /// Requests that may wait under --overload; with fewer than there are clients, the others are refused
    #[arg(long, default_value_t = 4096, value_parser = clap::value_parser!(u32).range(0..=65_535))]
    queue: u32,
    /// Idle connections whose memory is measured; 0 leaves that out
    #[arg(long, default_value_t = 4000, value_parser = clap::value_parser!(u32).range(0..=19_000))]
    idle: u32,
    /// Where the proxies run
    #[arg(long, default_value = "0")]
    proxy_cores: Cores,
    /// Where the origin and the load generator run
    #[arg(long, default_value = "1")]
    load_cores: Cores,
    /// Keep the configurations, and what the programs complained of
    #[arg(long)]
    keep: bool,
    /// The date to put into the report
    #[arg(long)]
    date: Option<String>,
    /// Write everything here, every round included
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write what `weir bench report` makes of the cases in plain HTTP here, and the results that it is made of
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Write the tables here
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WithLog {
    Off,
    On,
    Both,
}

fn main() -> ExitCode {
    let Arguments { command, run } = Arguments::parse();
    let outcome = match command {
        Some(Command::Inject) => injector::main().map(|()| ExitCode::SUCCESS),
        Some(Command::Origin) => origin::objects().map(|()| ExitCode::SUCCESS),
        Some(Command::Handshakes(load)) => handshakes::main(&load).map(|()| ExitCode::SUCCESS),
        None => compare(run),
    };
    outcome.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "against-peers: {error:#}");
        ExitCode::FAILURE
    })
}

/// A signal drops the run, and with it every process that it started.
fn compare(run: Run) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        tokio::select! {
            done = measure(run) => done.map(|()| ExitCode::SUCCESS),
            _ = interrupt.recv() => Ok(ExitCode::from(130)),
            _ = terminate.recv() => Ok(ExitCode::from(143)),
            _ = hang_up.recv() => Ok(ExitCode::from(129)),
        }
    })
}

async fn measure(run: Run) -> anyhow::Result<()> {
    let (json, markdown, directory) = (run.json.clone(), run.markdown.clone(), run.report.clone());
    let started = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let (is_overload, is_scale) = (run.overload, run.scale);
    let bench = Bench::set_up(options(run)?)?;
    let mut findings = Findings::default();
    if is_overload {
        findings.overload = overload::measure_all(&bench).await?;
    } else if is_scale {
        findings.scale = scale::measure_all(&bench).await?;
    } else {
        findings.cases = rounds::compare(&bench).await?;
        if bench.options.idle > 0 {
            findings.idle = idle::measure_all(&bench).await?;
        }
    }
    if let Some(directory) = &directory
        && let Some(results) = results(&bench, &findings.cases, u64::try_from(started.as_millis())?)
    {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        file::write(&directory.join("results.json"), &results)?;
        report::write(directory, &report::report(&[results])?)?;
    }
    let report = Report::new(&bench, findings);
    // A reader that has gone away (`| head`) wants no more of it.
    let _ = std::io::stdout().write_all(report.text().as_bytes());
    write(json.as_deref(), &report.json()?)?;
    write(markdown.as_deref(), &report.markdown())
}

fn options(run: Run) -> anyhow::Result<Options> {
    let usual = if run.overload || run.scale { "1k" } else { USUAL };
    let cases = if run.cases.is_empty() { usual.split(',').map(Into::into).collect() } else { run.cases };
    let named = cases.iter().filter(|case| *case != "none").map(|case| Case::named(case));
    let mut cases: Vec<Case> = Vec::new();
    for case in named.collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?.into_iter().flatten() {
        if !cases.contains(&case) {
            cases.push(case);
        }
    }
    let (mut proxy_cores, mut load_cores) = (run.proxy_cores, run.load_cores);
    if run.scale {
        proxy_cores = proxy_cores.and(&load_cores);
        load_cores = proxy_cores.clone();
    }
    Ok(Options {
        rounds: run.rounds,
        seconds: run.seconds,
        connections: run.connections,
        cases,
        peers: if run.scale { vec![OURS.into()] } else { with_ours(run.peers) },
        access_log: match run.access_log {
            WithLog::Off => AccessLog::Off,
            WithLog::On => AccessLog::On,
            WithLog::Both => AccessLog::Both,
        },
        queue: run.queue,
        idle: run.idle,
        proxy_cores,
        load_cores,
        keep: run.keep,
        date: run.date,
    })
}

fn write(file: Option<&Path>, text: &str) -> anyhow::Result<()> {
    let Some(file) = file else { return Ok(()) };
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// There is nothing to compare the others with where Weir is left out.
fn with_ours(mut peers: Vec<String>) -> Vec<String> {
    if !peers.iter().any(|peer| peer == OURS) {
        peers.insert(0, OURS.into());
    }
    peers
}
