//! From a server's address to a socket on which its protocol can begin.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use weir_config::model::ServerAddress;
use weir_config::tls::PoolTls;

use crate::wire::Socket;
use crate::wire::tls::{HandshakeError, Tls};

/// How TLS is spoken to a server.
pub(crate) struct Secure<'a> {
    pub(crate) tls: &'a PoolTls,
    /// As the configuration has it: its certificate must be for this host, unless the pool says for which.
    pub(crate) server: &'a ServerAddress,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// What the kernel says of the connection.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The server and we did not agree on TLS.
    #[error(transparent)]
    Tls(#[from] HandshakeError),
}

/// Connects to a server. Bounded by the caller.
///
/// # Errors
/// See [`DialError`].
pub(crate) async fn dial(address: SocketAddr, secure: Option<Secure<'_>>) -> Result<Socket, DialError> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let socket = Socket::Watched(socket);
    match secure {
        None => Ok(socket),
        Some(secure) => Ok(encrypt(socket, &secure).await?),
    }
}

/// Agrees with the server on TLS.
async fn encrypt(socket: Socket, Secure { tls, server }: &Secure<'_>) -> Result<Socket, HandshakeError> {
    // Looked at when the configuration was loaded, so there is one.
    let name = tls.name_of(server).ok_or(HandshakeError::NoName)?;
    let mut tls = Tls::client(socket, &tls.config, name)?;
    tls.handshake().await?;
    Ok(Socket::Tls(tls))
}
