//! Probes against scripted servers on the loopback interface.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;
use crate::model::{Check, CheckKind, HttpCheck, PoolProtocol, StatusRanges};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";

/// What a scripted server does with its one connection, after reading the request's head.
enum Script {
    /// Writes this, then closes in peace.
    Answer(String),
    /// Writes these, with a pause before each, then closes.
    Slow(Vec<&'static str>, Duration),
    /// Writes this and keeps the connection open.
    Hold(&'static str),
    /// Closes without a word.
    Close,
    /// Greets before it reads anything, then waits for the end.
    Greet(&'static str),
}

/// Starts a server and gives its address and, once the connection is over, what it read. The read ends in
/// an error when the prober reset the connection.
async fn server(script: Script) -> (SocketAddr, JoinHandle<std::io::Result<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let served = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut request = Vec::new();
        if !matches!(script, Script::Greet(_)) {
            read_head(&mut stream, &mut request).await?;
        }
        match script {
            Script::Answer(text) => stream.write_all(text.as_bytes()).await?,
            Script::Slow(texts, pause) => {
                for text in texts {
                    tokio::time::sleep(pause).await;
                    stream.write_all(text.as_bytes()).await?;
                }
            }
            Script::Hold(text) | Script::Greet(text) => {
                stream.write_all(text.as_bytes()).await?;
                stream.read_to_end(&mut request).await?;
            }
            Script::Close => {}
        }
        stream.shutdown().await?;
        Ok(String::from_utf8(request).unwrap())
    });
    (address, served)
}

async fn read_head(stream: &mut TcpStream, request: &mut Vec<u8>) -> std::io::Result<()> {
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read_buf(request).await? == 0 {
            break;
        }
    }
    Ok(())
}

fn http_check(http: HttpCheck) -> Check {
    Check::with_defaults(CheckKind::Http(http))
}

async fn probe_script(check: &Check, script: Script) -> ProbeOutcome {
    let (address, _served) = server(script).await;
    probe(check, address, "origin.example:80", PoolProtocol::Http1, None).await
}

fn passed(status: u16) -> ProbeOutcome {
    Ok(Passed { status: Some(StatusCode::from_u16(status).unwrap()) })
}

#[tokio::test]
async fn tcp_connects_and_closes_in_peace_even_when_greeted() {
    let check = Check::with_defaults(CheckKind::Tcp);
    for script in [Script::Hold(""), Script::Greet("220 mail.example ESMTP\r\n")] {
        let (address, served) = server(script).await;
        assert_eq!(probe(&check, address, "", PoolProtocol::Http1, None).await, Ok(Passed { status: None }));
        served.await.unwrap().expect("a close without a reset");
    }
}

#[tokio::test]
async fn refused_is_told_apart() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = probe(&Check::with_defaults(CheckKind::Tcp), address, "", PoolProtocol::Http1, None)
        .await
        .unwrap_err();
    assert_eq!(error, ProbeError::ConnectRefused);
    assert_eq!(error.to_string(), "connection refused");
}

#[tokio::test]
async fn the_checks_own_port_is_probed() {
    let (address, _served) = server(Script::Hold("")).await;
    let check = Check { port: Some(address.port()), ..Check::with_defaults(CheckKind::Tcp) };
    let elsewhere = SocketAddr::new(address.ip(), 1);
    assert_eq!(probe(&check, elsewhere, "", PoolProtocol::Http1, None).await, Ok(Passed { status: None }));
}

#[tokio::test]
async fn the_request_says_who_asks_and_closes() {
    let check = http_check(HttpCheck { path: "/healthz?deep=1".into(), ..HttpCheck::default() });
    let (address, served) = server(Script::Answer(OK.into())).await;
    assert_eq!(probe(&check, address, "origin.example:80", PoolProtocol::Http1, None).await, passed(200));
    let request = served.await.unwrap().unwrap().to_lowercase();
    assert!(request.starts_with("get /healthz?deep=1 http/1.1\r\n"), "{request}");
    for field in ["host: origin.example:80", "connection: close", "user-agent: weir-check/"] {
        assert!(request.contains(field), "{field} in {request}");
    }
}

#[tokio::test]
async fn the_checks_method_and_host_are_sent() {
    let http =
        HttpCheck { method: Method::HEAD, host: Some("www.example.com".into()), ..HttpCheck::default() };
    let (address, served) = server(Script::Answer(OK.into())).await;
    assert_eq!(probe(&http_check(http), address, "other", PoolProtocol::Http1, None).await, passed(200));
    let request = served.await.unwrap().unwrap().to_lowercase();
    assert!(request.starts_with("head / http/1.1\r\n"), "{request}");
    assert!(request.contains("host: www.example.com\r\n"), "{request}");
}

