//! HTTP/2 towards clients: what of HTTP there is, in its other shape, with clients that others wrote and one that
//! sends frames by hand.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_tests::{
    Client, Directory, Frame, Http2, Origin, PATIENCE, Signal, Weir, eventually, flags, kind, list, ok,
    one_pool, reason, setting, until,
};

/// Runs a client; what it prints.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is installed by `make test`: {error}"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn curl(arguments: &[&str]) -> String {
    let always = ["--http2-prior-knowledge", "--silent", "--show-error", "--max-time", "20"];
    run("curl", &[&always[..], arguments].concat())
}

/// One listener, `web`, with these settings, for one pool of these servers.
pub(crate) fn with_listener(listener: &str, servers: &[std::net::SocketAddr]) -> String {
    format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}], {listener} }} }}\n\
         pools: {{ web: {{ servers: {} }} }}\n",
        list(servers)
    )
}

/// A counter of the listener `web`.
pub(crate) fn counter(weir: &Weir, name: &str) -> u64 {
    let line = format!("weir_listener_{name}_total{{listener=\"web\"}} ");
    let metrics = weir.admin().get("/metrics").text();
    metrics
        .lines()
        .find_map(|metric| metric.strip_prefix(&line)?.parse().ok())
        .unwrap_or_else(|| panic!("no {name}"))
}

fn describing() -> Origin {
    Origin::answering(|request| {
        ok(&format!(
            "{} {} {} {:?}",
            request.method,
            request.target,
            request.body.len(),
            request.head.get("x-a")
        ))
    })
}

#[test]
fn curl_with_many_options() {
    let origin = describing();
    let weir = Weir::with_servers(&[origin.address()]);
    let url = |path: &str| format!("http://{}{path}", weir.web());
    assert_eq!(curl(&[&url("/plain?q=1")]), "GET /plain?q=1 0 None");
    assert_eq!(curl(&["--header", "X-A: b", &url("/h")]), "GET /h 0 Some(\"b\")");
    assert_eq!(curl(&["--data", "a=b", &url("/post")]), "POST /post 3 None");
    assert_eq!(curl(&["--request", "DELETE", &url("/gone")]), "DELETE /gone 0 None");
    assert_eq!(curl(&["--path-as-is", &url("/a/../b")]), "GET /b 0 None");
    let head = curl(&["--head", &url("/head")]);
    assert!(head.starts_with("HTTP/2 200") && head.contains("content-length: 17"), "{head}");
    let directory = Directory::new();
    let upload = directory.file("upload");
    std::fs::write(&upload, vec![b'x'; 3 << 20]).unwrap();
    let file = upload.to_str().unwrap();
    assert_eq!(curl(&["--upload-file", file, &url("/put")]), "PUT /put 3145728 None");
    assert_eq!(
        curl(&["--header", "Expect: 100-continue", "--data-binary", &format!("@{file}"), &url("/big")]),
        "POST /big 3145728 None"
    );
    let line = weir.access_line("/big");
    assert_eq!((line["version"].as_str(), line["status"].as_u64()), (Some("HTTP/2.0"), Some(200)), "{line}");
    assert_eq!((line["request_bytes"].as_u64(), line["end"].as_str()), (Some(3 << 20), Some("--")), "{line}");
    assert_eq!(counter(&weir, "http2_errors"), 0);
    // HTTP/1 is spoken there as before, and its upgrade to HTTP/2 is no longer one (RFC 9113 section 3.1).
    let plain = run("curl", &["--silent", "--http2", "--include", &url("/upgrade")]);
    assert!(plain.starts_with("HTTP/1.1 200"), "{plain}");
}

#[test]
fn nghttp_and_h2load() {
    let origin = describing();
    let weir = Weir::start(&format!("log: {{ access: off }}\n{}", with_listener("", &[origin.address()])));
    let url = |path: &str| format!("http://{}{path}", weir.web());
    let got = run("nghttp", &[&url("/a"), &url("/b"), "--header=x-a: 1"]);
    assert!(got.contains("GET /a 0 Some(\"1\")") && got.contains("GET /b 0 Some(\"1\")"), "{got}");
    let load = run("h2load", &["-n", "10000", "-c", "4", "-m", "10", &url("/")]);
    assert!(load.contains("10000 succeeded, 0 failed, 0 errored"), "{load}");
    assert!(load.contains("10000 2xx"), "{load}");
    assert_eq!(counter(&weir, "http2_streams"), 10_002);
}

