//! The client's end as an exchange sees it, whatever the client speaks.

use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;

use super::client::Client;
use super::http2::Stream;
use crate::framing::Violation;
use crate::wire::Arena;

/// The client's end of an exchange.
#[expect(
    clippy::large_enum_variant,
    reason = "an HTTP/1 session is one allocation; a stream's is there anyway"
)]
pub(crate) enum Downstream {
    /// A connection.
    Http1(Client),
    /// A stream of a connection that has many.
    Http2(Box<Stream>),
}

impl Downstream {
    /// Whether the present request has been read to its end.
    pub(crate) fn request_ended(&self) -> bool {
        match self {
            Self::Http1(client) => client.request_ended(),
            Self::Http2(stream) => stream.request_ended(),
        }
    }

    /// The next piece of the present request's body; `Truncated` when the client is gone.
    pub(crate) fn poll_body(
        &self,
        arena: &Arena,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Violation>>> {
        match self {
            Self::Http1(client) => client.poll_body(arena, cx),
            Self::Http2(stream) => stream.poll_body(cx),
        }
    }

    /// Nothing will be asked of it for a while: holds as little as can be.
    pub(crate) fn settle(&self) {
        match self {
            Self::Http1(client) => client.settle(),
            Self::Http2(_) => {} // what it holds is bounded by its window
        }
    }

    /// The connection, if it is one.
    pub(super) fn http1(&self) -> Option<&Client> {
        match self {
            Self::Http1(client) => Some(client),
            Self::Http2(_) => None,
        }
    }
}
