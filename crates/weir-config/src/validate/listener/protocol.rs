//! Which keys go with a listener's protocol: a condition on a host means nothing where there is no request, and
//! the header of a proxy is believed only from somebody who is named.

use crate::codec::{Context, Problem};
use crate::model::{Name, Protocol, ProxyHeader, ProxyVersion};
use crate::raw::{self, BalanceWord};
use crate::tree::{At, NodeId};

/// Conditions that look into a request.
const OF_REQUESTS: &[&str] = &["host", "path", "path_prefix", "path_regex", "method", "header", "query"];
/// Conditions that look into a TLS ClientHello which is passed on.
const OF_HELLOS: &[&str] = &["sni", "alpn"];

fn word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Http => "http",
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Judges the keys of a listener, but for its routes.
pub(super) fn keys(name: &Name, at: NodeId, raw: &raw::Listener, cx: &mut Context<'_>) {
    let protocol = raw.protocol;
    let stands = |node: NodeId| node != NodeId::NONE;
    let meaningless =
        |key: &str| Problem::new(format!("`{key}` means nothing on a `{}` listener", word(protocol)));
    match protocol {
        Protocol::Http | Protocol::Tcp if stands(raw.udp.node) => {
            cx.problem(
                cx.tree.naming_key(raw.udp.node),
                meaningless("udp").hint("it is for `protocol: udp`"),
            );
        }
        Protocol::Http | Protocol::Tcp | Protocol::Udp => {}
    }
    match protocol {
        Protocol::Http => {}
        Protocol::Tcp | Protocol::Udp => {
            let of_requests = [
                ("forwarded", raw.forwarded.node),
                ("limits", raw.limits.node),
                ("http2", raw.http2.node),
                ("https_redirect", raw.https_redirect.node),
                // Without TLS it is told of as such.
                (
                    "hsts",
                    raw.hsts.as_ref().filter(|_| raw.tls.is_some()).map_or(NodeId::NONE, |hsts| hsts.node),
                ),
            ];
            for (key, node) in of_requests {
                if stands(node) {
                    let problem = meaningless(key).hint("it is for requests: `protocol: http`");
                    cx.warning(cx.tree.naming_key(node), problem);
                }
            }
        }
    }
    if let (Protocol::Udp, Some(tls)) = (protocol, &raw.tls) {
        cx.problem(cx.tree.naming_key(tls.node), meaningless("tls").hint("TLS is for `http` and `tcp`"));
    }
    if raw.proxy_protocol.value == ProxyHeader::Refused {
        if let (Protocol::Tcp | Protocol::Udp, Some(first)) = (protocol, raw.trusted_proxies.first()) {
            let problem = meaningless("trusted_proxies");
            cx.warning(first.node, problem.hint("with `proxy_protocol: required` it would, on TCP"));
        }
        return;
    }
    if protocol == Protocol::Udp {
        cx.problem(raw.proxy_protocol.node, meaningless("proxy_protocol").hint("remove it"));
    } else if raw.trusted_proxies.is_empty() {
        let problem = Problem::new(format!("listener `{name}` believes PROXY headers, and from nobody"));
        let at = if stands(raw.proxy_protocol.node) { raw.proxy_protocol.node } else { at };
        cx.problem(at, problem.hint("name the proxies in front of it in `trusted_proxies`"));
    }
}

/// Judges the conditions and the action of a route.
pub(super) fn route(protocol: Protocol, node: NodeId, cx: &mut Context<'_>) {
    let conditions = cx.tree.entry(node, "match").map(|(_, conditions)| conditions);
    let (refused, hint): (&[&[&str]], &str) = match protocol {
        Protocol::Http => (&[OF_HELLOS], "it is for `tcp` listeners; requests are matched by `host`"),
        Protocol::Tcp => (&[OF_REQUESTS], "a `tcp` listener has `source`, `sni` and `alpn`"),
        Protocol::Udp => (&[OF_REQUESTS, OF_HELLOS], "a `udp` listener has `source`"),
    };
    for key in refused.iter().copied().flatten() {
        if let Some((at, _)) = conditions.and_then(|conditions| cx.tree.entry(conditions, key)) {
            let problem = Problem::new(format!("`{key}` matches nothing on a `{}` listener", word(protocol)));
            cx.problem(at, problem.hint(hint));
        }
    }
    if protocol == Protocol::Http {
        return;
    }
    for key in ["redirect", "respond"] {
        if let Some((at, _)) = cx.tree.entry(node, key) {
            let problem = Problem::new(format!("a `{}` listener answers nothing by itself", word(protocol)));
            cx.problem(at, problem.hint("give the route a `pool`"));
        }
    }
}

/// Judges the pool that a route names.
pub(super) fn pool(protocol: Protocol, named: &At<String>, pool: &raw::Pool, cx: &mut Context<'_>) {
    let hash = match pool.balance.value {
        BalanceWord::UriHash => Some("uri_hash"),
        BalanceWord::HeaderHash => Some("header_hash"),
        BalanceWord::RoundRobin
        | BalanceWord::LeastConnections
        | BalanceWord::RandomTwo
        | BalanceWord::SourceHash
        | BalanceWord::First => None,
    };
    let what = match protocol {
        Protocol::Http => return,
        Protocol::Tcp => "a TCP connection",
        Protocol::Udp => "a UDP flow",
    };
    if let Some(hash) = hash {
        let problem =
            Problem::new(format!("pool `{}` chooses by `{hash}`, and {what} has no request", named.value));
        cx.problem(named.node, problem.hint("take another `balance`, such as `source_hash`"));
    }
    if protocol == Protocol::Udp && pool.proxy_protocol.value != ProxyVersion::None {
        let problem =
            Problem::new(format!("pool `{}` wants a PROXY header, and {what} has no beginning", named.value));
        cx.problem(named.node, problem.hint("use a pool without `proxy_protocol`"));
    }
    if protocol == Protocol::Udp && pool.tls.is_some() {
        let problem = Problem::new(format!("pool `{}` speaks TLS, which {what} cannot", named.value));
        cx.problem(named.node, problem.hint("use a pool without `tls`"));
    }
}
