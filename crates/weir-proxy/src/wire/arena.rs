//! Where a worker reads to.

use std::cell::RefCell;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Socket;

/// One worker's memory for bytes that were just read. Nearly always they are used up before the next read,
/// which then begins at the front again; pieces that live longer keep their arena alive, and the next read
/// gets a new one. Whoever keeps bytes for long copies them.
pub(crate) struct Arena {
    bytes: RefCell<BytesMut>,
    /// What a socket that nobody watches yet is read to.
    scratch: RefCell<Vec<u8>>,
}

impl Default for Arena {
    fn default() -> Self {
        Self { bytes: RefCell::default(), scratch: RefCell::new(Vec::with_capacity(Self::SCRATCH_BYTES)) }
    }
}

impl Arena {
    /// The most that one read takes: an object of 64 KiB with its head.
    pub(crate) const READ_BYTES_MAX: usize = 72 << 10;
    const BYTES: usize = 2 * Self::READ_BYTES_MAX;
    const SCRATCH_BYTES: usize = 4 << 10;

    /// Reads what is there, at most `limit` bytes; empty at the peer's end.
    pub(crate) fn poll_read(
        &self,
        socket: &mut Socket,
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<BytesMut>> {
        let arena = &mut *self.bytes.borrow_mut();
        let limit = limit.min(Self::READ_BYTES_MAX);
        if arena.capacity() < limit {
            arena.reserve(Self::BYTES);
        }
        if let Socket::Tls(tls) = socket {
            return tls.poll_read_to(arena, limit, cx).map_ok(|()| arena.split());
        }
        if let Some(read) = socket.read_unwatched(&mut self.scratch.borrow_mut(), arena) {
            return Poll::Ready(read.map(|()| arena.split()));
        }
        ready!(pin!(socket.read_buf(&mut arena.limit(limit))).poll(cx))?;
        Poll::Ready(Ok(arena.split()))
    }

    /// The same for whatever can be read from.
    pub(crate) fn poll_read_from(
        &self,
        socket: &mut (impl AsyncRead + Unpin),
        limit: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<BytesMut>> {
        let arena = &mut *self.bytes.borrow_mut();
        if arena.capacity() < limit {
            arena.reserve(Self::BYTES);
        }
        ready!(pin!(socket.read_buf(&mut arena.limit(limit))).poll(cx))?;
        Poll::Ready(Ok(arena.split()))
    }
}
