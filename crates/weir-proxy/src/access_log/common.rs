//! One exchange as one line of NCSA's common log format: `client - - [time] "request line" status bytes`.
//!
//! Invariant: the line has exactly one newline, its last byte, and is printable ASCII otherwise; inside the
//! quotes, a quote or backslash is always escaped and there are exactly two spaces. So no client can forge
//! a line or a field. Escapes are Apache's: `\"`, `\\`, `\n`, `\r`, `\t`, else `\xhh`.

use std::io::Write;

use super::json::hex;
use super::timestamp::Timestamp;
use super::{Kind, Record};

/// Appends `record` and a newline.
pub(super) fn write(record: &Record<'_>, stamp: &mut Timestamp, out: &mut Vec<u8>) {
    // A Vec takes whatever is written to it.
    let _ = write!(out, "{}", record.client.ip());
    out.extend_from_slice(b" - - [");
    stamp.write_ncsa(record.started, out);
    out.extend_from_slice(b"] \"");
    let method = match record.kind {
        Kind::Http => record.method,
        Kind::Tcp => "TCP",
        Kind::Udp => "UDP",
    };
    escape(method.as_bytes(), out);
    out.push(b' ');
    escape(record.target, out);
    out.push(b' ');
    let version = if record.kind == Kind::Http { record.version_text() } else { "-" };
    out.extend_from_slice(version.as_bytes());
    out.extend_from_slice(b"\" ");
    number_or_dash(record.status.into(), out);
    out.push(b' ');
    number_or_dash(record.response_bytes, out);
    out.push(b'\n');
}

/// The format's way to say "none".
fn number_or_dash(number: u64, out: &mut Vec<u8>) {
    match number {
        0 => out.push(b'-'),
        number => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
    }
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x21..=0x7e => out.push(byte),
            0..=0x20 | 0x7f..=0xff => {
                out.extend_from_slice(b"\\x");
                out.extend_from_slice(&hex(byte));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::access_log::record::tests::{outside, sample};

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        write(record, &mut Timestamp::default(), &mut out);
        String::from_utf8(out).expect("ASCII")
    }

    /// Undoes [`escape`].
    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'\\' => match rest.next().expect("an escape") {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'x' => {
                        let digits = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                        u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap()
                    }
                    itself => itself,
                },
                itself => itself,
            });
        }
        bytes
    }

    #[test]
    fn a_plain_line_in_full() {
        let expected = "192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /a?b=c HTTP/1.1\" 200 12\n";
        assert_eq!(line(&sample()), expected);
        let none = Record { status: 0, response_bytes: 0, ..sample() };
        assert!(line(&none).ends_with("\" - -\n"));
    }

    #[test]
    fn a_forged_line_stays_inside_the_quotes() {
        let target = b"/\" 200 1\n10.0.0.1 - - [x] \"GET /";
        let text = line(&Record { target, ..sample() });
        assert!(text.contains(r#""GET /\"\x20200\x201\n10.0.0.1\x20-"#), "{text}");
    }

    proptest! {
        #[test]
        fn every_line_is_one_line_of_printable_ascii(outside in outside()) {
            let record = outside.record();
            let text = line(&record);
            let inner = text.strip_suffix('\n').expect("a newline at the end");
            prop_assert!(inner.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{:?}", inner);
            let fields: Vec<_> = inner.split(' ').collect();
            prop_assert_eq!(fields.len(), 10);
            prop_assert_eq!(fields[0], record.client.ip().to_string());
            let method = fields[5].strip_prefix('"').expect("a quote");
            prop_assert_eq!(unescape(method), record.method.as_bytes());
            prop_assert_eq!(unescape(fields[6]), record.target);
            prop_assert_eq!(fields[7], "HTTP/1.1\"");
            let status = record.status.to_string();
            prop_assert_eq!(fields[8], if record.status == 0 { "-" } else { &status });
        }
    }
}
