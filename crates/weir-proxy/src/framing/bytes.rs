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
/// 5.5; `obs-text` may pass).
///
/// Eight bytes at a time, the last eight overlapping: most values have a length that leaves a vector loop with
/// a long tail (measured: a quarter of the whole head's cost).
#[inline]
pub(super) fn has_control(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks::<8>();
    let mut suspicious = words.iter().any(|word| may_have_control(*word));
    if !rest.is_empty() {
        suspicious |= match value.last_chunk::<8>() {
            Some(word) => may_have_control(*word),
            None => true,
        };
    }
    suspicious && value.iter().any(|&byte| (byte < b' ' && byte != b'\t') || byte == 0x7f)
}

/// Whether a byte is below SP, HTAB too, or is DEL. The carries of the subtractions can only add to a byte
/// above one that was found, so the answer for all eight is exact.
#[inline]
fn may_have_control(word: [u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_le_bytes(word);
    let below_space = word.wrapping_sub(ONES * 0x20) & !word;
    let no_delete = word ^ (ONES * 0x7f);
    let delete = no_delete.wrapping_sub(ONES) & !no_delete;
    (below_space | delete) & HIGH != 0
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

#[cfg(test)]
mod tests {
    use super::has_control;

    #[test]
    fn every_control_byte_is_found_at_every_place() {
        for filler in [b'\t', b' ', b'x', 0x80, 0xff] {
            for length in 1..=20 {
                for at in 0..length {
                    for byte in 0..=255u8 {
                        let mut value = vec![filler; length];
                        value[at] = byte;
                        let control = byte.is_ascii_control() && byte != b'\t';
                        assert_eq!(has_control(&value), control, "{value:?}");
                    }
                }
            }
        }
    }
}