#[test]
fn a_request_reaches_a_server_as_any_other() {
    let origin = Origin::named("a");
    let weir = Weir::start(&with_listener("forwarded: { via: true }", &[origin.address()]));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::headers(
        1,
        true,
        &[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/x?y"),
            (":authority", "A.example:81"),
            ("cookie", "a=b"),
            ("te", "trailers"),
            ("cookie", "c=d"),
            ("x-forwarded-for", "203.0.113.9"),
        ],
    )]);
    assert_eq!(client.answer(1), (200, b"a".to_vec()));
    let request = origin.request();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/x?y"));
    assert_eq!(request.head.get("host"), Some("A.example:81"));
    assert_eq!(request.head.get("cookie"), Some("a=b; c=d"));
    assert_eq!(request.head.get("te"), Some("trailers"));
    assert_eq!(request.head.get("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(request.head.get("via"), Some("2.0 weir"));
    assert_eq!(request.head.get("transfer-encoding"), None);
    let line = weir.access_line("/x?y");
    assert_eq!((line["version"].as_str(), line["host"].as_str()), (Some("HTTP/2.0"), Some("A.example:81")));
}

#[test]
fn bodies_trailers_and_interim_responses_go_both_ways() {
    let origin = Origin::scripted(|peer| {
        while peer.request()?.is_some() {
            peer.send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                 HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\nTrailer: x-sum\r\n\r\n\
                 3\r\nabc\r\n0\r\nX-Sum: 6\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n",
            )?;
        }
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[
        Frame::post(1, "/"),
        Frame::data(1, false, "abc"),
        Frame::data(1, false, "def"),
        Frame::headers(1, true, &[("x-sum", "6"), ("x-forwarded-for", "192.0.2.1")]),
    ]);
    let early = client.await_frame("an interim response", |frame| frame.kind == kind::HEADERS);
    assert_eq!(early.status(), 103);
    let head = client.await_frame("a response", |frame| frame.kind == kind::HEADERS);
    assert_eq!((head.status(), head.has(flags::END_STREAM)), (200, false));
    let data = client.await_frame("a body", |frame| frame.kind == kind::DATA);
    assert_eq!(data.payload, b"abc");
    let trailers = client.await_frame("trailers", |frame| frame.kind == kind::HEADERS);
    assert!(trailers.has(flags::END_STREAM));
    let request = origin.request();
    assert_eq!(request.body, b"abcdef");
    assert_eq!(request.trailers, [("x-sum".to_owned(), "6".to_owned())]);
}

#[test]
fn a_client_that_waits_for_100_gets_it() {
    let origin = describing();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    client.send(&[Frame::headers(1, false, &[&fields[..], &[("expect", "100-continue")]].concat())]);
    let interim = client.await_frame("100", |frame| frame.kind == kind::HEADERS);
    assert_eq!(interim.status(), 100);
    client.send(&[Frame::data(1, true, "abc")]);
    assert_eq!(client.answer(1), (200, b"POST / 3 None".to_vec()));
}

#[test]
fn limits_and_failures_are_answered_as_in_http1() {
    let origin = Origin::answering(|request| {
        if request.target == "/broken" {
            return "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".into();
        }
        ok("fine")
    });
    let gone = Origin::nobody();
    let weir = Weir::start(&format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, limits: {{ request_body: 5B, uri: 100B, request_fields: 10 }}, \
         routes: [{{ match: {{ path: /gone }}, pool: gone }}, {{ match: {{ path: /no }}, respond: {{ status: 403, body: no }} }}, \
         {{ match: {{ path_prefix: / }}, pool: web }}] }} }}\n\
         pools: {{ web: {{ servers: [\"{}\"] }}, gone: {{ servers: [\"{gone}\"] }} }}\n",
        origin.address()
    ));
    let mut client = Http2::connect(weir.web());
    let fields = [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    let many: Vec<_> = fields.iter().copied().chain([("x", "1"); 11]).collect();
    let long = "x".repeat(20_000);
    let large: Vec<_> = fields.iter().copied().chain([("x", long.as_str())]).collect();
    for (stream, frames, status) in [
        (1, vec![Frame::get(1, "/gone")], 502),
        (3, vec![Frame::get(3, "/no")], 403),
        (5, vec![Frame::post(5, "/"), Frame::data(5, true, "123456")], 413),
        (7, vec![Frame::get(7, &format!("/{}", "x".repeat(100)))], 414),
        (9, vec![Frame::headers(9, true, &many)], 431),
        (13, vec![Frame::get(13, "/a/../../b")], 400),
        (15, vec![Frame::get(15, "/")], 200),
    ] {
        client.send(&frames);
        assert_eq!(client.answer(stream).0, status, "stream {stream}");
    }
    // A large head takes a frame and a continuation.
    let whole = Frame::headers(17, true, &large);
    let (first, rest) = whole.payload.split_at(16_000);
    client.send(&[
        Frame::new(kind::HEADERS, flags::END_STREAM, 17, first),
        Frame::new(kind::CONTINUATION, flags::END_HEADERS, 17, rest),
    ]);
    assert_eq!(client.answer(17).0, 431);
    assert_eq!(counter(&weir, "refused"), 5, "413, 414, twice 431, and 400");
    client.assert_alive();
}

#[test]
fn an_answer_that_breaks_off_resets_its_stream_alone() {
    let origin = Origin::scripted(|peer| {
        let Some(request) = peer.request()? else { return Ok(()) };
        if request.target == "/broken" {
            return peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
        }
        peer.send(ok("fine"))
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/broken")]);
    let reset = client.await_frame("a reset", |frame| frame.kind == kind::RST_STREAM);
    assert_eq!((reset.stream, reset.number(0)), (1, reason::INTERNAL_ERROR));
    client.send(&[Frame::get(3, "/")]);
    assert_eq!(client.answer(3), (200, b"fine".to_vec()));
    assert_eq!(weir.access_line("/broken")["end"], "SD");
}

#[test]
fn a_client_that_resets_its_stream_cancels_its_exchange() {
    let origin = Origin::silent();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/cancelled")]);
    eventually("the server has it", || origin.open_connections() == 1);
    client.send(&[Frame::reset(1, reason::CANCEL)]);
    eventually("the server is let go", || origin.open_connections() == 0);
    let line = weir.access_line("/cancelled");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(499), Some("CD")), "{line}");
    client.assert_alive();
    // So does one that goes away.
    client.send(&[Frame::get(3, "/left")]);
    eventually("the server has it", || origin.open_connections() == 1);
    drop(client);
    eventually("the server is let go", || origin.open_connections() == 0);
    assert_eq!(weir.access_line("/left")["end"], "CD");
}

#[test]
fn a_client_sends_no_more_than_its_server_takes() {
    let origin = Origin::scripted(|peer| {
        peer.head()?;
        std::thread::park_timeout(PATIENCE); // reads nothing more
        Ok(())
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::post(1, "/")]);
    // The windows it is offered in all, until the server takes something: its own, and what the kernel holds.
    let mut window = 65_535_i64;
    let mut sent = 0_i64;
    let most = 64 << 20;
    loop {
        while window > 0 && sent < most {
            let piece = window.min(16_384);
            client.send(&[Frame::data(1, false, vec![b'x'; piece as usize])]);
            window -= piece;
            sent += piece;
        }
        match client.next_within(Duration::from_millis(500)) {
            Some(frame) if frame.kind == kind::WINDOW_UPDATE && frame.stream == 1 => {
                window += i64::from(frame.number(0));
            }
            Some(_) => {}
            None => break,
        }
    }
    assert!(sent < most, "a server that reads nothing was sent {sent} bytes");
    assert!(weir.memory_bytes() < 100 << 20);
}

#[test]
fn a_slow_reader_slows_its_server_and_nobody_else() {
    let origin = Origin::scripted(|peer| {
        while let Some(request) = peer.request()? {
            if request.target == "/large" {
                peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20))?;
                for _ in 0..64 {
                    peer.send(vec![b'x'; 1 << 20])?;
                }
            } else {
                peer.send(ok("small"))?;
            }
        }
        Ok(())
    });
    let weir = Weir::start(&with_listener("timeouts: { body_idle: 2s }", &[origin.address()]));
    let mut client = Http2::connect_with(weir.web(), &[(setting::INITIAL_WINDOW_SIZE, 1000)]);
    client.send(&[Frame::get(1, "/large")]);
    let first = client.await_frame("a piece", |frame| frame.kind == kind::DATA);
    assert_eq!(first.payload.len(), 1000);
    // Other streams of the connection go on, and so do others.
    for stream in [3, 5, 7] {
        client.send(&[Frame::get(stream, "/small")]);
        assert_eq!(client.answer(stream), (200, b"small".to_vec()));
    }
    let other = curl(&[&format!("http://{}/small", weir.web())]);
    assert_eq!(other, "small");
    assert!(weir.memory_bytes() < 60 << 20, "{} bytes for a reader that does not read", weir.memory_bytes());
    // As long as it makes room, it is served; when it makes none for too long, the stream is reset.
    client.send(&[Frame::window_update(1, 500)]);
    assert_eq!(client.await_frame("a piece", |frame| frame.kind == kind::DATA).payload.len(), 500);
    let reset = client.await_frame("a reset", |frame| frame.kind == kind::RST_STREAM);
    assert_eq!((reset.stream, reset.number(0)), (1, reason::CANCEL));
    let line = weir.access_line("/large");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(200), Some("cD")), "{line}");
    assert_eq!(counter(&weir, "http2_stalled"), 1);
    client.send(&[Frame::get(9, "/small")]);
    assert_eq!(client.answer(9).0, 200);
}

