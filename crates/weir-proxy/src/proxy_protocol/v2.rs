//! Version 2: binary, with type-length-values behind the addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::crc32c::Crc32c;
use super::{Header, Malformed, Progress, Told, ToldTls};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, the version and command, the family, and the length of what follows.
const FIXED_BYTES: usize = 16;
/// The longest header that is read; the length in it could say 64 KiB.
pub(crate) const HEADER_BYTES_MAX: usize = 4 << 10;

const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

const UNSPECIFIED: u8 = 0x00;
const TCP_OVER_IPV4: u8 = 0x11;
const TCP_OVER_IPV6: u8 = 0x21;

const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const CRC32C: u8 = 0x03;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;
const SSL_COMMON_NAME: u8 = 0x22;
const SSL_CIPHER: u8 = 0x23;

/// The bits of an [`SSL`] value's first byte: the client speaks TLS, and has shown a certificate on this
/// connection.
const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERTIFICATE: u8 = 0x02;

pub(super) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    let seen = bytes.len().min(SIGNATURE.len());
    if bytes[..seen] != SIGNATURE[..seen] {
        return Err(Malformed::Absent);
    }
    let command = bytes.get(12).copied();
    if command.is_some_and(|command| command != LOCAL && command != PROXY) {
        return Err(Malformed::Command);
    }
    let Some(fixed) = bytes.first_chunk::<FIXED_BYTES>() else { return Ok(Progress::More) };
    let length = FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > HEADER_BYTES_MAX {
        return Err(Malformed::TooLong);
    }
    let Some(whole) = bytes.get(..length) else { return Ok(Progress::More) };
    if command == Some(LOCAL) || fixed[13] == UNSPECIFIED {
        return Ok(Progress::Whole(Header::Own, length)); // whatever else it holds
    }
    let content = &whole[FIXED_BYTES..];
    let (header, values) = match fixed[13] {
        TCP_OVER_IPV4 => addresses::<4>(content, |ip| Ipv4Addr::from(ip).into())?,
        TCP_OVER_IPV6 => addresses::<16>(content, |ip| Ipv6Addr::from(ip).into())?,
        _unix_or_datagrams => return Err(Malformed::Family),
    };
    judge_values(whole, length - values.len())?;
    Ok(Progress::Whole(header, length))
}

/// Two addresses, then their ports.
fn addresses<const N: usize>(
    content: &[u8],
    ip: fn([u8; N]) -> IpAddr,
) -> Result<(Header, &[u8]), Malformed> {
    let (source, rest) = content.split_first_chunk::<N>().ok_or(Malformed::TooShort)?;
    let (destination, rest) = rest.split_first_chunk::<N>().ok_or(Malformed::TooShort)?;
    let (ports, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::TooShort)?;
    let source = SocketAddr::new(ip(*source), u16::from_be_bytes([ports[0], ports[1]]));
    let destination = SocketAddr::new(ip(*destination), u16::from_be_bytes([ports[2], ports[3]]));
    Ok((Header::Client { source, destination }, rest))
}

/// Whether the type-length-values from `at` on fill the header exactly, and its checksum, if it has one, is
/// right.
fn judge_values(whole: &[u8], mut at: usize) -> Result<(), Malformed> {
    while at < whole.len() {
        let (&[kind, high, low], rest) = whole[at..].split_first_chunk::<3>().ok_or(Malformed::TooShort)?;
        let value = rest.get(..usize::from(u16::from_be_bytes([high, low]))).ok_or(Malformed::TooShort)?;
        at += 3;
        if kind == CRC32C {
            let sum = value.try_into().map(u32::from_be_bytes).map_err(|_| Malformed::Checksum)?;
            let right = Crc32c::default().of(&whole[..at]).of(&[0; 4]).of(&whole[at + 4..]).finish() == sum;
            if !right {
                return Err(Malformed::Checksum);
            }
        }
        at += value.len();
    }
    Ok(())
}

pub(super) fn write(source: SocketAddr, destination: SocketAddr, told: Told<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    out.extend_from_slice(SIGNATURE);
    out.push(PROXY);
    out.push(if source.is_ipv4() { TCP_OVER_IPV4 } else { TCP_OVER_IPV6 });
    out.extend_from_slice(&[0; 2]);
    for address in [source, destination] {
        match address.ip() {
            IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
        }
    }
    out.extend_from_slice(&source.port().to_be_bytes());
    out.extend_from_slice(&destination.port().to_be_bytes());
    if let Some(protocol) = told.alpn {
        value(&mut out, ALPN, protocol);
    }
    if let Some(name) = told.server_name {
        value(&mut out, AUTHORITY, name.as_bytes());
    }
    if let Some(tls) = told.tls {
        value(&mut out, SSL, &ssl(tls));
    }
    let sum_at = out.len() + 3;
    value(&mut out, CRC32C, &[0; 4]);
    let length = u16::try_from(out.len() - FIXED_BYTES).unwrap_or(0); // a few names: far from 64 KiB
    out[14..FIXED_BYTES].copy_from_slice(&length.to_be_bytes());
    let sum = Crc32c::default().of(&out).finish();
    out[sum_at..].copy_from_slice(&sum.to_be_bytes());
    out
}

fn ssl(tls: ToldTls<'_>) -> Vec<u8> {
    let client = CLIENT_SSL | if tls.verified { CLIENT_CERTIFICATE } else { 0 };
    let mut out = vec![client];
    // Zero when a certificate was shown and verified.
    out.extend_from_slice(&u32::from(!tls.verified).to_be_bytes());
    value(&mut out, SSL_VERSION, tls.version.as_bytes());
    if let Some(name) = tls.common_name {
        value(&mut out, SSL_COMMON_NAME, name.as_bytes());
    }
    value(&mut out, SSL_CIPHER, tls.cipher.as_bytes());
    out
}

/// Appends a type-length-value; one that is longer than any name is left out.
fn value(out: &mut Vec<u8>, kind: u8, value: &[u8]) {
    const BYTES_MAX: u16 = 1024;
    let Some(length) = u16::try_from(value.len()).ok().filter(|&length| length <= BYTES_MAX) else { return };
    out.push(kind);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(value);
}
