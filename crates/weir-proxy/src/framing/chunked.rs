//! The chunked transfer coding, RFC 9112 section 7.1, checked as it streams by.
//!
//! Invariant: any split of the stream gives the same verdict at the same byte. Chunk data is counted, not
//! looked at. The trailer section is held back until it is whole, like a head; everything before it passes as
//! it comes.

use super::bytes::TCHAR;
use super::lines::Lines;
use super::{HeadLimits, Part, Violation, fields};

/// All chunk extensions of one message together, in bytes without the `;`. hyper drops them unread; its own
/// limit is 16 KiB.
const EXTENSION_BYTES_MAX: usize = 4096;

/// Hexadecimal digits of a 64-bit size. Leading zeros count, or a size line could go on for ever.
const SIZE_DIGITS_MAX: u8 = 16;

/// A chunked body under way.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    /// Bytes of data that may still come in later chunks.
    body_bytes_left: u64,
    extension_bytes: usize,
}

#[derive(Debug)]
enum State {
    Size { digits: u8, size: u64 },
    ExtensionName { size: u64 },
    Extension { size: u64 },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailers { lines: Lines, fields: usize },
    Done,
}

const SIZE_START: State = State::Size { digits: 0, size: 0 };

impl Chunked {
    pub(super) fn new(body_bytes_max: u64) -> Self {
        Self { state: SIZE_START, body_bytes_left: body_bytes_max, extension_bytes: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// How many of `bytes` pass, and what they are: up to the end of a piece of data, of the trailer section,
    /// or of `bytes`; but of an unfinished trailer section nothing, nor of what follows the body.
    pub(super) fn advance(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<(usize, Part), Violation> {
        let mut at = 0;
        loop {
            match &mut self.state {
                State::Done => return Ok((at, Part::Nothing)),
                State::Trailers { lines, fields } => {
                    let rest = &bytes[at..];
                    if !scan_trailers(lines, fields, rest, limits)? {
                        return Ok((at, Part::Nothing));
                    }
                    let end = at + lines.consumed();
                    self.state = State::Done;
                    return Ok((end, Part::Trailers { at }));
                }
                State::Data { left } => {
                    let available = bytes.len() - at;
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(available);
                    *left -= taken as u64;
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    let part = if taken > 0 { Part::Data { at } } else { Part::Nothing };
                    return Ok((at + taken, part));
                }
                State::Size { .. }
                | State::ExtensionName { .. }
                | State::Extension { .. }
                | State::SizeLf { .. }
                | State::DataCr
                | State::DataLf => {
                    let Some(&byte) = bytes.get(at) else { return Ok((at, Part::Nothing)) };
                    self.step(byte)?;
                    at += 1;
                }
            }
        }
    }

    /// One byte outside of data and trailers.
    fn step(&mut self, byte: u8) -> Result<(), Violation> {
        match self.state {
            State::Size { digits, size } => self.state = after_size_byte(digits, size, byte)?,
            State::ExtensionName { size } => {
                self.count_extension_byte()?;
                if TCHAR[usize::from(byte)] {
                    self.state = State::Extension { size };
                } else if !matches!(byte, b' ' | b'\t') {
                    return Err(Violation::ChunkExtensionInvalid);
                }
            }
            State::Extension { size } => match byte {
                b'\r' => self.state = State::SizeLf { size },
                b'\t' | b' '..=0x7e | 0x80.. => self.count_extension_byte()?,
                0..b'\t' | b'\n'..b'\r' | 0x0e..b' ' | 0x7f => return Err(Violation::ChunkExtensionInvalid),
            },
            State::SizeLf { size } => self.start_chunk(size, byte)?,
            State::DataCr if byte == b'\r' => self.state = State::DataLf,
            State::DataLf if byte == b'\n' => self.state = SIZE_START,
            State::DataCr | State::DataLf => return Err(Violation::ChunkEndInvalid),
            State::Data { .. } | State::Trailers { .. } | State::Done => {}
        }
        Ok(())
    }

    fn count_extension_byte(&mut self) -> Result<(), Violation> {
        self.extension_bytes += 1;
        if self.extension_bytes > EXTENSION_BYTES_MAX {
            return Err(Violation::ChunkExtensionsTooLarge);
        }
        Ok(())
    }

    fn start_chunk(&mut self, size: u64, byte: u8) -> Result<(), Violation> {
        if byte != b'\n' {
            return Err(Violation::ChunkLineInvalid);
        }
        self.body_bytes_left = self.body_bytes_left.checked_sub(size).ok_or(Violation::BodyTooLarge)?;
        self.state = match size {
            0 => State::Trailers { lines: Lines::default(), fields: 0 },
            1.. => State::Data { left: size },
        };
        Ok(())
    }
}

/// `1*HEXDIG`, then a CRLF or an extension: no white space, which some recipients skip and others don't.
fn after_size_byte(digits: u8, size: u64, byte: u8) -> Result<State, Violation> {
    match (byte, digits) {
        (b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F', 0..SIZE_DIGITS_MAX) => {
            let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
            Ok(State::Size { digits: digits + 1, size: size << 4 | digit })
        }
        (b'\r', 1..) => Ok(State::SizeLf { size }),
        (b';', 1..) => Ok(State::ExtensionName { size }),
        (b'\n', 1..) => Err(Violation::ChunkLineInvalid),
        (_, _) => Err(Violation::ChunkSizeInvalid),
    }
}

/// Whether the section is whole, its empty line included.
fn scan_trailers(
    lines: &mut Lines,
    fields: &mut usize,
    section: &[u8],
    limits: &HeadLimits,
) -> Result<bool, Violation> {
    while let Some(line) = lines.next(section, limits.head_bytes)? {
        if line.bytes.is_empty() {
            return Ok(true);
        }
        *fields += 1;
        let field = fields::parse(line, *fields, limits)?;
        if !fields::allowed_in_trailers(field.field) {
            return Err(Violation::TrailerForbidden);
        }
    }
    Ok(false)
}
