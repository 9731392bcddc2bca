//! Paths: a pattern's `{pool}` and `{server}` each take one segment, which is percent-decoded afterwards, so
//! that a `/` in a name is not taken for the end of a segment.

use super::problem::{Kind, Problem};

/// The segments that stand for names, as they were sent.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Captured<'a> {
    pool: &'a str,
    server: &'a str,
}

/// The names that a path stands for; empty where the route has none.
#[derive(Debug)]
pub(crate) struct Segments {
    pub(crate) pool: String,
    pub(crate) server: String,
}

impl<'a> Captured<'a> {
    /// The names in `path`, if it is one of `pattern`.
    pub(super) fn of(pattern: &str, path: &'a str) -> Option<Self> {
        let mut captured = Self::default();
        let mut segments = path.split('/');
        for wanted in pattern.split('/') {
            let segment = segments.next()?;
            match wanted {
                "{pool}" if !segment.is_empty() => captured.pool = segment,
                "{server}" if !segment.is_empty() => captured.server = segment,
                literal if literal == segment => {}
                _ => return None,
            }
        }
        segments.next().is_none().then_some(captured)
    }

    pub(super) fn decode(self) -> Result<Segments, Problem> {
        Ok(Segments { pool: decode(self.pool)?, server: decode(self.server)? })
    }
}

/// Decodes `%XX` (RFC 3986 section 2.1).
fn decode(segment: &str) -> Result<String, Problem> {
    let malformed = || Problem::new(Kind::Malformed, "the path is not percent-encoded UTF-8");
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(malformed);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).expect("two hexadecimal digits make a byte"));
    }
    String::from_utf8(decoded).map_err(|_| malformed())
}

/// Encodes what may not stand in a segment as it is (RFC 3986 section 3.3).
pub(crate) fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'@' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_encoding() {
        for name in ["web", "[::1]:80", "10.0.0.1:9", "a@b", "100%", "a/b", "ä"] {
            assert_eq!(decode(&encode(name)).unwrap(), name);
        }
        assert_eq!(encode("[::1]:80"), "%5B::1%5D:80");
        for bad in ["%", "%4", "%zz", "%ff"] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }
}
