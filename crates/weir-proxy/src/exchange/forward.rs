//! Heads on their way through: which fields go on, which are ours, which stay here.
//!
//! Hop-by-hop fields never go on (RFC 9110 section 7.6.1), nor those that `Connection` names. Forwarding
//! fields are ours: a client's own are dropped unless it is one of `trusted_proxies`, and then ours are
//! added after them.

use std::net::{IpAddr, SocketAddr};

use weir_config::model;

use crate::fields::{Connection, Field, Fields};
use crate::head::{RequestHead, ResponseHead};
use crate::session::Secured;

const VIA: &[u8] = b"1.1 weir";

/// Fields that are for the next hop only.
const HOP_BY_HOP: [Field; 7] = [
    Field::Connection,
    Field::KeepAlive,
    Field::ProxyConnection,
    Field::Http2Settings,
    Field::Te,
    Field::TransferEncoding,
    Field::Upgrade,
];

/// Fields that say who asked, of whom, and how.
const FORWARDING: [Field; 4] =
    [Field::XForwardedFor, Field::XForwardedProto, Field::XForwardedHost, Field::Forwarded];

/// What is known about the client of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client<'s> {
    /// Who is at the other end of the connection.
    pub(crate) peer: SocketAddr,
    /// Who asked: the peer, or whom a trusted peer names.
    pub(crate) address: IpAddr,
    /// Whether the peer's forwarding fields are believed.
    pub(crate) trusted: bool,
    /// What is known of its TLS, if it has that.
    pub(crate) tls: Option<&'s Secured>,
}

