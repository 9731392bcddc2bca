//! The catalogue of chunked bodies.

use super::super::Progress;
use super::super::Violation::{self, *};
use super::{BODY_BYTES_MAX, LIMITS, Outcome, run_requests};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

fn run_body(body: &str) -> Outcome {
    run_requests(format!("{HEAD}{body}").as_bytes(), &[])
}

fn refused(body: &str, violation: Violation) {
    assert_eq!(run_body(body).last, Err(violation), "{body:?}");
}

fn whole(body: &str) {
    let outcome = run_body(body);
    assert_eq!(
        (outcome.last, outcome.ends),
        (Ok(Progress::MessageComplete), vec![HEAD.len() + body.len()]),
        "{body:?}"
    );
}

#[test]
fn chunk_lines_are_read_strictly() {
    for (body, violation) in [
        ("0x5\r\nhello\r\n0\r\n\r\n", ChunkSizeInvalid),
        (" 5\r\nhello\r\n0\r\n\r\n", ChunkSizeInvalid),
        ("5 \r\nhello\r\n0\r\n\r\n", ChunkSizeInvalid),
        ("5\t\r\nhello\r\n0\r\n\r\n", ChunkSizeInvalid),
        ("5 ;a=b\r\nhello\r\n0\r\n\r\n", ChunkSizeInvalid),
        ("+5\r\nhello\r\n", ChunkSizeInvalid),
        ("-5\r\nhello\r\n", ChunkSizeInvalid),
        ("5_0\r\n", ChunkSizeInvalid),
        ("g\r\n", ChunkSizeInvalid),
        ("\r\n", ChunkSizeInvalid),
        (";a\r\n", ChunkSizeInvalid),
        ("5\0\r\nhello", ChunkSizeInvalid),
        ("\n5\r\nhello", ChunkSizeInvalid),
        ("\u{665}\r\n", ChunkSizeInvalid),
        ("10000000000000000\r\n", ChunkSizeInvalid),
        ("00000000000000005\r\nhello", ChunkSizeInvalid),
        ("ffffffffffffffff\r\n", BodyTooLarge),
        ("5\nhello\r\n0\r\n\r\n", ChunkLineInvalid),
        ("5\rhello", ChunkLineInvalid),
        ("5\r\r\nhello", ChunkLineInvalid),
        ("5;a=b\nhello", ChunkExtensionInvalid),
        ("5;a=b\rhello", ChunkLineInvalid),
        ("5;\r\nhello", ChunkExtensionInvalid),
        ("5;\nhello", ChunkExtensionInvalid),
        ("5;=b\r\nhello", ChunkExtensionInvalid),
        ("5;a\0b\r\nhello", ChunkExtensionInvalid),
        ("5;a=\u{b}\r\nhello", ChunkExtensionInvalid),
        ("5;a=\u{7f}\r\nhello", ChunkExtensionInvalid),
        ("5\r\nhelloX", ChunkEndInvalid),
        ("5\r\nhello0\r\n\r\n", ChunkEndInvalid),
        ("5\r\nhello\n0\r\n\r\n", ChunkEndInvalid),
        ("5\r\nhello\rX", ChunkEndInvalid),
        ("5\r\nhello\r\r\n", ChunkEndInvalid),
        ("5\r\nhell\r\n0\r\n\r\n", ChunkEndInvalid),
    ] {
        refused(body, violation);
    }
    for body in [
        "0\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\n",
        "A\r\n0123456789\r\na\r\n0123456789\r\n000\r\n\r\n",
        "0000000000000005\r\nhello\r\n0\r\n\r\n",
        "5;a=b\r\nhello\r\n0;last\r\n\r\n",
        "5; \ta ; b = \"c d\"\r\nhello\r\n0\r\n\r\n",
        "2\r\n\r\n\r\n0\r\n\r\n",
    ] {
        whole(body);
    }
}

#[test]
fn trailers_are_fields() {
    for (body, violation) in [
        ("0\r\nX: a\n\r\n", BareLf),
        ("0\r\nX: a\r\n\n", BareLf),
        ("0\r\n\n", BareLf),
        ("0\r\nX: a\rY: b\r\n\r\n", BareCr),
        ("0\r\nX : a\r\n\r\n", SpaceBeforeColon),
        ("0\r\nX: a\r\n b\r\n\r\n", FieldFolded),
        ("0\r\n X: a\r\n\r\n", FieldFolded),
        ("0\r\nX: \0\r\n\r\n", Nul),
        ("0\r\nX\r\n\r\n", FieldNameInvalid),
        ("0\r\nContent-Length: 5\r\n\r\n", TrailerForbidden),
        ("0\r\ntransfer-encoding: chunked\r\n\r\n", TrailerForbidden),
        ("0\r\nHOST: b\r\n\r\n", TrailerForbidden),
        ("0\r\nGET / HTTP/1.1\r\n\r\n", SpaceBeforeColon),
    ] {
        refused(body, violation);
    }
    whole("0\r\nX: a\r\nChecksum:\r\n\r\n");
    let fields = |count: usize| format!("0\r\n{}\r\n", "X: y\r\n".repeat(count));
    whole(&fields(LIMITS.fields));
    refused(&fields(LIMITS.fields + 1), TooManyFields);
    let section = |bytes: usize| format!("0\r\nX: {}\r\n\r\n", "x".repeat(bytes - "X: \r\n\r\n".len()));
    whole(&section(LIMITS.head_bytes));
    refused(&section(LIMITS.head_bytes + 1), HeadTooLarge);
}

#[test]
fn an_unfinished_trailer_section_is_held_back() {
    let outcome = run_body("5\r\nhello\r\n0\r\nX: a\r\nY");
    assert_eq!(outcome.last, Ok(Progress::Body));
    assert_eq!(outcome.passed.len(), HEAD.len() + "5\r\nhello\r\n0\r\n".len());
}

#[test]
fn a_body_is_bounded_over_all_its_chunks() {
    let max = usize::try_from(BODY_BYTES_MAX).unwrap();
    let two = |second: usize| format!("1\r\nx\r\n{second:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(second));
    whole(&two(max - 1));
    refused(&two(max), BodyTooLarge);
    // before its data comes
    refused("3e9\r\n", BodyTooLarge);
}

#[test]
fn extensions_are_bounded_over_all_chunks() {
    let chunks = |bytes: usize| {
        let chunk = format!("1;{}\r\nx\r\n", "e".repeat(1024));
        format!("{}0;{}\r\n\r\n", chunk.repeat(3), "e".repeat(bytes - 3 * 1024))
    };
    whole(&chunks(4096));
    refused(&chunks(4097), ChunkExtensionsTooLarge);
}
