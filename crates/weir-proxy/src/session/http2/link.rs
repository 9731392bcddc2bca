//! What a connection and its streams share: the wire beneath the library that speaks HTTP/2, with the meter on it,
//! and the header bytes under way.
//!
//! Once the meter has seen enough, nothing more is read; whoever drives the connection finds the verdict here.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_config::model::Http2;

use super::meter::{Cut, FrameMeter, Verdict};
use crate::exchange::failure::Failure;
use crate::wire::Socket;
use crate::worker::local::Local;

/// Up to this size what the library writes is gathered; larger pieces go out with what was gathered before them.
const GATHERED_BYTES_MAX: usize = 16 << 10;

/// What a connection and its streams share.
pub(super) struct Link {
    local: Rc<Local>,
    wire: RefCell<Wire>,
    verdict: Cell<Option<Verdict>>,
    /// What is written waits for the end of the turn.
    gathering: Cell<bool>,
    /// The client takes nothing at present.
    blocked: Cell<bool>,
    /// How often the client took something.
    writes: Cell<u64>,
    /// Whoever waits for the client to take something.
    waiting: RefCell<Vec<Waker>>,
    header_bytes: Cell<u32>,
}

struct Wire {
    socket: Socket,
    /// What the library has written in this turn, and what the client has not taken of it.
    out: Vec<u8>,
    /// Read before this was known to be HTTP/2.
    early: BytesMut,
    meter: FrameMeter,
}

impl Link {
    pub(super) fn new(local: &Rc<Local>, socket: Socket, early: BytesMut, config: &Http2) -> Rc<Self> {
        Rc::new(Self {
            local: Rc::clone(local),
            wire: RefCell::new(Wire { socket, out: Vec::new(), early, meter: FrameMeter::new(config) }),
            gathering: Cell::new(false),
            verdict: Cell::new(None),
            blocked: Cell::new(false),
            writes: Cell::new(0),
            waiting: RefCell::default(),
            header_bytes: Cell::new(0),
        })
    }

    /// Why the connection can't go on, if it can't.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.verdict.get()
    }

    /// Whether the client has said what it wants of HTTP/2.
    pub(super) fn is_settled(&self) -> bool {
        self.wire.borrow().meter.is_settled()
    }

    /// Whether a request's head has come in part.
    pub(super) fn in_head(&self) -> bool {
        self.wire.borrow().meter.in_head()
    }

    /// Whether the client takes nothing at present.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.get()
    }

    /// How often the client took something.
    pub(super) fn writes(&self) -> u64 {
        self.writes.get()
    }

    /// Ready when the client takes something; until then streams give us no more, or each of them would fill its own
    /// buffer.
    pub(super) fn poll_unblocked(&self, cx: &Context<'_>) -> Poll<()> {
        if !self.blocked.get() {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Reads and forgets; `Ok(0)` at the client's end.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let socket = &mut self.wire.borrow_mut().socket;
        self.local.arena.poll_read(socket, usize::MAX, cx).map_ok(|read| read.len())
    }

    /// The connection will end such that the kernel keeps nothing of it.
    pub(super) fn reset_at_close(&self) {
        if let Ok(socket) = self.wire.borrow_mut().socket.watched() {
            let _ = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
        }
    }

    /// From now on what the library writes is gathered until [`poll_written`](Self::poll_written): it writes every
    /// frame by itself, and the answers of one turn should take one system call, and one record of TLS.
    pub(super) fn gather(&self) {
        self.gathering.set(true);
    }

    /// Writes what was gathered; not ready while the client takes none of it.
    pub(super) fn poll_written(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = &mut *self.wire.borrow_mut();
        while !wire.out.is_empty() {
            let written = self.wrote(Pin::new(&mut wire.socket).poll_write(cx, &wire.out));
            match std::task::ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(wire.out.drain(..written)),
            }
        }
        if wire.out.capacity() > 0 {
            self.local.gathered.set(std::mem::take(&mut wire.out));
        }
        Pin::new(&mut wire.socket).poll_flush(cx)
    }

    fn note(&self, wire: &mut Wire, bytes: &[u8]) -> usize {
        match wire.meter.read(bytes, self.local.now_micros()) {
            Ok(()) => bytes.len(),
            Err(Cut { at, verdict }) => {
                self.verdict.set(Some(verdict));
                at
            }
        }
    }

    fn wrote(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.blocked.set(written.is_pending());
        if let Poll::Ready(Ok(_)) = written {
            self.writes.set(self.writes.get() + 1);
            let mut waiting = self.waiting.borrow_mut();
            if !waiting.is_empty() {
                waiting.drain(..).for_each(Waker::wake);
            }
        }
        written
    }
}

