//! From a judged head to its parts. What [`framing`](crate::framing) let through has one meaning, so nothing is
//! judged again here; `None` would be a defect in one of the two.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Uri, Version};

use crate::fields::Fields;
use crate::head::{RequestHead, ResponseHead};

/// A request's head. It keeps the memory of `head`.
pub(crate) fn parse_request(head: Bytes) -> Option<RequestHead> {
    let line_end = memchr::memchr(b'\r', &head)?;
    let line = &head[..line_end];
    let method_end = memchr::memchr(b' ', line)?;
    let target_end = memchr::memrchr(b' ', line)?;
    Some(RequestHead {
        method: Method::from_bytes(&line[..method_end]).ok()?,
        target: Uri::from_maybe_shared(head.slice(method_end + 1..target_end)).ok()?,
        version: version(line.last()?),
        fields: Fields::parse(head, line_end + 2)?,
    })
}

/// A response's head. It keeps the memory of `head`.
pub(crate) fn parse_response(head: Bytes) -> Option<ResponseHead> {
    let line_end = memchr::memchr(b'\r', &head)?;
    Some(ResponseHead {
        status: StatusCode::from_bytes(head.get(9..12)?).ok()?,
        version: version(head.get(7)?),
        fields: Fields::parse(head, line_end + 2)?,
    })
}

/// A trailer section, with the empty line that ends it.
pub(crate) fn parse_trailers(section: Bytes) -> Option<HeaderMap> {
    let fields = Fields::parse(section, 0)?;
    let mut trailers = HeaderMap::new();
    for (name, value) in fields.iter() {
        trailers.try_append(HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?).ok()?;
    }
    Some(trailers)
}

/// By the last digit of `HTTP/1.x`.
fn version(digit: &u8) -> Version {
    if *digit == b'0' { Version::HTTP_10 } else { Version::HTTP_11 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::Field;

    #[test]
    fn a_request_in_its_parts() {
        let head = parse_request(Bytes::from_static(b"PUT /a?b=c HTTP/1.0\r\nHost: x\r\n\r\n")).unwrap();
        assert_eq!((head.method, head.version), (Method::PUT, Version::HTTP_10));
        assert_eq!(head.target, "/a?b=c");
        assert_eq!(head.fields.get(Field::Host), Some(&b"x"[..]));
    }

    #[test]
    fn a_response_in_its_parts() {
        let head = parse_response(Bytes::from_static(b"HTTP/1.1 204\r\nDate: a\r\n\r\n")).unwrap();
        assert_eq!((head.status, head.version), (StatusCode::NO_CONTENT, Version::HTTP_11));
        assert_eq!(head.fields.get(Field::Date), Some(&b"a"[..]));
    }

    #[test]
    fn trailers_in_their_parts() {
        let trailers = parse_trailers(Bytes::from_static(b"A: 1\r\nb: 2\r\n\r\n")).unwrap();
        assert_eq!((&trailers["a"], &trailers["b"]), (&HeaderValue::from(1), &HeaderValue::from(2)));
    }
}
