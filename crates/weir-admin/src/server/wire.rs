//! A client's socket behind the framing guard: hyper gets a request's head only when it is whole and sound,
//! and the next request only when the answer before it is out.
//!
//! Invariant: `stash[..approved]` has passed the guard, the rest has not.

use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use weir_proxy::framing::{HeadLimits, RequestFraming};

use super::talk::{Stage, Talk};

/// How large a request's head may be.
const HEAD: HeadLimits = HeadLimits { head_bytes: 16 << 10, fields: FIELDS_MAX, uri_bytes: 8 << 10 };
/// Fields in a request's head.
pub(super) const FIELDS_MAX: usize = 64;
/// What is read from the socket at once.
const READ_BYTES: usize = 16 << 10;

/// A client's socket behind the framing guard.
pub(super) struct Wire<S> {
    socket: S,
    talk: Rc<Talk>,
    framing: RequestFraming,
    stash: BytesMut,
    approved: usize,
    /// The guard has looked at all of `stash` and wants more.
    looked: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(socket: S, talk: Rc<Talk>) -> Self {
        // A body's size is bounded by who reads it: no bound is known before the request's path.
        let framing = RequestFraming::new(HEAD, u64::MAX);
        Self { socket, talk, framing, stash: BytesMut::new(), approved: 0, looked: true }
    }

    /// The socket, and whether all that the client sent was read.
    pub(super) fn into_parts(self) -> (S, bool) {
        let clean = self.stash.is_empty() && self.framing.at_boundary();
        (self.socket, clean)
    }

    /// Lets the guard look at the stash.
    fn look(&mut self) -> io::Result<()> {
        let advance = self.framing.advance(&self.stash).map_err(|violation| {
            self.talk.refuse(violation);
            io::Error::new(io::ErrorKind::InvalidData, violation)
        })?;
        self.approved = advance.pass;
        self.looked = true;
        match self.talk.stage() {
            Stage::First | Stage::Idle | Stage::Head if self.approved > 0 => self.talk.enter(Stage::Exchange),
            Stage::First | Stage::Idle => self.talk.enter(Stage::Head),
            Stage::Head | Stage::Exchange => {}
        }
        Ok(())
    }

    /// Reads into the stash; `0` at the client's end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.stash.reserve(READ_BYTES);
        // The future holds nothing of its own: giving it up while it waits loses no byte.
        let read = ready!(pin!(self.socket.read_buf(&mut self.stash)).poll(cx));
        self.looked = false;
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.approved > 0 {
                let n = this.approved.min(buf.remaining());
                buf.put_slice(&this.stash[..n]);
                this.stash.advance(n);
                this.approved -= n;
                this.looked = this.stash.is_empty();
                return Poll::Ready(Ok(()));
            }
            let ahead = this.talk.stage() == Stage::Exchange && this.framing.at_boundary();
            if ahead && this.stash.len() >= READ_BYTES {
                return Poll::Pending; // it has sent the next requests already: the flush wakes us
            }
            if !ahead && !this.looked && !this.stash.is_empty() {
                this.look()?;
                continue;
            }
            if ready!(this.poll_fill(cx))? == 0 {
                this.looked = true;
                let cut_off = !ahead && this.talk.stage() == Stage::Exchange;
                return Poll::Ready(if cut_off {
                    Err(io::ErrorKind::UnexpectedEof.into())
                } else {
                    Ok(()) // between requests, or within a head that hyper has seen nothing of
                });
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.talk.stalled(written.is_pending());
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write_vectored(cx, bytes);
        this.talk.stalled(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// hyper flushes when its buffer is empty; TLS may still hold records that the client makes no room for.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        self.talk.stalled(flushed.is_pending());
        ready!(flushed)?;
        if self.talk.stage() == Stage::Exchange && self.talk.is_answered() {
            self.talk.enter(Stage::Idle);
            cx.waker().wake_by_ref(); // a request that was sent ahead may be here already
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing: how a connection ends is for its owner to say.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
