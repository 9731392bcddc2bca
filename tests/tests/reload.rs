//! A new configuration under live traffic: all of it or nothing, and nothing that was learned is lost.

use std::net::TcpListener;
use std::time::Duration;

use weir_tests::{Client, Origin, Signal, Weir, eventually, get, list, one_pool};

fn config(origin: &Origin) -> String {
    one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])))
}

#[test]
fn sighup_swaps_the_configuration_under_open_connections() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&config(&a));
    let address = weir.web();
    let mut client = Client::connect(address);
    assert_eq!(client.get("/").text(), "a");
    weir.reload(&config(&b));
    assert_eq!(client.get("/").text(), "b");
    assert_eq!(weir.web(), address);
    assert_eq!(get(address, "/").text(), "b");
}

#[test]
fn a_replaced_file_is_noticed_when_that_is_asked_for() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&format!("watch_config: true\n{}", config(&a)));
    assert_eq!(get(weir.web(), "/").text(), "a");
    weir.write_config(&format!("watch_config: true\n{}", config(&b)));
    eventually("the new configuration serves", || get(weir.web(), "/").text() == "b");
    // A broken one is refused, once, and the next good one is taken.
    weir.write_config("watch_config: true\nlisteners: {}\npoools: {}\n");
    weir.await_said("reload refused");
    assert_eq!(get(weir.web(), "/").text(), "b");
    weir.write_config(&format!("watch_config: true\n{}", config(&a)));
    eventually("the first serves again", || get(weir.web(), "/").text() == "a");
    assert_eq!(weir.times_said("reload refused"), 1);
}

#[test]
fn without_being_asked_nobody_watches_the_file() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&config(&a));
    weir.write_config(&config(&b));
    // Twice the interval at which the file is looked at.
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(get(weir.web(), "/").text(), "a");
}

#[test]
fn the_admin_api_replaces_and_shows_the_configuration() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&config(&a));
    let response = weir.admin().put_config(&weir.completed(&config(&b)));
    assert!(matches!(response.status, 200 | 204), "{} {}", response.status, response.text());
    assert_eq!(get(weir.web(), "/").text(), "b");
    let shown = weir.admin().get("/api/v1/config");
    assert_eq!(shown.status, 200);
    assert!(shown.text().contains(&b.address().to_string()), "{}", shown.text());
    assert!(!shown.text().contains(&a.address().to_string()), "{}", shown.text());
    // What is shown can be put back as it is.
    let again = weir.admin().put_config(&shown.text());
    assert!(matches!(again.status, 200 | 204), "{} {}", again.status, again.text());
    assert_eq!(get(weir.web(), "/").text(), "b");
}

#[test]
fn a_refused_configuration_changes_nothing_and_says_why() {
    let a = Origin::named("a");
    let weir = Weir::start(&config(&a));
    let broken = format!("{}  other:\n    servers: [127.0.0.1:1]\n    ballance: first\n", config(&a));
    weir.write_config(&broken);
    weir.signal(Signal::HUP);
    weir.await_said("reload refused");
    let said = weir.said();
    assert!(said.contains("ballance") && said.contains("balance"), "{said}");
    assert!(said.contains("weir.yaml:"), "{said}");
    assert_eq!(get(weir.web(), "/").text(), "a");

    let response = weir.admin().put_config(&weir.completed(&broken));
    assert!(matches!(response.status, 400 | 422), "{} {}", response.status, response.text());
    assert!(response.text().contains("ballance"), "{}", response.text());
    assert!(response.field("content-type").unwrap().contains("json"), "{:?}", response.head);
    assert_eq!(get(weir.web(), "/").text(), "a");
    let metrics = weir.admin().get("/metrics").text();
    let last = metrics
        .lines()
        .find(|line| !line.starts_with('#') && line.contains("last") && line.contains("success"));
    assert!(
        last.is_some_and(|line| line.ends_with(" 0")),
        "the last apply's result is no metric:\n{metrics}"
    );
}

#[test]
fn a_candidate_can_be_checked_without_being_applied() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&config(&a));
    let check = |text: &str| {
        let admin = weir.admin();
        admin.request("POST", "/api/v1/config/check", "application/yaml", text)
    };
    let good = check(&weir.completed(&config(&b)));
    assert_eq!(good.status, 200, "{}", good.text());
    let bad = check("version: 1\nlisteners: {}\npools: { web: { servers: [nonsense] } }\n");
    assert!(bad.text().contains("nonsense") && bad.text().contains("line"), "{}", bad.text());
    serde_json::from_slice::<serde_json::Value>(&bad.body).unwrap();
    assert_eq!(get(weir.web(), "/").text(), "a");
}

#[test]
fn listeners_come_and_go() {
    let a = Origin::named("a");
    let both = format!(
        "listeners:\n  web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }}\n  extra: {{ bind: 127.0.0.1:0, \
         routes: [{{ pool: web }}] }}\npools: {{ web: {{ servers: {} }} }}\n",
        list(&[a.address()])
    );
    let weir = Weir::start(&config(&a));
    let web = weir.web();
    let mut kept = Client::connect(web);
    assert_eq!(kept.get("/").text(), "a");

    weir.reload(&both);
    let extra = weir.listener("extra");
    assert_eq!(get(extra, "/").text(), "a");
    let mut idle = Client::connect(extra);
    assert_eq!(idle.get("/").text(), "a");

    weir.reload(&config(&a));
    eventually("the port is closed", || Client::try_connect(extra).is_err());
    // A connection of the removed listener ends when it is idle; the others go on.
    idle.assert_closed();
    assert_eq!(kept.get("/").text(), "a");
    assert_eq!(get(web, "/").text(), "a");
}

