//! An HTTP probe: one request on a connection of its own, and a verdict on the answer.
//!
//! The answer's status is judged first; its body is read only as far as `body_contains` needs, and never
//! beyond 64 KiB. The request says `Connection: close`.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Passed, ProbeError, ProbeOutcome};
use crate::model::HttpCheck;

/// How far into an answer's body the expected text is looked for, in bytes.
const BODY_BYTES_MAX: usize = 64 << 10;

/// How long a head of an answer may be, in bytes; hyper looks after a read, so a little more may pass.
const HEAD_BYTES_MAX: usize = 64 << 10;

/// How long the rest of an answer is read after the verdict. Closing at once would often be a reset in the
/// middle of the body, and a line in the server's error log for every probe.
const REST_TIME_MAX: Duration = Duration::from_millis(100);

pub(super) const USER_AGENT: &str = concat!("weir-check/", env!("CARGO_PKG_VERSION"));

/// Asks over `stream` and judges the answer, by `deadline`.
pub(super) async fn probe(
    check: &HttpCheck,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    default_host: &str,
    deadline: Instant,
) -> ProbeOutcome {
    let request = request(check, default_host)?;
    let handshake = http1::Builder::new().max_buf_size(HEAD_BYTES_MAX).handshake(TokioIo::new(stream));
    let (sender, connection) = handshake.await.map_err(|error| answer_error(&error))?;

    // The connection moves the bytes; it may end first, with the answer already in the exchange's hands.
    let mut exchange = pin!(exchange(check, sender, request, deadline));
    tokio::select! {
        biased;
        outcome = &mut exchange => return outcome,
        _ended = connection => {}
    }
    exchange.await
}

fn request(check: &HttpCheck, default_host: &str) -> Result<Request<Empty<Bytes>>, ProbeError> {
    Request::builder()
        .method(&check.method)
        .uri(&check.path)
        .header(header::HOST, check.host.as_deref().unwrap_or(default_host))
        .header(header::USER_AGENT, HeaderValue::from_static(USER_AGENT))
        .header(header::ACCEPT, HeaderValue::from_static("*/*"))
        .header(header::CONNECTION, HeaderValue::from_static("close"))
        .body(Empty::new())
        .map_err(|error| ProbeError::LocalRequest(error.to_string()))
}

async fn exchange(
    check: &HttpCheck,
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    deadline: Instant,
) -> ProbeOutcome {
    let answer = match timeout_at(deadline, sender.send_request(request)).await {
        Ok(answer) => answer.map_err(|error| answer_error(&error))?,
        Err(_elapsed) => return Err(ProbeError::Timeout),
    };
    let (head, body) = answer.into_parts();
    judge(check, head.status, body, deadline, answer_error).await
}

/// Judges an answer, whatever it came in.
pub(super) async fn judge<B>(
    check: &HttpCheck,
    status: StatusCode,
    body: B,
    deadline: Instant,
    error_of: impl Fn(&B::Error) -> ProbeError,
) -> ProbeOutcome
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut body = body;
    let verdict = if !check.expect.contains(status) {
        Err(ProbeError::BadStatus(status))
    } else if let Some(text) = check.body_contains.as_deref().filter(|text| !text.is_empty()) {
        match timeout_at(deadline, find(text.as_bytes(), &mut body)).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(ProbeError::BodyMismatch),
            Ok(Err(error)) => Err(error_of(&error)),
            Err(_elapsed) => Err(ProbeError::Timeout),
        }
    } else {
        Ok(())
    };
    // Whatever becomes of the rest, the verdict stands.
    let _ = timeout(REST_TIME_MAX, skip_rest(&mut body)).await;
    verdict.map(|()| Passed { status: Some(status) })
}

/// Whether the first 64 KiB of `body` contain `text`; reads no further than it must.
async fn find<B: Body<Data = Bytes> + Unpin>(text: &[u8], body: &mut B) -> Result<bool, B::Error> {
    let mut seen: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        // The text may have begun in what came before.
        let from = seen.len().saturating_sub(text.len() - 1);
        let room = BODY_BYTES_MAX - seen.len();
        seen.extend_from_slice(&data[..data.len().min(room)]);
        if seen[from..].windows(text.len()).any(|window| window == text) {
            return Ok(true);
        }
        if seen.len() == BODY_BYTES_MAX {
            break;
        }
    }
    Ok(false)
}

async fn skip_rest<B: Body<Data = Bytes> + Unpin>(body: &mut B) {
    let mut skipped = 0;
    while !body.is_end_stream() && skipped < BODY_BYTES_MAX {
        let Some(Ok(frame)) = body.frame().await else { return };
        skipped += frame.data_ref().map_or(0, Buf::remaining);
    }
}

/// What an error of hyper's says about the server.
fn answer_error(error: &hyper::Error) -> ProbeError {
    if error.is_parse() {
        return ProbeError::Malformed(error.to_string());
    }
    match error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind) {
        None | Some(io::ErrorKind::UnexpectedEof) => ProbeError::NoAnswer,
        Some(kind) => ProbeError::Broken(kind),
    }
}
