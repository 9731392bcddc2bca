//! Where a body ends, RFC 9112 section 6.3.

use super::chunked::Chunked;
use super::{HeadLimits, Part, Violation};

/// A body under way.
#[derive(Debug)]
pub(super) enum Body {
    /// So many bytes are still to come.
    Length(u64),
    Chunked(Chunked),
    /// Until the peer closes; only of responses.
    UntilClose,
}

impl Body {
    /// How many of `bytes` pass, and what they are. Stops after a piece of data, and at the end of the body.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<(usize, Part), Violation> {
        let taken = match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                taken
            }
            Self::Chunked(chunked) => return chunked.advance(bytes, limits),
            Self::UntilClose => bytes.len(),
        };
        Ok((taken, if taken > 0 { Part::Data { at: 0 } } else { Part::Nothing }))
    }

    /// Whether the message is over.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::UntilClose => false,
        }
    }
}
