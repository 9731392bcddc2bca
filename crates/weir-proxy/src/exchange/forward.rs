//! Heads on their way through: which fields go on, which are ours, which stay here.
//!
//! Hop-by-hop fields never go on (RFC 9110 section 7.6.1), nor those that `Connection` names. Forwarding
//! fields are ours: a client's own are dropped unless it is one of `trusted_proxies`, and then ours are
//! added after them.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{request, response};
use weir_config::model;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const VIA: HeaderValue = HeaderValue::from_static("1.1 weir");

/// What is known about the client of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Who is at the other end of the connection.
    pub(crate) peer: SocketAddr,
    /// Who asked: the peer, or whom a trusted peer names.
    pub(crate) address: IpAddr,
    /// Whether the peer's forwarding fields are believed.
    pub(crate) trusted: bool,
}

impl Client {
    /// Finds out who asked: the last address in `X-Forwarded-For` that is not itself a trusted proxy's.
    pub(crate) fn of(listener: &model::Listener, peer: SocketAddr, headers: &HeaderMap) -> Self {
        let trusts = |ip: IpAddr| listener.trusted_proxies.iter().any(|network| network.contains(&ip));
        let ip = peer.ip().to_canonical();
        if !trusts(ip) {
            return Self { peer, address: ip, trusted: false };
        }
        let mut address = ip;
        for value in headers.get_all(&X_FORWARDED_FOR).iter().rev() {
            for hop in value.to_str().unwrap_or("").rsplit(',') {
                let Some(hop) = parse_hop(hop.trim()) else { return Self { peer, address, trusted: true } };
                address = hop;
                if !trusts(hop) {
                    return Self { peer, address, trusted: true };
                }
            }
        }
        Self { peer, address, trusted: true }
    }
}

/// An address as `X-Forwarded-For` has it, perhaps with a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .or_else(|_| hop.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>())
        .ok()
        .map(|ip| ip.to_canonical())
}

/// Makes the head that goes to the server. `chunked`: the body's length is not known.
pub(crate) fn request(
    head: &mut request::Parts,
    listener: &model::Listener,
    client: &Client,
    server: &model::ServerAddress,
    chunked: bool,
) {
    let wants_trailers = accepts_trailers(&head.headers);
    let upgrade = upgrade(&head.headers);
    strip_hop_by_hop(&mut head.headers);
    let host = host(head, server);
    let headers = &mut head.headers;
    forwarding_fields(headers, listener, client, &host);
    if listener.forwarded.via {
        headers.append(header::VIA, VIA);
    }
    headers.insert(header::HOST, host);
    match (upgrade, wants_trailers) {
        (Some(protocol), _) => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, protocol);
        }
        (None, true) => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        (None, false) => {}
    }
    if chunked {
        headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Makes the head that goes to the client.
pub(crate) fn response(head: &mut response::Parts, listener: &model::Listener) {
    let upgrade = upgrade(&head.headers).filter(|_| head.status == http::StatusCode::SWITCHING_PROTOCOLS);
    strip_hop_by_hop(&mut head.headers);
    if listener.forwarded.via {
        head.headers.append(header::VIA, VIA);
    }
    if let Some(protocol) = upgrade {
        head.headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(header::UPGRADE, protocol);
    }
}

/// The protocol that a message wants to go over to; never `h2c`, with which a client could speak past us.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let protocol = headers.get(header::UPGRADE)?;
    let named = tokens(headers, header::CONNECTION).any(|token| token.eq_ignore_ascii_case("upgrade"));
    let h2c = tokens(headers, header::UPGRADE).any(|token| token.to_ascii_lowercase().starts_with("h2"));
    (named && !h2c).then(|| protocol.clone())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TE)
        && tokens(headers, header::TE).any(|token| token.eq_ignore_ascii_case("trailers"))
}

fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(header::CONNECTION) {
        // What frames or routes the message is not a client's to take away (RFC 9110 section 7.6.1).
        let named: Vec<HeaderName> = tokens(headers, header::CONNECTION)
            .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok())
            .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
            .collect();
        for name in named {
            headers.remove(name);
        }
        headers.remove(header::CONNECTION);
    }
    for name in
        [KEEP_ALIVE, PROXY_CONNECTION, HTTP2_SETTINGS, header::TE, header::TRANSFER_ENCODING, header::UPGRADE]
    {
        headers.remove(name);
    }
}

/// The request's host: of its target if that has one, else its field, else (HTTP/1.0) the server's address.
fn host(head: &request::Parts, server: &model::ServerAddress) -> HeaderValue {
    if let Some(authority) = head.uri.authority()
        && let Ok(value) = HeaderValue::from_str(authority.as_str())
    {
        return value;
    }
    match head.headers.get(header::HOST) {
        Some(host) => host.clone(),
        None => value(server.to_string()),
    }
}

