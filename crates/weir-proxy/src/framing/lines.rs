//! Walks the lines of a head, or of a trailer section, that may arrive a byte at a time.
//!
//! Invariant: no byte is looked at twice for a line end, however the head is split; and what is found
//! depends on the bytes alone, not on the split. It knows line ends and the byte limit, not what lines mean.

use super::Violation;

/// Where the walk stands. Offsets count from the first byte of the head.
#[derive(Debug, Default)]
pub(super) struct Lines {
    start: usize,
    scanned: usize,
}

/// A line without its CRLF.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// Offset of its first byte in the head.
    pub(super) at: usize,
    pub(super) bytes: &'a [u8],
}

impl Lines {
    /// Goes over one CRLF at the start of the line, if there is one.
    pub(super) fn skip_crlf(&mut self, head: &[u8]) -> bool {
        let found = self.unfinished(head).starts_with(b"\r\n");
        if found {
            self.start += 2;
            self.scanned = self.start;
        }
        found
    }

    /// The next whole line; `None` when `head` ends first. Only CRLF ends a line: RFC 9112 section 2.2 lets
    /// a recipient take a bare LF, and two recipients that differ there see two different messages.
    ///
    /// `head_bytes_max` counts the CRLFs too.
    #[inline]
    pub(super) fn next<'a>(
        &mut self,
        head: &'a [u8],
        head_bytes_max: usize,
    ) -> Result<Option<Line<'a>>, Violation> {
        let window = &head[..head.len().min(head_bytes_max)];
        let fresh = window.get(self.scanned..).unwrap_or_default();
        let Some(found) = memchr::memchr(b'\n', fresh) else {
            self.scanned = self.scanned.max(window.len());
            return if head.len() > head_bytes_max { Err(Violation::HeadTooLarge) } else { Ok(None) };
        };
        let line_feed = self.scanned + found;
        let Some(bytes) = window[self.start..line_feed].strip_suffix(b"\r") else {
            return Err(Violation::BareLf);
        };
        let line = Line { at: self.start, bytes };
        self.start = line_feed + 1;
        self.scanned = self.start;
        Ok(Some(line))
    }

    /// The bytes of the line that has not ended yet.
    pub(super) fn unfinished<'a>(&self, head: &'a [u8]) -> &'a [u8] {
        head.get(self.start..).unwrap_or_default()
    }

    /// Bytes from the start of the head to the end of the last whole line.
    pub(super) fn consumed(&self) -> usize {
        self.start
    }

    /// Whether no byte of an unfinished line was seen.
    pub(super) fn between(&self) -> bool {
        self.scanned == self.start
    }
}
