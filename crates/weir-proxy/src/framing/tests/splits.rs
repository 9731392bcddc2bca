//! The verdict, the message boundaries and the bytes that pass do not depend on how the stream arrives.

use http::Method;
use proptest::prelude::*;

use super::{Outcome, run_requests, run_response};

/// Pieces of which streams are made that are nearly right, so that all states are reached.
const PIECES: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST /a?b HTTP/1.1\r\n",
    "GET http://a/ HTTP/1.1\r\n",
    "CONNECT a:1 HTTP/1.0\r\n",
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.1 100 C\r\n\r\n",
    "HTTP/1.0 204\r\n",
    "Host: a\r\n",
    "Host: b\r\n",
    "Content-Length: 3\r\n",
    "Transfer-Encoding: chunked\r\n",
    "X: y\r\n",
    "X: y\r\n z\r\n",
    "\r\n",
    "\r\n",
    "\n",
    "\r",
    " ",
    "\0",
    "abc",
    "0\r\n",
    "3\r\nabc\r\n",
    "3;e=f\r\nabc\r\n",
    "0\r\n\r\n",
    "0\r\nT: u\r\n\r\n",
    "GET /",
    "HTTP/1.1",
    "long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long-long",
];

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 1..40);
    let whole = prop_oneof![
        Just("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Just("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        Just("HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n"),
        Just(""),
    ];
    let mutation = (any::<prop::sample::Index>(), any::<u8>());
    (whole, pieces, prop::option::of(mutation)).prop_map(|(whole, pieces, mutation)| {
        let mut bytes = [whole, &pieces.concat()].concat().into_bytes();
        if let Some((at, byte)) = mutation {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

/// A message that is refused in its body may have been passed up to there, or not at all: that is the one
/// thing the split decides.
fn of(mut outcome: Outcome) -> Outcome {
    if outcome.last.is_err() {
        outcome.passed.truncate(outcome.ends.last().copied().unwrap_or(0));
    }
    outcome
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn requests(stream in stream(), cuts in prop::collection::vec(0usize..400, 0..12)) {
        let whole = of(run_requests(&stream, &[]));
        prop_assert_eq!(of(run_requests(&stream, &cuts)), whole.clone());
        let every_byte: Vec<usize> = (0..stream.len()).collect();
        prop_assert_eq!(of(run_requests(&stream, &every_byte)), whole);
    }

    #[test]
    fn responses(stream in stream(), cuts in prop::collection::vec(0usize..400, 0..12)) {
        for method in [Method::GET, Method::HEAD, Method::CONNECT] {
            let whole = of(run_response(&method, &stream, &[]));
            prop_assert_eq!(of(run_response(&method, &stream, &cuts)), whole.clone());
            let every_byte: Vec<usize> = (0..stream.len()).collect();
            prop_assert_eq!(of(run_response(&method, &stream, &every_byte)), whole);
        }
    }
}
