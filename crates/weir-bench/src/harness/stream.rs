//! A client's connection, plain or in TLS.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::tls::{Offer, TlsStream};

/// A connection to a proxy.
#[derive(Debug)]
pub(crate) enum ClientStream {
    /// As it is.
    Plain(TcpStream),
    /// After a handshake.
    Tls(Box<TlsStream>),
}

impl ClientStream {
    /// Opens one; with an offer, in TLS.
    ///
    /// # Errors
    /// As the system has them, or when client and server don't agree.
    pub(crate) async fn connect(address: SocketAddr, offer: Option<&Offer>) -> io::Result<Self> {
        Self::over(TcpStream::connect(address).await?, offer).await
    }

    /// The same over a connection that is already there. In TLS everything of the handshake is sent.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub(crate) async fn over(socket: TcpStream, offer: Option<&Offer>) -> io::Result<Self> {
        let Some(offer) = offer else { return Ok(Self::Plain(socket)) };
        let mut stream = TlsStream::connect(socket, offer).await?;
        stream.flush().await?;
        Ok(Self::Tls(Box::new(stream)))
    }

    /// Sends all of `bytes`.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => stream.write_all(bytes).await,
        }
    }

    /// Adds what has come to `buffer`, and waits for something; 0 bytes are the end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub(crate) async fn read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read_buf(buffer).await,
            Self::Tls(stream) => stream.read_buf(buffer).await,
        }
    }
}
