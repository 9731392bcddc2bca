//! The admin server: one address, a bounded number of connections, each a task of the main thread.
//!
//! It ends in one of two ways: retired, when the address is left (each connection ends with the answer it is
//! at), or stopped at once.

mod connection;
mod talk;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::rc::Weak;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::operator::Operator;

/// Connections at once; the next ones wait in the socket's queue.
const CONNECTIONS_MAX: usize = 256;
/// Connections that may wait in the socket's queue.
const BACKLOG: i32 = 256;
/// How long a connection that has ended may take to close.
const LINGER: Duration = Duration::from_secs(1);
/// Between two tries to accept while the system has no files left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One address that is served.
pub(crate) struct Server {
    bind: SocketAddr,
    address: SocketAddr,
    mode: watch::Sender<Mode>,
    task: JoinHandle<()>,
}

/// What the connections of a server are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Serve,
    /// End with the answer they are at.
    Retire,
    Stop,
}

/// Binds the admin address. What anybody else has is refused; our own socket at `left`, which is about to be
/// left, is not in the way (127.0.0.1:9000 becomes 0.0.0.0:9000).
pub(crate) fn bind(address: SocketAddr, left: Option<SocketAddr>) -> io::Result<TcpListener> {
    match bind_socket(address, false) {
        Err(error)
            if error.kind() == io::ErrorKind::AddrInUse
                && left.is_some_and(|left| left.port() == address.port()) =>
        {
            bind_socket(address, true)
        }
        bound => bound,
    }
}

fn bind_socket(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?; // [::] is everywhere, whatever the system's default
    }
    socket.bind(&address.into())?;
    // From now on the next one of ours may bind beside it; another process asks without, and is refused.
    socket.set_reuse_port(true)?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

impl Server {
    /// Serves `listener`, which was bound for `bind`.
    pub(crate) fn spawn(bind: SocketAddr, listener: TcpListener, operator: Weak<Operator>) -> Self {
        let (mode, changes) = watch::channel(Mode::Serve);
        let address = listener.local_addr().unwrap_or(bind);
        let task = tokio::task::spawn_local(accept(listener, operator, changes));
        Self { bind, address, mode, task }
    }

    /// As configured.
    pub(crate) fn bind(&self) -> SocketAddr {
        self.bind
    }

    /// As the kernel gave it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts no more; what has begun is answered.
    pub(crate) fn retire(&self) {
        self.mode.send_replace(Mode::Retire);
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends every connection at once.
    pub(crate) async fn stop(self) {
        self.mode.send_replace(Mode::Stop);
        if self.task.await.is_err() {
            tracing::error!("the admin server ended by a defect in Weir");
        }
    }
}

async fn accept(listener: TcpListener, operator: Weak<Operator>, mut mode: watch::Receiver<Mode>) {
    let mut connections = JoinSet::new();
    let mut ordered = mode.clone();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((socket, _)) => {
                    connections.spawn_local(connection::serve(socket, operator.clone(), mode.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "admin connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => ended.unwrap_or_else(|_| report_defect()),
            _ = ordered.wait_for(|mode| *mode != Mode::Serve) => break,
        }
    }
    drop(listener);
    tokio::select! {
        () = all_ended(&mut connections) => {}
        _ = mode.wait_for(|mode| *mode == Mode::Stop) => connections.shutdown().await,
    }
}

async fn all_ended(connections: &mut JoinSet<()>) {
    while let Some(ended) = connections.join_next().await {
        ended.unwrap_or_else(|_| report_defect());
    }
}

fn report_defect() {
    tracing::error!("an admin connection ended by a defect in Weir; please report it");
}

/// Says that no more will come, in TLS, too (RFC 8446 section 6.1), to a client that sends no more.
async fn close<S: AsyncWrite + Unpin>(mut socket: S) {
    let _ = tokio::time::timeout(LINGER, socket.shutdown()).await; // it may be gone already
}

/// Says that no more will come, and takes what the client still sends, within bounds: closing a socket with
/// unread bytes would reset it, and the client might never see the answer (RFC 9112 section 9.6).
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut socket: S) {
    const LINGER_BYTES_MAX: u64 = 1 << 20;

    if tokio::time::timeout(LINGER, socket.shutdown()).await.is_ok_and(|done| done.is_ok()) {
        let mut rest = socket.take(LINGER_BYTES_MAX);
        let drain = async {
            let mut scratch = [0; 4096];
            while rest.read(&mut scratch).await.is_ok_and(|n| n > 0) {}
        };
        let _ = tokio::time::timeout(LINGER, drain).await; // whoever still sends has been told
    }
}
