//! hyper against the guard: what passes, hyper's server reads as the same messages; and what the table in
//! [`super::super`] says that hyper lets through, it does.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

use super::super::Progress;
use super::{LIMITS, run_requests};

const SENTINEL: &[u8] = b"GET /sentinel HTTP/1.1\r\nHost: s\r\n\r\n";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    method: String,
    target: String,
    body: Vec<u8>,
}

/// The requests that hyper made of `stream`, and the first status it answered that no service gave.
fn hyper_reads(stream: &[u8]) -> (Vec<Seen>, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(stream).await.unwrap();
        client.shutdown().await.unwrap();
        let seen = Rc::new(RefCell::new(Vec::new()));
        let service = hyper::service::service_fn(|request: Request<Incoming>| answer(request, &seen));
        let result = hyper::server::conn::http1::Builder::new()
            .max_headers(LIMITS.fields)
            .max_header_size(LIMITS.head_bytes + 1)
            .half_close(true)
            .serve_connection(Adapter(server), service)
            .await;
        drop(result);
        let mut answers = String::new();
        client.read_to_string(&mut answers).await.unwrap();
        let refusal = answers
            .lines()
            .find(|line| line.starts_with("HTTP/1.") && !line.contains(" 418 ") && !line.contains(" 100 "));
        (seen.borrow().clone(), refusal.map(str::to_owned))
    })
}

/// 418, so that a CONNECT does not become a tunnel and a refusal by hyper itself stands out.
async fn answer(
    request: Request<Incoming>,
    seen: &RefCell<Vec<Seen>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let target = head.uri.to_string();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(error) => format!("body error: {error}").into_bytes(),
    };
    seen.borrow_mut().push(Seen { method: head.method.to_string(), target, body });
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::IM_A_TEAPOT;
    Ok(response)
}

#[test]
fn hyper_lets_through_what_the_table_says() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\n";
    for stream in [
        "\r\n\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\nHost: a\n\n".to_owned(),
        format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(100)),
        "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET /\u{e9}\" HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET http://a?q HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET a:1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(),
        "GET / HTTP/1.1\r\nHost: a, b/c\r\n\r\n".to_owned(),
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
        format!("{post}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\nContent-Length: x\r\n\r\n0\r\n\r\n"),
        format!("{post}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
        format!("{post}Transfer-Encoding: x, chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 1\r\n\r\nx".to_owned(),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n1 \t\r\nx\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n1;\0\r\nx\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n{}1\r\nx\r\n0\r\n\r\n", "0".repeat(100)),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\n\r\n\r\n"),
    ] {
        let (seen, refusal) = hyper_reads(stream.as_bytes());
        assert_eq!((seen.len(), refusal), (1, None), "{stream:?}");
        assert!(!seen[0].body.starts_with(b"body error"), "{stream:?}: {seen:?}");
        let outcome = run_requests(stream.as_bytes(), &[]);
        assert!(outcome.last.is_err(), "{stream:?}: {outcome:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Two requests on one connection, and in a stream of nearly right ones each that passes: hyper gets all,
    /// with the same method, target and body.
    #[test]
    fn hyper_reads_what_passes_as_we_do(first in request(), second in request(), break_at in broken()) {
        let mut stream = [first.as_slice(), &second].concat();
        if let Some((at, byte)) = break_at {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        stream.extend_from_slice(SENTINEL);
        let outcome = run_requests(&stream, &[]);
        if break_at.is_none() {
            prop_assert_eq!(outcome.last, Ok(Progress::MessageComplete));
            prop_assert_eq!(&outcome.ends[..2], &[first.len(), first.len() + second.len()]);
        }
        let whole = &outcome.passed[..outcome.ends.last().copied().unwrap_or(0)];
        let mut start = 0;
        let messages: Vec<&[u8]> =
            outcome.ends.iter().map(|&end| &whole[std::mem::replace(&mut start, end)..end]).collect();
        let (seen, refusal) = hyper_reads(whole);
        prop_assert_eq!(refusal, None);
        // a broken `Connection: keep-alive` ends an HTTP/1.0 connection after that request
        let read = match seen.len() {
            0 => messages.len(),
            read if memchr::memmem::find(messages[read - 1], b"HTTP/1.0").is_some() => read,
            _other => messages.len(),
        };
        let messages: Vec<Seen> = messages[..read].iter().map(|message| expected(message)).collect();
        prop_assert_eq!(seen, messages);
    }
}

/// A byte to overwrite.
fn broken() -> impl Strategy<Value = Option<(prop::sample::Index, u8)>> {
    let bytes = prop_oneof![prop::sample::select(&b"\r\n\0 \t:,;#/0x\"\x0b\x80"[..]), any::<u8>()];
    prop::option::of((any::<prop::sample::Index>(), bytes))
}

/// A valid request. HTTP/1.0 ones ask to be kept alive, or hyper would not read the next.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        ("[A-Z]{1,8}|[!#$%&'*+.^_`|~a-z0-9-]{1,20}", "/[!$%&'()*+,./:;=@A-Za-z0-9_{|}~^\\[\\]\\\\-]{0,40}")
            .prop_map(|(method, path)| (method, path, "a".to_owned())),
        ("GET|PUT", "/[a-z/]{0,9}\\?[!$%&'()*+,./:;=@A-Za-z0-9_{|}~^?`\\[\\]\\\\-]{0,40}")
            .prop_map(|(method, target)| (method, target, "a".to_owned())),
        ("[a-z][a-z0-9.-]{0,20}(:[1-9][0-9]{0,3})?|\\[::1\\]:8080", "(/[a-z]{0,5})?", "http|HTTPS")
            .prop_map(|(host, path, scheme)| ("GET".to_owned(), format!("{scheme}://{host}{path}"), host)),
        "[a-z]{1,9}:[1-9][0-9]{0,3}".prop_map(|host| ("CONNECT".to_owned(), host.clone(), host)),
        Just(("OPTIONS".to_owned(), "*".to_owned(), String::new())),
    ];
    let fields =
        prop::collection::vec("X-[!#$%&'*+.^_`|~A-Za-z0-9-]{1,12}:[ \t]{0,2}[ -~\u{e9}\t]{0,30}", 0..4);
    let blank = prop::bool::weighted(0.2);
    (blank, start, any::<bool>(), fields, body()).prop_map(
        |(blank, (method, target, host), old, fields, body)| {
            let version = if old { "HTTP/1.0" } else { "HTTP/1.1" };
            let mut head = if blank { "\r\n".to_owned() } else { String::new() };
            head += &format!("{method} {target} {version}\r\nHost: {host}\r\n");
            for field in fields {
                head += &format!("{field}\r\n");
            }
            if old {
                head += "Connection: keep-alive\r\n";
            }
            match body {
                Some((_chunks, _trailers)) if method == "CONNECT" => (head + "\r\n").into_bytes(),
                None => (head + "\r\n").into_bytes(),
                Some((chunks, _trailers)) if old => {
                    let data = chunks.concat();
                    let head = format!("{head}Content-Length: {}\r\n\r\n", data.len());
                    [head.as_bytes(), &data].concat()
                }
                Some((chunks, trailers)) => {
                    let mut message = format!("{head}Transfer-Encoding: Chunked\r\n\r\n").into_bytes();
                    for chunk in chunks {
                        message.extend_from_slice(format!("{:X};e=\"x y\"\r\n", chunk.len()).as_bytes());
                        message.extend_from_slice(&chunk);
                        message.extend_from_slice(b"\r\n");
                    }
                    message.extend_from_slice(format!("00\r\n{trailers}\r\n").as_bytes());
                    message
                }
            }
        },
    )
}

