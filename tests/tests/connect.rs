//! CONNECT: a tunnel to where the client says, through a server that opens such, by a route that names the method.

use std::process::{Command, Stdio};

use weir_tests::{Client, Frame, Http2, Origin, Weir, curl, ok, one_pool, try_curl};

/// A forward proxy that opens no connection: in the tunnel it answers itself, saying what it was asked for.
fn proxy() -> Origin {
    Origin::scripted(|peer| {
        let Some(asked) = peer.request()? else { return Ok(()) };
        if asked.method != "CONNECT" {
            return peer.send(ok("no tunnel"));
        }
        if asked.target.starts_with("forbidden") {
            peer.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")?;
            return peer.request().map(drop);
        }
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n")?; // which means nothing here
        while let Some(inner) = peer.request()? {
            peer.send(ok(&format!(
                "{} for {} {}",
                inner.target,
                asked.target,
                asked.head.get("host").unwrap()
            )))?;
        }
        Ok(())
    })
}

const ROUTES: &str = "[{ match: { method: CONNECT }, pool: web }]";

fn weir(pool: &str) -> Weir {
    Weir::start(&format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, routes: {ROUTES} }} }}\npools: {{ web: {pool} }}\n"
    ))
}

fn through(weir: &Weir, url: &str, more: &[&str]) -> Vec<String> {
    let proxy = format!("http://{}", weir.web());
    let mut arguments = vec!["--proxytunnel".to_owned(), "--proxy".to_owned(), proxy, url.to_owned()];
    arguments.extend(more.iter().map(|&more| more.to_owned()));
    arguments
}

fn curl_through(weir: &Weir, url: &str) -> String {
    let arguments = through(weir, url, &[]);
    curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn curl_and_socat_reach_what_the_server_opens() {
    let proxy = proxy();
    let weir = weir(&format!("{{ servers: [\"{}\"] }}", proxy.address()));
    assert_eq!(curl_through(&weir, "http://a.test:81/x"), "/x for a.test:81 a.test:81");
    let line = weir.access_line("a.test:81");
    assert_eq!((line["method"].as_str(), line["status"].as_u64()), (Some("CONNECT"), Some(200)), "{line}");
    let mut socat = Command::new("/usr/bin/socat");
    let to = format!("PROXY:127.0.0.1:b.test:82,proxyport={}", weir.web().port());
    let socat = socat.args(["-t", "5", "-", &to]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut socat = socat.expect("socat is installed; `make test` does");
    let input = "GET /y HTTP/1.1\r\nHost: b.test\r\n\r\n";
    std::io::Write::write_all(socat.stdin.as_mut().unwrap(), input.as_bytes()).unwrap();
    let said = socat.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&said.stdout).ends_with("/y for b.test:82 b.test:82"), "{said:?}");
    weir.admin().await_idle("web", &proxy.address().to_string());
}

#[test]
fn a_refused_connect_is_an_answer_and_its_connection_is_nobody_elses() {
    let proxy = proxy();
    let weir = weir(&format!("{{ servers: [\"{}\"] }}", proxy.address()));
    let mut client = Client::connect(weir.web());
    for _ in 0..2 {
        let refused = client.exchange("CONNECT forbidden:1 HTTP/1.1\r\nHost: forbidden:1\r\n\r\n");
        assert_eq!((refused.status, refused.text().as_str()), (403, "no"));
    }
    assert_eq!(proxy.connections(), 2);
}

#[test]
fn only_a_route_that_names_it_takes_a_connect() {
    let proxy = proxy();
    let weir = Weir::with_servers(&[proxy.address()]);
    let arguments = through(&weir, "http://a.test/", &["--write-out", "%{http_connect}"]);
    let output = try_curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "405");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn a_tunnel_goes_through_http2_on_either_side() {
    let proxy = proxy();
    let last = weir(&format!("{{ servers: [\"{}\"] }}", proxy.address()));
    let middle = weir(&format!("{{ protocol: http2, servers: [\"{}\"] }}", last.web()));
    let first = weir(&format!("{{ protocol: http2, servers: [\"{}\"] }}", middle.web()));
    assert_eq!(curl_through(&first, "http://a.test:81/x"), "/x for a.test:81 a.test:81");
    assert_eq!(middle.access_line("a.test:81")["version"], "HTTP/2.0");
    for weir in [&first, &middle] {
        let arguments = through(weir, "http://forbidden:1/", &["--write-out", "%{http_connect}"]);
        let output = try_curl(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(String::from_utf8_lossy(&output.stdout), "403");
    }
    // A server that knows only requests is asked for no tunnel.
    let plain = Origin::named("a");
    let weir = Weir::start(&one_pool(&format!("{{ servers: [\"{}\"] }}", plain.address())));
    let mut client = Http2::connect(weir.web());
    client.send(&[Frame::headers(1, true, &[(":method", "CONNECT"), (":authority", "a:443")])]);
    assert_eq!(client.answer(1).0, 405);
    assert_eq!(plain.connections(), 0);
}
