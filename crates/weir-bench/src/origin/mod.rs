//! The built-in origin server: small, honest answers to try and measure a proxy with.
//!
//! | path | answers |
//! |---|---|
//! | `/` and any other | a short page: who answered, and what arrived |
//! | `/healthz` | 200 `ok` |
//! | `/headers` | the request's fields, as JSON |
//! | `/echo` | the request's body, streamed back |
//! | `/size/N` | a body of N bytes, 1 GiB at most |
//! | `/?s=N` | the same; N may end in `k` (KiB) or `m` (MiB) |
//! | `/delay/MS` | the page after MS milliseconds, 60,000 at most |
//! | `/status/CODE` | an empty answer with this status, 200 to 599 |
//!
//! HTTP/1.0 and HTTP/1.1. Connections, heads and idle times are bounded; a request's body is never stored.

mod answer;
mod body;
mod page;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// How long to wait after an `accept` that failed, most likely for lack of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The longest head of a request, in bytes.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// An origin server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// What it calls itself in its answers.
    pub name: String,
    /// Connections at once; the next ones wait in the listener's queue. Default 1024.
    pub connections_max: usize,
    /// From the end of an answer, or from connecting, to the end of the next request's head. Longer than
    /// the 60 s that proxies keep idle connections, so that they are the ones to close. Default 75 s.
    pub head_timeout: Duration,
}

impl Origin {
    /// An origin of this name with every other value at its default.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), connections_max: 1024, head_timeout: Duration::from_secs(75) }
    }

    /// Serves `listener` until the future is dropped, which closes its connections too.
    pub async fn serve(self, listener: TcpListener) -> Infallible {
        let origin = Arc::new(self);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < origin.connections_max.max(1) => {
                    match accepted {
                        Ok((stream, client)) => {
                            connections.spawn(serve_connection(Arc::clone(&origin), stream, client));
                        }
                        Err(_no_files_left) => tokio::time::sleep(ACCEPT_PAUSE).await,
                    }
                }
                // A connection that ended makes room, whatever it ended of.
                Some(_ended) = connections.join_next() => {}
            }
        }
    }
}

async fn serve_connection(origin: Arc<Origin>, stream: TcpStream, client: SocketAddr) {
    // Small answers go out at once; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let origin = Arc::clone(&origin);
        async move { Ok::<_, Infallible>(answer::answer(&origin, client, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(origin.head_timeout)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off is its own affair.
    let _ = served.await;
}
