//! Listeners and routes: addresses that clash, pools that do not exist, routes that are never reached, keys
//! that mean nothing for the listener's protocol.

mod protocol;

use std::collections::HashMap;
use std::net::SocketAddr;

use super::PoolNames;
use crate::codec::{Context, Entry, Problem};
use crate::model::{
    Action, Admin, Alpn, Listener, ListenerLimits, ListenerTls, Name, PathMatch, Protocol, Route, RouteMatch,
};
use crate::raw;
use crate::tree::{At, NodeId};

/// Addresses that are taken, on UDP (`true`) or TCP, and by whom: the name of a listener, or the admin API.
type Taken = HashMap<(bool, SocketAddr), (Option<Name>, NodeId)>;

pub(super) fn listeners(
    entries: Vec<Entry<raw::Listener>>,
    admin: &At<Admin>,
    names: &mut PoolNames<'_>,
    cx: &mut Context<'_>,
) -> Vec<Listener> {
    let mut taken = Taken::new();
    if admin.value.bind.port() != 0 {
        taken.insert((false, admin.value.bind), (None, cx.child_or_self(admin.node, "bind")));
    }
    entries.into_iter().map(|entry| listener(entry, &mut taken, names, cx)).collect()
}

fn listener(
    entry: Entry<raw::Listener>,
    taken: &mut Taken,
    names: &mut PoolNames<'_>,
    cx: &mut Context<'_>,
) -> Listener {
    let Entry { name: at, value: raw } = entry;
    let name = Name::from(at.value);
    for bind in &raw.bind {
        take_address(bind, raw.protocol, &name, taken, cx);
    }
    protocol::keys(&name, at.node, &raw, cx);
    let limits = limits(&raw.limits, cx);
    for net in raw.trusted_proxies.iter().filter(|net| net.value.prefix_len() == 0) {
        let problem = Problem::new(format!("`{}` is everyone: any client can choose its address", net.value));
        cx.warning(net.node, problem.hint("name the networks of your own proxies"));
    }
    tls(&raw, cx);
    Listener {
        routes: routes(&name, at.node, raw.protocol, raw.routes, raw.https_redirect.value, names, cx),
        name,
        bind: raw.bind.iter().map(|bind| bind.value).collect(),
        protocol: raw.protocol,
        proxy_protocol: raw.proxy_protocol.value,
        tls: raw.tls.map(|tls| tls.value),
        https_redirect: raw.https_redirect.value,
        hsts: raw.hsts.map(|hsts| hsts.value),
        subject_fields: Vec::new(), // known when all listeners are
        trusted_proxies: raw.trusted_proxies.iter().map(|net| net.value).collect(),
        forwarded: raw.forwarded.value,
        timeouts: raw.timeouts,
        limits,
        udp: raw.udp.value,
    }
}

/// The subject must not stand where HTTP itself looks.
fn subject_field(tls: &At<ListenerTls>, cx: &mut Context<'_>) {
    let Some(header) = tls.value.client_certificates.as_ref().and_then(|clients| clients.header.as_ref())
    else {
        return;
    };
    const OF_HTTP: [&str; 8] =
        ["host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect", "trailer"];
    if OF_HTTP.contains(&header.as_str()) {
        let problem = Problem::new(format!("`{header}` is a field that HTTP itself needs"));
        let at = cx.child_or_self(cx.child_or_self(tls.node, "client_certificates"), "header");
        cx.problem(at, problem.hint("take another name, such as `X-Client-Subject`"));
    }
}

/// A pool may be reached by way of a listener that asks for no certificate, too: there as well, nobody may say of himself
/// what his certificate would.
pub(super) fn share_subject_fields(listeners: &mut [Listener]) {
    let tls = listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let fields = tls.filter_map(|tls| tls.client_certificates.as_ref()?.header.clone());
    let mut fields: Vec<_> = fields.collect();
    fields.sort_by(|a, b| a.as_str().cmp(b.as_str()));
    fields.dedup();
    for listener in listeners {
        listener.subject_fields.clone_from(&fields);
    }
}

/// Keys that mean something only with TLS, or only without it.
fn tls(raw: &raw::Listener, cx: &mut Context<'_>) {
    match &raw.tls {
        Some(tls) => {
            if raw.https_redirect.value {
                let problem =
                    Problem::new("a listener that speaks TLS would send its clients to itself, for ever");
                let hint = "`https_redirect` is for the listener of port 80";
                cx.problem(raw.https_redirect.node, problem.hint(hint));
            }
            subject_field(tls, cx);
            for (index, alpn) in tls.value.alpn.iter().enumerate() {
                if tls.value.alpn[..index].contains(alpn) {
                    let at = cx.child_or_self(tls.node, "alpn");
                    cx.error(at, format!("`{}` stands here twice", alpn.as_str()));
                } else if !Alpn::SERVED.contains(alpn) {
                    let problem =
                        Problem::new(format!("`{}` is not served by this version yet", alpn.as_str()));
                    cx.problem(cx.child_or_self(tls.node, "alpn"), problem.hint("remove it"));
                }
            }
        }
        None => {
            if let Some(hsts) = &raw.hsts {
                let problem = Problem::new("`hsts` means something only over TLS (RFC 6797 section 7.2)");
                cx.warning(hsts.node, problem.hint("it belongs to the listener that has `tls`"));
            }
        }
    }
}

