//! TLS towards clients: real ones, and hostile ones that are written by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_tests::{
    Authority, Client, Origin, Program, Wanted, Weir, curl, eventually, get, list, ok, openssl, try_curl,
};

/// What `openssl s_client` says to `input` sent to `address`, whether it succeeds or not.
fn s_client(address: SocketAddr, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("openssl")
        .args(["s_client", "-connect", &address.to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed; `make test` does");
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes()); // it may be gone
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

const ASK: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";

/// A listener with this TLS in front of these servers.
fn config(tls: &str, servers: &[SocketAddr]) -> String {
    format!(
        "listeners:\n  web: {{ bind: \"127.0.0.1:0\", tls: {tls}, routes: [{{ pool: web }}] }}\n\
         pools: {{ web: {{ servers: {} }} }}\n",
        list(servers)
    )
}

/// curl's arguments to reach `web` under the name `host`, and the address.
struct Reach {
    resolve: String,
    url: String,
    ca: String,
}

impl Reach {
    fn new(authority: &Authority, web: SocketAddr, host: &str) -> Self {
        let port = web.port();
        Self {
            resolve: format!("{host}:{port}:127.0.0.1"),
            url: format!("https://{host}:{port}"),
            ca: authority.ca(),
        }
    }

    fn all<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["--resolve", &self.resolve, "--cacert", &self.ca];
        arguments.extend(more);
        arguments
    }

    #[track_caller]
    fn curl(&self, path: &str, more: &[&str]) -> String {
        let url = format!("{}{path}", self.url);
        let mut more = more.to_vec();
        more.push(&url);
        curl(&self.all(&more))
    }

    fn fails(&self, more: &[&str]) -> String {
        let mut more = more.to_vec();
        more.push(&self.url);
        let output = try_curl(&self.all(&more));
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stderr).into_owned()
    }
}

/// A counter of the listener `web`.
fn counter(weir: &Weir, name: &str) -> u64 {
    let metrics = weir.admin().get("/metrics").text();
    let series = format!("weir_listener_{name}_total{{listener=\"web\"}} ");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

fn a_test() -> Wanted<'static> {
    Wanted { subject: "/CN=a.test", names: "DNS:a.test,DNS:*.wild.test", ..Wanted::default() }
}

#[test]
fn both_versions_are_spoken_unless_one_is_too_old() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::answering(|request| {
        ok(&format!("{:?} {:?}", request.head.get("x-forwarded-proto"), request.head.get("forwarded")))
    });
    let tls =
        |more: &str| config(&format!("{{ certificates: \"{certificate}\"{more} }}"), &[origin.address()]);
    let weir = Weir::start(&tls(""));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    assert_eq!(reach.curl("/1.3", &["--tlsv1.3"]), "Some(\"https\") None");
    assert_eq!(reach.curl("/1.2", &["--tls-max", "1.2"]), "Some(\"https\") None");
    for (target, version) in [("/1.3", "TLSv1.3"), ("/1.2", "TLSv1.2")] {
        let line = weir.access_line(target);
        assert_eq!(line["tls_version"], version);
        assert!(line["tls_cipher"].as_str().unwrap().starts_with("TLS_"), "{line}");
    }
    assert_eq!((counter(&weir, "tls_handshakes"), counter(&weir, "tls_incompatible")), (2, 0));

    weir.reload(&tls(", min_version: \"1.3\""));
    reach.curl("/", &["--tlsv1.3"]);
    assert!(reach.fails(&["--tls-max", "1.2"]).contains("protocol version"));
    assert_eq!(counter(&weir, "tls_incompatible"), 1);
}

