//! Every timeout has its name, its status and its end code, and nothing stays held after one.

use std::time::{Duration, Instant};

use weir_tests::{Client, Origin, Weir, eventually, get, ok};

/// A listener and a pool with these timeouts, for this one server, `a`.
fn with(listener: &str, pool: &str, origin: &Origin) -> Weir {
    Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    timeouts: {{ {listener} }}\n    routes: [{{ pool: web \
         }}]\npools:\n  web:\n    servers: [{{ name: a, address: \"{}\" }}]\n    timeouts: {{ {pool} }}\n",
        origin.address()
    ))
}

/// Runs `wait`; it must take as long as the timeout, 300 ms, and not for ever.
#[track_caller]
fn times<T>(wait: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let outcome = wait();
    let took = began.elapsed();
    assert!((Duration::from_millis(280)..Duration::from_secs(15)).contains(&took), "{took:?}");
    outcome
}

#[track_caller]
fn assert_ended(weir: &Weir, target: &str, end: &str) {
    let line = weir.access_line(target);
    assert_eq!(line["end"], end, "{line}");
    assert!(line["cause"].as_str().is_some_and(|cause| cause.contains("timeouts.")), "{line}");
    assert_released(weir);
}

/// No exchange is in flight, and no session is left but those of this test, which have ended.
#[track_caller]
fn assert_released(weir: &Weir) {
    weir.admin().await_idle("web", "a");
}

#[test]
fn a_head_that_does_not_come_whole_is_408() {
    let origin = Origin::named("a");
    let weir = with("request_head: 300ms", "", &origin);
    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n");
    let response = times(|| client.response());
    assert_eq!((response.status, response.closes()), (408, true));
    client.assert_closed();
    assert_ended(&weir, "-", "cR");
    assert_eq!(origin.connections(), 0);

    // Also on a connection that has served, and however busily it drips.
    let mut client = Client::connect(weir.web());
    assert_eq!(client.get("/").status, 200);
    client.send("GET /drip HTTP/1.1\r\n");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(15) && client.try_send("X: y\r\n").is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "a slow head is read for ever");
}

#[test]
fn a_connection_that_says_nothing_at_all_is_closed() {
    let origin = Origin::named("a");
    let weir = with("request_head: 300ms", "", &origin);
    let mut client = Client::connect(weir.web());
    let (answer, _) = times(|| client.read_to_end());
    assert!(answer.is_empty(), "nothing was asked: {:?}", String::from_utf8_lossy(&answer));
}

#[test]
fn an_idle_connection_is_closed_without_a_word() {
    let origin = Origin::named("a");
    let weir = with("keep_alive: 300ms", "", &origin);
    let mut client = Client::connect(weir.web());
    for _ in 0..3 {
        assert_eq!(client.get("/").status, 200);
    }
    times(|| client.assert_closed());
}

#[test]
fn a_parked_connection_still_serves_and_still_times_out() {
    let origin = Origin::named("a");
    let weir = with("keep_alive: 3s", "", &origin);
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        assert_eq!(client.get("/").status, 200);
        client.assert_quiet_for(Duration::from_millis(1500)); // long enough to be parked
    }
    assert_eq!(client.get("/").status, 200);
    let began = Instant::now();
    client.assert_closed();
    assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn a_client_that_stops_sending_its_body_is_408() {
    let origin = Origin::scripted(|peer| {
        peer.head()?;
        peer.wait_for_end()
    });
    let weir = with("body_idle: 300ms", "", &origin);
    let mut client = Client::connect(weir.web());
    client.send("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    let response = times(|| client.response());
    assert_eq!((response.status, response.closes()), (408, true));
    assert_ended(&weir, "/up", "cD");
}

#[test]
fn a_slow_but_steady_upload_is_not_cut() {
    let origin = Origin::named("a");
    let weir = with("body_idle: 1s", "response: 1s, body_idle: 1s", &origin);
    let mut client = Client::connect(weir.web());
    client.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(150)); // three seconds in all
        client.send("x");
    }
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_client_that_stops_reading_is_let_go() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")?;
        loop {
            peer.send([b'x'; 65536])?;
        }
    });
    let weir = with("body_idle: 300ms", "", &origin);
    let mut client = Client::connect_with_small_window(weir.web());
    client.send("GET /down HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().0, 200);
    let line = weir.access_line("/down");
    assert!(line["end"].as_str().unwrap().to_ascii_uppercase().starts_with('C'), "{line}");
    assert_released(&weir);
    eventually("the server is let go, too", || origin.open_connections() == 0);
}

#[test]
fn a_server_that_does_not_begin_its_answer_is_504() {
    let origin = Origin::silent();
    let weir = with("", "response: 300ms", &origin);
    let mut client = Client::connect(weir.web());
    let response = times(|| client.get("/late"));
    assert_eq!((response.status, response.closes()), (504, false));
    assert_ended(&weir, "/late", "sH");
    // It is at work: asking another, or again, would double its load.
    assert_eq!(origin.connections(), 1);
    eventually("the server is let go", || origin.open_connections() == 0);
}

