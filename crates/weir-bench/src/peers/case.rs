//! What is asked for, and how.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The cases of a run that names none.
pub const CASES: &str = "0b,1k,64k,1m,0b-close,64k-close";

/// The largest answer that a case may ask for, in bytes; the origin gives no larger one.
const BYTES_MAX: u64 = 1 << 30;

/// Answers of one size; `64k-close` is a connection for each, `64k` keeps connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The size as it is written in the origin's query, such as `64k`.
    size: String,
    /// Whether the client asks for the end of its connection with each request.
    pub close: bool,
}

impl Case {
    /// The target of its requests.
    pub fn target(&self) -> String {
        format!("/?s={}", self.size)
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (size, close) = text.strip_suffix("-close").map_or((text, false), |size| (size, true));
        let refused =
            || format!("`{text}` is not a case; write a size such as 0b, 64k or 1m, perhaps with -close");
        let digits = size.trim_end_matches(|last: char| last.is_ascii_alphabetic());
        let (unit, suffix) = match &size[digits.len()..] {
            "b" => (1, ""),
            "k" => (1 << 10, "k"),
            "m" => (1 << 20, "m"),
            _ => return Err(refused()),
        };
        let number: u64 = digits.parse().map_err(|_| refused())?;
        number.checked_mul(unit).filter(|&bytes| bytes <= BYTES_MAX).ok_or_else(refused)?;
        Ok(Self { size: format!("{number}{suffix}"), close })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.size.ends_with(|last: char| last.is_ascii_digit()) { "b" } else { "" };
        write!(formatter, "{}{unit}{}", self.size, if self.close { "-close" } else { "" })
    }
}

impl Serialize for Case {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_cases_are_cases() {
        for text in CASES.split(',') {
            assert_eq!(text.parse::<Case>().unwrap().to_string(), text);
        }
        let case: Case = "64k-close".parse().unwrap();
        assert_eq!((case.target().as_str(), case.close), ("/?s=64k", true));
        let case: Case = "0b".parse().unwrap();
        assert_eq!((case.target().as_str(), case.close), ("/?s=0", false));
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for text in ["", "k", "1", "1g", "1kb", "-1k", "1k-open", "99999999999999999999m", "2000m"] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }
}
