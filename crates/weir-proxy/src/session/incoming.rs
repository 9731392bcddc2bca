//! A client's connection as it comes in, and the way to its protocol.
//!
//! What lies beneath the protocol is dealt with here, one layer after the other, and leaves what is known by
//! then in [`Incoming`]. A connection without such layers goes straight to its protocol and costs nothing more.

mod proxied;
mod secure;

pub(crate) use secure::Secured;

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::BytesMut;
use weir_config::model::{Alpn, Protocol, ProxyHeader};

use super::facts::ClientFacts;
use super::{http, http2, tcp};
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
    pub(crate) facts: Option<Rc<ClientFacts>>,
}

impl Incoming {
    /// A connection that was just accepted.
    pub(crate) fn new(socket: std::net::TcpStream, peer: SocketAddr) -> Self {
        Self { socket: Socket::Unwatched(socket), peer, early: BytesMut::new(), facts: None }
    }

    /// What both ends have agreed to speak, where they did (RFC 7301).
    fn alpn(&self) -> Option<Alpn> {
        self.facts.as_ref()?.tls.as_ref()?.alpn
    }
}

type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Serves one client connection to its end. Whoever polls it keeps the worker's clock ([`Local::tick`]).
pub(crate) fn serve(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Serving {
    let proxied = listener.listener.config.proxy_protocol == ProxyHeader::Required;
    let secure = listener.listener.tls.is_some();
    if !proxied && !secure {
        return protocol(local, listener, incoming);
    }
    // What a layer needs is boxed, and gone when it is done: what stays is what the protocol needs.
    Box::pin(async move {
        let mut incoming = incoming;
        if proxied {
            let Some(named) = Box::pin(proxied::accept(&local, &listener, incoming)).await else { return };
            incoming = named;
        }
        if secure {
            let Some(secured) = Box::pin(secure::secure(&local, &listener, incoming)).await else { return };
            incoming = secured;
        }
        protocol(local, listener, incoming).await;
    })
}

/// Serves the protocol itself.
fn protocol(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Serving {
    match listener.listener.config.protocol {
        Protocol::Http => match incoming.alpn() {
            Some(Alpn::Http2) => Box::pin(http2::serve(local, listener, incoming)),
            Some(Alpn::Http1) | None => Box::pin(http::serve(local, listener, incoming)),
        },
        Protocol::Tcp => Box::pin(tcp::serve(local, listener, incoming)),
        // Its sockets are not accepted from; a listener that has just become one is not for connections.
        Protocol::Udp => Box::pin(async {}),
    }
}
