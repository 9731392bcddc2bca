//! A client's connection as it comes in, and the way to its protocol.
//!
//! What lies beneath the protocol is dealt with here, one layer after the other, and leaves what is known by
//! then in [`Incoming`]. A connection without such layers goes straight to its protocol and costs nothing more.

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::BytesMut;
use weir_config::model::{Protocol, ProxyHeader};

use super::facts::ClientFacts;
use super::{http, proxied, tcp};
use crate::wire::Socket;
use crate::worker::local::{Local, LocalListener};

/// A client's connection on its way to its protocol.
pub(crate) struct Incoming {
    pub(crate) socket: Socket,
    /// Who is at the other end.
    pub(crate) peer: SocketAddr,
    /// What has been read already and belongs to the protocol.
    pub(crate) early: BytesMut,
    /// What the layers beneath have found out, if any have.
    pub(crate) facts: Option<Box<ClientFacts>>,
}

impl Incoming {
    /// A connection that was just accepted.
    pub(crate) fn new(socket: std::net::TcpStream, peer: SocketAddr) -> Self {
        Self { socket: Socket::Unwatched(socket), peer, early: BytesMut::new(), facts: None }
    }
}

/// Serves one client connection to its end. Whoever polls it keeps the worker's clock ([`Local::tick`]).
pub(crate) fn serve(
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    incoming: Incoming,
) -> Pin<Box<dyn Future<Output = ()>>> {
    match listener.listener.config.proxy_protocol {
        ProxyHeader::Refused => protocol(local, listener, incoming),
        ProxyHeader::Required => Box::pin(async move {
            if let Some(incoming) = Box::pin(proxied::accept(&local, &listener, incoming)).await {
                protocol(local, listener, incoming).await;
            }
        }),
    }
}

/// Serves the protocol itself.
fn protocol(
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    incoming: Incoming,
) -> Pin<Box<dyn Future<Output = ()>>> {
    match listener.listener.config.protocol {
        Protocol::Http => Box::pin(http::serve(local, listener, incoming)),
        Protocol::Tcp => Box::pin(tcp::serve(local, listener, incoming)),
        // Its sockets are not accepted from; a listener that has just become one is not for connections.
        Protocol::Udp => Box::pin(async {}),
    }
}
