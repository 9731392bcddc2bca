//! The catalogue of responses.

use http::{Method, StatusCode};

use super::super::Violation::{self, *};
use super::super::{Part, Progress, ResponseFraming};
use super::{LIMITS, run_response};

fn refused(stream: &str, violation: Violation) {
    let outcome = run_response(&Method::GET, stream.as_bytes(), &[]);
    assert_eq!((outcome.last, outcome.passed.len()), (Err(violation), 0), "{stream:?}");
}

/// The message is over after `stream`.
fn whole(method: &Method, stream: &str) {
    let outcome = run_response(method, stream.as_bytes(), &[]);
    assert_eq!(
        (outcome.last, outcome.ends),
        (Ok(Progress::MessageComplete), vec![stream.len()]),
        "{stream:?}"
    );
}

#[test]
fn malformed_heads_are_refused() {
    for (stream, violation) in [
        ("HTTP/1.1 200 OK\n\r\n", BareLf),
        ("HTTP/1.1 200 OK\r\nX: a\n\r\n", BareLf),
        ("HTTP/1.1 200 O\rK\r\n\r\n", BareCr),
        ("HTTP/1.1 200 O\0K\r\n\r\n", Nul),
        ("HTTP/1.1 200 O\u{7f}K\r\n\r\n", StatusLineInvalid),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1  200 OK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1 20 OK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1 2000 OK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1 200\tOK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1 +20 OK\r\n\r\n", StatusLineInvalid),
        ("HTTP/1.1 099 OK\r\n\r\n", StatusInvalid),
        ("HTTP/1.1 600 OK\r\n\r\n", StatusInvalid),
        ("HTTP/2.0 200 OK\r\n\r\n", VersionUnsupported),
        ("HTTP/1.2 200 OK\r\n\r\n", VersionUnsupported),
        ("HTTP/1.1\r\n\r\n", StatusLineInvalid),
        ("ICY 200 OK\r\n\r\n", StatusLineInvalid),
        ("<", StatusLineInvalid),
        ("HTTP/1.1 200 OK\r\n X: a\r\n\r\n", FieldFolded),
        ("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n", FieldFolded),
        ("HTTP/1.1 200 OK\r\nX : a\r\n\r\n", SpaceBeforeColon),
        ("HTTP/1.1 200 OK\r\nX: a\u{1}\r\n\r\n", ControlByte),
    ] {
        refused(stream, violation);
    }
}

#[test]
fn ambiguous_lengths_are_refused() {
    for (fields, violation) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", LengthAndTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", LengthAndTransferEncoding),
        ("Content-Length: 5\r\nContent-Length: 5", LengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 6", LengthRepeated),
        ("Content-Length: 5, 5", LengthInvalid),
        ("Content-Length: -5", LengthInvalid),
        ("Content-Length:", LengthInvalid),
        ("Transfer-Encoding: gzip", TransferCodingUnknown),
        ("Transfer-Encoding: gzip, chunked", TransferCodingUnknown),
        ("Transfer-Encoding: chunked, gzip", TransferEncodingInvalid),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TransferEncodingRepeated),
    ] {
        refused(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), violation);
    }
    refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncodingInHttp10);
}

