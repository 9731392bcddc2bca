//! Active checks, with their short forms.

use std::time::Duration;

use super::pool::PROTOCOL;
use crate::codec::{
    AUTHORITY, Bool, Codec, Context, Field, Form, METHOD, Nested, Number, Optional, Percent, Problem, Rule,
    STATUSES, Section, Shape, TARGET, TEXT, TIME, field, nested,
};
use crate::model::{self, GrpcCheck, HttpCheck};
use crate::tree::{NodeId, ScalarType};

/// The active check.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) http: Option<HttpCheck>,
    pub(crate) grpc: Option<GrpcCheck>,
    pub(crate) tcp: Option<()>,
    pub(crate) interval: Duration,
    pub(crate) interval_changing: Option<Duration>,
    pub(crate) timeout: Duration,
    pub(crate) rise: u16,
    pub(crate) fall: u16,
    pub(crate) jitter_percent: u8,
    pub(crate) port: Option<u16>,
    pub(crate) tls: Option<bool>,
}

impl Default for Check {
    fn default() -> Self {
        let check = model::Check::with_defaults(model::CheckKind::Tcp);
        let model::Check {
            kind: _,
            interval,
            interval_changing: _,
            timeout,
            rise,
            fall,
            jitter_percent,
            port,
            tls: _,
            proxy_protocol: _,
        } = check;
        Self {
            http: None,
            grpc: None,
            tcp: None,
            interval,
            interval_changing: None,
            timeout,
            rise,
            fall,
            jitter_percent,
            port,
            tls: None,
        }
    }
}

impl Section for Check {
    const WHAT: &'static str = "check";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "http",
            http,
            Optional(HttpCheckCodec),
            "Send a request and judge the answer. The short form is the path alone."
        ),
        field!(
            "grpc",
            grpc,
            Optional(GrpcCheckCodec),
            "Ask the server by `grpc.health.v1`; it has to say SERVING. `true` asks about the server as a whole."
        ),
        field!("tcp", tcp, Optional(TcpCheckCodec), "Connect and close again: `true`."),
        field!("interval", interval, TIME, "Between two probes of one server, from start to start."),
        field!(
            "interval_changing",
            interval_changing,
            Optional(TIME),
            "The same while a server is between up and down.",
            default "half of `interval`"
        ),
        field!("timeout", timeout, TIME, "How long one probe may take, all told."),
        field!("rise", rise, Number { range: 1..=1000 }, "Good probes in a row that bring a server up."),
        field!("fall", fall, Number { range: 1..=1000 }, "Bad probes in a row that take it down."),
        field!(
            "jitter",
            jitter_percent,
            Percent { max: 50 },
            "By how much of itself an interval varies, so that probes don't march in step."
        ),
        field!(
            "port",
            port,
            Optional(Number { range: 1..=u16::MAX }),
            "Probe this port instead of the server's own.",
            default "the server's port"
        ),
        field!("tls", tls, Optional(Bool), "Probe in TLS, as the pool speaks it.", default "if the pool has `tls`"),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOf(&["http", "grpc", "tcp"])];
}

/// An HTTP probe: its path, or a mapping.
struct HttpCheckCodec;

const HTTP_CHECK: Nested<HttpCheck> = nested();

impl Codec for HttpCheckCodec {
    type Value = HttpCheck;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<HttpCheck> {
        match cx.scalar(node) {
            Some(scalar) if scalar.kind == ScalarType::Text => {
                Some(HttpCheck { path: TARGET.decode(node, cx)?, ..HttpCheck::default() })
            }
            Some(_) | None if cx.map(node).is_some() => HTTP_CHECK.decode(node, cx),
            Some(_) | None => cx.wrong_type(node, "a path, or a mapping such as `{ path: /healthz }`"),
        }
    }

    fn encode(&self, value: &HttpCheck) -> Form {
        HTTP_CHECK.encode(value)
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![TARGET.shape(), HTTP_CHECK.shape()])
    }
}

impl Section for HttpCheck {
    const WHAT: &'static str = "http check";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("method", method, METHOD, "The request's method."),
        field!("path", path, TARGET, "The request's target, with a query if need be."),
        field!("host", host, Optional(AUTHORITY), "The request's `Host` field.", default "the server's address"),
        field!("protocol", protocol, Optional(PROTOCOL), "What the probe speaks.", default "the pool's `protocol`"),
        field!("expect", expect, STATUSES, "The statuses of a healthy server."),
        field!(
            "body_contains",
            body_contains,
            Optional(TEXT),
            "Text that the first 64 KiB of the body must contain."
        ),
    ];
}

/// A gRPC probe: `true`, or a mapping.
struct GrpcCheckCodec;

const GRPC_CHECK: Nested<GrpcCheck> = nested();

impl Codec for GrpcCheckCodec {
    type Value = GrpcCheck;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<GrpcCheck> {
        match cx.scalar(node) {
            Some(scalar) if scalar.kind == ScalarType::Bool(true) => Some(GrpcCheck::default()),
            Some(_) | None if cx.map(node).is_some() => GRPC_CHECK.decode(node, cx),
            Some(_) | None => cx.wrong_type(node, "`true`, or a mapping such as `{ service: shop.Cart }`"),
        }
    }

    fn encode(&self, value: &GrpcCheck) -> Form {
        if *value == GrpcCheck::default() { Form::Bool(true) } else { GRPC_CHECK.encode(value) }
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![Shape::Bool, GRPC_CHECK.shape()])
    }
}

impl Section for GrpcCheck {
    const WHAT: &'static str = "grpc check";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("service", service, TEXT, "The service that is asked about; empty: the server as a whole."),
        field!(
            "host",
            host,
            Optional(AUTHORITY),
            "The request's `:authority`.",
            default "the server's address"
        ),
    ];
}

/// A TCP probe has nothing to set: `true`, or an empty mapping.
struct TcpCheckCodec;

#[derive(Default)]
struct Nothing;

impl Section for Nothing {
    const WHAT: &'static str = "tcp check";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[];
}

const NOTHING: Nested<Nothing> = nested();

impl Codec for TcpCheckCodec {
    type Value = ();

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<()> {
        match cx.scalar(node) {
            Some(scalar) if scalar.kind == ScalarType::Bool(true) => Some(()),
            Some(scalar) if scalar.kind == ScalarType::Bool(false) => {
                let problem = Problem::new("a check that does nothing");
                cx.problem(node, problem.hint("leave `check` out to have none"));
                None
            }
            Some(_) | None if cx.map(node).is_some() => NOTHING.decode(node, cx).map(|Nothing| ()),
            Some(_) | None => cx.wrong_type(node, "`true`"),
        }
    }

    fn encode(&self, (): &()) -> Form {
        Form::Bool(true)
    }

    fn shape(&self) -> Shape {
        Shape::Either(vec![Shape::Bool, NOTHING.shape()])
    }
}
