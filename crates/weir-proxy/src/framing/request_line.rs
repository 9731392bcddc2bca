//! `method SP request-target SP HTTP-version`, RFC 9112 section 3: exactly one SP, nothing else white.

use super::bytes::TCHAR;
use super::fields::name_the_byte;
use super::lines::Line;
use super::target::{self, Authority};
use super::{HeadLimits, Violation};

/// The longest registered method is 17 bytes (`UPDATEREDIRECTREF`).
const METHOD_BYTES_MAX: usize = 64;

/// `http::Uri` holds no more than 2^16 - 2 bytes.
const TARGET_BYTES_MAX: usize = 65_534;

/// What the rest of the head is judged by.
#[derive(Debug)]
pub(super) struct RequestLine {
    pub(super) http10: bool,
    pub(super) connect: bool,
    /// The authority in the target, with its place in the head.
    pub(super) authority: Option<Authority>,
}

/// Judges the start of a request line that may not be whole: the method's bytes and the target's length.
/// The verdict is final as soon as there is one. Gives the method's length once it is known.
pub(super) fn check_start(unfinished: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Violation> {
    let method_end = unfinished.iter().take(METHOD_BYTES_MAX + 1).position(|&byte| !TCHAR[usize::from(byte)]);
    let Some(method_end) = method_end else {
        return if unfinished.len() > METHOD_BYTES_MAX { Err(Violation::MethodTooLong) } else { Ok(None) };
    };
    if method_end == 0 || unfinished[method_end] != b' ' {
        return Err(Violation::MethodInvalid);
    }
    let bytes_max = limits.uri_bytes.min(TARGET_BYTES_MAX);
    let target = &unfinished[method_end + 1..];
    if target.len() > bytes_max && memchr::memchr3(b' ', b'\r', b'\n', &target[..=bytes_max]).is_none() {
        return Err(Violation::TargetTooLong);
    }
    Ok(Some(method_end))
}

/// Reads a whole request line that [`check_start`] found nothing wrong with.
pub(super) fn parse(line: Line<'_>, method_end: usize) -> Result<RequestLine, Violation> {
    parse_parts(line, method_end).map_err(|violation| name_the_byte(line.bytes, violation))
}

fn parse_parts(line: Line<'_>, method_end: usize) -> Result<RequestLine, Violation> {
    let (method, rest) = line.bytes.split_at(method_end);
    let rest = &rest[1..];
    let target_end = memchr::memchr(b' ', rest).ok_or(Violation::RequestLineInvalid)?;
    let (target, version) = (&rest[..target_end], &rest[target_end + 1..]);
    if target.is_empty() {
        return Err(Violation::RequestLineInvalid);
    }
    let http10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        b"HTTP/2.0" if method == b"PRI" && target == b"*" => return Err(Violation::Http2Preface),
        [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
            return Err(Violation::VersionUnsupported);
        }
        [..] => return Err(Violation::RequestLineInvalid),
    };
    let target_at = line.at + method_end + 1;
    let authority = target::parse(method, target)?.map(|authority| Authority {
        at: authority.at.start + target_at..authority.at.end + target_at,
        ..authority
    });
    Ok(RequestLine { http10, connect: method == b"CONNECT", authority })
}
