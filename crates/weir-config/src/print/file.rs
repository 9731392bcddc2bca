//! The way back from what a configuration means to what a user would have typed.

use crate::codec::{Entry, ServerText};
use crate::model::{
    Action, Balance, Check, CheckKind, Config, Interface, InterfaceRoute, Listener, Name, PathMatch, Pool,
    Route, RouteMatch, Server, System,
};
use crate::raw::{self, BalanceWord};
use crate::tree::{At, NodeId};

fn at<T>(value: T) -> At<T> {
    At { value, node: NodeId::NONE }
}

fn entry<V>(name: &Name, value: V) -> Entry<V> {
    Entry { name: at(name.to_string()), value }
}

pub(super) fn file(config: &Config) -> raw::File {
    let Config { workers, admin, log, resolver, limits, timeouts, watch_config, system, listeners, pools } =
        config;
    raw::File {
        version: raw::VERSION,
        workers: *workers,
        admin: admin.clone().map(at),
        log: log.clone(),
        resolver: resolver.clone(),
        limits: limits.clone(),
        timeouts: timeouts.clone(),
        watch_config: *watch_config,
        system: self::system(system),
        listeners: listeners.iter().map(|l| entry(&l.name, listener(l, pools))).collect(),
        pools: pools.iter().map(|p| entry(&p.name, pool(p))).collect(),
    }
}

fn system(system: &System) -> raw::System {
    let System { hostname, interfaces, name_servers, time } = system;
    raw::System {
        hostname: hostname.clone(),
        interfaces: interfaces.iter().map(|i| entry(&i.name, interface(i))).collect(),
        name_servers: name_servers.iter().copied().map(at).collect(),
        time: at(time.clone()),
    }
}

fn interface(interface: &Interface) -> raw::Interface {
    let Interface { name: _, matches, dhcp, slaac, addresses, gateways, routes, mtu } = interface;
    let route = |InterfaceRoute { to, via }: &InterfaceRoute| {
        at(raw::InterfaceRoute { to: Some(at(*to)), via: Some(at(*via)) })
    };
    raw::Interface {
        matches: at(matches.clone()),
        dhcp: (*dhcp != raw::Interface::asks_dhcp(addresses.iter())).then_some(*dhcp),
        slaac: *slaac,
        addresses: addresses.iter().copied().map(at).collect(),
        gateways: gateways.iter().copied().map(at).collect(),
        routes: routes.iter().map(route).collect(),
        mtu: mtu.map(at),
    }
}

fn listener(listener: &Listener, pools: &[Pool]) -> raw::Listener {
    let Listener {
        name: _, bind, protocol, proxy_protocol, tls, https_redirect, hsts, trusted_proxies, ..
    } = listener;
    let Listener { forwarded, timeouts, limits, http2, udp, routes, .. } = listener;
    raw::Listener {
        bind: bind.iter().copied().map(at).collect(),
        protocol: *protocol,
        proxy_protocol: at(*proxy_protocol),
        tls: tls.clone().map(at),
        https_redirect: at(*https_redirect),
        hsts: hsts.map(at),
        trusted_proxies: trusted_proxies.iter().copied().map(at).collect(),
        forwarded: at(*forwarded),
        timeouts: timeouts.clone(),
        limits: at(limits.clone()),
        udp: at(udp.clone()),
        http2: at(http2.clone()),
        routes: routes.iter().map(|r| at(route(r, pools))).collect(),
    }
}

fn route(route: &Route, pools: &[Pool]) -> raw::Route {
    let RouteMatch { hosts, path, methods, headers, query, sources, sni, alpn } = route.matches.clone();
    let mut matches = raw::Match {
        host: hosts,
        method: methods,
        header: headers,
        query,
        source: sources,
        sni,
        alpn,
        ..raw::Match::default()
    };
    match path {
        Some(PathMatch::Exact(path)) => matches.path = Some(path),
        Some(PathMatch::Prefix(path)) => matches.path_prefix = Some(path),
        Some(PathMatch::Regex(pattern)) => matches.path_regex = Some(pattern),
        None => {}
    }
    let mut raw = raw::Route { matches, ..raw::Route::default() };
    match &route.action {
        Action::Pool(id) => raw.pool = pools.get(id.0).map(|pool| at(pool.name.to_string())),
        Action::Redirect(redirect) => raw.redirect = Some(redirect.clone()),
        Action::Respond(respond) => raw.respond = Some(respond.clone()),
    }
    raw
}

fn pool(pool: &Pool) -> raw::Pool {
    let Pool {
        name: _,
        protocol,
        balance,
        servers,
        tls,
        check: _,
        slow_start,
        timeouts,
        limits,
        http2,
        retries,
        ejection,
        proxy_protocol,
    } = pool;
    let (word, header) = match balance {
        Balance::RoundRobin => (BalanceWord::RoundRobin, None),
        Balance::LeastConnections => (BalanceWord::LeastConnections, None),
        Balance::RandomTwo => (BalanceWord::RandomTwo, None),
        Balance::SourceHash => (BalanceWord::SourceHash, None),
        Balance::UriHash => (BalanceWord::UriHash, None),
        Balance::HeaderHash(header) => (BalanceWord::HeaderHash, Some(at(header.clone()))),
        Balance::First => (BalanceWord::First, None),
    };
    raw::Pool {
        protocol: *protocol,
        balance: at(word),
        hash_header: header,
        servers: servers.iter().map(|s| at(server(s))).collect(),
        tls: tls.clone().map(at),
        check: pool.check.as_ref().map(|c| at(check(c, tls.is_some()))),
        slow_start: *slow_start,
        timeouts: timeouts.clone(),
        limits: limits.clone(),
        http2: http2.clone(),
        retries: retries.clone(),
        ejection: ejection.clone(),
        proxy_protocol: at(*proxy_protocol),
    }
}

fn server(server: &Server) -> raw::Server {
    let Server { name, address, weight, max_connections, backup, expand } = server;
    let written = address.to_string();
    raw::Server {
        name: (**name != *written).then(|| at(name.to_string())),
        address: Some(at(ServerText { address: address.clone(), written })),
        weight: *weight,
        max_connections: *max_connections,
        backup: *backup,
        resolve: at(*expand),
    }
}

fn check(check: &Check, pool_tls: bool) -> raw::Check {
    let Check {
        kind,
        interval,
        interval_changing,
        timeout,
        rise,
        fall,
        jitter_percent,
        port,
        tls,
        proxy_protocol: _, // the pool's
    } = check;
    let (http, grpc, tcp) = match kind {
        CheckKind::Http(http) => (Some(http.clone()), None, None),
        CheckKind::Grpc(grpc) => (None, Some(grpc.clone()), None),
        CheckKind::Tcp => (None, None, Some(())),
    };
    raw::Check {
        http,
        grpc,
        tcp,
        interval: *interval,
        interval_changing: (*interval_changing != *interval / 2).then_some(*interval_changing),
        timeout: *timeout,
        rise: *rise,
        fall: *fall,
        jitter_percent: *jitter_percent,
        port: *port,
        tls: (*tls != pool_tls).then_some(*tls),
    }
}
