//! A response's body on its way to the client, and the end of the exchange.
//!
//! hyper takes the body with the response and drops it when the last byte is in its hands, or when the
//! client is gone. That drop is the end of the exchange: the connection goes back to its pool if both bodies
//! ended, the lease is given up, the record is written.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::Exchange;
use super::body::Progress;
use super::failure::Failure;
use crate::framing::Violation;
use crate::session::watchdog::Wait;
use crate::upstream::connection::Connection;
use crate::worker::local::Lease;

/// A response's body as hyper sends it.
pub(crate) struct ResponseBody {
    content: Content,
    /// `None` where the exchange goes on as a tunnel.
    exchange: Option<Exchange>,
}

enum Content {
    /// Ours, still to be sent.
    Local(Option<Bytes>),
    /// A server's.
    Relayed(Box<Relayed>),
}

/// A server's response whose body is under way.
pub(crate) struct Relayed {
    pub(crate) incoming: Incoming,
    pub(crate) connection: Option<Box<Connection>>,
    /// The end has gone to hyper; of a chunked body, `incoming` does not know it.
    pub(crate) ended: bool,
    pub(crate) lease: Lease,
    pub(crate) request_body: Progress,
    /// The longest pause between two pieces of the body.
    pub(crate) idle: Duration,
}

/// The response broke off: hyper ends the client's connection, so that it can't take it for whole.
#[derive(Debug, thiserror::Error)]
#[error("the response broke off")]
pub(crate) struct BrokeOff;

impl ResponseBody {
    pub(crate) fn local(body: Bytes, exchange: Exchange) -> Self {
        Self { content: Content::Local(Some(body).filter(|body| !body.is_empty())), exchange: Some(exchange) }
    }

    pub(crate) fn relayed(relayed: Relayed, exchange: Exchange) -> Self {
        Self { content: Content::Relayed(Box::new(relayed)), exchange: Some(exchange) }
    }

    /// The empty body of a 101.
    pub(crate) fn tunnel() -> Self {
        Self { content: Content::Local(None), exchange: None }
    }
}

impl Relayed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        exchange: &mut Exchange,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let mut polled = Pin::new(&mut self.incoming).poll_frame(cx);
        if polled.is_pending()
            && let Some(connection) = &mut self.connection
        {
            // Nothing at hand: read more. Asked again at once, hyper's channel needs no second wake-up.
            connection.poll(cx);
            polled = Pin::new(&mut self.incoming).poll_frame(cx);
        }
        let session = exchange.session();
        match polled {
            Poll::Ready(Some(Ok(frame))) => {
                session.watchdog.end(Wait::ServerSends);
                exchange.sent(frame.data_ref().map_or(0, Bytes::len));
                self.ended = frame.is_trailers(); // hyper does not ask for more after them
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                session.watchdog.end(Wait::ServerSends);
                self.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(_))) => {
                session.watchdog.end(Wait::ServerSends);
                let failure = match self.connection.as_ref().and_then(|connection| connection.refused()) {
                    None | Some(Violation::Truncated) => Failure::UpstreamBodyBroken,
                    Some(violation) => Failure::UpstreamMalformed(violation),
                };
                self.break_off(exchange, failure)
            }
            Poll::Pending => {
                session.watchdog.begin(Wait::ServerSends, self.idle);
                if session.watchdog.poll_expired(Wait::ServerSends, cx) {
                    session.watchdog.end(Wait::ServerSends);
                    return self.break_off(exchange, Failure::UpstreamBodyTimeout);
                }
                Poll::Pending
            }
        }
    }

    fn break_off(
        &mut self,
        exchange: &mut Exchange,
        failure: Failure,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        exchange.server_failed(&failure);
        exchange.failed(failure);
        self.connection = None;
        Poll::Ready(Some(Err(BrokeOff)))
    }

    /// The body is over or given up.
    fn end(&mut self, exchange: &mut Exchange) {
        let complete = self.ended || self.incoming.is_end_stream();
        exchange.received(self.request_body.bytes());
        if complete {
            self.lease.server.server.status.succeeded();
        } else {
            exchange.abandoned();
        }
        let Some(mut connection) = self.connection.take() else { return };
        if connection.rest() && complete && self.request_body.ended() {
            self.lease.server.idle.put(connection);
        }
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
            Content::Relayed(relayed) => relayed.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Local(body) => SizeHint::with_exact(body.as_ref().map_or(0, Bytes::len) as u64),
            Content::Relayed(relayed) => relayed.incoming.size_hint(),
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