fn forwarding_fields(
    headers: &mut HeaderMap,
    listener: &model::Listener,
    client: &Client,
    host: &HeaderValue,
) {
    if !client.trusted {
        for name in [X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, header::FORWARDED] {
            headers.remove(name);
        }
    }
    let peer = client.peer.ip().to_canonical();
    if listener.forwarded.x_forwarded {
        append_to_list(headers, X_FORWARDED_FOR, &peer.to_string());
        if !headers.contains_key(&X_FORWARDED_PROTO) {
            headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static("http"));
        }
        if !headers.contains_key(&X_FORWARDED_HOST) {
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
    }
    if listener.forwarded.forwarded {
        // RFC 7239 sections 4 and 6: an IPv6 address is bracketed, and then quoted.
        let mut element = match peer {
            IpAddr::V4(ip) => format!("for={ip}"),
            IpAddr::V6(ip) => format!("for=\"[{ip}]\""),
        };
        let host = host.to_str().unwrap_or("").replace(['"', '\\'], "");
        let _ = write!(element, ";host=\"{host}\";proto=http");
        append_to_list(headers, header::FORWARDED, &element);
    }
}

/// Adds an element to a field that is a list, in one line with what is there.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, element: &str) {
    let mut list = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element.as_bytes());
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(list)) {
        headers.insert(name, value);
    }
}

fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn listener(trusted: &[&str]) -> model::Listener {
        model::Listener {
            name: "web".into(),
            bind: vec![],
            protocol: model::Protocol::Http,
            trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            forwarded: model::ForwardedFields { x_forwarded: true, forwarded: true, via: true },
            timeouts: model::ListenerTimeouts::default(),
            limits: model::ListenerLimits::default(),
            routes: vec![],
        }
    }

    fn server() -> model::ServerAddress {
        model::ServerAddress { host: model::Host::Name("origin.example".into()), port: 81 }
    }

    fn forwarded(fields: &[(&str, &str)], trusted: &[&str]) -> HeaderMap {
        let mut request = Request::builder().uri("/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let listener = listener(trusted);
        let peer = "192.0.2.7:1234".parse().unwrap();
        let client = Client::of(&listener, peer, &head.headers);
        super::request(&mut head, &listener, &client, &server(), false);
        head.headers
    }

    #[test]
    fn hop_by_hop_fields_and_those_that_connection_names_stay_here() {
        let headers = forwarded(
            &[
                ("host", "a.example"),
                ("connection", "close, X-Secret, Host, content-length"),
                ("x-secret", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "gzip"),
                ("upgrade", "h2c"),
                ("http2-settings", "AAA"),
                ("content-length", "0"),
                ("x-kept", "1"),
            ],
            &[],
        );
        for gone in
            ["connection", "x-secret", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"]
        {
            assert!(!headers.contains_key(gone), "{gone} went on");
        }
        for kept in ["host", "content-length", "x-kept"] {
            assert!(headers.contains_key(kept), "{kept} was lost");
        }
    }

    #[test]
    fn an_unknown_clients_forwarding_fields_are_dropped() {
        let headers = forwarded(
            &[
                ("host", "a.example"),
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=203.0.113.9"),
            ],
            &["198.51.100.0/24"],
        );
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert_eq!(headers["x-forwarded-host"], "a.example");
        assert_eq!(headers["forwarded"], "for=192.0.2.7;host=\"a.example\";proto=http");
        assert_eq!(headers["via"], "1.1 weir");
    }

    #[test]
    fn a_trusted_proxys_forwarding_fields_are_added_to() {
        let headers = forwarded(
            &[("host", "a.example"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")],
            &["192.0.2.0/24"],
        );
        assert_eq!(headers["x-forwarded-for"], "203.0.113.9, 192.0.2.7");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let client = |field: &str, trusted: &[&str]| {
            let mut headers = HeaderMap::new();
            headers.insert(X_FORWARDED_FOR, HeaderValue::from_str(field).unwrap());
            Client::of(&listener(trusted), "192.0.2.7:1".parse().unwrap(), &headers).address.to_string()
        };
        assert_eq!(client("203.0.113.9", &[]), "192.0.2.7");
        assert_eq!(client("10.0.0.1, 203.0.113.9", &["192.0.2.0/24"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9, 192.0.2.1", &["192.0.2.0/24"]), "203.0.113.9");
        assert_eq!(client("evil, 192.0.2.1", &["192.0.2.0/24"]), "192.0.2.1");
        assert_eq!(client("[2001:db8::1]:443", &["192.0.2.0/24"]), "2001:db8::1");
    }

    #[test]
    fn a_request_without_a_host_gets_the_servers_and_a_websocket_keeps_its_upgrade() {
        assert_eq!(forwarded(&[], &[])["host"], "origin.example:81");
        let headers =
            forwarded(&[("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")], &[]);
        assert_eq!(headers["upgrade"], "websocket");
        assert_eq!(headers["connection"], "upgrade");
    }
}
