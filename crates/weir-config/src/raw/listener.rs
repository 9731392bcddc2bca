//! Listeners.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::Route;
use crate::codec::{
    BIND, Bool, Codec, Context, Field, Form, List, NET, Number, OneOrMany, Optional, Placed, Problem,
    Section, Shape, SizeOf, TIME, Words, field, nested,
};
use crate::model::{ForwardedFields, Http2, ListenerLimits, ListenerTimeouts, Protocol};
use crate::tree::{At, NodeId};

/// One listener.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener {
    pub(crate) bind: Vec<At<SocketAddr>>,
    pub(crate) protocol: Protocol,
    pub(crate) trusted_proxies: Vec<At<IpNet>>,
    pub(crate) forwarded: ForwardedFields,
    pub(crate) timeouts: ListenerTimeouts,
    pub(crate) limits: At<ListenerLimits>,
    pub(crate) http2: At<Http2>,
    pub(crate) routes: Vec<At<Route>>,
}

impl Section for Listener {
    const WHAT: &'static str = "listener";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "bind", bind, OneOrMany(Placed(BIND)), "The addresses to listen on; no two listeners share one. Port 0: one that is free."),
        field!("protocol", protocol, ProtocolWord, "What is spoken there."),
        field!(
            "trusted_proxies",
            trusted_proxies,
            List { of: Placed(NET), min: 0 },
            "The networks whose forwarding fields (`X-Forwarded-*`, `Forwarded`) are believed."
        ),
        field!(
            "forwarded",
            forwarded,
            nested::<ForwardedFields>(),
            "Which fields tell the server who the client was."
        ),
        field!("timeouts", timeouts, nested::<ListenerTimeouts>(), "How long a client may take."),
        field!("limits", limits, Placed(nested::<ListenerLimits>()), "How much a client may send."),
        field!(
            "http2",
            http2,
            Placed(nested::<Http2>()),
            "HTTP/2 with clients. Its bounds on frames are for one connection within 10 s."
        ),
        field!(
            "routes",
            routes,
            List { of: Placed(nested::<Route>()), min: 0 },
            "The first one that matches decides; a request that none matches gets 404."
        ),
    ];
}

const PROTOCOLS: Words<Protocol> = Words(&[("http", Protocol::Http)]);

/// The protocols that are served, with a word on those that are not yet.
struct ProtocolWord;

impl Codec for ProtocolWord {
    type Value = Protocol;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Protocol> {
        match cx.tree.scalar(node) {
            word @ ("tcp" | "udp") => {
                let problem = Problem::new(format!("protocol `{word}` is not served by this version yet"));
                cx.problem(node, problem.hint("the protocol it serves is `http`"));
                None
            }
            _ => PROTOCOLS.decode(node, cx),
        }
    }

    fn encode(&self, value: &Protocol) -> Form {
        PROTOCOLS.encode(value)
    }

    fn shape(&self) -> Shape {
        PROTOCOLS.shape()
    }
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
        field!(
            "request_head",
            request_head,
            TIME,
            "From the first byte of a request's head to its last; 408 after that."
        ),
        field!(
            "body_idle",
            body_idle,
            TIME,
            "Between two pieces of a request's body, and between two pieces of a response that the client takes."
        ),
        field!("keep_alive", keep_alive, TIME, "Between two requests on one connection."),
        field!("tunnel_idle", tunnel_idle, TIME, "A tunnel (WebSocket) on which nothing moves."),
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

/// How many frames of a kind.
const FRAMES: Number<u32> = Number { range: 1..=1_000_000 };

impl Section for Http2 {
    const WHAT: &'static str = "http2 section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("cleartext", cleartext, Bool, "Whether a client may begin with HTTP/2 where there is no TLS."),
        field!("streams", streams, Number { range: 1..=10_000 }, "Streams open at once on one connection."),
        field!(
            "stream_window",
            stream_window_bytes,
            SizeOf { range: 1 << 10..=1 << 30 },
            "Bytes of a request's body that a client may send ahead of its server."
        ),
        field!(
            "connection_window",
            connection_window_bytes,
            SizeOf { range: 64 << 10..=1 << 30 },
            "The same for all requests of one connection."
        ),
        field!(
            "header_list",
            header_list_bytes,
            Optional(SizeOf { range: 1 << 10..=1 << 20 }),
            "Size of a request's fields as RFC 9113 section 6.5.2 counts it; 431 beyond.",
            default "`limits.request_head`"
        ),
        field!(
            "header_bytes",
            header_bytes,
            SizeOf { range: 1 << 10..=1 << 30 },
            "The same for all requests under way on one connection, at least `header_list`; 431 beyond."
        ),
        field!("resets", resets, FRAMES, "Streams that the client reset."),
        field!("pings", pings, FRAMES, "PING frames."),
        field!("settings", settings, FRAMES, "SETTINGS frames."),
        field!(
            "empty_data",
            empty_data,
            Number { range: 1..=100 },
            "DATA frames without data that do not end their stream."
        ),
        field!("continuations", continuations, FRAMES, "CONTINUATION frames."),
        field!("priorities", priorities, FRAMES, "PRIORITY frames."),
        field!("window_updates", window_updates, FRAMES, "WINDOW_UPDATE frames for less than 256 bytes."),
        field!("unknown", unknown, FRAMES, "Frames of a type that nobody knows."),
    ];
}
