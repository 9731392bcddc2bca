//! One HTTP/1 connection to a server.
//!
//! Only a connection whose request and response both ended is kept ([`Connection::rest`]); never one that
//! became a tunnel, never one that either side wants closed, and never one on which a byte came that nobody
//! asked for.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};
use http_body::{Body, Frame};
use weir_config::model::PoolTimeouts;

use super::connection::{BodyError, SendError, poll_given_up};
use crate::exchange::body::{Progress as BodyProgress, RequestBody};
use crate::fields::Field;
use crate::framing::{Advance, HeadLimits, Part, Progress, ResponseFraming, Violation};
use crate::head::{RequestHead, ResponseHead};
use crate::http1::{self, BodyEncoder};
use crate::session::Session;
use crate::session::watchdog::Wait;
use crate::wire::{Outgoing, Socket, Wire};

/// One HTTP/1 connection to a server.
pub(crate) struct Http1 {
    wire: Wire,
    framing: ResponseFraming,
    /// The present request's body, until it has been sent.
    request: Option<Request>,
    state: State,
    /// What is stashed was looked at and is not enough.
    incomplete: bool,
    /// How long the server may leave bytes of the present request untaken.
    server_reads: Duration,
    /// The connection can't serve another exchange.
    spent: bool,
    /// Whether an exchange was here before this one.
    pub(crate) reused: bool,
    /// The client that the server was told it is for; it is for no other then.
    pub(crate) whose: Option<SocketAddr>,
}

/// A request's body on its way to the server.
struct Request {
    body: RequestBody,
    framing: BodyEncoder,
}

/// What comes next from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// A head, and nothing of it has come.
    Head,
    /// A head, of which a part has come.
    PartOfHead,
    Body,
    Ended,
    Tunnel,
}

impl Http1 {
    /// A connection on a socket that was just opened.
    pub(crate) fn new(socket: Socket, limits: HeadLimits, whose: Option<SocketAddr>) -> Box<Self> {
        Box::new(Self {
            wire: Wire::new(socket),
            framing: ResponseFraming::new(limits),
            request: None,
            state: State::Ended,
            incomplete: false,
            server_reads: Duration::ZERO,
            spent: false,
            reused: false,
            whose,
        })
    }

    /// Sends a request and waits for the head of the answer. The rest of the request goes on while the answer's body is read
    /// ([`poll_frame`](Self::poll_frame)).
    ///
    /// # Errors
    /// See [`SendError`]; the connection is of no use after one.
    pub(crate) async fn send(
        &mut self,
        session: &Session,
        head: &RequestHead,
        body: RequestBody,
        timeouts: &PoolTimeouts,
    ) -> Result<ResponseHead, SendError> {
        self.framing.expect(&head.method);
        self.spent |= head.method == Method::CONNECT; // a tunnel, or refused one: never another exchange's
        if head.fields.has(Field::Upgrade) {
            self.framing.expect_upgrade();
        }
        self.state = State::Head;
        self.server_reads = timeouts.body_idle;
        let progress = body.progress();
        self.request =
            Some(Request { framing: BodyEncoder::of_request(&head.fields, body.is_empty()), body });
        let mut head = Some(head);
        let outcome = poll_fn(|cx| {
            if let Some(head) = head.take() {
                self.send_head(session, head, cx)?;
            } else {
                self.poll_request(session, cx);
            }
            if let Poll::Ready(response) = self.poll_head(session, &progress, cx) {
                return Poll::Ready(response);
            }
            poll_given_up(session, &progress, self.request.is_none(), timeouts, cx).map(Err)
        })
        .await;
        session.watchdog.end(Wait::Response);
        outcome
    }

    /// The first write: the head, and what there is of the body.
    fn send_head(
        &mut self,
        session: &Session,
        head: &RequestHead,
        cx: &mut Context<'_>,
    ) -> Result<(), SendError> {
        let sent = session.local.with_outgoing(|out| {
            http1::request_head(out.text(), head);
            self.gather(out, cx);
            self.wire.send(out, cx)
        });
        sent.map_err(|_| SendError::NotSent)?;
        self.poll_request(session, cx);
        Ok(())
    }

    /// Sends what there is of the request's body, as long as the server takes it. A server that takes no more
    /// may still answer, so an error here is not the end.
    fn poll_request(&mut self, session: &Session, cx: &mut Context<'_>) {
        loop {
            match self.wire.poll_flush(cx) {
                Poll::Ready(Ok(_taken)) if self.wire.is_flushed() => session.watchdog.end(Wait::ServerReads),
                Poll::Ready(Ok(_taken)) => {
                    session.watchdog.end(Wait::ServerReads);
                    continue;
                }
                Poll::Ready(Err(_)) => return self.give_up_request(session),
                Poll::Pending => {
                    if session.watchdog.begin(Wait::ServerReads, self.server_reads) {
                        session.client.settle();
                    }
                    return;
                }
            }
            if self.request.is_none() {
                return;
            }
            let (waiting, sent) = session.local.with_outgoing(|out| {
                let waiting = self.gather(out, cx);
                (waiting, self.wire.send(out, cx))
            });
            if sent.is_err() {
                return self.give_up_request(session);
            }
            if waiting && self.wire.is_flushed() {
                return;
            }
        }
    }

