//! What a request is for: its host and its path, in the one form that routes and servers see.
//!
//! Dot segments (`..`, also written `%2e`) are resolved here (RFC 3986 section 5.2.4), and the resolved path
//! is what goes on, so that a route and a server can't disagree about where a path leads. Everything else of
//! the target goes on as it came. A dot segment beside an encoded slash (`..%2f`) is refused: some servers
//! decode it to a path that no route has seen.

use std::borrow::Cow;

use bytes::Bytes;
use http::uri::{PathAndQuery, Uri};

use super::failure::Failure;
use super::respond::split_port;
use crate::fields::Field;
use crate::head::RequestHead;

/// The target of a request.
pub(crate) struct Target {
    path_and_query: PathAndQuery,
    /// Host and port as the client wrote them, in lower case; empty when it named none.
    authority: Box<str>,
}

impl Target {
    /// # Errors
    /// When the path climbs above the root or can't be made sense of.
    pub(crate) fn of(head: &RequestHead) -> Result<Self, Failure> {
        let authority = match head.target.authority() {
            Some(authority) => authority.as_str().to_ascii_lowercase(),
            None => head
                .fields
                .get(Field::Host)
                .map(|host| String::from_utf8_lossy(host).to_ascii_lowercase())
                .unwrap_or_default(),
        };
        let target = head.target.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        let path_and_query = match resolve_dots(target.path()) {
            None => return Err(Failure::DownstreamTarget),
            Some(Cow::Borrowed(_)) => target,
            Some(Cow::Owned(mut path)) => {
                if let Some(query) = target.query() {
                    path.push('?');
                    path.push_str(query);
                }
                PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(|_| Failure::DownstreamTarget)?
            }
        };
        Ok(Self { path_and_query, authority: authority.into() })
    }

    /// The host without its port, in lower case.
    pub(crate) fn host(&self) -> &str {
        split_port(&self.authority).0.trim_end_matches('.')
    }

    /// Host and port, in lower case.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn path(&self) -> &str {
        self.path_and_query.path()
    }

    pub(crate) fn query(&self) -> Option<&str> {
        self.path_and_query.query()
    }

    pub(crate) fn path_and_query(&self) -> &PathAndQuery {
        &self.path_and_query
    }

    /// The target as a server wants it: without scheme and host.
    pub(crate) fn into_origin_form(self) -> Uri {
        Uri::from(self.path_and_query)
    }
}

/// `path` without dot segments; `None` when it leads above the root, or may for some servers.
fn resolve_dots(path: &str) -> Option<Cow<'_, str>> {
    if path.contains('%') && path.split('/').any(hides_dot_segment) {
        return None;
    }
    if !path.split('/').any(is_dot_segment) {
        return Some(Cow::Borrowed(path));
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match dots(segment) {
            0 => kept.push(segment),
            dots => {
                if dots == 2 {
                    kept.pop()?;
                }
                if last {
                    kept.push("");
                }
            }
        }
    }
    Some(Cow::Owned(format!("/{}", kept.join("/"))))
}

/// Whether a segment has a dot segment in it once its encoded slashes are decoded.
fn hides_dot_segment(segment: &str) -> bool {
    let mut rest = segment;
    let mut hidden = false;
    while let Some(slash) = ["%2f", "%2F", "%5c", "%5C"].iter().filter_map(|slash| rest.find(slash)).min() {
        hidden |= is_dot_segment(&rest[..slash]);
        rest = &rest[slash + 3..];
    }
    hidden || (rest.len() < segment.len() && is_dot_segment(rest))
}

fn is_dot_segment(segment: &str) -> bool {
    segment.len() <= 6 && dots(segment) > 0
}

/// How many dots a segment is made of, `%2e` being one; 0 when it is anything but one or two dots.
fn dots(segment: &str) -> usize {
    let mut rest = segment.as_bytes();
    let mut dots = 0;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return 0,
        };
        dots += 1;
    }
    if dots <= 2 { dots } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_resolved_and_nothing_else_is_touched() {
        for (path, resolved) in [
            ("/", Some("/")),
            ("*", Some("*")),
            ("/a/b", Some("/a/b")),
            ("/a//b", Some("/a//b")),
            ("/a/...", Some("/a/...")),
            ("/a/.b/c..", Some("/a/.b/c..")),
            ("/a/./b", Some("/a/b")),
            ("/a/../b", Some("/b")),
            ("/a/b/..", Some("/a/")),
            ("/a/.", Some("/a/")),
            ("/v1/%2e%2E/admin", Some("/admin")),
            ("/v1/.%2e/admin", Some("/admin")),
            ("/a/%2e/b", Some("/a/b")),
            ("/..", None),
            ("/a/../../b", None),
            ("/a%2fb/c", Some("/a%2fb/c")),
            ("/%2f../b", None),
            ("/v1/..%2Fadmin", None),
            ("/v1/x%5c%2e%2e%5cy", None),
        ] {
            assert_eq!(resolve_dots(path).as_deref(), resolved, "{path}");
        }
    }
}
