//! `weir bench inject`: words to a load, a line each second while it lasts, and what came of it at its end.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use weir_bench::inject::options::{Ending, Expected, Mode, Offer, Reuse, Tls, Version};
use weir_bench::inject::{self, Target};

use super::live::Live;
use super::summary;
use crate::logging::print;

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER)]
pub(crate) struct Options {
    /// What is asked for, one after the other; all of one scheme, host and port
    #[arg(value_name = "URL", required = true)]
    targets: Vec<Target>,
    /// Users of a closed loop, each of whom asks again when he has his answer. With --rate: the most requests at once
    #[arg(short, long, value_name = "COUNT", default_value_t = 64)]
    users: u32,
    /// An open loop: so many requests a second, whatever the answers do; latencies count from when each was to come
    #[arg(short, long, value_name = "PER_SECOND")]
    rate: Option<f64>,
    /// One request a connection, as HTTP/1.0 has it
    #[arg(short, long, conflicts_with = "requests_per_connection")]
    close: bool,
    /// So many requests a connection; usually as many as the target lets it carry
    #[arg(long, value_name = "COUNT")]
    requests_per_connection: Option<u32>,
    /// What is spoken: 1.0, 1.1 or 2
    #[arg(long, value_name = "VERSION", default_value = "1.1", value_parser = version)]
    http: Version,
    /// With HTTP/2: requests at once on each connection, of which there are users / streams
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    streams: u32,
    /// The measured time, like 10s, 500ms or 2m
    #[arg(short, long, value_name = "TIME", default_value = "10s", value_parser = span)]
    duration: Duration,
    /// Full load before that, which is not measured
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    warm_up: Duration,
    /// Before that, the time in which users or the rate grow from nothing to all
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = span)]
    ramp_up: Duration,
    /// End after so many requests, those of the warm-up included
    #[arg(short = 'n', long, value_name = "COUNT")]
    requests: Option<u64>,
    /// Threads; usually one on each core that it may use (taskset)
    #[arg(short, long, value_name = "COUNT")]
    threads: Option<usize>,
    /// Addresses of this machine to come from, in turn
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    source: Vec<IpAddr>,
    /// How long a connection, and an answer, may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = span)]
    timeout: Duration,
    /// A field for each request
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// The statuses that are answers; all others are errors
    #[arg(long, value_name = "FROM-TO", default_value = "200-399", value_parser = expected)]
    expect: Expected,
    /// End connections with a reset. It leaves nothing in TIME_WAIT, but no client does it
    #[arg(long)]
    reset: bool,
    /// Certificates in PEM to trust instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust any certificate
    #[arg(short = 'k', long, conflicts_with = "ca")]
    insecure: bool,
    /// The name to ask for in TLS, and to verify, instead of the URL's host
    #[arg(long, value_name = "NAME")]
    server_name: Option<String>,
    /// Resume TLS sessions; usually every connection has a full handshake
    #[arg(long)]
    resume: bool,
    /// What is offered in TLS: what the library does, or TLS 1.3 with one suite and x25519 or its hybrid with ML-KEM alone,
    /// so that targets have no choice and can be compared
    #[arg(long, value_name = "WHAT", default_value = "usual")]
    tls_offer: TlsOffer,
    /// Where `weir bench origin` behind the target tells what it has done, so that it is seen when that is the limit
    #[arg(long, value_name = "URL")]
    origin_stats: Option<Target>,
    /// Write what came of it as JSON; `-` is standard output, instead of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// No lines while it lasts
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum TlsOffer {
    Usual,
    X25519,
    Hybrid,
}

const AFTER: &str = "\
Only answers that are whole and have an expected status are in rates and latencies; all else is counted by kind.
The first line of the result says what the limit was. Where it was the injector or the origin, the figures are not the
target's, and the exit status is 3.";

