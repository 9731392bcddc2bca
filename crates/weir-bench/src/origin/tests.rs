//! Every answer of the origin server, as a plain socket sees it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

async fn start(origin: Origin) -> (SocketAddr, JoinHandle<Infallible>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(origin.serve(listener)))
}

/// Sends `request` as it stands and reads to the end of the connection.
async fn exchange(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.expect("in time").unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer.split_off(end))
}

async fn get(path: &str, fields: &str) -> (String, String) {
    let (address, _served) = start(Origin::new("blue")).await;
    let request = format!("GET {path} HTTP/1.1\r\nHost: h.example\r\n{fields}Connection: close\r\n\r\n");
    let (head, body) = exchange(address, &request).await;
    (head, String::from_utf8(body).unwrap())
}

#[tokio::test]
async fn the_page_says_who_answered_and_what_arrived() {
    let (head, body) =
        get("/some/where?q=1", "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n").await;
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("content-type: text/plain") && head.contains("x-origin: blue\r\n"), "{head}");
    for line in [
        "Hello from blue.",
        "request: GET /some/where?q=1 HTTP/1.1",
        "host: h.example",
        "x-forwarded-for: 192.0.2.1\nx-forwarded-for: 192.0.2.2",
    ] {
        assert!(body.contains(line), "{line} in {body}");
    }
}

#[tokio::test]
async fn the_page_for_browsers_escapes_what_arrived() {
    let (head, body) = get("/", "Accept: text/html\r\nUser-Agent: <script>'&\"\r\n").await;
    assert!(head.contains("content-type: text/html"), "{head}");
    assert!(body.contains("<h1>Hello from blue</h1>"), "{body}");
    assert!(body.contains("&lt;script&gt;&#39;&amp;&quot;") && !body.contains("<script"), "{body}");
}

#[tokio::test]
async fn health_is_ok() {
    let (head, body) = get("/healthz", "").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(body, "ok");
}

#[tokio::test]
async fn fields_come_back_as_json() {
    let (head, body) = get("/headers", "X-A: 1\r\nX-B: 2\r\nx-a: \"3\r\n").await;
    assert!(head.contains("content-type: application/json"), "{head}");
    let fields: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(fields["x-a"], serde_json::json!(["1", "\"3"]));
    assert_eq!(fields["host"], serde_json::json!(["h.example"]));
}

#[tokio::test]
async fn sizes_are_exact_and_bounded() {
    for size in [0, 1, 65_536, 200_001] {
        let (head, body) = get(&format!("/size/{size}"), "").await;
        assert!(head.contains(&format!("content-length: {size}\r\n")), "{head}");
        assert_eq!(body.len(), size);
    }
    let (address, _served) = start(Origin::new("blue")).await;
    let request = "HEAD /size/1073741824 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let (head, body) = exchange(address, request).await;
    assert!(head.contains("content-length: 1073741824\r\n") && body.is_empty(), "{head}");
    for wrong in ["/size/1073741825", "/size/", "/size/-1", "/size/x", "/size"] {
        assert!(get(wrong, "").await.0.starts_with("http/1.1 400"), "{wrong}");
    }
}

#[tokio::test]
async fn sizes_may_be_asked_for_in_the_query() {
    for (asked, bytes) in [("0", 0), ("70", 70), ("1k", 1024), ("64k", 65_536), ("1m", 1 << 20)] {
        let (head, body) = get(&format!("/?a=1&s={asked}"), "").await;
        assert!(head.contains(&format!("content-length: {bytes}\r\n")), "{head}");
        assert_eq!(body.len(), bytes);
    }
    for wrong in ["", "k", "x", "-1", "1kk", "1g", "1025m", "18014398509481985k"] {
        assert!(get(&format!("/?s={wrong}"), "").await.0.starts_with("http/1.1 400"), "{wrong}");
    }
    assert!(get("/?size=1", "").await.1.contains("Hello from blue"));
}

#[tokio::test]
async fn delays_are_kept_and_bounded() {
    let started = Instant::now();
    let (head, body) = get("/delay/120", "").await;
    assert!(started.elapsed() >= Duration::from_millis(120));
    assert!(head.starts_with("http/1.1 200") && body.contains("Hello from blue"), "{head}{body}");
    assert!(get("/delay/60001", "").await.0.starts_with("http/1.1 400"));
}

#[tokio::test]
async fn statuses_are_given_as_asked() {
    for code in [200, 204, 304, 404, 503, 599] {
        let (head, body) = get(&format!("/status/{code}"), "").await;
        assert!(head.starts_with(&format!("http/1.1 {code}")) && body.is_empty(), "{head}{body}");
    }
    for wrong in ["/status/100", "/status/600", "/status/x", "/status/"] {
        assert!(get(wrong, "").await.0.starts_with("http/1.1 400"), "{wrong}");
    }
}

#[tokio::test]
async fn a_body_of_known_length_is_echoed_with_it() {
    let (address, _served) = start(Origin::new("blue")).await;
    let body = "x".repeat(300_000);
    let request = concat!(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Type: text/x\r\n",
        "Content-Length: 300000\r\nConnection: close\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let send = async {
        writer.write_all(request.as_bytes()).await.unwrap();
        writer.write_all(body.as_bytes()).await.unwrap();
    };
    let mut answer = String::new();
    let (_, read) = tokio::join!(send, reader.read_to_string(&mut answer));
    read.unwrap();
    let (head, echoed) = answer.split_once("\r\n\r\n").expect("a head");
    let head = head.to_lowercase();
    assert!(head.contains("content-length: 300000") && head.contains("content-type: text/x"), "{head}");
    assert!(echoed == body);
}

#[tokio::test]
async fn a_chunked_body_is_echoed_while_it_arrives() {
    let (address, _served) = start(Origin::new("blue")).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(b"5\r\nfirst\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"5\r\nfirst\r\n") {
        let read = timeout(Duration::from_secs(10), stream.read_buf(&mut answer)).await.expect("in time");
        assert!(read.unwrap() > 0, "closed early");
    }
    stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").await.unwrap();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"4\r\nlast\r\n0\r\n\r\n"));
}

#[tokio::test]
async fn a_connection_serves_several_requests() {
    let (address, _served) = start(Origin::new("blue")).await;
    let one = "GET /healthz HTTP/1.1\r\nHost: h\r\n";
    let (_, rest) = exchange(address, &format!("{one}\r\n{one}Connection: close\r\n\r\n")).await;
    assert!(String::from_utf8(rest).unwrap().contains("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn connections_are_bounded_and_the_next_one_waits() {
    let (address, _served) = start(Origin { connections_max: 1, ..Origin::new("blue") }).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(first.read(&mut [0; 1000]).await.unwrap() > 0);

    let second = exchange(address, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    let mut second = std::pin::pin!(second);
    assert!(timeout(Duration::from_millis(100), &mut second).await.is_err());
    drop(first);
    assert!(second.await.0.starts_with("http/1.1 200"));
}

#[tokio::test]
async fn a_silent_or_slow_client_is_let_go() {
    let head_timeout = Duration::from_millis(100);
    let (address, _served) = start(Origin { head_timeout, ..Origin::new("blue") }).await;
    for sent in ["", "GET / HTTP/1.1\r\nHos"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "still open after {sent:?}");
    }
}

#[tokio::test]
async fn the_end_of_the_future_closes_its_connections() {
    let (address, served) = start(Origin::new("blue")).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
    assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
    served.abort();
    assert_eq!(
        timeout(Duration::from_secs(10), stream.read(&mut [0; 10])).await.expect("in time").unwrap(),
        0
    );
}
