//! What has more than one meaning goes no further: requests that servers might read otherwise, answers that
//! clients might, and fields by which one side could speak for another.

use weir_tests::{Client, Origin, Request, Weir, get, ok, until};

/// Requests that must be refused, and how.
const REFUSED: &[(&str, u16, &[u8])] = &[
    // Where does the body end? RFC 9112 section 6.3
    ("length and chunks", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"),
    ("chunks and length", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\nX"),
    ("two lengths", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nXX"),
    ("the same length twice", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nX"),
    ("a list of lengths", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nX"),
    ("a signed length", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nX"),
    ("a negative length", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\nX"),
    ("a hexadecimal length", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\nX"),
    ("an empty length", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nX"),
    ("a length beyond 64 bits", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551617\r\n\r\nX"),
    ("a length with a space in it", 400, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1 1\r\n\r\nX"),
    ("two codings", 501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked twice", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("two coding fields", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("identity", 501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
    ("xchunked", 501, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("an empty coding", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n"),
    ("a tab in the coding's name", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("a control byte before chunked", 400, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    ("chunks in HTTP/1.0", 400, b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // Where does a line end, and a field's name? Section 2.2, 5
    ("bare LF in the head", 400, b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"),
    ("bare LF everywhere", 400, b"GET / HTTP/1.1\nHost: a\n\n"),
    ("bare CR in a value", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n"),
    ("NUL in a value", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n"),
    ("space before the colon", 400, b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello"),
    ("a folded line", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n"),
    ("space before the first field", 400, b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("an empty name", 400, b"GET / HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n"),
    ("a line without a colon", 400, b"GET / HTTP/1.1\r\nHost: a\r\nGET /admin HTTP/1.1\r\n\r\n"),
    ("a name that is no token", 400, b"GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n"),
    // The first line, section 3
    ("two spaces", 400, b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab for a space", 400, b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no target", 400, b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no version", 400, b"GET /\r\nHost: a\r\n\r\n"),
    ("space after the version", 400, b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    ("a small version", 400, b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("version 2.0", 505, b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("version 1.2", 505, b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("a long method", 501, b"GETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method that is no token", 400, b"G\"T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a raw byte in the target", 400, b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a fragment", 400, b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a relative target", 400, b"GET a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("* for GET", 400, b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("user information", 400, b"GET http://user@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", 400, b"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a path above the root", 400, b"GET /../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a path above the root, encoded", 400, b"GET /a/%2e%2E/..%2f/../../x HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Whose request is it? Section 3.2
    ("no host", 400, b"GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", 400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("two equal hosts", 400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("a host with a path", 400, b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("a host with a space", 400, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("a host with a user", 400, b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("a list of hosts", 400, b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("another host in the target", 400, b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    // Not for us
    ("CONNECT", 405, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"),
    ("CONNECT with a body", 400, b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nContent-Length: 1\r\n\r\nX"),
    ("TLS", 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
];

#[test]
fn requests_with_two_meanings_are_refused_and_reach_no_server() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut wrong = Vec::new();
    for (what, status, request) in REFUSED {
        let mut client = Client::connect(weir.web());
        client.send(request);
        let outcome = client.try_response_to("GET").map(|response| {
            // A refusal by the exchange itself may keep the connection: nothing about its framing is wrong.
            let framed_well = matches!(*what, "CONNECT") || what.starts_with("a path above");
            let closes = response.closes() || framed_well;
            (response.status, closes, response.body.len() < 200, response.body.is_empty())
        });
        if outcome.as_ref().ok() != Some(&(*status, true, true, false)) {
            wrong.push(format!("{what}: {outcome:?} instead of {status}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(origin.connections(), 0, "{}", String::from_utf8_lossy(&origin.received()));
    assert_eq!(get(weir.web(), "/").text(), "a");
}

#[test]
fn a_refused_request_takes_the_ones_behind_it_along() {
    let origin = Origin::named("a");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send(
        "GET /good HTTP/1.1\r\nHost: a\r\n\r\nPOST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\
         Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    let refused = client.response();
    assert_eq!((refused.status, refused.closes()), (400, true));
    client.assert_closed();
    assert_eq!(origin.request().target, "/good");
}

#[test]
fn chunks_that_are_not_what_they_say_never_become_a_request_of_their_own() {
    for body in [
        "3\r\nabcXX0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3;\x01\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n",
        "3\r\nabc\r\n0\r\nX: y\n\r\n",
    ] {
        let origin = Origin::answering(|_| ok("served"));
        let weir = Weir::with_servers(&[origin.address()]);
        let mut client = Client::connect(weir.web());
        client.send("POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        client.send(body);
        client.send("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        let response = client.response();
        assert_eq!(response.status, 400, "{body:?}");
        client.assert_closed();
        // The server saw the head at most, and the end of its connection instead of the body's.
        assert!(origin.requests().is_empty(), "{body:?}: {:?}", origin.requests());
        assert!(!String::from_utf8_lossy(&origin.received()).contains("smuggled"), "{body:?}");
        weir.admin().await_idle("web", &origin.address().to_string());
    }
}

#[test]
fn what_is_too_large_is_refused_by_its_own_status() {
    let origin = Origin::named("a");
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    limits:\n      request_head: 4KiB\n      \
         request_fields: 20\n      uri: 1KiB\n      request_body: 10B\n    routes: [{{ pool: web }}]\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let refused = |request: String| {
        let mut client = Client::connect(weir.web());
        client.send(request);
        let response = client.response();
        assert!(response.closes());
        response.status
    };
    let long = |bytes| "x".repeat(bytes);
    assert_eq!(refused(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(1024))), 414);
    assert_eq!(refused(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", long(4096))), 431);
    assert_eq!(refused(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(20))), 431);
    // Without an end in sight, too: nobody keeps reading a head for ever.
    assert_eq!(refused(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}", long(5000))), 431);
    assert_eq!(refused(format!("GET /{}", long(5000))), 414);
    assert_eq!(refused("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n".to_owned()), 413);
    assert_eq!(origin.connections(), 0);
    let chunked =
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n";
    assert_eq!(refused(chunked.to_owned()), 413);
    assert!(origin.requests().is_empty());

    let mut client = Client::connect(weir.web());
    let fits = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789";
    assert_eq!(client.exchange(fits).status, 200);
    assert_eq!(client.exchange(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", long(1023))).status, 200);
}

#[test]
fn answers_with_two_meanings_become_502() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: nine\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
        b"HTTP/1.1 200 OK\r\nX : y\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 99 What\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 700 What\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/2 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"ok\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ] {
        let origin = Origin::closing(answer);
        let weir = Weir::with_servers(&[origin.address()]);
        let response = get(weir.web(), "/x");
        let shown = String::from_utf8_lossy(answer);
        assert_eq!(response.status, 502, "{shown:?}: {}", response.text());
        assert!(response.body.len() < 200 && !response.text().contains("abc"), "{shown:?}");
        assert_eq!(weir.access_line("/x")["end"], "SH", "{shown:?}");
    }
}

#[test]
fn a_servers_head_beyond_the_limits_becomes_502() {
    let origin = Origin::answering(|request| match request.target.as_str() {
        "/bytes" => format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 0\r\n\r\n", "x".repeat(3000)),
        "/fields" => format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "X: y\r\n".repeat(30)),
        _ => ok("fits"),
    });
    let weir = Weir::with_pool(&format!(
        "{{ servers: [\"{}\"], limits: {{ response_head: 2KiB, response_fields: 20 }}, ejection: {{ failures: 0 }} }}",
        origin.address()
    ));
    assert_eq!(get(weir.web(), "/bytes").status, 502);
    assert_eq!(get(weir.web(), "/fields").status, 502);
    assert_eq!(get(weir.web(), "/").text(), "fits");
}

#[test]
fn a_body_that_breaks_off_never_looks_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"[..],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly thisX",
    ] {
        let origin = Origin::closing(answer);
        let weir = Weir::with_servers(&[origin.address()]);
        let mut client = Client::connect(weir.web());
        client.send("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        let shown = String::from_utf8_lossy(answer);
        let whole = client.try_response_to("GET");
        // The head may be out already; then the connection ends within the body.
        match whole {
            Err(_) => {}
            Ok(response) => assert_eq!(response.status, 502, "{shown:?}: {response:?}"),
        }
        let end = weir.access_line("/x")["end"].as_str().unwrap().to_owned();
        assert!(end.starts_with('S'), "{shown:?}: {end}");
    }
}

#[test]
fn bytes_that_nobody_asked_for_make_a_connection_unfit() {
    let origin = Origin::scripted(|peer| {
        while peer.request()?.is_some() {
            let poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison";
            peer.send(format!("{}{poison}", ok("mine")))?;
        }
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    for _ in 0..20 {
        assert_eq!(get(weir.web(), "/").text(), "mine");
    }
    let mut client = Client::connect(weir.web());
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "mine");
    }
}

#[test]
fn hop_by_hop_fields_stay_between_the_two_that_they_are_for() {
    let origin = Origin::fixed(
        b"HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Inner\r\nX-Inner: secret\r\nKeep-Alive: timeout=9\r\n\
          Proxy-Connection: keep-alive\r\nX-Kept: yes\r\nContent-Length: 0\r\n\r\n",
    );
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    let response = client.exchange(
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Mine, Host, X-Forwarded-For\r\nX-Mine: 1\r\n\
         Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAAA\r\nX-Kept: yes\r\n\r\n",
    );
    for gone in ["x-inner", "keep-alive", "proxy-connection", "transfer-encoding"] {
        assert_eq!(response.field(gone), None, "{gone}");
    }
    assert_eq!(response.field("x-kept"), Some("yes"));
    let request = origin.request();
    for gone in ["x-mine", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings"] {
        assert_eq!(request.head.get(gone), None, "{gone}");
    }
    assert_eq!(request.head.get("x-kept"), Some("yes"));
    assert_eq!(request.head.get("host"), Some("a"));
    // A client can't take away what we say of it.
    assert_eq!(request.head.get("x-forwarded-for"), Some("127.0.0.1"));
}

fn forwarding(extra: &str, fields: &str) -> Request {
    let origin = Origin::named("a");
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    {extra}\n    routes: [{{ pool: web }}]\n\
         pools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Client::connect(weir.web());
    assert_eq!(client.exchange(&format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")).status, 200);
    origin.request()
}

const CLAIMS: &str = "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n\
                      Forwarded: for=203.0.113.9\r\n";

#[test]
fn a_strangers_claims_about_who_it_is_are_dropped() {
    let head = forwarding("trusted_proxies: [192.0.2.0/24]", CLAIMS).head;
    assert_eq!(head.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(head.get("x-forwarded-proto"), Some("http"));
    assert_eq!(head.get("x-forwarded-host"), Some("a"));
    assert_eq!((head.get("forwarded"), head.get("via")), (None, None));

    let off = forwarding("forwarded: { x_forwarded: false }", CLAIMS).head;
    for name in ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded"] {
        assert_eq!(off.get(name), None, "{name}");
    }
}

#[test]
fn a_trusted_proxys_claims_are_added_to() {
    let head = forwarding(
        "trusted_proxies: [127.0.0.0/8]\n    forwarded: { x_forwarded: true, forwarded: true, via: true }",
        CLAIMS,
    )
    .head;
    assert_eq!(head.get("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(head.get("x-forwarded-proto"), Some("https"));
    assert_eq!(head.get("x-forwarded-host"), Some("evil"));
    let forwarded = head.get("forwarded").unwrap();
    assert!(forwarded.starts_with("for=203.0.113.9, for=127.0.0.1"), "{forwarded}");
    assert!(head.get("via").unwrap().contains("1.1 "), "{head:?}");
}

#[test]
fn who_a_trusted_proxy_names_is_the_client_in_the_access_log() {
    let origin = Origin::named("a");
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    trusted_proxies: [127.0.0.1]\n    routes: [{{ pool: web \
         }}]\npools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Client::connect(weir.web());
    client.exchange("GET /who HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
    let line = until("the line", || weir.access_log().into_iter().find(|line| line["target"] == "/who"));
    assert!(line["client"].as_str().unwrap().starts_with("203.0.113.9:"), "{line}");
}

#[test]
fn a_path_means_the_same_to_the_routes_and_to_the_server() {
    let (open, closed) = (Origin::named("open"), Origin::named("closed"));
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    routes:\n      - match: {{ path_prefix: /admin }}\n        \
         respond: {{ status: 403 }}\n      - match: {{ path_prefix: /public/ }}\n        pool: open\n      - pool: \
         closed\npools:\n  open: {{ servers: [\"{}\"] }}\n  closed: {{ servers: [\"{}\"] }}\n",
        open.address(),
        closed.address()
    ));
    for path in [
        "/public/../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin/x",
        "/./admin",
        "/public/x/../../admin",
    ] {
        let response = get(weir.web(), path);
        assert_eq!(response.status, 403, "{path}: {}", response.text());
    }
    assert_eq!(get(weir.web(), "/public/a/../b/./c?x=/../y").text(), "open");
    assert_eq!(open.request().target, "/public/b/c?x=/../y");
    assert_eq!(closed.connections(), 0);
}
