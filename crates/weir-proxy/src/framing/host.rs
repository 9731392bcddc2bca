//! `uri-host [ ":" port ]`: the value of Host, and the authority of a request target (RFC 9110 section 7.2,
//! RFC 3986 section 3.2).

use std::net::Ipv6Addr;

use super::bytes::{REG_NAME, all};

/// A host and its port, as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostPort<'a> {
    /// A name, an IPv4 address, or an IPv6 address in brackets; never empty.
    host: &'a [u8],
    /// 1 to 65535.
    pub(super) port: Option<u16>,
}

impl HostPort<'_> {
    /// Whether both name the same authority: names without regard to case, a port left out standing for one
    /// of `default_ports` (80 for `http`). Names are not resolved and addresses are compared as text.
    pub(super) fn same_as(&self, other: &HostPort<'_>, default_ports: &[u16]) -> bool {
        let ports_agree = match (self.port, other.port) {
            (None, None) => true,
            (Some(one), Some(two)) => one == two,
            (Some(port), None) | (None, Some(port)) => default_ports.contains(&port),
        };
        ports_agree && self.host.eq_ignore_ascii_case(other.host)
    }
}

/// Takes an authority without user information apart; `None` if it is not valid. `http::uri::Authority`
/// accepts all that this does.
pub(super) fn parse(text: &[u8]) -> Option<HostPort<'_>> {
    let host_end = if text.first() == Some(&b'[') {
        memchr::memchr(b']', text)? + 1
    } else {
        memchr::memchr(b':', text).unwrap_or(text.len())
    };
    let (host, port) = text.split_at(host_end);
    if !is_host(host) {
        return None;
    }
    let port = match port {
        [] => None,
        [b':', digits @ ..] => Some(parse_port(digits)?),
        [..] => return None,
    };
    Some(HostPort { host, port })
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        // An address; no zone (it has no meaning for another host) and no IPvFuture.
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        [..] => all(&REG_NAME, host),
    }
}

/// RFC 3986 lets a port be empty; no client sends it so, and parsers differ on what it means.
fn parse_port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let port = digits.iter().fold(0u32, |port, &digit| port * 10 + u32::from(digit - b'0'));
    u16::try_from(port).ok().filter(|&port| port != 0)
}
