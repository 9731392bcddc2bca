//! A client's connection as it comes in, and the way to its protocol.
//!
//! What lies beneath the protocol is dealt with here, one layer after the other, and leaves what is known by
//! then in [`Incoming`]. A connection without such layers goes straight to its protocol and costs nothing more.

mod secure;

pub(crate) use secure::Secured;

use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;

use bytes::BytesMut;
use weir_config::model::{Alpn, Protocol};

use super::http;
use crate::wire::Socket;
use crate::worker::local::{Local, LocalListener};

/// A client's connection on its way to its protocol.
pub(crate) struct Incoming {
    pub(crate) socket: Socket,
    /// Who is at the other end.
    pub(crate) peer: SocketAddr,
    /// What has been read already and belongs to the protocol.
    pub(crate) early: BytesMut,
    /// What is known of its TLS, if it has that.
    pub(crate) tls: Option<Rc<Secured>>,
}

impl Incoming {
    /// A connection that was just accepted.
    pub(crate) fn new(socket: std::net::TcpStream, peer: SocketAddr) -> Self {
        Self { socket: Socket::Unwatched(socket), peer, early: BytesMut::new(), tls: None }
    }

    /// What both ends have agreed to speak, where they did (RFC 7301).
    fn alpn(&self) -> Option<Alpn> {
        self.tls.as_ref()?.alpn
    }
}

type Serving = Pin<Box<dyn Future<Output = ()>>>;

/// Serves one client connection to its end. Whoever polls it keeps the worker's clock ([`Local::tick`]).
pub(crate) fn serve(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Serving {
    if listener.listener.tls.is_none() {
        return speak(local, listener, incoming);
    }
    // What a layer needs is boxed, and gone when it is done: what stays is what the protocol needs.
    Box::pin(async move {
        let Some(incoming) = Box::pin(secure::secure(&local, &listener, incoming)).await else { return };
        speak(local, listener, incoming).await;
    })
}

/// Serves the protocol itself.
fn speak(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Serving {
    match listener.listener.config.protocol {
        Protocol::Http => match incoming.alpn() {
            // Not offered before it can be served: `Alpn::SERVED`.
            Some(Alpn::Http2) => Box::pin(std::future::ready(())),
            Some(Alpn::Http1) | None => Box::pin(http::serve(local, listener, incoming)),
        },
    }
}
