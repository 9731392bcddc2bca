//! The PROXY protocol, from proxies in front and to servers behind: curl, HAProxy and nginx know it too.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use weir_tests::{Authority, Client, Origin, Program, Wanted, Weir, curl, eventually, list, ok};

const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [V2, &[command, family], &length, content].concat()
}

/// A server that answers with whom it was told the request is from.
fn tells() -> Origin {
    Origin::answering(|request| ok(request.head.get("x-forwarded-for").unwrap_or("nobody")))
}

fn required(origin: &Origin) -> Weir {
    Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    proxy_protocol: required\n    trusted_proxies: [127.0.0.1]\n    timeouts: \
         {{ request_head: 500ms }}\n    routes: [pool: web]\npools: {{ web: {{ servers: {} }} }}\n",
        list(&[origin.address()])
    ))
}

fn refused(weir: &Weir) -> u64 {
    let stats = weir.admin().json("/api/v1/stats");
    stats["listeners"]["web"]["counters"]["proxy_headers_refused"].as_u64().unwrap()
}

#[test]
fn curl_sends_a_header_and_is_believed() {
    let origin = tells();
    let weir = required(&origin);
    assert_eq!(curl(&["--haproxy-protocol", &format!("http://{}/", weir.web())]), "127.0.0.1");
    assert_eq!(refused(&weir), 0);
}

#[test]
fn whom_a_header_names_is_the_client() {
    let origin = tells();
    let weir = required(&origin);
    let ipv6: Vec<u8> =
        [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[1], &[0; 15], &[2, 0x9c, 0x40, 0, 80]].concat();
    let table: &[(&[u8], &str, &str)] = &[
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 80\r\n", "192.0.2.7", "192.0.2.7:40000"),
        (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 80\r\n", "2001:db8::7", "[2001:db8::7]:40000"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1", "127.0.0.1:"),
        (
            &v2(0x21, 0x11, &[192, 0, 2, 8, 198, 51, 100, 1, 0x9c, 0x40, 0, 80]),
            "192.0.2.8",
            "192.0.2.8:40000",
        ),
        (&v2(0x21, 0x21, &ipv6), "2001:db8::1", "[2001:db8::1]:40000"),
        (&v2(0x20, 0, b""), "127.0.0.1", "127.0.0.1:"),
        (&v2(0x21, 0, b"anything"), "127.0.0.1", "127.0.0.1:"),
    ];
    for (number, (header, told, logged)) in table.iter().enumerate() {
        for slowly in [false, true] {
            let mut client = Client::connect(weir.web());
            let target = format!("/{number}/{slowly}");
            if slowly {
                client.send_slowly(header);
            } else {
                client.send(header);
            }
            // What the client says of itself is not believed: it is not a trusted proxy.
            let request = format!("GET {target} HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
            let response = client.exchange(&request).text();
            let own = told.starts_with("127.");
            assert_eq!(
                response,
                if own { format!("203.0.113.9, {told}") } else { (*told).to_owned() },
                "{number}"
            );
            let line = weir.access_line(&target);
            assert!(own || line["client"].as_str().unwrap().starts_with(logged), "{line}");
            // The header is for the connection, not for a request.
            assert!(client.get("/again").text().ends_with(told));
        }
    }
    assert_eq!(refused(&weir), 0);
}

#[test]
fn anything_else_is_closed_and_counted() {
    let origin = tells();
    let weir = required(&origin);
    let table: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\0",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1 1\n",
        b"PROXY TCP4 1.1.1.1 1.1.1.1 1 70000\r\n",
        b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
        &[b"PROXY UNKNOWN ", &[b'x'; 200][..]].concat(),
        &v2(0x22, 0x11, &[0; 12]),
        &v2(0x21, 0x11, &[0; 11]),
        &v2(0x21, 0x12, &[0; 12]),
        &v2(0x21, 0x31, &[0; 216]),
        &v2(0x21, 0x11, &[0; 5000]),
        &v2(0x21, 0x11, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0]),
        b"PROXY TCP4 1.1", // and no more
        b"\r\n\r\n\0\r\n",
    ];
    for (number, bytes) in table.iter().enumerate() {
        let mut client = Client::connect(weir.web());
        client.send(bytes);
        client.assert_closed();
        eventually("it is counted", || refused(&weir) == number as u64 + 1);
    }
    // One that says nothing at all, as probes do, is not worth a word; one that ends within its header is.
    Client::connect(weir.web()).half_close();
    let mut client = Client::connect(weir.web());
    client.send("PROXY ");
    client.half_close();
    client.assert_closed();
    eventually("it is counted", || refused(&weir) == table.len() as u64 + 1);
    // An address that is not trusted.
    let mut stranger = Client::connect_from(SocketAddr::from(([127, 0, 0, 2], 0)), weir.web());
    stranger.send("PROXY TCP4 192.0.2.7 198.51.100.1 40000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    stranger.assert_closed();
    eventually("it is counted", || refused(&weir) == table.len() as u64 + 2);
    assert_eq!(origin.connections(), 0);
    assert_eq!(weir.times_said("PROXY"), 0, "a client can fill the log");
    assert_eq!(curl(&["--haproxy-protocol", &format!("http://{}/", weir.web())]), "127.0.0.1");
}

