//! Active checks: what takes a server down, what brings it up, and that traffic follows.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_tests::{Client, Origin, Weir, eventually, get, ok};

/// A server named so, whose `/healthz` says well or ill as it is told.
struct Patient {
    origin: Origin,
    well: Arc<AtomicBool>,
}

impl Patient {
    fn new(name: &'static str, ill: &'static str) -> Self {
        let well = Arc::new(AtomicBool::new(true));
        let shared = Arc::clone(&well);
        let origin = Origin::answering(move |request| {
            if !request.target.starts_with("/healthz") {
                ok(name)
            } else if shared.load(Ordering::SeqCst) {
                ok("status: fine")
            } else {
                ill.to_owned()
            }
        });
        Self { origin, well }
    }

    fn is(&self, well: bool) {
        self.well.store(well, Ordering::SeqCst);
    }
}

const SERVICE_UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";

fn pool(a: &Patient, b: &Patient, check: &str) -> Weir {
    Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{}\" }}, {{ name: b, address: \"{}\", backup: true }}], check: \
         {{ {check}, interval: 100ms, timeout: 1s, rise: 2, fall: 2 }} }}",
        a.origin.address(),
        b.origin.address()
    ))
}

fn follows_health(ill: &'static str, check: &str) {
    let (a, b) = (Patient::new("a", ill), Patient::new("b", ill));
    let weir = pool(&a, &b, check);
    weir.admin().await_health("web", "a", "up");
    assert_eq!(get(weir.web(), "/").text(), "a");
    a.is(false);
    weir.admin().await_health("web", "a", "down");
    eventually("traffic leaves it", || get(weir.web(), "/").text() == "b");
    a.is(true);
    weir.admin().await_health("web", "a", "up");
    eventually("traffic comes back", || get(weir.web(), "/").text() == "a");
    let server = weir.admin().server("web", "a");
    assert!(!server["last_check"].is_null(), "{server}");
}

#[test]
fn by_the_status_of_the_answer() {
    follows_health(SERVICE_UNAVAILABLE, "http: /healthz");
}

#[test]
fn by_the_statuses_that_are_expected() {
    follows_health(
        "HTTP/1.1 301 Moved Permanently\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        "http: { path: /healthz, expect: 200-299 }",
    );
}

#[test]
fn by_the_body_of_the_answer() {
    follows_health(
        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsick",
        "http: { path: /healthz, body_contains: \"status: fine\" }",
    );
}

#[test]
fn by_whether_it_answers_in_time() {
    let (well, healthy) = (Arc::new(AtomicBool::new(true)), Origin::named("b"));
    let shared = Arc::clone(&well);
    let slow = Origin::scripted(move |peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/healthz" && !shared.load(Ordering::SeqCst) {
                return peer.wait_for_end();
            }
            peer.send(ok("a"))?;
        }
        Ok(())
    });
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{}\" }}, \"{}\"], check: {{ http: /healthz, interval: 100ms, \
         timeout: 100ms, rise: 1, fall: 2 }} }}",
        slow.address(),
        healthy.address()
    ));
    weir.admin().await_health("web", "a", "up");
    well.store(false, Ordering::SeqCst);
    weir.admin().await_health("web", "a", "down");
    weir.await_said("server is down");
    well.store(true, Ordering::SeqCst);
    weir.admin().await_health("web", "a", "up");
}

#[test]
fn a_tcp_check_follows_the_port() {
    let origin = Origin::named("a");
    let address = origin.address();
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{address}\" }}], check: {{ tcp: true, interval: 100ms, rise: 1, fall: \
         2 }} }}"
    ));
    weir.admin().await_health("web", "a", "up");
    origin.kill();
    weir.admin().await_health("web", "a", "down");
    let none = get(weir.web(), "/none");
    assert_eq!(none.status, 503);
    let line = weir.access_line("/none");
    assert_eq!(line["end"], "SC", "{line}");
    let _origin = Origin::named_on(address, "a");
    weir.admin().await_health("web", "a", "up");
    eventually("it serves again", || get(weir.web(), "/").text() == "a");
}

#[test]
fn checks_may_use_another_port_host_and_method_and_are_not_traffic() {
    let (origin, monitor) = (Origin::named("a"), Origin::named("fine"));
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{}\" }}], check: {{ http: {{ method: HEAD, path: \"/deep?x=1\", host: \
         app.example.com }}, port: {}, interval: 100ms }} }}",
        origin.address(),
        monitor.address().port()
    ));
    weir.admin().await_health("web", "a", "up");
    assert_eq!(origin.connections(), 0);
    let probe = monitor.requests().remove(0);
    assert_eq!((probe.method.as_str(), probe.target.as_str()), ("HEAD", "/deep?x=1"));
    assert_eq!(probe.head.get("host"), Some("app.example.com"));

    let mut client = Client::connect(weir.web());
    let monitored = monitor.requests().len();
    for _ in 0..20 {
        assert_eq!(client.get("/traffic").text(), "a");
    }
    eventually("probes go on", || monitor.requests().len() > monitored + 2);
    assert!(origin.requests().iter().all(|request| request.target == "/traffic"));
    assert_eq!(origin.requests().len(), 20);
    assert!(weir.access_log().iter().all(|line| line["target"] != "/deep?x=1"));
}

#[test]
fn a_pool_is_served_before_the_first_check_has_ended() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/healthz" {
                return peer.wait_for_end();
            }
            peer.send(ok("a"))?;
        }
        Ok(())
    });
    let weir = Weir::with_pool(&format!(
        "{{ servers: [\"{}\"], check: {{ http: /healthz, interval: 10s, timeout: 10s }} }}",
        origin.address()
    ));
    assert_eq!(get(weir.web(), "/").text(), "a");
}

#[test]
fn a_server_in_maintenance_is_not_checked() {
    let (a, b) = (Patient::new("a", SERVICE_UNAVAILABLE), Patient::new("b", SERVICE_UNAVAILABLE));
    let weir = pool(&a, &b, "http: /healthz");
    weir.admin().await_health("web", "a", "up");
    weir.admin().patch_server("web", "a", r#"{"state": "maintenance"}"#);
    let probes = || a.origin.requests().iter().filter(|request| request.target == "/healthz").count();
    // The other server's checks are the clock here.
    let settled = probes() + 1;
    let others = b.origin.requests().len();
    eventually("time passes", || b.origin.requests().len() >= others + 5);
    assert!(probes() <= settled, "{} probes, then {}", settled, probes());
    weir.admin().patch_server("web", "a", r#"{"state": "ready"}"#);
    eventually("it is checked again", || probes() > settled);
}
