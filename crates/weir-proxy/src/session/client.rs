//! The client's connection: requests in, responses out.
//!
//! A session and its exchange both reach it: the exchange takes the request's body from here, piece by piece,
//! while the session writes what the exchange answers.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::Version;
use http_body::Frame;

use crate::fields::{Field, Fields};
use crate::framing::{Advance, HeadLimits, Part, Progress, RequestFraming, Violation};
use crate::head::RequestHead;
use crate::http1;
use crate::wire::{Arena, Outgoing, Socket, Wire};

/// What is read from a client at once while its next request has to wait.
const READ_AHEAD_BYTES: usize = 4096;
/// What is read at once before a request's head is known.
const HEAD_READ_BYTES: usize = 16 << 10;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The client's connection.
pub(crate) struct Client(RefCell<Inner>);

struct Inner {
    wire: Wire,
    framing: RequestFraming,
    /// A request's head has been read, its body has not ended.
    in_body: bool,
    /// What is stashed was looked at and is not enough.
    incomplete: bool,
    /// The client holds its body back until it is asked for it (RFC 9110 section 10.1.1).
    expects_continue: bool,
}

/// Why no request came.
pub(crate) enum NoRequest {
    /// The client closed or broke its connection.
    Gone,
    /// What it sent can't be served.
    Refused(Violation),
}

impl Client {
    /// A connection that has just come in, `early` being what it has sent already.
    pub(crate) fn new(socket: Socket, early: BytesMut, limits: HeadLimits, body_bytes_max: u64) -> Self {
        let mut wire = Wire::new(socket);
        wire.stash = early;
        Self(RefCell::new(Inner {
            wire,
            framing: RequestFraming::new(limits, body_bytes_max),
            in_body: false,
            incomplete: false,
            expects_continue: false,
        }))
    }

    /// What the next heads and bodies may have.
    pub(crate) fn set_limits(&self, limits: HeadLimits, body_bytes_max: u64) {
        self.0.borrow_mut().framing.set_limits(limits, body_bytes_max);
    }

    /// The next request's head.
    pub(crate) fn poll_request(
        &self,
        arena: &Arena,
        cx: &mut Context<'_>,
    ) -> Poll<Result<RequestHead, NoRequest>> {
        let inner = &mut *self.0.borrow_mut();
        loop {
            if let Some(head) = inner.take_head().map_err(NoRequest::Refused)? {
                return Poll::Ready(Ok(head));
            }
            match inner.wire.poll_fill(arena, HEAD_READ_BYTES, cx) {
                Poll::Ready(Ok(1..)) => inner.incomplete = false,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(NoRequest::Gone)),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Whether a part of a request's head is here.
    pub(crate) fn has_part_of_head(&self) -> bool {
        !self.0.borrow().wire.stash.is_empty()
    }

    /// Whether the present request has been read to its end.
    pub(crate) fn request_ended(&self) -> bool {
        !self.0.borrow().in_body
    }

    /// The next piece of the present request's body; `Truncated` when the client is gone.
    pub(crate) fn poll_body(
        &self,
        arena: &Arena,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Violation>>> {
        let inner = &mut *self.0.borrow_mut();
        loop {
            match inner.take_piece() {
                Err(violation) => return Poll::Ready(Some(Err(violation))),
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if !inner.in_body => return Poll::Ready(None),
                Ok(None) => {}
            }
            if std::mem::take(&mut inner.expects_continue) {
                let mut out = Outgoing::default();
                out.text().extend_from_slice(CONTINUE);
                let _ = inner.wire.send(&mut out, cx); // reading finds out what is wrong
            }
            match ready!(inner.wire.poll_fill(arena, usize::MAX, cx)) {
                Ok(1..) => inner.incomplete = false,
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Violation::Truncated))),
            }
        }
    }

