//! One probe: a fresh connection, what the check asks of it, and a close; all within `check.timeout`.
//!
//! Nothing is kept or reused between probes, so a probe sees what a new connection would see. Runs on any
//! tokio runtime with I/O and time, and spawns nothing: dropping the future ends the probe.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::{Passed, ProbeError, ProbeOutcome, http_probe};
use crate::model::{Check, CheckKind};

/// How much of a greeting is read before the connection is closed, in bytes.
const GREETING_BYTES_MAX: usize = 4 << 10;

/// Probes `target` once, at the check's own port if it has one. `default_host` is the `Host` field of a
/// check without one: the server's address as the file has it.
///
/// # Errors
/// Why the server did not pass. Takes `check.timeout` at most, from connecting to the verdict; after it, an
/// HTTP probe may take another 100 ms to let the answer end.
pub async fn probe(check: &Check, target: SocketAddr, default_host: &str) -> ProbeOutcome {
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
    match &check.kind {
        CheckKind::Tcp => {
            close(stream).await;
            Ok(Passed { status: None })
        }
        CheckKind::Http(http) => http_probe::probe(http, stream, default_host, deadline).await,
    }
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
async fn close(mut stream: TcpStream) {
    // Whether the other side minds is not part of the check.
    let _ = stream.shutdown().await;
    let mut greeting = [0; GREETING_BYTES_MAX];
    let _ = stream.try_read(&mut greeting);
}
