//! The catalogue of request heads.

use super::super::Violation::{self, *};
use super::super::{Part, Progress, RequestFraming};
use super::{BODY_BYTES_MAX, LIMITS, run_requests};

/// A head made of a request line and one more field line after `Host: a`.
fn with_field(field: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
}

fn refused_field(field: &str, violation: Violation) {
    let outcome = run_requests(with_field(field).as_bytes(), &[]);
    assert_eq!((outcome.last, outcome.passed.len()), (Err(violation), 0), "{field:?}");
}

fn refused(stream: &str, violation: Violation) {
    let outcome = run_requests(stream.as_bytes(), &[]);
    assert_eq!((outcome.last, outcome.passed.len()), (Err(violation), 0), "{stream:?}");
}

fn one_message(stream: &str) {
    let outcome = run_requests(stream.as_bytes(), &[]);
    assert_eq!(
        (outcome.last, outcome.ends),
        (Ok(Progress::MessageComplete), vec![stream.len()]),
        "{stream:?}"
    );
}

#[test]
fn ambiguous_lengths_are_refused() {
    for (field, violation) in [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked", LengthAndTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6", LengthAndTransferEncoding),
        ("Transfer-Encoding: chunked\r\nContent-Length: x", LengthAndTransferEncoding),
        ("Content-Length: 0\r\nTransfer-Encoding: identity", LengthAndTransferEncoding),
        ("Content-Length: 5\r\nContent-Length: 6", LengthRepeated),
        ("Content-Length: 5\r\nContent-Length: 5", LengthRepeated),
        ("content-length: 5\r\nCONTENT-LENGTH: 5", LengthRepeated),
        ("Content-Length: 5, 5", LengthInvalid),
        ("Content-Length: 5,6", LengthInvalid),
        ("Content-Length: +5", LengthInvalid),
        ("Content-Length: -1", LengthInvalid),
        ("Content-Length: 0x5", LengthInvalid),
        ("Content-Length: 5 0", LengthInvalid),
        ("Content-Length: 1_000", LengthInvalid),
        ("Content-Length: 1.0", LengthInvalid),
        ("Content-Length: 1e3", LengthInvalid),
        ("Content-Length: \"5\"", LengthInvalid),
        ("Content-Length: 5;", LengthInvalid),
        ("Content-Length:", LengthInvalid),
        ("Content-Length: \t ", LengthInvalid),
        ("Content-Length: \u{665}", LengthInvalid),
        ("Content-Length: 18446744073709551614", LengthInvalid),
        ("Content-Length: 18446744073709551621", LengthInvalid),
        ("Content-Length: 99999999999999999999999999", LengthInvalid),
        ("Content-Length: 1001", BodyTooLarge),
        ("Content-Length : 5", SpaceBeforeColon),
        ("Content-Length\t: 5", SpaceBeforeColon),
        (" Content-Length: 5", FieldFolded),
        ("Content-Length: 5\u{b}", ControlByte),
        ("Content-Length:\r\n 5", LengthInvalid),
    ] {
        refused_field(field, violation);
    }
}

#[test]
fn transfer_codings_other_than_one_chunked_are_refused() {
    for (field, violation) in [
        ("Transfer-Encoding: xchunked", TransferCodingUnknown),
        ("Transfer-Encoding: chunkedx", TransferCodingUnknown),
        ("Transfer-Encoding: identity", TransferCodingUnknown),
        ("Transfer-Encoding: gzip, chunked", TransferCodingUnknown),
        ("Transfer-Encoding: x, chunked", TransferCodingUnknown),
        ("Transfer-Encoding: chunked, identity", TransferEncodingInvalid),
        ("Transfer-Encoding: chunked, chunked", TransferEncodingInvalid),
        ("Transfer-Encoding: chunked,", TransferEncodingInvalid),
        ("Transfer-Encoding: , chunked", TransferEncodingInvalid),
        ("Transfer-Encoding: chunked;q=1", TransferEncodingInvalid),
        ("Transfer-Encoding: \"chunked\"", TransferEncodingInvalid),
        ("Transfer-Encoding: 'chunked'", TransferCodingUnknown),
        ("Transfer-Encoding: chun ked", TransferEncodingInvalid),
        ("Transfer-Encoding: \u{a0}chunked", TransferEncodingInvalid),
        ("Transfer-Encoding:", TransferEncodingInvalid),
        ("Transfer-Encoding: \u{b}chunked", ControlByte),
        ("Transfer-Encoding: \u{c}chunked", ControlByte),
        ("Transfer-Encoding: chunked\u{0}", Nul),
        ("Transfer-Encoding: chunked\u{7f}", ControlByte),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", TransferEncodingRepeated),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", TransferEncodingRepeated),
        ("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", TransferCodingUnknown),
        ("Transfer-Encoding : chunked", SpaceBeforeColon),
        ("Transfer-Encoding\t: chunked", SpaceBeforeColon),
        (" Transfer-Encoding: chunked", FieldFolded),
        ("Transfer-Encoding\u{b}: chunked", FieldNameInvalid),
        ("Transfer-Encoding:\r\n chunked", TransferEncodingInvalid),
        ("X: y\r\n\tTransfer-Encoding: chunked", FieldFolded),
        ("X: y\rTransfer-Encoding: chunked", BareCr),
        ("X: y\nTransfer-Encoding: chunked", BareLf),
        ("\rTransfer-Encoding: chunked", BareCr),
    ] {
        refused_field(field, violation);
    }
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", TransferEncodingInHttp10);
    refused(
        "POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: x\r\n",
        TransferEncodingInHttp10,
    );
}