    /// Whether the runtime watches the socket. While it doesn't, nobody notices that the client has gone.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.borrow().wire.socket.is_watched()
    }

    /// While its request is being served: notices that the client has gone. What it sends ahead is kept,
    /// within bounds.
    pub(crate) fn poll_gone(&self, arena: &Arena, cx: &mut Context<'_>) -> Poll<()> {
        let inner = &mut *self.0.borrow_mut();
        while !inner.in_body && inner.wire.stash.len() < READ_AHEAD_BYTES {
            match ready!(inner.wire.poll_fill(arena, READ_AHEAD_BYTES, cx)) {
                Ok(1..) => {
                    inner.incomplete = false;
                    inner.wire.keep_stash();
                }
                Ok(0) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    /// Reads the rest of a request that nobody wants, as far as it is here; whether it ended.
    pub(crate) fn skip_request(&self, arena: &Arena, cx: &mut Context<'_>) -> bool {
        if self.0.borrow().expects_continue {
            return self.request_ended(); // it will not come
        }
        while !self.request_ended() {
            match self.poll_body(arena, cx) {
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(None) => break,
                Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
            }
        }
        true
    }

    /// Writes `out`; what the client does not take now is kept for [`poll_flush`](Self::poll_flush).
    pub(crate) fn send(&self, out: &mut Outgoing, cx: &mut Context<'_>) -> io::Result<()> {
        self.0.borrow_mut().wire.send(out, cx)
    }

    /// Writes what was kept. `Ok(0)`: there was nothing.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.borrow_mut().wire.poll_flush(cx)
    }

    /// Whether all that was sent has been taken by the kernel.
    pub(crate) fn is_flushed(&self) -> bool {
        self.0.borrow().wire.is_flushed()
    }

    /// Says, where TLS has a way to, that no more will come.
    pub(crate) fn say_goodbye(&self, cx: &mut Context<'_>) {
        self.0.borrow_mut().wire.say_goodbye(cx);
    }

    /// Nothing will be asked of it for a while: holds as little as can be.
    pub(crate) fn settle(&self) {
        self.0.borrow_mut().wire.keep_stash();
    }

    /// Reads and forgets; `Ok(0)` at the client's end.
    pub(crate) fn poll_discard(&self, arena: &Arena, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let wire = &mut self.0.borrow_mut().wire;
        wire.stash.clear();
        wire.poll_fill(arena, usize::MAX, cx)
    }

    /// Works on the socket itself, when HTTP is over.
    pub(crate) fn with_socket<T>(&self, work: impl FnOnce(&mut Socket) -> T) -> T {
        work(&mut self.0.borrow_mut().wire.socket)
    }

    /// What was read and is not part of any request.
    pub(crate) fn take_stash(&self) -> BytesMut {
        std::mem::take(&mut self.0.borrow_mut().wire.stash)
    }
}

impl Inner {
    /// A head, if a whole one is stashed. It gets memory of its own: an exchange may wait long for its server.
    fn take_head(&mut self) -> Result<Option<RequestHead>, Violation> {
        if self.incomplete || self.wire.stash.is_empty() {
            return Ok(None);
        }
        let Advance { pass, part, progress } = self.framing.advance(&self.wire.stash)?;
        let Part::Head { at } = part else {
            self.incomplete = true;
            return Ok(None);
        };
        let head = Bytes::copy_from_slice(&self.wire.take(pass));
        self.in_body = progress != Progress::MessageComplete;
        let head = http1::parse_request(head, at, self.framing.take_fields())
            .ok_or(Violation::RequestLineInvalid)?;
        self.expects_continue =
            self.in_body && head.version != Version::HTTP_10 && expects_continue(&head.fields);
        Ok(Some(head))
    }

    /// A piece of the body, if one is stashed.
    fn take_piece(&mut self) -> Result<Option<Frame<Bytes>>, Violation> {
        while self.in_body && !self.incomplete && !self.wire.stash.is_empty() {
            let Advance { pass, part, progress } = self.framing.advance(&self.wire.stash)?;
            self.in_body = progress != Progress::MessageComplete;
            self.incomplete = pass == 0;
            self.expects_continue = false; // it did not wait
            let piece = self.wire.take(pass);
            match part {
                Part::Data { at } => return Ok(Some(Frame::data(piece.slice(at..)))),
                Part::Trailers { at } => {
                    let trailers = http1::parse_trailers(piece.slice(at..)).unwrap_or_default();
                    if !trailers.is_empty() {
                        return Ok(Some(Frame::trailers(trailers)));
                    }
                }
                Part::Nothing | Part::Head { .. } | Part::Tunnel => {}
            }
        }
        Ok(None)
    }
}

fn expects_continue(fields: &Fields) -> bool {
    fields.get(Field::Expect).is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"))
}
