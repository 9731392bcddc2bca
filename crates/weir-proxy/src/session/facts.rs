//! What the layers beneath a protocol have found out about a client, for the protocol and for the servers.
//!
//! Nearly every client has none of it, so it is boxed.

use std::net::SocketAddr;

use weir_config::model::ProxyVersion;

use super::Secured;
use crate::proxy_protocol::{self, Told, ToldTls};

/// What the layers beneath a protocol have found out about a client.
#[derive(Debug, Default, Clone)]
pub(crate) struct ClientFacts {
    /// Where the client connected to, as a PROXY header has it.
    pub(crate) destination: Option<SocketAddr>,
    /// The name that its TLS asks for, be it TLS that ends here or that is passed on.
    pub(crate) server_name: Option<Box<str>>,
    /// Its TLS, which ends here.
    pub(crate) tls: Option<Secured>,
}

impl ClientFacts {
    fn told(&self) -> Told<'_> {
        Told {
            alpn: self.tls.as_ref().and_then(|tls| tls.alpn).map(|alpn| alpn.as_str().as_bytes()),
            server_name: self.server_name.as_deref(),
            tls: self.tls.as_ref().map(|tls| ToldTls {
                version: tls.version,
                cipher: tls.cipher,
                verified: tls.common_name.is_some(),
                common_name: tls.common_name.as_deref().filter(|name| !name.is_empty()),
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
