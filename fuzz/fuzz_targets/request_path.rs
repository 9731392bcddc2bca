//! The HTTP/1 guard on bytes of any client, in pieces of any size. The first bytes of the input say how the
//! rest is cut.
//!
//! 1. The verdict and the message boundaries do not depend on the cuts.
//! 2. A head that passed, httparse and `http::Uri` accept, and end at the same byte.

#![no_main]

use http::{Method, Uri};
use weir_proxy::framing::{Advance, HeadLimits, Progress, RequestFraming, Violation};

const LIMITS: HeadLimits = HeadLimits { head_bytes: 2048, fields: 32, uri_bytes: 512 };
const BODY_BYTES_MAX: u64 = 1 << 16;
const CUTS: usize = 8;

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// Where each whole message ended.
    ends: Vec<usize>,
    /// Bytes that passed; not where a body was refused, because then it depends on the cuts.
    passed: Option<usize>,
    last: Result<Progress, Violation>,
}

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let (cuts, stream) = input.split_at(input.len().min(CUTS));
    let mut at = 0;
    let pieces: Vec<usize> = cuts
        .iter()
        .map(|&length| {
            at += usize::from(length);
            at
        })
        .collect();
    let whole = run(stream, &[]);
    assert_eq!(run(stream, &pieces), whole);
    assert_eq!(run(stream, &(0..stream.len()).collect::<Vec<_>>()), whole);
    let mut start = 0;
    for &end in &whole.ends {
        check_head(&stream[start..end]);
        start = end;
    }
});

fn run(stream: &[u8], cuts: &[usize]) -> Outcome {
    let mut guard = RequestFraming::new(LIMITS, BODY_BYTES_MAX);
    let mut outcome = Outcome { ends: Vec::new(), passed: None, last: Ok(Progress::Head) };
    let mut passed = 0;
    let cuts = cuts.iter().copied().filter(|&cut| cut < stream.len()).chain([stream.len()]);
    for cut in cuts {
        loop {
            match guard.advance(&stream[passed..cut]) {
                Err(violation) => {
                    assert_eq!(guard.advance(b""), Err(violation), "a refusal is final");
                    outcome.last = Err(violation);
                    return outcome;
                }
                Ok(Advance { pass, progress, .. }) => {
                    passed += pass;
                    assert!(passed <= cut);
                    outcome.last = Ok(progress);
                    if progress == Progress::MessageComplete {
                        outcome.ends.push(passed);
                    }
                    if pass == 0 || passed == cut {
                        break;
                    }
                }
            }
        }
    }
    outcome.passed = Some(passed);
    outcome
}

fn check_head(message: &[u8]) {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(message).expect("httparse accepts what passes");
    assert!(parsed.is_complete());
    let head = &message[..parsed.unwrap()];
    assert!(head.ends_with(b"\r\n\r\n"));
    assert_eq!(head.windows(4).filter(|four| four == b"\r\n\r\n").count(), 1);
    let method = request.method.expect("complete");
    Method::from_bytes(method.as_bytes()).expect("http accepts the method");
    let target = request.path.expect("complete");
    let uri: Uri = target.parse().expect("http accepts the target");
    assert!(method == "CONNECT" || uri.path_and_query().is_some());
    assert!(uri.authority().is_none_or(|authority| !authority.as_str().contains('@')));
}
