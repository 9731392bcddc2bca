//! HTTP/2 towards servers: programs that other people wrote, and servers that do what no library would.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use weir_tests::frames::{DATA, END_STREAM, Frames, HEADERS, RST_STREAM};
use weir_tests::{
    Authority, Client, Directory, Origin, Program, Wanted, Weir, eventually, get, ok, one_pool,
};

const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const CANCEL: u32 = 8;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

/// One worker, so that what is shared is seen to be.
fn weir(server: SocketAddr, more: &str) -> Weir {
    Weir::start(&format!(
        "workers: 1\n{}",
        one_pool(&format!("{{ protocol: http2, servers: [\"{server}\"]{more} }}"))
    ))
}

fn counter(weir: &Weir, server: SocketAddr, name: &str) -> u64 {
    let server = weir.admin().server("web", &server.to_string());
    server["counters"][name].as_u64().unwrap_or_else(|| panic!("no {name}: {server}"))
}

/// How it ended, by the access log: status, end code and cause.
fn end(weir: &Weir, target: &str) -> (u64, String, String) {
    let line = weir.access_line(target);
    let text = |key: &str| line[key].as_str().unwrap_or("").to_owned();
    (line["status"].as_u64().unwrap(), text("end"), text("cause"))
}

/// A scripted server's every connection, from its preface on.
fn frames(
    settings: &'static [(u16, u32)],
    script: impl Fn(&mut Frames<'_>) -> std::io::Result<()> + Send + Sync + 'static,
) -> Origin {
    Origin::scripted(move |peer| script(&mut Frames::begin(peer, settings)?))
}

fn nghttpd(directory: &Directory) -> (Program, SocketAddr) {
    let address = Origin::free();
    let mut program = Command::new("nghttpd");
    program
        .args(["--no-tls", "--address", "127.0.0.1", "-d"])
        .arg(directory.path())
        .arg(address.port().to_string());
    (Program::serving(address, &mut program), address)
}

/// HAProxy with this configuration after the address where it listens, `{address}`.
fn haproxy(directory: &Directory, config: impl FnOnce(SocketAddr) -> String) -> (Program, SocketAddr) {
    let address = Origin::free();
    let file = directory.write("haproxy.cfg", &config(address));
    let mut program = Command::new("/usr/sbin/haproxy");
    program.arg("-f").arg(file);
    (Program::serving(address, &mut program), address)
}

/// HAProxy that takes HTTP/2 and passes it on to `origin` in HTTP/1.1.
fn haproxy_before(directory: &Directory, origin: SocketAddr) -> (Program, SocketAddr) {
    haproxy(directory, |address| {
        format!(
            "defaults\n mode http\n timeout client 20s\n timeout server 20s\n timeout connect 5s\n timeout tunnel 20s\n\
             frontend f\n bind {address} proto h2\n default_backend b\nbackend b\n server s {origin}\n"
        )
    })
}

#[test]
fn nghttpd_serves_many_requests_over_few_connections() {
    let directory = Directory::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n ^ n >> 8) as u8).collect();
    std::fs::write(directory.file("large"), &large).unwrap();
    std::fs::write(directory.file("small"), "small").unwrap();
    let (_nghttpd, address) = nghttpd(&directory);
    let weir = weir(address, ", check: { http: /small, interval: 100ms }");
    weir.admin().await_health("web", &address.to_string(), "up");
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let (web, large) = (weir.web(), large.clone());
            thread::spawn(move || {
                let mut client = Client::connect(web);
                for _ in 0..20 {
                    assert_eq!(client.get("/small").text(), "small");
                }
                assert!(client.get("/large").body == large);
                assert_eq!(client.get("/none").status, 404);
                client.send("HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_eq!(client.response_to("HEAD").field("content-length"), Some("3000000"));
                let echoed =
                    client.exchange("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
                assert_eq!(echoed.status, 200);
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(counter(&weir, address, "exchanges"), 20 * 24);
    assert_eq!(counter(&weir, address, "failures"), 0);
    assert_eq!(counter(&weir, address, "connects"), 1, "twenty clients fit on one connection");
    assert_eq!(counter(&weir, address, "reuses"), 20 * 24 - 1);
}

#[test]
fn nginx_that_often_closes_its_connections_loses_no_request() {
    let address = Origin::free();
    let server = format!(
        "server {{ listen {address} http2; keepalive_requests 20; location / {{ return 200 \"$connection\"; }} }}"
    );
    let _nginx = Program::nginx(&server, address);
    let weir = weir(address, "");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let web = weir.web();
            thread::spawn(move || {
                let mut client = Client::connect(web);
                for _ in 0..100 {
                    assert_eq!(client.get("/").status, 200);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let connects = counter(&weir, address, "connects");
    assert!((40..=100).contains(&connects), "{connects} connections for 800 requests, 20 on each");
}

#[test]
fn nginx_speaks_http2_in_tls() {
    let authority = Authority::new();
    let certificate = authority
        .issue("server", Wanted { subject: "/CN=server", names: "IP:127.0.0.1", rsa: false, times: None });
    let key = certificate.replace(".pem", ".key");
    let address = Origin::free();
    let _nginx = Program::nginx(
        &format!(
            "server {{ listen {address} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};
             location / {{ return 200 \"$server_protocol $scheme $ssl_alpn_protocol $http_host\"; }} }}"
        ),
        address,
    );
    let tls = format!(
        ", tls: {{ ca: \"{}\" }}, check: {{ http: {{ path: /, body_contains: HTTP/2.0 }}, interval: 100ms }}",
        authority.ca()
    );
    let weir = weir(address, &tls);
    weir.admin().await_health("web", &address.to_string(), "up");
    let mut client = Client::connect(weir.web());
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "HTTP/2.0 https h2 test");
    }
    assert_eq!(counter(&weir, address, "connects"), 1);
}

#[test]
fn a_client_that_breaks_off_its_request_is_not_the_servers_fault() {
    let origin = frames(&[], |frames| {
        let mut resets = 0;
        loop {
            let frame = frames.read()?;
            match frame.kind {
                RST_STREAM => {
                    resets += 1;
                    let request =
                        weir_tests::Request { method: format!("reset {resets}"), ..Default::default() };
                    frames.peer.keep(&request);
                }
                HEADERS if frame.stream > 1 => frames.head(frame.stream, Some(200), &[], 0)?,
                _ => {}
            }
        }
    });
    let weir = weir(origin.address(), "");
    let request = |target: &str| {
        format!("PUT {target} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    };
    let mut client = Client::connect(weir.web());
    client.send(request("/before") + "not a chunk\r\n");
    assert_eq!(client.response().status, 400);
    assert_eq!(end(&weir, "/before").1, "CR");
    let mut client = Client::connect(weir.web());
    client.send(request("/after"));
    assert_eq!(client.head().0, 200);
    drop(client);
    assert_eq!(end(&weir, "/after").1, "CD");
    eventually("the server is told", || origin.requests().len() == 2);
    assert_eq!(counter(&weir, origin.address(), "failures"), 0);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_request_comes_through_haproxy_as_it_was() {
    let origin = Origin::answering(|request| {
        if request.target.starts_with("/trailers") {
            return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 6\r\n\
                    x-forwarded-for: 192.0.2.1\r\n\r\n"
                .to_owned();
        }
        ok("answer")
    });
    let directory = Directory::new();
    let (_haproxy, address) = haproxy_before(&directory, origin.address());
    let weir = weir(address, "");
    let mut client = Client::connect(weir.web());
    let answer = client.exchange(
        "POST /a/b?c=d HTTP/1.1\r\nHost: Shop.Example:81\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\
         Cookie: a=1; b=2\r\nX-Two: 1\r\nX-Two: 2\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "answer"));
    let request = origin.request();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/a/b?c=d"));
    assert_eq!(request.body, b"hello");
    assert_eq!(request.trailers, [("x-t".to_owned(), "1".to_owned())]);
    let head = &request.head;
    assert_eq!(head.get("host"), Some("Shop.Example:81"));
    assert_eq!(head.get("cookie"), Some("a=1; b=2"));
    assert_eq!(head.get("x-forwarded-for"), Some("127.0.0.1"));
    assert!(head.get("x-hop").is_none() && head.get("connection").is_none(), "{head:?}");

    let answer = client.get("/trailers");
    assert_eq!(answer.body, b"abc");
    assert_eq!(answer.trailers, [("x-sum".to_owned(), "6".to_owned())], "a proxy's field is no trailer");

    let large: String = "0123456789".repeat(300_000);
    let answer = client.exchange(&format!(
        "PUT /large HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{large}",
        large.len()
    ));
    assert_eq!(answer.status, 200);
    assert!(origin.requests().last().unwrap().body == large.as_bytes());
    assert_eq!(client.exchange("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").status, 200);
    assert_eq!(origin.requests().last().unwrap().target, "*");
}

#[test]
fn a_websocket_goes_through_haproxys_extended_connect() {
    let origin = Origin::scripted(|peer| {
        let Some(request) = peer.request()? else { return Ok(()) };
        peer.keep(&request);
        peer.send(format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {}\r\n\r\n\
             hello",
            accept(request.head.get("sec-websocket-key").unwrap_or_default())
        ))?;
        loop {
            let byte = peer.read(1)?;
            peer.send(byte)?;
        }
    });
    let directory = Directory::new();
    let (_haproxy, address) = haproxy_before(&directory, origin.address());
    let weir = weir(address, "");
    let mut client = Client::connect(weir.web());
    client.send(WEBSOCKET);
    let (status, head) = client.head();
    assert_eq!(status, 101, "{head:?}");
    assert_eq!(head.get("upgrade"), Some("websocket"));
    assert!(head.lists("connection", "upgrade"));
    assert_eq!(head.get("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.read(5), b"hello");
    for length in [1, 100, 100_000] {
        let bytes = vec![b'x'; length];
        client.send(&bytes);
        assert_eq!(client.read(length), bytes);
    }
    client.half_close();
    client.assert_closed();
    let line = weir.access_line("/chat");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(101), Some("--")), "{line}");
    weir.admin().await_idle("web", &address.to_string());
}

const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// `Sec-WebSocket-Accept`, by openssl.
fn accept(key: &str) -> String {
    let script =
        format!("printf %s '{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11' | openssl sha1 -binary | base64");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_websocket_to_a_server_without_extended_connect_is_refused_and_another_upgrade_is_left_out() {
    let origin = frames(&[], |frames| {
        loop {
            let stream = frames.request()?;
            frames.answer(stream, "plain")?;
        }
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    assert_eq!(client.exchange(WEBSOCKET).status, 502);
    let (_, code, cause) = end(&weir, "/chat");
    assert_eq!(code, "SH");
    assert!(cause.contains("ENABLE_CONNECT_PROTOCOL"), "{cause}");
    let other = "GET /other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: irc\r\n\r\n";
    assert_eq!(client.exchange(other).text(), "plain");
}

#[test]
fn a_refused_websocket_is_an_answer_like_any_other() {
    let origin = frames(&[(ENABLE_CONNECT_PROTOCOL, 1)], |frames| {
        loop {
            let stream = frames.request()?;
            frames.head(stream, Some(403), &[("content-length", "2")], 0)?;
            frames.send(DATA, END_STREAM, stream, b"no")?;
        }
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        let answer = client.exchange(WEBSOCKET);
        assert_eq!((answer.status, answer.text().as_str()), (403, "no"));
    }
}

#[test]
fn a_go_away_loses_no_request() {
    // The first connection serves its first request, and says of the second that it will not.
    let origin = frames(&[], |frames| {
        if frames.peer.connection > 0 {
            loop {
                let stream = frames.request()?;
                frames.answer(stream, "second connection")?;
            }
        }
        let first = frames.request()?;
        let _second = frames.request()?;
        frames.go_away(first, NO_ERROR)?;
        frames.answer(first, "first connection")?;
        frames.read().map(drop)
    });
    let weir = weir(origin.address(), "");
    let web = weir.web();
    let first = thread::spawn(move || get(web, "/first").text());
    eventually("the first request is there", || counter(&weir, origin.address(), "exchanges") == 1);
    let mut client = Client::connect(web);
    let post = "POST /second HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(client.exchange(post).text(), "second connection", "also what is not safe to repeat");
    assert_eq!(first.join().unwrap(), "first connection");
    assert_eq!(weir.access_line("/second")["retries"], Value::from(1));
    assert_eq!(client.get("/third").text(), "second connection");
    assert_eq!(counter(&weir, origin.address(), "failures"), 0, "that was no failure");
}

#[test]
fn a_refused_stream_is_sent_again() {
    let seen = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&seen);
    let origin = frames(&[], move |frames| {
        loop {
            let stream = frames.request()?;
            if count.fetch_add(1, Ordering::SeqCst) == 0 {
                frames.reset(stream, REFUSED_STREAM)?;
            } else {
                frames.answer(stream, "now")?;
            }
        }
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    assert_eq!(client.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").text(), "now");
    assert_eq!(seen.load(Ordering::SeqCst), 2);
    assert_eq!(origin.connections(), 1, "the connection is as good as before");
}

#[test]
fn a_server_that_allows_one_stream_is_asked_one_thing_at_a_time() {
    let origin = frames(&[(MAX_CONCURRENT_STREAMS, 1)], |frames| {
        loop {
            let stream = frames.request()?;
            let more = frames.peer.anything_within(Duration::from_millis(20))?;
            frames.answer(stream, if more { "two at once" } else { "one" })?;
        }
    });
    let weir = weir(origin.address(), ", http2: { connections: 3 }");
    let threads: Vec<_> = (0..12)
        .map(|_| {
            let web = weir.web();
            thread::spawn(move || get(web, "/").text())
        })
        .collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), "one"));
    assert!((2..=3).contains(&origin.connections()), "{} connections", origin.connections());
}

#[test]
fn a_client_that_does_not_read_slows_nobody_else_on_its_connection() {
    let directory = Directory::new();
    std::fs::write(directory.file("large"), vec![b'x'; 20 << 20]).unwrap();
    std::fs::write(directory.file("medium"), vec![b'y'; 200_000]).unwrap();
    let (_nghttpd, address) = nghttpd(&directory);
    let weir = weir(address, "");
    let mut slow: Vec<_> = (0..8).map(|_| Client::connect_with_small_window(weir.web())).collect();
    for client in &mut slow {
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().0, 200);
    }
    let memory = weir.memory_bytes();
    for _ in 0..50 {
        assert_eq!(get(weir.web(), "/medium").body.len(), 200_000);
    }
    assert_eq!(counter(&weir, address, "connects"), 1);
    let grown = weir.memory_bytes().saturating_sub(memory);
    assert!(grown < 8 << 20, "stalled answers took {grown} bytes");
    slow[0].skip(20 << 20);
}

#[test]
fn a_server_that_takes_no_body_stops_its_client_and_nobody_else() {
    let origin = frames(&[(INITIAL_WINDOW_SIZE, 0)], |frames| {
        loop {
            let frame = frames.read()?;
            if frame.kind == HEADERS && frame.flags & END_STREAM != 0 {
                frames.answer(frame.stream, "fine")?;
            }
        }
    });
    let weir = weir(origin.address(), ", timeouts: { body_idle: 1s }");
    let mut stuck = Client::connect(weir.web());
    stuck.send("PUT /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    stuck.send(vec![b'x'; 100_000]);
    assert_eq!(get(weir.web(), "/other").text(), "fine");
    assert_eq!(stuck.response().status, 504);
    let (_, code, _) = end(&weir, "/stuck");
    assert_eq!(code, "sR");
}

#[test]
fn an_answer_before_the_requests_end_is_whole() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.answer(stream, "enough")?;
        frames.reset(stream, NO_ERROR)?; // RFC 9113 section 8.1
        let other = frames.request()?;
        frames.answer(other, "other")?;
        frames.read().map(drop)
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    client.send("PUT /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    assert_eq!(client.response().text(), "enough");
    assert_eq!(get(weir.web(), "/").text(), "other");
    assert_eq!(origin.connections(), 1);
    assert_eq!(counter(&weir, origin.address(), "failures"), 0);
}

#[test]
fn resets_end_their_own_exchange_only() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.reset(stream, INTERNAL_ERROR)?;
        let stream = frames.request()?;
        frames.head(stream, Some(200), &[], 0)?;
        frames.send(DATA, 0, stream, b"half")?;
        frames.reset(stream, INTERNAL_ERROR)?;
        let stream = frames.request()?;
        // Not whole without END_STREAM, whatever the reset says.
        frames.head(stream, Some(200), &[], 0)?;
        frames.send(DATA, 0, stream, b"half")?;
        frames.reset(stream, NO_ERROR)?;
        let stream = frames.request()?;
        frames.answer(stream, "good")?;
        frames.read().map(drop)
    });
    let weir = weir(origin.address(), ", retries: { attempts: 0 }");
    assert_eq!(get(weir.web(), "/reset").status, 502);
    let (status, code, cause) = end(&weir, "/reset");
    assert_eq!((status, code.as_str()), (502, "SH"));
    assert!(cause.contains("reset"), "{cause}");
    for target in ["/half", "/half-without-error"] {
        let mut client = Client::connect(weir.web());
        client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(client.try_response_to("GET").is_err(), "half an answer is none");
        let (status, code, _) = end(&weir, target);
        assert_eq!((status, code.as_str()), (200, "SD"));
    }
    assert_eq!(get(weir.web(), "/good").text(), "good");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn what_is_not_sound_http2_is_a_bad_gateway() {
    type Unsound = fn(&mut Frames<'_>, u32) -> std::io::Result<()>;
    let cases: [(&str, Unsound); 8] = [
        ("data on stream 0", |frames, _| frames.send(DATA, 0, 0, b"x")),
        ("a frame that is too large", |frames, stream| frames.send(DATA, 0, stream, &[0; 20_000])),
        ("a field of the connection", |frames, stream| {
            frames.head(stream, Some(200), &[("transfer-encoding", "chunked")], END_STREAM)
        }),
        ("no status", |frames, stream| frames.head(stream, None, &[("a", "b")], END_STREAM)),
        ("data before a head", |frames, stream| frames.send(DATA, END_STREAM, stream, b"x")),
        ("lengths that differ", |frames, stream| {
            frames.head(stream, Some(200), &[("content-length", "1"), ("content-length", "2")], 0)
        }),
        ("a switch of protocols", |frames, stream| frames.head(stream, Some(101), &[], 0)),
        ("a head that is no HPACK", |frames, stream| frames.send(HEADERS, 4, stream, &[0xff; 100])),
    ];
    for (what, unsound) in cases {
        let origin = frames(&[], move |frames| {
            let stream = frames.request()?;
            unsound(frames, stream)?;
            frames.peer.wait_for_end()
        });
        let weir = weir(origin.address(), "");
        assert_eq!(get(weir.web(), "/").status, 502, "{what}");
        let (_, code, cause) = end(&weir, "/");
        assert_eq!(code, "SH", "{what}: {cause}");
        assert_eq!(counter(&weir, origin.address(), "exchanges"), 1, "{what} is not asked again");
    }
}

#[test]
fn a_body_that_is_not_as_long_as_its_head_says_is_no_answer() {
    let origin = frames(&[], |frames| {
        loop {
            let stream = frames.request()?;
            frames.head(stream, Some(200), &[("content-length", "5")], 0)?;
            frames.send(DATA, END_STREAM, stream, b"abc")?;
        }
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_response_to("GET").is_err());
}

#[test]
fn limits_hold_for_an_answers_head() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.head(stream, Some(200), &[("a", "b"); 20], END_STREAM)?;
        let stream = frames.request()?;
        let long = "x".repeat(120);
        frames.head(stream, Some(200), &[("a", long.as_str()); 12], END_STREAM)?;
        frames.read().map(drop)
    });
    let weir = weir(origin.address(), ", limits: { response_fields: 16, response_head: 1KiB }");
    assert_eq!(get(weir.web(), "/fields").status, 502);
    assert!(end(&weir, "/fields").2.contains("more fields"), "{:?}", end(&weir, "/fields"));
    assert_eq!(get(weir.web(), "/bytes").status, 502);
}

#[test]
fn many_small_pieces_that_nobody_reads_end_no_connection() {
    let origin = frames(&[], |frames| {
        loop {
            let stream = frames.request()?;
            if stream > 3 {
                frames.answer(stream, "fine")?;
                continue;
            }
            frames.head(stream, Some(200), &[], 0)?;
            // All of the window, ten bytes at a time.
            let piece = [&[0, 0, 10, DATA, 0][..], &stream.to_be_bytes(), b"0123456789"].concat();
            frames.peer.send(piece.repeat(6500))?;
        }
    });
    let weir = weir(origin.address(), ", http2: { streams: 10 }");
    let mut slow: Vec<_> = (0..2).map(|_| Client::connect_with_small_window(weir.web())).collect();
    for client in &mut slow {
        client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.head().0, 200);
    }
    for _ in 0..10 {
        assert_eq!(get(weir.web(), "/").text(), "fine");
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_server_that_allows_no_stream_is_no_connection() {
    let origin = frames(&[(MAX_CONCURRENT_STREAMS, 0)], |frames| frames.read().map(drop));
    let weir = weir(origin.address(), ", retries: { attempts: 0 }");
    assert_eq!(get(weir.web(), "/").status, 502);
    assert!(end(&weir, "/").2.contains("allows no stream"), "{:?}", end(&weir, "/"));
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_server_that_speaks_http_1_is_no_connection() {
    let origin = Origin::scripted(|peer| {
        peer.read(10)?;
        peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        peer.wait_for_end()
    });
    let weir = weir(origin.address(), "");
    assert_eq!(get(weir.web(), "/").status, 502);
    let (_, code, cause) = end(&weir, "/");
    assert_eq!(code, "SC");
    assert!(cause.contains("no sound HTTP/2"), "{cause}");
}

#[test]
fn a_server_that_says_nothing_is_no_connection() {
    let origin = Origin::silent();
    let weir = weir(origin.address(), ", timeouts: { connect: 300ms }, retries: { attempts: 0 }");
    let threads: Vec<_> = (0..5)
        .map(|_| {
            let web = weir.web();
            thread::spawn(move || get(web, "/").status)
        })
        .collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 504));
    assert_eq!(end(&weir, "/").1, "sC");
    assert!(origin.connections() <= 2, "they waited for the same connection");
}

#[test]
fn a_slow_answer_ends_in_time_and_later_requests_go_elsewhere() {
    let origin = frames(&[], |frames| {
        if frames.peer.connection > 0 {
            let stream = frames.request()?;
            frames.answer(stream, "new")?;
            return frames.read().map(drop);
        }
        let stream = frames.request()?;
        loop {
            let frame = frames.read()?;
            if frame.kind == RST_STREAM {
                assert_eq!((frame.stream, &frame.payload[..]), (stream, &CANCEL.to_be_bytes()[..]));
                frames.peer.keep(&weir_tests::Request { method: "reset".into(), ..Default::default() });
            }
        }
    });
    let weir = weir(origin.address(), ", timeouts: { response: 300ms }");
    assert_eq!(get(weir.web(), "/slow").status, 504);
    assert_eq!(end(&weir, "/slow").1, "sH");
    eventually("the server is told", || !origin.requests().is_empty());
    assert_eq!(get(weir.web(), "/next").text(), "new", "the connection may be dead");
}

#[test]
fn a_client_that_goes_cancels_its_stream() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.head(stream, Some(200), &[], 0)?;
        frames.send(DATA, 0, stream, b"begin")?;
        loop {
            let frame = frames.read()?;
            if frame.kind == RST_STREAM {
                frames.peer.keep(&weir_tests::Request { method: "reset".into(), ..Default::default() });
            } else if frame.kind == HEADERS {
                frames.answer(frame.stream, "after")?;
            }
        }
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.head().0, 200);
    drop(client);
    eventually("the server is told", || !origin.requests().is_empty());
    weir.admin().await_idle("web", &origin.address().to_string());
    assert_eq!(get(weir.web(), "/").text(), "after");
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_connection_that_the_server_closed_is_not_used_again() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.answer(stream, "once")?;
        // Closing with something unread would be a reset, and cost the answer; and Weir has to know that it's closed.
        if frames.peer.connection % 2 == 0 {
            frames.peer.half_close()?;
        } else {
            frames.go_away(stream, NO_ERROR)?;
        }
        frames.peer.wait_for_end()
    });
    let weir = weir(origin.address(), "");
    for n in 0..6 {
        assert_eq!(get(weir.web(), "/").text(), "once");
        eventually("it is closed", || origin.open_connections() == 0 && origin.connections() == n + 1);
    }
    assert_eq!(counter(&weir, origin.address(), "failures"), 0);
}

#[test]
fn idle_connections_are_closed_in_order() {
    let origin = frames(&[], |frames| {
        loop {
            let stream = frames.request()?;
            frames.answer(stream, "good")?;
        }
    });
    let weir = weir(origin.address(), ", timeouts: { keep_alive: 200ms }");
    assert_eq!(get(weir.web(), "/").text(), "good");
    assert_eq!(origin.open_connections(), 1);
    eventually("it is closed", || origin.open_connections() == 0);
    assert_eq!(get(weir.web(), "/").text(), "good");
}

#[test]
fn interim_answers_come_through_and_are_bounded() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        frames.head(stream, Some(103), &[("link", "</a.css>")], 0)?;
        frames.answer(stream, "final")?;
        let stream = frames.request()?;
        for _ in 0..20 {
            frames.head(stream, Some(103), &[("link", "</a.css>")], 0)?;
        }
        frames.peer.wait_for_end()
    });
    let weir = weir(origin.address(), "");
    let mut client = Client::connect(weir.web());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!((status, head.get("link")), (103, Some("</a.css>")));
    assert_eq!(client.response().text(), "final");
    client.send("GET /many HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut statuses = Vec::new();
    while statuses.last().is_none_or(|&status| status == 103) {
        statuses.push(client.head().0);
    }
    assert_eq!(statuses.last(), Some(&502));
}

#[test]
fn a_body_waits_for_100_continue() {
    let origin = frames(&[], |frames| {
        let stream = frames.request()?;
        let early = frames.peer.anything_within(Duration::from_millis(100))?;
        frames.head(stream, Some(100), &[], 0)?;
        let data = frames.read()?;
        frames.answer(stream, if early || data.payload != b"abc" { "early" } else { "in time" })?;
        frames.read().map(drop)
    });
    let weir = weir(origin.address(), ", timeouts: { continue_wait: 10s }");
    let mut client = Client::connect(weir.web());
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.head().0, 100);
    client.send("abc");
    assert_eq!(client.response().text(), "in time");
}

#[test]
fn a_reload_keeps_connections_and_a_change_of_protocol_does_not() {
    let origin = Origin::named("one");
    let directory = Directory::new();
    let (_haproxy, address) = haproxy_before(&directory, origin.address());
    let weir = weir(address, "");
    assert_eq!(get(weir.web(), "/").text(), "one");
    let pool = |more: &str| {
        format!("workers: 1\n{}", one_pool(&format!("{{ protocol: http2, servers: [\"{address}\"]{more} }}")))
    };
    weir.reload(&pool(", http2: { streams: 7 }"));
    assert_eq!(get(weir.web(), "/").text(), "one");
    assert_eq!(counter(&weir, address, "connects"), 1);
    weir.reload(&one_pool(&format!("{{ servers: [\"{}\"] }}", origin.address())));
    assert_eq!(get(weir.web(), "/").text(), "one");
}