#[test]
fn a_drain_says_so_and_lets_streams_end() {
    let origin = Origin::scripted(|peer| {
        while peer.request()?.is_some() {
            peer.anything_within(Duration::from_millis(1500))?;
            peer.send(ok("done"))?;
        }
        Ok(())
    });
    let mut weir = Weir::with_servers(&[origin.address()]);
    let mut idle = Http2::connect(weir.web());
    let mut busy = Http2::connect(weir.web());
    busy.send(&[Frame::get(1, "/")]);
    eventually("it is under way", || origin.open_connections() == 1);
    weir.signal(Signal::TERM);
    assert_eq!(idle.await_end(), Some(reason::NO_ERROR));
    let goaway = busy.await_frame("a GOAWAY", |frame| frame.kind == kind::GOAWAY);
    assert_eq!(goaway.number(4), reason::NO_ERROR);
    let ping = busy.await_frame("a ping", |frame| frame.kind == kind::PING);
    busy.send(&[Frame::new(kind::PING, flags::ACK, 0, ping.payload)]);
    assert_eq!(busy.answer(1), (200, b"done".to_vec()));
    busy.await_end();
    assert_eq!(weir.await_exit().code(), Some(0));
}

#[test]
fn idle_old_and_orphaned_connections_end_with_a_goaway() {
    let origin = Origin::named("a");
    let servers = [origin.address()];
    let weir = Weir::start(&with_listener("timeouts: { keep_alive: 300ms }", &servers));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/")]);
    assert_eq!(client.answer(1).0, 200);
    assert_eq!(client.await_end(), Some(reason::NO_ERROR));

    weir.reload(&with_listener("limits: { requests_per_connection: 2 }", &servers));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::get(1, "/"), Frame::get(3, "/")]);
    assert_eq!(client.answer(1).0, 200);
    assert_eq!(client.answer(3).0, 200);
    assert_eq!(client.await_end(), Some(reason::NO_ERROR));

    let mut client = Http2::connect(weir.web());
    weir.reload(
        &one_pool(&format!("{{ servers: {} }}", list(&servers))).replace("web: { bind", "other: { bind"),
    );
    assert_eq!(client.await_end(), Some(reason::NO_ERROR));
}

