//! TLS towards servers: nginx and HAProxy, which others wrote.

use std::net::SocketAddr;

use weir_tests::{
    Authority, Client, Directory, Origin, Peer, Program, Wanted, Weir, eventually, get, installed, ok, weir,
};

/// nginx in TLS, with more of its configuration.
struct Nginx {
    _program: Program,
    address: SocketAddr,
    directory: Directory,
}

impl Nginx {
    fn start(certificate: &str, more: &str) -> Self {
        let directory = Directory::new();
        let root = directory.path().display().to_string();
        std::fs::write(directory.file("large"), vec![b'x'; 10 << 20]).unwrap();
        let address = Origin::free();
        let key = certificate.replace(".pem", ".key");
        let config = directory.write(
            "nginx.conf",
            &format!(
                "daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
                events {{ worker_connections 256; }}
                http {{
                    access_log off;
                    client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/f;
                    uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;
                    server {{
                        listen {address} ssl;
                        ssl_certificate {certificate}; ssl_certificate_key {key};
                        ssl_session_cache shared:a:1m;
                        root {root};
                        {more}
                        location /who {{
                            return 200 \"$ssl_protocol $ssl_server_name $ssl_session_reused $ssl_client_s_dn $connection $ssl_alpn_protocol\";
                        }}
                    }}
                }}"
            ),
        );
        let program = Program::serving(
            address,
            installed("nginx").args(["-p", &root, "-e", &format!("{root}/error.log"), "-c"]).arg(config),
        );
        Self { _program: program, address, directory }
    }
}

fn config(address: &str, tls: &str, more: &str) -> String {
    format!(
        "listeners: {{ web: {{ bind: \"127.0.0.1:0\", routes: [{{ pool: web }}] }} }}\n\
         pools: {{ web: {{ servers: [\"{address}\"], tls: {tls}{more} }} }}\n"
    )
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

const LOCALHOST: Wanted<'_> = Wanted {
    subject: "/CN=server",
    names: "DNS:localhost,DNS:server.test,IP:127.0.0.1",
    rsa: false,
    times: None,
};

#[test]
fn a_server_is_verified_by_its_name_or_address() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority.issue("server", LOCALHOST), "ssl_protocols TLSv1.2 TLSv1.3;");
    let port = nginx.address.port();
    let ca = authority.ca();
    for (address, tls, name) in [
        (format!("127.0.0.1:{port}"), format!("{{ ca: \"{ca}\" }}"), ""),
        (format!("localhost:{port}"), format!("{{ ca: \"{ca}\" }}"), "localhost"),
        (format!("127.0.0.1:{port}"), format!("{{ ca: \"{ca}\", server_name: server.test }}"), "server.test"),
        (format!("127.0.0.1:{port}"), "{ verify: none }".to_owned(), ""),
    ] {
        let weir = Weir::start(&config(&address, &tls, ""));
        eventually("the name is known", || get(weir.web(), "/who").status != 503);
        let response = get(weir.web(), "/who");
        assert_eq!(response.status, 200, "{tls}");
        assert!(response.text().starts_with(&format!("TLSv1.3 {name} ")), "{}", response.text());
        // Large answers, and a connection that is kept.
        let mut client = Client::connect(weir.web());
        let large = client.get("/large");
        assert!(large.body == std::fs::read(nginx.directory.file("large")).unwrap());
        let connections: Vec<_> = (0..5).map(|_| words(&client.get("/who").text()).remove(4)).collect();
        assert!(connections.windows(2).all(|pair| pair[0] == pair[1]), "{connections:?}");
    }
}

