//! A session that has become a tunnel: bytes both ways until the server has ended, or both sides have, or
//! nothing moves.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Session;
use super::client::Client;
use super::relay::{Relay, Stream};
use super::watchdog::Wait;
use crate::exchange::Exchange;
use crate::upstream::tunnel::TunnelEnd;
use crate::worker::local::Lease;

/// The server's end of a tunnel, ready to be joined to the client's.
pub(crate) struct Tunnel {
    pub(crate) upstream: TunnelEnd,
    /// What the server has sent already.
    pub(crate) early: BytesMut,
    pub(crate) exchange: Box<Exchange>,
    pub(crate) lease: Lease,
}

impl Tunnel {
    /// Joins both ends.
    pub(crate) async fn run(self, session: &Rc<Session>) {
        let Self { upstream, early: from_server, mut exchange, lease } = self;
        let listener = session.listener();
        let timeouts = listener.listener.config.timeouts.clone();
        listener.counters().tunnels.add(1);
        exchange.release_view(); // a tunnel outlives configurations
        drop(listener);
        let watchdog = &session.watchdog;
        let from_client = session.client.take_stash();
        let mut relay = Relay::new(ClientSocket(&session.client), &from_client, upstream, &from_server);
        drop((from_client, from_server));
        poll_fn(|cx| {
            let mut moved = false;
            if relay.poll(&session.local, &mut moved, cx).is_ready() {
                return Poll::Ready(());
            }
            if moved {
                watchdog.end(Wait::Tunnel);
            }
            // A client that has ended may still wait for the server's last words. A server that has ended
            // has no use for the client's.
            let idle = if relay.client.ended { timeouts.body_idle } else { timeouts.tunnel_idle };
            watchdog.begin(Wait::Tunnel, idle);
            if relay.server.ended {
                watchdog.begin(Wait::Linger, LAST_WORDS);
                if watchdog.poll_expired(Wait::Linger, cx) {
                    return Poll::Ready(());
                }
            }
            if watchdog.poll_expired(Wait::Tunnel, cx) {
                exchange.timed_out();
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
        exchange.add_bytes(relay.client.read_bytes, relay.server.read_bytes);
        drop(lease);
    }
}

/// After the server has ended, how long a client may take its last bytes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The client's end, which stays with its session.
struct ClientSocket<'a>(&'a Client);

impl Stream for ClientSocket<'_> {
    fn plain(&self) -> Option<&TcpStream> {
        None // it is lent for a moment at a time
    }
}

impl AsyncRead for ClientSocket<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.0.with_socket(|socket| Pin::new(socket).poll_read(cx, buf))
    }
}

impl AsyncWrite for ClientSocket<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.with_socket(|socket| Pin::new(socket).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with_socket(|socket| Pin::new(socket).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.with_socket(|socket| Pin::new(socket).poll_shutdown(cx))
    }
}
