//! The least of an HTTP client: one request on a connection of its own or on one that is already there.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::proxies::Front;
use crate::harness::stream::ClientStream;
use crate::harness::tls::Offer;

/// How long one request may take, and one connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many connections come from one address.
const CONNECTIONS_PER_SOURCE: usize = 5000;

/// Room for the head of an answer without a body.
const HEAD_BYTES_MAX: usize = 4096;

/// A request for an empty answer.
const REQUEST: &[u8] = b"GET /?s=0 HTTP/1.1\r\nHost: bench.example\r\n\r\n";

/// The same, with which the connection is to end.
const LAST_REQUEST: &[u8] = b"GET /?s=0 HTTP/1.1\r\nHost: bench.example\r\nConnection: close\r\n\r\n";

/// Opens the connection number `at` of many, in TLS if there is an offer. Each few thousand come from a loopback
/// address of their own, because the system takes long to find a free port where few are left.
///
/// # Errors
/// As the system has them; one that takes ten seconds is one.
pub(super) async fn connect_one_of_many(
    address: SocketAddr,
    at: usize,
    offer: Option<&Offer>,
) -> io::Result<ClientStream> {
    let host = u8::try_from(1 + at / CONNECTIONS_PER_SOURCE).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    timeout(PATIENCE, async { ClientStream::over(socket.connect(address).await?, offer).await }).await?
}

/// Asks for an empty answer and keeps the connection.
///
/// # Errors
/// When the connection breaks, the answer isn't `200`, or it takes ten seconds.
pub(super) async fn ask(stream: &mut ClientStream) -> io::Result<()> {
    timeout(PATIENCE, exchange(stream, REQUEST)).await?
}

/// Asks for an empty answer, and waits until the proxy has ended the connection.
///
/// # Errors
/// As [`ask`].
pub(super) async fn ask_last(stream: &mut ClientStream) -> io::Result<()> {
    timeout(PATIENCE, async {
        exchange(stream, LAST_REQUEST).await?;
        let mut rest = Vec::new();
        match stream.read_buf(&mut rest).await? {
            0 => Ok(()),
            _ => Err(wrong("something after an empty answer")),
        }
    })
    .await?
}

/// Asks once on a connection of its own, over what a proxy listens for. Where that can't be asked with HTTP/1, a
/// connection alone must do.
///
/// # Errors
/// As for all that.
pub(super) async fn fetch(address: SocketAddr, front: Front) -> io::Result<()> {
    let offer = match front {
        Front::Http | Front::Tcp => None,
        Front::Tls => Some(Offer::new()),
        Front::H2c => return timeout(PATIENCE, TcpStream::connect(address)).await?.map(drop),
    };
    ask(&mut timeout(PATIENCE, ClientStream::connect(address, offer.as_ref())).await??).await
}

async fn exchange(stream: &mut ClientStream, request: &[u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 || head.len() > HEAD_BYTES_MAX {
            return Err(wrong("no whole answer"));
        }
    }
    if !head.starts_with(b"HTTP/1.1 200 ") {
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or("").to_owned();
        return Err(wrong(&line));
    }
    Ok(())
}

fn wrong(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
