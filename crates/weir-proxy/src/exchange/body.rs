//! A request's body on its way from the client to a server.
//!
//! The upstream connection takes the body with the request. So that an exchange can go to another server while
//! no byte of the body has been sent, the client's end stays in a [`Source`] that both can reach.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};

use super::failure::Failure;
use crate::framing::Violation;
use crate::session::Session;
use crate::session::watchdog::Wait;

/// A request's body as an upstream connection sends it.
pub(crate) struct RequestBody(Option<Rc<Source>>);

/// The client's end of a request's body.
pub(crate) struct Source {
    session: Rc<Session>,
    idle: Duration,
    started: Cell<bool>,
    ended: Cell<bool>,
    bytes: Cell<u64>,
    failure: RefCell<Option<Failure>>,
    /// With `Expect: 100-continue`: set once the server asked for the body.
    continued: Option<Cell<bool>>,
    /// How long the server's 100 (Continue) is waited for before the body is sent without it.
    continue_wait: Duration,
}

/// What can be known about a body after a connection has taken it.
#[derive(Clone)]
pub(crate) struct Progress(Option<Rc<Source>>);

impl RequestBody {
    /// The body of the session's present request, `idle` being the longest pause between two pieces of it.
    /// With `continue_wait` it is held back until the server asks for it, at most for so long.
    pub(crate) fn new(session: &Rc<Session>, idle: Duration, continue_wait: Option<Duration>) -> Self {
        if session.client.request_ended() {
            return Self(None);
        }
        Self(Some(Rc::new(Source {
            session: Rc::clone(session),
            idle,
            started: Cell::new(false),
            ended: Cell::new(false),
            bytes: Cell::new(0),
            failure: RefCell::new(None),
            continued: continue_wait.map(|_| Cell::default()),
            continue_wait: continue_wait.unwrap_or_default(),
        })))
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress(self.0.clone())
    }

    /// The same body for another attempt; only while [`Progress::is_untouched`].
    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Progress {
    /// Whether no byte of it has been taken from the client yet.
    pub(crate) fn is_untouched(&self) -> bool {
        self.0.as_ref().is_none_or(|source| !source.started.get())
    }

    /// Whether all of it has been handed on.
    pub(crate) fn ended(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.ended.get())
    }

    /// Whether the client failed to send it.
    pub(crate) fn failed(&self) -> bool {
        self.0.as_ref().is_some_and(|source| source.failure.borrow().is_some())
    }

    /// Why the client failed to send it.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.0.as_ref().and_then(|source| source.failure.borrow_mut().take())
    }

    /// The server said 100 (Continue).
    pub(crate) fn continued(&self) {
        if let Some(continued) = self.0.as_ref().and_then(|source| source.continued.as_ref()) {
            continued.set(true);
        }
    }

    /// How many bytes of it have been handed on.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.as_ref().map_or(0, |source| source.bytes.get())
    }
}

impl Source {
    /// Holds the body back until the server has asked for it, or has kept silent for long enough.
    fn poll_continued(&self, cx: &Context<'_>) -> Poll<()> {
        let Some(continued) = &self.continued else { return Poll::Ready(()) };
        if self.started.get() || continued.get() {
            self.session.watchdog.end(Wait::Continue);
            return Poll::Ready(());
        }
        self.session.watchdog.begin(Wait::Continue, self.continue_wait);
        if !self.session.watchdog.poll_passed(Wait::Continue, cx) {
            return Poll::Pending;
        }
        continued.set(true);
        Poll::Ready(())
    }
}

/// The client did not send its body; [`Progress::take_failure`] says why.
#[derive(Debug, thiserror::Error)]
#[error("the client did not send its request's body")]
pub(crate) struct ClientFailed;

impl Body for RequestBody {
    type Data = Bytes;
    type Error = ClientFailed;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientFailed>>> {
        let Some(source) = &self.0 else { return Poll::Ready(None) };
        if source.poll_continued(cx).is_pending() {
            return Poll::Pending;
        }
        source.started.set(true);
        let watchdog = &source.session.watchdog;
        match source.session.client.poll_body(&source.session.local.arena, cx) {
            Poll::Ready(Some(Ok(frame))) => {
                watchdog.end(Wait::ClientSends);
                source.ended.set(source.session.client.request_ended());
                if let Some(data) = frame.data_ref() {
                    source.bytes.set(source.bytes.get() + data.len() as u64);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                watchdog.end(Wait::ClientSends);
                source.ended.set(true);
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(violation))) => {
                watchdog.end(Wait::ClientSends);
                let failure = if violation == Violation::Truncated {
                    Failure::DownstreamGone
                } else {
                    Failure::DownstreamMalformed(violation)
                };
                source.failure.replace(Some(failure));
                Poll::Ready(Some(Err(ClientFailed)))
            }
            Poll::Pending => {
                watchdog.begin(Wait::ClientSends, source.idle);
                if watchdog.poll_expired(Wait::ClientSends, cx) {
                    watchdog.end(Wait::ClientSends);
                    source.failure.replace(Some(Failure::DownstreamBodyTimeout));
                    return Poll::Ready(Some(Err(ClientFailed)));
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|source| source.ended.get())
    }
}
