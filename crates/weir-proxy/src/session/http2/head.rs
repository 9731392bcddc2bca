//! Heads from HTTP/2 and to it.
//!
//! A request's head is written as the HTTP/1.1 head that says the same, and read by the reader of those: so there is
//! one judge of what a head may be, and what goes on to a server, in whatever version, has one meaning in all of
//! them. What HTTP/2 alone asks for is judged here; what makes a stream malformed (RFC 9113 section 8.1.1), by the
//! library.

use bytes::Bytes;
use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, COOKIE, DATE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use crate::exchange::failure::Failure;
use crate::fields::Field;
use crate::framing::{HeadLimits, Part, RequestFraming, Violation};
use crate::head::{RequestHead, ResponseHead};
use crate::http1::{self, DateCache};
use crate::websocket;

/// What a field costs beyond its bytes (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD_BYTES: usize = 32;

/// A request's head, as the library has it.
pub(super) struct Head<'a, B>(pub(super) &'a Request<B>);

impl<B> Head<'_, B> {
    /// Its size as RFC 9113 section 6.5.2 counts it.
    pub(super) fn list_bytes(&self) -> u32 {
        let uri = self.0.uri();
        let pseudo = [
            (":method", self.0.method().as_str().len()),
            (":scheme", uri.scheme_str().map_or(0, str::len)),
            (":authority", uri.authority().map_or(0, |authority| authority.as_str().len())),
            (":path", uri.path_and_query().map_or(0, |path| path.as_str().len())),
        ];
        let pseudo = pseudo.iter().map(|(name, value)| name.len() + value);
        let fields = self.0.headers().iter().map(|(name, value)| name.as_str().len() + value.len());
        let bytes = pseudo.chain(fields).map(|bytes| bytes + FIELD_OVERHEAD_BYTES).sum::<usize>();
        u32::try_from(bytes).unwrap_or(u32::MAX)
    }

    /// Whether it asks for a tunnel (RFC 9113 section 8.5, RFC 8441).
    pub(super) fn is_connect(&self) -> bool {
        self.0.method() == Method::CONNECT
    }

    /// Whether that is for another protocol (RFC 8441).
    pub(super) fn is_extended_connect(&self) -> bool {
        self.protocol().is_some()
    }

    fn protocol(&self) -> Option<&Protocol> {
        self.0.extensions().get()
    }

    /// The head as an exchange sees it.
    ///
    /// # Errors
    /// When it can't be served.
    pub(super) fn read(&self, limits: HeadLimits, body_bytes_max: u64) -> Result<Box<RequestHead>, Failure> {
        let head = Bytes::from(self.as_http1()?);
        let mut framing = RequestFraming::new(limits, body_bytes_max);
        let malformed = || Failure::DownstreamMalformed(Violation::RequestLineInvalid);
        let Part::Head { at } = framing.advance(&head).map_err(Failure::DownstreamMalformed)?.part else {
            return Err(malformed());
        };
        let mut head = http1::parse_request(head, at, framing.take_fields()).ok_or_else(malformed)?;
        head.version = Version::HTTP_2;
        Ok(Box::new(head))
    }

    /// The HTTP/1.1 head that says the same.
    fn as_http1(&self) -> Result<Vec<u8>, Failure> {
        let fields = self.0.headers();
        let mut out = Vec::with_capacity(self.list_bytes() as usize);
        self.write_request_line(&mut out);
        if let Some(authority) = self.0.uri().authority()
            && !fields.contains_key(HOST)
        {
            write_field(&mut out, b"host", authority.as_str().as_bytes());
        }
        if let Some(protocol) = self.protocol() {
            if protocol.as_str() != "websocket" {
                return Err(Failure::DownstreamProtocol);
            }
            // RFC 8441 section 5: the fields that HTTP/1.1 has for this.
            write_field(&mut out, b"connection", b"upgrade");
            write_field(&mut out, b"upgrade", b"websocket");
            write_field(&mut out, websocket::KEY.as_bytes(), websocket::new_key().as_bytes());
        }
        let mut cookies = fields.get_all(COOKIE).iter();
        if let Some(first) = cookies.next() {
            // RFC 9113 section 8.2.3: they came in pieces, so that pieces can be compressed.
            let mut cookie = first.as_bytes().to_vec();
            for piece in cookies {
                cookie.extend_from_slice(b"; ");
                cookie.extend_from_slice(piece.as_bytes());
            }
            write_field(&mut out, b"cookie", &cookie);
        }
        for (name, value) in fields {
            let value = value.as_bytes();
            let is_padded = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
            if is_padded(value.first()) || is_padded(value.last()) {
                return Err(Failure::DownstreamMalformed(Violation::ValuePadded));
            }
            if name != COOKIE && !(self.is_extended_connect() && name == "sec-websocket-key") {
                write_field(&mut out, name.as_str().as_bytes(), value);
            }
        }
        out.extend_from_slice(b"\r\n");
        Ok(out)
    }

    fn write_request_line(&self, out: &mut Vec<u8>) {
        let uri = self.0.uri();
        let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let method = if self.is_extended_connect() { &Method::GET } else { self.0.method() };
        out.extend_from_slice(method.as_str().as_bytes());
        out.push(b' ');
        if *method == Method::CONNECT {
            out.extend_from_slice(authority.as_bytes());
        } else {
            // A Host field beside `:authority` must not name another one (RFC 9113 section 8.3.1).
            if path.starts_with('/') && !authority.is_empty() && self.0.headers().contains_key(HOST) {
                let https = uri.scheme_str() == Some("https");
                out.extend_from_slice(if https { b"https://" } else { b"http://" });
                out.extend_from_slice(authority.as_bytes());
            }
            out.extend_from_slice(path.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");
    }
}

/// A line of a head. The library lets no byte into a name or a value that could end it.
fn write_field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A response's head as the library wants it. With `date` it gets the field if it has none.
pub(super) fn response(head: &ResponseHead, date: Option<&DateCache>) -> Response<()> {
    let mut fields = HeaderMap::new();
    for (name, value) in head.fields.iter().filter(|(name, _)| goes_on(Field::of(name))) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            let _ = fields.try_append(name, value); // there are far fewer than a map can hold
        }
    }
    if let Some(date) = date
        && !fields.contains_key(DATE)
    {
        let mut text = Vec::with_capacity(29);
        date.write(&mut text);
        fields.extend(HeaderValue::from_maybe_shared(Bytes::from(text)).ok().map(|date| (DATE, date)));
    }
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = fields;
    response
}

