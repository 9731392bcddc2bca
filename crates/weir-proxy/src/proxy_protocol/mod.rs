//! The PROXY protocol, versions 1 and 2: the header in front of a connection that says whose it is
//! (`doc/proxy-protocol.txt` of HAProxy).
//!
//! Pure: bytes in, a header out, and back. What is not to the letter is refused, for whoever can write a
//! header chooses the address that everything else goes by. Nothing here decides who may write one.

mod crc32c;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::net::{IpAddr, SocketAddr};

use weir_config::model::ProxyVersion;

pub(crate) use v2::HEADER_BYTES_MAX;

/// Whose connection it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Header {
    /// The proxy's own, such as a probe, or it does not know: the addresses of the connection itself count.
    Own,
    /// A client's.
    Client {
        /// Who the client is.
        source: SocketAddr,
        /// Where it connected to.
        destination: SocketAddr,
    },
}

/// How far a header has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// More bytes are needed.
    More,
    /// It is whole, and as long as this.
    Whole(Header, usize),
}

/// Why it is not a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("it begins with no PROXY header")]
    Absent,
    #[error("the line of version 1 is not to the letter")]
    Line,
    #[error("the line of version 1 is longer than 107 bytes")]
    LineTooLong,
    #[error("version 2 with an unknown version or command")]
    Command,
    #[error("version 2 with an address that is not one of TCP over IPv4 or IPv6")]
    Family,
    #[error("version 2 is longer than 4 KiB")]
    TooLong,
    #[error("version 2 is too short for what it holds")]
    TooShort,
    #[error("version 2 with a checksum that is wrong")]
    Checksum,
}

/// Looks at the first bytes of a connection.
///
/// # Errors
/// As soon as they can't be the beginning of a header any more.
pub(crate) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    match bytes.first() {
        None => Ok(Progress::More),
        Some(b'P') => v1::parse(bytes),
        Some(b'\r') => v2::parse(bytes),
        Some(_) => Err(Malformed::Absent),
    }
}

/// What a header tells of a client, beyond its address.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told<'a> {
    /// The protocol that was chosen in ALPN.
    pub(crate) alpn: Option<&'a [u8]>,
    /// The name that the client asked for in its TLS.
    pub(crate) server_name: Option<&'a str>,
    pub(crate) tls: Option<ToldTls<'a>>,
}

/// The client's TLS, which ends here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldTls<'a> {
    /// Such as `TLSv1.3`.
    pub(crate) version: &'a str,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub(crate) cipher: &'a str,
    /// It has shown a certificate, which was verified.
    pub(crate) verified: bool,
    /// The common name in that.
    pub(crate) common_name: Option<&'a str>,
}

/// The header in front of a connection for a client.
pub(crate) fn write(
    version: ProxyVersion,
    source: SocketAddr,
    destination: SocketAddr,
    told: Told<'_>,
) -> Vec<u8> {
    let (source, destination) = of_one_family(source, destination);
    match version {
        ProxyVersion::None => Vec::new(),
        ProxyVersion::V1 => v1::write(source, destination),
        ProxyVersion::V2 => v2::write(source, destination, told),
    }
}

/// Both as IPv4 where they can be, else both as IPv6: a header has one family.
fn of_one_family(source: SocketAddr, destination: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    let mapped = |address: SocketAddr| match address.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), address.port()),
        IpAddr::V6(_) => address,
    };
    let (source, destination) = (canonical(source), canonical(destination));
    if source.is_ipv4() == destination.is_ipv4() {
        (source, destination)
    } else {
        (mapped(source), mapped(destination))
    }
}