#[test]
fn a_server_that_is_not_who_it_should_be_gets_no_request() {
    let authority = Authority::new();
    let other = Authority::new();
    let nginx = Nginx::start(&authority.issue("server", LOCALHOST), "ssl_protocols TLSv1.2 TLSv1.3;");
    let plain = Origin::scripted(|peer| {
        peer.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
        peer.wait_for_end()
    });
    let address = nginx.address.to_string();
    for (address, tls, cause) in [
        (
            &address,
            format!("{{ ca: \"{}\", server_name: wrong.test }}", authority.ca()),
            "not valid for name",
        ),
        (&address, format!("{{ ca: \"{}\" }}", other.ca()), "UnknownIssuer"),
        (&plain.address().to_string(), format!("{{ ca: \"{}\" }}", authority.ca()), "no TLS with the server"),
    ] {
        let weir = Weir::start(&config(address, &tls, ", retries: { attempts: 0 }"));
        let response = get(weir.web(), "/who");
        assert_eq!(response.status, 502, "{tls}");
        let line = weir.access_line("/who");
        assert_eq!(line["end"], "SC");
        let said = line["cause"].as_str().unwrap();
        assert!(said.contains("no TLS with the server") && said.contains(cause), "{said}");
        assert_eq!(weir.admin().server("web", address)["counters"]["failures"], 1);
    }
    assert!(!String::from_utf8_lossy(&plain.received()).contains("/who"));
}

#[test]
fn the_systems_authorities_are_believed_where_none_are_named() {
    let authority = Authority::new();
    let nginx = Nginx::start(&authority.issue("server", LOCALHOST), "ssl_protocols TLSv1.2 TLSv1.3;");
    let start = |authorities: &str| {
        let directory = Directory::new();
        let text = config(&nginx.address.to_string(), "{}", "");
        let file = directory.write(
            "weir.yaml",
            &format!("version: 1\nadmin: {{ bind: \"127.0.0.1:0\" }}\nlog: {{ access: \"off\" }}\n{text}"),
        );
        let mut command = weir();
        command.env("SSL_CERT_FILE", authorities).env_remove("SSL_CERT_DIR");
        command.arg("run").arg("--config").arg(file);
        Weir::spawn(directory, command)
    };
    assert_eq!(get(start(&authority.ca()).web(), "/who").status, 200);
    assert_eq!(get(start(&Authority::new().ca()).web(), "/who").status, 502);
}

#[test]
fn our_own_certificate_is_shown_and_sessions_are_resumed() {
    let authority = Authority::new();
    let own = Wanted { subject: "/O=Weir/CN=proxy", names: "DNS:proxy", ..LOCALHOST };
    let own = authority.issue("own", own);
    let ca = authority.ca();
    for version in ["TLSv1.2", "TLSv1.3"] {
        let more = format!("ssl_protocols {version}; ssl_client_certificate {ca}; ssl_verify_client on;");
        let nginx = Nginx::start(&authority.issue("server", LOCALHOST), &more);
        let address = nginx.address.to_string();
        // No connection is kept, so each request has its handshake.
        let tls = format!("{{ ca: \"{ca}\", certificate: \"{own}\" }}");
        let weir = Weir::start(&config(&address, &tls, ", limits: { idle_connections: 0 }"));
        let mut reused = 0;
        for _ in 0..5 {
            let said = get(weir.web(), "/who").text();
            assert!(said.starts_with(version) && said.contains("CN=proxy"), "{said}");
            reused += usize::from(words(&said)[2] == "r");
        }
        assert!(reused >= 3, "{version}: {reused} of 5 resumed");

        let weir = Weir::start(&config(&address, &format!("{{ ca: \"{ca}\" }}"), ""));
        let status = get(weir.web(), "/who").status;
        assert!(matches!(status, 400 | 502), "{status}");
    }
}

