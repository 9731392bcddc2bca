//! The head of a request: what the origin has to know of it. Pure.

use std::ops::Range;

/// The longest head, in bytes.
pub(super) const HEAD_BYTES_MAX: usize = 16 << 10;

/// The most fields of a head.
const FIELDS_MAX: usize = 100;

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// Its length in bytes.
    pub(super) head_bytes: usize,
    /// Where its target stands.
    pub(super) target: Range<usize>,
    /// HTTP/1.0, not 1.1.
    pub(super) is_old: bool,
    /// The answer has a head only.
    pub(super) is_head: bool,
    /// The connection goes on after it.
    pub(super) is_kept: bool,
    /// Before the body is sent, it has to be asked for.
    pub(super) wants_continue: bool,
    /// What follows the head.
    pub(super) body: Body,
}

/// The body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes, perhaps none.
    Bytes(u64),
    /// Chunks.
    Chunked,
}

/// Why a head is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadRequest {
    /// It is not HTTP/1.
    Malformed,
    /// It is too long.
    TooLong,
}

/// Reads the head at the start of `bytes`; none if it is not whole yet.
///
/// # Errors
/// When it never will be.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Request>, BadRequest> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let head_bytes = match head.parse(bytes) {
        Ok(httparse::Status::Complete(count)) => count,
        Ok(httparse::Status::Partial) if bytes.len() >= HEAD_BYTES_MAX => return Err(BadRequest::TooLong),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::TooLong),
        Err(_malformed) => return Err(BadRequest::Malformed),
    };
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(BadRequest::Malformed);
    };
    let start = target.as_ptr().addr() - bytes.as_ptr().addr();
    let mut request = Request {
        head_bytes,
        target: start..start + target.len(),
        is_old: version == 0,
        is_head: method == "HEAD",
        is_kept: version == 1,
        wants_continue: false,
        body: Body::Bytes(0),
    };
    for field in head.headers.iter() {
        let value = field.value.trim_ascii();
        if field.name.eq_ignore_ascii_case("connection") {
            if has_token(value, b"close") {
                request.is_kept = false;
            } else if has_token(value, b"keep-alive") {
                request.is_kept = true;
            }
        } else if field.name.eq_ignore_ascii_case("content-length") {
            let length = std::str::from_utf8(value).ok().and_then(|value| value.parse().ok());
            if request.body != Body::Chunked {
                request.body = Body::Bytes(length.ok_or(BadRequest::Malformed)?);
            }
        } else if field.name.eq_ignore_ascii_case("transfer-encoding") {
            request.body = Body::Chunked;
        } else if field.name.eq_ignore_ascii_case("expect") {
            request.wants_continue = true;
        }
    }
    Ok(Some(request))
}

/// Whether a list such as `keep-alive, x` has this word.
pub(super) fn has_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|word| word.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_what_matters() {
        let text = b"HEAD /?s=1 HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\nContent-Length: 7\r\n\r\nrest";
        let request = read(text).unwrap().unwrap();
        assert_eq!(&text[request.target.clone()], b"/?s=1");
        assert_eq!(&text[request.head_bytes..], b"rest");
        assert!(request.is_head && !request.is_kept && !request.is_old);
        assert_eq!(request.body, Body::Bytes(7));
        for (text, kept) in [
            ("GET / HTTP/1.1\r\n\r\n", true),
            ("GET / HTTP/1.0\r\n\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true),
            ("GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false),
        ] {
            assert_eq!(read(text.as_bytes()).unwrap().unwrap().is_kept, kept, "{text}");
        }
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
        let chunked = read(chunked).unwrap().unwrap();
        assert!(chunked.wants_continue && chunked.body == Body::Chunked);
    }

    #[test]
    fn half_a_head_is_waited_for_and_a_wrong_one_is_not() {
        let text = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        for cut in 0..text.len() {
            assert_eq!(read(&text[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(read(b"\x16\x03\x01\x02\x00\x01"), Err(BadRequest::Malformed));
        assert_eq!(read(b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), Err(BadRequest::Malformed));
        let long = [&b"GET /"[..], &vec![b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(read(&long), Err(BadRequest::TooLong));
    }
}
