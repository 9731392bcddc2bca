//! Everything that can go wrong with an exchange, named for whose doing it is, and the one table that says
//! what the client is told and what the access log says.

use std::fmt;

use h2::Reason;
use http::StatusCode;

use crate::framing::Violation;

/// Why an exchange did not go as it should.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client's request is not sound HTTP, or is over a limit.
    #[error("the request was refused: {0}")]
    DownstreamMalformed(Violation),
    /// The method is for a kind of proxy that Weir is not.
    #[error("the method CONNECT is served by routes alone that name it (match.method)")]
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

    /// The client of a TCP listener that looks into TLS sent something else.
    #[error("the client's first bytes are no TLS ClientHello")]
    DownstreamHello,
    /// The client of a TCP listener that looks into TLS took too long.
    #[error("the client did not send its TLS ClientHello in time (timeouts.request_head)")]
    DownstreamHelloTimeout,

    /// The server did not accept a connection.
    #[error("no connection to the server: {0}")]
    UpstreamConnect(std::io::Error),
    /// The server did not accept a connection in time.
    #[error("no connection to the server in time (timeouts.connect)")]
    UpstreamConnectTimeout,
    /// The server and we did not agree on TLS, or it is not whom its certificate must be for.
    #[error("no TLS with the server: {0}")]
    UpstreamTls(String),
    /// The server closed the connection without an answer.
    #[error("the server closed the connection without an answer")]
    UpstreamNoAnswer,
    /// The server's answer broke off within its head.
    #[error("the server closed the connection within the head of its answer")]
    UpstreamTruncated,
    /// The server's answer is not sound HTTP/1.
    #[error("the server's answer was refused: {0}")]
    UpstreamMalformed(Violation),
    /// What the server sent is not sound HTTP/2.
    #[error("the server's HTTP/2 was refused: {0}")]
    UpstreamProtocol(Reason),
    /// The server reset the request's stream.
    #[error("the server reset the request without an answer: {0}")]
    UpstreamReset(Reason),
    /// The server would not look at the request.
    #[error("the server refused the request (REFUSED_STREAM)")]
    UpstreamRefused,
    /// The server was closing its connection when the request came.
    #[error("the server was closing the connection when the request came (GOAWAY)")]
    UpstreamGoneAway,
    /// The server speaks HTTP/2 and takes no WebSocket over it.
    #[error("the server takes no WebSocket over HTTP/2 (SETTINGS_ENABLE_CONNECT_PROTOCOL)")]
    UpstreamNoTunnel,
    /// The server's answer did not begin in time.
    #[error("the server did not begin its answer in time (timeouts.response)")]
    UpstreamTimeout,
    /// The server stopped taking the request.
    #[error("the server stopped taking the request's body (timeouts.body_idle)")]
    UpstreamStuck,
    /// The server's answer broke off within its body.
    #[error("the server's answer broke off within its body")]
    UpstreamBodyBroken,
    /// The server reset its answer's stream.
    #[error("the server reset its answer within its body: {0}")]
    UpstreamBodyReset(Reason),
    /// The server's answer stopped within its body.
    #[error("the server stopped sending its answer's body (timeouts.body_idle)")]
    UpstreamBodyTimeout,

    /// The server broke a connection that is passed on.
    #[error("the server broke the connection off")]
    UpstreamCut,
    /// The server is expected to answer a datagram, and did not.
    #[error("the server did not answer (udp.idle)")]
    UpstreamSilent,

    /// Nothing moved in a tunnel, or on a TCP connection, for too long.
    #[error("nothing moved (timeouts.tunnel_idle)")]
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
    /// The process stops or the listener is gone, and the time for what was under way is up.
    #[error("cut off: the listener is gone or the process stops (timeouts.drain)")]
    LocalCut,
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
    grpc: GrpcStatus,
    code: EndCode,
    after: After,
}

