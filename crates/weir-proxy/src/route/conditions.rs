//! What is left to test of a route once its host, and its path unless that is an expression, are known to
//! hold. Cheap tests come first.

use std::net::IpAddr;

use http::{HeaderName, Method};
use ipnet::IpNet;
use weir_config::model::{FieldMatch, FieldTest, PathMatch, Pattern, RouteMatch};

use super::{RequestView, query};
use crate::fields::Fields;

/// The conditions of a route that no index answers; all must hold, and an empty list holds.
#[derive(Debug)]
pub(super) struct Conditions {
    methods: Box<[Method]>,
    sources: Box<[IpNet]>,
    headers: Box<[FieldMatch<HeaderName>]>,
    query: Box<[FieldMatch<String>]>,
    path: Option<Pattern>,
    alpn: Box<[String]>,
}

impl Conditions {
    /// All but the hosts, the exact path and the prefix of `matches`; `None` when that is nothing, as for
    /// most routes of a large table.
    pub(super) fn new(matches: &RouteMatch) -> Option<Box<Self>> {
        let conditions = Self {
            methods: matches.methods.as_slice().into(),
            sources: matches.sources.as_slice().into(),
            headers: matches.headers.as_slice().into(),
            query: matches.query.as_slice().into(),
            path: match &matches.path {
                Some(PathMatch::Regex(pattern)) => Some(pattern.clone()),
                Some(PathMatch::Exact(_) | PathMatch::Prefix(_)) | None => None,
            },
            alpn: matches.alpn.as_slice().into(),
        };
        (!conditions.is_empty()).then(|| Box::new(conditions))
    }

    fn is_empty(&self) -> bool {
        let Self { methods, sources, headers, query, path, alpn } = self;
        methods.is_empty()
            && sources.is_empty()
            && headers.is_empty()
            && query.is_empty()
            && path.is_none()
            && alpn.is_empty()
    }

    /// Whether all hold for a request whose source is canonical.
    pub(super) fn hold(&self, request: &RequestView<'_>) -> bool {
        (self.methods.is_empty() || self.methods.contains(request.method))
            && (self.sources.is_empty() || contain(&self.sources, request.source))
            && self.headers.iter().all(|field| field_holds(field, request.fields))
            && self.query.iter().all(|parameter| query::holds(parameter, request.query))
            && self.path.as_ref().is_none_or(|pattern| pattern.is_match(request.path.as_bytes()))
            && (self.alpn.is_empty() || offered(&self.alpn, request.alpn))
    }
}

fn contain(sources: &[IpNet], address: IpAddr) -> bool {
    sources.iter().any(|source| source.contains(&address))
}

fn offered(wanted: &[String], alpn: &[Vec<u8>]) -> bool {
    alpn.iter().any(|offered| wanted.iter().any(|wanted| wanted.as_bytes() == &offered[..]))
}

/// Each field line is a value of its own; a list within one line is not taken apart.
fn field_holds(field: &FieldMatch<HeaderName>, fields: &Fields) -> bool {
    let mut values = fields.named(field.name.as_str());
    match &field.test {
        FieldTest::Present(present) => values.next().is_some() == *present,
        FieldTest::Exact(text) => values.any(|value| value == text.as_bytes()),
        FieldTest::Regex(pattern) => values.any(|value| pattern.is_match(value)),
    }
}