#[test]
fn a_certificate_is_chosen_by_the_name_that_the_client_asks_for() {
    let authority = Authority::new();
    let a = authority.issue("a", a_test());
    let b = authority
        .issue("b", Wanted { subject: "/CN=b.test", names: "DNS:b.test,DNS:x.wild.test", ..a_test() });
    let weir = Weir::start(&config(&format!("{{ certificates: [\"{a}\", \"{b}\"] }}"), &[Origin::free()]));
    let shown = |web: SocketAddr, arguments: &[&str]| {
        let said = s_client(web, arguments, "");
        let subject = said.lines().find_map(|line| line.strip_prefix("subject=CN = "));
        subject.map(str::to_owned).ok_or(said)
    };
    for (name, expected) in [
        ("a.test", "a.test"),
        ("A.Test", "a.test"),
        ("b.test", "b.test"),
        ("y.wild.test", "a.test"),
        ("x.wild.test", "b.test"),   // exact before wildcard
        ("z.y.wild.test", "a.test"), // one part only: the default
        ("other.test", "a.test"),
    ] {
        assert_eq!(shown(weir.web(), &["-servername", name]).as_deref(), Ok(expected), "{name}");
    }
    assert_eq!(shown(weir.web(), &["-noservername"]).as_deref(), Ok("a.test"));

    let strict = format!("{{ certificates: [\"{b}\", \"{a}\"], strict_sni: true }}");
    weir.reload(&config(&strict, &[Origin::free()]));
    assert_eq!(shown(weir.web(), &["-servername", "a.test"]).as_deref(), Ok("a.test"));
    for arguments in
        [&["-noservername"][..], &["-servername", "other.test"], &["-servername", "z.y.wild.test"]]
    {
        let said = shown(weir.web(), arguments).unwrap_err();
        assert!(said.contains("unrecognized name"), "{arguments:?}: {said}");
    }
    assert_eq!(counter(&weir, "tls_unknown_names"), 3);
}

#[test]
fn ecdsa_is_shown_to_those_who_can_verify_it_and_rsa_to_the_others() {
    let authority = Authority::new();
    let small = authority.issue("small", a_test());
    let rsa = authority.issue("rsa", Wanted { rsa: true, ..a_test() });
    for files in [[&rsa, &small], [&small, &rsa]] {
        let tls = format!("{{ certificates: [\"{}\", \"{}\"] }}", files[0], files[1]);
        let weir = Weir::start(&config(&tls, &[Origin::free()]));
        let kind = |arguments: &[&str]| {
            let said = s_client(weir.web(), arguments, "");
            said.lines()
                .find_map(|line| line.strip_prefix("Peer signature type: "))
                .map(str::to_owned)
                .ok_or(said)
        };
        for name in [&["-servername", "a.test"][..], &["-noservername"]] {
            let with = |more: &[&'static str]| kind(&[name, more].concat());
            assert_eq!(with(&[]).as_deref(), Ok("ECDSA"));
            assert_eq!(with(&["-sigalgs", "RSA-PSS+SHA256"]).as_deref(), Ok("RSA-PSS"));
            assert_eq!(
                with(&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"]).as_deref(),
                Ok("RSA-PSS")
            );
        }
    }
}

#[test]
fn the_protocol_is_agreed_on() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[Origin::free()]));
    let said = s_client(weir.web(), &["-alpn", "http/1.1,x"], "");
    assert!(said.contains("ALPN protocol: http/1.1"), "{said}");
    let said = s_client(weir.web(), &["-alpn", "spdy/1"], "");
    assert!(said.contains("no application protocol"), "{said}");
    assert_eq!(counter(&weir, "tls_incompatible"), 1);
}

