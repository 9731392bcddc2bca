//! From a server's address to a socket on which its protocol can begin.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

use crate::wire::Socket;

/// Connects to a server. Bounded by the caller.
///
/// # Errors
/// What the kernel says of the connection.
pub(crate) async fn dial(address: SocketAddr) -> io::Result<Socket> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    Ok(Socket::Watched(socket))
}
