//! Who gets how much of real traffic, and what happens when nobody has room.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use weir_tests::{Client, Origin, PATIENCE, Weir, eventually, get, list, ok, one_pool};

/// So many servers that answer with their number.
fn servers(count: usize) -> Vec<Origin> {
    (0..count).map(|number| Origin::named(&number.to_string())).collect()
}

fn addresses(origins: &[Origin]) -> Vec<SocketAddr> {
    origins.iter().map(Origin::address).collect()
}

/// How often each server answered `requests` requests on one connection.
fn shares(weir: &Weir, requests: usize) -> BTreeMap<String, usize> {
    let mut client = Client::connect(weir.web());
    let mut shares = BTreeMap::new();
    for _ in 0..requests {
        *shares.entry(client.get("/").text()).or_default() += 1;
    }
    shares
}

#[test]
fn round_robin_is_fair_by_weight() {
    let origins = servers(3);
    let at = addresses(&origins);
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ address: \"{}\", weight: 3 }}, \"{}\", {{ address: \"{}\", weight: 0 }}] }}",
        at[0], at[1], at[2]
    ));
    let shares = shares(&weir, 400);
    assert_eq!(shares.values().sum::<usize>(), 400);
    assert!((297..=303).contains(&shares["0"]), "{shares:?}");
    assert_eq!(shares.get("2"), None);
}

#[test]
fn random_two_and_least_connections_leave_nobody_out() {
    for balance in ["random_two", "least_connections"] {
        let origins = servers(3);
        let weir =
            Weir::with_pool(&format!("{{ balance: {balance}, servers: {} }}", list(&addresses(&origins))));
        let shares = shares(&weir, 300);
        assert!(shares.len() == 3 && shares.values().all(|&share| share > 40), "{balance}: {shares:?}");
    }
}

#[test]
fn least_connections_avoids_the_busy_server() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let busy = Origin::answering(move |request| {
        if request.target == "/hold" {
            let _ = held.lock().unwrap().recv_timeout(PATIENCE);
        }
        ok("busy")
    });
    let free = Origin::named("free");
    let config = |servers: &str| one_pool(&format!("{{ balance: least_connections, servers: {servers} }}"));
    let weir = Weir::start(&config(&list(&[busy.address()])));
    let mut holding = Client::connect(weir.web());
    holding.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    let name = busy.address().to_string();
    eventually("it is held", || weir.admin().server("web", &name)["in_flight"] == 1);
    weir.reload(&config(&list(&[busy.address(), free.address()])));
    let shares = shares(&weir, 50);
    assert_eq!(shares.get("free"), Some(&50), "{shares:?}");
    release.send(()).unwrap();
    assert_eq!(holding.response().text(), "busy");
}

#[test]
fn hashes_keep_to_one_server_and_use_all_of_them() {
    let origins = servers(4);
    let all = list(&addresses(&origins));
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n      - {{ match: {{ host: uri }}, pool: uri }}\n      \
         - {{ match: {{ host: user }}, pool: user }}\n      - {{ pool: source }}\npools:\n  uri: {{ balance: \
         uri_hash, servers: {all} }}\n  user: {{ balance: header_hash, hash_header: X-User, servers: {all} }}\n  \
         source: {{ balance: source_hash, servers: {all} }}\n"
    ));
    let mut client = Client::connect(weir.web());
    for (host, varies) in [("uri", true), ("user", false)] {
        let mut seen = HashMap::new();
        for _ in 0..3 {
            for key in 0..60 {
                let path = if varies { format!("/{key}?a") } else { "/".to_owned() };
                let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-User: u{key}\r\n\r\n");
                let server = client.exchange(&request).text();
                assert_eq!(seen.entry(key).or_insert_with(|| server.clone()), &server, "{host} {key}");
            }
        }
        let used: std::collections::HashSet<_> = seen.values().collect();
        assert_eq!(used.len(), 4, "{host}: {seen:?}");
    }
    let mut by_source = HashMap::new();
    for _ in 0..2 {
        for last in 1..40 {
            let mut client = Client::connect_from(SocketAddr::from(([127, 0, 0, last], 0)), weir.web());
            let server = client.get("/").text();
            assert_eq!(by_source.entry(last).or_insert_with(|| server.clone()), &server);
        }
    }
    let used: std::collections::HashSet<_> = by_source.values().collect();
    assert_eq!(used.len(), 4, "{by_source:?}");
}

