//! Version 1: a line of text, `PROXY TCP4 192.0.2.1 198.51.100.1 40000 443`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Header, Malformed, Progress};

/// The longest line, with its CRLF.
const LINE_BYTES_MAX: usize = 107;
const BEGINNING: &[u8] = b"PROXY ";

pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    let seen = bytes.len().min(BEGINNING.len());
    if bytes[..seen] != BEGINNING[..seen] {
        return Err(Malformed::Absent);
    }
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    let Some(end) = memchr::memchr(b'\n', within) else {
        return if bytes.len() < LINE_BYTES_MAX { Ok(Progress::More) } else { Err(Malformed::LineTooLong) };
    };
    let line = within[..end].strip_suffix(b"\r").ok_or(Malformed::Line)?;
    let line = str::from_utf8(line).map_err(|_| Malformed::Line)?;
    let header = header(line.strip_prefix("PROXY ").ok_or(Malformed::Line)?).ok_or(Malformed::Line)?;
    Ok(Progress::Whole(header, end + 1))
}

fn header(line: &str) -> Option<Header> {
    let mut words = line.split(' ');
    let address: fn(&str) -> Option<IpAddr> = match words.next()? {
        // What follows is to be ignored.
        "UNKNOWN" => return Some(Header::Own),
        "TCP4" => |word| word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        "TCP6" => |word| word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        _ => return None,
    };
    let source = address(words.next()?)?;
    let destination = address(words.next()?)?;
    let source = SocketAddr::new(source, port(words.next()?)?);
    let destination = SocketAddr::new(destination, port(words.next()?)?);
    words.next().is_none().then_some(Header::Client { source, destination })
}

/// Digits, without a sign and without leading zeros.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    plain.then(|| word.parse().ok()).flatten()
}

pub(super) fn write(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}