#[test]
fn a_length_with_white_space_around_it_or_leading_zeros_is_read() {
    for field in ["Content-Length:5", "Content-Length: \t5 \t", "Content-Length: 005", "CONTENT-length: 5"] {
        one_message(&format!("{}hello", with_field(field)));
    }
    one_message(&with_field("Content-Length: 0"));
    one_message(&format!("{}0\r\n\r\n", with_field("Transfer-Encoding: \tCHUNKED ")));
}

#[test]
fn malformed_field_lines_are_refused() {
    for (field, violation) in [
        ("X: a\rb", BareCr),
        ("X: a\r", BareCr),
        ("X: a\u{0}b", Nul),
        ("X: \u{1}", ControlByte),
        ("X: a\u{1b}[0m", ControlByte),
        ("X\u{0}: a", Nul),
        ("X: a\nY: b", BareLf),
        ("X: a\n\r\nGET /", BareLf),
        (": a", FieldNameInvalid),
        ("X", FieldNameInvalid),
        ("X a: b", SpaceBeforeColon),
        ("X(: b", FieldNameInvalid),
        ("\u{fc}: b", FieldNameInvalid),
        ("X: a\r\n folded", FieldFolded),
    ] {
        refused_field(field, violation);
    }
    refused("GET / HTTP/1.1\r\n Host: a\r\n\r\n", FieldFolded);
    refused("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n", FieldFolded);
    refused("GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n", FieldFolded);
    refused("GET / HTTP/1.1\r\nHost: a\n\n", BareLf);
    refused("GET / HTTP/1.1\r\nHost: a\r\n\n", BareLf);
    refused("GET / HTTP/1.1\nHost: a\r\n\r\n", BareLf);
    one_message(&with_field("X_y.z-1~`|^: \tob\u{e9}s \"text\" "));
    one_message(&with_field("X:"));
}

