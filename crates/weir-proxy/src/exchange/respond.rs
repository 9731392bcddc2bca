//! Answers that Weir gives by itself: refusals, redirects, fixed responses.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Version, uri};
use weir_config::model::{Redirect, Respond};

use super::failure::Failure;
use crate::fields::{Field, Fields};
use crate::head::ResponseHead;

const GRPC: &[u8] = b"application/grpc";
const TEXT: &[u8] = b"text/plain; charset=utf-8";

/// An answer of our own, before it is given its exchange.
pub(crate) struct Answer {
    pub(crate) head: ResponseHead,
    pub(crate) body: Bytes,
}

/// The answer to a request that failed: its status and, in one line, why.
pub(crate) fn failure(failure: &Failure) -> Answer {
    text(failure.status(), explain(failure))
}

/// The answer to a gRPC request that failed: one head, which has what trailers would have, and no body. Its status
/// is 200 because the transport did its part (gRPC over HTTP/2, "Responses": Trailers-Only).
pub(crate) fn grpc_failure(failure: &Failure) -> Answer {
    let mut answer = text(StatusCode::OK, "");
    let fields = &mut answer.head.fields;
    fields.set(Field::ContentType, GRPC);
    let status = failure.grpc_status() as u8;
    fields.append_named("grpc-status", itoa::Buffer::new().format(status).as_bytes());
    // Percent-encoded, where a byte is not printable ASCII; no text of ours has such a byte, nor a percent sign.
    fields.append_named("grpc-message", explain(failure).trim_end().as_bytes());
    answer
}

/// Whether these are the fields of a gRPC request: its content type is `application/grpc`, or that with a format
/// or parameters after it. gRPC-Web is another protocol, which wants its errors otherwise.
pub(crate) fn is_grpc(fields: &Fields) -> bool {
    fields.get(Field::ContentType).is_some_and(|kind| {
        kind.split_at_checked(GRPC.len()).is_some_and(|(kind, rest)| {
            kind.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
        })
    })
}

/// The same as bytes, for what is no request.
pub(crate) fn raw(failure: &Failure, hsts: Option<Duration>) -> Vec<u8> {
    raw_text(failure.status(), &explain(failure), hsts)
}

/// An answer to what is no HTTP: a line of text.
pub(crate) fn raw_text(status: StatusCode, body: &str, hsts: Option<Duration>) -> Vec<u8> {
    let hsts =
        hsts.map_or_else(String::new, |age| format!("strict-transport-security: {}\r\n", max_age(age)));
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\ndate: {now}\r\n{hsts}\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What a route says by itself.
pub(crate) fn fixed(respond: &Respond) -> Answer {
    let mut answer = text(respond.status, respond.body.clone());
    answer.head.fields.set(Field::ContentType, respond.content_type.as_bytes());
    answer
}

/// Says for how long the client is to use https alone (RFC 6797 section 6.1), whatever a server said about it.
pub(crate) fn strict_transport(head: &mut ResponseHead, age: Duration) {
    head.fields.set(Field::StrictTransportSecurity, max_age(age).as_bytes());
}

fn max_age(age: Duration) -> String {
    format!("max-age={}", age.as_secs())
}

/// Sends the client to the same place in https.
pub(crate) fn to_https(authority: &str, target: &uri::PathAndQuery) -> Answer {
    let https = Redirect {
        scheme: Some("https"),
        host: None,
        port: None,
        path: None,
        status: StatusCode::PERMANENT_REDIRECT,
    };
    redirect(&https, "https", authority, target)
}

/// Sends the client elsewhere; what the route leaves open stays as the request had it.
pub(crate) fn redirect(
    redirect: &Redirect,
    scheme: &str,
    authority: &str,
    target: &uri::PathAndQuery,
) -> Answer {
    let own_host = redirect.host.as_deref();
    let elsewhere = own_host.is_some() || redirect.scheme.is_some();
    let (request_host, request_port) = split_port(authority);
    let host = own_host.unwrap_or(request_host);
    let port = redirect.port.map(|port| port.to_string());
    let port = port.as_deref().or(request_port.filter(|_| !elsewhere));
    let scheme = redirect.scheme.unwrap_or(scheme);
    let path = redirect.path.as_deref().unwrap_or(target.as_str());
    let location = match port {
        Some(port) => format!("{scheme}://{host}:{port}{path}"),
        None => format!("{scheme}://{host}{path}"),
    };
    let mut answer = text(redirect.status, format!("{}\n", redirect.status));
    // A request without a host has no place of its own to be sent back to: then the path alone.
    let location = if host.is_empty() { path.to_owned() } else { location };
    answer.head.fields.append(Field::Location, location.as_bytes());
    answer
}

/// `host:port` in its parts; the host of an IPv6 address keeps its brackets.
pub(crate) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    }
}

fn explain(failure: &Failure) -> String {
    // A client learns what it did wrong; what is wrong with the servers is for the log.
    if let Failure::DownstreamMalformed(violation) = failure {
        return format!("{}: {violation}\n", failure.status());
    }
    format!("{}\n", failure.status())
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let body = body.into();
    let mut fields = Fields::default();
    fields.append(Field::ContentType, TEXT);
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        fields.append(Field::ContentLength, itoa::Buffer::new().format(body.len()).as_bytes());
    }
    Answer { head: ResponseHead { status, version: Version::HTTP_11, fields }, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(with: &Redirect, authority: &str) -> String {
        let target = uri::PathAndQuery::from_static("/a?b=c");
        let answer = redirect(with, "http", authority, &target);
        String::from_utf8(answer.head.fields.get(Field::Location).unwrap().to_vec()).unwrap()
    }

    fn keep() -> Redirect {
        Redirect { scheme: None, host: None, port: None, path: None, status: StatusCode::PERMANENT_REDIRECT }
    }

    #[test]
    fn a_grpc_request_is_known_by_its_content_type() {
        for (kind, expected) in [
            ("application/grpc", true),
            ("Application/gRPC+proto", true),
            ("application/grpc;charset=x", true),
            ("application/grpc-web", false),
            ("application/grp", false),
            ("text/plain", false),
        ] {
            assert_eq!(is_grpc(&[("content-type", kind)].into_iter().collect()), expected, "{kind}");
        }
    }

    #[test]
    fn a_failed_grpc_request_is_told_in_one_head() {
        let Answer { head, body } = grpc_failure(&Failure::LocalNoRoute);
        assert_eq!((head.status, body.len()), (StatusCode::OK, 0));
        assert_eq!(head.fields.named("grpc-status").next(), Some(&b"12"[..]));
        assert_eq!(head.fields.named("grpc-message").next(), Some(&b"404 Not Found"[..]));
    }

    #[test]
    fn a_redirect_keeps_what_it_does_not_name() {
        let https = || Redirect { scheme: Some("https"), ..keep() };
        assert_eq!(to(&https(), "x.example:8080"), "https://x.example/a?b=c");
        assert_eq!(
            to(&Redirect { port: Some(8443), ..https() }, "x.example:8080"),
            "https://x.example:8443/a?b=c"
        );
        assert_eq!(
            to(&Redirect { path: Some("/n".into()), ..keep() }, "x.example:8080"),
            "http://x.example:8080/n"
        );
        assert_eq!(
            to(&Redirect { host: Some("y.example".into()), ..keep() }, "[::1]:80"),
            "http://y.example/a?b=c"
        );
        assert_eq!(to(&https(), "[::1]:80"), "https://[::1]/a?b=c");
        assert_eq!(to(&keep(), ""), "/a?b=c");
    }
}
