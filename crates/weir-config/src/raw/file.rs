//! The top of the file, and the mappings in it that concern the whole process.

use std::num::NonZeroU16;

use super::tls::CertificateCodec;
use super::{Listener, Pool, System};
use crate::codec::{
    AutoOr, BIND, Bool, Codec, Context, Entry, FILE, Field, Form, List, Named, Number, Optional, Placed,
    Problem, RESOLVER, Section, Shape, SizeOf, TIME, Words, field, nested, shortened,
};
use crate::model::{
    AccessLogFormat, AccessLogTarget, Admin, Limits, Log, LogLevel, Resolver, SessionLimit, Timeouts, Workers,
};
use crate::suggest::nearest;
use crate::tree::{At, NodeId};

/// The version of the file's format that this release reads.
pub(crate) const VERSION: u64 = 1;

/// The whole file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) version: u64,
    pub(crate) workers: Workers,
    pub(crate) admin: Option<At<Admin>>,
    pub(crate) log: Log,
    pub(crate) resolver: Resolver,
    pub(crate) limits: Limits,
    pub(crate) timeouts: Timeouts,
    pub(crate) watch_config: bool,
    pub(crate) system: System,
    pub(crate) listeners: Vec<Entry<Listener>>,
    pub(crate) pools: Vec<Entry<Pool>>,
}

impl Section for File {
    const WHAT: &'static str = "file";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "version", version, Version, "The version of this format: 1."),
        field!(
            "workers",
            workers,
            WORKERS,
            "How many worker threads serve; `auto` is one for each core. Read at the start only."
        ),
        field!(
            "admin",
            admin,
            Optional(Placed(nested::<Admin>())),
            "The address that operators and scripts ask. On the appliance, without this section: port 9000 of every address, over TLS and with a token."
        ),
        field!("log", log, nested::<Log>(), "What is written down, and where."),
        field!("resolver", resolver, nested::<Resolver>(), "How names of servers become addresses."),
        field!("limits", limits, nested::<Limits>(), "Bounds of the whole process."),
        field!("timeouts", timeouts, nested::<Timeouts>(), "Timeouts of the whole process."),
        field!(
            "watch_config",
            watch_config,
            Bool,
            "Read the file again whenever it is replaced, as if SIGHUP had been sent."
        ),
        field!(
            "system",
            system,
            nested::<System>(),
            "The machine itself: only the appliance acts on it, other hosts check it and go on."
        ),
        field!(
            "listeners",
            listeners,
            Named(nested::<Listener>()),
            "Bound addresses and the routes behind them."
        ),
        field!("pools", pools, Named(nested::<Pool>()), "Groups of servers."),
    ];
}

/// The version, which is a number that cannot be chosen.
struct Version;

impl Codec for Version {
    type Value = u64;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<u64> {
        let version = Number { range: 0..=u64::MAX }.decode(node, cx)?;
        if version != VERSION {
            let problem = Problem::new(format!("version {version} of the format is not known"));
            cx.problem(node, problem.hint(format!("this release reads version {VERSION}")));
        }
        Some(version)
    }

    fn encode(&self, value: &u64) -> Form {
        Form::Number(*value)
    }

    fn shape(&self) -> Shape {
        Shape::Choice(&[VERSION as u16])
    }
}

const WORKERS: AutoOr<Workers, Number<u16>> = AutoOr {
    word: "auto",
    auto: Workers::Auto,
    other: Number { range: 1..=1024 },
    wrap: |count| NonZeroU16::new(count).map_or(Workers::Auto, Workers::Count),
    unwrap: |workers| match workers {
        Workers::Auto => None,
        Workers::Count(count) => Some(count.get()),
    },
};

impl Section for Admin {
    const WHAT: &'static str = "admin section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "bind",
            bind,
            BIND,
            "Where the admin API and the dashboard are. Anything but loopback needs a token."
        ),
        field!(
            "token_file",
            token_file,
            Optional(FILE),
            "A file whose first line is the bearer token that requests must carry."
        ),
        field!(
            "tls",
            tls,
            Optional(CertificateCodec),
            "The certificate to speak TLS with, a PEM file; read again when it changes.",
            default "no TLS is spoken there"
        ),
    ];
}

