//! The chunked framing of a body (RFC 9112, section 7.1), read to be counted and thrown away. Pure.

use std::fmt;

/// The most bytes of chunk extensions and of trailers, each.
const LINE_BYTES_MAX: usize = 8 << 10;

/// Where in the framing the next byte is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Chunked {
    state: State,
    /// What is left of a chunk, or the size as far as it is read.
    left: u64,
    /// Bytes of the current line that mean nothing here.
    ignored: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Before the first digit of a size.
    #[default]
    Size,
    /// Within the digits.
    Digits,
    /// After the digits, until the end of the line.
    Extension,
    /// After the CR of a size's line.
    SizeEnd,
    /// Within a chunk.
    Data,
    /// After a chunk, before CR.
    DataCr,
    /// After a chunk, before LF.
    DataLf,
    /// At the start of a trailer's line.
    Trailer,
    /// Within a trailer.
    TrailerLine,
    /// After the CR of the last, empty line.
    LastLf,
    /// Whole.
    Done,
}

/// Bytes that are no chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadChunk;

impl fmt::Display for BadChunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the body is not framed as chunks")
    }
}

impl Chunked {
    /// Whether the body is whole.
    pub(crate) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes bytes; how many of them belong to the framed body, and how many of these are the body's own.
    ///
    /// # Errors
    /// When they are no chunks.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(usize, u64), BadChunk> {
        let (mut at, mut body) = (0, 0);
        while at < bytes.len() && self.state != State::Done {
            if self.state == State::Data {
                let here = (bytes.len() - at) as u64;
                let taken = here.min(self.left);
                self.left -= taken;
                body += taken;
                at += usize::try_from(taken).unwrap_or(usize::MAX);
                if self.left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            self.state = self.after(bytes[at])?;
            at += 1;
        }
        Ok((at, body))
    }

    fn after(&mut self, byte: u8) -> Result<State, BadChunk> {
        let next = match (self.state, byte) {
            (State::Size | State::Digits, byte) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                self.left =
                    self.left.checked_mul(16).and_then(|size| size.checked_add(digit)).ok_or(BadChunk)?;
                State::Digits
            }
            (State::Digits | State::Extension, b'\r') => State::SizeEnd,
            (State::Digits, b';' | b' ' | b'\t') => State::Extension,
            (State::Extension, byte) if byte != b'\n' => self.ignore(State::Extension)?,
            (State::SizeEnd, b'\n') if self.left > 0 => State::Data,
            (State::SizeEnd, b'\n') => State::Trailer,
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.ignored = 0;
                State::Size
            }
            (State::Trailer, b'\r') => State::LastLf,
            (State::Trailer | State::TrailerLine, byte) if byte != b'\n' => {
                self.ignore(State::TrailerLine)?
            }
            (State::TrailerLine, _) => State::Trailer,
            (State::LastLf, b'\n') => State::Done,
            (
                State::Size
                | State::Digits
                | State::Extension
                | State::SizeEnd
                | State::Data
                | State::DataCr
                | State::DataLf
                | State::Trailer
                | State::LastLf
                | State::Done,
                _,
            ) => return Err(BadChunk),
        };
        Ok(next)
    }

    fn ignore(&mut self, state: State) -> Result<State, BadChunk> {
        self.ignored += 1;
        if self.ignored > LINE_BYTES_MAX { Err(BadChunk) } else { Ok(state) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n";

    #[test]
    fn a_body_is_counted_however_it_comes() {
        for cut in 0..=WHOLE.len() {
            let mut chunked = Chunked::default();
            let (first, last) = WHOLE.split_at(cut);
            let (taken, some) = chunked.take(first).unwrap();
            assert_eq!(taken, cut);
            assert_eq!(chunked.is_done(), cut == WHOLE.len());
            let (taken, rest) = chunked.take(last).unwrap();
            assert_eq!((taken, some + rest, chunked.is_done()), (last.len(), 15, true), "{cut}");
        }
    }

    #[test]
    fn what_follows_is_left() {
        let mut chunked = Chunked::default();
        assert_eq!(chunked.take(b"0\r\n\r\nHTTP/1.1").unwrap(), (5, 0));
        assert!(chunked.is_done());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for wrong in [
            &b"x\r\n"[..],
            b"\r\n",
            b"5\nhello",
            b"5\r\nhelloX",
            b"5\r\nhello\r\r",
            b"11111111111111111\r\n",
            b"0\r\n\n",
        ] {
            assert_eq!(Chunked::default().take(wrong), Err(BadChunk), "{}", wrong.escape_ascii());
        }
        let endless = [&b"5;"[..], &vec![b'a'; LINE_BYTES_MAX + 1]].concat();
        assert_eq!(Chunked::default().take(&endless), Err(BadChunk));
    }
}
