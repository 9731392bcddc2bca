//! A value that its carrier can't hold whole: `weir.config` in one piece, or `weir.config.0`, `weir.config.1`, ... to
//! be joined. Pure.

use super::fault::Problem;
use super::text::{ENCODED_BYTES_MAX, Encoding, weir_file};

/// The most pieces, of all carriers; Hyper-V's smallest piece of 990 bytes makes it 1 MiB.
const PIECES_MAX: usize = 2048;

/// The Weir file that `values` hold under `name`; the whole one goes before the pieces.
pub(super) fn weir_file_in<'v>(
    name: &str,
    values: impl IntoIterator<Item = (&'v str, &'v [u8])>,
) -> Result<Option<String>, Problem> {
    match join(name, values)? {
        Some(bytes) => weir_file(&bytes, Encoding::Detect),
        None => Ok(None),
    }
}

fn join<'v>(
    name: &str,
    values: impl IntoIterator<Item = (&'v str, &'v [u8])>,
) -> Result<Option<Vec<u8>>, Problem> {
    let mut pieces: Vec<(usize, &[u8])> = Vec::new();
    for (key, value) in values {
        if key == name {
            return Ok(Some(value.to_vec()));
        }
        let Some(number) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else { continue };
        let number = number.parse().ok().filter(|number| *number < PIECES_MAX);
        let number = number.ok_or_else(|| Problem::PieceNumber(key.to_owned()))?;
        pieces.push((number, value));
    }
    pieces.sort_by_key(|(number, _)| *number);
    // The same piece twice is what a host leaves that changed it: the later one counts.
    let mut joined = Vec::new();
    let mut next = 0;
    for (index, (number, value)) in pieces.iter().enumerate() {
        if pieces.get(index + 1).is_some_and(|(later, _)| later == number) {
            continue;
        }
        if *number != next {
            return Err(Problem::PieceMissing { missing: next });
        }
        next += 1;
        joined.extend_from_slice(value);
        if joined.len() > ENCODED_BYTES_MAX {
            return Err(Problem::TooLarge);
        }
    }
    Ok(if next == 0 { None } else { Some(joined) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn joined(values: &[(&str, &str)]) -> Result<Option<String>, Problem> {
        let values = values.iter().map(|(key, value)| (*key, value.as_bytes()));
        join("k", values).map(|bytes| bytes.map(|bytes| String::from_utf8(bytes).unwrap()))
    }

    #[test]
    fn pieces_are_joined_by_number() {
        assert_eq!(joined(&[("k.10", "x")]), Err(Problem::PieceMissing { missing: 0 }));
        let ten: Vec<(String, &str)> =
            (0..11).rev().map(|n| (format!("k.{n}"), if n == 10 { "z" } else { "a" })).collect();
        let ten: Vec<(&str, &str)> = ten.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(joined(&ten), Ok(Some("aaaaaaaaaaz".to_owned())));
        assert_eq!(joined(&[("other", "o"), ("kk", "o")]), Ok(None));
        assert_eq!(joined(&[("k", "whole")]), Ok(Some("whole".to_owned())));
        assert_eq!(joined(&[("k.0", "old"), ("k.0", "new")]), Ok(Some("new".to_owned())));
    }

    #[test]
    fn gaps_and_bad_numbers_are_faults() {
        assert_eq!(joined(&[("k.0", "a"), ("k.2", "c")]), Err(Problem::PieceMissing { missing: 1 }));
        assert_eq!(joined(&[("k.x", "a")]), Err(Problem::PieceNumber("k.x".to_owned())));
        assert_eq!(joined(&[("k.99999", "a")]), Err(Problem::PieceNumber("k.99999".to_owned())));
    }

    proptest! {
        #[test]
        fn no_values_panic(values in proptest::collection::vec(("k(\\.[0-9]{0,5})?", "[a-z]{0,4}"), 0..20)) {
            let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            let _ = joined(&values);
        }
    }
}