/// What a gRPC client is told: the codes of `grpc-status` that a proxy has a use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum GrpcStatus {
    Cancelled = 1,
    DeadlineExceeded = 4,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
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
    /// The table: what the client is told, in HTTP and in gRPC, the end code, and what else follows.
    fn row(&self) -> Row {
        use After::{Nothing, ServerBlamed, SessionEnds};
        use GrpcStatus::{
            Cancelled, DeadlineExceeded, Internal, ResourceExhausted, Unavailable, Unimplemented,
        };
        let (status, grpc, code, after) = match self {
            Self::DownstreamMalformed(violation) => {
                let status = violation.status();
                let grpc = if status == StatusCode::BAD_REQUEST { Internal } else { ResourceExhausted };
                (status, grpc, b"CR", SessionEnds)
            }
            Self::DownstreamMethod => (StatusCode::METHOD_NOT_ALLOWED, Unimplemented, b"PR", Nothing),
            Self::DownstreamHeaderBytes => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, ResourceExhausted, b"PR", Nothing)
            }
            Self::DownstreamProtocol => (StatusCode::NOT_IMPLEMENTED, Unimplemented, b"PR", Nothing),
            Self::DownstreamTarget => (StatusCode::BAD_REQUEST, Internal, b"CR", Nothing),
            Self::DownstreamHeadTimeout => {
                (StatusCode::REQUEST_TIMEOUT, DeadlineExceeded, b"cR", SessionEnds)
            }
            Self::DownstreamBodyTimeout => {
                (StatusCode::REQUEST_TIMEOUT, DeadlineExceeded, b"cD", SessionEnds)
            }
            Self::DownstreamStuck => (CLIENT_CLOSED_REQUEST, Cancelled, b"cD", SessionEnds),
            Self::DownstreamGone => (CLIENT_CLOSED_REQUEST, Cancelled, b"CD", SessionEnds),
            Self::DownstreamHello => (StatusCode::BAD_REQUEST, Internal, b"CR", SessionEnds),
            Self::DownstreamHelloTimeout => {
                (StatusCode::REQUEST_TIMEOUT, DeadlineExceeded, b"cR", SessionEnds)
            }
            Self::UpstreamConnect(_) | Self::UpstreamTls(_) => {
                (StatusCode::BAD_GATEWAY, Unavailable, b"SC", ServerBlamed)
            }
            Self::UpstreamConnectTimeout => (StatusCode::GATEWAY_TIMEOUT, Unavailable, b"sC", ServerBlamed),
            Self::UpstreamNoAnswer | Self::UpstreamTruncated | Self::UpstreamReset(_) => {
                (StatusCode::BAD_GATEWAY, Unavailable, b"SH", ServerBlamed)
            }
            Self::UpstreamMalformed(_) | Self::UpstreamProtocol(_) => {
                (StatusCode::BAD_GATEWAY, Internal, b"SH", ServerBlamed)
            }
            // No fault: a server may refuse what it has no room for, and close its connections.
            Self::UpstreamRefused | Self::UpstreamGoneAway => {
                (StatusCode::BAD_GATEWAY, Unavailable, b"SH", Nothing)
            }
            Self::UpstreamNoTunnel => (StatusCode::BAD_GATEWAY, Unimplemented, b"SH", Nothing),
            Self::UpstreamTimeout => (StatusCode::GATEWAY_TIMEOUT, DeadlineExceeded, b"sH", ServerBlamed),
            Self::UpstreamStuck => (StatusCode::GATEWAY_TIMEOUT, DeadlineExceeded, b"sR", ServerBlamed),
            Self::UpstreamBodyBroken | Self::UpstreamBodyReset(_) => {
                (StatusCode::BAD_GATEWAY, Unavailable, b"SD", ServerBlamed)
            }
            Self::UpstreamBodyTimeout => (StatusCode::GATEWAY_TIMEOUT, DeadlineExceeded, b"sD", ServerBlamed),
            // Some servers close that way.
            Self::UpstreamCut => (StatusCode::BAD_GATEWAY, Unavailable, b"SD", Nothing),
            Self::UpstreamSilent => (StatusCode::GATEWAY_TIMEOUT, DeadlineExceeded, b"sH", ServerBlamed),
            Self::TunnelIdle => (StatusCode::GATEWAY_TIMEOUT, DeadlineExceeded, b"cD", Nothing),
            Self::LocalHeaderBytes => (StatusCode::SERVICE_UNAVAILABLE, ResourceExhausted, b"PR", Nothing),
            Self::LocalNoRoute => (StatusCode::NOT_FOUND, Unimplemented, b"PR", Nothing),
            Self::LocalNoServer => (StatusCode::SERVICE_UNAVAILABLE, Unavailable, b"SC", Nothing),
            Self::LocalCut => (StatusCode::SERVICE_UNAVAILABLE, Unavailable, b"PD", Nothing),
            Self::LocalQueueFull => (StatusCode::SERVICE_UNAVAILABLE, ResourceExhausted, b"PQ", Nothing),
            Self::LocalQueueTimeout => (StatusCode::SERVICE_UNAVAILABLE, Unavailable, b"pQ", Nothing),
        };
        Row { status, grpc, code: EndCode(*code), after }
    }

    /// What a gRPC client is told.
    pub(crate) fn grpc_status(&self) -> GrpcStatus {
        self.row().grpc
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