/// The answer that opens a tunnel: what is 101 in HTTP/1.1 is 200 here (RFC 8441 section 5).
pub(super) fn tunnel_response(head: &ResponseHead, date: &DateCache) -> Response<()> {
    let mut response = response(head, Some(date));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().remove("sec-websocket-accept"); // it answers a key that the client did not send
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

/// Whether HTTP/2 has such a field (RFC 9113 section 8.2.2).
fn goes_on(field: Field) -> bool {
    !matches!(
        field,
        Field::Connection
            | Field::KeepAlive
            | Field::ProxyConnection
            | Field::TransferEncoding
            | Field::Upgrade
            | Field::Http2Settings
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { head_bytes: 1024, fields: 10, uri_bytes: 100 };

    fn request(method: &str, uri: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
        let request = Request::builder().method(method).uri(uri);
        fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    fn written(request: &Request<()>) -> String {
        String::from_utf8(Head(request).as_http1().unwrap()).unwrap()
    }

    fn refused(request: &Request<()>) -> Violation {
        match Head(request).read(LIMITS, 100) {
            Err(Failure::DownstreamMalformed(violation)) => violation,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_head_is_written_as_http1_has_it() {
        let fields = [("cookie", "a=b"), ("x-a", "1"), ("cookie", "c=d"), ("x-a", "2")];
        let request = request("GET", "https://a.example/p?q", &fields);
        assert_eq!(
            written(&request),
            "GET /p?q HTTP/1.1\r\nhost: a.example\r\ncookie: a=b; c=d\r\nx-a: 1\r\nx-a: 2\r\n\r\n"
        );
        let head = Head(&request).read(LIMITS, 100).unwrap();
        assert_eq!(head.version, Version::HTTP_2);
        assert_eq!(head.fields.get(Field::Host), Some(&b"a.example"[..]));
    }

    #[test]
    fn an_extended_connect_is_an_upgrade() {
        let mut request = request("CONNECT", "https://a.example/chat", &[("sec-websocket-version", "13")]);
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let text = written(&request);
        assert!(text.starts_with(
            "GET /chat HTTP/1.1\r\nhost: a.example\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: "
        ));
        request.extensions_mut().insert(Protocol::from_static("connect-udp"));
        assert!(matches!(Head(&request).as_http1(), Err(Failure::DownstreamProtocol)));
    }

    #[test]
    fn the_limits_and_rules_of_http1_hold() {
        let refusals = [
            (request("GET", "http://a/", &[("host", "b")]), Violation::HostMismatch),
            (request("GET", "/", &[]), Violation::HostMissing),
            (request("GET", "http://u@a/", &[]), Violation::HostInvalid),
            (request("GET", "http://a/", &[("x", " padded")]), Violation::ValuePadded),
            (request("POST", "http://a/", &[("content-length", "101")]), Violation::BodyTooLarge),
            (request("GET", &format!("http://a/{}", "x".repeat(100)), &[]), Violation::TargetTooLong),
            (request("GET", "http://a/", &[("x", "1"); 10]), Violation::TooManyFields),
        ];
        for (request, violation) in refusals {
            assert_eq!(refused(&request), violation, "{request:?}");
        }
        assert!(Head(&request("GET", "http://a/", &[("host", "A")])).read(LIMITS, 100).is_ok());
        assert!(Head(&request("OPTIONS", "*", &[("host", "a")])).read(LIMITS, 100).is_ok());
    }

    #[test]
    fn the_size_of_a_head_is_that_of_its_list() {
        let request = request("GET", "http://ab/", &[("x", "yz")]);
        let list = [(7, 3), (7, 4), (10, 2), (5, 1), (1, 2)];
        assert_eq!(
            Head(&request).list_bytes(),
            list.iter().map(|(name, value)| name + value + 32).sum::<u32>()
        );
    }

    #[test]
    fn a_response_loses_what_is_for_one_connection() {
        let fields = [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("X-A", "1"), ("x-a", "2")];
        let head = ResponseHead {
            status: StatusCode::OK,
            version: Version::HTTP_11,
            fields: fields.into_iter().collect(),
        };
        let response = response(&head, Some(&DateCache::default()));
        assert_eq!(response.headers().len(), 3);
        assert_eq!(response.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
        assert!(response.headers().contains_key(DATE));
    }
}
