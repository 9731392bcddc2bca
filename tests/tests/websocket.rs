//! Upgrades: after the 101, what the two ends speak is their own affair.

use std::time::Duration;

use weir_tests::{Authority, Client, Origin, Program, Wanted, Weir, eventually, get, ok, one_pool, python};

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Switches protocols, says `hello` with the same segment, and then sends back whatever comes.
fn echo() -> Origin {
    Origin::scripted(|peer| {
        let Some(request) = peer.request()? else { return Ok(()) };
        if request.head.get("upgrade").is_none() {
            return peer.send(ok("plain"));
        }
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello",
        )?;
        loop {
            let byte = peer.read(1)?;
            peer.send(byte)?;
        }
    })
}

fn open(weir: &Weir, early: &str) -> Client {
    let mut client = Client::connect(weir.web());
    client.send(format!("{UPGRADE}{early}"));
    let (status, head) = client.head();
    assert_eq!(status, 101);
    assert_eq!(head.get("upgrade"), Some("websocket"));
    assert!(head.lists("connection", "upgrade"), "{head:?}");
    assert_eq!(head.get("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.read(5), b"hello");
    client
}

#[test]
fn a_websocket_goes_through_both_ways() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = open(&weir, "");
    let frame: Vec<u8> = (0..=255).collect();
    for _ in 0..50 {
        client.send(&frame);
        assert_eq!(client.read(256), frame);
    }
    let request = origin.request();
    assert_eq!(request.head.get("upgrade"), Some("websocket"));
    assert!(request.head.lists("connection", "upgrade"));
    assert_eq!(request.head.get("sec-websocket-version"), Some("13"));
    client.half_close();
    client.assert_closed();
    let line = weir.access_line("/chat");
    assert_eq!((line["status"].as_u64(), line["end"].as_str()), (Some(101), Some("--")), "{line}");
    assert_eq!((line["request_bytes"].as_u64(), line["response_bytes"].as_u64()), (Some(12800), Some(12805)));
    weir.admin().await_idle("web", &origin.address().to_string());
}

#[test]
fn bytes_that_come_with_the_request_are_not_lost() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = open(&weir, "early bird");
    assert_eq!(client.read(10), b"early bird");
}

#[test]
fn a_tunnel_outlives_reloads_and_counts_as_in_flight() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = open(&weir, "");
    let other = Origin::named("other");
    for n in 0..5 {
        let servers = if n % 2 == 0 { other.address() } else { origin.address() };
        weir.reload(&one_pool(&format!("{{ servers: [\"{servers}\"] }}")));
        client.send("ping");
        assert_eq!(client.read(4), b"ping");
    }
    // Nobody but this client kept the old server.
    assert_eq!(get(weir.web(), "/").text(), "other");
}

#[test]
fn a_tunnel_survives_the_removal_of_its_listener_until_the_drain_bound() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = open(&weir, "");
    weir.reload(&format!(
        "timeouts: {{ drain: 30s }}\nlisteners: {{ other: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }} \
         }}\npools: {{ web: {{ servers: [\"{}\"] }} }}\n",
        origin.address()
    ));
    client.send("ping");
    assert_eq!(client.read(4), b"ping");
}

#[test]
fn a_refused_upgrade_is_an_answer_like_any_other() {
    let origin =
        Origin::fixed(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: other\r\nConnection: upgrade\r\nContent-Length: 2\r\n\r\nno");
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        client.send(UPGRADE);
        let response = client.response();
        assert_eq!((response.status, response.text().as_str()), (426, "no"));
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn the_end_of_either_side_ends_the_tunnel() {
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")?;
        peer.read(3).map(drop)
    });
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send(UPGRADE);
    assert_eq!(client.head().0, 101);
    client.assert_quiet_for(Duration::from_millis(50));
    client.send("bye");
    client.assert_closed();

    let mut client = Client::connect(weir.web());
    client.send(UPGRADE);
    assert_eq!(client.head().0, 101);
    client.reset();
    eventually("the server is let go", || origin.open_connections() == 0);
    weir.admin().await_idle("web", &origin.address().to_string());
}

#[test]
fn the_connection_of_a_tunnel_is_never_used_again() {
    let origin = echo();
    let weir = Weir::with_servers(&[origin.address()]);
    for _ in 0..5 {
        drop(open(&weir, ""));
        assert_eq!(get(weir.web(), "/").text(), "plain");
    }
}

/// A WebSocket server that others wrote, which sends back what comes.
fn server() -> (Program, String) {
    let address = Origin::free();
    let program = Program::serving(address, python("websocket_server.py").arg(address.to_string()));
    (program, address.to_string())
}

/// Lets a WebSocket client that others wrote talk to it.
#[track_caller]
fn talk(arguments: &[&str]) {
    let output = python("websocket_client.py").args(arguments).output().expect("`make test` installs it");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_client_and_a_server_of_others_exchange_large_and_fragmented_messages() {
    let (_server, server) = server();
    let authority = Authority::new();
    let wanted = Wanted { subject: "/CN=weir", names: "IP:127.0.0.1", rsa: false, times: None };
    let certificate = authority.issue("weir", wanted);
    let weir = Weir::start(&format!(
        "listeners:\n  web: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}] }}\n  \
         secure: {{ bind: 127.0.0.1:0, routes: [{{ pool: web }}], tls: {{ certificates: \"{certificate}\" }} }}\n\
         pools: {{ web: {{ servers: [\"{server}\"] }} }}\n"
    ));
    talk(&[&format!("ws://{}/", weir.web())]);
    talk(&[&format!("wss://{}/", weir.listener("secure")), &authority.ca()]);
    weir.admin().await_idle("web", &server);
}

#[test]
fn a_websocket_goes_through_proxies_that_speak_http2_to_each_other() {
    let (_server, server) = server();
    // From HTTP/1 to HTTP/2, from there to HTTP/2 again, and back to HTTP/1.
    let last = Weir::start(&one_pool(&format!("{{ servers: [\"{server}\"] }}")));
    let middle = Weir::start(&one_pool(&format!("{{ protocol: http2, servers: [\"{}\"] }}", last.web())));
    let first = Weir::start(&one_pool(&format!("{{ protocol: http2, servers: [\"{}\"] }}", middle.web())));
    talk(&[&format!("ws://{}/", first.web())]);
    assert_eq!(last.access_line("/")["version"], "HTTP/2.0");
    assert_eq!(middle.access_line("/")["status"], 101);
    for (weir, next) in
        [(&first, middle.web().to_string()), (&middle, last.web().to_string()), (&last, server)]
    {
        weir.admin().await_idle("web", &next);
    }
}
