//! A connection to a server as an exchange has it, whatever is spoken on it: one request out, one response back.
//!
//! In HTTP/1 it is the exchange's own connection; in HTTP/2 it is one stream of a connection that exchanges share.

use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use h2::Reason;
use http_body::Frame;
use weir_config::model::PoolTimeouts;

use super::http1::Http1;
use super::http2::Stream;
use super::idle::Idle;
use super::tunnel::TunnelEnd;
use crate::exchange::body::{Progress, RequestBody};
use crate::framing::Violation;
use crate::head::{RequestHead, ResponseHead};
use crate::session::Session;
use crate::session::watchdog::Wait;

/// One exchange's way to a server and back.
pub(crate) enum Connection {
    Http1(Box<Http1>),
    Http2(Box<Stream>),
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The connection was gone before a byte of the request was written.
    NotSent,
    /// The server closed or reset the connection without a byte of an answer.
    NoAnswer,
    /// The server's answer broke off within its head.
    Truncated,
    /// The server's answer is not sound.
    Malformed(Violation),
    /// What the server sent is not sound HTTP/2.
    Protocol(Reason),
    /// The server reset the request's stream before it answered.
    Reset(Reason),
    /// The server said that it has not looked at this one request (RFC 9113 section 8.7).
    Refused,
    /// The server is about to close the connection, and said that it has not looked at the request.
    GoneAway,
    /// The server does not take WebSocket over HTTP/2 (RFC 8441 section 3).
    NoTunnel,
    /// The server took too long to take the request or to begin its answer.
    TimedOut(Wait),
    /// The client did not send the rest of its request; see [`RequestBody`].
    Client,
}

/// Why a response's body ends early.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The server closed or reset the connection.
    Truncated,
    /// What the server sent is not sound HTTP/1.
    Malformed(Violation),
    /// What the server sent is not sound HTTP/2.
    Protocol(Reason),
    /// The server reset the stream.
    Reset(Reason),
}

/// Whether an answer is not waited for any longer: the client has failed, or the server takes too long to take the
/// request or, once that is `sent`, to begin its answer.
pub(super) fn poll_given_up(
    session: &Session,
    request: &Progress,
    sent: bool,
    timeouts: &PoolTimeouts,
    cx: &Context<'_>,
) -> Poll<SendError> {
    if request.failed() {
        return Poll::Ready(SendError::Client);
    }
    if sent {
        session.watchdog.begin(Wait::Response, timeouts.response);
    }
    for wait in [Wait::Response, Wait::ServerReads] {
        if session.watchdog.poll_expired(wait, cx) {
            return Poll::Ready(SendError::TimedOut(wait));
        }
    }
    Poll::Pending
}

impl Connection {
    /// Sends a request and waits for the head of the answer. The rest of the request goes on while the answer's
    /// body is read ([`poll_frame`](Self::poll_frame)).
    ///
    /// # Errors
    /// See [`SendError`]; the connection is of no use after one.
    pub(crate) async fn send(
        &mut self,
        session: &Session,
        head: &RequestHead,
        body: RequestBody,
        timeouts: &PoolTimeouts,
    ) -> Result<ResponseHead, SendError> {
        match self {
            Self::Http1(connection) => connection.send(session, head, body, timeouts).await,
            // Boxed: the future of an exchange in HTTP/1 has no room for it.
            Self::Http2(stream) => Box::pin(stream.send(session, head, body, timeouts)).await,
        }
    }

    /// The next piece of the answer's body. Sends what is left of the request, too.
    pub(crate) fn poll_frame(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self {
            Self::Http1(connection) => connection.poll_frame(session, cx),
            Self::Http2(stream) => stream.poll_frame(session, cx),
        }
    }

    /// Nothing will be asked of it for a while: holds as little as can be.
    pub(crate) fn settle(&mut self) {
        match self {
            Self::Http1(connection) => connection.settle(),
            Self::Http2(_) => {} // what has come is within the stream's window, and is copied by nobody
        }
    }

    /// Whether the answer's body has ended.
    pub(crate) fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_end_stream(),
            Self::Http2(stream) => stream.is_end_stream(),
        }
    }

    /// Whether the answer has opened a tunnel.
    pub(crate) fn is_tunnel(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.is_tunnel(),
            Self::Http2(stream) => stream.is_tunnel(),
        }
    }

    /// Whether an exchange was here before this one.
    pub(crate) fn is_reused(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.reused,
            Self::Http2(stream) => stream.reused,
        }
    }

    /// The exchange is over, `whole` being whether request and response both ended. A connection that can serve
    /// another goes to `idle`.
    pub(crate) fn rest(self, whole: bool, idle: &Idle) {
        match self {
            Self::Http1(mut connection) => {
                if connection.rest() && whole {
                    idle.put(connection);
                }
            }
            // A stream that did not end is reset when it is dropped; its connection does not mind.
            Self::Http2(stream) => drop(stream),
        }
    }

    /// The server's end of a tunnel after a 101, with what the server has sent of its new protocol.
    pub(crate) fn into_tunnel(self) -> (TunnelEnd, BytesMut) {
        match self {
            Self::Http1(connection) => {
                let (socket, early) = connection.into_tunnel();
                (TunnelEnd::Socket(socket), early)
            }
            Self::Http2(stream) => (TunnelEnd::Stream(Box::new(stream.into_tunnel())), BytesMut::new()),
        }
    }
}
