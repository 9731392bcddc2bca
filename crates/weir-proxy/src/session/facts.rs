//! What the layers beneath a protocol have found out about a client, for the protocol and for the servers.
//!
//! Nearly every client has none of it, so it is boxed.

use std::net::SocketAddr;

use weir_config::model::ProxyVersion;

use crate::proxy_protocol::{self, Told, ToldTls};

/// What the layers beneath a protocol have found out about a client.
#[derive(Debug, Default)]
pub(crate) struct ClientFacts {
    /// Where the client connected to, as a PROXY header has it.
    pub(crate) destination: Option<SocketAddr>,
    /// The name that its TLS asks for.
    pub(crate) server_name: Option<Box<str>>,
    /// The protocol that was chosen in ALPN.
    pub(crate) alpn: Option<Box<[u8]>>,
    /// Its TLS, which ends here.
    pub(crate) tls: Option<TlsFacts>,
}

/// A client's TLS, which ends here.
#[derive(Debug)]
#[allow(dead_code, reason = "whoever ends TLS makes it")]
pub(crate) struct TlsFacts {
    /// Such as `TLSv1.3`.
    pub(crate) version: &'static str,
    /// Such as `TLS13_AES_128_GCM_SHA256`.
    pub(crate) cipher: &'static str,
    /// It has shown a certificate, which was verified.
    pub(crate) verified: bool,
    /// The common name in that.
    pub(crate) common_name: Option<Box<str>>,
}

impl ClientFacts {
    fn told(&self) -> Told<'_> {
        Told {
            alpn: self.alpn.as_deref(),
            server_name: self.server_name.as_deref(),
            tls: self.tls.as_ref().map(|tls| ToldTls {
                version: tls.version,
                cipher: tls.cipher,
                verified: tls.verified,
                common_name: tls.common_name.as_deref(),
            }),
        }
    }
}

/// The PROXY header for a client who is at `peer` and reached this process at `local`.
pub(crate) fn proxy_header(
    version: ProxyVersion,
    peer: SocketAddr,
    local: Option<SocketAddr>,
    facts: Option<&ClientFacts>,
) -> Vec<u8> {
    let destination = facts.and_then(|facts| facts.destination).or(local);
    // A client that is gone already has no destination any more; whoever writes finds that out.
    let destination = destination.unwrap_or_else(|| SocketAddr::new(peer.ip(), 0));
    proxy_protocol::write(version, peer, destination, facts.map(ClientFacts::told).unwrap_or_default())
}