#[test]
fn a_reload_under_load_loses_nothing() {
    let origin = Origin::named("a");
    let config = format!("log: {{ access: off }}\n{}", with_listener("", &[origin.address()]));
    let weir = Weir::start(&config);
    let url = format!("http://{}/", weir.web());
    let load = std::thread::spawn(move || run("h2load", &["-n", "20000", "-c", "4", "-m", "10", &url]));
    let mut reloads = 0;
    while !load.is_finished() {
        weir.reload(&config);
        reloads += 1;
    }
    let load = load.join().unwrap();
    assert!(load.contains("20000 succeeded, 0 failed, 0 errored") && load.contains("20000 2xx"), "{load}");
    assert!(reloads > 0);
}

#[test]
fn without_cleartext_http2_the_preface_is_refused() {
    let origin = Origin::named("a");
    let weir = Weir::start(&with_listener("http2: { cleartext: false }", &[origin.address()]));
    let mut client = Client::connect(weir.web());
    client.send(Http2::preface());
    assert_eq!(client.response().status, 505);
    let weir = Weir::with_servers(&[origin.address()]);
    // Nor is it one after a request in HTTP/1.
    let mut client = Client::connect(weir.web());
    assert_eq!(client.get("/").status, 200);
    client.send(Http2::preface());
    assert_eq!(client.response().status, 505);
}

