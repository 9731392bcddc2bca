//! Everything that can go wrong with an exchange, named for whose doing it is, and the one table that says
//! what the client is told and what the access log says.

use std::fmt;

use http::StatusCode;

use crate::framing::Violation;

/// Why an exchange did not go as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client's request is not sound HTTP, or is over a limit.
    #[error("the request was refused: {0}")]
    DownstreamMalformed(Violation),
    /// The method is for a kind of proxy that Weir is not.
    #[error("the method CONNECT is not served here")]
    DownstreamMethod,
    /// The request's target can't be made sense of.
    #[error("the request's target is not a valid path")]
    DownstreamTarget,
    /// The client has more header bytes under way than one connection may.
    #[error(
        "the fields of all requests under way on the connection are larger than the limit (http2.header_bytes)"
    )]
    DownstreamHeaderBytes,
    /// The protocol of an extended CONNECT is not served.
    #[error("the protocol of the extended CONNECT is not served here")]
    DownstreamProtocol,
    /// The client took too long to send its request's head.
    #[error("the client did not send the head of its request in time (timeouts.request_head)")]
    DownstreamHeadTimeout,
    /// The client took too long to send the next piece of its request's body.
    #[error("the client stopped sending its request's body (timeouts.body_idle)")]
    DownstreamBodyTimeout,
    /// The client took too long to take the next piece of the response.
    #[error("the client stopped taking the response (timeouts.body_idle)")]
    DownstreamStuck,
    /// The client closed or reset the connection before the exchange was over.
    #[error("the client went away")]
    DownstreamGone,

    /// The server did not accept a connection.
    #[error("no connection to the server: {0}")]
    UpstreamConnect(std::io::Error),
    /// The server did not accept a connection in time.
    #[error("no connection to the server in time (timeouts.connect)")]
    UpstreamConnectTimeout,
    /// The server closed the connection without an answer.
    #[error("the server closed the connection without an answer")]
    UpstreamNoAnswer,
    /// The server's answer broke off within its head.
    #[error("the server closed the connection within the head of its answer")]
    UpstreamTruncated,
    /// The server's answer is not sound HTTP/1.
    #[error("the server's answer was refused: {0}")]
    UpstreamMalformed(Violation),
    /// The server's answer did not begin in time.
    #[error("the server did not begin its answer in time (timeouts.response)")]
    UpstreamTimeout,
    /// The server stopped taking the request.
    #[error("the server stopped taking the request's body (timeouts.body_idle)")]
    UpstreamStuck,
    /// The server's answer broke off within its body.
    #[error("the server's answer broke off within its body")]
    UpstreamBodyBroken,
    /// The server's answer stopped within its body.
    #[error("the server stopped sending its answer's body (timeouts.body_idle)")]
    UpstreamBodyTimeout,

    /// Nothing moved in a tunnel for too long.
    #[error("nothing moved in the tunnel (timeouts.tunnel_idle)")]
    TunnelIdle,

    /// All clients have more header bytes under way than a worker may hold.
    #[error(
        "the fields of all HTTP/2 requests under way are larger than the limit (limits.http2_header_bytes)"
    )]
    LocalHeaderBytes,
    /// No route of the listener matches.
    #[error("no route matches")]
    LocalNoRoute,
    /// No server of the pool can be used.
    #[error("no server of the pool is up and ready")]
    LocalNoServer,
    /// Every server is at its limit, and so is the queue.
    #[error("every server is at its limit and the queue is full (limits.queue)")]
    LocalQueueFull,
    /// No server had room in time.
    #[error("no server had room in time (timeouts.queue)")]
    LocalQueueTimeout,
}

/// Two letters of the access log: who ended the exchange, and in which phase. The letters are HAProxy's:
/// `C` the client, `S` the server, `P` the proxy, in lower case when it was a timeout; then `R` the request,
/// `Q` the queue, `C` the connection, `H` the response's head, `D` its body. `--`: all went well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndCode(pub(crate) [u8; 2]);