/// The limit of a part is at most that of the whole: as a default it gives way, as a wish it is refused.
fn limits(raw: &At<ListenerLimits>, cx: &mut Context<'_>) -> ListenerLimits {
    let mut limits = raw.value.clone();
    if limits.uri_bytes > limits.request_head_bytes {
        match cx.tree.entry(raw.node, "uri") {
            None => limits.uri_bytes = limits.request_head_bytes,
            Some((_, uri)) => {
                let problem = Problem::new("`uri` is larger than `request_head`, which it is a part of");
                let hint = format!("`request_head` is {} bytes here", limits.request_head_bytes);
                cx.problem(uri, problem.hint(hint));
            }
        }
    }
    limits
}

fn take_address(
    bind: &At<SocketAddr>,
    protocol: Protocol,
    name: &Name,
    taken: &mut Taken,
    cx: &mut Context<'_>,
) {
    if bind.value.port() == 0 {
        return;
    }
    let socket = (protocol == Protocol::Udp, bind.value);
    let Some((owner, node)) = taken.get(&socket) else {
        taken.insert(socket, (Some(name.clone()), bind.node));
        return;
    };
    let problem = Problem::new(match owner {
        None => format!("`{}` is the address of the admin API", bind.value),
        Some(owner) if owner == name => format!("`{}` stands here twice", bind.value),
        Some(owner) => format!("`{}` is bound by listener `{owner}` already", bind.value),
    });
    let problem = match *node {
        NodeId::NONE => problem.hint("take another port, or set `admin.bind`"),
        node => problem.hint(format!("the first is in line {}", cx.tree.line(node))),
    };
    cx.problem(bind.node, problem);
}

fn routes(
    name: &Name,
    at: NodeId,
    protocol: Protocol,
    raw: Vec<At<raw::Route>>,
    redirects: bool,
    names: &mut PoolNames<'_>,
    cx: &mut Context<'_>,
) -> Vec<Route> {
    if raw.is_empty() && !redirects && !cx.findings.has_errors() {
        let does = match protocol {
            Protocol::Http => "it answers 404",
            Protocol::Tcp => "it closes every connection",
            Protocol::Udp => "it drops every datagram",
        };
        let problem = Problem::new(format!("listener `{name}` has no routes: {does}"));
        cx.warning(at, problem.hint("add `routes: [{ pool: NAME }]`"));
    }
    let mut routes = Vec::with_capacity(raw.len());
    let mut catch_all = None;
    for At { value: raw, node } in raw {
        match catch_all {
            // Once a listener: the others follow from it.
            Some((first, false)) => {
                let problem = Problem::new("this route is never reached");
                let hint = format!("the one in line {} matches every request", cx.tree.line(first));
                cx.warning(node, problem.hint(hint));
                catch_all = Some((first, true));
            }
            Some((_, true)) => {}
            None if is_catch_all(node, cx) => catch_all = Some((node, false)),
            None => {}
        }
        protocol::route(protocol, node, cx);
        let raw::Route { matches, pool, redirect, respond } = raw;
        let action = match pool {
            Some(pool) => names.get(&pool, cx).map(|id| {
                protocol::pool(protocol, &pool, &names.pools[id.0].value, cx);
                Action::Pool(id)
            }),
            None => redirect.map(Action::Redirect).or(respond.map(Action::Respond)),
        };
        routes.extend(action.map(|action| Route { matches: route_match(matches), action }));
    }
    routes
}

/// Whether a route has no conditions; one whose conditions could not be read has some.
fn is_catch_all(route: NodeId, cx: &Context<'_>) -> bool {
    let Some((_, conditions)) = cx.tree.entry(route, "match") else { return true };
    cx.map(conditions).is_some_and(<[_]>::is_empty)
}

fn route_match(raw: raw::Match) -> RouteMatch {
    let raw::Match { host, path, path_prefix, path_regex, method, header, query, source, sni, alpn } = raw;
    let exact = path.map(PathMatch::Exact);
    let prefix = path_prefix.map(PathMatch::Prefix);
    RouteMatch {
        hosts: host,
        path: exact.or(prefix).or(path_regex.map(PathMatch::Regex)),
        methods: method,
        headers: header,
        query,
        sources: source,
        sni,
        alpn,
    }
}
