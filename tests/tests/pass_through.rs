//! TLS that is routed by what it asks for and not opened: `openssl s_server` behind, curl in front.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use weir_tests::{Client, Directory, Origin, Program, Weir, curl, eventually, list, openssl, until};

/// A TLS server with a certificate of its own, whose `/name` is its name.
fn server(name: &str) -> (Program, SocketAddr) {
    let directory = Directory::new();
    let path = |file: &str| directory.file(file).display().to_string();
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
        "-subj",
        &format!("/CN={name}"),
        "-keyout",
        &path("key.pem"),
        "-out",
        &path("cert.pem"),
    ]);
    directory.write("name", name);
    let address = Origin::free();
    let at = address.port().to_string();
    let arguments = [
        "s_server",
        "-accept",
        &at,
        "-4",
        "-cert",
        "cert.pem",
        "-key",
        "key.pem",
        "-WWW",
        "-alpn",
        "h2,http/1.1",
    ];
    (Program::start(directory, "openssl", &arguments, address), address)
}

fn start(routes: &str, pools: &[(&str, SocketAddr)]) -> Weir {
    let pools: String = pools
        .iter()
        .map(|(name, address)| format!("  {name}: {{ servers: {} }}\n", list(&[*address])))
        .collect();
    Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    protocol: tcp\n    timeouts: {{ request_head: 2s }}\n    routes:\n{routes}\npools:\n{pools}"
    ))
}

fn counter(weir: &Weir, name: &str) -> u64 {
    weir.admin().json("/api/v1/stats")["listeners"]["web"]["counters"][name].as_u64().unwrap()
}

/// Who answers a curl that asks for this host.
fn ask(weir: &Weir, host: &str, options: &[&str]) -> String {
    let port = weir.web().port();
    let resolve = format!("{host}:{port}:127.0.0.1");
    let url = format!("https://{host}:{port}/name");
    let arguments = [&["--insecure", "--http1.1", "--resolve", &resolve][..], options, &[&url]].concat();
    curl(&arguments)
}

#[test]
fn the_name_and_the_protocols_of_the_hello_decide() {
    let (a, b, c) = (server("a"), server("b"), server("c"));
    let weir = start(
        "      - { match: { sni: a.example.com }, pool: a }\n      - { match: { sni: \"*.example.com\", alpn: [x, h2] }, pool: b }\n      - { pool: c }",
        &[("a", a.1), ("b", b.1), ("c", c.1)],
    );
    assert_eq!(ask(&weir, "a.example.com", &[]), "a");
    assert_eq!(ask(&weir, "A.Example.COM", &[]), "a");
    assert_eq!(ask(&weir, "d.example.com", &[]), "c", "it offers http/1.1 alone");
    assert_eq!(ask(&weir, "other.example", &[]), "c");
    assert_eq!(ask(&weir, "a.example.com", &["--no-alpn", "--tls-max", "1.2"]), "a");
    // By an address there is no name: the route without a condition.
    assert_eq!(curl(&["--insecure", "--http1.1", &format!("https://{}/name", weir.web())]), "c");
    // TLS goes through unopened: the certificate is the server's.
    let shown = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &weir.web().to_string(),
            "-servername",
            "x.example.com",
            "-alpn",
            "h2",
        ])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("CN = b") && shown.contains("ALPN protocol: h2"), "{shown}");
    let line =
        until("the record", || weir.access_log().into_iter().find(|line| line["host"] == "x.example.com"));
    assert_eq!((&line["protocol"], &line["pool"]), (&"tcp".into(), &"b".into()));
}

/// A ClientHello of TLS 1.2 for this name, in records of at most `record` bytes.
fn hello(name: &str, padding: usize, record: usize) -> Vec<u8> {
    let u16_of = |length: usize| u16::try_from(length).unwrap().to_be_bytes();
    let extension =
        |kind: u16, content: &[u8]| [&kind.to_be_bytes()[..], &u16_of(content.len()), content].concat();
    let name = [&[0][..], &u16_of(name.len()), name.as_bytes()].concat();
    let extensions = [
        extension(0, &[&u16_of(name.len())[..], &name].concat()),
        extension(13, &[0, 4, 4, 3, 8, 4]), // signature algorithms
        extension(10, &[0, 2, 0, 23]),
        extension(21, &vec![0; padding]),
    ]
    .concat();
    let body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0xc0, 0x2b, 1, 0], &u16_of(extensions.len()), &extensions]
        .concat();
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    message.chunks(record).flat_map(|piece| [&[22, 3, 1][..], &u16_of(piece.len()), piece].concat()).collect()
}

#[test]
fn a_hello_in_pieces_is_passed_on_as_it_came() {
    let origin = Origin::silent();
    let weir = start("      - { match: { sni: a.example.com }, pool: a }", &[("a", origin.address())]);
    let (small, split, large) = (
        hello("a.example.com", 0, 16_384),
        hello("a.example.com", 40, 50),
        hello("a.example.com", 30_000, 16_000),
    );
    let mut all = Vec::new();
    for (bytes, slowly) in [(&small, true), (&split, true), (&large, false), (&split, false)] {
        let mut client = Client::connect(weir.web());
        if slowly {
            client.send_slowly(bytes);
        } else {
            client.send(bytes);
        }
        client.send("and what follows");
        all.extend_from_slice(bytes);
        all.extend_from_slice(b"and what follows");
        eventually("it has all", || origin.received() == all);
        client.reset();
    }
    assert_eq!(counter(&weir, "refused"), 0);
}

#[test]
fn what_is_no_hello_is_closed_and_counted() {
    let origin = Origin::silent();
    let weir = start("      - { match: { sni: a.example.com }, pool: a }", &[("a", origin.address())]);
    let mut bomb = Vec::new(); // a message of 16 MiB, in good records
    bomb.extend_from_slice(&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff]);
    bomb.resize(5 + 0x4000, 0);
    for _ in 0..20 {
        bomb.extend_from_slice(&[22, 3, 1, 0x40, 0]);
        bomb.resize(bomb.len() + 0x4000, 0);
    }
    let table: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"SSH-2.0-x\r\n",
        &[22, 3, 1, 0xff, 0xff, 1],
        &bomb,
        &[21, 3, 1, 0, 2, 2, 0],
    ];
    for (number, bytes) in table.iter().enumerate() {
        let mut client = Client::connect(weir.web());
        let _ = client.try_send(bytes); // closed before it has taken all of a large one
        client.assert_closed();
        eventually("it is counted", || counter(&weir, "refused") == number as u64 + 1);
    }
    eventually("the records", || {
        weir.access_log().iter().filter(|line| line["end"] == "CR").count() == table.len()
    });

    let began = Instant::now();
    let mut slow = Client::connect(weir.web());
    slow.send(&hello("a.example.com", 0, 16_384)[..20]);
    slow.assert_closed();
    let took = began.elapsed();
    assert!((Duration::from_millis(400)..Duration::from_secs(5)).contains(&took), "{took:?}");
    eventually("it is counted", || counter(&weir, "timeouts") == 1);

    // A good one that no route is for.
    let mut client = Client::connect(weir.web());
    client.send(hello("b.example.com", 0, 16_384));
    client.assert_closed();
    eventually("the record", || {
        weir.access_log().iter().any(|line| line["end"] == "PR" && line["host"] == "b.example.com")
    });
    assert_eq!(origin.connections(), 0);
}
