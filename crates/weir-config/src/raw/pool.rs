//! Pools and their servers.

use std::time::Duration;

use http::HeaderName;

use super::Check;
use crate::codec::{
    Bool, Codec, Context, FIELD_NAME, Field, Form, List, NAME, Nested, Number, Optional, Percent, Placed,
    SERVER_ADDRESS, Section, ServerText, Shape, SizeOf, TIME, TIME_OR_ZERO, Words, field, nested,
};
use crate::model::{
    self, Ejection, Expand, PoolHttp2, PoolLimits, PoolProtocol, PoolTimeouts, PoolTls, ProxyVersion,
    Retries, Weight,
};
use crate::tree::{At, NodeId, ScalarType};

/// One pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    pub(crate) protocol: PoolProtocol,
    pub(crate) balance: At<BalanceWord>,
    pub(crate) hash_header: Option<At<HeaderName>>,
    pub(crate) servers: Vec<At<Server>>,
    pub(crate) tls: Option<At<PoolTls>>,
    pub(crate) check: Option<At<Check>>,
    pub(crate) slow_start: Duration,
    pub(crate) timeouts: PoolTimeouts,
    pub(crate) limits: PoolLimits,
    pub(crate) http2: PoolHttp2,
    pub(crate) retries: Retries,
    pub(crate) ejection: Ejection,
    pub(crate) proxy_protocol: At<ProxyVersion>,
}

impl Section for Pool {
    const WHAT: &'static str = "pool";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "protocol",
            protocol,
            PROTOCOL,
            "What its servers speak: `http2` without asking first, many exchanges on a connection."
        ),
        field!("balance", balance, Placed(BALANCE), "How a server is chosen."),
        field!(
            "hash_header",
            hash_header,
            Optional(Placed(FIELD_NAME)),
            "The field whose value chooses the server; needed by `header_hash`, and only there."
        ),
        field!(required "servers", servers, List { of: Placed(ServerCodec), min: 1 }, "The servers, with unique names."),
        field!(
            "tls",
            tls,
            Optional(Placed(nested::<PoolTls>())),
            "How the servers are spoken to in TLS; without it, they are not."
        ),
        field!(
            "check",
            check,
            Optional(Placed(nested::<Check>())),
            "The active check; without one, a server is healthy until traffic shows otherwise."
        ),
        field!(
            "slow_start",
            slow_start,
            TIME_OR_ZERO,
            "How long a server that comes up takes to get its full share."
        ),
        field!("timeouts", timeouts, nested::<PoolTimeouts>(), "How long a server may take."),
        field!("limits", limits, nested::<PoolLimits>(), "How much is kept and waited for."),
        field!(
            "http2",
            http2,
            nested::<PoolHttp2>(),
            "How much of HTTP/2 is asked of a server; with `protocol: http2`."
        ),
        field!("retries", retries, nested::<Retries>(), "When a request is sent again."),
        field!(
            "ejection",
            ejection,
            nested::<Ejection>(),
            "When traffic alone takes a server out of the choice for a while."
        ),
        field!(
            "proxy_protocol",
            proxy_protocol,
            Placed(PROXY_VERSION),
            "The PROXY header in front of all else that tells a server who the client is."
        ),
    ];
}

pub(super) const PROTOCOL: Words<PoolProtocol> =
    Words(&[("http1", PoolProtocol::Http1), ("http2", PoolProtocol::Http2)]);
const PROXY_VERSION: Words<ProxyVersion> =
    Words(&[("none", ProxyVersion::None), ("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)]);

/// The words for [`Balance`](model::Balance).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum BalanceWord {
    #[default]
    RoundRobin,
    LeastConnections,
    RandomTwo,
    SourceHash,
    UriHash,
    HeaderHash,
    First,
}

const BALANCE: Words<BalanceWord> = Words(&[
    ("round_robin", BalanceWord::RoundRobin),
    ("least_connections", BalanceWord::LeastConnections),
    ("random_two", BalanceWord::RandomTwo),
    ("source_hash", BalanceWord::SourceHash),
    ("uri_hash", BalanceWord::UriHash),
    ("header_hash", BalanceWord::HeaderHash),
    ("first", BalanceWord::First),
]);

/// One server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) address: Option<At<ServerText>>,
    pub(crate) name: Option<At<String>>,
    pub(crate) weight: Weight,
    pub(crate) max_connections: u32,
    pub(crate) backup: bool,
    pub(crate) resolve: At<Expand>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            address: None,
            name: None,
            weight: Weight::default(),
            max_connections: model::Server::MAX_CONNECTIONS_DEFAULT,
            backup: false,
            resolve: At::default(),
        }
    }
}

impl Section for Server {
    const WHAT: &'static str = "server";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "address", address, Optional(Placed(SERVER_ADDRESS)), "Where it listens: an IP address or a host name, and a port."),
        field!("name", name, Optional(Placed(NAME)), "What the API, the log and the metrics call it.", default "the address as it is written"),
        field!("weight", weight, WeightNumber, "Its share; 0 takes no new exchange."),
        field!(
            "max_connections",
            max_connections,
            Number { range: 1..=1_000_000 },
            "Exchanges in flight at once; the next ones wait in the pool's queue."
        ),
        field!("backup", backup, Bool, "Used only while no other server of the pool can be."),
        field!(
            "resolve",
            resolve,
            Placed(EXPAND),
            "What a host name with several addresses means: one server at the `first`, or one at each."
        ),
    ];
}

