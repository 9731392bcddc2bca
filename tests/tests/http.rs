//! HTTP/1 as well-behaved peers speak it: what one side means is what the other gets.

use std::time::Duration;

use weir_tests::{Client, Origin, Request, Weir, eventually, get, ok};

/// Tells in its answer what it was asked, as servers see it.
fn mirror() -> Origin {
    Origin::answering(|request| {
        let body = String::from_utf8_lossy(&request.body);
        ok(&format!("{} {} {body}", request.method, request.target))
    })
}

#[test]
fn get_head_and_post_arrive_and_are_answered() {
    let origin = mirror();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());

    let got = client.get("/a?b=c");
    assert_eq!((got.status, got.text().as_str()), (200, "GET /a?b=c "));
    let head = client.exchange("HEAD /h HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!((head.status, head.field("content-length")), (200, Some("8")));
    let posted = client.exchange("POST /p HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(posted.text(), "POST /p hello");
    let deleted = client.exchange("DELETE /d HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(deleted.text(), "DELETE /d ");
    let odd = client.exchange("PROPFIND /o HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(odd.text(), "PROPFIND /o ");
}

#[test]
fn fields_go_through_both_ways_and_the_host_is_kept() {
    let origin = Origin::fixed(
        b"HTTP/1.1 200 Fine\r\nServer: it\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 0\r\n\r\n",
    );
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let response = client.exchange(
        "GET / HTTP/1.1\r\nHost: WWW.example.com:8080\r\nX-A: 1\r\nX-A: 2\r\nAccept-Encoding: gzip\r\n\r\n",
    );
    assert_eq!(response.head.all("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(response.field("server"), Some("it"));
    let request = origin.request();
    assert_eq!(request.head.all("x-a"), ["1", "2"]);
    assert_eq!(request.head.get("accept-encoding"), Some("gzip"));
    let host = request.head.get("host").unwrap();
    assert!(host.eq_ignore_ascii_case("www.example.com:8080"), "{host}");
}

#[test]
fn http_1_0_clients_are_served_and_their_connection_is_closed() {
    let origin = mirror();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let response = client.exchange("GET /old HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "GET /old ");
    client.assert_closed();

    let mut client = Client::connect(weir.web());
    let request = "GET /old HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\r\n";
    for _ in 0..2 {
        let response = client.exchange(request);
        assert_eq!(response.text(), "GET /old ");
        assert!(response.head.lists("connection", "keep-alive"), "{:?}", response.head);
    }
    // What goes on is our own HTTP/1.1.
    for request in origin.requests() {
        assert!(request.head.start.ends_with("HTTP/1.1"), "{:?}", request.head);
        assert_eq!(request.head.all("host").len(), 1);
    }
}

#[test]
fn an_http_1_0_client_never_sees_chunks() {
    let origin = Origin::fixed(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let response = client.exchange("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(response.text(), "abcde");
    assert_eq!(response.field("transfer-encoding"), None);
    client.assert_closed();
}

#[test]
fn a_server_that_ends_its_answer_by_closing_is_understood() {
    let origin = Origin::closing(b"HTTP/1.0 200 OK\r\nX-Old: yes\r\n\r\nuntil the end");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        let response = client.get("/");
        assert_eq!((response.status, response.text().as_str()), (200, "until the end"));
        assert_eq!(response.field("x-old"), Some("yes"));
        assert_eq!(response.field("transfer-encoding"), Some("chunked"));
    }
    assert_eq!(origin.connections(), 2);
}

#[test]
fn one_connection_to_the_server_serves_many_requests_of_many_clients() {
    let origin = Origin::named("a");
    // One worker: idle connections are each worker's own.
    let weir = Weir::start(&format!(
        "workers: 1\n{}",
        weir_tests::one_pool(&format!("{{ servers: [\"{}\"] }}", origin.address()))
    ));
    for _ in 0..3 {
        let mut client = Client::connect(weir.web());
        for _ in 0..20 {
            assert_eq!(client.get("/").text(), "a");
        }
    }
    assert_eq!((origin.connections(), origin.requests().len()), (1, 60));
}

#[test]
fn a_connection_to_a_server_is_kept_whatever_the_framing() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        for slowly in [false, true] {
            let origin = Origin::scripted(move |peer| {
                while peer.request()?.is_some() {
                    if slowly {
                        peer.send_slowly(answer)?;
                    } else {
                        peer.send(answer)?;
                    }
                }
                Ok(())
            });
            let weir = Weir::with_servers(&[origin.address()]);
            let mut client = Client::connect(weir.web());
            for method in ["GET", "POST", "GET", "PUT", "GET"] {
                let body = if method == "GET" { "\r\n" } else { "Content-Length: 2\r\n\r\nhi" };
                let response = client.exchange(&format!("{method} / HTTP/1.1\r\nHost: test\r\n{body}"));
                assert!(response.status < 400, "{response:?}");
            }
            let shown = String::from_utf8_lossy(answer);
            assert_eq!(origin.connections(), 1, "slowly: {slowly}, {shown:?}");
            eventually("the lines", || weir.access_log().len() == 5);
            assert!(weir.access_log().iter().all(|line| line["end"] == "--"), "{shown:?}");
        }
    }
}

#[test]
fn requests_that_were_sent_ahead_are_answered_in_their_order() {
    let origin = mirror();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let mut ahead = String::new();
    for n in 0..50 {
        ahead += &match n % 3 {
            0 => format!("GET /{n} HTTP/1.1\r\nHost: test\r\n\r\n"),
            1 => format!("POST /{n} HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody"),
            _ => format!(
                "PUT /{n} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            ),
        };
    }
    client.send(ahead);
    for n in 0..50 {
        let expected = match n % 3 {
            0 => format!("GET /{n} "),
            1 => format!("POST /{n} body"),
            _ => format!("PUT /{n} body"),
        };
        assert_eq!(client.response().text(), expected);
    }
}

#[test]
fn messages_that_come_byte_by_byte_are_understood_both_ways() {
    let origin = Origin::scripted(|peer| {
        while peer.request()?.is_some() {
            peer.send_slowly(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nX-T: 1\r\n\r\n",
            )?;
        }
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        client.send_slowly(
            "POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        );
        assert_eq!(client.response().text(), "hello");
    }
    assert_eq!(origin.requests()[1].body, b"abc");
}

#[test]
fn bodies_of_a_known_length_keep_it_and_chunked_ones_stay_chunked() {
    let origin = Origin::answering(|request| {
        let framed = request.head.get("content-length").map_or("chunked".to_owned(), str::to_owned);
        ok(&format!("{framed} {:?}", request.head.get("transfer-encoding")))
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let known = client.exchange("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(known.text(), "3 None");
    let empty = client.exchange("POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(empty.text(), "0 None");
    let chunked = client
        .exchange("POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(chunked.text(), "chunked Some(\"chunked\")");
    // A GET may have a body (RFC 9110 section 9.3.1): it must not be left on the connection.
    let get_with_body = client
        .exchange("GET / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(get_with_body.text(), "chunked Some(\"chunked\")");
    assert_eq!(origin.requests()[3].body, b"abc");
}

#[test]
fn trailers_go_through_both_ways() {
    let origin = Origin::fixed(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n",
    );
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let response = client.exchange(
        "POST / HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nConnection: TE\r\n\
         Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Check: 7\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
    );
    assert_eq!(response.trailers, [("x-sum".to_owned(), "6".to_owned())]);
    let request = origin.request();
    assert!(request.head.lists("te", "trailers"), "{:?}", request.head);
    let trailers: Vec<_> =
        request.trailers.iter().map(|(name, value)| (name.to_lowercase(), value.as_str())).collect();
    assert_eq!(trailers, [("x-check".to_owned(), "7")]);
}

#[test]
fn a_server_that_says_100_gets_the_body() {
    let origin = Origin::scripted(|peer| {
        let Some(mut request) = peer.head()? else { return Ok(()) };
        assert!(!peer.anything_within(Duration::from_millis(100))?, "the body came unasked");
        peer.send("HTTP/1.1 100 Continue\r\n\r\n")?;
        peer.body(&mut request)?;
        peer.keep(&request);
        peer.send(ok("thanks"))
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send("PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    let (status, _) = client.head();
    assert_eq!(status, 100);
    client.send("body");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (200, "thanks"));
    assert_eq!(origin.request().body, b"body");
    assert_eq!(origin.request().head.get("expect"), Some("100-continue"));
}

#[test]
fn a_server_that_refuses_an_expectation_is_heard_and_never_gets_the_body() {
    for answer in [
        &b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"[..],
        &b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"[..],
    ] {
        let origin = Origin::scripted(move |peer| {
            let Some(request) = peer.head()? else { return Ok(()) };
            peer.keep(&request);
            peer.send(answer)?;
            peer.wait_for_end()
        });
        let weir = Weir::with_servers(&[origin.address()]);
        let mut client = Client::connect(weir.web());
        client.send("PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
        let response = client.response();
        assert!(matches!(response.status, 417 | 401), "{}", response.status);
        assert!(!origin.received().ends_with(b"BODY BYTE"));
        // The client sends no body now, so what it sends next must not be taken for one: either it is a new
        // request, or the connection is closed.
        if !response.closes() {
            client.half_close();
        }
        // A connection with half a request on it serves nobody else.
        let requests = origin.requests().len();
        assert_eq!(get(weir.web(), "/next").status, response.status);
        assert_eq!(origin.requests().len(), requests + 1);
        assert_eq!(origin.connections(), 2);
    }
}

#[test]
fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let origin = Origin::scripted(|peer| {
        let Some(request) = peer.head()? else { return Ok(()) };
        peer.keep(&request);
        peer.send(
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much",
        )?;
        peer.half_close()?;
        peer.wait_for_end()
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send("POST /big HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n");
    client.send(vec![b'x'; 1000]);
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (413, "too much"));
    // Whatever becomes of the connection, the rest of the body is never taken for a request.
    let rest = [vec![b'x'; 998_000], b"GET /1".repeat(1000 / 6), vec![b'x'; 1000 - 1000 / 6 * 6]].concat();
    let next = client.try_send([&rest[..], b"GET /next HTTP/1.1\r\nHost: test\r\n\r\n"].concat());
    if next.is_ok() && !response.closes() {
        let _ = client.try_response_to("GET").map(|response| assert_eq!(response.status, 413));
    }
    let targets: Vec<_> = origin.requests().into_iter().map(|request| request.target).collect();
    assert!(targets == ["/big"] || targets == ["/big", "/next"], "{targets:?}");
    drop(client);
    weir.admin().await_idle("web", &origin.address().to_string());
}

#[test]
fn interim_responses_are_passed_on_to_those_who_know_them() {
    let origin = Origin::fixed(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n\
          HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    );
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        let hints = client.response();
        assert_eq!((hints.status, hints.field("link")), (103, Some("</a.css>")));
        assert_eq!(client.response().status, 102);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    }
    assert_eq!(origin.connections(), 1);
    let mut old = Client::connect(weir.web());
    assert_eq!(old.exchange("GET / HTTP/1.0\r\n\r\n").status, 200);
}

#[test]
fn answers_without_a_body_have_none() {
    let origin = Origin::answering(|request: &Request| match request.target.as_str() {
        "/204" => "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n".to_owned(),
        "/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 500\r\n\r\n".to_owned(),
        "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".to_owned(),
        _ => ok("last"),
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let none = client.get("/204");
    assert_eq!((none.status, none.field("content-length"), none.field("x-a")), (204, None, Some("1")));
    let unchanged = client.get("/304");
    assert_eq!((unchanged.status, unchanged.field("etag")), (304, Some("\"x\"")));
    let head = client.exchange("HEAD /head HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(head.field("content-length"), Some("500"));
    assert_eq!(client.get("/").text(), "last");
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn options_for_the_server_as_a_whole_and_absolute_targets_are_understood() {
    let origin = mirror();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let options = client.exchange("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(options.text(), "OPTIONS * ");
    let absolute = client.exchange("GET http://Test:80/a?b HTTP/1.1\r\nHost: test:80\r\n\r\n");
    // The server gets the target as servers want it (RFC 9112 section 3.2.2); a fault of ours would be to
    // send the client's form on, or to let the two hosts differ.
    assert_eq!((absolute.status, absolute.text().as_str()), (200, "GET /a?b "));
    let host = origin.requests()[1].head.get("host").unwrap().to_ascii_lowercase();
    assert_eq!(host, "test:80");
}

#[test]
fn a_client_that_says_close_is_closed_and_others_are_kept() {
    let origin = mirror();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    assert!(!client.get("/").closes());
    let last = client.exchange("GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(last.closes());
    client.assert_closed();
    // That was between the client and us.
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_that_leaves_takes_its_exchange_with_it() {
    let origin = Origin::silent();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send("GET /gone HTTP/1.1\r\nHost: test\r\n\r\n");
    eventually("the server has it", || origin.received().ends_with(b"\r\n\r\n"));
    client.half_close();
    client.assert_closed();
    eventually("the server is let go", || origin.open_connections() == 0);
    let line = weir.access_line("/gone");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(499), Some("CD")));
}

#[test]
fn a_connection_ends_after_so_many_requests() {
    let origin = mirror();
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    limits: {{ requests_per_connection: 2 }}\n    routes: \
         [{{ pool: web }}]\npools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Client::connect(weir.web());
    assert!(!client.get("/1").closes());
    assert!(client.get("/2").closes());
    client.assert_closed();
}

/// What may come on top of what Weir holds anyway while a gigabyte goes through.
const MEMORY_GROWTH_MAX: u64 = 32 << 20;
const GIGABYTE: u64 = 1 << 30;

#[test]
fn a_gigabyte_goes_down_and_up_in_little_memory() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.head()? {
            if request.method == "GET" {
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n"))?;
                let piece = vec![b'x'; 1 << 20];
                for _ in 0..GIGABYTE >> 20 {
                    peer.send(&piece)?;
                }
            } else {
                peer.skip(GIGABYTE)?;
                peer.send(ok("all of it"))?;
            }
        }
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    get_small(&weir);
    let before = weir.memory_peak_bytes();

    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!((status, head.get("content-length")), (200, Some("1073741824")));
    client.skip(GIGABYTE);

    client.send(format!("PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: {GIGABYTE}\r\n\r\n"));
    let piece = vec![b'y'; 1 << 20];
    for _ in 0..GIGABYTE >> 20 {
        client.send(&piece);
    }
    assert_eq!(client.response().text(), "all of it");
    let grown = weir.memory_peak_bytes() - before;
    assert!(grown < MEMORY_GROWTH_MAX, "{} KiB more", grown >> 10);
}

/// An exchange that makes every buffer that any exchange needs.
fn get_small(weir: &Weir) {
    let mut client = Client::connect(weir.web());
    assert_eq!(client.exchange("GET /nowhere HTTP/1.1\r\n\r\n").status, 400);
}

#[test]
fn a_client_that_reads_slowly_holds_its_server_back_and_not_our_memory() {
    const BODY_BYTES: u64 = 256 << 20;
    let origin = Origin::scripted(|peer| {
        let Some(request) = peer.head()? else { return Ok(()) };
        peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {BODY_BYTES}\r\n\r\n"))?;
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..BODY_BYTES >> 20 {
            peer.send(&piece)?;
        }
        peer.keep(&request); // all of it is sent
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    get_small(&weir);
    let before = weir.memory_peak_bytes();
    let mut client = Client::connect_with_small_window(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    let (status, _) = client.head();
    assert_eq!(status, 200);
    client.skip(1 << 20);
    // The kernel's buffers are a few MiB; if we read on regardless, the server would be done at once.
    std::thread::sleep(Duration::from_millis(500));
    assert!(origin.requests().is_empty(), "the server could send everything to a client that reads nothing");
    client.skip(BODY_BYTES - (1 << 20));
    eventually("the server is done", || origin.requests().len() == 1);
    let grown = weir.memory_peak_bytes() - before;
    assert!(grown < MEMORY_GROWTH_MAX, "{} KiB more", grown >> 10);
}

#[test]
fn many_clients_that_stop_reading_cost_little_memory_each() {
    const CLIENTS: u64 = 100;
    const EACH_MAX: u64 = 256 << 10;
    let origin = Origin::scripted(|peer| {
        peer.head()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")?;
        let piece = vec![b'x'; 64 << 10];
        loop {
            peer.send(&piece)?; // until the connection takes no more
        }
    });
    let weir = Weir::with_servers(&[origin.address()]);
    get_small(&weir);
    let before = weir.memory_peak_bytes();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::connect_with_small_window(weir.web())).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: test\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.head().0, 200);
        client.skip(2 << 20); // so that every buffer on the way has had time to grow
    }
    let each = (weir.memory_peak_bytes() - before) / CLIENTS;
    assert!(each < EACH_MAX, "{} KiB for each", each >> 10);
}
