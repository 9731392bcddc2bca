//! Pools: names that clash, keys that need each other, checks with everything filled in.

use std::collections::HashMap;

use crate::codec::{Context, Entry, Problem, parse_name};
use crate::model::{
    Balance, Check, CheckKind, Expand, Host, Pool, PoolProtocol, PoolTls, ProxyVersion, Server, Verify,
};
use crate::raw::{self, BalanceWord};
use crate::tree::{At, NodeId};

/// `None` when the pool cannot be built, which has been reported.
pub(super) fn pool(entry: &Entry<raw::Pool>, cx: &mut Context<'_>) -> Option<Pool> {
    let Entry { name, value: raw } = entry;
    let balance = balance(raw, cx);
    let mut seen = HashMap::with_capacity(raw.servers.len());
    let servers = raw.servers.iter().filter_map(|server| self::server(server, &mut seen, cx)).collect();
    if raw.protocol == PoolProtocol::Http2 && raw.proxy_protocol.value != ProxyVersion::None {
        let problem =
            Problem::new("clients share connections in HTTP/2: no PROXY header can say whose one is");
        cx.problem(raw.proxy_protocol.node, problem.hint("remove it, or take `protocol: http1`"));
    }
    Some(Pool {
        name: name.value.as_str().into(),
        protocol: raw.protocol,
        balance: balance?,
        servers,
        tls: raw.tls.as_ref().map(|tls| self::tls(tls, cx)),
        check: raw
            .check
            .as_ref()
            .and_then(|check| self::check(check, raw.tls.is_some(), raw.proxy_protocol.value, cx)),
        slow_start: raw.slow_start,
        timeouts: raw.timeouts.clone(),
        limits: raw.limits.clone(),
        http2: raw.http2.clone(),
        retries: raw.retries.clone(),
        ejection: raw.ejection.clone(),
        proxy_protocol: raw.proxy_protocol.value,
    })
}

fn balance(raw: &raw::Pool, cx: &mut Context<'_>) -> Option<Balance> {
    let balance = match raw.balance.value {
        BalanceWord::RoundRobin => Balance::RoundRobin,
        BalanceWord::LeastConnections => Balance::LeastConnections,
        BalanceWord::RandomTwo => Balance::RandomTwo,
        BalanceWord::SourceHash => Balance::SourceHash,
        BalanceWord::UriHash => Balance::UriHash,
        BalanceWord::First => Balance::First,
        BalanceWord::HeaderHash => {
            let Some(header) = &raw.hash_header else {
                let problem = Problem::new("`header_hash` needs to know which field");
                cx.problem(
                    raw.balance.node,
                    problem.hint("add `hash_header`, such as `hash_header: x-user`"),
                );
                return None;
            };
            return Some(Balance::HeaderHash(header.value.clone()));
        }
    };
    if let Some(header) = &raw.hash_header {
        let problem = Problem::new("`hash_header` means something only with `balance: header_hash`");
        cx.problem(header.node, problem.hint("remove it, or set `balance: header_hash`"));
        return None;
    }
    Some(balance)
}

fn server(raw: &At<raw::Server>, seen: &mut HashMap<String, NodeId>, cx: &mut Context<'_>) -> Option<Server> {
    let At { value: raw, node } = raw;
    let address = raw.address.as_ref()?;
    let (name, at) = match &raw.name {
        Some(name) => (name.value.clone(), name.node),
        None => (address.value.written.clone(), address.node),
    };
    if let Err(problem) = parse_name(&name) {
        let problem = Problem::new(format!("the address cannot serve as a name: {}", problem.message));
        cx.problem(at, problem.hint("give the server a `name`"));
        return None;
    }
    if let Some(&first) = seen.get(&name) {
        let problem = Problem::new(format!("a second server is named `{name}`"));
        let hint = format!("the first is in line {}; give one of them another `name`", cx.tree.line(first));
        cx.problem(at, problem.hint(hint));
        return None;
    }
    seen.insert(name.clone(), *node);
    if let (Expand::All, Host::Ip(ip)) = (raw.resolve.value, &address.value.address.host) {
        let problem = Problem::new(format!("`resolve: all` means nothing for the address `{ip}`"));
        cx.warning(raw.resolve.node, problem.hint("it is for host names with several addresses"));
    }
    Some(Server {
        name: name.into(),
        address: address.value.address.clone(),
        weight: raw.weight,
        max_connections: raw.max_connections,
        backup: raw.backup,
        expand: raw.resolve.value,
    })
}

fn tls(raw: &At<PoolTls>, cx: &mut Context<'_>) -> PoolTls {
    let At { value: tls, node } = raw;
    if tls.verify == Verify::None {
        let problem = Problem::new("whoever answers at a server's address is taken for the server");
        let hint = "with `ca`, servers whose certificate is your own can be verified, too";
        cx.warning(cx.child_or_self(*node, "verify"), problem.hint(hint));
    }
    if let (Some(_), None) = (&tls.key, &tls.certificate) {
        let problem = Problem::new("a `key` without its `certificate`").hint("add `certificate`");
        cx.problem(cx.child_or_self(*node, "key"), problem);
    }
    tls.clone()
}

/// `None` when it says not what a probe does, which the decoder has reported.
fn check(
    raw: &At<raw::Check>,
    pool_tls: bool,
    proxy_protocol: ProxyVersion,
    cx: &mut Context<'_>,
) -> Option<Check> {
    let At { value: raw, node } = raw;
    if raw.tls == Some(true) && !pool_tls {
        let problem = Problem::new("the pool says not how TLS is spoken");
        let at = cx.child_or_self(*node, "tls");
        cx.problem(at, problem.hint("give the pool a `tls` section, such as `tls: {}`"));
    }
    let kind = match (&raw.http, &raw.grpc, raw.tcp) {
        (Some(http), None, None) => CheckKind::Http(http.clone()),
        (None, Some(grpc), None) => CheckKind::Grpc(grpc.clone()),
        (None, None, Some(())) => CheckKind::Tcp,
        (_, _, _) => return None,
    };
    let interval = raw.interval;
    Some(Check {
        kind,
        interval,
        interval_changing: raw.interval_changing.unwrap_or(interval / 2),
        timeout: raw.timeout,
        rise: raw.rise,
        fall: raw.fall,
        jitter_percent: raw.jitter_percent,
        port: raw.port,
        tls: raw.tls.unwrap_or(pool_tls),
        proxy_protocol,
    })
}