#[test]
fn http2_is_spoken_with_those_who_offer_it() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::answering(|request| {
        ok(&format!("{} {:?}", request.body.len(), request.head.get("x-forwarded-proto")))
    });
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    let said = reach.curl("/new", &["-w", " %{http_version}"]);
    assert_eq!(said, "0 Some(\"https\") 2");
    let line = weir.access_line("/new");
    assert_eq!((&line["version"], &line["tls_version"]), (&"HTTP/2.0".into(), &"TLSv1.3".into()), "{line}");
    assert_eq!(reach.curl("/old", &["--http1.1", "-w", " %{http_version}"]), "0 Some(\"https\") 1.1");
    let large = weir.directory.write("large", &"x".repeat(5 << 20));
    let upload = format!("@{}", large.display());
    assert_eq!(reach.curl("/up", &["--data-binary", &upload]), format!("{} Some(\"https\")", 5 << 20));
    let load = Command::new("h2load")
        .args(["-n", "5000", "-c", "4", "-m", "10", &format!("https://{}/", weir.web())])
        .output()
        .expect("`make test` installs it");
    let load = String::from_utf8_lossy(&load.stdout);
    assert!(load.contains("5000 succeeded, 0 failed, 0 errored") && load.contains("5000 2xx"), "{load}");
    assert_eq!(counter(&weir, "http2_connections"), 2 + 4);
    // Where the file says so, it is not offered.
    let tls = format!("{{ certificates: \"{certificate}\", alpn: http/1.1 }}");
    weir.reload(&config(&tls, &[origin.address()]));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    assert_eq!(reach.curl("/", &["-w", " %{http_version}"]), "0 Some(\"https\") 1.1");
}

#[test]
fn sessions_are_resumed_by_any_worker_and_after_a_reload() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let other = authority.issue("b", Wanted { names: "DNS:b.test", ..a_test() });
    let origin = Origin::named("hello");
    let tls =
        |more: &str| config(&format!("{{ certificates: [\"{certificate}\"{more}] }}"), &[origin.address()]);
    let weir = Weir::start(&format!("workers: 4\n{}", tls("")));
    for (version, ticket) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_2", false)] {
        let file = authority.path("session");
        let no_ticket: &[&str] = if ticket { &[] } else { &["-no_ticket"] };
        let ask = |session: &[&str]| {
            let arguments = [&[version, "-servername", "a.test", "-ign_eof"], no_ticket, session].concat();
            s_client(weir.web(), &arguments, ASK)
        };
        let said = ask(&["-sess_out", &file]);
        assert!(
            said.contains("New, TLSv1") && said.ends_with("closed\n") || said.contains("hello"),
            "{said}"
        );
        for _ in 0..6 {
            let said = ask(&["-sess_in", &file]);
            assert!(said.contains("Reused, TLSv1") && said.contains("hello"), "{version} {ticket}: {said}");
        }
        weir.reload(&format!("workers: 4\n{}", tls(&format!(", \"{other}\""))));
        let said = ask(&["-sess_in", &file]);
        assert!(said.contains("Reused, TLSv1"), "{version} {ticket}, after a reload: {said}");
        weir.reload(&format!("workers: 4\n{}", tls("")));
    }
    assert_eq!(counter(&weir, "tls_resumptions"), 21);
}

#[test]
fn a_session_is_not_resumed_where_clients_must_show_who_they_are() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let clients = format!("client_certificates: {{ ca: \"{}\" }}", authority.ca());
    let listener = |more: &str| {
        format!(
            "{{ bind: \"127.0.0.1:0\", tls: {{ certificates: \"{certificate}\"{more} }}, \
             routes: [{{ respond: {{ body: let-in }} }}] }}"
        )
    };
    let weir = Weir::start(&format!(
        "listeners:\n  open: {}\n  web: {}\n",
        listener(""),
        listener(&format!(", {clients}"))
    ));
    for version in ["-tls1_3", "-tls1_2"] {
        let file = authority.path("session");
        let ask = |name: &str, session: &[&str]| {
            let arguments = [&[version, "-servername", "a.test", "-ign_eof"], session].concat();
            s_client(weir.listener(name), &arguments, ASK)
        };
        assert!(ask("open", &["-sess_out", &file]).contains("let-in"));
        assert!(ask("open", &["-sess_in", &file]).contains("Reused, "));
        let said = ask("web", &["-sess_in", &file]);
        assert!(!said.contains("Reused, ") && !said.contains("let-in"), "{said}");
    }
}

