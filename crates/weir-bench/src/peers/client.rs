//! The least of an HTTP client: one request on a connection of its own or on one that is already there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long one request may take, and one connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections come from one address.
const CONNECTIONS_PER_SOURCE: usize = 5000;

/// Room for the head of an answer without a body.
const HEAD_BYTES_MAX: usize = 4096;

/// Opens a connection.
///
/// # Errors
/// As the system has them; one that takes ten seconds is one.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    timeout(PATIENCE, TcpStream::connect(address)).await?
}

/// Opens the connection number `at` of many. Each few thousand come from a loopback address of their own, because
/// the system takes long to find a free port where few are left.
///
/// # Errors
/// As [`connect`].
pub(super) async fn connect_one_of_many(address: SocketAddr, at: usize) -> io::Result<TcpStream> {
    let host = u8::try_from(1 + at / CONNECTIONS_PER_SOURCE).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    timeout(PATIENCE, socket.connect(address)).await?
}

/// Asks for an empty answer and keeps the connection.
///
/// # Errors
/// When the connection breaks, the answer isn't `200`, or it takes ten seconds.
pub(super) async fn ask(stream: &mut TcpStream) -> io::Result<()> {
    timeout(PATIENCE, async {
        stream.write_all(b"GET /?s=0 HTTP/1.1\r\nHost: bench.example\r\n\r\n").await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 || head.len() > HEAD_BYTES_MAX {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no whole answer"));
            }
        }
        if !head.starts_with(b"HTTP/1.1 200 ") {
            let line = String::from_utf8_lossy(&head).lines().next().unwrap_or("").to_owned();
            return Err(io::Error::new(io::ErrorKind::InvalidData, line));
        }
        Ok(())
    })
    .await?
}

/// Both.
///
/// # Errors
/// As for both.
pub(super) async fn fetch(address: SocketAddr) -> io::Result<()> {
    ask(&mut connect(address).await?).await
}
