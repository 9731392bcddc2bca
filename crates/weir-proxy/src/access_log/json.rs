//! One exchange as one line of JSON.
//!
//! Invariant: whatever bytes a client sent, the line is valid UTF-8 and valid JSON, has no newline but its
//! last byte, and holds no control character (C0, DEL or C1), so that it is also safe to look at in a
//! terminal. Bytes that are not UTF-8 become U+FFFD. What an exchange does not have is left out. Times are
//! milliseconds with three decimals. Appends only; allocates only to grow `out`.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use super::timestamp::Timestamp;
use super::{Kind, Record};

/// Appends `record` and a newline.
pub(super) fn write(record: &Record<'_>, stamp: &mut Timestamp, out: &mut Vec<u8>) {
    let Record { kind, started, client, listener, method, host, target, version: _, status, .. } = *record;
    let Record { request_bytes, response_bytes, pool, server, upstream, retries, times, .. } = *record;
    let Record { tls, end, cause, user_agent, referer, .. } = *record;

    out.extend_from_slice(b"{\"time\":\"");
    stamp.write_rfc3339(started, out);
    out.push(b'"');
    let mut line = Line { out: &mut *out };
    line.address("client", client);
    line.text("listener", listener.as_bytes());
    match kind {
        Kind::Http => {
            line.text("method", method.as_bytes());
            line.text_if("host", host);
            line.text("target", target);
            line.text("version", record.version_text().as_bytes());
        }
        Kind::Tcp | Kind::Udp => {
            line.text("protocol", if kind == Kind::Tcp { b"tcp" } else { b"udp" });
            line.text_if("host", host);
        }
    }
    if status != 0 {
        line.number("status", status.into());
    }
    line.number("request_bytes", request_bytes);
    line.number("response_bytes", response_bytes);
    line.text_if("pool", pool.map(str::as_bytes));
    line.text_if("server", server.map(str::as_bytes));
    if let Some(upstream) = upstream {
        line.address("upstream", upstream);
    }
    line.number("retries", retries.into());
    line.millis_if("queue_ms", times.queue);
    line.millis_if("connect_ms", times.connect);
    line.millis_if("first_byte_ms", times.first_byte);
    line.millis_if("total_ms", times.total);
    if let Some((version, cipher)) = tls {
        line.text("tls_version", version.as_bytes());
        line.text("tls_cipher", cipher.as_bytes());
    }
    line.text("end", &end);
    line.text_if("cause", cause.map(str::as_bytes));
    line.text_if("user_agent", user_agent);
    line.text_if("referer", referer);
    out.extend_from_slice(b"}\n");
}

/// An object whose first member is already written. Keys are ours and need no escape.
struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    fn key(&mut self, key: &'static str) {
        self.out.extend_from_slice(b",\"");
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    fn text(&mut self, key: &'static str, value: &[u8]) {
        self.key(key);
        self.out.push(b'"');
        escape(value, self.out);
        self.out.push(b'"');
    }

    fn text_if(&mut self, key: &'static str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &'static str, value: u64) {
        self.key(key);
        self.out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn millis_if(&mut self, key: &'static str, value: Option<Duration>) {
        let Some(value) = value else { return };
        let micros = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        self.number(key, micros / 1000);
        let [a, b, c] = [micros / 100, micros / 10, micros].map(|n| b'0' + (n % 10) as u8);
        self.out.extend_from_slice(&[b'.', a, b, c]);
    }

    fn address(&mut self, key: &'static str, value: SocketAddr) {
        self.key(key);
        // A Vec takes whatever is written to it.
        let _ = write!(self.out, "\"{value}\"");
    }
}

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7).
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        escape_valid(chunk.valid().as_bytes(), out);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// The same for valid UTF-8: copies runs that need no escape whole.
fn escape_valid(text: &[u8], out: &mut Vec<u8>) {
    let mut copied = 0;
    for (at, &byte) in text.iter().enumerate() {
        let code = match byte {
            b'"' | b'\\' | 0..=0x1f | 0x7f => byte,
            // U+0080 to U+009F are 0xC2 and the code itself.
            0x80..=0x9f if at > 0 && text[at - 1] == 0xc2 => byte,
            _ => continue,
        };
        let until = if code >= 0x80 { at - 1 } else { at };
        out.extend_from_slice(&text[copied..until]);
        copied = at + 1;
        match code {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&hex(other));
            }
        }
    }
    out.extend_from_slice(&text[copied..]);
}

/// Two hexadecimal digits, in lower case.
pub(super) fn hex(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::access_log::record::tests::{outside, sample};

    fn line(record: &Record<'_>) -> String {
        let mut out = Vec::new();
        write(record, &mut Timestamp::default(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn a_plain_line_in_full() {
        let expected = concat!(
            r#"{"time":"2023-11-14T22:13:20.123Z","client":"192.0.2.1:40000","listener":"web","#,
            r#""method":"GET","host":"www.example.com","target":"/a?b=c","version":"HTTP/1.1","#,
            r#""status":200,"request_bytes":0,"response_bytes":12,"pool":"api","server":"a1","#,
            r#""upstream":"10.0.0.1:8080","retries":1,"connect_ms":0.250,"first_byte_ms":1.500,"#,
            r#""total_ms":2000.000,"end":"--","user_agent":"curl/8"}"#,
            "\n"
        );
        assert_eq!(line(&sample()), expected);
    }

    #[test]
    fn control_characters_are_escaped_and_broken_utf8_is_replaced() {
        let target = b"\"\\\n\r\t\0\x1b[2J\x7f\xc2\x9b\xc2\xa0\xff\xc3\xa9";
        let text = line(&Record { target, ..sample() });
        let expected = "\"target\":\"\\\"\\\\\\n\\r\\t\\u0000\\u001b[2J\\u007f\\u009b\u{a0}\u{fffd}\u{e9}\"";
        assert!(text.contains(expected), "{text}");
    }

    proptest! {
        #[test]
        fn every_line_parses_back_to_the_same_values(outside in outside()) {
            let record = outside.record();
            let text = line(&record);
            let ends_well = text.ends_with("}\n");
            prop_assert!(ends_well);
            prop_assert!(!text[..text.len() - 1].contains(char::is_control), "{:?}", text);

            let value: Value = serde_json::from_str(&text).expect("JSON");
            let lossy = |bytes: Option<&[u8]>| match bytes {
                Some(bytes) => json!(String::from_utf8_lossy(bytes)),
                None => Value::Null,
            };
            prop_assert_eq!(&value["host"], &lossy(record.host));
            prop_assert_eq!(&value["target"], &lossy(Some(record.target)));
            prop_assert_eq!(&value["method"], &json!(record.method));
            prop_assert_eq!(&value["cause"], &json!(record.cause));
            prop_assert_eq!(&value["user_agent"], &lossy(record.user_agent));
            prop_assert_eq!(&value["referer"], &lossy(record.referer));
            prop_assert_eq!(value["status"].as_u64().unwrap_or(0), u64::from(record.status));
            prop_assert_eq!(&value["request_bytes"], &json!(record.request_bytes));
            prop_assert_eq!(&value["response_bytes"], &json!(record.response_bytes));
            prop_assert_eq!(&value["client"], &json!(record.client.to_string()));
            let total = value["total_ms"].as_f64().map(|ms| (ms * 1000.0).round());
            prop_assert_eq!(total, record.times.total.map(|total| total.as_micros() as f64));
        }
    }
}
