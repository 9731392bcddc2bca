//! From a server's address to a socket on which its protocol can begin.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use weir_config::model::ServerAddress;
use weir_config::tls::PoolTls;

use crate::snapshot::{Pool, Server};
use crate::wire::Socket;
use crate::wire::tls::{HandshakeError, Tls};

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// What the kernel says of the connection.
    #[error(transparent)]
    Connect(#[from] io::Error),
    /// The server and we did not agree on TLS.
    #[error("{0}")]
    Tls(String),
}

/// Connects to a server of `pool`. Bounded by the caller, who may be gone before it is done.
///
/// # Errors
/// See [`DialError`].
pub(crate) async fn dial(
    address: SocketAddr,
    pool: Arc<Pool>,
    server: Arc<Server>,
) -> Result<Socket, DialError> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let socket = Socket::Watched(socket);
    match &pool.tls {
        None => Ok(socket),
        Some(tls) => {
            let encrypted = encrypt(socket, tls, &server.config.address).await;
            encrypted.map_err(|error| DialError::Tls(error.to_string()))
        }
    }
}

/// Agrees with the server on TLS. Its certificate must be for the host that `address` has, unless the pool says for
/// which.
async fn encrypt(socket: Socket, tls: &PoolTls, address: &ServerAddress) -> Result<Socket, HandshakeError> {
    // Looked at when the configuration was loaded, so there is one.
    let name = tls.name_of(address).ok_or(HandshakeError::NoName)?;
    let mut tls = Tls::client(socket, &tls.config, name)?;
    tls.handshake().await?;
    Ok(Socket::Tls(tls))
}

impl DialError {
    /// The same, for another who waited for the same connection.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Connect(error) => Self::Connect(io::Error::new(error.kind(), error.to_string())),
            Self::Tls(why) => Self::Tls(why.clone()),
        }
    }
}
