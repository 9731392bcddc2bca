//! Handshakes, from either end.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{ClientConfig, Error, ServerConfig};
use weir_config::tls::take_named;

use super::session::Session;
use super::{Incoming, RECORD_BYTES, SCRATCH, Tls};
use crate::wire::Socket;

/// Why a connection is not in TLS.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    /// The peer went away before the handshake was over.
    #[error("the connection was closed within the handshake")]
    Closed,
    /// The connection broke.
    #[error("the connection broke within the handshake: {0}")]
    Broken(io::Error),
    /// What came is text, such as HTTP, and not TLS.
    #[error("what came is not TLS but text")]
    PlainText,
    /// A message of the handshake is too long.
    #[error("a message of the handshake is longer than 64 KiB")]
    TooLong,
    /// No certificate is for the host that the client named, or it named none.
    #[error("no certificate is for the host that the client named")]
    UnknownName,
    /// No certificate can be for the server's host.
    #[error(
        "no certificate can be for the server's host; say with `tls.server_name` which name it must be for"
    )]
    NoName,
    /// The two ends can't agree, or one of them does not believe the other.
    #[error("{0}")]
    Refused(Error),
}

/// The most bytes of a message that is not whole yet.
const HANDSHAKE_BYTES_MAX: usize = 64 << 10;

impl Tls {
    /// The server's end of a connection, of which `early` has been read; see [`handshake`](Self::handshake).
    ///
    /// # Errors
    /// When `config` is of no use.
    pub(crate) fn server(
        socket: Socket,
        early: &[u8],
        config: &Arc<ServerConfig>,
    ) -> Result<Box<Self>, HandshakeError> {
        let session = UnbufferedServerConnection::new(Arc::clone(config)).map_err(HandshakeError::Refused)?;
        let mut tls = Self::new(socket, Session::Server(session));
        tls.partial = early.to_vec();
        Ok(tls)
    }

    /// The client's end of a connection to `name`.
    ///
    /// # Errors
    /// When `config` is of no use.
    pub(crate) fn client(
        socket: Socket,
        config: &Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> Result<Box<Self>, HandshakeError> {
        let session =
            UnbufferedClientConnection::new(Arc::clone(config), name).map_err(HandshakeError::Refused)?;
        Ok(Self::new(socket, Session::Client(session)))
    }

    /// Agrees with the peer. Our last bytes may be left to go with the first data, or with the first read.
    ///
    /// # Errors
    /// See [`HandshakeError`]; what the peer is to be told has been written, as far as it takes it.
    pub(crate) async fn handshake(&mut self) -> Result<(), HandshakeError> {
        let mut untouched = self.partial.is_empty();
        if !untouched && is_text(&self.partial) {
            return Err(HandshakeError::PlainText);
        }
        if let (Session::Client(_), _) | (_, false) = (&self.session, untouched) {
            self.take(None)?; // the client's end begins
        }
        poll_fn(|cx| self.poll_handshake(&mut untouched, cx)).await
    }

    fn poll_handshake(
        &mut self,
        untouched: &mut bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), HandshakeError>> {
        while self.state().is_handshaking() {
            if let Poll::Ready(Err(error)) = self.poll_flush_sealed(cx) {
                return Poll::Ready(Err(HandshakeError::Broken(error)));
            }
            let looked_at = !std::mem::replace(untouched, false);
            let polled = SCRATCH.with_borrow_mut(|scratch| {
                let read = match self.poll_receive(scratch, RECORD_BYTES, cx) {
                    Poll::Ready(read) => read.map_err(HandshakeError::Broken)?,
                    Poll::Pending => {
                        *untouched = !looked_at;
                        return Poll::Pending;
                    }
                };
                if read == 0 {
                    return Poll::Ready(Err(HandshakeError::Closed));
                }
                if !looked_at && is_text(&scratch.cipher) {
                    return Poll::Ready(Err(HandshakeError::PlainText));
                }
                Poll::Ready(self.take(Some(scratch)))
            });
            if let Err(error) = ready!(polled) {
                let _ = self.poll_flush_sealed(cx); // says why
                return Poll::Ready(Err(error));
            }
            if self.incoming == Incoming::Closed {
                return Poll::Ready(Err(HandshakeError::Closed));
            }
        }
        self.deferred = true;
        Poll::Ready(Ok(()))
    }

    /// Takes what was read, or begins.
    fn take(&mut self, scratch: Option<&mut super::Scratch>) -> Result<(), HandshakeError> {
        let mut none = BytesMut::new();
        let outcome = match scratch {
            Some(scratch) => self.open(scratch, &mut none, 0),
            None => SCRATCH.with_borrow_mut(|scratch| {
                scratch.cipher.clear();
                scratch.cipher.extend_from_slice(&self.partial);
                self.open(scratch, &mut none, 0)
            }),
        };
        if let Some(named) = take_named() {
            self.server_name = Some(named);
        }
        match outcome {
            Ok(()) if self.partial.len() > HANDSHAKE_BYTES_MAX => Err(HandshakeError::TooLong),
            Ok(()) => Ok(()),
            Err(Error::General(_)) if self.told_access_denied() => {
                // rustls has no other word for it than access_denied; RFC 6066 section 3 has.
                if let Some(last) = self.sealed.last_mut() {
                    *last = UNRECOGNIZED_NAME;
                }
                Err(HandshakeError::UnknownName)
            }
            Err(error) => Err(HandshakeError::Refused(error)),
        }
    }

    /// Whether the last thing to be said is the alert that rustls has for a client whom no certificate suits.
    fn told_access_denied(&self) -> bool {
        const FATAL: u8 = 2;
        self.sealed.ends_with(&[0, 2, FATAL, ACCESS_DENIED])
    }
}

/// A record of a handshake begins with 22; no method of HTTP does.
fn is_text(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_alphabetic)
}

const ACCESS_DENIED: u8 = 49;
const UNRECOGNIZED_NAME: u8 = 112;