#[test]
fn clients_show_who_they_are() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let client = |name: &str, authority: &Authority| {
        let subject = Wanted { subject: "/O=Example, Inc./CN=ada", names: "DNS:ada", ..Wanted::default() };
        authority.issue(name, subject)
    };
    let (ada, revoked) = (client("ada", &authority), client("gone", &authority));
    let crl = authority.revoke(&[&revoked]);
    let other = Authority::new();
    let stranger = client("stranger", &other);
    let origin = Origin::answering(|request| ok(&format!("{:?}", request.head.get("x-subject"))));
    let tls = |mode: &str| {
        let clients =
            format!("{{ mode: {mode}, ca: \"{}\", crl: \"{crl}\", header: X-Subject }}", authority.ca());
        let tls = format!("{{ certificates: \"{certificate}\", client_certificates: {clients} }}");
        // Whoever is trusted for other things is not trusted for this.
        config(&tls, &[origin.address()]).replace("tls: {", "trusted_proxies: [127.0.0.0/8], tls: {")
    };
    let weir = Weir::start(&tls("required"));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    let with = |certificate: &str| {
        vec![
            "--cert".to_owned(),
            certificate.to_owned(),
            "--key".to_owned(),
            certificate.replace(".pem", ".key"),
        ]
    };
    let as_arguments = |all: &[String]| all.iter().map(|one| (*one).clone()).collect::<Vec<_>>();
    let forged = ["--header", "x-SUBJECT: CN=root"];
    for version in [&["--tlsv1.3"][..], &["--tls-max", "1.2"]] {
        let shown = as_arguments(&with(&ada));
        let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
        assert_eq!(
            reach.curl("/", &[&shown[..], version, &forged].concat()),
            "Some(\"CN=ada,O=Example\\\\, Inc.\")"
        );
        let before = counter(&weir, "tls_client_certificates");
        reach.fails(&[version, &forged].concat());
        for refused in [&revoked, &stranger] {
            let shown = with(refused);
            let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
            reach.fails(&[&shown[..], version].concat());
        }
        eventually("the refused are counted", || counter(&weir, "tls_client_certificates") == before + 3);
    }

    weir.reload(&tls("optional"));
    assert_eq!(reach.curl("/", &forged), "None");
    let shown = with(&ada);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    assert!(reach.curl("/", &shown).contains("CN=ada"));
    let shown = with(&stranger);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    reach.fails(&shown);

    weir.reload(&tls("none"));
    assert_eq!(reach.curl("/", &[&shown[..], &forged].concat()), "None");
}

#[test]
fn nobody_says_by_another_listener_who_he_is() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::named("hello");
    let weir = Weir::start(&format!(
        "listeners:
  web:
    bind: \"127.0.0.1:0\"
    tls:
      certificates: \"{certificate}\"
      client_certificates: {{ ca: \"{}\", header: X-Subject }}
    routes: [{{ pool: web }}]
  plain: {{ bind: \"127.0.0.1:0\", routes: [{{ pool: web }}] }}
pools: {{ web: {{ servers: [\"{}\"] }} }}
",
        authority.ca(),
        origin.address()
    ));
    let mut client = Client::connect(weir.listener("plain"));
    client.exchange(
        "GET / HTTP/1.1\r\nHost: a\r\nx-subject: CN=root\r\nX-Other: 1\r\nX-SUBJECT: CN=root\r\n\r\n",
    );
    let request = origin.request();
    assert_eq!((request.head.get("x-subject"), request.head.get("x-other")), (None, Some("1")));
}

#[test]
fn plain_http_on_a_tls_port_is_told_so() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[Origin::free()]));
    let response = get(weir.web(), "/");
    assert_eq!(response.status, 400);
    assert!(response.text().contains("this port speaks TLS"), "{}", response.text());
    assert!(response.closes());
    // A body behind it does not cost the answer.
    let mut client = Client::connect(weir.web());
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n{}", "x".repeat(60_000)));
    assert_eq!(client.response().status, 400);
    assert_eq!(counter(&weir, "tls_plain_text"), 2);
    assert_eq!(counter(&weir, "exchanges"), 0);
}

#[test]
fn a_handshake_has_its_time() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let text = config(&format!("{{ certificates: \"{certificate}\" }}"), &[Origin::free()]);
    let weir = Weir::start(&text.replace("tls: {", "timeouts: { tls_handshake: 200ms }, tls: {"));
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let started = Instant::now();
        let mut client = Client::connect(weir.web());
        client.send(begun);
        client.assert_closed();
        assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    }
    assert_eq!(counter(&weir, "tls_timeouts"), 2);
    eventually("no session is left", || counter(&weir, "sessions_closed") == 2);
}

/// Passes everything on to `to`, what the client sends in pieces of `size` bytes.
fn trickle(to: SocketAddr, size: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut server = TcpStream::connect(to).unwrap();
            server.set_nodelay(true).unwrap();
            let (mut back, mut forth) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut forth));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = client.read(&mut bytes) {
                    for piece in bytes[..count].chunks(size) {
                        if server.write_all(piece).is_err() {
                            return;
                        }
                    }
                }
                let _ = server.shutdown(std::net::Shutdown::Write);
            });
        }
    });
    address
}

