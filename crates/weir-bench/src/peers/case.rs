//! What is asked for, over what, and how. A new case is a row in [`ROWS`].
//!
//! A case that is no row may be named too, in the same grammar; it belongs to no group and has no target.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::proxies::Front;
use crate::objects;

/// The cases of a run that names none.
pub const USUAL: &str = "all";

/// The group of every case.
const ALL: &str = "all";

/// Every usual case, in the order of the report.
const ROWS: [Row; 19] = [
    row("http", "0b", Some(0.70)),
    row("http", "1k", Some(0.70)),
    row("http", "64k", Some(0.65)),
    row("http", "1m", None),
    row("http", "0b-close", Some(0.85)),
    row("http", "64k-close", None),
    row("tls", "tls-full", Some(0.80)),
    row("tls", "tls-hybrid", None),
    row("tls", "tls-resume", None),
    row("tls", "https-0b", Some(0.75)),
    row("tls", "https-1k", Some(0.75)),
    row("tls", "https-64k", None),
    row("tls", "https-1m", Some(1.0)),
    row("h2", "h2-0b", Some(0.75)),
    row("h2", "h2-1k", Some(0.75)),
    row("h2", "h2c-0b", None),
    row("h2", "h2c-1k", None),
    row("tcp", "tcp-0b", Some(1.0)),
    row("tcp", "tcp-1m", Some(1.0)),
];

/// The largest answer that a case may ask for, in bytes; the origin gives no larger one.
const BYTES_MAX: u64 = 1 << 30;

/// A usual case.
struct Row {
    group: &'static str,
    name: &'static str,
    /// What of HAProxy's processor time Weir may take for it, at most.
    target: Option<f64>,
}

const fn row(group: &'static str, name: &'static str, target: Option<f64>) -> Row {
    Row { group, name, target }
}

/// Answers of one size, over one kind of listener: `https-64k`, `tcp-1m`; `64k-close` is a connection for each answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What the proxies have to listen for.
    pub front: Front,
    /// How the requests come.
    pub pattern: Pattern,
    /// The size as it is written in the origin's query, such as `64k`.
    size: String,
}

/// How requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// One after the other on each of many kept connections.
    Kept,
    /// With a connection for each.
    Close,
    /// Several at once on each of a few connections.
    Streams,
    /// With a connection and so a handshake for each, of this kind and no other.
    Handshakes(Handshake),
}

/// A TLS 1.3 handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Handshake {
    /// With a certificate; the keys by X25519.
    Full,
    /// With a certificate; the keys by X25519MLKEM768.
    Hybrid,
    /// With a ticket of the connection before; the keys by X25519.
    Resume,
}

impl Handshake {
    /// As it is written in the name of a case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Hybrid => "hybrid",
            Self::Resume => "resume",
        }
    }
}

impl Case {
    /// The target of its requests.
    pub fn target(&self) -> String {
        format!("/?s={}", self.size)
    }

    /// The size of an answer in bytes.
    pub fn bytes(&self) -> u64 {
        objects::bytes(&self.size).expect("what from_str took is a size")
    }

    /// What of HAProxy's processor time Weir may take for it, at most.
    pub fn ratio_max(&self) -> Option<f64> {
        let name = self.to_string();
        ROWS.iter().find(|row| row.name == name)?.target
    }

