//! What one turn of a connection wants to write, gathered so that it takes one system call.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use super::Socket;

/// Bytes on their way out: small things copied together, then at most one large piece as it is, then what
/// frames its end.
#[derive(Default)]
pub(crate) struct Outgoing {
    front: Vec<u8>,
    front_written: usize,
    large: Bytes,
    back: Vec<u8>,
}

impl Outgoing {
    /// Up to this size copying costs less than one more element of a vectored write.
    const COPY_BYTES_MAX: usize = 8 << 10;

    /// Where small things are appended.
    pub(crate) fn text(&mut self) -> &mut Vec<u8> {
        if self.large.is_empty() { &mut self.front } else { &mut self.back }
    }

    /// Appends a piece of a body.
    pub(crate) fn push(&mut self, data: Bytes) {
        if self.large.is_empty() && self.front.len() + data.len() > Self::COPY_BYTES_MAX {
            self.large = data;
        } else {
            self.text().extend_from_slice(&data);
        }
    }

    /// Whether it should be written before more is gathered.
    pub(crate) fn is_full(&self) -> bool {
        !self.large.is_empty() || self.front.len() >= Self::COPY_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.front_written == self.front.len() && self.large.is_empty() && self.back.is_empty()
    }

    /// Writes as much as the socket takes at once.
    pub(super) fn poll_write(
        &mut self,
        socket: &mut Socket,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let front = &self.front[self.front_written..];
        if let Socket::Tls(tls) = socket {
            let taken = ready!(tls.poll_write_parts([front, &self.large, &self.back], cx))?;
            self.advance(taken);
            return Poll::Ready(Ok(taken));
        }
        let socket = Pin::new(socket);
        let written = if self.large.is_empty() && self.back.is_empty() {
            socket.poll_write(cx, front) // cheaper than a vectored write of one
        } else {
            let parts = [IoSlice::new(front), IoSlice::new(&self.large), IoSlice::new(&self.back)];
            socket.poll_write_vectored(cx, &parts)
        };
        let written = ready!(written)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, written: usize) {
        let of_front = written.min(self.front.len() - self.front_written);
        self.front_written += of_front;
        let of_large = (written - of_front).min(self.large.len());
        self.large.advance(of_large);
        self.back.drain(..written - of_front - of_large);
    }

    /// Copies what is left to `kept`.
    pub(super) fn copy_to(&self, kept: &mut BytesMut) {
        kept.extend_from_slice(&self.front[self.front_written..]);
        kept.extend_from_slice(&self.large);
        kept.extend_from_slice(&self.back);
    }

    /// Forgets everything but its memory.
    pub(super) fn clear(&mut self) {
        self.front.clear();
        self.front_written = 0;
        self.large = Bytes::new();
        self.back.clear();
    }
}