#[test]
fn a_client_is_offered_what_the_file_says() {
    let origin = Origin::named("a");
    let http2 = "http2: { streams: 7, stream_window: 128KiB, connection_window: 2MiB, header_list: 4KiB }";
    let weir = Weir::start(&with_listener(http2, &[origin.address()]));
    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(Http2::preface());
    client.send(&[Frame::settings(&[(setting::HEADER_TABLE_SIZE, 0)])]);
    let settings = client.await_frame("settings", |frame| frame.kind == kind::SETTINGS).payload;
    let offered = |name: u16| {
        let one = settings.chunks(6).find(|one| one[..2] == name.to_be_bytes());
        one.map(|one| u32::from_be_bytes(one[2..].try_into().unwrap()))
    };
    assert_eq!(offered(setting::MAX_CONCURRENT_STREAMS), Some(7));
    assert_eq!(offered(setting::INITIAL_WINDOW_SIZE), Some(128 << 10));
    assert_eq!(offered(setting::ENABLE_CONNECT_PROTOCOL), Some(1));
    let update = client.await_frame("room", |frame| frame.kind == kind::WINDOW_UPDATE);
    assert_eq!((update.stream, update.number(0)), (0, (2 << 20) - 65_535));
    let value = "x".repeat(5000);
    let fields =
        [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("x", &*value)];
    client.send(&[Frame::headers(1, true, &fields)]);
    assert_eq!(client.answer(1).0, 431);
    let line = until("it is logged", || weir.access_log().pop());
    assert_eq!((line["version"].as_str(), line["end"].as_str()), (Some("HTTP/2.0"), Some("CR")), "{line}");
}

