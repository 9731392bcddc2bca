//! A response's body on its way to the client, and the end of the exchange.
//!
//! the session takes the body with the response and drops it when the last byte is in its hands, or when the
//! client is gone. That drop is the end of the exchange: the connection goes back to its pool if both bodies
//! ended, the lease is given up, the record is written.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::Exchange;
use super::body::Progress;
use super::failure::Failure;
use crate::session::watchdog::Wait;
use crate::upstream::connection::{BodyError, Connection};
use crate::worker::local::Lease;

/// A response's body as the client's connection sends it.
pub(crate) struct ResponseBody {
    content: Content,
    /// `None` where the exchange goes on as a tunnel.
    exchange: Option<Box<Exchange>>,
}

enum Content {
    /// Ours, still to be sent.
    Local(Option<Bytes>),
    /// A server's.
    Relayed(Relayed),
}

/// A server's response whose body is under way.
pub(crate) struct Relayed {
    /// `None` once it broke off.
    pub(crate) connection: Option<Connection>,
    pub(crate) lease: Lease,
    pub(crate) request_body: Progress,
    /// The longest pause between two pieces of the body.
    pub(crate) idle: Duration,
}

/// The response broke off: the client's connection is ended, so that it can't take it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokeOff;

impl ResponseBody {
    pub(crate) fn local(body: Bytes, exchange: Box<Exchange>) -> Self {
        Self { content: Content::Local(Some(body).filter(|body| !body.is_empty())), exchange: Some(exchange) }
    }

    pub(crate) fn relayed(relayed: Relayed, exchange: Box<Exchange>) -> Self {
        Self { content: Content::Relayed(relayed), exchange: Some(exchange) }
    }

    /// The empty body of a 101.
    pub(crate) fn tunnel() -> Self {
        Self { content: Content::Local(None), exchange: None }
    }

    /// Whether a server answers, who may still be taking the request's body.
    pub(crate) fn is_relayed(&self) -> bool {
        matches!(self.content, Content::Relayed(_))
    }

    /// It will not be asked for more for a while: holds as little as can be.
    pub(crate) fn settle(&mut self) {
        if let Content::Relayed(Relayed { connection: Some(connection), .. }) = &mut self.content {
            connection.settle();
        }
    }
}

impl Relayed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
        let session = exchange.session();
        let polled = connection.poll_frame(session, cx);
        if polled.is_pending()
            && let Some(failure) = self.request_body.take_failure()
        {
            exchange.failed(failure);
            self.connection = None;
            return Poll::Ready(Some(Err(BrokeOff)));
        }
        if polled.is_pending() {
            session.watchdog.begin(Wait::ServerSends, self.idle);
            if !session.watchdog.poll_expired(Wait::ServerSends, cx) {
                return Poll::Pending;
            }
        }
        session.watchdog.end(Wait::ServerSends);
        let failure = match polled {
            Poll::Ready(Some(Ok(frame))) => {
                exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(BodyError::Truncated))) => Failure::UpstreamBodyBroken,
            Poll::Ready(Some(Err(BodyError::Malformed(violation)))) => Failure::UpstreamMalformed(violation),
            Poll::Ready(Some(Err(BodyError::Protocol(reason)))) => Failure::UpstreamProtocol(reason),
            Poll::Ready(Some(Err(BodyError::Reset(reason)))) => Failure::UpstreamBodyReset(reason),
            Poll::Pending => Failure::UpstreamBodyTimeout,
        };
        exchange.server_failed(&failure);
        exchange.failed(failure);
        self.connection = None;
        Poll::Ready(Some(Err(BrokeOff)))
    }

    fn is_end_stream(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_end_stream)
    }

    /// The body is over or given up.
    fn end(&mut self, exchange: &mut Exchange) {
        exchange.received(self.request_body.bytes());
        let complete = self.is_end_stream();
        if complete {
            self.lease.server.server.status.succeeded();
        } else {
            exchange.abandoned();
        }
        let Some(connection) = self.connection.take() else { return };
        connection.rest(complete && self.request_body.ended(), &self.lease.server.idle);
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let this = self.get_mut();
        match (&mut this.content, &mut this.exchange) {
            (Content::Relayed(relayed), Some(exchange)) => relayed.poll_frame(cx, exchange),
            (Content::Local(body), exchange) => {
                let body = body.take();
                if let (Some(body), Some(exchange)) = (&body, exchange) {
                    exchange.sent(body.len());
                }
                Poll::Ready(body.map(|body| Ok(Frame::data(body))))
            }
            (Content::Relayed(_), None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Local(body) => body.is_none(),
            Content::Relayed(relayed) => relayed.is_end_stream(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Content::Relayed(relayed), Some(exchange)) = (&mut self.content, &mut self.exchange) {
            relayed.end(exchange);
        }
    }
}
