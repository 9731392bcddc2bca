//! An HTTP session: park, serve, park again, until somebody closes.
//!
//! While no request is under way for a while, a session is a socket and this future: the guard's and hyper's
//! buffers are given back, and made again when the next byte arrives.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use ::http::StatusCode;
use bytes::BytesMut;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::watchdog::Wait;
use super::{Downstream, Session};
use crate::exchange::{self, failure::Failure, respond};
use crate::guarded::{self, Guarded};
use crate::worker::local::{Local, LocalListener};

/// After the drain began, how long a client with an idle connection may still send one more request.
const IDLE_GRACE: Duration = Duration::from_secs(1);
/// After our last byte, how long and how much we still read: closing a socket with unread bytes would reset
/// it, and the client might never see the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// Serves one client connection to its end.
pub(crate) async fn serve(
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    socket: TcpStream,
    peer: SocketAddr,
) {
    let session = Rc::new(Session::new(local, listener, peer));
    // The first request has the time of a request's head; the next ones that of keep-alive.
    let first = session.listener().listener.config.timeouts.request_head;
    session.watchdog.begin(Wait::KeepAlive, first);
    let _untangle = Untangle(Rc::clone(&session));
    let mut socket = socket;
    // What a parked session does not need is boxed: a future is as large as the largest thing it awaits.
    loop {
        let Some(first) = parked(&session, &socket).await else { return };
        match Box::pin(busy(&session, socket, first)).await {
            End::Idle(parked) => socket = parked,
            End::Closed => return,
            End::Unread(socket) => return Box::pin(linger(&session, socket)).await,
            End::Refused(failure, socket) => return Box::pin(refuse(&session, failure, socket)).await,
            End::Tunnel(socket, early) => {
                let tunnel = session.tunnel.borrow_mut().take();
                match tunnel {
                    Some(tunnel) => return Box::pin(tunnel.run(&session, socket, early)).await,
                    None => return,
                }
            }
        }
    }
}

/// A tunnel that was prepared and never run holds its session, which holds it: let go of it at the end.
struct Untangle(Rc<Session>);

impl Drop for Untangle {
    fn drop(&mut self) {
        let tunnel = self.0.tunnel.borrow_mut().take();
        drop(tunnel);
    }
}

/// How a stretch of requests ended.
enum End {
    /// Nothing is under way; the socket may be parked.
    Idle(TcpStream),
    /// The connection is over.
    Closed,
    /// The connection is over, but the client may still be sending.
    Unread(TcpStream),
    /// The client's last bytes can't be served; it is to be told why.
    Refused(Failure, TcpStream),
    /// A 101 was written: what comes now is somebody else's protocol.
    Tunnel(TcpStream, BytesMut),
}