#[test]
fn request_lines_are_read_strictly() {
    for (line, violation) in [
        ("GET  / HTTP/1.1", RequestLineInvalid),
        ("GET /  HTTP/1.1", RequestLineInvalid),
        ("GET / HTTP/1.1 ", RequestLineInvalid),
        ("GET / HTTP/1.1\t", RequestLineInvalid),
        ("GET /\tHTTP/1.1", RequestLineInvalid),
        ("GET\t/ HTTP/1.1", MethodInvalid),
        (" GET / HTTP/1.1", MethodInvalid),
        ("G@T / HTTP/1.1", MethodInvalid),
        ("GET", MethodInvalid),
        ("GET /", RequestLineInvalid),
        ("GET / HTTP/1.1\r", BareCr),
        ("GET /\r HTTP/1.1", BareCr),
        ("GET /\u{0} HTTP/1.1", Nul),
        ("GET / http/1.1", RequestLineInvalid),
        ("GET / HTTP/1.01", RequestLineInvalid),
        ("GET / HTTP/1", RequestLineInvalid),
        ("GET / HTTP/0.9", VersionUnsupported),
        ("GET / HTTP/1.2", VersionUnsupported),
        ("GET / HTTP/2.0", VersionUnsupported),
        ("PRI * HTTP/2.0", Http2Preface),
        ("GET /a b HTTP/1.1", RequestLineInvalid),
        ("GET /a#b HTTP/1.1", TargetFragment),
        ("GET /a\"b HTTP/1.1", TargetInvalid),
        ("GET /<a> HTTP/1.1", TargetInvalid),
        ("GET /a?<b HTTP/1.1", TargetInvalid),
        ("GET /` HTTP/1.1", TargetInvalid),
        ("GET /\u{7f} HTTP/1.1", TargetInvalid),
        ("GET /\u{1} HTTP/1.1", TargetInvalid),
        ("GET /\u{e9} HTTP/1.1", TargetInvalid),
        ("GET * HTTP/1.1", TargetFormInvalid),
        ("GET a HTTP/1.1", TargetFormInvalid),
        ("GET a:80 HTTP/1.1", TargetFormInvalid),
        ("GET ?a HTTP/1.1", TargetFormInvalid),
        ("GET ftp://a/ HTTP/1.1", TargetFormInvalid),
        ("GET http://a?b HTTP/1.1", TargetFormInvalid),
        ("GET http://a#b HTTP/1.1", TargetFragment),
        ("GET http:/// HTTP/1.1", AuthorityInvalid),
        ("GET http://a:x/ HTTP/1.1", AuthorityInvalid),
        ("GET http://user@a/ HTTP/1.1", TargetUserinfo),
        ("CONNECT / HTTP/1.1", AuthorityInvalid),
        ("CONNECT a HTTP/1.1", TargetFormInvalid),
        ("CONNECT a: HTTP/1.1", AuthorityInvalid),
        ("CONNECT http://a/ HTTP/1.1", AuthorityInvalid),
        ("CONNECT u@a:1 HTTP/1.1", TargetUserinfo),
        ("CONNECT b:80 HTTP/1.1", HostMismatch),
        ("CONNECT a:8080 HTTP/1.1", HostMismatch),
    ] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), violation);
    }
    for line in [
        "GET /a/b;c=d?e=%zz&f[]={|}^`\\'~ HTTP/1.1",
        "GET //x/../y{z}|^ HTTP/1.0",
        "x-!#$%&'*+.^_`|~ / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://a HTTP/1.1",
        "GET HTTP://A:80/x?y HTTP/1.1",
        "GET https://a:443/ HTTP/1.1",
        "CONNECT a:443 HTTP/1.1",
    ] {
        one_message(&format!("{line}\r\nHost: a\r\n\r\n"));
    }
}

#[test]
fn the_host_must_be_one_and_the_targets() {
    for (head, violation) in [
        ("GET / HTTP/1.1\r\n", HostMissing),
        ("GET http://a/ HTTP/1.1\r\n", HostMissing),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", HostRepeated),
        ("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n", HostRepeated),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", HostRepeated),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a b\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a#b\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a%00\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: \u{e9}\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: :80\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:0\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:65536\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:080000\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:80:80\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: a:+80\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [::g]\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [::1]x\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: ::1\r\n", HostInvalid),
        ("GET / HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n", HostInvalid),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n", HostMismatch),
        ("GET http://a/ HTTP/1.1\r\nHost: a:8080\r\n", HostMismatch),
        ("GET http://a/ HTTP/1.1\r\nHost: a:443\r\n", HostMismatch),
        ("GET http://a/ HTTP/1.1\r\nHost:\r\n", HostMismatch),
        ("GET http://a/ HTTP/1.0\r\nHost: b\r\n", HostMismatch),
    ] {
        refused(&format!("{head}\r\n"), violation);
    }
    for head in [
        "GET / HTTP/1.0\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n",
        "GET / HTTP/1.1\r\nHost: \t example_1.com.:8080 \r\n",
        "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n",
        "GET / HTTP/1.1\r\nHost: [::ffff:1.2.3.4]:80\r\n",
        "GET http://[1:2:3:4:5:6:7:8]:81/ HTTP/1.1\r\nHost: [1:2:3:4:5:6:7:8]:81\r\n",
        "GET http://A.example/ HTTP/1.1\r\nHost: a.EXAMPLE:80\r\n",
        "CONNECT a:80 HTTP/1.0\r\n",
        "CONNECT a:8443 HTTP/1.1\r\nHost: a:8443\r\n",
    ] {
        one_message(&format!("{head}\r\n"));
    }
}

#[test]
fn a_connect_has_no_body() {
    let head = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n";
    refused(&format!("{head}Content-Length: 5\r\n\r\nhello"), ConnectWithBody);
    refused(&format!("{head}Transfer-Encoding: chunked\r\n\r\n"), ConnectWithBody);
    one_message(&format!("{head}Content-Length: 0\r\n\r\n"));
}

