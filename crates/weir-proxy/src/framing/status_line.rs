//! `HTTP-version SP status-code [ SP reason-phrase ]`, RFC 9112 section 4.
//!
//! The SP before an absent reason phrase is missing from so many servers that it is not asked for; hyper does
//! not ask for it either, and there is only one way to read such a line.

use super::Violation;
use super::bytes::has_control;
use super::fields::name_the_byte;

const PREFIX: &[u8] = b"HTTP/";

/// What the rest of the head is judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct StatusLine {
    pub(super) http10: bool,
    /// 100 to 599.
    pub(super) status: u16,
}

/// Refuses what is not HTTP at its first wrong byte, so that no one waits for a line end that never comes.
pub(super) fn check_start(unfinished: &[u8]) -> Result<(), Violation> {
    let length = unfinished.len().min(PREFIX.len());
    if unfinished[..length] == PREFIX[..length] { Ok(()) } else { Err(Violation::StatusLineInvalid) }
}

/// Reads a whole status line.
pub(super) fn parse(line: &[u8]) -> Result<StatusLine, Violation> {
    parse_parts(line).map_err(|violation| name_the_byte(line, violation))
}

fn parse_parts(line: &[u8]) -> Result<StatusLine, Violation> {
    let rest = line.strip_prefix(PREFIX).ok_or(Violation::StatusLineInvalid)?;
    let (http10, rest) = match rest {
        [b'1', b'.', b'1', b' ', rest @ ..] => (false, rest),
        [b'1', b'.', b'0', b' ', rest @ ..] => (true, rest),
        [b'0'..=b'9', b'.', b'0'..=b'9', b' ', ..] => return Err(Violation::VersionUnsupported),
        [..] => return Err(Violation::StatusLineInvalid),
    };
    let (code, reason) = match rest {
        [a, b, c] => ([*a, *b, *c], &b""[..]),
        [a, b, c, b' ', reason @ ..] => ([*a, *b, *c], reason),
        [..] => return Err(Violation::StatusLineInvalid),
    };
    if !code.iter().all(u8::is_ascii_digit) || has_control(reason) {
        return Err(Violation::StatusLineInvalid);
    }
    let status = code.iter().fold(0, |status, &digit| status * 10 + u16::from(digit - b'0'));
    match status {
        100..=599 => Ok(StatusLine { http10, status }),
        0..100 | 600.. => Err(Violation::StatusInvalid),
    }
}