type Chunks = (Vec<Vec<u8>>, String);

fn body() -> impl Strategy<Value = Option<Chunks>> {
    let chunk = prop::collection::vec(any::<u8>(), 1..40);
    let trailers = prop_oneof![Just(String::new()), Just("T: u\r\nV: \r\n".to_owned())];
    prop::option::of((prop::collection::vec(chunk, 0..4), trailers))
}

/// A second reader, as plain as can be, for messages that passed.
fn expected(message: &[u8]) -> Seen {
    let message = message.strip_prefix(b"\r\n").unwrap_or(message);
    let head_end = memchr::memmem::find(message, b"\r\n\r\n").unwrap() + 4;
    let (head, mut body) = message.split_at(head_end);
    let line_end = memchr::memmem::find(head, b"\r\n").unwrap();
    let line = std::str::from_utf8(&head[..line_end]).unwrap();
    let mut parts = line.split(' ');
    let (method, target) = (parts.next().unwrap().to_owned(), parts.next().unwrap());
    let lower = head.to_ascii_lowercase();
    let body = if memchr::memmem::find(&lower, b"\r\ntransfer-encoding:").is_some() {
        let mut data = Vec::new();
        loop {
            let end = memchr::memmem::find(body, b"\r\n").unwrap();
            let line = String::from_utf8_lossy(&body[..end]).into_owned();
            let size = usize::from_str_radix(line.split(';').next().unwrap(), 16).unwrap();
            if size == 0 {
                break data;
            }
            data.extend_from_slice(&body[end + 2..end + 2 + size]);
            body = &body[end + 2 + size + 2..];
        }
    } else {
        body.to_vec()
    };
    Seen { method, target: target.parse::<http::Uri>().unwrap().to_string(), body }
}

/// tokio's stream with hyper's traits.
struct Adapter(DuplexStream);

impl hyper::rt::Read for Adapter {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut cursor: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut space = [0; 4096];
        let length = cursor.remaining().min(space.len());
        let mut buffer = tokio::io::ReadBuf::new(&mut space[..length]);
        let result = Pin::new(&mut self.0).poll_read(context, &mut buffer);
        cursor.put_slice(buffer.filled());
        result
    }
}

impl hyper::rt::Write for Adapter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
