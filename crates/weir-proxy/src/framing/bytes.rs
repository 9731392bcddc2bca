//! Which bytes may stand where. Every table is the grammar's, and each departure from it says why.

/// `tchar`, RFC 9110 section 5.6.2. All of them are fine with `http::Method` and `http::HeaderName`.
pub(super) const TCHAR: [bool; 256] = table(b"!#$%&'*+-.^_`|~");

/// A path: printable ASCII but `#` (a fragment is never sent), `"<>` and the backtick, which browsers encode
/// and `http::Uri` refuses in part. The raw `{}|\^[]` of real clients pass, as they do through HAProxy.
pub(super) const PATH: [bool; 256] = table(b"!$%&'()*+,-./:;=@[\\]^_{|}~");

/// A query: a path's bytes, `?`, and the backtick, which browsers leave as it is here.
pub(super) const QUERY: [bool; 256] = table(b"!$%&'()*+,-./:;=@[\\]^_{|}~?`");

/// A registered name: RFC 3986's `unreserved`. Its `sub-delims` and percent-encoding are refused: no DNS
/// name has them, and a comma in a Host is a list to somebody.
pub(super) const REG_NAME: [bool; 256] = table(b"-._~");

/// Whether all of `bytes` are in `table`.
pub(super) fn all(table: &[bool; 256], bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| table[usize::from(byte)])
}

/// Whether there is a byte that a field value can't hold: a control byte other than HTAB (RFC 9110 section
/// 5.5; `obs-text` may pass). No early exit, so that the compiler makes it a vector loop.
pub(super) fn has_control(value: &[u8]) -> bool {
    value.iter().fold(false, |found, &byte| found | (byte < b' ' && byte != b'\t') | (byte == 0x7f))
}

/// Without the optional white space around it: SP and HTAB only (RFC 9110 section 5.6.3).
pub(super) fn trim_ows(value: &[u8]) -> &[u8] {
    let is_ows = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_ows(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_ows(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// Letters, digits and `others`.
const fn table(others: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
}
