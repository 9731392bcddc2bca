//! The requests that are counted.

/// What is asked for, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// What it is called, here and in the baseline.
    pub name: &'static str,
    /// What it is, in words.
    pub about: &'static str,
    /// The size of the answer, as it is written in the origin's query.
    pub size: &'static str,
    /// Whether each request has a connection of its own.
    pub close: bool,
    /// Whether Weir writes an access log.
    pub access_log: bool,
}

/// Every case. Those without the access log first, because all of them need only one start of Weir.
pub const CASES: [Case; 4] = [
    Case {
        name: "0b",
        about: "an empty answer, kept connections",
        size: "0",
        close: false,
        access_log: false,
    },
    Case { name: "1k", about: "1 KiB, kept connections", size: "1k", close: false, access_log: false },
    Case {
        name: "0b-close",
        about: "an empty answer, a client's connection for each",
        size: "0",
        close: true,
        access_log: false,
    },
    Case {
        name: "0b-log",
        about: "an empty answer, with the access log",
        size: "0",
        close: false,
        access_log: true,
    },
];