    /// The cases that `name` is of: those of a group, or the one of that name.
    ///
    /// # Errors
    /// In words, when it is neither.
    pub fn named(name: &str) -> Result<Vec<Self>, String> {
        let group: Vec<&Row> = ROWS.iter().filter(|row| name == ALL || row.group == name).collect();
        if group.is_empty() {
            return Ok(vec![name.parse()?]);
        }
        group.iter().map(|row| row.name.parse()).collect()
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "`{text}` is no case and no group; the groups are all, http, tls, h2 and tcp, and a case is a size \
                 such as 0b, 64k or 1m, perhaps with -close, or with https-, h2-, h2c- or tcp- before it, or \
                 tls-full, tls-hybrid or tls-resume"
            )
        };
        let (front, kept, rest) = match text.split_once('-') {
            Some(("tls", kind)) => {
                let kinds = [Handshake::Full, Handshake::Hybrid, Handshake::Resume];
                let kind = kinds.into_iter().find(|known| known.name() == kind).ok_or_else(refused)?;
                return Ok(Self { front: Front::Tls, pattern: Pattern::Handshakes(kind), size: "0".into() });
            }
            Some(("https", rest)) => (Front::Tls, Pattern::Kept, rest),
            Some(("h2", rest)) => (Front::Tls, Pattern::Streams, rest),
            Some(("h2c", rest)) => (Front::H2c, Pattern::Streams, rest),
            Some(("tcp", rest)) => (Front::Tcp, Pattern::Kept, rest),
            Some(_) | None => (Front::Http, Pattern::Kept, text),
        };
        let (size, pattern) = match rest.strip_suffix("-close") {
            // Over TLS it matters which handshake it is; what a connection costs there is what `tls-full` says.
            Some(size) if matches!(front, Front::Http | Front::Tcp) => (size, Pattern::Close),
            Some(_) => return Err(refused()),
            None => (rest, kept),
        };
        let digits = size.trim_end_matches(|last: char| last.is_ascii_alphabetic());
        let (unit, suffix) = match &size[digits.len()..] {
            "b" => (1, ""),
            "k" => (1 << 10, "k"),
            "m" => (1 << 20, "m"),
            _ => return Err(refused()),
        };
        let number: u64 = digits.parse().map_err(|_| refused())?;
        number.checked_mul(unit).filter(|&bytes| bytes <= BYTES_MAX).ok_or_else(refused)?;
        Ok(Self { front, pattern, size: format!("{number}{suffix}") })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = match (self.pattern, self.front) {
            (Pattern::Handshakes(kind), _) => return write!(formatter, "tls-{}", kind.name()),
            (_, Front::Http) => "",
            (Pattern::Streams, Front::Tls) => "h2-",
            (_, Front::Tls) => "https-",
            (_, Front::H2c) => "h2c-",
            (_, Front::Tcp) => "tcp-",
        };
        let unit = if self.size.ends_with(|last: char| last.is_ascii_digit()) { "b" } else { "" };
        let close = if self.pattern == Pattern::Close { "-close" } else { "" };
        write!(formatter, "{before}{}{unit}{close}", self.size)
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
        let all = Case::named(USUAL).unwrap();
        assert_eq!(all.len(), ROWS.len());
        for (case, row) in all.iter().zip(&ROWS) {
            assert_eq!((case.to_string().as_str(), case.ratio_max()), (row.name, row.target));
        }
        let case: Case = "64k-close".parse().unwrap();
        assert_eq!((case.target().as_str(), case.pattern), ("/?s=64k", Pattern::Close));
        assert_eq!(case.bytes(), 65_536);
        let case: Case = "0b".parse().unwrap();
        assert_eq!((case.target().as_str(), case.pattern, case.front), ("/?s=0", Pattern::Kept, Front::Http));
    }

    #[test]
    fn a_group_is_its_cases() {
        let names = |group: &str| Case::named(group).unwrap().iter().map(Case::to_string).collect::<Vec<_>>();
        assert_eq!(names("h2"), ["h2-0b", "h2-1k", "h2c-0b", "h2c-1k"]);
        assert_eq!(names("tcp-64k-close"), ["tcp-64k-close"]);
    }

    #[test]
    fn a_name_says_over_what_and_how() {
        for (name, front, pattern) in [
            ("tls-resume", Front::Tls, Pattern::Handshakes(Handshake::Resume)),
            ("https-7k", Front::Tls, Pattern::Kept),
            ("h2-7k", Front::Tls, Pattern::Streams),
            ("h2c-7k", Front::H2c, Pattern::Streams),
            ("tcp-7k", Front::Tcp, Pattern::Kept),
            ("7k", Front::Http, Pattern::Kept),
        ] {
            let case: Case = name.parse().unwrap();
            assert_eq!((case.front, case.pattern, case.to_string().as_str()), (front, pattern, name));
            assert_eq!(case.ratio_max(), None);
        }
    }

    #[test]
    fn what_is_no_case_is_refused() {
        for text in ["", "k", "1", "1g", "1kb", "-1k", "1k-open", "99999999999999999999m", "2000m"] {
            assert!(Case::named(text).is_err(), "{text}");
        }
        for text in ["tls", "tls-0b", "tls-full-close", "https-0b-close", "h2-1k-close", "h3-1k", "udp"] {
            assert!(text.parse::<Case>().is_err(), "{text}");
        }
    }
}
