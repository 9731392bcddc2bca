//! `weir bench origin`: serves until a signal, and says at its end what it has done.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use weir_bench::objects::{self, Server, TlsFiles};

use crate::logging::say;

/// How often the threads are looked at.
const PULSE: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
#[command(after_help = after_help())]
pub(crate) struct Options {
    /// Where it listens; with port 0 it says which one it got
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8000")]
    bind: SocketAddr,
    /// Threads, each with a listener of its own; usually one on each core that it may use
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Connections at once; the next ones wait in the listeners' queues
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    connections: u32,
    /// Seconds for which a connection may do nothing; longer than a proxy keeps its idle ones
    #[arg(long, value_name = "SECONDS", default_value_t = 75, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    idle: u32,
    /// Serve in TLS, with this certificate (PEM, with what is between it and its root)
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
}

fn after_help() -> String {
    format!(
        "What is asked for stands in the query, whatever the path, such as `/?s=64k&t=10`:\n{}\n\
         `/stats` tells as JSON what it has done, thread by thread, and what that took.",
        objects::parameters()
    )
}

pub(crate) fn main(options: &Options) -> anyhow::Result<ExitCode> {
    // What can be opened at once is not for the soft limit to say.
    weir_bench::harness::raise_files_limit().context("can't raise the limit on open files")?;
    let tls = match (&options.certificate, &options.key) {
        (Some(certificate), Some(key)) => {
            Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })
        }
        (Some(_), None) | (None, Some(_)) | (None, None) => None,
    };
    let server = Server::start(&objects::Options {
        threads: options.threads.map(usize::from),
        connections_max: options.connections as usize,
        idle: Duration::from_secs(options.idle.into()),
        tls,
        ..objects::Options::new(options.bind)
    })?;
    let scheme = if options.certificate.is_some() { "https" } else { "http" };
    say(&format!("origin: serving {scheme}://{}/ on {} threads", server.address(), server.threads()));
    crate::run::runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut pulse = tokio::time::interval(PULSE);
        loop {
            tokio::select! {
                _ = terminate.recv() => return Ok::<_, anyhow::Error>(()),
                _ = interrupt.recv() => return Ok(()),
                _ = pulse.tick() => anyhow::ensure!(!server.is_broken(), "a thread of the origin has ended"),
            }
        }
    })?;
    let sum = server.stats().sum();
    say(&format!(
        "origin: {} connections, {} requests, {} bytes sent, {:.2} s of processor time",
        sum.connections,
        sum.requests,
        sum.bytes_sent,
        sum.run_ns as f64 / 1e9
    ));
    Ok(ExitCode::SUCCESS)
}
