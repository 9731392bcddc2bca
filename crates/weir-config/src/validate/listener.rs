//! Listeners and routes: addresses that clash, pools that do not exist, routes that are never reached.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::PoolNames;
use crate::codec::{Context, Entry, Problem};
use crate::model::{Action, Admin, Http2, Listener, ListenerLimits, Name, PathMatch, Route, RouteMatch};
use crate::raw;
use crate::tree::{At, NodeId};

/// Addresses that are taken, and by whom: the name of a listener, or the admin API.
type Taken = HashMap<SocketAddr, (Option<Name>, NodeId)>;

pub(super) fn listeners(
    entries: Vec<Entry<raw::Listener>>,
    admin: &At<Admin>,
    names: &mut PoolNames<'_>,
    cx: &mut Context<'_>,
) -> Vec<Listener> {
    let mut taken = Taken::new();
    if admin.value.bind.port() != 0 {
        taken.insert(admin.value.bind, (None, cx.child_or_self(admin.node, "bind")));
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
        take_address(bind, &name, taken, cx);
    }
    let limits = limits(&raw.limits, cx);
    let http2 = http2(&raw.http2, &limits, cx);
    for net in raw.trusted_proxies.iter().filter(|net| net.value.prefix_len() == 0) {
        let problem = Problem::new(format!("`{}` is everyone: any client can choose its address", net.value));
        cx.warning(net.node, problem.hint("name the networks of your own proxies"));
    }
    Listener {
        routes: routes(&name, at.node, raw.routes, names, cx),
        name,
        bind: raw.bind.iter().map(|bind| bind.value).collect(),
        protocol: raw.protocol,
        trusted_proxies: raw.trusted_proxies.iter().map(|net| net.value).collect(),
        forwarded: raw.forwarded,
        timeouts: raw.timeouts,
        limits,
        http2,
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

/// What HTTP/2 adds to the limits, and where the two meet.
fn http2(raw: &At<Http2>, limits: &ListenerLimits, cx: &mut Context<'_>) -> Http2 {
    let mut http2 = raw.value.clone();
    let header_list = http2.header_list_max(limits);
    if http2.header_bytes < header_list {
        match cx.tree.entry(raw.node, "header_bytes") {
            None => http2.header_bytes = header_list,
            Some((_, bytes)) => {
                let problem = Problem::new("`header_bytes` is less than one request may have");
                let hint = format!("`header_list` is {header_list} bytes here");
                cx.problem(bytes, problem.hint(hint));
            }
        }
    }
    http2
}

fn take_address(bind: &At<SocketAddr>, name: &Name, taken: &mut Taken, cx: &mut Context<'_>) {
    if bind.value.port() == 0 {
        return;
    }
    let Some((owner, node)) = taken.get(&bind.value) else {
        taken.insert(bind.value, (Some(name.clone()), bind.node));
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
    raw: Vec<At<raw::Route>>,
    names: &mut PoolNames<'_>,
    cx: &mut Context<'_>,
) -> Vec<Route> {
    if raw.is_empty() && !cx.findings.has_errors() {
        let problem = Problem::new(format!("listener `{name}` has no routes: it answers 404"));
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
        let raw::Route { matches, pool, redirect, respond } = raw;
        let action = match pool {
            Some(pool) => names.get(&pool, cx).map(Action::Pool),
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
    let raw::Match { host, path, path_prefix, path_regex, method, header, query, source } = raw;
    let exact = path.map(PathMatch::Exact);
    let prefix = path_prefix.map(PathMatch::Prefix);
    RouteMatch {
        hosts: host,
        path: exact.or(prefix).or(path_regex.map(PathMatch::Regex)),
        methods: method,
        headers: header,
        query,
        sources: source,
    }
}