#[test]
fn a_hash_moves_only_the_keys_of_a_server_that_leaves() {
    let origins = servers(4);
    let weir = Weir::with_pool(&format!("{{ balance: uri_hash, servers: {} }}", list(&addresses(&origins))));
    let mut client = Client::connect(weir.web());
    let mut look = || (0..100).map(|key| client.get(&format!("/{key}")).text()).collect::<Vec<_>>();
    let before = look();
    let gone = origins[1].address().to_string();
    weir.admin().patch_server("web", &gone, r#"{"state": "maintenance"}"#);
    let mut during = Vec::new();
    eventually("it is left out", || {
        during = look();
        !during.contains(&"1".to_owned())
    });
    for (key, (before, during)) in before.iter().zip(&during).enumerate() {
        assert!(before == "1" || before == during, "/{key} went from {before} to {during}");
    }
    weir.admin().patch_server("web", &gone, r#"{"state": "ready"}"#);
    eventually("everything is as before", || look() == before);
}

#[test]
fn first_fills_one_server_before_the_next() {
    let (release, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let first = Origin::answering(move |request| {
        if request.target == "/hold" {
            let _ = held.lock().unwrap().recv_timeout(PATIENCE);
        }
        ok("first")
    });
    let second = Origin::named("second");
    let weir = Weir::with_pool(&format!(
        "{{ balance: first, servers: [{{ address: \"{}\", max_connections: 1 }}, \"{}\"] }}",
        first.address(),
        second.address()
    ));
    assert_eq!(shares(&weir, 20).get("first"), Some(&20));
    let mut holding = Client::connect(weir.web());
    holding.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    let name = first.address().to_string();
    eventually("it is full", || weir.admin().server("web", &name)["in_flight"] == 1);
    assert_eq!(shares(&weir, 20).get("second"), Some(&20));
    release.send(()).unwrap();
    holding.response();
    weir.admin().await_idle("web", &name);
    assert_eq!(shares(&weir, 20).get("first"), Some(&20));
}

#[test]
fn backups_serve_only_while_nobody_else_can() {
    let (main, backup) = (Origin::named("main"), Origin::named("backup"));
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: m, address: \"{}\" }}, {{ address: \"{}\", backup: true }}] }}",
        main.address(),
        backup.address()
    ));
    assert_eq!(shares(&weir, 20).get("main"), Some(&20));
    weir.admin().patch_server("web", "m", r#"{"state": "maintenance"}"#);
    eventually("the backup takes over", || get(weir.web(), "/").text() == "backup");
    assert_eq!(shares(&weir, 20).get("backup"), Some(&20));
    weir.admin().patch_server("web", "m", r#"{"state": "ready"}"#);
    eventually("it is left again", || get(weir.web(), "/").text() == "main");
    assert_eq!(shares(&weir, 20).get("main"), Some(&20));
}

/// A server for one exchange at a time: what it is asked first, it answers when it is told to.
struct Narrow {
    origin: Origin,
    release: mpsc::Sender<()>,
}

impl Narrow {
    fn new() -> Self {
        let (release, held) = mpsc::channel::<()>();
        let held = std::sync::Mutex::new(held);
        let origin = Origin::answering(move |request| {
            if request.target.starts_with("/hold") {
                let _ = held.lock().unwrap().recv_timeout(PATIENCE);
            }
            ok(&request.target)
        });
        Self { origin, release }
    }

    fn weir(&self, more: &str) -> Weir {
        Weir::with_pool(&format!(
            "{{ servers: [{{ name: a, address: \"{}\", max_connections: 1 }}], {more} }}",
            self.origin.address()
        ))
    }
}

fn send(weir: &Weir, path: &str) -> Client {
    let mut client = Client::connect(weir.web());
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    client
}

/// The pool's counter of this name.
fn pool_number(weir: &Weir, name: &str) -> u64 {
    weir.admin().json("/api/v1/stats")["pools"]["web"]["counters"][name].as_u64().unwrap_or_default()
}

#[test]
fn beyond_the_limit_requests_wait_and_are_served_in_turn() {
    let narrow = Narrow::new();
    let weir = narrow.weir("timeouts: { queue: 20s }");
    let mut first = send(&weir, "/hold1");
    eventually("it is held", || weir.admin().server("web", "a")["in_flight"] == 1);
    let mut waiting: Vec<_> = (0..5).map(|n| send(&weir, &format!("/{n}"))).collect();
    waiting[0].assert_quiet_for(Duration::from_millis(100));
    assert_eq!(narrow.origin.requests().len(), 1);
    narrow.release.send(()).unwrap();
    assert_eq!(first.response().text(), "/hold1");
    for (n, client) in waiting.iter_mut().enumerate() {
        assert_eq!(client.response().text(), format!("/{n}"));
    }
    // Never more than one at a time: the server saw one connection, or one after the other.
    assert!(weir.access_line("/3")["queue_ms"].as_f64().unwrap() > 0.0);
    weir.admin().await_idle("web", "a");
}

#[test]
fn who_waits_too_long_gets_503() {
    let narrow = Narrow::new();
    let weir = narrow.weir("timeouts: { queue: 200ms }");
    let mut first = send(&weir, "/hold");
    eventually("it is held", || weir.admin().server("web", "a")["in_flight"] == 1);
    let began = Instant::now();
    let mut second = send(&weir, "/late");
    let response = second.response();
    assert_eq!((response.status, response.closes()), (503, false));
    assert!(began.elapsed() >= Duration::from_millis(190), "{:?}", began.elapsed());
    let line = weir.access_line("/late");
    assert_eq!(line["end"], "pQ", "{line}");
    assert_eq!(pool_number(&weir, "queue_timeouts"), 1, "{}", weir.admin().json("/api/v1/stats"));
    narrow.release.send(()).unwrap();
    assert_eq!(first.response().status, 200);
    // The place was given back, and the client that was refused may ask again.
    assert_eq!(second.get("/again").text(), "/again");
}

#[test]
fn beyond_the_queue_there_is_503_at_once() {
    let narrow = Narrow::new();
    let weir = narrow.weir("limits: { queue: 1 }, timeouts: { queue: 20s }");
    let mut first = send(&weir, "/hold");
    eventually("it is held", || weir.admin().server("web", "a")["in_flight"] == 1);
    let mut second = send(&weir, "/waits");
    eventually("it waits", || pool_number(&weir, "queued") == 1);
    let response = get(weir.web(), "/full");
    assert_eq!(response.status, 503);
    assert_eq!(weir.access_line("/full")["end"], "PQ");
    // A client that gives up leaves its place to others.
    let third = send(&weir, "/full2");
    drop(third);
    narrow.release.send(()).unwrap();
    assert_eq!(first.response().status, 200);
    assert_eq!(second.response().text(), "/waits");
}

#[test]
fn a_client_that_goes_away_gives_up_its_place_in_the_queue() {
    let narrow = Narrow::new();
    let weir = narrow.weir("limits: { queue: 1 }, timeouts: { queue: 20s }");
    let mut first = send(&weir, "/hold");
    eventually("it is held", || weir.admin().server("web", "a")["in_flight"] == 1);
    let leaving = send(&weir, "/leaves");
    eventually("it waits", || pool_number(&weir, "queued") == 1);
    leaving.reset();
    eventually("there is room in the queue", || {
        let mut client = send(&weir, "/waits");
        // Refused at once, or waiting.
        let waits = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            client.assert_quiet_for(Duration::from_millis(100));
        }));
        waits.is_ok()
    });
    narrow.release.send(()).unwrap();
    first.response();
    assert!(!narrow.origin.requests().iter().any(|request| request.target == "/leaves"));
}

