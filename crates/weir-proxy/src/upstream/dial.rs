//! From a server's address to a socket on which its protocol can begin.

use std::io;
use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::wire::Socket;

/// Connects to a server, and says first of all whose connection it is, where `header` does. Bounded by the caller.
///
/// # Errors
/// What the kernel says of the connection.
pub(crate) async fn dial(address: SocketAddr, header: &[u8]) -> io::Result<Socket> {
    let mut socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    if !header.is_empty() {
        socket.write_all(header).await?;
    }
    Ok(Socket::Watched(socket))
}
