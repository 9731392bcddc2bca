//! The origin of benchmarks, `weir bench origin`: objects of any size from memory, as httpterm has them.
//!
//! It is to be faster than whatever stands before it, so that it is never what is measured: HTTP/1.0 and 1.1, a thread
//! on each core with a listener of its own, answers that are made once, one read and one write a request. It tells what
//! it has done, and what that took, at `/stats`. What it serves is in [`parameters`]. For people, and for what a proxy
//! changes in a request, there is [`crate::origin`]; this one looks at nothing but the target and the framing.
//!
//! Connections, heads and idle times are bounded; a request's body is never stored.

mod answer;
mod connection;
mod counters;
mod listen;
mod request;
#[cfg(test)]
mod tests;
mod wish;
mod worker;

pub use counters::{SCHEMA, Stats, ThreadStats, VERSION};
pub(crate) use wish::bytes;
pub use wish::parameters;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::harness::cores::Cores;
use counters::AllCounters;
use worker::Worker;

/// How an origin is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where it listens; port 0 is one that is free.
    pub bind: SocketAddr,
    /// Threads; none is one on each core that this process may use.
    pub threads: Option<usize>,
    /// Connections at once, over all threads; the next ones wait in the listeners' queues.
    pub connections_max: usize,
    /// How long a connection may do nothing.
    pub idle: Duration,
    /// What it shows in TLS; with none it is plain.
    pub tls: Option<TlsFiles>,
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those between it and its root.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Options {
    /// One at this address, and every other value at its default.
    pub fn new(bind: SocketAddr) -> Self {
        Self { bind, threads: None, connections_max: 100_000, idle: Duration::from_secs(75), tls: None }
    }
}

/// Why there is no origin.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// The address is taken, not this machine's, or not allowed.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file of TLS can't be used.
    #[error("can't use {}: {why}", file.display())]
    File {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Threads can't be started.
    #[error("can't start the origin's threads: {0}")]
    Threads(io::Error),
}

/// An origin that serves. It ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    all: Arc<AllCounters>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<()>>>,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// When it can't listen, can't read its files or can't start its threads.
    pub fn start(options: &Options) -> Result<Self, OriginError> {
        let cores = Cores::allowed().map_err(OriginError::Threads)?;
        let count = options.threads.unwrap_or(cores.numbers().len()).max(1);
        let tls = options.tls.as_ref().map(server_config).transpose()?;
        let (address, listeners) = listen::listen(options.bind, count)
            .map_err(|source| OriginError::Bind { address: options.bind, source })?;
        let all = Arc::new(AllCounters::new(count));
        let mut server = Self { address, all, stop: Arc::default(), threads: Vec::new() };
        for (number, listener) in listeners.into_iter().enumerate() {
            let worker = Worker {
                number,
                listener,
                tls: tls.clone(),
                all: Arc::clone(&server.all),
                connections_max: options.connections_max.div_ceil(count).max(1),
                idle: options.idle,
                stop: Arc::clone(&server.stop),
            };
            // A thread on each core stays there; fewer or more go where there is room.
            let core = (count == cores.numbers().len()).then(|| Cores::of(cores.numbers()[number]));
            let thread = std::thread::Builder::new().name(format!("origin-{number}")).spawn(move || {
                if let Some(core) = core {
                    core.pin()?;
                }
                worker.serve()
            });
            server.threads.push(thread.map_err(OriginError::Threads)?);
        }
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        self.all.read()
    }

    /// Whether a thread has ended, which none should.
    pub fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn server_config(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, OriginError> {
    let refused = |file: &PathBuf, why: String| OriginError::File { file: file.clone(), why };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| refused(&files.certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(refused(&files.certificate, "there is no certificate in it".into()));
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| refused(&files.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
    let mut config = config.map_err(|error| refused(&files.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec(), b"http/1.0".to_vec()];
    config.ticketer =
        rustls::crypto::aws_lc_rs::Ticketer::new().map_err(|error| refused(&files.key, error.to_string()))?;
    Ok(Arc::new(config))
}
