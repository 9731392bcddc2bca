//! The requests that are counted.

use crate::peers::proxies::Front;

/// What is asked for, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What it is called, here and in the baseline.
    pub name: &'static str,
    /// What it is, in words.
    pub about: &'static str,
    /// What Weir listens for.
    pub front: Front,
    /// The size of the answer, as it is written in the origin's query.
    pub size: &'static str,
    /// Whether each request has a connection of its own.
    pub close: bool,
    /// Whether Weir writes an access log.
    pub access_log: bool,
}

/// What the usual one has: 1 KiB over a kept connection.
const USUAL: Case =
    Case { name: "", about: "", front: Front::Http, size: "1k", close: false, access_log: false };

/// Every case. Those for which Weir is started alike follow each other.
pub const CASES: [Case; 7] = [
    Case { name: "0b", about: "an empty answer, kept connections", size: "0", ..USUAL },
    Case { name: "1k", about: "1 KiB, kept connections", ..USUAL },
    Case {
        name: "0b-close",
        about: "an empty answer, a client's connection for each",
        size: "0",
        close: true,
        ..USUAL
    },
    Case {
        name: "0b-log",
        about: "an empty answer, with the access log",
        size: "0",
        access_log: true,
        ..USUAL
    },
    Case { name: "https", about: "1 KiB over TLS, kept connections", front: Front::Tls, ..USUAL },
    Case {
        name: "h2",
        about: "1 KiB over HTTP/2 without TLS, one stream at a time",
        front: Front::H2c,
        ..USUAL
    },
    Case { name: "tcp", about: "1 KiB relayed as bytes, kept connections", front: Front::Tcp, ..USUAL },
];

impl Case {
    /// Whether Weir is started alike for both.
    #[must_use]
    pub fn is_started_like(&self, other: &Self) -> bool {
        (self.front, self.access_log) == (other.front, other.access_log)
    }

    /// How Weir is started for it, in a word.
    #[must_use]
    pub fn start(&self) -> String {
        format!("{}{}", self.front.name(), if self.access_log { "-log" } else { "" })
    }
}
