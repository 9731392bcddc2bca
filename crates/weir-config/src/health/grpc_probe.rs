//! A gRPC probe: `grpc.health.v1.Health/Check`, over HTTP/2.
//!
//! The two messages have one field each, so they are written and read by hand: a request is
//! `string service = 1`, an answer `ServingStatus status = 1` (UNKNOWN 0, SERVING 1, NOT_SERVING 2,
//! SERVICE_UNKNOWN 3).

use bytes::{BufMut, Bytes, BytesMut};
use h2::RecvStream;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

use super::http2_probe::{answer_error, ask, exchange, request};
use super::{Passed, ProbeError, ProbeOutcome};
use crate::model::GrpcCheck;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// What an answer may take, in bytes: a real one has 7.
const ANSWER_BYTES_MAX: usize = 1 << 10;
/// A message's flag and its length.
const PREFIX_BYTES: usize = 5;

/// Asks over `stream` and judges the answer, by `deadline`.
pub(super) async fn probe(
    check: &GrpcCheck,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    scheme: Scheme,
    default_host: &str,
    deadline: Instant,
) -> ProbeOutcome {
    let mut request = request(scheme, check.host.as_deref().unwrap_or(default_host), PATH)?;
    *request.method_mut() = Method::POST;
    let fields = request.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    fields.insert(header::TE, HeaderValue::from_static("trailers"));
    let message = message(&check.service);
    exchange(stream, deadline, async |sender| {
        let answer = ask(sender, request, Some(message), deadline).await?;
        let (head, body) = answer.into_parts();
        if head.status != http::StatusCode::OK {
            return Err(ProbeError::BadStatus(head.status));
        }
        match timeout_at(deadline, read(body, &head.headers)).await {
            Ok(verdict) => verdict.map(|()| Passed { status: Some(head.status) }),
            Err(_elapsed) => Err(ProbeError::Timeout),
        }
    })
    .await
}

/// `HealthCheckRequest { service }`, with its prefix.
fn message(service: &str) -> Bytes {
    let mut field = BytesMut::new();
    if !service.is_empty() {
        field.put_u8(1 << 3 | 2); // field 1, of a length
        put_varint(&mut field, service.len());
        field.put_slice(service.as_bytes());
    }
    let mut message = BytesMut::with_capacity(PREFIX_BYTES + field.len());
    message.put_u8(0); // not compressed
    message.put_u32(field.len() as u32);
    message.put_slice(&field);
    message.freeze()
}

fn put_varint(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Reads the answer's message and its trailers. Where there is no body, the head has what trailers have.
async fn read(mut body: RecvStream, head: &HeaderMap) -> Result<(), ProbeError> {
    let mut message = BytesMut::new();
    while let Some(piece) = body.data().await {
        let piece = piece.map_err(|error| answer_error(&error))?;
        if message.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err(ProbeError::Malformed("the answer is too long".into()));
        }
        let _ = body.flow_control().release_capacity(piece.len());
        message.extend_from_slice(&piece);
    }
    let trailers = body.trailers().await.map_err(|error| answer_error(&error))?;
    let status = trailers.as_ref().unwrap_or(head).get("grpc-status");
    match status.and_then(|status| status.to_str().ok()?.parse().ok()) {
        Some(0) => {}
        Some(NOT_FOUND) => return Err(ProbeError::NotServing("the server does not know the service")),
        Some(status) => return Err(ProbeError::GrpcStatus(status)),
        None => return Err(ProbeError::Malformed("no grpc-status".into())),
    }
    match serving_status(&message) {
        Some(1) => Ok(()),
        Some(2) => Err(ProbeError::NotServing("NOT_SERVING")),
        Some(3) => Err(ProbeError::NotServing("SERVICE_UNKNOWN")),
        Some(_) => Err(ProbeError::NotServing("UNKNOWN")),
        None => Err(ProbeError::Malformed("not a HealthCheckResponse".into())),
    }
}

/// The `grpc-status` for a service that the server does not know.
const NOT_FOUND: u32 = 5;

/// The status of a `HealthCheckResponse` with its prefix; 0 when it has none, as protobuf has it.
fn serving_status(message: &[u8]) -> Option<u8> {
    let (prefix, field) = message.split_at_checked(PREFIX_BYTES)?;
    let &[0, a, b, c, d] = prefix else { return None };
    if u32::from_be_bytes([a, b, c, d]) as usize != field.len() {
        return None;
    }
    match *field {
        [] => Some(0),
        [8, status @ 0..0x80] => Some(status), // field 1, a varint
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_messages() {
        assert_eq!(&message("")[..], [0, 0, 0, 0, 0]);
        assert_eq!(&message("a.B")[..], b"\0\0\0\0\x05\x0a\x03a.B");
        assert_eq!(message(&"x".repeat(200))[5..8], [0x0a, 0xc8, 0x01]);
        for (answer, status) in [
            (&b"\0\0\0\0\x02\x08\x01"[..], Some(1)),
            (b"\0\0\0\0\x02\x08\x02", Some(2)),
            (b"\0\0\0\0\0", Some(0)),
            (b"\x01\0\0\0\x02\x08\x01", None),
            (b"\0\0\0\0\x03\x08\x01", None),
            (b"\0\0", None),
        ] {
            assert_eq!(serving_status(answer), status, "{answer:?}");
        }
    }
}
