//! Handshakes, one for each request, as a process of its own on the load's cores: no load generator says exactly
//! whether it resumes. Every handshake is looked at, and one of another kind is an error.
//!
//! A connection is: TCP, the handshake, a request for an empty answer with `Connection: close`, the answer, the
//! proxy's end.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use rustls::HandshakeKind;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::{Errors, Generators, Job, Load, TIMEOUT, percentile};
use crate::harness::process::quiet;
use crate::harness::stream::ClientStream;
use crate::harness::tls::{Offer, TlsStream};
use crate::peers::case::Handshake;
use crate::peers::client;

/// The name of the subcommand.
pub const COMMAND: &str = "handshakes";

/// The pause of a client after something went wrong.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// What the process is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Arguments {
    /// The proxy
    address: SocketAddr,
    /// Which handshakes
    #[arg(value_enum)]
    kind: Handshake,
    /// Clients at once
    connections: u32,
    /// How long
    seconds: u32,
}

pub(super) async fn run(generators: &Generators, job: &Job<'_>, kind: Handshake) -> anyhow::Result<Load> {
    let mut command = quiet(&std::env::current_exe().context("where is this program?")?);
    command.arg(COMMAND).arg(job.address.to_string()).arg(kind.name());
    command.arg(job.connections.to_string()).arg(job.seconds.to_string());
    let said = generators.ask(command, job.seconds).await?;
    let parsed = serde_json::from_str(&said.text).ok();
    said.results(parsed)
}

/// What the process does: it says its [`Load`] as JSON.
///
/// # Errors
/// With what went wrong first, when no connection went well.
pub fn main(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let load = LocalSet::new().block_on(&runtime, load(arguments))?;
    writeln!(io::stdout(), "{}", serde_json::to_string(&load)?)?;
    Ok(())
}

/// What all clients have found.
#[derive(Debug, Default)]
struct Found {
    microseconds: Vec<u64>,
    errors: Errors,
    first: Option<String>,
}

async fn load(arguments: &Arguments) -> anyhow::Result<Load> {
    let offer = match arguments.kind {
        Handshake::Full => Offer::new().without_tickets(),
        Handshake::Hybrid => Offer::hybrid().without_tickets(),
        Handshake::Resume => Offer::new(),
    };
    let found = Rc::new(RefCell::new(Found::default()));
    let mut clients = Vec::new();
    for _client in 0..arguments.connections {
        let offer = match arguments.kind {
            Handshake::Full | Handshake::Hybrid => offer.clone(),
            Handshake::Resume => {
                let own = offer.with_own_tickets();
                // The first ticket. If there is none, what follows can't be what it should, and is told.
                let _ = connection(arguments.address, &own, HandshakeKind::Full).await;
                own
            }
        };
        clients.push(offer);
    }
    let started = Instant::now();
    let deadline = started + Duration::from_secs(arguments.seconds.into());
    let kind = match arguments.kind {
        Handshake::Full | Handshake::Hybrid => HandshakeKind::Full,
        Handshake::Resume => HandshakeKind::Resumed,
    };
    let clients = clients.into_iter().map(|offer| {
        let found = Rc::clone(&found);
        let address = arguments.address;
        tokio::task::spawn_local(async move {
            while Instant::now() < deadline {
                let began = Instant::now();
                match connection(address, &offer, kind).await {
                    Ok(()) => {
                        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                        found.borrow_mut().microseconds.push(took);
                    }
                    Err(failure) => {
                        found.borrow_mut().fail(&failure);
                        tokio::time::sleep(ERROR_PAUSE).await;
                    }
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let Found { mut microseconds, errors, first } = found.take();
    if let (true, Some(first)) = (microseconds.is_empty(), first) {
        anyhow::bail!("{first}; and so on: {}", errors.describe());
    }
    microseconds.sort_unstable();
    let requests = microseconds.len();
    Ok(Load {
        requests: requests as u64,
        requests_per_second: requests as f64 / seconds,
        p50_ms: percentile(&microseconds, 50) as f64 / 1e3,
        p99_ms: percentile(&microseconds, 99) as f64 / 1e3,
        errors,
        outcome: None,
    })
}

/// Where a connection went wrong, and how.
#[derive(Debug)]
enum Failure {
    Connect(io::Error),
    Handshake(io::Error),
    Kind(Option<HandshakeKind>),
    Exchange(io::Error),
    Timeout,
}

impl Found {
    fn fail(&mut self, failure: &Failure) {
        let (count, text) = match failure {
            Failure::Connect(error) => (&mut self.errors.connect, format!("no connection: {error}")),
            Failure::Handshake(error) => (&mut self.errors.handshake, format!("no handshake: {error}")),
            Failure::Kind(kind) => (&mut self.errors.handshake, format!("not that handshake: {kind:?}")),
            Failure::Exchange(error) => (&mut self.errors.read, format!("no answer: {error}")),
            Failure::Timeout => (&mut self.errors.timeout, "no answer in time".into()),
        };
        *count += 1;
        self.first.get_or_insert(text);
    }
}

/// One connection, from its beginning to its end.
async fn connection(address: SocketAddr, offer: &Offer, kind: HandshakeKind) -> Result<(), Failure> {
    let whole = async {
        let socket = TcpStream::connect(address).await.map_err(Failure::Connect)?;
        // The end of the handshake and the request are one packet.
        let stream = TlsStream::connect(socket, offer).await.map_err(Failure::Handshake)?;
        match stream.handshake() {
            Some(found) if found == kind => {}
            found => return Err(Failure::Kind(found)),
        }
        client::ask_last(&mut ClientStream::Tls(Box::new(stream))).await.map_err(Failure::Exchange)
    };
    timeout(TIMEOUT, whole).await.unwrap_or(Err(Failure::Timeout))
}
