//! Who may ask: whoever has the token, or, where there is none, whoever is not a browser under a foreign
//! page's spell.
//!
//! Without a token the address is a loopback one. A page from elsewhere can make a browser on this machine
//! send requests there, under its own name (DNS rebinding) or from its own origin (CSRF); the browser then
//! says so in `Host` or in `Origin`.

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::{HeaderMap, HeaderValue, Request};

use super::problem::{Kind, Problem};
use crate::operator::Operator;
use crate::token::Token;

/// Refuses whoever may not ask.
pub(super) fn check<B>(operator: &Operator, request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    match &*operator.token() {
        Some(token) => check_token(token, headers)?,
        None => check_host(headers)?,
    }
    if request.method().is_safe() { Ok(()) } else { check_origin(headers) }
}

fn check_token(token: &Token, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(Kind::NoToken, detail));
    let Some(value) = headers.get(AUTHORIZATION) else {
        return refused(
            "send it as `Authorization: Bearer TOKEN`; it is in the file that admin.token_file names",
        );
    };
    match bearer(value) {
        Some(offered) if token.matches(offered) => Ok(()),
        Some(_) => refused("this token is not the right one"),
        None => refused("the Authorization field is not of the form `Bearer TOKEN`"),
    }
}

/// The token in `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn check_host(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(HOST).map(HeaderValue::to_str) {
        // HTTP/1.0, which no browser speaks.
        None => Ok(()),
        Some(Ok(host)) if is_of_this_machine(host) => Ok(()),
        Some(_) => Err(Problem::new(
            Kind::ForeignHost,
            "without admin.token_file, requests must name an IP address or `localhost`: \
             any other name may be a foreign page's (DNS rebinding)",
        )),
    }
}

/// Whether `host` is an address or `localhost`, with or without a port.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => {
            return rest.split_once(']').is_some_and(|(ip, _)| ip.parse::<std::net::Ipv6Addr>().is_ok());
        }
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    name.parse::<std::net::Ipv4Addr>().is_ok() || name.eq_ignore_ascii_case("localhost")
}

/// The origin of a page must be the host that the request names.
fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    let own = [&b"http://"[..], b"https://"].into_iter().any(|scheme| {
        origin.as_bytes().strip_prefix(scheme).is_some_and(|from| from.eq_ignore_ascii_case(host))
    });
    if own && !host.is_empty() {
        return Ok(());
    }
    Err(Problem::new(Kind::ForeignOrigin, "the Origin field names another host than the Host field"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_and_localhost_are_of_this_machine() {
        for host in ["127.0.0.1:9000", "127.0.0.1", "localhost:9000", "LOCALHOST", "[::1]:9000", "[::1]"] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "[evil]", "127.1"]
        {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }

    #[test]
    fn an_origin_must_be_the_host() {
        let headers = |origin: &'static str| {
            HeaderMap::from_iter([
                (HOST, HeaderValue::from_static("127.0.0.1:9000")),
                (ORIGIN, HeaderValue::from_static(origin)),
            ])
        };
        assert!(check_origin(&headers("http://127.0.0.1:9000")).is_ok());
        for origin in
            ["null", "http://127.0.0.1", "http://evil.example", "http://127.0.0.1:9000.evil.example"]
        {
            assert!(check_origin(&headers(origin)).is_err(), "{origin}");
        }
    }
}