#[tokio::test]
async fn statuses_are_judged_by_the_ranges() {
    let answer = |status: &str| format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
    let check = http_check(HttpCheck::default());
    let error = probe_script(&check, Script::Answer(answer("503 Busy"))).await.unwrap_err();
    assert_eq!(error, ProbeError::BadStatus(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(error.to_string(), "status 503");
    assert_eq!(probe_script(&check, Script::Answer(answer("302 Found"))).await, passed(302));
    let only_204 = http_check(HttpCheck { expect: StatusRanges(vec![(204, 204)]), ..HttpCheck::default() });
    assert!(probe_script(&only_204, Script::Answer(answer("200 OK"))).await.is_err());
}

#[tokio::test]
async fn the_expected_text_is_found_across_pieces_and_an_endless_body() {
    let check = http_check(HttpCheck { body_contains: Some("hello".into()), ..HttpCheck::default() });
    assert_eq!(probe_script(&check, Script::Answer(OK.into())).await, passed(200));

    let pieces = vec!["HTTP/1.1 200 OK\r\n\r\nhe", "ll", "o"];
    let slow = Script::Slow(pieces, Duration::from_millis(20));
    assert_eq!(probe_script(&check, slow).await, passed(200));

    let endless = Script::Hold("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    assert_eq!(probe_script(&check, endless).await, passed(200));
}

#[tokio::test]
async fn the_expected_text_is_looked_for_in_the_first_64_kib_only() {
    let check = http_check(HttpCheck { body_contains: Some("hello".into()), ..HttpCheck::default() });
    let body =
        |before: usize| format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}hello", "x".repeat(before));
    assert_eq!(probe_script(&check, Script::Answer(body((64 << 10) - 5))).await, passed(200));
    let late = probe_script(&check, Script::Answer(body((64 << 10) - 4))).await;
    assert_eq!(late, Err(ProbeError::BodyMismatch));
    let without = Script::Answer("HTTP/1.1 204 No Content\r\n\r\n".into());
    assert_eq!(probe_script(&check, without).await, Err(ProbeError::BodyMismatch));
}

#[tokio::test]
async fn a_close_without_an_answer_and_a_cut_body_are_no_answer() {
    let check = http_check(HttpCheck { body_contains: Some("hello".into()), ..HttpCheck::default() });
    assert_eq!(probe_script(&check, Script::Close).await, Err(ProbeError::NoAnswer));
    let cut = Script::Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhell".into());
    assert_eq!(probe_script(&check, cut).await, Err(ProbeError::NoAnswer));
}

#[tokio::test]
async fn garbage_is_malformed() {
    let check = http_check(HttpCheck::default());
    for text in ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/1.1 two hundred\r\n\r\n", "\0\0\0\0\0\0\0\0\r\n\r\n"] {
        let error = probe_script(&check, Script::Answer(text.into())).await.unwrap_err();
        assert!(matches!(error, ProbeError::Malformed(_)), "{text:?}: {error:?}");
    }
    let head = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    let error = probe_script(&check, Script::Answer(head)).await.unwrap_err();
    assert!(matches!(error, ProbeError::Malformed(_)), "{error:?}");
}

#[tokio::test]
async fn a_server_that_never_ends_its_answer_is_bounded_by_the_timeout() {
    let timeout = Duration::from_millis(150);
    let http = HttpCheck { body_contains: Some("hello".into()), ..HttpCheck::default() };
    let check = Check { timeout, ..http_check(http) };
    let scripts = [
        Script::Hold(""),
        Script::Hold("HTTP/1.1 200 OK\r\nX-Half: "),
        Script::Hold("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhell"),
        Script::Slow(vec!["H"; 100], Duration::from_millis(20)),
    ];
    for script in scripts {
        let started = Instant::now();
        assert_eq!(probe_script(&check, script).await, Err(ProbeError::Timeout));
        assert!(started.elapsed() >= timeout && started.elapsed() < timeout * 10);
    }
}

#[tokio::test]
async fn a_status_is_enough_for_a_check_without_a_text() {
    let stalled = Script::Hold("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhell");
    assert_eq!(probe_script(&http_check(HttpCheck::default()), stalled).await, passed(200));
}

#[tokio::test]
async fn a_request_that_can_not_be_built_is_the_checks_own_fault() {
    let check = http_check(HttpCheck { host: Some("bad\nhost".into()), ..HttpCheck::default() });
    let error = probe_script(&check, Script::Close).await.unwrap_err();
    assert!(matches!(error, ProbeError::LocalRequest(_)), "{error:?}");
}
