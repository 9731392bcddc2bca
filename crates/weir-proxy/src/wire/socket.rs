//! A socket that the runtime need not know of.
//!
//! A client that connects has nearly always sent its request by the time it is accepted, and one that asks once
//! is gone before anything would have to be waited for. So a socket is tried first; only when it has nothing,
//! or takes nothing, is the runtime told to watch it, which costs two system calls a connection and memory.

use std::io::{self, IoSlice, Write};
use std::net::{Shutdown, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::net::RecvFlags;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::tls::Tls;

/// One side's socket.
pub(crate) enum Socket {
    /// Nobody waits for it yet. Not blocking.
    Unwatched(std::net::TcpStream),
    Watched(TcpStream),
    /// In TLS, on one of the other kinds.
    Tls(Box<Tls>),
    /// The runtime could not watch it.
    Lost,
}

impl Socket {
    pub(crate) fn is_watched(&self) -> bool {
        match self {
            Self::Watched(_) => true,
            Self::Tls(tls) => tls.socket().is_watched(),
            Self::Unwatched(_) | Self::Lost => false,
        }
    }

    /// Whether the kernel has all that was written.
    pub(super) fn is_flushed(&self) -> bool {
        if let Self::Tls(tls) = self { tls.is_flushed() } else { true }
    }

    /// Whether the peer has said nothing and has not gone, on a connection on which nobody asked it for anything.
    pub(crate) fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        match self {
            Self::Watched(socket) => {
                while socket.poll_read_ready(cx).is_ready() {
                    match socket.try_read(&mut [0]) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Ok(_) | Err(_) => return false,
                    }
                }
                true
            }
            // What TLS itself has to say, such as tickets, is taken on the way.
            Self::Tls(tls) => tls.poll_read_to(&mut BytesMut::new(), 1, cx).is_pending(),
            Self::Unwatched(_) | Self::Lost => false,
        }
    }

    /// The socket for whoever has to wait; in TLS, the one beneath.
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
            Self::Tls(tls) => tls.socket_mut().watched(),
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
        into: &mut impl BufMut,
    ) -> Option<io::Result<()>> {
        let Self::Unwatched(socket) = self else { return None };
        scratch.clear();
        match rustix::net::recv(socket, spare_capacity(scratch), RecvFlags::DONTWAIT) {
            Ok(_received) => {
                into.put_slice(scratch);
                Some(Ok(()))
            }
            Err(rustix::io::Errno::AGAIN) => None,
            Err(error) => Some(Err(error.into())),
        }
    }

    /// Reads what is there, about `room` bytes at most, to the end of `into`; 0 at the peer's end. `scratch` is for
    /// a socket that nobody watches yet.
    pub(super) fn poll_receive(
        &mut self,
        scratch: &mut Vec<u8>,
        into: &mut Vec<u8>,
        room: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = into.len();
        if let Some(read) = self.read_unwatched(scratch, into) {
            return Poll::Ready(read.map(|()| into.len() - before));
        }
        into.reserve(room);
        ready!(pin!(self.watched()?.read_buf(&mut into.limit(room))).poll(cx))?;
        Poll::Ready(Ok(into.len() - before))
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
        match self.get_mut() {
            Self::Tls(tls) => tls.poll_read(buf, cx),
            plain @ (Self::Unwatched(_) | Self::Watched(_) | Self::Lost) => {
                Pin::new(plain.watched()?).poll_read(cx, buf)
            }
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let Self::Tls(tls) = this {
            return tls.poll_write_parts([bytes, &[], &[]], cx);
        }
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
        if let Self::Tls(tls) = this {
            let part = |index: usize| bytes.get(index).map_or(&[][..], |part| part);
            return tls.poll_write_parts([part(0), part(1), part(2)], cx);
        }
        if let Some(written) = this.write_unwatched(|mut socket| socket.write_vectored(bytes)) {
            return Poll::Ready(written);
        }
        Pin::new(this.watched()?).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Tls(tls) = self.get_mut() {
            while ready!(tls.poll_flush_sealed(cx))? > 0 {}
        }
        Poll::Ready(Ok(())) // nothing else is held here
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Unwatched(socket) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            Self::Watched(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Tls(tls) => {
                ready!(tls.poll_goodbye(cx))?;
                Pin::new(tls.socket_mut()).poll_shutdown(cx)
            }
            Self::Lost => Poll::Ready(Ok(())),
        }
    }
}
