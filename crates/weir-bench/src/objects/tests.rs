//! The origin over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn server() -> Server {
    let mut options = Options::new((Ipv4Addr::LOCALHOST, 0).into());
    options.threads = Some(2);
    Server::start(&options).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What comes until the connection ends.
fn ask(server: &Server, request: &str) -> Vec<u8> {
    let mut stream = connect(server);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn objects_have_the_size_that_was_asked_for() {
    let server = server();
    for (size, bytes) in [("0", 0), ("1", 1), ("64k", 65_536), ("1m", 1 << 20), ("9m", 9 << 20)] {
        let answer = ask(&server, &format!("GET /?s={size} HTTP/1.0\r\n\r\n"));
        let at = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(answer.len() - at, bytes, "{size}");
        let head = String::from_utf8_lossy(&answer[..at]);
        assert!(head.contains(&format!("Content-Length: {bytes}\r\n")), "{head}");
    }
}

#[test]
fn a_connection_goes_on_with_requests_that_come_together_or_in_pieces() {
    let server = server();
    let mut stream = connect(&server);
    stream
        .write_all(b"GET /?s=0 HTTP/1.1\r\n\r\nPOST /?s=0&r=201 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel")
        .unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
    stream.write_all(b"loGET /?s=0&r=404 HT").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 201 "));
    stream.write_all(b"TP/1.1\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 404 "));
    stream
        .write_all(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        .unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 100 "));
    stream.write_all(b"3\r\nabc\r\n0\r\n\r\n").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
}

#[test]
fn an_answer_can_be_late_and_can_go_wrong() {
    let server = server();
    let asked = Instant::now();
    assert!(ask(&server, "GET /?t=120&C=1 HTTP/1.1\r\n\r\n").starts_with(b"HTTP/1.1 200 "));
    assert!(asked.elapsed() >= Duration::from_millis(120), "{:?}", asked.elapsed());
    let short = ask(&server, "GET /?s=1000&fail=short HTTP/1.1\r\n\r\n");
    let text = String::from_utf8_lossy(&short);
    assert!(text.contains("Content-Length: 1000\r\n") && short.len() < 900, "{text}");
    assert!(ask(&server, "GET /?fail=end HTTP/1.1\r\n\r\n").is_empty());
    assert!(ask(&server, "GET /?fail=garbage HTTP/1.1\r\n\r\n").starts_with(b"This is no HTTP"));
    let mut stream = connect(&server);
    stream.write_all(b"GET /?s=10&fail=reset HTTP/1.1\r\n\r\n").unwrap();
    let broken = stream.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn what_is_no_request_or_no_wish_is_answered_with_a_reason() {
    let server = server();
    let answer = String::from_utf8(ask(&server, "GET /?sise=1 HTTP/1.0\r\n\r\n")).unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 ") && answer.contains("no parameter `sise`"), "{answer}");
    let answer = String::from_utf8(ask(&server, "nonsense\r\n\r\n")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
}

#[test]
fn its_counters_are_exact_and_leave_out_who_reads_them() {
    let server = server();
    for _ in 0..7 {
        ask(&server, "GET /?s=10 HTTP/1.0\r\n\r\n");
    }
    let mut stream = connect(&server);
    for _ in 0..5 {
        stream.write_all(b"GET /?s=0 HTTP/1.1\r\n\r\n").unwrap();
        head(&mut stream);
    }
    let text = ask(&server, "GET /stats HTTP/1.0\r\n\r\n");
    let at = text.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let stats: Stats = serde_json::from_slice(&text[at..]).unwrap();
    let sum = stats.sum();
    assert_eq!((sum.connections, sum.open, sum.requests, sum.answers), (8, 1, 12, 12));
    assert_eq!((stats.schema.as_str(), stats.version, stats.threads.len()), (SCHEMA, VERSION, 2));
}

#[test]
fn connections_are_bounded_and_idle_ones_end() {
    let mut options = Options::new((Ipv4Addr::LOCALHOST, 0).into());
    (options.threads, options.connections_max) = (Some(1), 2);
    options.idle = Duration::from_millis(300);
    let server = Server::start(&options).unwrap();
    let mut idle = [connect(&server), connect(&server)];
    // The third is answered when one of the two has been idle for too long.
    assert!(ask(&server, "GET / HTTP/1.0\r\n\r\n").starts_with(b"HTTP/1.0 200 "));
    for stream in &mut idle {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}
