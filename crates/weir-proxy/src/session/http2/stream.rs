//! One stream as an exchange sees it: the request's body comes from here, piece by piece, and here the answer goes
//! to. What a client may send ahead is what its server has taken, and no more.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use ::http::{HeaderMap, Response};
use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http_body::Frame;
use tokio::io::ReadBuf;

use super::head;
use super::link::{HeaderBytes, Link};
use crate::fields::Fields;
use crate::framing::Violation;
use crate::head::ResponseHead;

/// Up to this size a piece is copied, so that it does not keep the worker's arena.
const COPY_BYTES_MAX: usize = 8 << 10;

/// One stream.
pub(crate) struct Stream {
    link: Rc<Link>,
    request: RefCell<Request>,
    respond: RefCell<SendResponse<Bytes>>,
    /// Once the head of the answer is sent.
    response: RefCell<Option<SendStream<Bytes>>>,
    /// The client wants a tunnel: what comes is no body.
    tunnel: bool,
    /// Counted until the stream is gone.
    _header_bytes: Option<HeaderBytes>,
}

/// The client's side of a stream.
struct Request {
    body: RecvStream,
    /// What was taken last: room for as much is given when more is asked for, for then it has been passed on.
    taken: usize,
    /// How much more a body may have.
    bytes_left: u64,
    /// The client holds its body back until it is asked for it.
    expects_continue: bool,
    /// Of a tunnel: come, and not taken yet.
    rest: Bytes,
}

/// The client has reset the stream, or is gone.
pub(super) struct Gone;

/// What has to be known of a request besides its head.
pub(super) struct Asked {
    pub(super) body_bytes_max: u64,
    pub(super) expects_continue: bool,
    pub(super) tunnel: bool,
    pub(super) header_bytes: Option<HeaderBytes>,
}

impl Stream {
    pub(super) fn new(link: &Rc<Link>, body: RecvStream, respond: SendResponse<Bytes>, asked: Asked) -> Self {
        let Asked { body_bytes_max, expects_continue, tunnel, header_bytes } = asked;
        Self {
            link: Rc::clone(link),
            request: RefCell::new(Request {
                body,
                taken: 0,
                bytes_left: body_bytes_max,
                expects_continue,
                rest: Bytes::new(),
            }),
            respond: RefCell::new(respond),
            response: RefCell::new(None),
            tunnel,
            _header_bytes: header_bytes,
        }
    }

    /// Whether the client asked for a tunnel.
    pub(super) fn wants_tunnel(&self) -> bool {
        self.tunnel
    }

    /// Whether the request has been read to its end.
    pub(crate) fn request_ended(&self) -> bool {
        self.tunnel || self.request.borrow().body.is_end_stream()
    }

