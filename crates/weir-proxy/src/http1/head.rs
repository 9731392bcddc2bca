//! From a judged head to its parts. What [`framing`](crate::framing) let through has one meaning, so nothing is
//! judged again here; `None` would be a defect in one of the two.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version, request, response};

/// Fields for which there is room without growing.
const FIELDS: usize = 12;

/// A request's head. It shares the memory of `head`.
pub(crate) fn parse_request(head: &Bytes) -> Option<request::Parts> {
    let (mut parts, ()) = Request::new(()).into_parts();
    let line_end = memchr::memchr(b'\r', head)?;
    let line = &head[..line_end];
    let method_end = memchr::memchr(b' ', line)?;
    let target_end = memchr::memrchr(b' ', line)?;
    parts.method = Method::from_bytes(&line[..method_end]).ok()?;
    parts.uri = Uri::from_maybe_shared(head.slice(method_end + 1..target_end)).ok()?;
    parts.version = version(line.last()?);
    parts.headers = fields(head, line_end + 2)?;
    Some(parts)
}

/// A response's head. It shares the memory of `head`.
pub(crate) fn parse_response(head: &Bytes) -> Option<response::Parts> {
    let (mut parts, ()) = Response::new(()).into_parts();
    let line_end = memchr::memchr(b'\r', head)?;
    parts.version = version(head.get(7)?);
    parts.status = StatusCode::from_bytes(head.get(9..12)?).ok()?;
    parts.headers = fields(head, line_end + 2)?;
    Some(parts)
}

/// A trailer section, with the empty line that ends it.
pub(crate) fn parse_trailers(section: &Bytes) -> Option<HeaderMap> {
    fields(section, 0)
}

/// By the last digit of `HTTP/1.x`.
fn version(digit: &u8) -> Version {
    if *digit == b'0' { Version::HTTP_10 } else { Version::HTTP_11 }
}

fn fields(head: &Bytes, start: usize) -> Option<HeaderMap> {
    let mut fields = HeaderMap::with_capacity(FIELDS);
    let mut at = start;
    loop {
        let rest = &head[at..];
        let end = memchr::memchr(b'\n', rest)?;
        let line = rest[..end].strip_suffix(b"\r")?;
        if line.is_empty() {
            return Some(fields);
        }
        let colon = memchr::memchr(b':', line)?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        // No control byte but HTAB is in a judged value, so this trims what RFC 9110 section 5.5 says.
        let value = line[colon + 1..].trim_ascii();
        let value = HeaderValue::from_maybe_shared(head.slice_ref(value)).ok()?;
        fields.try_append(name, value).ok()?;
        at += end + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_in_its_parts() {
        let head =
            Bytes::from_static(b"PUT /a?b=c HTTP/1.0\r\nHost:  x.example \r\nX-A:\r\nx-a: \t2\r\n\r\n");
        let parts = parse_request(&head).unwrap();
        assert_eq!((parts.method, parts.version), (Method::PUT, Version::HTTP_10));
        assert_eq!(parts.uri, "/a?b=c");
        assert_eq!(parts.headers["host"], "x.example");
        let values: Vec<_> = parts.headers.get_all("X-A").iter().collect();
        assert_eq!(values, ["", "2"]);
    }

    #[test]
    fn a_response_in_its_parts() {
        let head = Bytes::from_static(b"HTTP/1.1 204\r\nServer: a\r\n\r\n");
        let parts = parse_response(&head).unwrap();
        assert_eq!((parts.status, parts.version), (StatusCode::NO_CONTENT, Version::HTTP_11));
        assert_eq!(parts.headers["server"], "a");
    }
}
