//! From parts to bytes.

use std::io::Write as _;

use bytes::Bytes;
use http::header::HeaderMap;
use http::{StatusCode, Version};
use http_body::Frame;

use super::DateCache;
use crate::fields::{Field, Fields};
use crate::head::{RequestHead, ResponseHead};
use crate::wire::Outgoing;

/// How a body's end is told (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEncoder {
    /// There is no body.
    Empty,
    /// By `Content-Length`.
    Length,
    /// By chunks.
    Chunked,
    /// By closing the connection.
    UntilClose,
}

/// Appends the head of a request in HTTP/1.1. Its fields say how the body is framed.
pub(crate) fn request_head(out: &mut Vec<u8>, head: &RequestHead) {
    out.extend_from_slice(head.method.as_str().as_bytes());
    out.push(b' ');
    let path = head.target.path_and_query().map(http::uri::PathAndQuery::as_str);
    // Only CONNECT has an authority and no path (RFC 9112 section 3.2.3).
    let target = path.or_else(|| head.target.authority().map(http::uri::Authority::as_str)).unwrap_or("/");
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    head.fields.write(out);
    out.extend_from_slice(b"\r\n");
}

/// What a client's connection adds to a response's own head.
#[derive(Clone, Copy)]
pub(crate) struct ResponseFraming<'a> {
    /// The client's own version, in which it is answered.
    pub(crate) version: Version,
    /// Whether the request's method was HEAD.
    pub(crate) to_head: bool,
    /// Whether another request may follow.
    pub(crate) persistent: bool,
    /// Whether a tunnel follows, be it after a 101 or a 2xx to CONNECT.
    pub(crate) tunnel: bool,
    /// `Date` where the response has none, as RFC 9110 section 6.6.1 asks of whoever has a clock.
    pub(crate) date: &'a DateCache,
}

/// Appends the head of a response; says how its body is to be framed.
pub(crate) fn response_head(
    out: &mut Vec<u8>,
    head: &ResponseHead,
    framing: ResponseFraming<'_>,
) -> BodyEncoder {
    let http10 = framing.version == Version::HTTP_10;
    match (head.status, http10) {
        (StatusCode::OK, false) => out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
        (status, _) => {
            out.extend_from_slice(if http10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            out.extend_from_slice(status.canonical_reason().unwrap_or("").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }
    head.fields.write(out);
    let bodiless = framing.to_head
        || framing.tunnel
        || head.status.is_informational()
        || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let body = if bodiless {
        BodyEncoder::Empty
    } else if head.fields.has(Field::ContentLength) {
        BodyEncoder::Length
    } else if http10 {
        BodyEncoder::UntilClose
    } else {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        BodyEncoder::Chunked
    };
    if !head.status.is_informational() {
        if !head.fields.has(Field::Date) {
            out.extend_from_slice(b"date: ");
            framing.date.write(out);
            out.extend_from_slice(b"\r\n");
        }
        let persistent = framing.persistent && body != BodyEncoder::UntilClose;
        match (persistent, http10) {
            _ if framing.tunnel => {}
            (true, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            (true, false) => {}
            (false, _) => out.extend_from_slice(b"connection: close\r\n"),
        }
    }
    out.extend_from_slice(b"\r\n");
    body
}

fn trailers(out: &mut Vec<u8>, trailers: &HeaderMap) {
    for (name, value) in trailers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl BodyEncoder {
    /// How the body of a request with these fields is framed.
    pub(crate) fn of_request(fields: &Fields, empty: bool) -> Self {
        if empty {
            Self::Empty
        } else if fields.has(Field::ContentLength) {
            Self::Length
        } else {
            Self::Chunked
        }
    }

    /// Appends a piece of the body. Trailers end it.
    pub(crate) fn frame(self, out: &mut Outgoing, frame: Frame<Bytes>) {
        let frame = match (frame.into_data(), self) {
            (Ok(data), Self::Length | Self::UntilClose) => return out.push(data),
            (Ok(data), Self::Chunked) if !data.is_empty() => {
                let _ = write!(out.text(), "{:x}\r\n", data.len()); // writing to memory does not fail
                out.push(data);
                return out.text().extend_from_slice(b"\r\n");
            }
            (Ok(_), Self::Empty | Self::Chunked) => return,
            (Err(frame), _) => frame,
        };
        if let (Ok(section), Self::Chunked) = (frame.into_trailers(), self) {
            out.text().extend_from_slice(b"0\r\n");
            trailers(out.text(), &section);
            out.text().extend_from_slice(b"\r\n");
        }
    }

    /// Appends the end of a body without trailers.
    pub(crate) fn end(self, out: &mut Outgoing) {
        if self == Self::Chunked {
            out.text().extend_from_slice(b"0\r\n\r\n");
        }
    }
}

/// Whether the sender of a head with these fields keeps its connection (RFC 9112 section 9.3).
pub(crate) fn is_persistent(version: Version, fields: &Fields) -> bool {
    let connection = fields.connection();
    !connection.close && (version != Version::HTTP_10 || connection.keep_alive)
}
