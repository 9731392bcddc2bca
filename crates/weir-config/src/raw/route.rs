//! Routes: matches and what follows from them.

use http::{HeaderName, Method};
use ipnet::IpNet;

use crate::codec::{
    BODY, CONTENT_TYPE, Field, FieldTests, HOST_NAME, HOST_PATTERN, METHOD, NAME, NET, Number, Numbers,
    OneOrMany, Optional, PATH, Placed, Problem, REGEX, Rule, Section, Status, TARGET, Text, Words, field,
    header_name, nested, shortened,
};
use crate::model::{FieldMatch, HostPattern, Pattern, Redirect, Respond};
use crate::tree::At;

/// One route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub(crate) matches: Match,
    pub(crate) pool: Option<At<String>>,
    pub(crate) redirect: Option<Redirect>,
    pub(crate) respond: Option<Respond>,
}

impl Section for Route {
    const WHAT: &'static str = "route";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "match",
            matches,
            nested::<Match>(),
            "Conditions, all of which must hold; without any, every request matches."
        ),
        field!("pool", pool, Optional(Placed(NAME)), "A server of this pool answers."),
        field!("redirect", redirect, Optional(nested::<Redirect>()), "The client is sent elsewhere."),
        field!("respond", respond, Optional(nested::<Respond>()), "The listener answers by itself."),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOf(&["pool", "redirect", "respond"])];
}

/// The conditions of a route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Match {
    pub(crate) host: Vec<HostPattern>,
    pub(crate) path: Option<String>,
    pub(crate) path_prefix: Option<String>,
    pub(crate) path_regex: Option<Pattern>,
    pub(crate) method: Vec<Method>,
    pub(crate) header: Vec<FieldMatch<HeaderName>>,
    pub(crate) query: Vec<FieldMatch<String>>,
    pub(crate) source: Vec<IpNet>,
    pub(crate) sni: Vec<HostPattern>,
    pub(crate) alpn: Vec<String>,
}

impl Section for Match {
    const WHAT: &'static str = "match";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "host",
            host,
            OneOrMany(HOST_PATTERN),
            "The request's host, without its port; `*.example.com` is any name below `example.com`."
        ),
        field!("path", path, Optional(PATH), "Exactly this path."),
        field!(
            "path_prefix",
            path_prefix,
            Optional(PATH),
            "This path and every one below it: `/v1` is a prefix of `/v1` and `/v1/x`, not of `/v1x`."
        ),
        field!("path_regex", path_regex, Optional(REGEX), "An expression that is found in the path."),
        field!(
            "method",
            method,
            OneOrMany(METHOD),
            "The request's method. A CONNECT is served only by a route that names it here."
        ),
        field!("header", header, HEADER, "Fields of the request's head, all of which must match."),
        field!("query", query, QUERY, "Parameters of the request's query, all of which must match."),
        field!("source", source, OneOrMany(NET), "The client's address."),
        field!(
            "sni",
            sni,
            OneOrMany(HOST_PATTERN),
            "The name that the client's TLS asks for, which is passed on unopened; `tcp` listeners only."
        ),
        field!(
            "alpn",
            alpn,
            OneOrMany(ALPN),
            "A protocol that the client's TLS offers, such as `h2`; `tcp` listeners only."
        ),
    ];
    const RULES: &'static [Rule] = &[Rule::OneOrNone(&["path", "path_prefix", "path_regex"])];
}

/// The name of a protocol in ALPN (RFC 7301 section 3.1).
const ALPN: Text<String> = Text {
    what: "the name of a protocol in ALPN, such as `h2`",
    pattern: Some("^[!-~]{1,255}$"),
    numbers: Numbers::Refused,
    parse: |text| match text.len() {
        1..=255 if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(text.into()),
        _ => Err(Problem::new(format!("`{}` is not the name of a protocol", shortened(text)))
            .hint("write it like `h2` or `http/1.1`")),
    },
    print: String::clone,
};

const HEADER: FieldTests<HeaderName> =
    FieldTests { key: "FIELD", parse: header_name, print: HeaderName::as_str };

const QUERY: FieldTests<String> = FieldTests {
    key: "PARAMETER",
    parse: |text| match text {
        "" => Err(Problem::new("the name of a parameter is empty")),
        _ => Ok(text.into()),
    },
    print: String::as_str,
};

impl Section for Redirect {
    const WHAT: &'static str = "redirect";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("scheme", scheme, Optional(SCHEME), "The new scheme; else the request's."),
        field!("host", host, Optional(HOST_NAME), "The new host; else the request's."),
        field!(
            "port",
            port,
            Optional(Number { range: 1..=u16::MAX }),
            "The new port; else the request's, or the scheme's own when `scheme` or `host` is new."
        ),
        field!(
            "path",
            path,
            Optional(TARGET),
            "The new path, without the request's query; else the request's path and query."
        ),
        field!(
            "status",
            status,
            Status::Of(&[301, 302, 303, 307, 308]),
            "The status of the answer; 307 and 308 keep the method."
        ),
    ];
    const RULES: &'static [Rule] = &[Rule::AnyOf(&["scheme", "host", "port", "path"])];
}

const SCHEME: Words<&'static str> = Words(&[("http", "http"), ("https", "https")]);

impl Section for Respond {
    const WHAT: &'static str = "respond section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("status", status, Status::From(200, 599), "The status of the answer."),
        field!("body", body, BODY, "The body of the answer."),
        field!("content_type", content_type, CONTENT_TYPE, "The media type of the body."),
    ];
}