    /// Takes pieces of the request's body; whether more is to come but not here yet.
    fn gather(&mut self, out: &mut Outgoing, cx: &mut Context<'_>) -> bool {
        let Some(request) = &mut self.request else { return false };
        while !out.is_full() {
            if request.body.is_end_stream() {
                request.framing.end(out);
                self.request = None;
                return false;
            }
            match Pin::new(&mut request.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let last = frame.is_trailers();
                    request.framing.frame(out, frame);
                    if last {
                        self.request = None;
                        return false;
                    }
                }
                Poll::Ready(None) => {
                    request.framing.end(out);
                    self.request = None;
                    return false;
                }
                Poll::Ready(Some(Err(_))) => {
                    self.spent = true; // the server will not see the request's end
                    self.request = None;
                    return false;
                }
                Poll::Pending => return true,
            }
        }
        false
    }

    fn give_up_request(&mut self, session: &Session) {
        session.watchdog.end(Wait::ServerReads);
        self.spent = true;
        self.request = None;
        self.wire.forget_unsent();
    }

    /// Waits for the final head; passes interim ones on.
    fn poll_head(
        &mut self,
        session: &Session,
        request: &BodyProgress,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, SendError>> {
        loop {
            while !self.incomplete && !self.wire.stash.is_empty() {
                let Some(head) = self.take_head().map_err(SendError::Malformed)? else { break };
                match head.status {
                    StatusCode::SWITCHING_PROTOCOLS => return Poll::Ready(Ok(head)),
                    StatusCode::CONTINUE => {
                        request.continued();
                        self.poll_request(session, cx);
                    }
                    status if status.is_informational() => session.interim(head, cx),
                    _final => return Poll::Ready(Ok(head)),
                }
            }
            match ready!(self.wire.poll_fill(&session.local.arena, usize::MAX, cx)) {
                Ok(1..) => self.incomplete = false,
                Ok(0) | Err(_) if self.state == State::Head => return Poll::Ready(Err(SendError::NoAnswer)),
                Ok(0) | Err(_) => return Poll::Ready(Err(SendError::Truncated)),
            }
        }
    }

    fn take_head(&mut self) -> Result<Option<ResponseHead>, Violation> {
        let Advance { pass, part, progress } = self.framing.advance(&self.wire.stash)?;
        let Part::Head { .. } = part else {
            self.state = State::PartOfHead;
            self.incomplete = true;
            return Ok(None);
        };
        let head = self.wire.take(pass);
        let head =
            http1::parse_response(head, self.framing.take_fields()).ok_or(Violation::StatusLineInvalid)?;
        self.state = match progress {
            Progress::Head => State::PartOfHead, // that one was interim
            Progress::Body => State::Body,
            Progress::MessageComplete => State::Ended,
            Progress::Tunnel => State::Tunnel,
        };
        self.spent |= !http1::is_persistent(head.version, &head.fields);
        Ok(Some(head))
    }

    /// The next piece of the answer's body. Sends what is left of the request, too.
    pub(crate) fn poll_frame(
        &mut self,
        session: &Session,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.request.is_some() || !self.wire.is_flushed() {
            self.poll_request(session, cx);
        }
        loop {
            while self.state == State::Body && !self.incomplete && !self.wire.stash.is_empty() {
                match self.take_piece() {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => {}
                    Err(violation) => return Poll::Ready(Some(Err(BodyError::Malformed(violation)))),
                }
            }
            if self.state != State::Body {
                return Poll::Ready(None);
            }
            match ready!(self.wire.poll_fill(&session.local.arena, usize::MAX, cx)) {
                Ok(1..) => self.incomplete = false,
                Ok(0) if self.framing.eof().is_ok() => {
                    self.state = State::Ended;
                    self.spent = true;
                }
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(BodyError::Truncated))),
            }
        }
    }

    fn take_piece(&mut self) -> Result<Option<Frame<Bytes>>, Violation> {
        let Advance { pass, part, progress } = self.framing.advance(&self.wire.stash)?;
        if progress == Progress::MessageComplete {
            self.state = State::Ended;
        }
        self.incomplete = pass == 0;
        let piece = self.wire.take(pass);
        Ok(match part {
            Part::Data { at } => Some(Frame::data(piece.slice(at..))),
            Part::Trailers { at } => {
                let trailers = http1::parse_trailers(piece.slice(at..)).unwrap_or_default();
                Some(trailers).filter(|trailers| !trailers.is_empty()).map(Frame::trailers)
            }
            Part::Nothing | Part::Head { .. } | Part::Tunnel => None,
        })
    }

    /// Nothing will be asked of it for a while: holds as little as can be.
    pub(crate) fn settle(&mut self) {
        self.wire.keep_stash();
    }

    /// Whether the answer's body has ended.
    pub(crate) fn is_end_stream(&self) -> bool {
        self.state != State::Body
    }

    /// The exchange is over; whether the connection can serve another.
    pub(crate) fn rest(&mut self) -> bool {
        self.reused = true;
        !self.spent
            && self.state == State::Ended
            && self.request.is_none()
            && self.wire.is_flushed()
            && self.wire.stash.is_empty()
            && self.framing.at_boundary()
    }

    /// Looks at a connection that has rested; whether it is still good. A byte that came meanwhile is one that
    /// nobody asked for.
    pub(crate) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.wire.socket.is_quiet(cx)
    }

    /// Whether the answer has opened a tunnel.
    pub(super) fn is_tunnel(&self) -> bool {
        self.state == State::Tunnel
    }

    /// Takes the socket after a 101, with what the server has sent of its new protocol.
    pub(crate) fn into_tunnel(self) -> (Socket, BytesMut) {
        (self.wire.socket, self.wire.stash)
    }
}
