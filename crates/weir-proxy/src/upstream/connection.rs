//! One HTTP/1 connection to a server.
//!
//! Only a connection whose request and response both ended is kept ([`Connection::reusable`]); never one
//! that became a tunnel, and never one on which a byte came that nobody asked for.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::exchange::body::RequestBody;
use crate::framing::{Advance, HeadLimits, ResponseFraming, Violation};
use crate::guarded::{self, Guarded, Side};
use crate::session::Session;
use crate::session::watchdog::Wait;

/// One HTTP/1 connection to a server. Boxed by whoever has it: hyper's part is large, and it changes hands
/// several times in an exchange.
pub(crate) struct Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<Guarded<Upstream>>, RequestBody>,
    link: Rc<Link>,
    closed: bool,
    /// Whether an exchange was here before this one.
    pub(crate) reused: bool,
}

/// Why no response came.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The connection was gone before a byte of the request was written.
    NotSent,
    /// The server closed or reset the connection without a byte of an answer.
    NoAnswer,
    /// The server's answer broke off within its head.
    Truncated,
    /// The server's answer is not sound HTTP/1.
    Malformed(Violation),
    /// The server took too long to take the request or to begin its answer.
    TimedOut(Wait),
    /// The client did not send the rest of its request; see [`RequestBody`].
    Client,
}

/// What a connection and its guard know together.
struct Link {
    framing: RefCell<ResponseFraming>,
    /// The first byte of an answer to the present request has come.
    answered: Cell<bool>,
    refused: Cell<Option<Violation>>,
    /// The session whose exchange is here; `None` while idle.
    session: RefCell<Option<Rc<Session>>>,
}

/// The server's side of a guarded socket.
pub(crate) struct Upstream(Rc<Link>);

impl Connection {
    /// Connects to `address`. Bounded by the caller.
    ///
    /// # Errors
    /// What the kernel says of the connection.
    pub(crate) async fn open(address: SocketAddr, limits: HeadLimits) -> std::io::Result<Box<Self>> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let link = Rc::new(Link {
            framing: RefCell::new(ResponseFraming::new(limits)),
            answered: Cell::new(false),
            refused: Cell::new(None),
            session: RefCell::new(None),
        });
        let io = TokioIo::new(Guarded::new(socket, Upstream(Rc::clone(&link))));
        let mut builder = http1::Builder::new();
        builder
            .max_header_size(guarded::HYPER_HEAD_BYTES)
            .max_buf_size(guarded::hyper_buffer_bytes(limits.head_bytes));
        if let Some(fields) = guarded::hyper_fields(limits.fields) {
            builder.max_headers(fields);
        }
        let (sender, driver) = builder.handshake(io).await.map_err(std::io::Error::other)?;
        Ok(Box::new(Self { sender, driver, link, closed: false, reused: false }))
    }

    /// Sends `request` and waits for the head of the answer. The connection must be driven on while the
    /// answer's body is read ([`Connection::poll`]).
    ///
    /// # Errors
    /// See [`SendError`]; the connection is of no use after one.
    pub(crate) async fn send(
        &mut self,
        session: &Rc<Session>,
        waits: SendWaits,
        request: Request<RequestBody>,
    ) -> Result<Response<Incoming>, SendError> {
        let link = Rc::clone(&self.link);
        {
            let mut framing = link.framing.borrow_mut();
            framing.expect(request.method());
            if request.headers().contains_key(http::header::UPGRADE) {
                framing.expect_upgrade();
            }
        }
        link.answered.set(false);
        *link.session.borrow_mut() = Some(Rc::clone(session));
        let progress = request.body().progress();
        let mut response = pin!(self.sender.try_send_request(request));
        let outcome = poll_fn(|cx| {
            if !self.closed {
                self.closed = self.driver.poll_without_shutdown(cx).is_ready();
            }
            match response.as_mut().poll(cx) {
                Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
                Poll::Ready(Err(mut error)) => {
                    let sent = error.take_message().is_none();
                    return Poll::Ready(Err(
                        if let Some(violation) =
                            link.refused.get().filter(|violation| *violation != Violation::Truncated)
                        {
                            SendError::Malformed(violation)
                        } else if progress.failed() {
                            SendError::Client
                        } else if !sent {
                            SendError::NotSent
                        } else if link.answered.get() {
                            SendError::Truncated
                        } else {
                            SendError::NoAnswer
                        },
                    ));
                }
                Poll::Pending => {}
            }
            if progress.failed() {
                return Poll::Ready(Err(SendError::Client));
            }
            if progress.ended() {
                session.watchdog.begin(Wait::Response, waits.response);
            }
            for wait in [Wait::Response, Wait::ServerReads] {
                if session.watchdog.poll_expired(wait, cx) {
                    return Poll::Ready(Err(SendError::TimedOut(wait)));
                }
            }
            Poll::Pending
        })
        .await;
        session.watchdog.end(Wait::Response);
        outcome
    }

    /// Moves bytes both ways.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        if !self.closed {
            self.closed = self.driver.poll_without_shutdown(cx).is_ready();
        }
    }

    /// What the guard found wrong with the answer, if anything.
    pub(crate) fn refused(&self) -> Option<Violation> {
        self.link.refused.get()
    }

    /// The exchange is over; whether the connection can serve another.
    pub(crate) fn rest(&mut self) -> bool {
        *self.link.session.borrow_mut() = None;
        self.reused = true;
        !self.closed && self.link.framing.borrow().at_boundary() && self.link.refused.get().is_none()
    }

    /// Looks at a connection that has rested; whether it is still good.
    pub(crate) fn is_alive(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll(cx);
        !self.closed && self.sender.is_ready()
    }

    /// Takes the socket after a 101, with what the server has sent of its new protocol.
    pub(crate) async fn into_tunnel(mut self: Box<Self>) -> (TcpStream, BytesMut) {
        poll_fn(|cx| {
            self.poll(cx);
            if self.closed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let parts = self.driver.into_parts();
        let (socket, rest) = parts.io.into_inner().into_parts();
        let mut early = BytesMut::from(Bytes::as_ref(&parts.read_buf));
        early.extend_from_slice(&rest);
        (socket, early)
    }
}

/// How long a server may take within [`Connection::send`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendWaits {
    /// From the end of the request to the head of the answer.
    pub(crate) response: std::time::Duration,
}

impl Side for Upstream {
    fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        self.0.answered.set(true);
        self.0.framing.borrow_mut().advance(bytes)
    }

    fn at_boundary(&self) -> bool {
        self.0.framing.borrow().at_boundary()
    }

    fn admits_next(&self) -> bool {
        true // a byte that nobody asked for is found out by `advance`
    }

    fn head_pending(&self, _pending: bool) {}

    fn ended(&mut self) -> Result<(), Violation> {
        self.0.framing.borrow_mut().eof()
    }

    fn refused(&self, violation: Violation) {
        self.0.refused.set(Some(violation));
    }

    fn write_blocked(&self, blocked: bool) {
        let session = self.0.session.borrow();
        let Some(session) = session.as_ref() else { return };
        if blocked {
            session.watchdog.begin(Wait::ServerReads, session.server_reads());
        } else {
            session.watchdog.end(Wait::ServerReads);
        }
    }

    fn flushed(&self, _cx: &Context<'_>) {}
}
