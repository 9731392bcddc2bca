//! A session that has become a tunnel: bytes both ways until the server has ended, or both sides have, or
//! nothing moves.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::client::Client;
use super::http2::Stream;
use super::watchdog::{Wait, Watchdog};
use super::{Downstream, Session};
use crate::exchange::Exchange;
use crate::wire::Socket;
use crate::worker::local::Lease;

/// The server's end of a tunnel, ready to be joined to the client's.
pub(crate) struct Tunnel {
    pub(crate) upstream: Socket,
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
        let (received, sent) = (Cell::new(0), Cell::new(0));
        let watchdog = &session.watchdog;
        let (client_ended, server_ended) = (Cell::new(false), Cell::new(false));
        let (socket, early) = match &session.client {
            Downstream::Http1(client) => (ClientEnd::Http1(client), client.take_stash()),
            Downstream::Http2(stream) => (ClientEnd::Http2(stream), BytesMut::new()),
        };
        let mut client = Watched { socket, early, watchdog, read: &received, ended: &client_ended };
        let mut server =
            Watched { socket: upstream, early: from_server, watchdog, read: &sent, ended: &server_ended };
        {
            let mut copy = pin!(copy_bidirectional(&mut client, &mut server));
            poll_fn(|cx| {
                if copy.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                // A client that has ended may still wait for the server's last words. A server that has ended
                // has no use for the client's.
                let idle = if client_ended.get() { timeouts.body_idle } else { timeouts.tunnel_idle };
                watchdog.begin(Wait::Tunnel, idle);
                if server_ended.get() {
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
        }
        exchange.add_bytes(received.get(), sent.get());
        drop(lease);
    }
}

/// After the server has ended, how long a client may take its last bytes.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A socket that tells the watchdog when something moves.
struct Watched<'a, S> {
    socket: S,
    early: BytesMut,
    watchdog: &'a Watchdog,
    read: &'a Cell<u64>,
    ended: &'a Cell<bool>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let outcome = if this.early.is_empty() {
            let read = Pin::new(&mut this.socket).poll_read(cx, buf);
            if read.is_ready() && buf.filled().len() == before {
                this.ended.set(true);
                this.watchdog.end(Wait::Tunnel); // another limit holds from now on
            }
            read
        } else {
            let n = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early[..n]);
            this.early.advance(n);
            Poll::Ready(Ok(()))
        };
        let moved = buf.filled().len() - before;
        if moved > 0 {
            this.read.set(this.read.get() + moved as u64);
            this.watchdog.end(Wait::Tunnel);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        if written.is_ready() {
            this.watchdog.end(Wait::Tunnel);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// The client's end, which stays with its session.
enum ClientEnd<'a> {
    Http1(&'a Client),
    Http2(&'a Stream),
}

impl AsyncRead for ClientEnd<'_> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match *self {
            Self::Http1(client) => client.with_socket(|socket| Pin::new(socket).poll_read(cx, buf)),
            Self::Http2(stream) => stream.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for ClientEnd<'_> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match *self {
            Self::Http1(client) => client.with_socket(|socket| Pin::new(socket).poll_write(cx, bytes)),
            Self::Http2(stream) => stream.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {
            Self::Http1(client) => client.with_socket(|socket| Pin::new(socket).poll_flush(cx)),
            Self::Http2(_) => Poll::Ready(Ok(())), // its connection writes by itself
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {
            Self::Http1(client) => client.with_socket(|socket| Pin::new(socket).poll_shutdown(cx)),
            Self::Http2(stream) => Poll::Ready(stream.end()),
        }
    }
}
