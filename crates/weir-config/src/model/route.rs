//! Routes: a match on a request, and what to do with it.

use std::sync::Arc;

use http::{HeaderName, Method, StatusCode};
use ipnet::IpNet;

/// A pool, as an index into [`Config::pools`](super::Config::pools).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PoolId(pub usize);

/// A match on a request and what to do with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// All of its conditions must hold.
    pub matches: RouteMatch,
    /// What happens then.
    pub action: Action,
}

/// The conditions of a route; an empty one holds for every request. Within a list, any one is enough.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteMatch {
    /// The request's host, without its port.
    pub hosts: Vec<HostPattern>,
    /// The path of the request's target, without its query.
    pub path: Option<PathMatch>,
    /// The request's method.
    pub methods: Vec<Method>,
    /// Fields of the request's head, all of which must match.
    pub headers: Vec<FieldMatch<HeaderName>>,
    /// Parameters of the request's query, all of which must match.
    pub query: Vec<FieldMatch<String>>,
    /// The client's address.
    pub sources: Vec<IpNet>,
    /// The name that a TLS ClientHello asks for; of TCP listeners only.
    pub sni: Vec<HostPattern>,
    /// A protocol that a TLS ClientHello offers; of TCP listeners only.
    pub alpn: Vec<String>,
}

/// A host name, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(String),
    /// Any name with one or more labels before this suffix; `*.example.com` is held as `.example.com`.
    Wildcard(String),
}

/// A path.
#[derive(Debug, Clone, PartialEq)]
pub enum PathMatch {
    /// Exactly this path.
    Exact(String),
    /// Every path that begins with this text, and, when the text does not end in `/`, goes on with `/` or
    /// ends there: `/v1` is a prefix of `/v1` and `/v1/x`, not of `/v1x`.
    Prefix(String),
    /// Every path in which this expression is found.
    Regex(Pattern),
}

/// A field or a query parameter by name, and what its value must be.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldMatch<N> {
    /// Whose value is looked at; where it occurs several times, one match is enough.
    pub name: N,
    /// What the value must be.
    pub test: FieldTest,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldTest {
    /// There (`true`) or not there (`false`), whatever its value.
    Present(bool),
    /// Exactly this, case and all.
    Exact(String),
    /// A value in which this expression is found.
    Regex(Pattern),
}

/// A regular expression that compiled within the size limit. Two are equal when their texts are.
#[derive(Debug, Clone)]
pub struct Pattern {
    source: Arc<str>,
    /// For matching bytes: a field's value need not be UTF-8.
    compiled: regex::bytes::Regex,
}

impl Pattern {
    /// The largest compiled size of one expression, in bytes.
    pub const COMPILED_BYTES_MAX: usize = 1 << 20;

    /// Compiles `source`.
    ///
    /// # Errors
    /// When it is not an expression, or compiles to more than [`Pattern::COMPILED_BYTES_MAX`].
    pub fn new(source: &str) -> Result<Self, regex::Error> {
        let compiled =
            regex::bytes::RegexBuilder::new(source).size_limit(Self::COMPILED_BYTES_MAX).build()?;
        Ok(Self { source: source.into(), compiled })
    }

    /// Whether the expression is found in `text`.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.compiled.is_match(text)
    }

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// What happens to a request that a route matches.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// A server of this pool answers it.
    Pool(PoolId),
    /// The client is sent elsewhere.
    Redirect(Redirect),
    /// The listener answers by itself.
    Respond(Respond),
}

/// Where a client is sent. What is `None` stays as the request had it.
#[derive(Debug, Clone, PartialEq)]
pub struct Redirect {
    /// `http` or `https`.
    pub scheme: Option<&'static str>,
    /// A host name.
    pub host: Option<String>,
    /// A port; `None` together with a new `scheme` or `host` means that scheme's own port.
    pub port: Option<u16>,
    /// A path, which also drops the request's query.
    pub path: Option<String>,
    /// 301, 302, 303, 307 or 308. Default 308: it keeps the method.
    pub status: StatusCode,
}

impl Default for Redirect {
    fn default() -> Self {
        Self { scheme: None, host: None, port: None, path: None, status: StatusCode::PERMANENT_REDIRECT }
    }
}

/// An answer without a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Respond {
    /// 200 to 599. Default 200.
    pub status: StatusCode,
    /// The body, at most 64 KiB. Default empty.
    pub body: String,
    /// Default `text/plain; charset=utf-8`.
    pub content_type: String,
}

impl Default for Respond {
    fn default() -> Self {
        Self { status: StatusCode::OK, body: String::new(), content_type: "text/plain; charset=utf-8".into() }
    }
}