#[test]
fn bytes_may_come_one_by_one() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::answering(|request| ok(&request.body.len().to_string()));
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    for size in [1, 7, 1000] {
        let reach = Reach::new(&authority, trickle(weir.web(), size), "a.test");
        for version in ["1.2", "1.3"] {
            assert_eq!(reach.curl("/", &["--tls-max", version, "--data", &"x".repeat(3000)]), "3000");
        }
    }
}

#[test]
fn what_is_no_handshake_costs_little() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::named("fine");
    let text = config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]);
    let weir = Weir::start(&text.replace("tls: {", "timeouts: { tls_handshake: 300ms }, tls: {"));
    let before = weir.memory_bytes();
    // A hello that claims 16 MiB, one that claims 64 KiB and never ends, noise, and a record of nothing.
    let record = |kind: u8, body: &[u8]| {
        let mut record = vec![kind, 3, 1];
        record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        record.extend(body);
        record
    };
    let mut huge = record(22, &[[1, 0xff, 0xff, 0xff].as_slice(), &[0; 16_000]].concat());
    for _ in 0..20 {
        huge.extend(record(22, &[0; 16_384]));
    }
    let noise: Vec<u8> = (0..5000_u32).map(|n| ((n * 7919) >> 3) as u8 | 0x80).collect();
    for bytes in [huge, noise, record(22, &[]), record(23, &[1; 100]), record(22, &[9; 200])] {
        for _ in 0..20 {
            let mut client = Client::connect(weir.web());
            let _ = client.try_send(&bytes); // it may be refused before all of it is sent
            let (_, _) = client.read_to_end();
        }
    }
    let counted = counter(&weir, "tls_malformed") + counter(&weir, "tls_timeouts");
    assert_eq!(counted, 100);
    assert!(counter(&weir, "tls_malformed") >= 60, "{}", counter(&weir, "tls_malformed"));
    assert!(weir.memory_bytes() < before + (16 << 20), "{} MiB more", (weir.memory_bytes() - before) >> 20);
    assert_eq!(weir.times_said("WARN"), 0);
    assert_eq!(Reach::new(&authority, weir.web(), "a.test").curl("/", &[]), "fine");
}