#[test]
fn haproxy_in_tls_is_a_server_like_any_other() {
    let authority = Authority::new();
    let certificate = authority.issue("server", LOCALHOST);
    let both = std::fs::read_to_string(&certificate).unwrap()
        + &std::fs::read_to_string(authority.file("server.key")).unwrap();
    std::fs::write(authority.file("both.pem"), both).unwrap();
    let origin = Origin::answering(|request| ok(&format!("behind {}", request.body.len())));
    let (address, directory) = (Origin::free(), Directory::new());
    let file = directory.write(
        "haproxy.cfg",
        &format!(
            "defaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n\
             frontend f\n bind {address} ssl crt {} alpn h2,http/1.1\n default_backend b\n\
             backend b\n server s {}\n",
            authority.path("both.pem"),
            origin.address()
        ),
    );
    let _haproxy = Program::serving(address, installed("haproxy").arg("-db").arg("-f").arg(file));
    let tls = format!("{{ ca: \"{}\" }}", authority.ca());
    let weir = Weir::start(&config(&address.to_string(), &tls, ", check: { http: / , interval: 100ms }"));
    let server = address.to_string();
    weir.admin().await_health("web", &server, "up");
    let mut client = Client::connect(weir.web());
    for _ in 0..20 {
        assert_eq!(client.get("/").text(), "behind 0");
    }
    for size in [1, 16_384, 64 << 10, 10 << 20] {
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"));
        client.send(vec![b'y'; size]);
        assert_eq!(client.response().text(), format!("behind {size}"));
    }
    assert_eq!(weir.admin().server("web", &server)["counters"]["connects"], 1);
}

#[test]
fn checks_speak_tls_as_the_pool_does() {
    let authority = Authority::new();
    let other = Authority::new();
    let nginx = Nginx::start(&authority.issue("server", LOCALHOST), "location /healthz { return 204; }");
    let server = nginx.address.to_string();
    let tls = |authority: &Authority| format!("{{ ca: \"{}\" }}", authority.ca());
    let weir = Weir::start(&config(&server, &tls(&authority), ", check: { http: /healthz, interval: 50ms }"));
    weir.admin().await_health("web", &server, "up");
    let down = |check: &str, authority: &Authority, cause: &str| {
        weir.reload(&config(&server, &tls(authority), check));
        weir.admin().await_health("web", &server, "down");
        eventually(cause, || weir.admin().server("web", &server)["last_check"].to_string().contains(cause));
    };
    down(", check: { http: /healthz, interval: 50ms }", &other, "UnknownIssuer");
    down(", check: { tcp: true, interval: 60ms }", &other, "UnknownIssuer");
    // nginx answers plain HTTP on its TLS port with 400.
    down(", check: { http: /healthz, interval: 70ms, tls: false }", &authority, "status 400");
    weir.reload(&config(&server, &tls(&authority), ", check: { tcp: true, interval: 80ms }"));
    weir.admin().await_health("web", &server, "up");
}

#[test]
fn a_handshake_that_hangs_is_a_connect_timeout() {
    let silent = Origin::scripted(Peer::wait_for_end);
    let authority = Authority::new();
    let tls = format!("{{ ca: \"{}\" }}", authority.ca());
    let more = ", timeouts: { connect: 200ms }, retries: { attempts: 0 }";
    let weir = Weir::start(&config(&silent.address().to_string(), &tls, more));
    assert_eq!(get(weir.web(), "/").status, 504);
    assert_eq!(weir.access_line("/")["end"], "sC");
}

#[test]
fn an_answer_that_is_cut_is_not_taken_for_whole() {
    let authority = Authority::new();
    // Without a length and without chunks, so that only the connection's end could end it.
    let more = "location /large { chunked_transfer_encoding off; gzip on; gzip_types *; limit_rate 1k; }";
    let nginx = Nginx::start(&authority.issue("server", LOCALHOST), more);
    // Nothing that compresses to a piece.
    let noise: Vec<u8> = (0..1 << 18).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(nginx.directory.file("large"), noise).unwrap();
    let tls = format!("{{ ca: \"{}\" }}", authority.ca());
    let weir = Weir::start(&config(&nginx.address.to_string(), &tls, ""));
    let mut client = Client::connect(weir.web());
    client.send("GET /large HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    let (status, head) = client.head();
    assert_eq!((status, head.get("content-encoding")), (200, Some("gzip")), "{head:?}");
    assert_eq!(head.get("transfer-encoding"), Some("chunked"));
    client.read(100);
    drop(nginx); // killed: nobody says that this was the end
    let (rest, _) = client.read_to_end();
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"), "taken for whole");
    let line = weir.access_line("/large");
    assert_eq!(line["end"], "SD", "{line}");
}
