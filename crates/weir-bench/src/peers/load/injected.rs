//! The load of the built-in injector, `weir bench inject`, as a process of its own: HTTP/1 on connections that are kept,
//! or on one for each request, and HTTP/2 with several requests at once on each connection; plain or in TLS.

use std::time::Duration;

use super::{Errors, Generators, Job, Load, TIMEOUT};
use crate::harness::certificate::HOST;
use crate::harness::injector;
use crate::inject::options::{Mode, Offer, Options, Reuse, Tls, Version};
use crate::inject::outcome::{ErrorKind, Outcome};
use crate::peers::case::Pattern;
use crate::peers::proxies::Front;

/// Requests at once on a connection of HTTP/2.
pub(in crate::peers) const STREAMS: u32 = 10;

/// One connection of HTTP/2 for so many of another load: with [`STREAMS`] of each, there are still more requests at
/// once.
pub(in crate::peers) const CONNECTIONS_DIVISOR: u32 = 4;

pub(super) async fn run(generators: &Generators, job: &Job<'_>) -> anyhow::Result<Load> {
    let stderr = generators.directory.join("inject.stderr");
    let process = injector::start(&options(generators, job)?, &generators.cores, &stderr)?;
    let said = generators.wait("the injector", process, job.seconds).await?;
    let parsed = serde_json::from_str(&said.text).ok().map(load);
    said.results(parsed)
}

fn options(generators: &Generators, job: &Job<'_>) -> anyhow::Result<Options> {
    let Job { address, case, connections, seconds } = job;
    let scheme = match case.front {
        Front::Http | Front::H2c | Front::Tcp => "http",
        Front::Tls => "https",
    };
    let target = format!("{scheme}://{address}{}", case.target()).parse()?;
    let mode = Mode::Closed { users: *connections };
    let duration = Duration::from_secs((*seconds).into());
    let mut options = Options::new(target, mode, duration);
    options.threads = Some(generators.cores.numbers().len());
    options.timeout = TIMEOUT;
    options.tls = Tls {
        insecure: true,
        server_name: Some(HOST.into()),
        resume: true,
        offer: Offer::X25519,
        ..Tls::default()
    };
    match case.pattern {
        Pattern::Kept | Pattern::Handshakes(_) => {}
        Pattern::Close => options.reuse = Reuse::Close,
        Pattern::Streams => {
            let connections = (connections / CONNECTIONS_DIVISOR).max(1);
            options.mode = Mode::Closed { users: connections * STREAMS };
            (options.version, options.streams) = (Version::Http2, STREAMS);
        }
    }
    Ok(options)
}

fn load(outcome: Outcome) -> Load {
    let Outcome { measured, latency, .. } = &outcome;
    let mut errors = Errors::default();
    for kind in ErrorKind::ALL {
        let place = match kind {
            ErrorKind::ConnectRefused
            | ErrorKind::ConnectTimeout
            | ErrorKind::ConnectReset
            | ErrorKind::Unreachable
            | ErrorKind::PortsExhausted
            | ErrorKind::FilesExhausted => &mut errors.connect,
            ErrorKind::Tls => &mut errors.handshake,
            ErrorKind::NoAnswer | ErrorKind::Reset | ErrorKind::Short | ErrorKind::Protocol => {
                &mut errors.read
            }
            ErrorKind::Status => &mut errors.status,
            ErrorKind::Timeout => &mut errors.timeout,
        };
        *place += measured.errors.of(kind);
    }
    let requests = measured.responses + errors.status;
    Load {
        requests,
        requests_per_second: requests as f64 / outcome.measured_seconds.max(f64::MIN_POSITIVE),
        p50_ms: latency.p50_us / 1e3,
        p99_ms: latency.p99_us / 1e3,
        errors,
        outcome: Some(Box::new(outcome)),
    }
}