/// The exit status of figures that are not the target's.
const NOT_THE_TARGET: u8 = 3;

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    let cancelled = Arc::new(AtomicBool::new(false));
    listen_for_the_end(&cancelled)?;
    let load = load(options);
    let mut live = Live::new(&load, options.quiet, Arc::clone(&cancelled));
    let outcome = inject::run(&load, &mut live);
    live.finish();
    let outcome = outcome?;
    let is_json_printed = options.json.as_ref().is_some_and(|file| file.as_os_str() == "-");
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&outcome)? + "\n";
        if is_json_printed {
            print(&text);
        } else {
            std::fs::write(file, text).with_context(|| format!("can't write {}", file.display()))?;
        }
    }
    if !is_json_printed {
        print(&summary::text(&outcome));
    }
    Ok(if outcome.limit.is_meaningful() { ExitCode::SUCCESS } else { ExitCode::from(NOT_THE_TARGET) })
}

/// A signal ends the run, with what came of it until then; the second one ends the program.
pub(super) fn listen_for_the_end(cancelled: &Arc<AtomicBool>) -> anyhow::Result<()> {
    let cancelled = Arc::clone(cancelled);
    let listen = move || -> anyhow::Result<()> {
        crate::run::runtime()?.block_on(async {
            let mut stop = crate::run::Stop::new()?;
            stop.requested().await;
            cancelled.store(true, Ordering::Relaxed);
            stop.requested().await;
            std::process::exit(130)
        })
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).context("can't listen for signals")?;
    Ok(())
}

fn load(options: &Options) -> inject::Options {
    let mode = match options.rate {
        None => Mode::Closed { users: options.users },
        Some(rate) => Mode::Open { rate, users_max: options.users },
    };
    let reuse = match (options.close, options.requests_per_connection) {
        (true, _) => Reuse::Close,
        (false, Some(count)) => Reuse::Requests(count),
        (false, None) => Reuse::KeepAlive,
    };
    inject::Options {
        targets: options.targets.clone(),
        mode,
        reuse,
        version: options.http,
        streams: options.streams,
        fields: options.fields.clone(),
        ramp_up: options.ramp_up,
        warm_up: options.warm_up,
        duration: options.duration,
        requests_max: options.requests,
        threads: options.threads,
        sources: options.source.clone(),
        timeout: options.timeout,
        expect: options.expect,
        ending: if options.reset { Ending::Reset } else { Ending::Fin },
        tls: Tls {
            ca: options.ca.clone(),
            insecure: options.insecure,
            server_name: options.server_name.clone(),
            resume: options.resume,
            offer: match options.tls_offer {
                TlsOffer::Usual => Offer::Usual,
                TlsOffer::X25519 => Offer::X25519,
                TlsOffer::Hybrid => Offer::Hybrid,
            },
        },
        origin_stats: options.origin_stats.clone(),
    }
}

fn version(text: &str) -> Result<Version, String> {
    match text {
        "1.0" => Ok(Version::Http10),
        "1.1" | "1" => Ok(Version::Http11),
        "2" => Ok(Version::Http2),
        _ => Err("it is 1.0, 1.1 or 2".into()),
    }
}

/// A time such as `500ms`, `10s`, `2m` or `1h`, as in the configuration file.
fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|last: char| last.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is like 500ms, 10s, 2m or 1h".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "a time is like 500ms, 10s, 2m or 1h")?;
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(|| "it is too long".into())
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a field is like `x-name: value`")?;
    Ok((name.trim().into(), value.trim().into()))
}

fn expected(text: &str) -> Result<Expected, String> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let status = |text: &str| text.parse().ok().filter(|status| (100..=599).contains(status));
    match (status(from), status(to)) {
        (Some(from), Some(to)) if from <= to => Ok(Expected { from, to }),
        _ => Err("it is a status, or a range like 200-399".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_statuses_are_read() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "10", "s", "-1s", "1d", "99999999999999999999s", "9999999999999999h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert_eq!(expected("404"), Ok(Expected { from: 404, to: 404 }));
        assert!(expected("99").is_err() && expected("300-200").is_err() && expected("x").is_err());
        assert_eq!(field("a: b:c"), Ok(("a".into(), "b:c".into())));
    }
}