#[test]
fn where_it_is_not_required_a_header_is_nothing_but_a_bad_request() {
    let origin = tells();
    let weir = Weir::with_servers(&[origin.address()]);
    let mut client = Client::connect(weir.web());
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 40000 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response().status, 400);
}

#[test]
fn haproxy_in_front_tells_whom_it_is_for_and_checks_in_its_own_name() {
    let origin = tells();
    let weir = required(&origin);
    for option in ["send-proxy", "send-proxy-v2"] {
        let address = Origin::free();
        let haproxy = Program::haproxy(
            &format!(
                "listen l\n  mode tcp\n  bind {address}\n  server weir {} {option} check inter 100ms\n",
                weir.web()
            ),
            address,
        );
        let mut client = Client::connect_from(SocketAddr::from(([127, 0, 0, 7], 0)), address);
        assert_eq!(client.get("/").text(), "127.0.0.7", "{option}");
        let mut client = Client::connect_from(SocketAddr::from(([127, 0, 0, 8], 0)), address);
        assert_eq!(client.get("/").text(), "127.0.0.8", "{option}");
        drop(haproxy);
    }
    // HAProxy's checks connect and close, which is not a bad header.
    assert_eq!(refused(&weir), 0);
}

/// What a server behind is told: `CLIENT:PORT LISTENER:PORT`.
fn told_by(weir: &Weir, client: &mut Client) -> (SocketAddr, SocketAddr) {
    let text = client.get("/").text();
    let (source, destination) = text.trim().split_once(' ').unwrap_or_else(|| panic!("{text:?}"));
    let told = (source.parse().unwrap(), destination.parse().unwrap());
    assert_eq!(told.1, weir.web());
    told
}

fn from(last: u8, weir: &Weir) -> Client {
    Client::connect_from(SocketAddr::from(([127, 0, 0, last], 0)), weir.web())
}

#[test]
fn nginx_and_haproxy_behind_are_told_who_the_client_is() {
    let (nginx_at, haproxy_at) = (Origin::free(), Origin::free());
    let _nginx = Program::nginx(
        &format!(
            "server {{ listen {nginx_at} proxy_protocol; location / {{ return 200 \
             \"$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port\"; }} }}"
        ),
        nginx_at,
    );
    let _haproxy = Program::haproxy(
        &format!(
            "frontend f\n  mode http\n  bind {haproxy_at} accept-proxy\n  http-request return status 200 content-type \
             text/plain lf-string \"%[src]:%[src_port] %[dst]:%[dst_port]\"\n"
        ),
        haproxy_at,
    );
    for (server, version) in [(nginx_at, "v1"), (nginx_at, "v2"), (haproxy_at, "v1"), (haproxy_at, "v2")] {
        for protocol in ["http", "tcp"] {
            let weir = Weir::start(&format!(
                "listeners: {{ web: {{ bind: 127.0.0.1:0, protocol: {protocol}, routes: [pool: web] }} }}\npools:\n  web:\n    \
                 proxy_protocol: {version}\n    servers: [\"{server}\"]\n    check: {{ http: /, interval: 50ms }}\n"
            ));
            let ip = |last| IpAddr::from([127, 0, 0, last]);
            let (mut a, mut b) = (from(7, &weir), from(8, &weir));
            let first = told_by(&weir, &mut a);
            assert_eq!(first.0.ip(), ip(7), "{version} {protocol}");
            assert_eq!(told_by(&weir, &mut b).0.ip(), ip(8));
            // A kept connection is for the client that it was opened for.
            assert_eq!(told_by(&weir, &mut a), first);
            weir.admin().await_health("web", &server.to_string(), "up");
        }
    }
}

