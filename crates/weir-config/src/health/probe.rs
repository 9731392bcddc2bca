//! One probe: a fresh connection, what the check asks of it, and a close; all within `check.timeout`.
//!
//! Nothing is kept or reused between probes, so a probe sees what a new connection would see. Runs on any
//! tokio runtime with I/O and time, and spawns nothing: dropping the future ends the probe.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::{Passed, ProbeError, ProbeOutcome, grpc_probe, http_probe, http2_probe};
use crate::model::{Check, CheckKind, PoolProtocol};
use crate::tls::PoolTls;

/// How much of a greeting is read before the connection is closed, in bytes.
const GREETING_BYTES_MAX: usize = 4 << 10;

/// How TLS is spoken to a server that is probed.
#[derive(Debug, Clone)]
pub struct ProbeTls {
    /// The pool's.
    pub tls: Arc<PoolTls>,
    /// Whom the server's certificate must be for.
    pub name: ServerName<'static>,
}

/// Probes `target` once, at the check's own port if it has one. `default_host` is the `Host` field of a
/// check without one: the server's address as the file has it. `protocol` is what an HTTP probe speaks that says
/// nothing of its own: the pool's.
///
/// # Errors
/// Why the server did not pass. Takes `check.timeout` at most, from connecting to the verdict; after it, an
/// HTTP probe may take another 100 ms to let the answer end.
pub async fn probe(
    check: &Check,
    target: SocketAddr,
    default_host: &str,
    protocol: PoolProtocol,
    tls: Option<&ProbeTls>,
) -> ProbeOutcome {
    let deadline = Instant::now() + check.timeout;
    let target = SocketAddr::new(target.ip(), check.port.unwrap_or(target.port()));
    let mut stream = match timeout_at(deadline, TcpStream::connect(target)).await {
        Ok(connected) => connected.map_err(|error| connect_error(&error))?,
        Err(_elapsed) => return Err(ProbeError::ConnectTimeout),
    };
    if check.port.is_none() {
        // A few bytes, which a new connection takes at once; whether it does shows in what follows.
        let _ = stream.write_all(check.proxy_protocol.own_header()).await;
    }
    let Some(ProbeTls { tls, name }) = tls.filter(|_| check.tls) else {
        return ask(check, stream, Scheme::HTTP, default_host, protocol, deadline).await;
    };
    let connecting = TlsConnector::from(Arc::clone(&tls.check)).connect(name.clone(), stream);
    match timeout_at(deadline, connecting).await {
        Ok(Ok(stream)) => ask(check, stream, Scheme::HTTPS, default_host, protocol, deadline).await,
        Ok(Err(error)) => Err(tls_error(&error)),
        Err(_elapsed) => Err(ProbeError::Timeout),
    }
}

/// Asks what the check wants to know, on a connection that is ready for it.
async fn ask(
    check: &Check,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    scheme: Scheme,
    default_host: &str,
    protocol: PoolProtocol,
    deadline: Instant,
) -> ProbeOutcome {
    match &check.kind {
        CheckKind::Tcp => {
            close(stream).await;
            Ok(Passed { status: None })
        }
        CheckKind::Http(http) => match http.protocol.unwrap_or(protocol) {
            PoolProtocol::Http1 => http_probe::probe(http, stream, default_host, deadline).await,
            PoolProtocol::Http2 => http2_probe::probe(http, stream, scheme, default_host, deadline).await,
        },
        CheckKind::Grpc(grpc) => grpc_probe::probe(grpc, stream, scheme, default_host, deadline).await,
    }
}

fn tls_error(error: &io::Error) -> ProbeError {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ProbeError::Tls("the server closed the connection within the handshake".into());
    }
    ProbeError::Tls(error.to_string())
}

fn connect_error(error: &io::Error) -> ProbeError {
    let kind = error.kind();
    if kind == io::ErrorKind::ConnectionRefused {
        ProbeError::ConnectRefused
    } else if kind == io::ErrorKind::TimedOut {
        // The kernel gave up before the check did.
        ProbeError::ConnectTimeout
    } else {
        ProbeError::Connect(kind)
    }
}

/// Closes with a FIN: a server that greets (SMTP, SSH) would be sent a reset if its greeting stayed unread.
async fn close(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    // Whether the other side minds is not part of the check.
    let _ = stream.shutdown().await;
    let mut greeting = [0; GREETING_BYTES_MAX];
    let _ = timeout(Duration::ZERO, stream.read(&mut greeting)).await; // what is there, without waiting
}
