//! From a judged head to its parts. What [`framing`](crate::framing) let through has one meaning, so nothing is
//! judged again here; `None` would be a defect in one of the two.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};

use crate::fields::{Field, FieldLines, Fields};
use crate::head::{RequestHead, ResponseHead};

/// A request's head, which begins at byte `at` of `head` and keeps its memory.
pub(crate) fn parse_request(head: Bytes, at: usize, list: FieldLines) -> Option<RequestHead> {
    let line = &head[at..];
    let method_end = line.iter().position(|&byte| byte == b' ')?;
    let target = &line[method_end + 1..];
    let target_end = memchr::memchr(b' ', target)?;
    let (target, version) = (&target[..target_end], &target[target_end + 1..]);
    Some(RequestHead {
        method: Method::from_bytes(&line[..method_end]).ok()?,
        target: Uri::from_maybe_shared(head.slice_ref(target)).ok()?,
        version: version_of(version)?,
        fields: Fields::of(head, list),
    })
}

/// A response's head. It keeps the memory of `head`.
pub(crate) fn parse_response(head: Bytes, list: FieldLines) -> Option<ResponseHead> {
    Some(ResponseHead {
        status: StatusCode::from_bytes(head.get(9..12)?).ok()?,
        version: version_of(&head)?,
        fields: Fields::of(head, list),
    })
}

/// A trailer section, with the empty line that ends it, as far as it may go on ([`Fields::trailers`]).
pub(crate) fn parse_trailers(section: Bytes) -> Option<HeaderMap> {
    let fields = Fields::parse(section)?;
    let mut trailers = HeaderMap::new();
    for (name, value) in fields.iter().filter(|(name, _)| Field::may_trail(name)) {
        trailers.try_append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?).ok()?;
    }
    Some(trailers)
}

/// By the last digit of `HTTP/1.x`.
fn version_of(text: &[u8]) -> Option<Version> {
    Some(if *text.get(7)? == b'0' { Version::HTTP_10 } else { Version::HTTP_11 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::framing::{HeadLimits, RequestFraming, ResponseFraming};

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 1024, fields: 10, uri_bytes: 100 };

    #[test]
    fn a_request_in_its_parts() {
        let bytes = Bytes::from_static(b"\r\nPUT /a?b=c HTTP/1.0\r\nHost: x\r\n\r\n");
        let mut framing = RequestFraming::new(LIMITS, 0);
        let _advance = framing.advance(&bytes).unwrap();
        let head = parse_request(bytes, 2, framing.take_fields()).unwrap();
        assert_eq!((head.method, head.version), (Method::PUT, Version::HTTP_10));
        assert_eq!(head.target, "/a?b=c");
        assert_eq!(head.fields.get(Field::Host), Some(&b"x"[..]));
    }

    #[test]
    fn a_response_in_its_parts() {
        let bytes = Bytes::from_static(b"HTTP/1.1 204\r\nDate: a\r\n\r\n");
        let mut framing = ResponseFraming::new(LIMITS);
        framing.expect(&Method::GET);
        let _advance = framing.advance(&bytes).unwrap();
        let head = parse_response(bytes, framing.take_fields()).unwrap();
        assert_eq!((head.status, head.version), (StatusCode::NO_CONTENT, Version::HTTP_11));
        assert_eq!(head.fields.get(Field::Date), Some(&b"a"[..]));
    }

    #[test]
    fn trailers_in_their_parts() {
        let section = b"A: 1\r\nX-Forwarded-For: 192.0.2.1\r\nb: 2\r\n\r\n";
        let trailers = parse_trailers(Bytes::from_static(section)).unwrap();
        assert_eq!(trailers.len(), 2);
        assert_eq!((&trailers["a"], &trailers["b"]), (&HeaderValue::from(1), &HeaderValue::from(2)));
    }
}
