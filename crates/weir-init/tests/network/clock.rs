//! The clock's thread against an NTP server of a few lines, with a clock that is only written down.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use weir_config::model::Time;
use weir_init::clock::{Clock, Surroundings, SystemClock};
use weir_init::{Event, Teller};
use weir_tests::{Directory, eventually};

use crate::namespace::Namespace;
use crate::servers::Dnsmasq;

/// What was done to the clock.
#[derive(Debug, Clone, PartialEq)]
enum Done {
    Step(f64),
    RunAt(f64),
    Synchronised,
}

#[derive(Debug, Clone, Default)]
struct Record(Arc<Mutex<Vec<Done>>>);

impl Record {
    fn note(&self, done: Done) -> Result<(), String> {
        self.0.lock().unwrap().push(done);
        Ok(())
    }

    fn all(&self) -> Vec<Done> {
        self.0.lock().unwrap().clone()
    }
}

impl SystemClock for Record {
    fn step(&self, seconds: f64) -> Result<(), String> {
        self.note(Done::Step(seconds))
    }

    fn run_at(&self, ppm: f64) -> Result<(), String> {
        self.note(Done::RunAt(ppm))
    }

    fn synchronised(&self) -> Result<(), String> {
        self.note(Done::Synchronised)
    }
}

/// A server that is ahead of the real clock; its first `silent` questions go unanswered.
fn serve(ahead: Duration, silent: usize) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 48];
        for asked in 0.. {
            let Ok((48, from)) = socket.recv_from(&mut question) else { continue };
            if asked < silent {
                continue;
            }
            let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + ahead;
            let seconds = u32::try_from((time.as_secs() + 2_208_988_800) & 0xffff_ffff).unwrap();
            let fraction = u32::try_from((u64::from(time.subsec_nanos()) << 32) / 1_000_000_000).unwrap();
            let stamp = [seconds.to_be_bytes(), fraction.to_be_bytes()].concat();
            // Server, version 4, stratum 2; the reference is some address; when asked, when heard, when answered.
            let mut answer = vec![0x24, 2, 0, 0xec, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1];
            answer.extend(&stamp);
            answer.extend(&question[40..48]);
            answer.extend(&stamp);
            answer.extend(&stamp);
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

fn time(servers: &[&str]) -> Time {
    Time { servers: servers.iter().map(|server| Arc::from(*server)).collect(), ..Time::default() }
}

fn surroundings(port: u16) -> Surroundings {
    Surroundings { port, ..Surroundings::default() }
}

#[test]
fn the_clock_is_set_at_once_and_it_is_told() {
    let server = serve(Duration::from_secs(86_400), 0);
    let (teller, events) = Teller::channel();
    let record = Record::default();
    let clock = Clock::start_at(
        &time(&["127.0.0.1"]),
        Box::new(Vec::new),
        teller,
        Box::new(record.clone()),
        surroundings(server.port()),
    );
    assert!(clock.wait(Duration::from_secs(10)));
    let [Done::Step(offset), Done::RunAt(ppm), Done::Synchronised] = record.all()[..] else {
        panic!("{record:?}")
    };
    assert!((offset - 86_400.0).abs() < 1.0 && ppm == 0.0, "{offset} {ppm}");
    let event = events.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(&event, Event::Clock(server) if server == "127.0.0.1"), "{event:?}");
    assert_eq!(clock.status().server.as_deref(), Some("127.0.0.1"));
}

#[test]
fn a_server_that_does_not_answer_at_first_is_asked_again() {
    let server = serve(Duration::ZERO, 2);
    let (teller, _events) = Teller::channel();
    let record = Record::default();
    let clock = Clock::start_at(
        &time(&["127.0.0.1"]),
        Box::new(Vec::new),
        teller,
        Box::new(record),
        surroundings(server.port()),
    );
    assert!(!clock.wait(Duration::from_millis(10)));
    assert!(clock.wait(Duration::from_secs(20)));
}

#[test]
fn servers_of_dhcp_are_asked_as_soon_as_they_are_known() {
    let server = serve(Duration::ZERO, 0);
    let (teller, _events) = Teller::channel();
    let offered = Arc::new(Mutex::new(Vec::new()));
    let asked = Arc::clone(&offered);
    let directory = Directory::new();
    let surroundings = Surroundings { port: server.port(), resolv_conf: directory.file("resolv.conf") };
    let provider = Box::new(move || asked.lock().unwrap().clone());
    let clock = Clock::start_at(&time(&[]), provider, teller, Box::new(Record::default()), surroundings);
    assert!(!clock.wait(Duration::from_millis(50)), "nobody can say who pool.ntp.org is");
    offered.lock().unwrap().push(server.ip());
    clock.nudge();
    assert!(clock.wait(Duration::from_secs(10)));
}

#[test]
fn other_servers_are_asked_when_the_file_names_them() {
    let server = serve(Duration::ZERO, 0);
    let (teller, _events) = Teller::channel();
    let clock = Clock::start_at(
        &time(&["127.0.0.2"]),
        Box::new(Vec::new),
        teller,
        Box::new(Record::default()),
        surroundings(server.port()),
    );
    assert!(!clock.wait(Duration::from_millis(50)));
    clock.apply(&time(&["127.0.0.1"]));
    eventually("the other server is asked", || clock.status().server.as_deref() == Some("127.0.0.1"));
}

/// The static binary can't ask glibc.
#[test]
fn names_of_servers_are_looked_up_where_resolv_conf_says() {
    let Some(inside) = Namespace::new() else { return };
    let _names = Dnsmasq::names(&inside, &["--no-resolv", "--address=/time.example.com/127.0.0.1"]);
    let directory = Directory::new();
    let resolv_conf = directory.write("resolv.conf", "search example.org\nnameserver 127.0.0.1\n");
    let (teller, _events) = Teller::channel();
    let clock = inside.run(move || {
        let surroundings = Surroundings { port: serve(Duration::ZERO, 0).port(), resolv_conf };
        Clock::start_at(
            &time(&["time.example.com"]),
            Box::new(Vec::new),
            teller,
            Box::new(Record::default()),
            surroundings,
        )
    });
    assert!(clock.wait(Duration::from_secs(10)));
}
