//! What the figures say, in plain words. Pure: a [`Summary`] in, sentences out, and nothing is said that the data do
//! not hold: where targets lie no further apart than their own rounds do, that is what is said.
//!
//! One file for each kind of finding; [`findings`] is their order on the page.

mod cards;
mod caveats;
mod emulation;
mod limits;
mod loss;
mod processor;
mod trend;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use trend::trends;

use super::summary::{Spread, Summary};
use super::words;

/// A sentence or two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// What a finding is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// What to do.
    Advice,
    /// What was found.
    Result,
    /// Why not to trust something.
    Caveat,
}

impl Kind {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Advice => "advice",
            Self::Result => "result",
            Self::Caveat => "caveat",
        }
    }
}

impl Finding {
    fn advice(text: impl Into<String>) -> Self {
        Self { kind: Kind::Advice, text: text.into() }
    }

    fn result(text: impl Into<String>) -> Self {
        Self { kind: Kind::Result, text: text.into() }
    }

    fn caveat(text: impl Into<String>) -> Self {
        Self { kind: Kind::Caveat, text: text.into() }
    }
}

/// Everything that one run says.
pub(crate) fn findings(summary: &Summary) -> Vec<Finding> {
    let all: [fn(&Summary) -> Vec<Finding>; 6] = [
        cards::findings,
        loss::findings,
        limits::findings,
        processor::findings,
        emulation::findings,
        caveats::findings,
    ];
    let mut found: Vec<Finding> = all.into_iter().flat_map(|find| find(summary)).collect();
    // Within a kind, the order above.
    found.sort_by_key(|finding| finding.kind);
    found
}

/// With which words a sentence begins that is about one of several modes.
fn in_mode(summary: &Summary, mode: crate::results::Mode) -> String {
    if summary.modes.len() > 1 { format!("With {}: ", mode.words()) } else { String::new() }
}

/// Shares that lie further apart than this over the sizes are told with their ends.
const SPAN_NOTABLE: f64 = 0.1;

/// ` (22 % to 45 %)`; nothing where that says nothing.
fn span(share: Spread) -> String {
    if share.max - share.min < SPAN_NOTABLE {
        return String::new();
    }
    format!(" ({} to {})", words::percent(share.min), words::percent(share.max))
}

/// `text` with its first letter large.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
