//! When a request is sent again, and when it must not be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weir_tests::{Client, Origin, Weir, eventually, get, ok, one_pool};

/// A server that answers one request on each connection and then, without having said so, closes when the
/// next one is there: the race that every keep-alive connection has.
fn closes_on_the_second() -> Origin {
    Origin::scripted(|peer| {
        if peer.connection == 0 {
            peer.request()?;
            peer.send(ok("first"))?;
            peer.request()?; // and no word
            return Ok(());
        }
        while peer.request()?.is_some() {
            peer.send(ok("again"))?;
        }
        Ok(())
    })
}

fn one_worker(pool: &str) -> Weir {
    Weir::start(&format!("workers: 1\n{}", one_pool(pool)))
}

#[test]
fn a_get_on_a_connection_that_died_is_sent_again() {
    let origin = closes_on_the_second();
    let weir = one_worker(&format!("{{ servers: [\"{}\"] }}", origin.address()));
    let mut client = Client::connect(weir.web());
    assert_eq!(client.get("/1").text(), "first");
    assert_eq!(client.get("/2").text(), "again");
    let targets: Vec<_> = origin.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(targets, ["/1", "/2", "/2"]);
    assert_eq!(weir.access_line("/2")["retries"], 1);
}

#[test]
fn a_post_on_a_connection_that_died_is_not_sent_again() {
    let origin = closes_on_the_second();
    let weir = one_worker(&format!("{{ servers: [\"{}\"] }}", origin.address()));
    let mut client = Client::connect(weir.web());
    assert_eq!(client.get("/1").text(), "first");
    let posted = client.exchange("POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(posted.status, 502);
    assert_eq!(origin.requests().len(), 2);
    let line = weir.access_line("/2");
    assert_eq!((line["end"].as_str(), line["retries"].as_u64()), (Some("SH"), Some(0)));
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_not_used() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send(ok("once"))?;
        // Said, not left to the last copy of the socket: a program that another test starts has one for a moment.
        peer.half_close()
    });
    let weir = one_worker(&format!("{{ servers: [\"{}\"], retries: {{ attempts: 0 }} }}", origin.address()));
    let mut client = Client::connect(weir.web());
    for n in 1..=10 {
        // Even what may not be sent again goes through: the end of the old connection has arrived.
        let posted = client.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(posted.status, 200, "request {n}");
        eventually("the server has closed", || origin.open_connections() == 0);
    }
}

#[test]
fn a_server_that_nobody_answers_at_is_passed_over() {
    let good = Origin::named("good");
    let weir = Weir::with_pool(&format!(
        "{{ balance: first, servers: [\"{}\", \"{}\"], ejection: {{ failures: 0 }} }}",
        Origin::nobody(),
        good.address()
    ));
    // A request whose body was not touched may go elsewhere whatever its method: nobody has seen it.
    let mut client = Client::connect(weir.web());
    let posted = client.exchange("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!((posted.status, posted.text().as_str()), (200, "good"));
    assert_eq!(good.request().body, b"abc");
    let line = weir.access_line("/p");
    assert_eq!((line["retries"].as_u64(), line["end"].as_str()), (Some(1), Some("--")));
}

#[test]
fn nobody_at_all_is_502_and_says_why() {
    let weir = Weir::with_servers(&[Origin::nobody()]);
    assert_eq!(get(weir.web(), "/x").status, 502);
    let line = weir.access_line("/x");
    assert_eq!((line["end"].as_str(), line["retries"].as_u64()), (Some("SC"), Some(2)));
    assert!(line["cause"].as_str().unwrap().contains("refused"), "{line}");
}

#[test]
fn a_server_that_breaks_off_its_answer_is_not_asked_again() {
    let origin = Origin::closing(b"HTTP/1.1 200 OK\r\nContent-");
    let weir = Weir::with_servers(&[origin.address()]);
    assert_eq!(get(weir.web(), "/").status, 502);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn a_new_connection_that_closes_without_an_answer_is_retried_for_get_only() {
    for (request, asked) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 3),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 3),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 1),
        ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 1),
    ] {
        let origin = Origin::scripted(|peer| peer.request().map(drop));
        let weir = Weir::with_servers(&[origin.address()]);
        let mut client = Client::connect(weir.web());
        assert_eq!(client.exchange(request).status, 502, "{request}");
        assert_eq!(origin.requests().len(), asked, "{request}");
    }
}

#[test]
fn retries_stay_within_their_budget() {
    let broken = Origin::scripted(|peer| peer.request().map(drop));
    let weir = one_worker(&format!(
        "{{ servers: [\"{}\"], retries: {{ attempts: 2, budget: 10% }}, ejection: {{ failures: 0 }} }}",
        broken.address()
    ));
    let mut client = Client::connect(weir.web());
    for _ in 0..200 {
        assert_eq!(client.get("/").status, 502);
    }
    // A tenth of the requests, and the ten that are always allowed.
    let sent = broken.requests().len();
    assert!((200..=200 + 20 + 11).contains(&sent), "{sent}");
}

#[test]
fn a_server_that_keeps_failing_is_ejected_for_a_while() {
    let failing = Arc::new(AtomicUsize::new(1));
    let bad = {
        let failing = Arc::clone(&failing);
        Origin::scripted(move |peer| {
            while peer.request()?.is_some() {
                if failing.load(Ordering::SeqCst) == 1 {
                    return Ok(());
                }
                peer.send(ok("bad"))?;
            }
            Ok(())
        })
    };
    let good = Origin::named("good");
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: bad, address: \"{}\" }}, \"{}\"], ejection: {{ failures: 3, duration: 1s }}, \
         retries: {{ budget: 100% }} }}",
        bad.address(),
        good.address()
    ));
    eventually("it is ejected", || {
        assert_eq!(get(weir.web(), "/").text(), "good");
        weir.admin().server("web", "bad")["ejected"] == true
    });
    let asked = bad.requests().len();
    for _ in 0..20 {
        assert_eq!(get(weir.web(), "/").text(), "good");
    }
    assert_eq!(bad.requests().len(), asked);
    failing.store(0, Ordering::SeqCst);
    eventually("it is back", || get(weir.web(), "/").text() == "bad");
}

#[test]
fn at_most_half_of_a_pool_is_ejected() {
    let broken: Vec<_> = (0..4).map(|_| Origin::scripted(|peer| peer.request().map(drop))).collect();
    let servers: Vec<_> = broken
        .iter()
        .enumerate()
        .map(|(n, origin)| format!("{{ name: s{n}, address: \"{}\" }}", origin.address()))
        .collect();
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{}], ejection: {{ failures: 2, duration: 60s }}, retries: {{ attempts: 0 }} }}",
        servers.join(", ")
    ));
    let ejected =
        || (0..4).filter(|n| weir.admin().server("web", &format!("s{n}"))["ejected"] == true).count();
    let mut client = Client::connect(weir.web());
    eventually("half is ejected", || {
        assert_eq!(client.get("/").status, 502);
        ejected() == 2
    });
    for _ in 0..50 {
        assert_eq!(client.get("/").status, 502);
    }
    assert_eq!(ejected(), 2);
}

#[test]
fn the_only_server_is_never_ejected() {
    let broken = Origin::scripted(|peer| peer.request().map(drop));
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{}\" }}], ejection: {{ failures: 1 }}, retries: {{ attempts: 0 }} }}",
        broken.address()
    ));
    for _ in 0..20 {
        assert_eq!(get(weir.web(), "/").status, 502);
    }
    assert_eq!(weir.admin().server("web", "a")["ejected"], false);
    assert_eq!(broken.requests().len(), 20);
}
