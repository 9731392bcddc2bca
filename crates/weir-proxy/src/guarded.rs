//! A socket whose bytes pass a framing guard before hyper sees them.
//!
//! The same on both sides of the proxy: a [`Side`] says what the messages look like and what is to be done
//! about what happens. The guard hands hyper one message at a time: a head only when it is whole and sound,
//! then its body; what follows the message waits in `stash` until the side admits the next one. So hyper
//! never holds part of a head, and a connection at a message's end holds nothing at all.
//!
//! Invariant: `stash[..approved]` has passed the guard, the rest has not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::framing::{Advance, Violation};

/// hyper's own limits stand above the guard's, which are configured (at most 1 MiB a head): the guard is to
/// say what is wrong, in one way for both sides.
pub(crate) const HYPER_HEAD_BYTES: usize = 2 << 20;
/// How large hyper's buffer may grow where a peer sends faster than it is read: what a stalled transfer holds
/// on each side. A head must fit.
pub(crate) fn hyper_buffer_bytes(head_bytes: usize) -> usize {
    const BODY: usize = 32 << 10;
    const BESIDE_HEAD: usize = 16 << 10;
    BODY.max(head_bytes + BESIDE_HEAD)
}

/// What hyper must be told so that it takes `fields` fields; `None` where it needs no telling. It has room for
/// 100 on its stack, and allocates for each head once it is told anything (4 % of a request's time).
pub(crate) fn hyper_fields(fields: usize) -> Option<usize> {
    const ON_STACK: usize = 100;
    (fields > ON_STACK).then_some(fields)
}

/// What a guarded socket's messages look like, and who wants to know what happens there.
pub(crate) trait Side {
    /// Looks at the next bytes; see [`crate::framing`].
    fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Violation>;
    /// Whether the last message has ended and the next has not begun.
    fn at_boundary(&self) -> bool;
    /// At a boundary: whether the next message may go on to hyper now.
    fn admits_next(&self) -> bool;
    /// Part of a head is here (`true`), or a whole one has gone on (`false`).
    fn head_pending(&self, pending: bool);
    /// The peer has sent its last byte.
    ///
    /// # Errors
    /// When a message was not at its end.
    fn ended(&mut self) -> Result<(), Violation>;
    /// What the peer sent can't go on.
    fn refused(&self, violation: Violation);
    /// The peer takes no more bytes for now (`true`), or took some (`false`).
    fn write_blocked(&self, blocked: bool);
    /// All that hyper had to write is written.
    fn flushed(&self, cx: &Context<'_>);
}

/// A socket behind a framing guard.
pub(crate) struct Guarded<S> {
    socket: TcpStream,
    pub(crate) side: S,
    stash: BytesMut,
    approved: usize,
    /// `stash` ends in the middle of a head and nothing has come since it was looked at.
    head_incomplete: bool,
    /// What came can't go on. hyper is told once and may then still write an answer, but reads no more.
    failed: bool,
}

impl<S: Side> Guarded<S> {
    /// What is read from the socket at once while hyper may not have it.
    const READ_AHEAD_BYTES: usize = 4096;

    pub(crate) fn new(socket: TcpStream, side: S) -> Self {
        Self::resumed(socket, side, BytesMut::new())
    }

    /// A socket from which `stash` has been read already.
    pub(crate) fn resumed(socket: TcpStream, side: S, stash: BytesMut) -> Self {
        Self { socket, side, stash, approved: 0, head_incomplete: false, failed: false }
    }

    /// Whether nothing read is still to be handed on.
    pub(crate) fn is_empty(&self) -> bool {
        self.stash.is_empty()
    }

    /// The socket, and what was read from it but not handed on.
    pub(crate) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.socket, self.stash)
    }

    fn guard(&mut self, from_stash: bool, bytes: &[u8]) -> io::Result<Advance> {
        debug_assert!(!from_stash || self.approved == 0);
        self.side.advance(bytes).map_err(|violation| {
            self.failed = true;
            self.side.refused(violation);
            io::Error::new(io::ErrorKind::InvalidData, violation)
        })
    }

    /// Reads into the stash; `Ok(0)` at the peer's end.
    fn poll_fill_stash(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            self.stash.reserve(Self::READ_AHEAD_BYTES);
            match self.socket.try_read_buf(&mut (&mut self.stash).limit(Self::READ_AHEAD_BYTES)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// Between messages, while the next may not go on: only notices that the peer has gone.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stash.len() >= Self::READ_AHEAD_BYTES {
            return Poll::Pending; // it has sent the next requests already: `flushed` wakes us
        }
        match ready!(self.poll_fill_stash(cx))? {
            0 => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }

    /// Lets the guard look at the stash; `true` when something may go on.
    fn examine_stash(&mut self) -> io::Result<bool> {
        let stash = std::mem::take(&mut self.stash);
        let advance = self.guard(true, &stash);
        self.stash = stash;
        self.approved = advance?.pass;
        self.head_incomplete = self.approved == 0;
        self.side.head_pending(self.head_incomplete);
        Ok(self.approved > 0)
    }
}

impl<S: Side + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.failed {
            return Poll::Pending;
        }
        loop {
            if this.approved > 0 {
                let n = this.approved.min(buf.remaining());
                buf.put_slice(&this.stash[..n]);
                this.stash.advance(n);
                this.approved -= n;
                if this.stash.is_empty() {
                    this.stash = BytesMut::new(); // an idle session holds no buffer
                }
                return Poll::Ready(Ok(()));
            }
            if this.side.at_boundary() && !this.side.admits_next() {
                return this.poll_ahead(cx);
            }
            if !this.stash.is_empty() {
                if !this.head_incomplete && this.examine_stash()? {
                    continue;
                }
                if ready!(this.poll_fill_stash(cx))? == 0 {
                    this.side.head_pending(false);
                    return Poll::Ready(Ok(())); // gone within a head: hyper has seen nothing of it
                }
                this.head_incomplete = false;
                continue;
            }
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.socket).poll_read(cx, buf))?;
            let bytes = &buf.filled()[before..];
            if bytes.is_empty() {
                return Poll::Ready(this.side.ended().map_err(|violation| {
                    this.side.refused(violation);
                    io::Error::new(io::ErrorKind::UnexpectedEof, violation)
                }));
            }
            let pass = this.guard(false, bytes)?.pass;
            if pass < bytes.len() {
                this.stash.extend_from_slice(&bytes[pass..]);
                this.head_incomplete = false;
                buf.set_filled(before + pass);
            }
            if pass > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: Side + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.side.write_blocked(written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bytes);
        this.side.write_blocked(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes when its buffer is empty.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.side.flushed(cx);
        Poll::Ready(Ok(()))
    }

    /// Nothing: how a connection ends is for its owner to say, who has the socket back when hyper is done.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
