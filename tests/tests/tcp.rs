//! TCP listeners: bytes passed on as they come, ends and breaks with them.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::{Client, Origin, PATIENCE, Signal, Weir, eventually, list, until};

/// A TCP listener `web` for one pool, `web`; `more` is for the listener.
fn config(more: &str, pool: &str) -> String {
    format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, protocol: tcp, {more} routes: [pool: web] }} }}\npools:\n  web: {pool}\n"
    )
}

fn start(more: &str, servers: &[SocketAddr]) -> Weir {
    Weir::start(&config(more, &format!("{{ servers: {} }}", list(servers))))
}

/// A server that says what it has heard, when it has heard it all.
fn echo_at_end() -> Origin {
    Origin::scripted(|peer| {
        let mut heard = Vec::new();
        while let Ok(byte) = peer.read(1) {
            heard.extend(byte);
        }
        heard.extend_from_slice(b"!");
        peer.send(heard)
    })
}

/// A server that gives every byte back.
fn echo() -> Origin {
    Origin::scripted(|peer| {
        loop {
            let byte = peer.read(1)?;
            peer.send(byte)?;
        }
    })
}

/// A server that says who it is, and waits for the end.
fn named(name: &'static str) -> Origin {
    Origin::scripted(move |peer| {
        peer.send(name)?;
        peer.wait_for_end()
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn read_to_end(mut socket: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The only line of the access log, once it is there.
fn record(weir: &Weir) -> Value {
    until("the connection's record", || weir.access_log().into_iter().next())
}

#[test]
fn a_client_that_has_said_all_is_answered() {
    let origin = echo_at_end();
    let weir = start("", &[origin.address()]);
    let mut client = connect(weir.web());
    client.write_all(b"hello").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), b"hello!");
    let record = record(&weir);
    assert_eq!(record["protocol"], "tcp");
    assert_eq!((&record["request_bytes"], &record["response_bytes"]), (&5.into(), &6.into()));
    assert_eq!(
        (&record["listener"], &record["pool"], &record["end"]),
        (&"web".into(), &"web".into(), &"--".into())
    );
    assert_eq!(record["client"], client.local_addr().unwrap().to_string());
    assert_eq!(record["upstream"], origin.address().to_string());
    assert!(record["total_ms"].is_number() && record["connect_ms"].is_number(), "{record}");
    assert!(record.get("method").is_none() && record.get("status").is_none(), "{record}");
}

#[test]
fn a_server_that_has_said_all_is_still_told() {
    let origin = Origin::scripted(|peer| {
        peer.send("bye")?;
        peer.half_close()?;
        let rest = peer.read(5)?;
        assert_eq!(rest, b"later");
        peer.wait_for_end()
    });
    let weir = start("", &[origin.address()]);
    let mut client = connect(weir.web());
    assert_eq!(read_to_end(&client), b"bye");
    client.write_all(b"later").unwrap();
    eventually("it is told", || origin.received() == b"later");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(record(&weir)["end"], "--");
    eventually("nothing is left", || origin.open_connections() == 0);
}

#[test]
fn a_server_may_speak_first_and_a_break_is_passed_on() {
    let origin = Origin::scripted(|peer| {
        peer.send("220 ready\r\n")?;
        peer.read(1)?;
        peer.reset_at_close();
        Ok(())
    });
    let weir = start("", &[origin.address()]);
    let mut client = connect(weir.web());
    let mut greeting = [0; 11];
    client.read_exact(&mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ready\r\n");
    client.write_all(b"x").unwrap();
    let error = client.read(&mut greeting).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(record(&weir)["end"], "SD");

    let origin = Origin::silent();
    let weir = start("", &[origin.address()]);
    let client = Client::connect(weir.web());
    eventually("it is there", || origin.open_connections() == 1);
    client.reset();
    eventually("the server is told", || origin.open_connections() == 0);
    assert_eq!(record(&weir)["end"], "CD");
}

#[test]
fn a_connection_on_which_nothing_moves_ends() {
    let origin = echo();
    let weir = start("timeouts: { tunnel_idle: 300ms },", &[origin.address()]);
    let mut client = connect(weir.web());
    let began = Instant::now();
    // What moves keeps it open.
    while began.elapsed() < Duration::from_millis(900) {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let idle = Instant::now();
    assert_eq!(read_to_end(&client), b"");
    let took = idle.elapsed();
    assert!((Duration::from_millis(200)..Duration::from_secs(5)).contains(&took), "{took:?}");
    let record = record(&weir);
    assert_eq!(record["end"], "cD");
    assert!(record["cause"].as_str().unwrap().contains("tunnel_idle"), "{record}");
}

#[test]
fn a_server_that_refuses_is_passed_over() {
    let origin = named("here");
    let nobody = Origin::nobody();
    let pool = format!("{{ balance: first, servers: {} }}", list(&[nobody, origin.address()]));
    let weir = Weir::start(&config("", &pool));
    let client = connect(weir.web());
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&client), b"here");
    assert_eq!(record(&weir)["retries"], 1);
    assert_eq!(weir.admin().server("web", &nobody.to_string())["counters"]["failures"], 1);

    // Nobody at all: the client is told by the end, and the log by its code.
    let weir = start("", &[Origin::nobody(), Origin::nobody()]);
    let mut client = Client::connect(weir.web());
    client.assert_closed();
    let record = record(&weir);
    assert_eq!((&record["end"], &record["retries"]), (&"SC".into(), &2.into()));
}

#[test]
fn the_same_source_keeps_its_server() {
    let (a, b, c) = (named("a"), named("b"), named("c"));
    let servers = list(&[a.address(), b.address(), c.address()]);
    let weir = Weir::start(&config("", &format!("{{ balance: source_hash, servers: {servers} }}")));
    let mut used = HashSet::new();
    for last in 1..30 {
        let ask = || {
            let mut client = Client::connect_from(SocketAddr::from(([127, 0, 0, last], 0)), weir.web());
            client.read(1)
        };
        let server = ask();
        assert_eq!((ask(), ask()), (server.clone(), server.clone()));
        used.insert(server);
    }
    assert_eq!(used.len(), 3);
}

#[test]
fn routes_by_source() {
    let (inside, outside) = (named("inside"), named("outside"));
    let weir = Weir::start(&format!(
        "listeners:\n  web:\n    bind: 127.0.0.1:0\n    protocol: tcp\n    routes:\n      - {{ match: {{ source: \
         127.0.0.2/32 }}, pool: inside }}\n      - {{ match: {{ source: 127.0.0.1/32 }}, pool: outside }}\npools:\n  \
         inside: {{ servers: {} }}\n  outside: {{ servers: {} }}\n",
        list(&[inside.address()]),
        list(&[outside.address()]),
    ));
    let from = |last| Client::connect_from(SocketAddr::from(([127, 0, 0, last], 0)), weir.web());
    assert_eq!(from(2).read(6), b"inside");
    assert_eq!(from(1).read(7), b"outside");
    from(3).assert_closed();
    eventually("the record", || weir.access_log().iter().any(|line| line["end"] == "PR"));
}

#[test]
fn much_data_takes_little_memory_and_a_slow_reader_slows_its_server() {
    const BYTES: u64 = 200 << 20;
    let origin = Origin::scripted(|peer| {
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..BYTES >> 20 {
            peer.send(&piece)?;
        }
        Ok(())
    });
    let weir = start("", &[origin.address()]);
    let before = weir.memory_peak_bytes();
    let mut client = Client::connect_with_small_window(weir.web());
    client.skip(1 << 20);
    // Nothing is read for a while: what was sent meanwhile is in the kernel's buffers and one piece here.
    let sent = || weir.admin().json("/api/v1/stats")["listeners"]["web"]["sessions_open"].clone();
    assert_eq!(sent(), 1);
    std::thread::sleep(Duration::from_millis(300));
    client.skip(BYTES - (1 << 20));
    let grown = weir.memory_peak_bytes().saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes more");
    client.half_close();
    eventually("all is counted", || record(&weir)["response_bytes"] == BYTES);
}

#[test]
fn a_full_pool_makes_connections_wait() {
    let origin = named("x");
    let address = origin.address();
    let pool = format!("{{ servers: [{{ address: \"{address}\", max_connections: 1 }}] }}");
    let weir = Weir::start(&config("", &pool));
    let mut first = Client::connect(weir.web());
    assert_eq!(first.read(1), b"x");
    let mut second = Client::connect(weir.web());
    second.assert_quiet_for(Duration::from_millis(200));
    drop(first);
    assert_eq!(second.read(1), b"x");
    drop(second);
    eventually("it is told", || weir.access_log().iter().any(|line| line["queue_ms"].is_number()));
}

#[test]
fn a_reload_keeps_connections_and_a_removed_listener_lets_them_end_in_time() {
    let (a, b) = (echo(), named("b"));
    let pool = |origin: &Origin| format!("{{ servers: {} }}", list(&[origin.address()]));
    let weir = Weir::start(&config("", &pool(&a)));
    let mut old = Client::connect(weir.web());
    old.send("1");
    assert_eq!(old.read(1), b"1");
    weir.reload(&config("", &pool(&b)));
    let mut new = Client::connect(weir.web());
    assert_eq!(new.read(1), b"b");
    old.send("2");
    assert_eq!(old.read(1), b"2");

    // The same address speaks HTTP from now on; what is open may go on within the bound.
    let http = Origin::named("http");
    let config = format!(
        "timeouts: {{ drain: 400ms }}\nlisteners: {{ web: {{ bind: \"127.0.0.1:0\", routes: [pool: web] }} }}\npools:\n  web: {}\n",
        pool(&http)
    );
    weir.reload(&config);
    assert_eq!(weir_tests::get(weir.web(), "/").text(), "http");
    old.send("3");
    assert_eq!(old.read(1), b"3");
    old.assert_closed();
    new.assert_closed();
    eventually("the records", || weir.access_log().iter().filter(|line| line["end"] == "PD").count() == 2);
}

#[test]
fn a_drain_lets_connections_end_and_cuts_the_rest() {
    let origin = echo();
    let mut weir = Weir::start(&format!(
        "timeouts: {{ drain: 2s }}\n{}",
        config("", &format!("{{ servers: {} }}", list(&[origin.address()])))
    ));
    let address = weir.web();
    let mut client = Client::connect(address);
    client.send("1");
    assert_eq!(client.read(1), b"1");
    weir.signal(Signal::TERM);
    eventually("the listener refuses", || Client::try_connect(address).is_err());
    client.send("2");
    assert_eq!(client.read(1), b"2");
    let began = Instant::now();
    drop(client);
    assert_eq!(weir.await_exit().code(), Some(0));
    assert!(began.elapsed() < Duration::from_millis(1500), "it waited for the bound");

    let mut weir = Weir::start(&format!(
        "timeouts: {{ drain: 300ms }}\n{}",
        config("", &format!("{{ servers: {} }}", list(&[origin.address()])))
    ));
    let mut client = Client::connect(weir.web());
    client.send("1");
    assert_eq!(client.read(1), b"1");
    weir.signal(Signal::TERM);
    client.assert_closed();
    assert_eq!(weir.await_exit().code(), Some(0));
    assert_eq!(record(&weir)["end"], "PD");
}