const EXPAND: Words<Expand> = Words(&[("first", Expand::First), ("all", Expand::All)]);

/// A number that is a [`Weight`].
struct WeightNumber;

const WEIGHT: Number<u16> = Number { range: 0..=Weight::MAX };

impl Codec for WeightNumber {
    type Value = Weight;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Weight> {
        WEIGHT.decode(node, cx).and_then(Weight::new)
    }

    fn encode(&self, value: &Weight) -> Form {
        WEIGHT.encode(&value.get())
    }

    fn shape(&self) -> Shape {
        WEIGHT.shape()
    }
}

/// A server in its short form, the address alone, or in full.
struct ServerCodec;

const SERVER: Nested<Server> = nested();

impl Codec for ServerCodec {
    type Value = Server;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<Server> {
        if cx.map(node).is_some() {
            return SERVER.decode(node, cx);
        }
        if cx.scalar(node).is_none_or(|scalar| scalar.kind == ScalarType::Null) {
            return cx.wrong_type(node, "an address, or a mapping with an `address`");
        }
        let value = SERVER_ADDRESS.decode(node, cx)?;
        Some(Server { address: Some(At { value, node }), ..Server::default() })
    }

    fn encode(&self, value: &Server) -> Form {
        match SERVER.encode(value) {
            Form::Map(entries) if entries.len() == 1 => {
                value.address.as_ref().map_or(Form::Absent, |address| SERVER_ADDRESS.encode(&address.value))
            }
            full @ (Form::Map(_)
            | Form::Absent
            | Form::Bool(_)
            | Form::Number(_)
            | Form::Text(_)
            | Form::List(_)) => full,
        }
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![SERVER_ADDRESS.shape(), SERVER.shape()])
    }
}

impl Section for PoolTimeouts {
    const WHAT: &'static str = "pool's timeouts section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("connect", connect, TIME, "To accept a connection."),
        field!(
            "response",
            response,
            TIME,
            "From the end of the request to the head of the answer; 504 after that."
        ),
        field!(
            "body_idle",
            body_idle,
            TIME,
            "Between two pieces of the answer's body, and between two pieces of a request's body that the server takes."
        ),
        field!(
            "continue_wait",
            continue_wait,
            TIME,
            "How long a request's body waits for the server's 100 (Continue) before it is sent all the same."
        ),
        field!("queue", queue, TIME, "How long a request waits for a server with room; 503 after that."),
        field!(
            "keep_alive",
            keep_alive,
            TIME,
            "How long an idle connection to a server is kept for the next exchange."
        ),
    ];
}

impl Section for PoolLimits {
    const WHAT: &'static str = "pool's limits section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "queue",
            queue,
            Number { range: 0..=1_000_000 },
            "Requests that wait for a server with room; the next ones get 503 at once."
        ),
        field!(
            "idle_connections",
            idle_connections,
            Number { range: 0..=65_535 },
            "Idle connections kept to one server, all workers together."
        ),
        field!(
            "response_head",
            response_head_bytes,
            SizeOf { range: 1 << 10..=1 << 20 },
            "Bytes of a response's head; 502 beyond."
        ),
        field!(
            "response_fields",
            response_fields,
            Number { range: 8..=1000 },
            "Fields in a response's head; 502 beyond."
        ),
    ];
}

impl Section for PoolHttp2 {
    const WHAT: &'static str = "pool's http2 section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "connections",
            connections,
            Number { range: 1..=65_535 },
            "Connections to one server, all workers together; who finds all their streams taken waits, at most for `timeouts.connect`."
        ),
        field!(
            "streams",
            streams,
            Number { range: 1..=10_000 },
            "Exchanges at once on one connection, or fewer if the server says so."
        ),
        field!(
            "stream_window",
            stream_window_bytes,
            SizeOf { range: 16 << 10..=16 << 20 },
            "How much of one answer the server may send before the client has taken any of it."
        ),
    ];
}

impl Section for Retries {
    const WHAT: &'static str = "retries section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "attempts",
            attempts,
            Number { range: 0..=10 },
            "The most times that one request is sent again."
        ),
        field!(
            "budget",
            budget_percent,
            Percent { max: 100 },
            "Retries may be at most this share of the pool's requests; a few are always allowed."
        ),
    ];
}

impl Section for Ejection {
    const WHAT: &'static str = "ejection section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "failures",
            failures,
            Number { range: 0..=1_000_000 },
            "Failed exchanges in a row (no connection, no answer, a broken answer) that eject a server; 0 turns it off."
        ),
        field!("duration", duration, TIME, "For how long."),
        field!(
            "max",
            max_percent,
            Percent { max: 100 },
            "The most of the pool's servers that may be ejected at once."
        ),
    ];
}
