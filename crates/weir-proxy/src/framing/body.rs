//! Where a body ends, RFC 9112 section 6.3.

use super::chunked::Chunked;
use super::{HeadLimits, Violation};

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
    /// How many of `bytes` may pass. Stops at the end of the body.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<usize, Violation> {
        match self {
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                Ok(taken)
            }
            Self::Chunked(chunked) => chunked.advance(bytes, limits),
            Self::UntilClose => Ok(bytes.len()),
        }
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