/// Waits for the next request's first bytes with nothing but the socket. `None`: close it.
async fn parked(session: &Session, socket: &TcpStream) -> Option<BytesMut> {
    let watchdog = &session.watchdog;
    let mut attention = std::pin::pin!(session.local.attention.notified());
    let mut ending = false;
    poll_fn(|cx| {
        // A fresh socket counts as readable until a read says otherwise; so read, into the worker's scratch.
        while socket.poll_read_ready(cx).is_ready() {
            let scratch = &mut *session.local.scratch.borrow_mut();
            match socket.try_read(scratch) {
                Ok(0) => return Poll::Ready(None),
                Ok(n) => return Poll::Ready(Some(BytesMut::from(&scratch[..n]))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(None),
            }
        }
        while attention.as_mut().poll(cx).is_ready() {
            attention.set(session.local.attention.notified());
        }
        if !ending && session.should_end() {
            ending = true;
            watchdog.end(Wait::KeepAlive);
            watchdog.begin(Wait::KeepAlive, IDLE_GRACE);
        }
        if watchdog.poll_expired(Wait::KeepAlive, cx) { Poll::Ready(None) } else { Poll::Pending }
    })
    .await
}

/// Serves requests until the connection is over or has been idle for a while.
/// `first` has been read of them already.
async fn busy(session: &Rc<Session>, socket: TcpStream, first: BytesMut) -> End {
    let service = {
        let session = Rc::clone(session);
        service_fn(move |request| exchange::handle(Rc::clone(&session), request))
    };
    let io = TokioIo::new(Guarded::resumed(socket, Downstream::new(Rc::clone(session)), first));
    let listener = session.listener();
    let limits = &listener.listener.config.limits;
    let mut builder = http1::Builder::new();
    builder
        .half_close(false)
        .max_header_size(guarded::HYPER_HEAD_BYTES)
        .max_buf_size(guarded::hyper_buffer_bytes(limits.request_head_bytes));
    if let Some(fields) = guarded::hyper_fields(limits.request_fields) {
        builder.max_headers(fields);
    }
    drop(listener); // a session may outlive its listener's configuration
    let mut connection = builder.serve_connection(io, service);
    let watchdog = &session.watchdog;
    let why = poll_fn(|cx| {
        if let Poll::Ready(ended) = Pin::new(&mut connection).poll(cx) {
            return Poll::Ready(match ended {
                Ok(()) => Why::Ended,
                Err(error) => Why::Failed(error),
            });
        }
        if watchdog.poll_expired(Wait::ClientReads, cx) {
            session.client_stuck.set(true);
            return Poll::Ready(Why::ClientStuck);
        }
        if watchdog.poll_expired(Wait::RequestHead, cx) {
            return Poll::Ready(Why::HeadTimeout);
        }
        if session.is_idle()
            && (watchdog.poll_expired(Wait::Park, cx) || watchdog.poll_expired(Wait::KeepAlive, cx))
        {
            return Poll::Ready(Why::Idle);
        }
        Poll::Pending
    })
    .await;
    watchdog.end(Wait::Park);
    let parts = connection.into_parts();
    let io = parts.io.into_inner();
    let empty = io.is_empty() && parts.read_buf.is_empty();
    let mid_message = !io.side.framing.at_boundary();
    let (socket, rest) = io.into_parts();
    // A head that can't be served: hyper has not seen it, and whatever came before it is answered.
    if let Some(violation) = session.head_refused.take() {
        return End::Refused(Failure::DownstreamMalformed(violation), socket);
    }
    match why {
        Why::Idle if empty => End::Idle(socket),
        Why::Idle => End::Unread(socket),
        Why::Ended if session.tunnel.borrow().is_some() => {
            let mut early = BytesMut::from(parts.read_buf.as_ref());
            early.extend_from_slice(&rest);
            End::Tunnel(socket, early)
        }
        Why::Ended if empty && !mid_message => End::Closed,
        Why::Ended => End::Unread(socket),
        Why::ClientStuck => {
            // Reset it: what the kernel still holds for this client would be held for minutes more.
            let _ = socket2::SockRef::from(&socket).set_linger(Some(Duration::ZERO));
            End::Closed
        }
        Why::HeadTimeout => End::Refused(Failure::DownstreamHeadTimeout, socket),
        Why::Failed(error) => {
            tracing::debug!(peer = %session.peer, %error, "session ended");
            if session.body_refused().is_some() { End::Unread(socket) } else { End::Closed }
        }
    }
}

enum Why {
    Ended,
    Failed(hyper::Error),
    Idle,
    HeadTimeout,
    ClientStuck,
}

/// Answers a request that is no exchange, because its head never was whole or sound.
async fn refuse(session: &Rc<Session>, failure: Failure, mut socket: TcpStream) {
    let answer = respond::raw(&failure);
    let status = failure.status();
    exchange::log_refused(session, failure);
    let written = session.watchdog.within(Wait::Linger, LINGER, socket.write_all(&answer)).await;
    if matches!(written, Ok(Ok(()))) && status != StatusCode::REQUEST_TIMEOUT {
        linger(session, socket).await;
    }
}

/// Says that no more will come, and takes what the client still sends, within bounds.
async fn linger(session: &Session, mut socket: TcpStream) {
    if socket.shutdown().await.is_err() {
        return;
    }
    let mut scratch = [0; 4096];
    let drain = async {
        let mut left = LINGER_BYTES_MAX;
        while let Ok(n) = socket.read(&mut scratch).await {
            if n == 0 || n > left {
                break;
            }
            left -= n;
        }
    };
    let _ = session.watchdog.within(Wait::Linger, LINGER, drain).await;
}
