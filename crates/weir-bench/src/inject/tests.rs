//! The injector against the origin, over real sockets.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::options::{Mode, Reuse};
use super::outcome::{ErrorKind, Limit, Phase};
use super::*;
use crate::harness::certificate::{Certificate, HOST};
use crate::harness::directory::Directory;
use crate::objects::{self, Server};

fn server() -> Server {
    let mut options = objects::Options::new((Ipv4Addr::LOCALHOST, 0).into());
    options.threads = Some(2);
    Server::start(&options).unwrap()
}

fn load(server: &Server, path: &str, users: u32) -> Options {
    let target = format!("http://{}{path}", server.address()).parse().unwrap();
    let mut options = Options::new(target, Mode::Closed { users }, Duration::from_millis(400));
    options.threads = Some(2);
    options
}

#[test]
fn what_is_counted_is_what_the_origin_counted() {
    for (reuse, path) in [
        (Reuse::KeepAlive, "/?s=0"),
        (Reuse::Close, "/?s=0"),
        (Reuse::Requests(7), "/?s=100k"),
        (Reuse::Close, "/?s=300k"),
        (Reuse::KeepAlive, "/?s=9000&k=1"),
    ] {
        let server = server();
        let mut options = load(&server, path, 20);
        options.reuse = reuse;
        let outcome = run(&options, &mut ()).unwrap();
        let origin = server.stats().sum();
        let total = &outcome.total;
        assert_eq!(total.errors.sum(), 0, "{}", total.errors.describe());
        assert_eq!(
            (total.connections, total.requests, total.responses, total.bytes_received, total.bytes_sent),
            (origin.connections, origin.requests, origin.answers, origin.bytes_sent, origin.bytes_received),
            "{reuse:?} {path}"
        );
        assert!(outcome.measured.responses > 0 && outcome.latency.count == outcome.measured.responses);
    }
}

#[test]
fn what_goes_wrong_is_counted_by_its_kind_and_never_averaged_in() {
    let server = server();
    for (path, kind) in [
        ("/?s=1000&fail=short", ErrorKind::Short),
        ("/?s=1000&k=1&fail=short", ErrorKind::Short),
        ("/?s=1000&fail=reset", ErrorKind::Reset),
        ("/?fail=end", ErrorKind::NoAnswer),
        ("/?fail=garbage", ErrorKind::Protocol),
        ("/?fail=hang", ErrorKind::Timeout),
        ("/?s=1000&r=500", ErrorKind::Status),
    ] {
        for reuse in [Reuse::KeepAlive, Reuse::Close] {
            let mut options = load(&server, path, 4);
            options.reuse = reuse;
            options.timeout = Duration::from_millis(if kind == ErrorKind::Timeout { 150 } else { 5000 });
            options.requests_max = Some(40);
            let outcome = run(&options, &mut ()).unwrap();
            let total = &outcome.total;
            assert!(total.errors.of(kind) > 0, "{path} {reuse:?}: {}", total.errors.describe());
            assert_eq!(total.errors.sum(), total.errors.of(kind), "{path}: {}", total.errors.describe());
            assert_eq!((total.responses, outcome.latency.count), (0, 0), "{path}");
            assert_eq!(total.errors.sum(), total.requests, "{path}");
            assert_eq!(outcome.limit, Limit::Errors, "{path}: {:?}", outcome.notes);
        }
    }
}

#[test]
fn what_cannot_be_reached_is_told_before_the_load() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let target = format!("http://{free}/").parse().unwrap();
    let options = Options::new(target, Mode::Closed { users: 1 }, Duration::from_secs(1));
    let error = run(&options, &mut ()).unwrap_err().to_string();
    assert!(error.contains(&free.to_string()) && error.contains("nothing listens there"), "{error}");
    let server = server();
    let mut options = load(&server, "/", 1);
    options.origin_stats = Some(format!("http://{}/?s=10", server.address()).parse().unwrap());
    let error = run(&options, &mut ()).unwrap_err().to_string();
    assert!(error.contains("not what `weir bench origin` tells"), "{error}");
}

#[test]
fn a_rate_is_kept_and_requests_that_wait_for_a_place_have_waited() {
    let server = server();
    let mut options = load(&server, "/?s=10", 50);
    options.mode = Mode::Open { rate: 500.0, users_max: 50 };
    options.duration = Duration::from_secs(1);
    let outcome = run(&options, &mut ()).unwrap();
    assert_eq!(outcome.total.responses + outcome.measured.unsent, 500, "{:?}", outcome.notes);

    // One at a time, of 50 ms each, at 100 a second: the last ones have waited for most of the time.
    let mut options = load(&server, "/?t=50", 1);
    options.mode = Mode::Open { rate: 100.0, users_max: 1 };
    options.duration = Duration::from_secs(1);
    let outcome = run(&options, &mut ()).unwrap();
    let latency = &outcome.latency;
    assert!(latency.min_us >= 50e3 && latency.max_us > 500e3, "{latency:?}");
    assert!(latency.p50_us > 200e3, "{latency:?}");
    assert!(outcome.measured.unsent > 50, "{:?}", outcome.measured);
    assert_eq!(outcome.total.requests + outcome.measured.unsent, 100);
}