/// The wire as the library sees it.
pub(super) struct Io(pub(super) Rc<Link>);

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let link = &self.0;
        if link.verdict.get().is_some() {
            return Poll::Pending; // whoever drives the connection looks at the verdict after this
        }
        let wire = &mut *link.wire.borrow_mut();
        let before = buf.filled().len();
        if wire.early.is_empty() {
            std::task::ready!(Pin::new(&mut wire.socket).poll_read(cx, buf))?;
        } else {
            let taken = wire.early.len().min(buf.remaining());
            buf.put_slice(&wire.early[..taken]);
            wire.early.advance(taken);
            if wire.early.is_empty() {
                wire.early = BytesMut::new(); // it may hold the worker's arena
            }
        }
        let kept = link.note(wire, &buf.filled()[before..]);
        if kept == 0 && buf.filled().len() > before {
            buf.set_filled(before);
            return Poll::Pending;
        }
        buf.set_filled(before + kept);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let link = &self.0;
        let Wire { socket, out, .. } = &mut *link.wire.borrow_mut();
        let length: usize = bytes.iter().map(|part| part.len()).sum();
        if link.gathering.get() && out.len() + length <= GATHERED_BYTES_MAX {
            if out.capacity() == 0 {
                *out = link.local.gathered.take();
            }
            bytes.iter().for_each(|part| out.extend_from_slice(part));
            return Poll::Ready(Ok(length));
        }
        loop {
            // The library writes a head and a piece at most.
            let part = |index: usize| bytes.get(index).map_or(&[][..], |part| part);
            let parts = [IoSlice::new(out), IoSlice::new(part(0)), IoSlice::new(part(1))];
            let written = link.wrote(Pin::new(&mut *socket).poll_write_vectored(cx, &parts));
            let written = std::task::ready!(written)?;
            let of_out = written.min(out.len());
            out.drain(..of_out);
            if written == 0 || written > of_out {
                return Poll::Ready(Ok(written - of_out));
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.0.wire.borrow().socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.0.gathering.get() {
            return Poll::Ready(Ok(())); // the turn is not over
        }
        self.0.poll_written(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.0.poll_written(cx))?;
        Pin::new(&mut self.0.wire.borrow_mut().socket).poll_shutdown(cx)
    }
}

/// The fields of one request under way: the sums have them until this is dropped. Many streams with large heads each
/// are what makes a connection hold far more than it was sent.
pub(super) struct HeaderBytes {
    link: Rc<Link>,
    bytes: u32,
}

impl HeaderBytes {
    /// Adds a request's fields to the sums of its connection, which may have `max`, and of its worker.
    ///
    /// # Errors
    /// When there would be too many.
    pub(super) fn take(link: &Rc<Link>, bytes: u32, max: u32) -> Result<Self, Failure> {
        let (connection, worker) = (&link.header_bytes, &link.local.http2_header_bytes);
        if connection.get().saturating_add(bytes) > max {
            return Err(Failure::DownstreamHeaderBytes);
        }
        if worker.get() + u64::from(bytes) > link.local.view().http2_header_bytes_max {
            return Err(Failure::LocalHeaderBytes);
        }
        connection.set(connection.get() + bytes);
        worker.set(worker.get() + u64::from(bytes));
        Ok(Self { link: Rc::clone(link), bytes })
    }
}

impl Drop for HeaderBytes {
    fn drop(&mut self) {
        let (connection, worker) = (&self.link.header_bytes, &self.link.local.http2_header_bytes);
        connection.set(connection.get() - self.bytes);
        worker.set(worker.get() - u64::from(self.bytes));
    }
}