#[test]
fn a_client_that_does_not_get_on_with_it_is_let_go() {
    let origin = Origin::named("a");
    let weir = Weir::start(&with_listener("timeouts: { request_head: 500ms }", &[origin.address()]));
    let began = Instant::now();
    // No settings.
    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(Http2::preface());
    client.await_end();
    // A preface that does not end.
    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(&Http2::preface()[..20]);
    client.await_end();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // A head that does not end, though something comes all the time.
    let mut client = Http2::connect(weir.web());
    let began = Instant::now();
    let get = Frame::get(1, "/");
    client.send(&[Frame { flags: flags::END_STREAM, ..get }]);
    let last = Frame::new(kind::CONTINUATION, 0, 1, vec![0x10; 200]).bytes();
    for byte in last {
        if client.try_send_bytes(&[byte]).is_err() || began.elapsed() > Duration::from_secs(5) {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    client.await_end();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(counter(&weir, "timeouts"), 2, "the preface's and the head's");
}

/// A WebSocket server that sends back whatever comes.
fn echo() -> Origin {
    Origin::scripted(|peer| {
        let Some(request) = peer.request()? else { return Ok(()) };
        match request.target.as_str() {
            "/no" => return peer.send("HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno"),
            "/ok" => return peer.send(ok("no tunnel")),
            _ => {}
        }
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\nhello",
        )?;
        loop {
            let byte = peer.read(1)?;
            peer.send(byte)?;
        }
    })
}

fn connect_websocket(stream: u32, path: &str) -> Frame {
    Frame::headers(
        stream,
        false,
        &[
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", path),
            (":authority", "a"),
            ("sec-websocket-version", "13"),
        ],
    )
}

#[test]
fn a_websocket_goes_through_a_stream() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect_silent(weir.web());
    client.send_bytes(Http2::preface());
    client.send(&[Frame::settings(&[(setting::HEADER_TABLE_SIZE, 0)])]);
    let settings = client.await_frame("settings", |frame| frame.kind == kind::SETTINGS);
    let offered = settings.payload.chunks(6).any(|one| one == [0, 8, 0, 0, 0, 1]);
    assert!(offered, "extended CONNECT is offered: {settings:?}");
    client.send(&[connect_websocket(1, "/chat")]);
    let head = client.await_frame("the answer", |frame| frame.kind == kind::HEADERS);
    assert_eq!((head.status(), head.has(flags::END_STREAM)), (200, false));
    let data = |client: &mut Http2, mut left: usize| {
        let mut all = Vec::new();
        while left > 0 {
            let piece =
                client.await_frame("data", |frame| frame.kind == kind::DATA && frame.stream == 1).payload;
            left -= piece.len();
            all.extend(piece);
        }
        all
    };
    assert_eq!(data(&mut client, 5), b"hello");
    let message: Vec<u8> = (0..=255).collect();
    for _ in 0..20 {
        client.send(&[Frame::data(1, false, message.clone())]);
        assert_eq!(data(&mut client, 256), message);
        client.send(&[Frame::window_update(1, 256), Frame::window_update(0, 256)]);
    }
    // Other streams live beside it, and a reload does not touch it.
    weir.reload(&one_pool(&format!("{{ servers: [\"{}\"] }}", origin.address())));
    client.send(&[connect_websocket(3, "/no")]);
    assert_eq!(client.answer(3), (426, b"no".to_vec()));
    client.send(&[connect_websocket(5, "/ok")]);
    assert_eq!(client.answer(5).0, 502, "200 would say that there is a tunnel");
    client.send(&[Frame::data(1, false, "still")]);
    assert_eq!(data(&mut client, 5), b"still");
    client.send(&[Frame::data(1, true, "")]);
    client.await_frame("the end", |frame| {
        frame.stream == 1 && (frame.has(flags::END_STREAM) || frame.kind == kind::RST_STREAM)
    });
    let requests = origin.requests();
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.head.get("upgrade")), ("GET", Some("websocket")));
    assert_eq!(request.head.get("sec-websocket-key").map(str::len), Some(24));
    assert_eq!(request.head.get("sec-websocket-version"), Some("13"));
    let line = weir.access_line("/chat");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(101), Some("--")), "{line}");
    assert_eq!(
        (line["request_bytes"].as_u64(), line["response_bytes"].as_u64()),
        (Some(20 * 256 + 5), Some(20 * 256 + 10))
    );
    weir.admin().await_idle("web", &origin.address().to_string());
}

#[test]
fn the_end_of_a_tunnels_client_is_the_end_of_its_servers() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Http2::connect(weir.web());
    client.send(&[connect_websocket(1, "/chat")]);
    client.await_frame("the answer", |frame| frame.kind == kind::HEADERS);
    client.send(&[Frame::reset(1, reason::CANCEL)]);
    eventually("the server is let go", || origin.open_connections() == 0);
    client.assert_alive();
    until("it is logged", || weir.access_log().into_iter().find(|line| line["target"] == "/chat"));
}