impl<'s> Client<'s> {
    /// Finds out who asked: the last address in `X-Forwarded-For` that is not itself a trusted proxy's.
    pub(crate) fn of(
        listener: &model::Listener,
        peer: SocketAddr,
        tls: Option<&'s Secured>,
        fields: &Fields,
    ) -> Self {
        let trusts = |ip: IpAddr| listener.trusted_proxies.iter().any(|network| network.contains(&ip));
        let ip = peer.ip().to_canonical();
        if !trusts(ip) {
            return Self { peer, address: ip, trusted: false, tls };
        }
        let mut address = ip;
        for value in fields.get_all(Field::XForwardedFor).rev() {
            for hop in std::str::from_utf8(value).unwrap_or("").rsplit(',') {
                let Some(hop) = parse_hop(hop.trim()) else {
                    return Self { peer, address, trusted: true, tls };
                };
                address = hop;
                if !trusts(hop) {
                    return Self { peer, address, trusted: true, tls };
                }
            }
        }
        Self { peer, address, trusted: true, tls }
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
    head: &mut RequestHead,
    listener: &model::Listener,
    client: &Client<'_>,
    server: &model::ServerAddress,
    chunked: bool,
) {
    let connection = head.fields.connection();
    let wants_trailers = head.fields.elements(Field::Te).any(|te| te.eq_ignore_ascii_case(b"trailers"));
    let upgrade = upgrade(&head.fields, connection);
    strip_hop_by_hop(&mut head.fields, connection);
    host(head, server);
    let fields = &mut head.fields;
    forwarding_fields(fields, listener, client);
    certificate_field(fields, listener, client);
    if listener.forwarded.via {
        fields.append(Field::Via, VIA);
    }
    if let Some(protocol) = upgrade {
        fields.append(Field::Connection, b"upgrade");
        fields.append(Field::Upgrade, &protocol);
    } else if wants_trailers {
        fields.append(Field::Connection, b"te");
        fields.append(Field::Te, b"trailers");
    }
    if chunked {
        fields.append(Field::TransferEncoding, b"chunked");
    }
}

/// Makes the head that goes to the client.
pub(crate) fn response(head: &mut ResponseHead, listener: &model::Listener) {
    let switches = head.status == http::StatusCode::SWITCHING_PROTOCOLS;
    let connection = head.fields.connection();
    let upgrade = if switches { upgrade(&head.fields, connection) } else { None };
    strip_hop_by_hop(&mut head.fields, connection);
    if listener.forwarded.via {
        head.fields.append(Field::Via, VIA);
    }
    if let Some(protocol) = upgrade {
        head.fields.append(Field::Connection, b"upgrade");
        head.fields.append(Field::Upgrade, &protocol);
    }
    if head.status == http::StatusCode::NO_CONTENT {
        head.fields.remove(&[Field::ContentLength]); // RFC 9110 section 8.6
    }
}

/// The protocol that a message wants to go over to; never `h2c`, with which a client could speak past us.
fn upgrade(fields: &Fields, connection: Connection) -> Option<Vec<u8>> {
    let protocol = fields.get(Field::Upgrade)?;
    let h2c = fields.elements(Field::Upgrade).any(|token| token.to_ascii_lowercase().starts_with(b"h2"));
    (connection.upgrade && !h2c).then(|| protocol.to_vec())
}

fn strip_hop_by_hop(fields: &mut Fields, connection: Connection) {
    if connection.names_fields {
        let named: Vec<Vec<u8>> = fields
            .elements(Field::Connection)
            // What frames or routes the message is not a client's to take away (RFC 9110 section 7.6.1).
            .filter(|name| !matches!(Field::of(name), Field::Host | Field::ContentLength))
            .map(<[u8]>::to_vec)
            .collect();
        named.iter().for_each(|name| fields.remove_named(name));
    }
    fields.remove(&HOP_BY_HOP);
}

/// Says whom the request is for: its target if that says so, else its field, else (HTTP/1.0) the server.
fn host(head: &mut RequestHead, server: &model::ServerAddress) {
    if let Some(authority) = head.target.authority() {
        head.fields.set(Field::Host, authority.as_str().as_bytes());
    } else if !head.fields.has(Field::Host) {
        head.fields.append(Field::Host, server.to_string().as_bytes());
    }
}

fn forwarding_fields(fields: &mut Fields, listener: &model::Listener, client: &Client<'_>) {
    if !client.trusted {
        fields.remove(&FORWARDING);
    }
    let peer = client.peer.ip().to_canonical();
    let scheme = if client.tls.is_some() { "https" } else { "http" };
    if listener.forwarded.x_forwarded {
        append_to_list(fields, Field::XForwardedFor, text(peer).as_bytes());
        if !fields.has(Field::XForwardedProto) {
            fields.append(Field::XForwardedProto, scheme.as_bytes());
        }
        if !fields.has(Field::XForwardedHost) {
            fields.append_copy(Field::XForwardedHost, Field::Host);
        }
    }
    if listener.forwarded.forwarded {
        // RFC 7239 sections 4 and 6: an IPv6 address is bracketed, and then quoted.
        let mut element = match peer {
            IpAddr::V4(ip) => format!("for={ip}"),
            IpAddr::V6(ip) => format!("for=\"[{ip}]\""),
        };
        let host = fields.get(Field::Host).and_then(|host| std::str::from_utf8(host).ok()).unwrap_or("");
        let host = host.replace(['"', '\\'], "");
        element.push_str(&format!(";host=\"{host}\";proto={scheme}"));
        append_to_list(fields, Field::Forwarded, element.as_bytes());
    }
}

/// Says who the client is by its certificate. Nobody else may say so, whoever he is trusted for.
fn certificate_field(fields: &mut Fields, listener: &model::Listener, client: &Client<'_>) {
    for name in &listener.subject_fields {
        fields.remove_named(name.as_str().as_bytes());
    }
    let wanted = listener.tls.as_ref().and_then(|tls| tls.client_certificates.as_ref());
    if let Some(subject) = client.tls.and_then(|tls| tls.subject.as_deref())
        && let Some(name) = wanted.and_then(|clients| clients.header.as_ref())
    {
        fields.append_named(name.as_str(), subject.as_bytes());
    }
}

/// What `Display` says, without its machinery: this is done for every request.
fn text(address: IpAddr) -> String {
    let IpAddr::V4(address) = address else { return address.to_string() };
    let mut text = String::with_capacity("255.255.255.255".len());
    for octet in address.octets() {
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(itoa::Buffer::new().format(octet));
    }
    text
}

/// Adds an element to a field that is a list, in one line with what is there.
fn append_to_list(fields: &mut Fields, field: Field, element: &[u8]) {
    if !fields.has(field) {
        return fields.append(field, element);
    }
    let mut list = Vec::new();
    for value in fields.get_all(field) {
        list.extend_from_slice(value);
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(element);
    fields.set(field, &list);
}

#[cfg(test)]
mod tests {
    use http::{Method, Uri, Version};

    use super::*;

    fn listener(trusted: &[&str]) -> model::Listener {
        model::Listener {
            name: "web".into(),
            bind: vec![],
            protocol: model::Protocol::Http,
            tls: None,
            https_redirect: false,
            hsts: None,
            proxy_protocol: model::ProxyHeader::Refused,
            subject_fields: vec![],
            trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
            forwarded: model::ForwardedFields { x_forwarded: true, forwarded: true, via: true },
            timeouts: model::ListenerTimeouts::default(),
            limits: model::ListenerLimits::default(),
            udp: model::Udp::default(),
            routes: vec![],
        }
    }

    fn server() -> model::ServerAddress {
        model::ServerAddress { host: model::Host::Name("origin.example".into()), port: 81 }
    }

    fn value<'a>(fields: &'a Fields, name: &'a str) -> Option<&'a str> {
        fields.named(name).next().map(|value| std::str::from_utf8(value).unwrap())
    }

    fn forwarded(fields: &[(&str, &str)], trusted: &[&str]) -> Fields {
        let mut head = RequestHead {
            method: Method::GET,
            target: Uri::from_static("/"),
            version: Version::HTTP_11,
            fields: fields.iter().copied().collect(),
        };
        let listener = listener(trusted);
        let peer = "192.0.2.7:1234".parse().unwrap();
        let client = Client::of(&listener, peer, None, &head.fields);
        request(&mut head, &listener, &client, &server(), false);
        head.fields
    }

    #[test]
    fn hop_by_hop_fields_and_those_that_connection_names_stay_here() {
        let fields = forwarded(
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
            assert!(value(&fields, gone).is_none(), "{gone} went on");
        }
        for kept in ["host", "content-length", "x-kept"] {
            assert!(value(&fields, kept).is_some(), "{kept} was lost");
        }
    }

    #[test]
    fn an_unknown_clients_forwarding_fields_are_dropped() {
        let fields = forwarded(
            &[
                ("host", "a.example"),
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "https"),
                ("forwarded", "for=203.0.113.9"),
            ],
            &["198.51.100.0/24"],
        );
        assert_eq!(value(&fields, "x-forwarded-for"), Some("192.0.2.7"));
        assert_eq!(value(&fields, "x-forwarded-proto"), Some("http"));
        assert_eq!(value(&fields, "x-forwarded-host"), Some("a.example"));
        assert_eq!(value(&fields, "forwarded"), Some("for=192.0.2.7;host=\"a.example\";proto=http"));
        assert_eq!(value(&fields, "via"), Some("1.1 weir"));
    }

    #[test]
    fn a_trusted_proxys_forwarding_fields_are_added_to() {
        let fields = forwarded(
            &[("host", "a.example"), ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")],
            &["192.0.2.0/24"],
        );
        assert_eq!(value(&fields, "x-forwarded-for"), Some("203.0.113.9, 192.0.2.7"));
        assert_eq!(value(&fields, "x-forwarded-proto"), Some("https"));
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        let client = |field: &str, trusted: &[&str]| {
            let fields = [("x-forwarded-for", field)].into_iter().collect();
            Client::of(&listener(trusted), "192.0.2.7:1".parse().unwrap(), None, &fields).address.to_string()
        };
        assert_eq!(client("203.0.113.9", &[]), "192.0.2.7");
        assert_eq!(client("10.0.0.1, 203.0.113.9", &["192.0.2.0/24"]), "203.0.113.9");
        assert_eq!(client("203.0.113.9, 192.0.2.1", &["192.0.2.0/24"]), "203.0.113.9");
        assert_eq!(client("evil, 192.0.2.1", &["192.0.2.0/24"]), "192.0.2.1");
        assert_eq!(client("[2001:db8::1]:443", &["192.0.2.0/24"]), "2001:db8::1");
    }

    #[test]
    fn a_request_without_a_host_gets_the_servers_and_a_websocket_keeps_its_upgrade() {
        assert_eq!(value(&forwarded(&[], &[]), "host"), Some("origin.example:81"));
        let fields =
            forwarded(&[("host", "a"), ("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")], &[]);
        assert_eq!(value(&fields, "upgrade"), Some("websocket"));
        assert_eq!(value(&fields, "connection"), Some("upgrade"));
    }
}