#[test]
fn a_number_of_requests_is_exact_and_a_warm_up_is_not_measured() {
    let server = server();
    let mut options = load(&server, "/?s=10", 7);
    options.requests_max = Some(1001);
    options.duration = Duration::from_secs(60);
    let outcome = run(&options, &mut ()).unwrap();
    assert_eq!((outcome.total.responses, outcome.measured.responses), (1001, 1001));
    assert!(outcome.measured_seconds > 0.0 && outcome.measured_seconds < 60.0);

    let mut options = load(&server, "/?s=10&t=1", 3);
    (options.ramp_up, options.warm_up) = (Duration::from_millis(200), Duration::from_millis(200));
    let mut seen = Seen::default();
    let outcome = run(&options, &mut seen).unwrap();
    assert!(outcome.measured.responses < outcome.total.responses);
    assert_eq!(seen.phases, [Phase::RampUp, Phase::WarmUp, Phase::Measured]);
    assert_eq!(
        outcome.seconds.iter().map(|second| second.counts.responses).sum::<u64>(),
        outcome.measured.responses
    );
}

#[test]
fn a_run_can_be_broken_off() {
    let server = server();
    let mut options = load(&server, "/?s=10", 3);
    options.duration = Duration::from_secs(3600);
    let mut seen = Seen { seconds_max: 1, ..Seen::default() };
    let outcome = run(&options, &mut seen).unwrap();
    assert!(outcome.is_broken_off && outcome.measured.responses > 0);
    assert!((1.0..60.0).contains(&outcome.measured_seconds), "{}", outcome.measured_seconds);
}

#[test]
fn the_origin_is_asked_what_it_did() {
    const USERS: u64 = 3;
    let server = server();
    let mut options = load(&server, "/?s=10", u32::try_from(USERS).unwrap());
    options.origin_stats = Some(format!("http://{}/stats", server.address()).parse().unwrap());
    let outcome = run(&options, &mut ()).unwrap();
    let origin = outcome.origin.unwrap();
    assert_eq!(origin.threads, 2);
    // It is asked when the time is over, and then each user may wait for an answer still.
    let all = outcome.total.requests;
    assert!((all - USERS..=all).contains(&origin.requests), "{} of {all}", origin.requests);
    assert!(origin.busy > 0.0, "{origin:?}");
}

#[test]
fn tls_is_verified_unless_it_need_not_be() {
    let directory = Directory::new(false).unwrap();
    let files = Certificate::in_directory(directory.path());
    files.make().unwrap();
    let mut origin = objects::Options::new((Ipv4Addr::LOCALHOST, 0).into());
    origin.threads = Some(1);
    origin.tls = Some(objects::TlsFiles { certificate: files.certificate.clone(), key: files.key.clone() });
    let server = Server::start(&origin).unwrap();
    let with = |change: fn(&mut options::Tls, &Certificate), reuse| {
        let target = format!("https://{}/?s=100k", server.address()).parse().unwrap();
        let mut options = Options::new(target, Mode::Closed { users: 4 }, Duration::from_millis(300));
        options.reuse = reuse;
        options.tls.server_name = Some(HOST.into());
        change(&mut options.tls, &files);
        run(&options, &mut ())
    };
    let untrusted = with(|_, _| {}, Reuse::Close).unwrap_err().to_string();
    assert!(untrusted.contains("--ca"), "{untrusted}");
    let other = |tls: &mut options::Tls, files: &Certificate| {
        (tls.ca, tls.server_name) = (Some(files.certificate.clone()), Some("other.example".into()));
    };
    let misnamed = with(other, Reuse::Close).unwrap_err().to_string();
    assert!(misnamed.contains("--server-name"), "{misnamed}");
    for reuse in [Reuse::Close, Reuse::KeepAlive] {
        let trusted = with(|tls, files| tls.ca = Some(files.certificate.clone()), reuse).unwrap();
        let insecure = with(|tls, _| (tls.insecure, tls.resume) = (true, true), reuse).unwrap();
        for outcome in [trusted, insecure] {
            assert_eq!(outcome.total.errors.sum(), 0, "{reuse:?}: {}", outcome.total.errors.describe());
            assert_eq!(outcome.total.body_bytes, outcome.total.responses * 102_400);
            assert!(outcome.measured.responses > 0);
        }
    }
}

/// Remembers, and breaks off after so many seconds, if it is to.
#[derive(Default)]
struct Seen {
    phases: Vec<Phase>,
    seconds_max: usize,
}

impl Progress for Seen {
    fn second(&mut self, second: &Second) {
        self.phases.push(second.phase);
    }

    fn is_cancelled(&self) -> bool {
        self.seconds_max > 0 && self.phases.len() >= self.seconds_max
    }
}
