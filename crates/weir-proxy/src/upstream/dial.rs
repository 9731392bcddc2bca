//! From a server's address to a socket on which its protocol can begin.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use weir_config::model::ServerAddress;
use weir_config::tls::PoolTls;

use crate::exchange::failure::Failure;
use crate::snapshot::Pool;
use crate::wire::Socket;
use crate::wire::tls::{HandshakeError, Tls};
use crate::worker::local::{Lease, LocalServer};

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

/// Whom to connect to, apart from the exchange that asks: it may be gone before others who wait for the same are.
#[derive(Clone)]
pub(crate) struct Dialing {
    /// Whatever comes from the client goes to it as it is.
    passed_on: bool,
    address: SocketAddr,
    pool: Arc<Pool>,
    server: Rc<LocalServer>,
}

impl Dialing {
    /// # Errors
    /// A server without an address has no share, so it is not picked; but its name may just have expired.
    pub(crate) fn to(lease: &Lease) -> Result<Self, Failure> {
        let address = lease.server.server.address.ok_or(Failure::LocalNoServer)?;
        Ok(Self {
            passed_on: false,
            address,
            pool: Arc::clone(&lease.pool.pool),
            server: Rc::clone(&lease.server),
        })
    }

    /// Nothing is said of what will be spoken: the client and the server agree on that.
    pub(crate) fn passed_on(self) -> Self {
        Self { passed_on: true, ..self }
    }

    /// Connects, says with `header`, if there is one, whose connection it is, and agrees on TLS if the pool has it.
    /// Bounded by the caller.
    ///
    /// # Errors
    /// See [`DialError`].
    pub(crate) async fn dial(self, header: Vec<u8>) -> Result<Socket, DialError> {
        self.server.counters().connects.add(1);
        let mut socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        if !header.is_empty() {
            socket.write_all(&header).await?;
        }
        let socket = Socket::Watched(socket);
        match &self.pool.tls {
            None => Ok(socket),
            Some(tls) => {
                let config = if self.passed_on { &tls.relay } else { &tls.config };
                let encrypted = encrypt(socket, tls, config, &self.server.server.config.address).await;
                encrypted.map_err(|error| DialError::Tls(error.to_string()))
            }
        }
    }
}

/// Agrees with the server on TLS. Its certificate must be for the host that `address` has, unless the pool says for
/// which.
async fn encrypt(
    socket: Socket,
    tls: &PoolTls,
    config: &Arc<ClientConfig>,
    address: &ServerAddress,
) -> Result<Socket, HandshakeError> {
    // Looked at when the configuration was loaded, so there is one.
    let name = tls.name_of(address).ok_or(HandshakeError::NoName)?;
    let mut tls = Tls::client(socket, config, name)?;
    tls.handshake().await?;
    Ok(Socket::Tls(tls))
}

impl From<DialError> for Failure {
    fn from(error: DialError) -> Self {
        match error {
            // One that others wait for has a limit of its own, which is the same.
            DialError::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::UpstreamConnectTimeout
            }
            DialError::Connect(error) => Self::UpstreamConnect(error),
            DialError::Tls(why) => Self::UpstreamTls(why),
        }
    }
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