#[test]
fn bodies_go_through_both_ways() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let bytes: Vec<u8> = (0..10 << 20).map(|n: u32| (n ^ (n >> 8) ^ (n >> 16)) as u8).collect();
    let sent = bytes.clone();
    let origin = Origin::scripted(move |peer| {
        while let Some(request) = peer.request()? {
            let size = request.target[1..].parse::<usize>().unwrap();
            assert!(request.body.is_empty() || request.body == sent[..size]);
            peer.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n"))?;
            peer.send(&sent[..size])?;
        }
        Ok(())
    });
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    let (upload, download) = (authority.path("up"), authority.path("down"));
    for size in [0, 1, 16_383, 16_384, 16_385, 64 << 10, 10 << 20] {
        std::fs::write(&upload, &bytes[..size]).unwrap();
        for version in ["1.2", "1.3"] {
            let data = format!("@{upload}");
            let path = format!("/{size}");
            reach.curl(&path, &["--tls-max", version, "--data-binary", &data, "--output", &download]);
            assert!(std::fs::read(&download).unwrap() == bytes[..size], "{size} bytes in TLS {version}");
        }
    }
}

#[test]
fn a_slow_reader_slows_its_server_and_holds_little() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 268435456\r\n\r\n")?;
        let piece = vec![b'x'; 1 << 20];
        (0..256).try_for_each(|_| peer.send(&piece))
    });
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let (_bridge, bridge) = Program::tls_client(weir.web(), &authority.ca(), "a.test");
    let mut client = Client::connect_with_small_window(bridge);
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.head().0, 200);
    let before = weir.memory_bytes();
    std::thread::sleep(Duration::from_millis(500)); // as long as nothing is read, nothing may pile up
    assert!(weir.memory_bytes() < before + (8 << 20));
    client.skip(1 << 28);
    eventually("the exchange is whole", || {
        let line = weir.access_line("/");
        (line["response_bytes"].as_u64(), line["end"].as_str()) == (Some(1 << 28), Some("--"))
    });
}

#[test]
fn a_connection_serves_many_requests_one_after_the_other_and_at_once() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::answering(|request| ok(&request.target));
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let (_bridge, bridge) = Program::tls_client(weir.web(), &authority.ca(), "a.test");
    let mut client = Client::connect(bridge);
    for n in 0..50 {
        assert_eq!(client.get(&format!("/{n}")).text(), format!("/{n}"));
    }
    let pipelined: String = (0..200).map(|n| format!("GET /p{n} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(pipelined);
    for n in 0..200 {
        assert_eq!(client.response().text(), format!("/p{n}"));
    }
    assert_eq!(counter(&weir, "exchanges"), 250);
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_websocket_goes_through_tls() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::scripted(|peer| {
        peer.request()?;
        peer.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        )?;
        loop {
            let bytes = peer.read(1000)?;
            peer.send(bytes)?;
        }
    });
    let text = config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]);
    let weir = Weir::start(&text);
    let (_bridge, bridge) = Program::tls_client(weir.web(), &authority.ca(), "a.test");
    let mut client = Client::connect(bridge);
    client.send("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(client.head().0, 101);
    assert_eq!(client.read(5), b"hello");
    let bytes: Vec<u8> = (0..100_000_u32).map(|n| (n ^ (n >> 8)) as u8).collect();
    for _ in 0..5 {
        client.send(&bytes);
        assert_eq!(client.read(100_000), bytes);
        weir.reload(&text);
    }
    drop(client);
    let line = weir.access_line("/chat");
    assert_eq!(
        (line["status"].as_u64(), line["response_bytes"].as_u64()),
        (Some(101), Some(500_005)),
        "{line}"
    );
}

#[test]
fn a_body_that_ends_with_the_connection_is_whole_only_if_its_end_is_said() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::scripted(|peer| {
        let Some(request) = peer.request()? else { return Ok(()) };
        peer.send("HTTP/1.1 200 OK\r\n\r\nto the end")?;
        if request.target == "/cut" {
            peer.reset_at_close();
            std::thread::sleep(Duration::from_millis(100)); // what was sent is to arrive before the reset
        }
        Ok(())
    });
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    for version in ["1.2", "1.3"] {
        assert_eq!(reach.curl("/whole", &["--http1.0", "--tls-max", version]), "to the end");
        let url = format!("{}/cut", reach.url);
        let cut = try_curl(&reach.all(&["--http1.0", "--tls-max", version, &url]));
        assert!(!cut.status.success(), "taken for whole: {}", String::from_utf8_lossy(&cut.stdout));
    }
    // And every other connection's end is said, too.
    let said = s_client(weir.web(), &["-servername", "a.test", "-ign_eof", "-msg"], ASK);
    assert!(said.contains("close_notify"), "{said}");
}

