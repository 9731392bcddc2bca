//! A socket that the runtime need not know of.
//!
//! A client that connects has nearly always sent its request by the time it is accepted, and one that asks once
//! is gone before anything would have to be waited for. So a socket is tried first; only when it has nothing,
//! or takes nothing, is the runtime told to watch it, which costs two system calls a connection and memory.

use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use rustix::buffer::spare_capacity;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// One side's socket.
pub(crate) enum Socket {
    /// Nobody waits for it yet. Not blocking.
    Unwatched(std::net::TcpStream),
    Watched(TcpStream),
    /// The runtime could not watch it.
    Lost,
}

impl Socket {
    pub(crate) fn is_watched(&self) -> bool {
        matches!(self, Self::Watched(_))
    }

    /// The socket for whoever has to wait.
    ///
    /// # Errors
    /// When the runtime can't watch it.
    pub(crate) fn watched(&mut self) -> io::Result<&mut TcpStream> {
        if let Self::Unwatched(_) = self
            && let Self::Unwatched(socket) = std::mem::replace(self, Self::Lost)
        {
            *self = Self::Watched(TcpStream::from_std(socket)?);
        }
        match self {
            Self::Watched(socket) => Ok(socket),
            Self::Unwatched(_) | Self::Lost => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The socket itself, if it is nothing more: bytes on it are those that were sent.
    pub(crate) fn plain(&self) -> Option<&TcpStream> {
        if let Self::Watched(socket) = self { Some(socket) } else { None }
    }

    /// The address of this side.
    pub(crate) fn local_address(&mut self) -> Option<SocketAddr> {
        if let Self::Unwatched(socket) = self {
            return socket.local_addr().ok();
        }
        self.watched().ok()?.local_addr().ok()
    }

    /// Reads what is there without waiting, while nobody watches the socket: `None` when it has to be watched.
    pub(super) fn read_unwatched(
        &self,
        scratch: &mut Vec<u8>,
        into: &mut BytesMut,
    ) -> Option<io::Result<()>> {
        let Self::Unwatched(socket) = self else { return None };
        scratch.clear();
        match rustix::net::recv(socket, spare_capacity(scratch), RecvFlags::DONTWAIT) {
            Ok(_received) => {
                into.extend_from_slice(scratch);
                Some(Ok(()))
            }
            Err(rustix::io::Errno::AGAIN) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Tries to write without waiting, while nobody watches the socket.
    fn write_unwatched(
        &self,
        write: impl FnOnce(&std::net::TcpStream) -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let Self::Unwatched(socket) = self else { return None };
        match write(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            done => Some(done),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(self.get_mut().watched()?).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(written) = this.write_unwatched(|mut socket| socket.write(bytes)) {
            return Poll::Ready(written);
        }
        Pin::new(this.watched()?).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Some(written) = this.write_unwatched(|mut socket| socket.write_vectored(bytes)) {
            return Poll::Ready(written);
        }
        Pin::new(this.watched()?).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // nothing is held here
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unwatched(socket) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            Self::Watched(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Lost => Poll::Ready(Ok(())),
        }
    }
}