#[test]
fn an_exchange_on_a_removed_listener_is_finished() {
    let slow = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")?;
        peer.anything_within(Duration::from_millis(700))?;
        peer.send("again")
    });
    let weir = Weir::start(&config(&slow));
    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().0, 200);
    weir.reload(&format!(
        "listeners: {{ other: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }} }}\npools: {{ web: {{ servers: {} }} \
         }}\n",
        list(&[slow.address()])
    ));
    assert_eq!(client.read(10), b"helloagain");
    client.assert_closed();
}

#[test]
fn an_address_that_somebody_has_aborts_all_of_it() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let weir = Weir::start(&config(&a));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    weir.write_config(&format!(
        "listeners:\n  web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }}\n  new: {{ bind: 127.0.0.1:0, routes: \
         [{{ pool: web }}] }}\n  extra: {{ bind: \"{}\", routes: [{{ pool: web }}] }}\npools: {{ web: {{ servers: {} \
         }} }}\n",
        taken.local_addr().unwrap(),
        list(&[b.address()])
    ));
    weir.signal(Signal::HUP);
    weir.await_said("reload refused");
    assert!(weir.said().contains(&taken.local_addr().unwrap().to_string()), "{}", weir.said());
    assert_eq!(get(weir.web(), "/").text(), "a");
    assert!(!weir.said().contains("listening listener=new"), "{}", weir.said());
    drop(taken);
    eventually("it is applied", || {
        // A child that another test is just starting may hold the port a moment longer.
        let refused = weir.times_said("reload refused");
        weir.signal(Signal::HUP);
        let applied = || weir.said().contains("configuration applied");
        eventually("an answer", || applied() || weir.times_said("reload refused") > refused);
        applied()
    });
    assert_eq!(get(weir.listener("extra"), "/").text(), "b");
}

#[test]
fn counters_and_what_the_operator_wants_survive_by_name() {
    let (a, b) = (Origin::named("a"), Origin::named("b"));
    let config = |more: &str| {
        one_pool(&format!(
            "{{ servers: [{{ name: a, address: \"{}\" }}, {{ name: b, address: \"{}\" }}]{more} }}",
            a.address(),
            b.address()
        ))
    };
    let weir = Weir::start(&config(""));
    for _ in 0..10 {
        get(weir.web(), "/");
    }
    weir.admin().patch_server("web", "a", r#"{"state": "drain"}"#);
    weir.admin().patch_server("web", "b", r#"{"weight": 7}"#);
    let before = weir.admin().server("web", "a");
    weir.reload(&config(", balance: first, timeouts: { connect: 1s }"));
    let after = weir.admin().server("web", "a");
    assert_eq!(after["state"], "drain");
    assert_eq!(after["counters"], before["counters"], "{before} {after}");
    assert_eq!(weir.admin().server("web", "b")["weight"], 7);
    assert_eq!(get(weir.web(), "/").text(), "b");
    let stats = weir.admin().json("/api/v1/stats");
    assert!(stats.to_string().contains("\"exchanges\":11"), "{stats}");
}

#[test]
fn health_survives_a_reload() {
    let (a, b) = (Origin::fixed(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), Origin::named("b"));
    let config = |balance: &str| {
        one_pool(&format!(
            "{{ balance: {balance}, servers: [{{ name: a, address: \"{}\" }}, {{ name: b, address: \"{}\" }}], check: \
             {{ http: /, interval: 100ms, fall: 2 }} }}",
            a.address(),
            b.address()
        ))
    };
    let weir = Weir::start(&config("round_robin"));
    weir.admin().await_health("web", "a", "down");
    for balance in ["first", "uri_hash", "first", "random_two"] {
        weir.reload(&config(balance));
        assert_eq!(weir.admin().server("web", "a")["health"], "down");
        for _ in 0..5 {
            assert_eq!(get(weir.web(), "/").text(), "b");
        }
    }
}

#[test]
fn many_reloads_leave_no_memory_files_or_threads_behind() {
    let origins = [Origin::named("a"), Origin::named("b")];
    let weir = Weir::start(&config(&origins[0]));
    let threads = || std::fs::read_dir(format!("/proc/{}/task", weir.pid())).unwrap().count();
    let swap = |times: usize| {
        for n in 0..times {
            let response = weir.admin().put_config(&weir.completed(&config(&origins[n % 2])));
            assert!(matches!(response.status, 200 | 204), "{}", response.text());
        }
    };
    swap(50);
    let before = (weir.memory_bytes(), weir.open_files(), threads());
    swap(600);
    let after = (weir.memory_bytes(), weir.open_files(), threads());
    // A snapshot left behind each time would be more; a few threads that parse come and go.
    assert!(after.0 < before.0 + (6 << 20), "{before:?} {after:?}");
    assert!(after.1 <= before.1 + 8 && after.2 <= before.2 + 8, "{before:?} {after:?}");
}
