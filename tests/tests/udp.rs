//! UDP listeners: flows that keep their server, and end.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use weir_tests::{NameServer, PATIENCE, Signal, Weir, eventually, list};

/// A server that answers each datagram with its name, a colon and the datagram.
struct Echo {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Echo {
    fn named(name: &'static str) -> Self {
        Self::on(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), name)
    }

    fn on(address: SocketAddr, name: &'static str) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let address = socket.local_addr().unwrap();
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let serving = std::thread::spawn(move || {
            let mut buffer = [0; 65_535];
            while !stop.load(Ordering::SeqCst) {
                let Ok((length, peer)) = socket.recv_from(&mut buffer) else { continue };
                let answer = [name.as_bytes(), b":", &buffer[..length]].concat();
                let _ = socket.send_to(&answer, peer);
            }
        });
        Self { address, stopping, serving: Some(serving) }
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

struct Client(UdpSocket);

impl Client {
    fn new(listener: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(listener).unwrap(); // takes answers from there alone
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn send(&self, text: &str) {
        self.0.send(text.as_bytes()).unwrap();
    }

    fn receive(&self) -> String {
        let mut buffer = [0; 65_535];
        let length = self.0.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    fn ask(&self, text: &str) -> String {
        self.send(text);
        self.receive()
    }

    /// Whether an answer comes within this time.
    fn is_answered_within(&self, time: Duration) -> bool {
        self.0.set_read_timeout(Some(time)).unwrap();
        let came = self.0.recv(&mut [0; 100]).is_ok();
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        came
    }
}

fn config(udp: &str, pool: &str) -> String {
    format!(
        "listeners: {{ web: {{ bind: 127.0.0.1:0, protocol: udp, udp: {udp}, routes: [pool: web] }} }}\npools:\n  web: {pool}\n"
    )
}

fn counters(weir: &Weir) -> Value {
    weir.admin().json("/api/v1/stats")["listeners"]["web"]["counters"].clone()
}

fn flows(weir: &Weir) -> u64 {
    let counters = counters(weir);
    counters["flows"].as_u64().unwrap() - counters["flows_closed"].as_u64().unwrap()
}

#[test]
fn a_flow_keeps_its_server_and_flows_are_spread() {
    let servers = [Echo::named("a"), Echo::named("b"), Echo::named("c")];
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let weir = Weir::start(&config("{ idle: 1m }", &format!("{{ servers: {} }}", list(&addresses))));
    let mut shares: HashMap<String, usize> = HashMap::new();
    let clients: Vec<_> = (0..30).map(|_| Client::new(weir.web())).collect();
    for client in &clients {
        let answer = client.ask("1");
        let (server, text) = answer.split_once(':').unwrap();
        assert_eq!(text, "1");
        for more in ["2", "3"] {
            assert_eq!(client.ask(more), format!("{server}:{more}"));
        }
        *shares.entry(server.to_owned()).or_default() += 1;
    }
    assert!(shares.len() == 3 && shares.values().all(|&share| share >= 7), "{shares:?}");
    assert_eq!(flows(&weir), 30);
    let counters = counters(&weir);
    assert_eq!((&counters["datagrams_received"], &counters["datagrams_sent"]), (&90.into(), &90.into()));
    // Each as large as a datagram can be, but for the name that the server puts in front.
    let large = "x".repeat(65_000);
    assert_eq!(clients[0].ask(&large).len(), large.len() + 2);
    // A reload keeps them, on their servers, whatever new flows get.
    let before: Vec<_> = clients.iter().map(|client| client.ask("4")).collect();
    weir.reload(&config("{ idle: 2m }", &format!("{{ balance: first, servers: {} }}", list(&addresses))));
    let after: Vec<_> = clients.iter().map(|client| client.ask("4")).collect();
    assert_eq!(before, after);
    assert_eq!(flows(&weir), 30);
    // One whose server is gone from the file goes on at another.
    weir.reload(&config("{ idle: 2m }", &format!("{{ servers: {} }}", list(&addresses[..1]))));
    assert!(clients.iter().all(|client| client.ask("5") == "a:5"));
}

#[test]
fn an_idle_flow_ends_with_one_record() {
    let server = Echo::named("a");
    let weir =
        Weir::start(&config("{ idle: 200ms }", &format!("{{ servers: {} }}", list(&[server.address]))));
    let client = Client::new(weir.web());
    client.ask("12345");
    client.ask("67");
    eventually("the record", || weir.access_log().len() == 1);
    let record = weir.access_log().remove(0);
    assert_eq!((&record["protocol"], &record["end"]), (&"udp".into(), &"--".into()));
    assert_eq!((&record["request_bytes"], &record["response_bytes"]), (&7.into(), &11.into()));
    assert_eq!(record["client"], client.0.local_addr().unwrap().to_string());
    assert_eq!(flows(&weir), 0);
    assert_eq!(client.ask("8"), "a:8");
}

#[test]
fn dig_gets_its_answer_and_the_flow_ends_with_it() {
    let names = NameServer::start();
    names.set("www.example.com", &[[192, 0, 2, 7]]);
    let weir = Weir::start(&config(
        "{ idle: 1m, answers: 1 }",
        &format!("{{ servers: {} }}", list(&[names.address()])),
    ));
    let dig = |name: &str| {
        let (at, port) = (format!("@{}", weir.web().ip()), weir.web().port().to_string());
        let output = Command::new("dig")
            .args([&*at, "-p", &*port, "+short", "+tries=1", "+time=5", "+noedns", name, "A"])
            .output()
            .expect("dig is installed; `make test` does");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    for _ in 0..5 {
        assert_eq!(dig("www.example.com"), "192.0.2.7");
    }
    eventually("no flow is left", || flows(&weir) == 0);
    assert_eq!(counters(&weir)["flows"], 5);
    eventually("a record each", || weir.access_log().len() == 5);
}

#[test]
fn so_many_flows_and_no_more() {
    let server = Echo::named("a");
    let pool = format!("{{ servers: {} }}", list(&[server.address]));
    let weir = Weir::start(&config("{ idle: 1m, flows: 3 }", &pool));
    let clients: Vec<_> = (0..3).map(|_| Client::new(weir.web())).collect();
    assert!(clients.iter().all(|client| client.ask("1") == "a:1"));
    let late = Client::new(weir.web());
    late.send("2");
    eventually("it is refused", || counters(&weir)["flows_refused"] == 1);
    assert!(!late.is_answered_within(Duration::from_millis(50)));
    // Those that are there are not disturbed, and one that ends makes room.
    assert!(clients.iter().all(|client| client.ask("3") == "a:3"));
    assert_eq!(counters(&weir)["datagrams_dropped"], 1);
    weir.reload(&config("{ idle: 1m, flows: 4 }", &pool));
    assert_eq!(late.ask("4"), "a:4");
}

#[test]
fn a_server_that_is_not_there_is_passed_over_and_ejected() {
    let here = Echo::named("here");
    // Bound and closed again: a datagram to it brings an ICMP error.
    let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let pool = format!(
        "{{ balance: first, servers: {}, ejection: {{ failures: 2, duration: 1m }} }}",
        list(&[gone, here.address])
    );
    let weir = Weir::start(&config("{ idle: 1m }", &pool));
    let client = Client::new(weir.web());
    eventually("it is answered by the other", || {
        client.send("1");
        client.is_answered_within(Duration::from_millis(100))
    });
    let gone = weir.admin().server("web", &gone.to_string());
    assert_eq!(gone["ejected"], true);
    assert!(gone["counters"]["failures"].as_u64().unwrap() >= 2, "{gone}");
    eventually("the records", || weir.access_log().iter().any(|line| line["end"] == "SC"));
}

#[test]
fn a_server_that_does_not_answer_has_failed() {
    let silent = NameServer::start();
    silent.be_silent(true);
    let pool = format!("{{ servers: {} }}", list(&[silent.address()]));
    let weir = Weir::start(&config("{ idle: 150ms, answers: 1 }", &pool));
    Client::new(weir.web()).send("????????????\x03www\0\0\x01\0\x01");
    eventually("the record", || weir.access_log().iter().any(|line| line["end"] == "sH"));
    assert_eq!(weir.admin().server("web", &silent.address().to_string())["counters"]["failures"], 1);
}

#[test]
fn a_wildcard_answers_from_the_address_that_was_asked() {
    let server = Echo::named("a");
    for bind in ["0.0.0.0:0", "\"[::]:0\""] {
        let weir = Weir::start(&format!(
            "listeners: {{ web: {{ bind: {bind}, protocol: udp, routes: [pool: web] }} }}\npools: {{ web: {{ servers: {} }} }}\n",
            list(&[server.address])
        ));
        let port = weir.web().port();
        let at: &[SocketAddr] = if bind.starts_with('0') {
            &[([127, 0, 0, 1], port).into(), ([127, 0, 0, 9], port).into()]
        } else {
            &[(std::net::Ipv6Addr::LOCALHOST, port).into()]
        };
        for &address in at {
            let socket = UdpSocket::bind((address.ip(), 0)).unwrap();
            socket.connect(address).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let client = Client(socket);
            assert_eq!(client.ask("1"), "a:1", "{address}");
        }
    }
}

#[test]
fn a_flood_starves_nobody() {
    let server = Echo::named("a");
    let http = weir_tests::Origin::named("web");
    let weir = Weir::start(&format!(
        "workers: 1\nlisteners:\n  web: {{ bind: 127.0.0.1:0, routes: [pool: web] }}\n  flood: {{ bind: 127.0.0.1:0, \
         protocol: udp, routes: [pool: flood] }}\npools:\n  web: {{ servers: {} }}\n  flood: {{ servers: {} }}\n",
        list(&[http.address()]),
        list(&[server.address])
    ));
    let stop = Arc::new(AtomicBool::new(false));
    let flood = {
        let (stop, client) = (Arc::clone(&stop), Client::new(weir.listener("flood")));
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let _ = client.0.send(b"x");
            }
        })
    };
    let mut client = weir_tests::Client::connect(weir.web());
    let began = Instant::now();
    for _ in 0..200 {
        assert_eq!(client.get("/").text(), "web");
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    stop.store(true, Ordering::SeqCst);
    flood.join().unwrap();
}

#[test]
fn a_drain_waits_for_the_last_answers_only() {
    let server = Echo::named("a");
    let mut weir =
        Weir::start(&config("{ idle: 1m }", &format!("{{ servers: {} }}", list(&[server.address]))));
    let client = Client::new(weir.web());
    assert_eq!(client.ask("1"), "a:1");
    weir.signal(Signal::TERM);
    weir.await_said("draining");
    assert_eq!(client.ask("2"), "a:2");
    let began = Instant::now();
    assert_eq!(weir.await_exit().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(weir.access_log()[0]["end"], "--");
}

#[test]
fn a_listener_changes_its_protocol_and_its_address_is_free_again() {
    let (udp, tcp) = (Echo::named("a"), weir_tests::Origin::named("web"));
    let port = weir_tests::Origin::free().port();
    let with = |protocol: &str, pool: &str| {
        format!(
            "listeners: {{ web: {{ bind: \"127.0.0.1:{port}\", protocol: {protocol}, routes: [pool: {pool}] }} }}\npools: {{ udp: \
             {{ servers: {} }}, tcp: {{ servers: {} }} }}\n",
            list(&[udp.address]),
            list(&[tcp.address()]),
        )
    };
    let weir = Weir::start(&with("udp", "udp"));
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    assert_eq!(Client::new(address).ask("1"), "a:1");
    weir.reload(&with("http", "tcp"));
    assert_eq!(weir_tests::get(address, "/").text(), "web");
    eventually("its flow has ended", || flows(&weir) == 0);
    weir.reload(&with("udp", "udp"));
    assert_eq!(Client::new(address).ask("2"), "a:2");
    eventually("nobody accepts", || std::net::TcpStream::connect(address).is_err());
    // Two processes never share an address, nor do two of one.
    UdpSocket::bind(address).unwrap_err();
}
