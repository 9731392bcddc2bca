//! The wire of one connection, whatever is spoken on it: a socket, and the few bytes that wait on either side
//! of it.
//!
//! No connection owns a buffer: bytes are read into the worker's [`Arena`] and written from the worker's
//! [`Outgoing`]. Only what a peer has sent ahead, or does not take yet, is copied and kept ([`Wire`]). So an
//! idle connection is its socket and little more, and a stalled one holds one piece.

mod arena;
mod outgoing;
mod pipes;
mod socket;
pub(crate) mod tls;

pub(crate) use arena::Arena;
pub(crate) use outgoing::Outgoing;
pub(crate) use pipes::{BrokenEnd, Pipe, Pipes, Step};
pub(crate) use socket::Socket;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

/// One side's connection.
pub(crate) struct Wire {
    pub(crate) socket: Socket,
    /// Read and not used yet.
    pub(crate) stash: BytesMut,
    /// To be written as soon as the peer takes it. Boxed: there seldom is anything.
    unsent: Option<Box<BytesMut>>,
}

impl Wire {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, stash: BytesMut::new(), unsent: None }
    }

    /// Reads into the stash, at most `limit` bytes; `Ok(0)` at the peer's end.
    pub(crate) fn poll_fill(
        &mut self,
        arena: &Arena,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(read) = arena.poll_read(&mut self.socket, limit, cx) else {
            self.keep_stash();
            return Poll::Pending;
        };
        let read = read?;
        let length = read.len();
        self.stash.unsplit(read);
        Poll::Ready(Ok(length))
    }

    /// Takes the first bytes of what is stashed. When those are all, nothing of the arena is held any more.
    pub(crate) fn take(&mut self, bytes: usize) -> Bytes {
        if bytes == self.stash.len() {
            return std::mem::take(&mut self.stash).freeze();
        }
        self.stash.split_to(bytes).freeze()
    }

    /// Copies what is stashed out of the arena, because it will be there for a while.
    pub(crate) fn keep_stash(&mut self) {
        if !self.stash.is_empty() {
            self.stash = BytesMut::from(&self.stash[..]);
        }
    }

    /// Writes `out`; what the peer does not take now is kept for [`poll_flush`](Self::poll_flush).
    ///
    /// `out` is empty afterwards, also after an error: it is lent to one connection after the other, and what
    /// is left in it would reach somebody else.
    pub(crate) fn send(&mut self, out: &mut Outgoing, cx: &mut Context<'_>) -> io::Result<()> {
        let mut outcome = Ok(());
        while self.unsent.is_none() && !out.is_empty() && outcome.is_ok() {
            match out.poll_write(&mut self.socket, cx) {
                Poll::Ready(written) => outcome = written.map(|_taken| ()),
                Poll::Pending => break,
            }
        }
        if !out.is_empty() {
            out.copy_to(self.unsent.get_or_insert_default());
        }
        out.clear();
        outcome
    }

    /// Writes what was kept.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while let Some(unsent) = &mut self.unsent {
            let Poll::Ready(written) = Pin::new(&mut self.socket).poll_write(cx, unsent) else {
                return if taken > 0 { Poll::Ready(Ok(taken)) } else { Poll::Pending };
            };
            let written = written?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            unsent.advance(written);
            taken += written;
            if unsent.is_empty() {
                self.unsent = None;
            }
        }
        if let Socket::Tls(tls) = &mut self.socket {
            return match tls.poll_flush_sealed(cx) {
                Poll::Ready(written) => Poll::Ready(written.map(|written| taken + written)),
                Poll::Pending if taken > 0 => Poll::Ready(Ok(taken)),
                Poll::Pending => Poll::Pending,
            };
        }
        Poll::Ready(Ok(taken))
    }

    /// Gives up what was kept: it will never be taken.
    pub(crate) fn forget_unsent(&mut self) {
        self.unsent = None;
    }

    /// Whether all that was sent has been taken by the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.unsent.is_none() && self.socket.is_flushed()
    }

    /// Says that no more will come, where there is a way to say so before the connection is closed: in TLS, where its
    /// end alone would look like an attack.
    pub(crate) fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.unsent.is_none()
            && let Socket::Tls(tls) = &mut self.socket
        {
            let _ = tls.poll_goodbye(cx); // what the peer does not take at once is not worth waiting for
        }
    }
}
