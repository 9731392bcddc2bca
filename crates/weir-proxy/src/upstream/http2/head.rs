//! From an exchange's heads to HTTP/2's and back. What goes on and what does not is [`forward`]'s to say; here
//! is only what HTTP/2 writes differently (RFC 9113 section 8).
//!
//! [`forward`]: crate::exchange::forward

use h2::ext::Protocol;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Parts, PathAndQuery, Scheme};
use http::{Method, Request, StatusCode, Uri, Version};

use crate::exchange::body::RequestBody;
use crate::fields::{Field, Fields};
use crate::framing::{HeadLimits, Violation};
use crate::head::{RequestHead, ResponseHead};
use crate::websocket::{ACCEPT, KEY, accept};

/// A request as h2 takes it; with `websocket`, an extended CONNECT (RFC 8441 section 5).
///
/// # Errors
/// When the head has something that HTTP/2 can't hold.
pub(super) fn request(
    head: &RequestHead,
    scheme: &Scheme,
    websocket: Option<&WebSocket>,
) -> Result<Request<()>, http::Error> {
    let mut request = Request::new(());
    *request.method_mut() = head.method.clone();
    let mut parts = Parts::default();
    // Section 8.5: a CONNECT has an authority and nothing else.
    let connects = head.method == Method::CONNECT;
    parts.path_and_query =
        (!connects).then(|| head.target.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
    // Section 8.3.1: the host is in `:authority`. An empty one is as good as none, and h2 wants an HTTP/1
    // version for that.
    if let Some(host) = head.fields.get(Field::Host).filter(|host| !host.is_empty()) {
        parts.authority = Some(Authority::try_from(host)?);
        parts.scheme = (!connects).then(|| scheme.clone());
        *request.version_mut() = Version::HTTP_2;
    }
    *request.uri_mut() = Uri::from_parts(parts)?;
    let fields = request.headers_mut();
    for (name, value) in head.fields.iter() {
        let goes = match Field::of(name) {
            // Section 8.2.2: what is about the connection.
            Field::Host
            | Field::Connection
            | Field::KeepAlive
            | Field::ProxyConnection
            | Field::TransferEncoding
            | Field::Upgrade
            | Field::Http2Settings => false,
            Field::Te => value.eq_ignore_ascii_case(b"trailers"),
            Field::ContentLength
            | Field::ContentType
            | Field::Date
            | Field::Expect
            | Field::Forwarded
            | Field::Location
            | Field::Referer
            | Field::StrictTransportSecurity
            | Field::UserAgent
            | Field::Via
            | Field::XForwardedFor
            | Field::XForwardedHost
            | Field::XForwardedProto
            | Field::Other => true,
        };
        if goes && !(websocket.is_some() && name.eq_ignore_ascii_case(KEY.as_bytes())) {
            fields.try_append(HeaderName::from_bytes(name)?, HeaderValue::from_bytes(value)?)?;
        }
    }
    if websocket.is_some() {
        *request.method_mut() = Method::CONNECT;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
    }
    Ok(request)
}

/// A response's head, as an exchange sees it. With `empty` the answer is over, and HTTP/1 has to say so.
///
/// # Errors
/// What of it is not sound. h2 has refused fields of the connection, and lengths that contradict each other or
/// the body (RFC 9113 sections 8.2.2 and 8.1.1).
pub(super) fn response(
    status: StatusCode,
    fields: &HeaderMap,
    limits: HeadLimits,
    empty: bool,
) -> Result<ResponseHead, Violation> {
    if status.as_u16() > 599 {
        return Err(Violation::StatusInvalid);
    }
    if fields.len() > limits.fields {
        return Err(Violation::TooManyFields);
    }
    let mut fields = Fields::from(fields);
    if let Some(length) = fields.get(Field::ContentLength).map(<[u8]>::to_vec) {
        fields.set(Field::ContentLength, &length); // once, however often it came
    } else if empty && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        fields.append(Field::ContentLength, b"0");
    }
    Ok(ResponseHead { status, version: Version::HTTP_2, fields })
}

/// A WebSocket that an HTTP/1 client asks for, on its way to an HTTP/2 server: there, its key means nothing
/// (RFC 8441 section 5), so it is answered here.
pub(super) struct WebSocket {
    accept: Option<String>,
}

impl WebSocket {
    /// The WebSocket that this request asks for. Any other upgrade is left out, as a server may that does not
    /// know it (RFC 9110 section 7.8).
    pub(super) fn asked_for(head: &RequestHead, body: &RequestBody) -> Option<Self> {
        let upgrade = head.fields.get(Field::Upgrade)?;
        let asked =
            upgrade.eq_ignore_ascii_case(b"websocket") && head.method == Method::GET && body.is_empty();
        let key = || head.fields.named(KEY).next();
        asked.then(|| Self { accept: key().map(accept) })
    }

    /// What the server's consent means to an HTTP/1 client.
    pub(super) fn switches(self, mut head: ResponseHead) -> ResponseHead {
        head.status = StatusCode::SWITCHING_PROTOCOLS;
        let fields = &mut head.fields;
        fields.remove(&[Field::ContentLength]);
        fields.append(Field::Connection, b"upgrade");
        fields.append(Field::Upgrade, b"websocket");
        if let Some(accept) = self.accept {
            // A server that made up a key for its own next hop may show what that came to.
            fields.remove_named(ACCEPT.as_bytes());
            fields.append_named(ACCEPT, accept.as_bytes());
        }
        head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(method: Method, target: &'static str, fields: &[(&str, &str)]) -> RequestHead {
        RequestHead {
            method,
            target: Uri::from_static(target),
            version: Version::HTTP_11,
            fields: fields.iter().copied().collect(),
        }
    }

    #[test]
    fn what_is_about_the_connection_stays_here_and_the_host_is_the_authority() {
        let fields = [
            ("host", "a.example:81"),
            ("connection", "te"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("X-Kept", "1"),
            ("x-kept", "2"),
        ];
        let request = request(&head(Method::POST, "/a?b", &fields), &Scheme::HTTP, None).unwrap();
        assert_eq!(request.uri(), "http://a.example:81/a?b");
        let sent: Vec<_> = request.headers().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(sent, ["te", "x-kept", "x-kept"]);
        assert!(request_of("*").uri().path() == "*");
    }

    fn request_of(target: &'static str) -> Request<()> {
        request(&head(Method::OPTIONS, target, &[("host", "a")]), &Scheme::HTTP, None).unwrap()
    }

    #[test]
    fn a_request_for_no_host_goes_without_an_authority() {
        let request = request(&head(Method::GET, "/", &[("host", "")]), &Scheme::HTTP, None).unwrap();
        assert_eq!((request.uri().authority(), request.version()), (None, Version::HTTP_11));
    }

    #[test]
    fn an_answers_length_is_given_once() {
        let mut fields = HeaderMap::new();
        fields.append("content-length", HeaderValue::from_static("5"));
        fields.append("content-length", HeaderValue::from_static("5"));
        let limits = HeadLimits { head_bytes: 1024, fields: 2, uri_bytes: 0 };
        let head = response(StatusCode::OK, &fields, limits, false).unwrap();
        assert_eq!(head.fields.get_all(Field::ContentLength).count(), 1);
        fields.append("a", HeaderValue::from_static("5"));
        assert_eq!(response(StatusCode::OK, &fields, limits, false).unwrap_err(), Violation::TooManyFields);
    }
}