    /// The next piece of the request's body.
    pub(crate) fn poll_body(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Violation>>> {
        let request = &mut *self.request.borrow_mut();
        request.make_room();
        loop {
            match request.body.poll_data(cx) {
                Poll::Ready(Some(Ok(data))) => {
                    request.expects_continue = false; // it did not wait
                    request.taken += data.len();
                    let Some(left) = request.bytes_left.checked_sub(data.len() as u64) else {
                        return Poll::Ready(Some(Err(Violation::BodyTooLarge)));
                    };
                    request.bytes_left = left;
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    request.make_room();
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(violation(&error)))),
                Poll::Ready(None) => break,
                Poll::Pending => {
                    if std::mem::take(&mut request.expects_continue) {
                        let mut head = Response::new(());
                        *head.status_mut() = ::http::StatusCode::CONTINUE;
                        let _ = self.respond.borrow_mut().send_informational(head); // reading finds out
                    }
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(match ready!(request.body.poll_trailers(cx)) {
            Ok(trailers) => trailers
                .map(Fields::trailers)
                .filter(|trailers| !trailers.is_empty())
                .map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) => Some(Err(violation(&error))),
        })
    }

    /// Takes what comes of a request that nobody wants, `left` bytes at most; ready when there is no use in going on.
    pub(super) fn poll_skip(&self, left: &mut usize, cx: &mut Context<'_>) -> Poll<()> {
        let request = &mut *self.request.borrow_mut();
        while !request.expects_continue {
            request.make_room();
            match ready!(request.body.poll_data(cx)) {
                Some(Ok(data)) if data.len() <= *left => {
                    *left -= data.len();
                    request.taken = data.len();
                }
                Some(Ok(_) | Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }

    /// Ready when the client has gone before it was answered.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self.response.borrow_mut() {
            Some(response) => response.poll_reset(cx).map(drop),
            None => self.respond.borrow_mut().poll_reset(cx).map(drop),
        }
    }

    /// Passes an interim response on.
    pub(crate) fn interim(&self, head: &ResponseHead) {
        let head = head::response(head, None);
        let _ = self.respond.borrow_mut().send_informational(head); // whoever writes next finds out
    }

    /// Sends the head of the answer; `end`: that is all of it.
    ///
    /// # Errors
    /// When the client has gone.
    pub(super) fn respond(&self, head: Response<()>, end: bool) -> Result<(), Gone> {
        let response = self.respond.borrow_mut().send_response(head, end).map_err(|_| Gone)?;
        *self.response.borrow_mut() = Some(response);
        Ok(())
    }

    /// How much of `wanted` bytes the client has room for, once it has any.
    pub(super) fn poll_room(&self, wanted: usize, cx: &mut Context<'_>) -> Poll<Result<usize, Gone>> {
        let mut response = self.response.borrow_mut();
        let Some(response) = &mut *response else { return Poll::Ready(Err(Gone)) };
        if self.link.poll_unblocked(cx).is_pending() {
            return response.poll_reset(cx).map(|_| Err(Gone));
        }
        response.reserve_capacity(wanted);
        loop {
            match response.capacity() {
                0 => match ready!(response.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Poll::Ready(Err(Gone)),
                },
                room => return Poll::Ready(Ok(room.min(wanted))),
            }
        }
    }

    /// Sends a piece for which there is room; `end`: it is the last.
    pub(super) fn send(&self, piece: Bytes, end: bool) {
        let piece = if piece.len() <= COPY_BYTES_MAX { Bytes::copy_from_slice(&piece) } else { piece };
        if let Some(response) = &mut *self.response.borrow_mut() {
            let _ = response.send_data(piece, end); // a client that has gone is found out by whoever waits next
        }
    }

    /// Sends what comes after the body.
    pub(super) fn send_trailers(&self, trailers: HeaderMap) {
        if let Some(response) = &mut *self.response.borrow_mut() {
            let _ = response.send_trailers(trailers);
        }
    }

    /// No more will come.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.send(Bytes::new(), true);
        Ok(())
    }

    /// Gives the stream up.
    pub(super) fn reset(&self, reason: Reason) {
        self.respond.borrow_mut().send_reset(reason);
    }

    /// Reads from a tunnel.
    pub(crate) fn poll_read(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let request = &mut *self.request.borrow_mut();
        while request.rest.is_empty() {
            match ready!(request.body.poll_data(cx)) {
                Some(Ok(data)) => request.rest = data,
                Some(Err(_)) => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = request.rest.len().min(buf.remaining());
        buf.put_slice(&request.rest[..taken]);
        request.rest.advance(taken);
        request.taken = taken;
        request.make_room();
        Poll::Ready(Ok(()))
    }

    /// Writes to a tunnel.
    pub(crate) fn poll_write(&self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(self.poll_room(bytes.len(), cx)) {
            Ok(room) => {
                self.send(Bytes::copy_from_slice(&bytes[..room]), false);
                Poll::Ready(Ok(room))
            }
            Err(Gone) => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

impl Request {
    /// Lets the client send as much again as was taken.
    fn make_room(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        if taken > 0 {
            let _ = self.body.flow_control().release_capacity(taken); // a stream that is over has no use for it
        }
    }
}

/// What a request did wrong, or `Truncated` when the client is gone.
fn violation(error: &h2::Error) -> Violation {
    if error.is_library() { Violation::StreamBroken } else { Violation::Truncated }
}
