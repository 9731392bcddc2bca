//! Listeners.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::Route;
use crate::codec::{
    AGE, BIND, Bool, Field, List, NET, Number, OneOrMany, Optional, Placed, Section, SizeOf, TIME, Words,
    field, nested,
};
use crate::model::{
    ForwardedFields, ListenerLimits, ListenerTimeouts, ListenerTls, Protocol, ProxyHeader, Udp,
};
use crate::tree::At;

/// One listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener {
    pub(crate) bind: Vec<At<SocketAddr>>,
    pub(crate) protocol: Protocol,
    pub(crate) tls: Option<At<ListenerTls>>,
    pub(crate) https_redirect: At<bool>,
    pub(crate) hsts: Option<At<Duration>>,
    pub(crate) proxy_protocol: At<ProxyHeader>,
    pub(crate) trusted_proxies: Vec<At<IpNet>>,
    pub(crate) forwarded: At<ForwardedFields>,
    pub(crate) timeouts: ListenerTimeouts,
    pub(crate) limits: At<ListenerLimits>,
    pub(crate) udp: At<Udp>,
    pub(crate) routes: Vec<At<Route>>,
}

impl Section for Listener {
    const WHAT: &'static str = "listener";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "bind", bind, OneOrMany(Placed(BIND)), "The addresses to listen on; no two listeners share one. Port 0: one that is free."),
        field!("protocol", protocol, PROTOCOL, "What is spoken there."),
        field!(
            "proxy_protocol",
            proxy_protocol,
            Placed(PROXY_HEADER),
            "Whether a connection begins with a PROXY header (version 1 or 2) that says who the client is; then it comes from `trusted_proxies` or is closed."
        ),
        field!(
            "tls",
            tls,
            Optional(Placed(nested::<ListenerTls>())),
            "How TLS is spoken there; without it, it is not."
        ),
        field!(
            "https_redirect",
            https_redirect,
            Placed(Bool),
            "Answer every request with 308 to the same host and path in https."
        ),
        field!(
            "hsts",
            hsts,
            Optional(Placed(AGE)),
            "For how long browsers are to use https alone: `Strict-Transport-Security` on every answer over TLS.",
            default "none is sent"
        ),
        field!(
            "trusted_proxies",
            trusted_proxies,
            List { of: Placed(NET), min: 0 },
            "The networks whose forwarding fields (`X-Forwarded-*`, `Forwarded`) and PROXY headers are believed."
        ),
        field!(
            "forwarded",
            forwarded,
            Placed(nested::<ForwardedFields>()),
            "Which fields tell the server who the client was."
        ),
        field!("timeouts", timeouts, nested::<ListenerTimeouts>(), "How long a client may take."),
        field!("limits", limits, Placed(nested::<ListenerLimits>()), "How much a client may send."),
        field!("udp", udp, Placed(nested::<Udp>()), "What holds for the flows of a UDP listener."),
        field!(
            "routes",
            routes,
            List { of: Placed(nested::<Route>()), min: 0 },
            "The first one that matches decides; a request that none matches gets 404, a connection is closed, a datagram dropped."
        ),
    ];
}

const PROTOCOL: Words<Protocol> =
    Words(&[("http", Protocol::Http), ("tcp", Protocol::Tcp), ("udp", Protocol::Udp)]);

const PROXY_HEADER: Words<ProxyHeader> =
    Words(&[("refused", ProxyHeader::Refused), ("required", ProxyHeader::Required)]);

impl Section for Udp {
    const WHAT: &'static str = "udp section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("idle", idle, TIME, "How long nothing may move before a flow ends."),
        field!(
            "flows",
            flows,
            Number { range: 1..=1_000_000 },
            "Flows at once, all workers together; datagrams of others are dropped until one ends."
        ),
        field!(
            "answers",
            answers,
            Optional(Number { range: 1..=1_000_000 }),
            "The answers that each datagram of a client gets (1 for DNS); a flow ends when all have come.",
            default "a flow ends when it is idle"
        ),
    ];
}

impl Section for ForwardedFields {
    const WHAT: &'static str = "forwarded section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "x_forwarded",
            x_forwarded,
            Bool,
            "Send `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`."
        ),
        field!("forwarded", forwarded, Bool, "Send `Forwarded` (RFC 7239)."),
        field!("via", via, Bool, "Send `Via` (RFC 9110 section 7.6.3), both ways."),
    ];
}

impl Section for ListenerTimeouts {
    const WHAT: &'static str = "listener's timeouts section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("tls_handshake", tls_handshake, TIME, "From a connection to the end of its TLS handshake."),
        field!(
            "request_head",
            request_head,
            TIME,
            "From the first byte of a request's head to its last; 408 after that. Also for a PROXY header, and for the TLS ClientHello that routes by `sni` or `alpn` look into."
        ),
        field!(
            "body_idle",
            body_idle,
            TIME,
            "Between two pieces of a request's body, and between two pieces of a response that the client takes."
        ),
        field!("keep_alive", keep_alive, TIME, "Between two requests on one connection."),
        field!(
            "tunnel_idle",
            tunnel_idle,
            TIME,
            "A tunnel (WebSocket) or a TCP connection on which nothing moves."
        ),
    ];
}

impl Section for ListenerLimits {
    const WHAT: &'static str = "listener's limits section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "request_head",
            request_head_bytes,
            SizeOf { range: 1 << 10..=1 << 20 },
            "Bytes of a request's head, request line included; 431 beyond."
        ),
        field!(
            "request_fields",
            request_fields,
            Number { range: 8..=1000 },
            "Fields in a request's head; 431 beyond."
        ),
        field!(
            "uri",
            uri_bytes,
            SizeOf { range: 16..=1 << 20 },
            "Bytes of a request's target, at most `request_head`, which lowers the default too; 414 beyond."
        ),
        field!(
            "request_body",
            request_body_bytes,
            SizeOf { range: 0..=1 << 50 },
            "Bytes of a request's body; 413 beyond. Bodies are streamed, never stored."
        ),
        field!(
            "requests_per_connection",
            requests_per_connection,
            Number { range: 1..=1_000_000_000 },
            "Requests on one connection before it is closed."
        ),
    ];
}
