//! Servers by name: they come and go with their addresses, and a resolver in trouble takes nobody away.

use std::net::SocketAddr;
use std::time::Duration;

use weir_tests::{NameServer, Origin, Weir, eventually, get};

fn pool(names: &NameServer, servers: &str) -> Weir {
    Weir::start(&format!(
        "resolver: {{ servers: [\"{}\"], hold: 100ms, timeout: 200ms }}\nlisteners: {{ web: {{ bind: 127.0.0.1:0, routes: \
         [{{ pool: web }}] }} }}\npools: {{ web: {{ servers: {servers} }} }}\n",
        names.address()
    ))
}

/// Servers at one port of several addresses of this machine.
fn at_one_port(hosts: &[[u8; 4]], names: &[&str]) -> (u16, Vec<Origin>) {
    loop {
        let first = Origin::named_on(SocketAddr::from((hosts[0], 0)), names[0]);
        let port = first.address().port();
        let free =
            |host: &[u8; 4]| std::net::TcpListener::bind((std::net::Ipv4Addr::from(*host), port)).is_ok();
        if hosts[1..].iter().all(free) {
            let mut origins = vec![first];
            for (host, name) in hosts.iter().zip(names).skip(1) {
                origins.push(Origin::named_on(SocketAddr::from((*host, port)), name));
            }
            return (port, origins);
        }
    }
}

#[test]
fn a_name_is_asked_for_and_followed() {
    let (port, _origins) = at_one_port(&[[127, 0, 0, 1], [127, 0, 0, 2]], &["one", "two"]);
    let names = NameServer::start();
    names.set("app.internal", &[[127, 0, 0, 1]]);
    let weir = pool(&names, &format!("[\"app.internal:{port}\"]"));
    eventually("it is resolved", || get(weir.web(), "/").text() == "one");
    names.set("app.internal", &[[127, 0, 0, 2]]);
    eventually("it is followed", || get(weir.web(), "/").text() == "two");
}

#[test]
fn a_name_that_nobody_knows_is_a_server_that_is_down_and_no_failed_start() {
    let origin = Origin::named("a");
    let names = NameServer::start();
    let port = origin.address().port();
    let weir = pool(&names, &format!("[\"later.internal:{port}\"]"));
    assert_eq!(get(weir.web(), "/").status, 503);
    let server = weir.admin().server("web", &format!("later.internal:{port}"));
    assert_eq!(server["health"], "down", "{server}");
    names.set("later.internal", &[[127, 0, 0, 1]]);
    eventually("it comes up", || get(weir.web(), "/").text() == "a");
}

#[test]
fn a_dead_resolver_takes_nobody_away() {
    let origin = Origin::named("a");
    let names = NameServer::start();
    names.set("app.internal", &[[127, 0, 0, 1]]);
    let weir = pool(&names, &format!("[\"app.internal:{}\"]", origin.address().port()));
    eventually("it is resolved", || get(weir.web(), "/").text() == "a");
    names.be_silent(true);
    let asked = names.questions();
    eventually("it is asked in vain", || names.questions() > asked + 4);
    for _ in 0..20 {
        assert_eq!(get(weir.web(), "/").text(), "a");
    }
}

#[test]
fn all_addresses_of_a_name_are_servers() {
    let hosts = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]];
    let (port, origins) = at_one_port(&hosts, &["one", "two", "three"]);
    let names = NameServer::start();
    names.set("fleet.internal", &hosts[..2]);
    let weir = pool(&names, &format!("[{{ address: \"fleet.internal:{port}\", resolve: all }}]"));
    let seen = || (0..12).map(|_| get(weir.web(), "/").text()).collect::<std::collections::BTreeSet<_>>();
    let are = |expected: &[&str]| seen().into_iter().eq(expected.iter().map(|&name| name.to_owned()));
    eventually("two serve", || are(&["one", "two"]));
    names.set("fleet.internal", &hosts);
    eventually("three serve", || are(&["one", "three", "two"]));
    names.set("fleet.internal", &hosts[1..2]);
    eventually("one serves", || are(&["two"]));
    drop(origins);
}

#[test]
fn a_resolver_that_nobody_is_at_does_not_delay_the_start() {
    let origin = Origin::named("a");
    let nobody = Origin::nobody();
    let weir = Weir::start(&format!(
        "resolver: {{ servers: [\"{nobody}\"], timeout: 10s }}\nlisteners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ pool: \
         web }}] }} }}\npools: {{ web: {{ servers: [\"app.internal:80\", \"{}\"] }} }}\n",
        origin.address()
    ));
    let began = std::time::Instant::now();
    for _ in 0..5 {
        assert_eq!(get(weir.web(), "/").text(), "a");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn this_machines_own_name_is_known() {
    let origin = Origin::named("a");
    let weir = Weir::with_pool(&format!("{{ servers: [\"localhost:{}\"] }}", origin.address().port()));
    eventually("localhost is resolved", || get(weir.web(), "/").text() == "a");
}