impl Section for Log {
    const WHAT: &'static str = "log section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("level", level, LEVEL, "The lowest level of diagnostics on standard error."),
        field!(
            "access",
            access,
            AccessTarget,
            "Where the access log goes, one line an exchange: nowhere, standard output, or a file."
        ),
        field!("access_format", access_format, ACCESS_FORMAT, "The form of a line of the access log."),
        field!(
            "access_buffer",
            access_buffer_bytes,
            SizeOf { range: 64 << 10..=64 << 20 },
            "How much a worker holds for a writer that is behind before it drops lines and counts them."
        ),
    ];
}

const LEVEL: Words<LogLevel> = Words(&[
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
]);

const ACCESS_FORMAT: Words<AccessLogFormat> =
    Words(&[("json", AccessLogFormat::Json), ("common", AccessLogFormat::Common)]);

/// `off`, `stdout`, or a path. A path has a `/`, so a mistyped word never makes a file.
struct AccessTarget;

impl Codec for AccessTarget {
    type Value = AccessLogTarget;

    fn decode(&self, node: NodeId, cx: &mut Context<'_>) -> Option<AccessLogTarget> {
        let path = FILE.decode(node, cx)?;
        let text = cx.tree.scalar(node);
        match text {
            "off" => Some(AccessLogTarget::Off),
            "stdout" => Some(AccessLogTarget::Stdout),
            _ if text.contains('/') => Some(AccessLogTarget::File(path)),
            _ => {
                let text = shortened(text);
                let problem = Problem::new(format!("`{text}` is neither `off`, `stdout` nor a path"));
                let hint = match nearest(&text, ["off", "stdout"]) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("a path holds a `/`: `./{text}`"),
                };
                cx.problem(node, problem.hint(hint));
                None
            }
        }
    }

    fn encode(&self, value: &AccessLogTarget) -> Form {
        match value {
            AccessLogTarget::Off => Form::Text("off".into()),
            AccessLogTarget::Stdout => Form::Text("stdout".into()),
            AccessLogTarget::File(path) => FILE.encode(path),
        }
    }

    fn shape(&self) -> Shape {
        let path = Shape::Text { what: "a path with a `/`".into(), pattern: Some("/") };
        Shape::Either(vec![Shape::Word(vec!["off", "stdout"]), path])
    }
}

impl Section for Resolver {
    const WHAT: &'static str = "resolver section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "servers",
            servers,
            List { of: RESOLVER, min: 0 },
            "Whom to ask; port 53 unless it is written. Empty: the servers of `/etc/resolv.conf`."
        ),
        field!("hold", hold, TIME, "How long an answer is kept before the name is asked for again."),
        field!("timeout", timeout, TIME, "How long one question may take."),
    ];
}

impl Section for Limits {
    const WHAT: &'static str = "limits section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "sessions",
            sessions,
            SESSIONS,
            "How many client connections may be open at once; `auto` is half of the limit on open \
             files, or what half of the memory holds at 32 KiB each if that is less."
        ),
        field!(
            "http2_header_bytes",
            http2_header_bytes,
            SizeOf { range: 1 << 20..=1 << 40 },
            "Size of the fields of all HTTP/2 requests under way, as RFC 9113 section 6.5.2 counts it, \
             each worker having its part; 503 beyond."
        ),
    ];
}

const SESSIONS: AutoOr<SessionLimit, Number<u32>> = AutoOr {
    word: "auto",
    auto: SessionLimit::Auto,
    other: Number { range: 1..=u32::MAX },
    wrap: SessionLimit::Count,
    unwrap: |limit| match limit {
        SessionLimit::Auto => None,
        SessionLimit::Count(count) => Some(*count),
    },
};

impl Section for Timeouts {
    const WHAT: &'static str = "timeouts section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[field!(
        "drain",
        drain,
        TIME,
        "How long exchanges may go on after the signal to stop, or after their listener was removed."
    )];
}