impl EndCode {
    /// All went well.
    pub(crate) const OK: Self = Self(*b"--");
}

impl fmt::Debug for EndCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0[0] as char, self.0[1] as char)
    }
}

/// A row of the table of failures.
struct Row {
    status: StatusCode,
    code: EndCode,
    after: After,
}

/// What a failure means beyond its own exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing.
    Nothing,
    /// The client's connection can't be used after the answer.
    SessionEnds,
    /// The server is to blame: its row of failures grows.
    ServerBlamed,
}

impl Failure {
    /// The table: what the client is told, the end code, and what else follows.
    fn row(&self) -> Row {
        use After::{Nothing, ServerBlamed, SessionEnds};
        let (status, code, after) = match self {
            Self::DownstreamMalformed(violation) => (violation.status(), b"CR", SessionEnds),
            Self::DownstreamMethod => (StatusCode::METHOD_NOT_ALLOWED, b"PR", Nothing),
            Self::DownstreamHeaderBytes => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, b"PR", Nothing),
            Self::DownstreamProtocol => (StatusCode::NOT_IMPLEMENTED, b"PR", Nothing),
            Self::DownstreamTarget => (StatusCode::BAD_REQUEST, b"CR", Nothing),
            Self::DownstreamHeadTimeout => (StatusCode::REQUEST_TIMEOUT, b"cR", SessionEnds),
            Self::DownstreamBodyTimeout => (StatusCode::REQUEST_TIMEOUT, b"cD", SessionEnds),
            Self::DownstreamStuck => (CLIENT_CLOSED_REQUEST, b"cD", SessionEnds),
            Self::DownstreamGone => (CLIENT_CLOSED_REQUEST, b"CD", SessionEnds),
            Self::UpstreamConnect(_) => (StatusCode::BAD_GATEWAY, b"SC", ServerBlamed),
            Self::UpstreamConnectTimeout => (StatusCode::GATEWAY_TIMEOUT, b"sC", ServerBlamed),
            Self::UpstreamNoAnswer | Self::UpstreamTruncated | Self::UpstreamMalformed(_) => {
                (StatusCode::BAD_GATEWAY, b"SH", ServerBlamed)
            }
            Self::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, b"sH", ServerBlamed),
            Self::UpstreamStuck => (StatusCode::GATEWAY_TIMEOUT, b"sR", ServerBlamed),
            Self::UpstreamBodyBroken => (StatusCode::BAD_GATEWAY, b"SD", ServerBlamed),
            Self::UpstreamBodyTimeout => (StatusCode::GATEWAY_TIMEOUT, b"sD", ServerBlamed),
            Self::TunnelIdle => (StatusCode::GATEWAY_TIMEOUT, b"cD", Nothing),
            Self::LocalHeaderBytes => (StatusCode::SERVICE_UNAVAILABLE, b"PR", Nothing),
            Self::LocalNoRoute => (StatusCode::NOT_FOUND, b"PR", Nothing),
            Self::LocalNoServer => (StatusCode::SERVICE_UNAVAILABLE, b"SC", Nothing),
            Self::LocalQueueFull => (StatusCode::SERVICE_UNAVAILABLE, b"PQ", Nothing),
            Self::LocalQueueTimeout => (StatusCode::SERVICE_UNAVAILABLE, b"pQ", Nothing),
        };
        Row { status, code: EndCode(*code), after }
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.row().status
    }

    /// The end code of the access log.
    pub(crate) fn end_code(&self) -> EndCode {
        self.row().code
    }

    /// Whether the server is to blame, for its row of failures.
    pub(crate) fn is_servers_fault(&self) -> bool {
        self.row().after == After::ServerBlamed
    }

    /// Whether the client's connection can't be used after the answer.
    pub(crate) fn ends_session(&self) -> bool {
        self.row().after == After::SessionEnds
    }
}

/// What the access log says where no answer could be given: nginx's "client closed request".
pub(crate) const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => panic!("499 is a status code"),
};
