//! Tests of the guard: what it says (`requests`, `chunks`, `responses`), that it says so however the bytes
//! arrive (`splits`), and that hyper reads what passes as we do and what it would let through (`peer`).

mod chunks;
mod peer;
mod requests;
mod responses;
mod splits;

use super::{Advance, HeadLimits, Progress, RequestFraming, ResponseFraming, Violation};

const LIMITS: HeadLimits = HeadLimits { head_bytes: 1024, fields: 10, uri_bytes: 200 };
const BODY_BYTES_MAX: u64 = 1000;

/// What becomes of a stream that a client sends at once and then leaves open.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Outcome {
    /// All bytes that passed.
    passed: Vec<u8>,
    /// How many bytes had passed at the end of each message.
    ends: Vec<usize>,
    /// The refusal, or where the stream stands.
    last: Result<Progress, Violation>,
}

/// Feeds `stream` in pieces that end at `cuts`, message after message.
fn run(
    stream: &[u8],
    cuts: &[usize],
    mut advance: impl FnMut(&[u8]) -> Result<Advance, Violation>,
) -> Outcome {
    let mut outcome = Outcome { passed: Vec::new(), ends: Vec::new(), last: Ok(Progress::Head) };
    let mut cuts: Vec<usize> = cuts.iter().copied().filter(|&cut| cut < stream.len()).collect();
    cuts.sort_unstable();
    cuts.push(stream.len());
    for cut in cuts {
        loop {
            let start = outcome.passed.len();
            match advance(&stream[start..cut]) {
                Err(violation) => {
                    outcome.last = Err(violation);
                    return outcome;
                }
                Ok(Advance { pass, progress, .. }) => {
                    outcome.passed.extend_from_slice(&stream[start..start + pass]);
                    outcome.last = Ok(progress);
                    if progress == Progress::MessageComplete {
                        outcome.ends.push(start + pass);
                    }
                    if pass == 0 || start + pass == cut {
                        break;
                    }
                }
            }
        }
    }
    outcome
}

fn run_requests(stream: &[u8], cuts: &[usize]) -> Outcome {
    let mut guard = RequestFraming::new(LIMITS, BODY_BYTES_MAX);
    run(stream, cuts, |bytes| guard.advance(bytes))
}

fn run_response(method: &http::Method, stream: &[u8], cuts: &[usize]) -> Outcome {
    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(method);
    run(stream, cuts, |bytes| guard.advance(bytes))
}