#[test]
fn redirects_and_answers_know_of_https() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::fixed(
        b"HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\nContent-Length: 2\r\n\r\nhi",
    );
    let weir = Weir::start(&format!(
        "listeners:
  web:
    bind: \"127.0.0.1:0\"
    hsts: 8760h
    tls: {{ certificates: \"{certificate}\" }}
    forwarded: {{ forwarded: true }}
    routes:
      - match: {{ path: /moved }}
        redirect: {{ path: /new }}
      - match: {{ path_prefix: /pool }}
        pool: web
  plain: {{ bind: \"127.0.0.1:0\", https_redirect: true }}
pools: {{ web: {{ servers: [\"{}\"] }} }}
",
        origin.address()
    ));
    let reach = Reach::new(&authority, weir.web(), "a.test");
    for path in ["/pool", "/moved", "/missing"] {
        let head = reach.curl(path, &["--head"]).to_ascii_lowercase();
        let fields: Vec<_> =
            head.lines().filter(|line| line.starts_with("strict-transport-security")).collect();
        assert_eq!(fields, ["strict-transport-security: max-age=31536000"], "{path}");
    }
    let location = format!("location: https://a.test:{}/new", weir.web().port());
    assert!(reach.curl("/moved", &["--head"]).contains(&location));
    reach.curl("/pool", &[]);
    let request = origin.requests().pop().unwrap();
    assert_eq!(request.head.get("x-forwarded-proto"), Some("https"));
    assert!(request.head.get("forwarded").unwrap().ends_with(";proto=https"));
    // A request that can't be read is answered over TLS, too.
    let refused = s_client(weir.web(), &["-servername", "a.test", "-ign_eof", "-quiet"], "nonsense\r\n\r\n");
    assert!(
        refused.contains("400 Bad Request")
            && refused.contains("strict-transport-security: max-age=31536000")
    );

    let mut client = Client::connect(weir.listener("plain"));
    let response =
        client.exchange("POST /x/../y?z HTTP/1.1\r\nHost: a.test:8080\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(response.status, 308);
    assert_eq!(response.field("location"), Some("https://a.test/y?z"));
    assert_eq!(response.field("strict-transport-security"), None);
    assert_eq!(client.get("/again").status, 308);
}

#[test]
fn an_ocsp_response_is_stapled() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let ocsp = authority.path("a.ocsp");
    let (ca, key, index) = (authority.ca(), authority.path("ca.key"), authority.path("index"));
    openssl(&[
        "ocsp",
        "-index",
        &index,
        "-CA",
        &ca,
        "-rsigner",
        &ca,
        "-rkey",
        &key,
        "-issuer",
        &ca,
        "-cert",
        &certificate,
        "-respout",
        &ocsp,
        "-ndays",
        "7",
    ]);
    let weir = Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[Origin::free()]));
    let said = s_client(weir.web(), &["-servername", "a.test", "-status"], "");
    assert!(said.contains("OCSP Response Status: successful"), "{said}");
}

#[test]
fn a_drain_ends_idle_sessions_with_a_word() {
    let authority = Authority::new();
    let certificate = authority.issue("a", a_test());
    let origin = Origin::named("hello");
    let mut weir =
        Weir::start(&config(&format!("{{ certificates: \"{certificate}\" }}"), &[origin.address()]));
    let (_bridge, bridge) = Program::tls_client(weir.web(), &authority.ca(), "a.test");
    let mut client = Client::connect(bridge);
    assert_eq!(client.get("/").text(), "hello");
    weir.signal(weir_tests::Signal::TERM);
    client.assert_closed();
    assert!(weir.await_exit().success());
}
