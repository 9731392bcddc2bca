//! What a head costs. `cargo test -p weir-proxy --profile test-release -- --ignored head_cost --nocapture`

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::super::{HeadLimits, RequestFraming, ResponseFraming};

const REQUEST: &[u8] = b"GET /catalogue/items/1234567?sort=price&page=2 HTTP/1.1\r\n\
    Host: www.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Accept-Encoding: gzip, deflate, br\r\n\
    Referer: https://www.example.com/catalogue\r\n\
    Cookie: session=4b1f8a2c9d3e4f5a6b7c8d9e0f1a2b3c; theme=dark\r\n\
    Connection: keep-alive\r\n\
    Upgrade-Insecure-Requests: 1\r\n\
    X-Request-Id: 01J9ZK3V7M8N5P2Q4R6S8T0W2Y\r\n\r\n";

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sun, 22 Nov 2026 19:43:00 GMT\r\n\
    Content-Type: text/html; charset=utf-8\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\
    Cache-Control: private, max-age=0\r\nVary: Accept-Encoding\r\n\r\n";

#[test]
#[ignore = "a measurement, for a release build"]
fn head_cost() {
    let limits = HeadLimits { head_bytes: 16 * 1024, fields: 100, uri_bytes: 8 * 1024 };
    let mut guard = RequestFraming::new(limits, 1 << 20);
    let request = best_of_batches(|| {
        let _advance = black_box(guard.advance(black_box(REQUEST)).unwrap());
    });
    let mut guard = ResponseFraming::new(limits);
    let response = best_of_batches(|| {
        guard.expect(&http::Method::GET);
        let _advance = black_box(guard.advance(black_box(RESPONSE)).unwrap());
    });
    let httparse = best_of_batches(|| {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        black_box(request.parse(black_box(REQUEST)).unwrap());
    });
    println!("request head, 10 fields, {} bytes: {request:?}", REQUEST.len());
    println!("response head, 7 fields, {} bytes: {response:?}", RESPONSE.len());
    println!("the same request, httparse alone: {httparse:?}");
}

/// The time of one round in the batch that was disturbed least.
fn best_of_batches(mut round: impl FnMut()) -> Duration {
    const BATCHES: u32 = 200;
    const ROUNDS: u32 = 5_000;
    let batches = (0..BATCHES).map(|_batch| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_round| round());
        start.elapsed() / ROUNDS
    });
    batches.min().unwrap()
}
