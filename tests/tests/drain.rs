//! Stopping: what is under way is finished, nothing new is taken, and the exit status says that all is well.

use std::time::{Duration, Instant};

use weir_tests::{Client, Origin, Signal, Weir, eventually, get, list, ok, one_pool};

/// A server that takes this long to answer.
fn slow(time: Duration) -> Origin {
    Origin::scripted(move |peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/slow" {
                peer.anything_within(time)?;
            }
            peer.send(ok("done"))?;
        }
        Ok(())
    })
}

#[test]
fn sigterm_finishes_what_is_under_way_and_takes_nothing_new() {
    let origin = slow(Duration::from_millis(1500));
    let mut weir = Weir::with_servers(&[origin.address()]);
    let address = weir.web();
    let mut busy = Client::connect(address);
    let mut idle = Client::connect(address);
    assert_eq!(idle.get("/").text(), "done");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || origin.requests().iter().any(|request| request.target == "/slow"));
    weir.signal(Signal::TERM);
    eventually("the listener refuses", || Client::try_connect(address).is_err());
    assert_eq!(weir.admin().get("/readyz").status, 503);
    assert_eq!(weir.admin().get("/healthz").status, 200);
    let response = busy.response();
    assert_eq!((response.status, response.text().as_str()), (200, "done"));
    assert!(response.closes(), "{:?}", response.head);
    busy.assert_closed();
    idle.assert_closed();
    let status = weir.await_exit();
    assert_eq!(status.code(), Some(0), "{status:?}");
    assert!(weir.access_log().iter().any(|line| line["target"] == "/slow"), "the last line is lost");
}

#[test]
fn an_idle_connection_may_send_a_last_request_while_draining() {
    let origin = slow(Duration::from_millis(800));
    let weir = Weir::with_servers(&[origin.address()]);
    let mut busy = Client::connect(weir.web());
    let mut idle = Client::connect(weir.web());
    assert_eq!(idle.get("/").text(), "done");
    busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || origin.requests().iter().any(|request| request.target == "/slow"));
    let address = weir.web();
    weir.signal(Signal::TERM);
    eventually("the listener refuses", || Client::try_connect(address).is_err());
    // What crosses our close on the wire must not be lost without a word.
    let last = idle.get("/last");
    assert_eq!((last.text().as_str(), last.closes()), ("done", true));
    idle.assert_closed();
    assert_eq!(busy.response().text(), "done");
}

#[test]
fn without_sessions_the_end_comes_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let origin = Origin::named("a");
        let mut weir = Weir::with_servers(&[origin.address()]);
        assert_eq!(get(weir.web(), "/").text(), "a");
        let began = Instant::now();
        weir.signal(signal);
        assert_eq!(weir.await_exit().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
}

#[test]
fn a_second_signal_stops_at_once() {
    let origin = Origin::silent();
    let mut weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || origin.connections() == 1);
    weir.signal(Signal::TERM);
    weir.await_said("draining");
    assert!(weir.is_running());
    let began = Instant::now();
    weir.signal(Signal::TERM);
    assert_eq!(weir.await_exit().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn the_bound_of_a_drain_is_kept() {
    let origin = Origin::silent();
    let mut weir = Weir::start(&format!(
        "timeouts: {{ drain: 500ms }}\n{}",
        one_pool(&format!("{{ servers: {} }}", list(&[origin.address()])))
    ));
    let mut client = Client::connect(weir.web());
    client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    eventually("it is under way", || origin.connections() == 1);
    let began = Instant::now();
    weir.signal(Signal::TERM);
    assert_eq!(weir.await_exit().code(), Some(0));
    let took = began.elapsed();
    assert!((Duration::from_millis(450)..Duration::from_secs(10)).contains(&took), "{took:?}");
}

#[test]
fn no_request_fails_when_clients_follow_the_signals() {
    // Clients that open a new connection when theirs says close, as a fleet behind a name would.
    let origin = Origin::named("a");
    let mut weir = Weir::with_servers(&[origin.address()]);
    let address = weir.web();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut served = 0;
                loop {
                    let response = client.get("/");
                    assert_eq!(response.status, 200);
                    served += 1;
                    if response.closes() {
                        return served;
                    }
                }
            })
        })
        .collect();
    eventually("there is traffic", || origin.requests().len() > 200);
    weir.signal(Signal::TERM);
    for client in clients {
        assert!(client.join().unwrap() > 0);
    }
    assert_eq!(weir.await_exit().code(), Some(0));
}