#[test]
fn the_time_for_an_answer_begins_when_the_request_is_whole() {
    let origin = Origin::named("a");
    let weir = with("", "response: 500ms", &origin);
    let mut client = Client::connect(weir.web());
    client.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n");
    std::thread::sleep(Duration::from_millis(800));
    client.send("x");
    std::thread::sleep(Duration::from_millis(400));
    client.send("x");
    assert_eq!(client.response().status, 200);
}

#[test]
fn a_server_that_stops_within_its_answer_breaks_it_off() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")?;
        peer.wait_for_end()
    });
    let weir = with("", "body_idle: 300ms", &origin);
    let mut client = Client::connect(weir.web());
    client.send("GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().0, 200);
    let (body, _) = times(|| client.read_to_end());
    assert_eq!(body, b"half");
    assert_ended(&weir, "/stuck", "sD");
}

#[test]
fn a_slow_but_steady_answer_is_not_cut() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")?;
        for _ in 0..20 {
            std::thread::sleep(Duration::from_millis(100));
            peer.send("x")?;
        }
        Ok(())
    });
    let weir = with("body_idle: 1s", "response: 1s, body_idle: 1s", &origin);
    assert_eq!(get(weir.web(), "/").text(), "x".repeat(20));
}

#[test]
fn a_server_that_stops_taking_a_request_is_504() {
    let origin = Origin::scripted(|peer| {
        peer.head()?;
        // Neither reads nor answers: what the kernel takes for it is soon full.
        std::thread::sleep(Duration::from_secs(5));
        Ok(())
    });
    let weir = with("body_idle: 10s", "body_idle: 300ms, response: 10s", &origin);
    let mut client = Client::connect(weir.web());
    client.send("POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    while client.try_send([b'x'; 65536]).is_ok() && weir.access_log().is_empty() {}
    let line = weir.access_line("/stuck");
    assert_eq!((line["end"].as_str(), line["status"].as_u64()), (Some("sR"), Some(504)), "{line}");
    assert_released(&weir);
}

#[test]
fn a_server_that_does_not_accept_is_504() {
    // A listener whose queue is full drops what comes; nothing else on one machine does.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut filling = Vec::new();
    while let Ok(filler) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        filling.push(filler);
    }
    let weir = Weir::with_pool(&format!(
        "{{ servers: [{{ name: a, address: \"{address}\" }}], timeouts: {{ connect: 300ms }}, retries: {{ attempts: \
         0 }} }}"
    ));
    let response = times(|| get(weir.web(), "/full"));
    assert_eq!(response.status, 504);
    assert_ended(&weir, "/full", "sC");
}

#[test]
fn an_idle_connection_to_a_server_is_closed_in_time() {
    let origin = Origin::named("a");
    let weir = with("", "keep_alive: 300ms", &origin);
    assert_eq!(get(weir.web(), "/").status, 200);
    assert_eq!(origin.open_connections(), 1);
    times(|| eventually("it is closed", || origin.open_connections() == 0));
}

#[test]
fn a_tunnel_on_which_nothing_moves_is_closed() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")?;
        loop {
            let byte = peer.read(1)?;
            peer.send(byte)?;
        }
    });
    let weir = with("tunnel_idle: 700ms", "", &origin);
    let mut client = Client::connect(weir.web());
    client.send("GET /t HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.head().0, 101);
    for _ in 0..8 {
        client.send("x");
        assert_eq!(client.read(1), b"x");
        client.assert_quiet_for(Duration::from_millis(150)); // 1.2 s in all: longer than the limit
    }
    times(|| client.read_to_end());
    assert_ended(&weir, "/t", "cD");
    eventually("the server is let go", || origin.open_connections() == 0);
}

#[test]
fn clients_that_reset_at_any_moment_leave_nothing_behind() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/never" {
                return peer.wait_for_end();
            }
            peer.send(ok("a"))?;
        }
        Ok(())
    });
    let weir = with("", "", &origin);
    for request in [
        "",
        "GET / HT",
        "GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        for _ in 0..5 {
            let mut client = Client::connect(weir.web());
            client.send(request);
            client.reset();
        }
    }
    assert_released(&weir);
    assert_eq!(get(weir.web(), "/").text(), "a");
    // An answer that nobody was there to take must never reach somebody else.
    for _ in 0..100 {
        let mut client = Client::connect(weir.web());
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        client.reset();
        assert_eq!(get(weir.web(), "/").text(), "a");
    }
    eventually("no connection is held at the server for a client that left", || {
        origin.open_connections() <= 2
    });
}