#[test]
fn a_server_that_drains_finishes_its_exchanges_and_takes_no_other() {
    let narrow = Narrow::new();
    let other = Origin::named("other");
    let weir = Weir::with_pool(&format!(
        "{{ balance: first, servers: [{{ name: a, address: \"{}\" }}, {{ name: b, address: \"{}\" }}] }}",
        narrow.origin.address(),
        other.address()
    ));
    let mut held = send(&weir, "/hold");
    eventually("it is held", || weir.admin().server("web", "a")["in_flight"] == 1);
    weir.admin().patch_server("web", "a", r#"{"state": "drain"}"#);
    assert_eq!(weir.admin().server("web", "a")["state"], "drain");
    eventually("others go elsewhere", || get(weir.web(), "/").text() == "other");
    assert_eq!(shares(&weir, 10).get("other"), Some(&10));
    narrow.release.send(()).unwrap();
    assert_eq!(held.response().text(), "/hold");
    weir.admin().patch_server("web", "b", r#"{"state": "maintenance"}"#);
    eventually("nobody is left", || get(weir.web(), "/").status == 503);
    weir.admin().patch_server("web", "a", r#"{"state": "ready"}"#);
    eventually("it is back", || get(weir.web(), "/x").text() == "/x");
}

#[test]
fn an_operators_weight_takes_effect_at_once() {
    let origins = servers(2);
    let weir = Weir::with_servers(&addresses(&origins));
    let name = origins[0].address().to_string();
    weir.admin().patch_server("web", &name, r#"{"weight": 3}"#);
    assert_eq!(weir.admin().server("web", &name)["weight"], 3);
    eventually("three of four", || shares(&weir, 40)["0"] == 30);
    weir.admin().patch_server("web", &name, r#"{"weight": 0}"#);
    eventually("none", || !shares(&weir, 10).contains_key("0"));
}