#[test]
fn a_kept_connection_serves_nobody_else() {
    let origin = Origin::scripted(|peer| {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(peer.read(1)?);
        }
        let told = String::from_utf8_lossy(&line).into_owned();
        while peer.request()?.is_some() {
            peer.send(ok(told.split(' ').nth(2).unwrap()))?;
        }
        Ok(())
    });
    let weir = Weir::start(&format!(
        "workers: 1\n{}",
        weir_tests::one_pool(&format!("{{ proxy_protocol: v1, servers: {} }}", list(&[origin.address()])))
    ));
    let (mut a, mut b) = (from(7, &weir), from(8, &weir));
    for _ in 0..3 {
        assert_eq!(a.get("/").text(), "127.0.0.7");
        assert_eq!(b.get("/").text(), "127.0.0.8");
    }
    assert_eq!(origin.connections(), 2);
    // The same address on another port is somebody else, too.
    assert_eq!(from(7, &weir).get("/").text(), "127.0.0.7");
    assert_eq!(origin.connections(), 3);
}

#[test]
fn two_in_a_row_pass_the_first_clients_address_on() {
    let behind = Origin::free();
    let _haproxy = Program::haproxy(
        &format!(
            "frontend f\n  mode http\n  bind {behind} accept-proxy\n  http-request return status 200 content-type text/plain \
             lf-string \"%[src]:%[src_port] %[dst]:%[dst_port]\"\n"
        ),
        behind,
    );
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    protocol: tcp\n    proxy_protocol: required\n    trusted_proxies: \
         [127.0.0.1]\n    routes: [{{ match: {{ source: 192.0.2.0/24 }}, pool: web }}]\npools: {{ web: {{ proxy_protocol: v2, \
         servers: [\"{behind}\"] }} }}\n"
    ));
    let mut client = Client::connect(weir.web());
    client.send("PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n");
    assert_eq!(client.get("/").text(), "192.0.2.7:40000 198.51.100.1:443");
    client.assert_quiet_for(Duration::from_millis(10));
}

#[test]
fn a_header_before_tls_and_one_after_it_tell_all_that_is_known() {
    let authority = Authority::new();
    let certificate = authority.issue("a", Wanted { names: "DNS:a.test", ..Wanted::default() });
    let client = authority.issue("ada", Wanted { subject: "/CN=ada", ..Wanted::default() });
    let key = authority.path("ada.key");
    let origin = Origin::scripted(|peer| {
        let fixed = peer.read(16)?;
        assert_eq!(&fixed[..12], V2);
        peer.read(usize::from(u16::from_be_bytes([fixed[14], fixed[15]])))?;
        peer.request()?;
        peer.send(ok("behind TLS"))
    });
    let routes = "[{ match: { sni: a.test }, pool: web }]";
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    protocol: tcp\n    proxy_protocol: required\n    trusted_proxies: \
         [127.0.0.1]\n    tls: {{ certificates: \"{certificate}\", client_certificates: {{ mode: optional, ca: \"{}\" }} \
         }}\n    routes: {routes}\npools: {{ web: {{ proxy_protocol: v2, servers: {} }} }}\n",
        authority.ca(),
        list(&[origin.address()])
    ));
    let port = weir.web().port();
    let (resolve, url, ca) =
        (format!("a.test:{port}:127.0.0.1"), format!("https://a.test:{port}/"), authority.ca());
    let arguments = [
        "--haproxy-protocol",
        "--http1.1",
        "--resolve",
        &resolve,
        "--cacert",
        &ca,
        "--cert",
        &client,
        "--key",
        &key,
        &url,
    ];
    assert_eq!(curl(&arguments), "behind TLS");
    let received = origin.received();
    let has = |text: &[u8]| received.windows(text.len()).any(|window| window == text);
    assert_eq!(received[12..14], [0x21, 0x11]);
    assert_eq!(received[16..20], [127, 0, 0, 1]);
    assert!(has(b"\x02\0\x06a.test"), "no authority: {}", received.escape_ascii());
    assert!(has(b"\x21\0\x07TLSv1.3"), "no version: {}", received.escape_ascii());
    assert!(has(b"\x22\0\x03ada"), "no name of the client: {}", received.escape_ascii());
    assert!(has(b"\x23\0"), "no cipher: {}", received.escape_ascii());
    assert_eq!(refused(&weir), 0);
}