#[test]
fn limits_hold_to_the_byte() {
    let head_of = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - rest))
    };
    one_message(&head_of(LIMITS.head_bytes));
    refused(&head_of(LIMITS.head_bytes + 1), HeadTooLarge);
    refused(&head_of(LIMITS.head_bytes + 1)[..LIMITS.head_bytes + 1], HeadTooLarge);

    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    one_message(&fields(LIMITS.fields));
    refused(&fields(LIMITS.fields + 1), TooManyFields);

    let target = |bytes: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(bytes - 1));
    one_message(&target(LIMITS.uri_bytes));
    refused(&target(LIMITS.uri_bytes + 1), TargetTooLong);
    // before the head is whole
    refused(&target(LIMITS.uri_bytes + 1)[.."GET ".len() + LIMITS.uri_bytes + 1], TargetTooLong);

    let method = |bytes: usize| format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "M".repeat(bytes));
    one_message(&method(64));
    refused(&method(65), MethodTooLong);
    refused("\u{16}\u{3}\u{1}", MethodInvalid);
}

#[test]
fn limits_beyond_what_hyper_holds_are_capped() {
    let limits = super::HeadLimits { head_bytes: 1 << 20, fields: 1 << 20, uri_bytes: 1 << 20 };
    let verdict = |head: String| RequestFraming::new(limits, 0).advance(head.as_bytes()).map(|_pass| ());
    let fields = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "X: y\r\n".repeat(count));
    assert_eq!(verdict(fields(4096)), Ok(()));
    assert_eq!(verdict(fields(4097)), Err(TooManyFields));
    let target = |bytes: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "x".repeat(bytes - 1));
    assert_eq!(verdict(target(65_534)), Ok(()));
    assert_eq!(verdict(target(65_535)), Err(TargetTooLong));
    assert_eq!(verdict(format!("GET / HTTP/1.0\r\n{}: x\r\n\r\n", "n".repeat(1025))), Err(FieldNameTooLong));
}

#[test]
fn one_empty_line_before_a_request_is_let_by() {
    one_message("\r\nGET / HTTP/1.0\r\n\r\n");
    refused("\r\n\r\nGET / HTTP/1.0\r\n\r\n", BlankLines);
    refused("\nGET / HTTP/1.0\r\n\r\n", BareLf);
    refused("\r\n\nGET / HTTP/1.0\r\n\r\n", BareLf);
    refused("\rGET / HTTP/1.0\r\n\r\n", MethodInvalid);
}

#[test]
fn a_pipelined_request_waits_its_turn() {
    let stream =
        b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGE";
    let outcome = run_requests(stream, &[]);
    assert_eq!(outcome.ends, [51, 51 + 28]);
    assert_eq!(outcome.last, Ok(Progress::Head));
}

#[test]
fn a_boundary_is_where_nothing_is_unfinished() {
    let mut guard = RequestFraming::new(LIMITS, BODY_BYTES_MAX);
    assert!(guard.at_boundary());
    let post = b"\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
    for offered in 3..post.len() - 3 {
        let _progress = guard.advance(&post[..offered]).unwrap();
        assert!(!guard.at_boundary(), "{offered}");
        assert_eq!(guard.eof(), Err(Truncated));
    }
    let head = guard.advance(post).unwrap();
    assert_eq!((head.pass, head.part, head.progress), (post.len() - 3, Part::Head { at: 2 }, Progress::Body));
    assert!(!guard.at_boundary());
    let body = guard.advance(&post[head.pass..]).unwrap();
    assert_eq!((body.pass, body.part, body.progress), (3, Part::Data { at: 0 }, Progress::MessageComplete));
    assert!(guard.at_boundary());
    assert_eq!(guard.eof(), Ok(()));
    // a client that sends a CRLF after its body and goes away did nothing wrong
    let _progress = guard.advance(b"\r\n").unwrap();
    assert_eq!(guard.eof(), Ok(()));
}

#[test]
fn a_refusal_is_final() {
    let mut guard = RequestFraming::new(LIMITS, BODY_BYTES_MAX);
    assert_eq!(guard.advance(b"G@T "), Err(MethodInvalid));
    assert_eq!(guard.advance(b"GET / HTTP/1.0\r\n\r\n"), Err(MethodInvalid));
    assert!(!guard.at_boundary());
}

#[test]
fn a_tunnel_passes_everything() {
    let mut guard = RequestFraming::new(LIMITS, BODY_BYTES_MAX);
    let _progress = guard.advance(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    guard.tunnel();
    let tunnelled = guard.advance(b"\0\n\xff").unwrap();
    assert_eq!((tunnelled.pass, tunnelled.progress), (3, Progress::Tunnel));
    assert!(!guard.at_boundary());
    assert_eq!(guard.eof(), Ok(()));
}
