//! Listeners: a bound address, a protocol, and what a client may do there.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderName;
use ipnet::IpNet;

use super::{ListenerTls, Name, Route};

/// A bound address and the routes behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Its key in the file.
    pub name: Name,
    /// At least one; no other listener has any of them.
    pub bind: Vec<SocketAddr>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Whether a connection begins with a PROXY header, which says who the client is. Default no.
    pub proxy_protocol: ProxyHeader,
    /// How TLS is spoken there. Default not at all.
    pub tls: Option<ListenerTls>,
    /// Answer every request with 308 to the same place in https. Default no; never with `tls`.
    pub https_redirect: bool,
    /// What `Strict-Transport-Security` says on every answer over TLS (RFC 6797). Default none.
    pub hsts: Option<Duration>,
    /// The fields that tell servers who a client is by its certificate, on this listener or any other: what a client
    /// itself sends under such a name is dropped. Follows from the `header`s of `client_certificates`, sorted.
    pub subject_fields: Vec<HeaderName>,
    /// The networks whose forwarding fields (`X-Forwarded-*`, `Forwarded`) and PROXY headers are believed.
    /// Default none; with PROXY headers required, at least one.
    pub trusted_proxies: Vec<IpNet>,
    /// Which fields tell the server who the client was.
    pub forwarded: ForwardedFields,
    /// How long a client may take.
    pub timeouts: ListenerTimeouts,
    /// How much a client may send.
    pub limits: ListenerLimits,
    /// What holds for the flows of a UDP listener.
    pub udp: Udp,
    /// The first one that matches decides; a request that none matches gets 404, a connection is closed, a
    /// datagram is dropped.
    pub routes: Vec<Route>,
}

/// What is spoken on a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// HTTP/1.0 and HTTP/1.1.
    #[default]
    Http,
    /// Connections whose bytes are passed on as they are.
    Tcp,
    /// Datagrams, in flows by the client's address.
    Udp,
}

/// Whether a connection begins with a PROXY header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProxyHeader {
    /// It does not; nothing is taken for one.
    #[default]
    Refused,
    /// It does, in version 1 or 2, and comes from a trusted proxy; any other is closed.
    Required,
}

/// What holds for the flows of a UDP listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp {
    /// How long nothing may move before a flow ends. Default 30 s.
    pub idle: Duration,
    /// Flows at once, all workers together; a newcomer beyond is dropped. Default 10,000.
    pub flows: u32,
    /// The answers that each datagram of a client gets; a flow ends when all have come. Default: not known.
    pub answers: Option<u32>,
}

impl Default for Udp {
    fn default() -> Self {
        Self { idle: Duration::from_secs(30), flows: 10_000, answers: None }
    }
}

/// Which fields tell the server who the client was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardedFields {
    /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`. Default on.
    pub x_forwarded: bool,
    /// `Forwarded` (RFC 7239). Default off.
    pub forwarded: bool,
    /// `Via` (RFC 9110 section 7.6.3), both ways. Default off.
    pub via: bool,
}

impl Default for ForwardedFields {
    fn default() -> Self {
        Self { x_forwarded: true, forwarded: false, via: false }
    }
}

/// How long a client may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerTimeouts {
    /// From a connection to the end of its TLS handshake. Default 10 s.
    pub tls_handshake: Duration,
    /// From the first byte of a request's head to its last; 408 after that. Also for a PROXY header and, where
    /// routes ask for its names, a TLS ClientHello, from the connection's beginning. Default 10 s.
    pub request_head: Duration,
    /// Between two pieces of a request's body, and between two pieces of a response that the client takes.
    /// Default 30 s.
    pub body_idle: Duration,
    /// Between two requests on one connection. Default 60 s.
    pub keep_alive: Duration,
    /// A tunnel (WebSocket) or a TCP connection on which nothing moves. Default 1 h.
    pub tunnel_idle: Duration,
}

impl Default for ListenerTimeouts {
    fn default() -> Self {
        Self {
            tls_handshake: Duration::from_secs(10),
            request_head: Duration::from_secs(10),
            body_idle: Duration::from_secs(30),
            keep_alive: Duration::from_secs(60),
            tunnel_idle: Duration::from_secs(3600),
        }
    }
}

/// How much a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerLimits {
    /// Bytes of a request's head, request line included; 431 beyond. Default 16 KiB, 1 KiB to 1 MiB.
    pub request_head_bytes: usize,
    /// Fields in a request's head; 431 beyond. Default 100, 8 to 1000.
    pub request_fields: usize,
    /// Bytes of a request's target; 414 beyond. Default 8 KiB, at most `request_head_bytes`.
    pub uri_bytes: usize,
    /// Bytes of a request's body; 413 beyond. Default 1 TiB: bodies are streamed, never stored.
    pub request_body_bytes: u64,
    /// Requests on one connection before it is closed. Default 1,000,000.
    pub requests_per_connection: u64,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            request_head_bytes: 16 << 10,
            request_fields: 100,
            uri_bytes: 8 << 10,
            request_body_bytes: 1 << 40,
            requests_per_connection: 1_000_000,
        }
    }
}
