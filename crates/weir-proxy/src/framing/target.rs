//! The four forms of a request target, RFC 9112 section 3.2.
//!
//! What passes here, `http::Uri` parses. Percent-encoding is not decoded and dot
//! segments are not resolved; that is the router's.

use std::ops::Range;

use super::bytes::{PATH, QUERY, all};
use super::{Violation, host};

/// The authority that a target itself names.
#[derive(Debug)]
pub(super) struct Authority {
    /// Where it stands in the target.
    pub(super) at: Range<usize>,
    /// The ports that one left out may stand for.
    pub(super) ports_default: &'static [u16],
}

/// Checks the form that `method` allows: `/path?query`, `http://authority/path?query`, `host:port` for
/// CONNECT, `*` for OPTIONS. `None` where only the Host field names the authority.
pub(super) fn parse(method: &[u8], target: &[u8]) -> Result<Option<Authority>, Violation> {
    if method == b"CONNECT" {
        return parse_authority(target).map(Some);
    }
    match target {
        [b'/', ..] => check_path_and_query(target).map(|()| None),
        b"*" if method == b"OPTIONS" => Ok(None),
        [..] => parse_absolute(target).map(Some),
    }
}

/// RFC 9110 section 9.3.6: a port must be there.
fn parse_authority(target: &[u8]) -> Result<Authority, Violation> {
    let authority = check_authority(target)?;
    if authority.port.is_none() {
        return Err(Violation::TargetFormInvalid);
    }
    // clients leave either well-known port out of the Host field
    Ok(Authority { at: 0..target.len(), ports_default: &[80, 443] })
}

fn parse_absolute(target: &[u8]) -> Result<Authority, Violation> {
    let (start, ports_default): (usize, &[u16]) = if starts_with_ignore_case(target, b"http://") {
        (7, &[80])
    } else if starts_with_ignore_case(target, b"https://") {
        (8, &[443])
    } else {
        return Err(Violation::TargetFormInvalid);
    };
    let rest = &target[start..];
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(length);
    check_authority(authority)?;
    match path {
        [] => {}
        [b'/', ..] => check_path_and_query(path)?,
        [b'#', ..] => return Err(Violation::TargetFragment),
        // `http://host?query` is a URI, but one whose path-and-query, sent on as it is, is not a target.
        [..] => return Err(Violation::TargetFormInvalid),
    }
    Ok(Authority { at: start..start + length, ports_default })
}

fn check_authority(authority: &[u8]) -> Result<host::HostPort<'_>, Violation> {
    if authority.contains(&b'@') {
        // RFC 9110 section 4.2.4: treat it as an error, it is there to mislead
        return Err(Violation::TargetUserinfo);
    }
    host::parse(authority).ok_or(Violation::AuthorityInvalid)
}

fn check_path_and_query(text: &[u8]) -> Result<(), Violation> {
    let (path, query) = match memchr::memchr(b'?', text) {
        Some(mark) => text.split_at(mark),
        None => (text, &b""[..]),
    };
    if all(&PATH, path) && all(&QUERY, query) {
        Ok(())
    } else if text.contains(&b'#') {
        Err(Violation::TargetFragment)
    } else {
        Err(Violation::TargetInvalid)
    }
}

fn starts_with_ignore_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}