#[test]
fn the_end_is_where_rfc_9112_says() {
    let get = Method::GET;
    whole(&get, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    whole(&get, "HTTP/1.0 200\r\nContent-Length: 0\r\n\r\n");
    whole(&get, "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n");
    whole(&get, "HTTP/1.1 404 Ni\u{e9} trouv\t\r\nContent-Length: 1\r\nHost: a\r\nHost: b\r\n\r\nx");
    whole(&get, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n");
    whole(&get, "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n");
    whole(&Method::HEAD, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    whole(&Method::HEAD, "HTTP/1.1 200 OK\r\n\r\n");
    whole(&Method::CONNECT, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    whole(&get, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 N\r\n\r\n");
}

#[test]
fn only_a_close_ends_a_body_without_a_length() {
    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(&Method::GET);
    let stream = b"HTTP/1.0 200 OK\r\n\r\nHTTP/1.0 200 OK\r\n\r\n";
    let head = guard.advance(stream).unwrap();
    assert_eq!((head.pass, head.progress), (19, Progress::Body));
    let body = guard.advance(&stream[head.pass..]).unwrap();
    assert_eq!((body.pass, body.part, body.progress), (19, Part::Data { at: 0 }, Progress::Body));
    assert!(!guard.at_boundary());
    assert_eq!(guard.eof(), Ok(()));
}

#[test]
fn a_close_inside_a_response_truncates_it() {
    for stream in [
        "H",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        let mut guard = ResponseFraming::new(LIMITS);
        guard.expect(&Method::GET);
        let _progress = guard.advance(stream.as_bytes()).unwrap();
        assert_eq!(guard.eof(), Err(Truncated), "{stream:?}");
    }
    let mut guard = ResponseFraming::new(LIMITS);
    assert_eq!(guard.eof(), Ok(()));
    guard.expect(&Method::GET);
    assert_eq!(guard.eof(), Ok(()));
}

#[test]
fn bytes_that_no_request_asked_for_are_refused() {
    let mut guard = ResponseFraming::new(LIMITS);
    assert!(guard.at_boundary());
    assert_eq!(guard.advance(b"").unwrap().progress, Progress::Head);
    assert_eq!(guard.advance(b"HTTP/1.1 408 Request Timeout\r\n\r\n"), Err(UnsolicitedBytes));
    assert!(!guard.at_boundary());

    let stream = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n";
    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(&Method::GET);
    let head = guard.advance(stream).unwrap();
    assert_eq!((head.pass, head.progress), (38, Progress::Body));
    let body = guard.advance(&stream[head.pass..]).unwrap();
    assert_eq!((body.pass, body.progress), (1, Progress::MessageComplete));
    assert!(guard.at_boundary());
    assert_eq!(guard.advance(&stream[head.pass + body.pass..]), Err(UnsolicitedBytes));

    // the next request asks for the next response
    let mut guard = ResponseFraming::new(LIMITS);
    for _exchange in 0..2 {
        guard.expect(&Method::HEAD);
        assert_eq!(guard.advance(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().progress, Progress::MessageComplete);
    }
}

#[test]
fn an_upgrade_needs_asking() {
    let stream = b"HTTP/1.1 101 Switching Protocols\r\n\r\n\0\xff";
    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(&Method::GET);
    assert_eq!(guard.advance(stream), Err(UpgradeUnasked));

    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(&Method::GET);
    guard.expect_upgrade();
    let head = guard.advance(stream).unwrap();
    assert_eq!((head.part, head.progress), (Part::Head { at: 0 }, Progress::Tunnel));
    let rest = guard.advance(&stream[head.pass..]).unwrap();
    assert_eq!((rest.pass, rest.part, rest.progress), (2, Part::Tunnel, Progress::Tunnel));
    assert_eq!(guard.eof(), Ok(()));
    assert!(!guard.at_boundary());

    let mut guard = ResponseFraming::new(LIMITS);
    guard.expect(&Method::CONNECT);
    assert_eq!(
        guard.advance(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\0").unwrap().progress,
        Progress::Tunnel
    );
}

#[test]
fn interim_responses_are_bounded() {
    let interim = |count: usize| format!("{}HTTP/1.1 204 N\r\n\r\n", "HTTP/1.1 102 P\r\n\r\n".repeat(count));
    whole(&Method::GET, &interim(16));
    let outcome = run_response(&Method::GET, interim(17).as_bytes(), &[]);
    assert_eq!(outcome.last, Err(InterimTooMany));
}

#[test]
fn a_violation_has_the_status_of_its_kind() {
    for (violation, status) in [
        (BareLf, StatusCode::BAD_REQUEST),
        (TargetTooLong, StatusCode::URI_TOO_LONG),
        (HeadTooLarge, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
        (TransferCodingUnknown, StatusCode::NOT_IMPLEMENTED),
        (Http2Preface, StatusCode::HTTP_VERSION_NOT_SUPPORTED),
        (UnsolicitedBytes, StatusCode::BAD_GATEWAY),
    ] {
        assert_eq!(violation.status(), status);
    }
    assert_eq!(BareLf.to_string(), "bare LF in the head");
}
