//! An HTTP/2 session (RFC 9113): a connection that carries many exchanges, each in a stream of its own.
//!
//! The library (h2) has the states of streams, flow control and HPACK. Here is what a proxy at the edge adds: every
//! stream becomes a [`Session`] of one exchange and a task of its own, connections end in good order and in time, and
//! what a client can send cheaply is bounded. What is on the wire is metered before the library sees it ([`meter`]).

mod answer;
mod head;
mod link;
mod meter;
mod stream;

pub(crate) use stream::Stream;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::Request;
use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};

use self::head::Head;
use self::link::{HeaderBytes, Io, Link};
use self::meter::{Kind, Verdict};
use self::stream::Asked;
use super::client::expects_continue;
use super::facts::ClientFacts;
use super::watchdog::{Expired, Wait, Watchdog};
use super::{Downstream, Followed, Incoming, LINGER, LINGER_BYTES_MAX, Session, head_limits};
use crate::exchange::failure::Failure;
use crate::framing::Violation;
use crate::worker::local::{Local, LocalListener};

/// What of a stream's answer is taken from its server before the client's socket has it.
const SEND_BUFFER_BYTES: usize = 32 << 10;
/// Streams that we reset, of which is remembered for a second that what still comes for them is to be ignored.
const RESET_STREAMS_MAX: usize = 100;
/// Streams that the client reset before we had seen them.
const UNSEEN_RESET_STREAMS_MAX: usize = 100;
/// Streams that broke a rule, of one connection in all.
const BROKEN_STREAMS_MAX: usize = 1000;
/// What the library refuses is in no log, so it is given the limit on a header list times this; up to there it is us
/// who refuse.
const HEADER_LIST_LEEWAY: u32 = 2;

/// After a GOAWAY, how long a client without a stream may take to close, or to open the stream that it had not heard
/// of it for.
const GOAWAY_GRACE: Duration = Duration::from_secs(1);

/// Serves one client connection that speaks HTTP/2, to its end.
pub(super) async fn serve(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) {
    let Incoming { socket, peer, early, facts } = incoming;
    let config = &listener.listener.config;
    listener.counters().http2_connections.add(1);
    let link = Link::new(&local, socket, early, &config.http2);
    let watchdog = Watchdog::new(&local);
    let handshake = builder(config).handshake(Io(Rc::clone(&link)));
    let handshake = Box::pin(watchdog.within(Wait::RequestHead, config.timeouts.request_head, handshake));
    let library = match handshake.await {
        Ok(Ok(library)) => library,
        Ok(Err(error)) if error.is_io() => return,
        Ok(Err(_)) => return listener.counters().http2_errors.add(1),
        Err(Expired) => return listener.counters().timeouts.add(1),
    };
    let mut connection = Connection {
        listener: Followed::new(&local, listener),
        local: Rc::clone(&local),
        link: Rc::clone(&link),
        library,
        peer,
        facts,
        watchdog,
        streams: 0,
        writes: 0,
        settled: false,
        state: State::Open,
    };
    link.gather();
    let mut attention = pin!(local.attention.notified());
    let end = poll_fn(|cx| {
        let polled = connection.poll(cx);
        if polled.is_ready() {
            let _ = link.poll_written(cx); // the last words, as far as they are taken
        }
        while polled.is_pending() && attention.as_mut().poll(cx).is_ready() {
            attention.set(local.attention.notified());
        }
        polled
    })
    .await;
    let Connection { watchdog, library, .. } = connection;
    drop(library); // tells every stream that is left
    match end {
        End::Closed => {}
        End::Reset => link.reset_at_close(),
        End::Unread => linger(&link, &watchdog).await,
    }
}

fn builder(config: &weir_config::model::Listener) -> server::Builder {
    let http2 = &config.http2;
    let header_list = http2.header_list_max(&config.limits);
    let mut builder = server::Builder::new();
    builder
        .max_concurrent_streams(http2.streams)
        .initial_window_size(http2.stream_window_bytes)
        .initial_connection_window_size(http2.connection_window_bytes)
        .max_header_list_size(header_list.saturating_mul(HEADER_LIST_LEEWAY))
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX)
        .max_pending_accept_reset_streams(UNSEEN_RESET_STREAMS_MAX)
        .max_local_error_reset_streams(Some(BROKEN_STREAMS_MAX))
        .enable_connect_protocol();
    builder
}

/// A connection under way.
struct Connection {
    local: Rc<Local>,
    listener: Followed,
    link: Rc<Link>,
    library: server::Connection<Io, Bytes>,
    peer: SocketAddr,
    /// What the layers beneath have found out, if any have.
    facts: Option<Rc<ClientFacts>>,
    watchdog: Watchdog,
    /// How many there have been.
    streams: u64,
    /// How often the client had taken something when it was looked at last.
    writes: u64,
    /// The client has said what it wants of HTTP/2.
    settled: bool,
    state: State,
}

/// Where a connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// A GOAWAY was sent: streams under way go on.
    Leaving,
    /// A GOAWAY is sent and that is all.
    Condemned,
}

/// How a connection ends.
enum End {
    /// There is nothing more to be said.
    Closed,
    /// The client takes nothing: the kernel shall keep nothing for it.
    Reset,
    /// The client may still be sending.
    Unread,
}

impl Connection {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match self.library.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    self.begin_stream(request, respond);
                    continue;
                }
                Poll::Ready(Some(Err(error))) => {
                    self.count(&error);
                    return Poll::Ready(if error.is_io() { End::Closed } else { End::Unread });
                }
                Poll::Ready(None) => return Poll::Ready(End::Unread),
                Poll::Pending => {}
            }
            if let Poll::Ready(Err(_)) = self.link.poll_written(cx) {
                return Poll::Ready(End::Closed);
            }
            let before = self.state;
            if let Some(end) = self.watch(cx) {
                return Poll::Ready(end);
            }
            if self.state == before {
                return Poll::Pending;
            }
            // What was decided is still to be sent.
        }
    }

    /// Counts an error that the library has ended the connection for.
    fn count(&self, error: &h2::Error) {
        let listener = self.listener.get();
        match error.reason() {
            Some(_) if !error.is_library() => {}
            Some(Reason::ENHANCE_YOUR_CALM) => {
                listener.counters().http2_flood_others.add(1);
                tracing::info!(client = %self.peer, cause = %error, "HTTP/2 connection ended");
            }
            Some(_) => listener.counters().http2_errors.add(1),
            None => {} // the connection broke
        }
    }

    /// Ends what has lasted too long or must not go on; `Some` when nothing is left to be done.
    fn watch(&mut self, cx: &mut Context<'_>) -> Option<End> {
        self.listener.follow(&self.local);
        let listener = self.listener.get();
        let timeouts = &listener.listener.config.timeouts;
        let watchdog = &self.watchdog;
        if self.writes != self.link.writes() || !self.link.is_blocked() {
            self.writes = self.link.writes();
            watchdog.end(Wait::ClientReads);
        }
        if self.link.is_blocked() {
            watchdog.begin(Wait::ClientReads, timeouts.body_idle);
            if watchdog.poll_expired(Wait::ClientReads, cx) {
                listener.counters().http2_stalled.add(1);
                return Some(End::Reset);
            }
        }
        if self.state == State::Condemned {
            watchdog.begin(Wait::Linger, LINGER);
            return watchdog.poll_expired(Wait::Linger, cx).then_some(End::Reset);
        }
        if let Some(verdict) = self.link.verdict() {
            self.condemn(verdict);
            return None;
        }
        if self.link.in_head() {
            watchdog.begin(Wait::RequestHead, timeouts.request_head);
            if watchdog.poll_expired(Wait::RequestHead, cx) {
                listener.counters().timeouts.add(1);
                self.go_away(Reason::PROTOCOL_ERROR);
                return None;
            }
        } else {
            watchdog.end(Wait::RequestHead);
        }
        if self.library.has_streams() || self.settled != self.link.is_settled() {
            self.settled = self.link.is_settled();
            watchdog.end(Wait::KeepAlive);
        }
        if !self.library.has_streams() {
            let idle = match self.state {
                State::Leaving | State::Condemned => GOAWAY_GRACE,
                State::Open if !self.settled => timeouts.request_head,
                State::Open => timeouts.keep_alive,
            };
            watchdog.begin(Wait::KeepAlive, idle);
            if self.settled && watchdog.is_shed() {
                return Some(End::Closed); // others need the room at once
            }
        }
        watchdog.set_spare(self.settled && !self.library.has_streams());
        if self.state == State::Open {
            let idle = watchdog.poll_expired(Wait::KeepAlive, cx);
            let most = listener.listener.config.limits.requests_per_connection;
            if idle || self.listener.is_gone() || self.local.draining() || self.streams >= most {
                watchdog.end(Wait::KeepAlive);
                self.library.graceful_shutdown();
                self.state = State::Leaving;
            }
        } else if watchdog.poll_expired(Wait::KeepAlive, cx) {
            return Some(End::Closed);
        }
        None
    }

    /// Ends the connection for what the meter has seen.
    fn condemn(&mut self, verdict: Verdict) {
        let listener = self.listener.get();
        let counters = listener.counters();
        let kind = match verdict {
            Verdict::Flood(kind) => kind,
            Verdict::Illegal(reason) => {
                counters.http2_errors.add(1);
                return self.go_away(reason);
            }
        };
        let (counter, bound) = match kind {
            Kind::Reset => (&counters.http2_flood_resets, "http2.resets"),
            Kind::Ping => (&counters.http2_flood_pings, "http2.pings"),
            Kind::Settings => (&counters.http2_flood_settings, "http2.settings"),
            Kind::EmptyData => (&counters.http2_flood_empty_data, "http2.empty_data"),
            Kind::Continuation => (&counters.http2_flood_continuations, "http2.continuations"),
            Kind::Priority => (&counters.http2_flood_priorities, "http2.priorities"),
            Kind::SmallWindowUpdate => (&counters.http2_flood_window_updates, "http2.window_updates"),
            Kind::Unknown => (&counters.http2_flood_unknown, "http2.unknown"),
        };
        counter.add(1);
        tracing::info!(client = %self.peer, bound, "HTTP/2 connection ended: too many frames of a kind");
        self.go_away(Reason::ENHANCE_YOUR_CALM);
    }

    fn go_away(&mut self, reason: Reason) {
        self.library.abrupt_shutdown(reason);
        self.state = State::Condemned;
    }

    /// Makes a session of a stream, and a task of its own.
    fn begin_stream(&mut self, request: Request<RecvStream>, respond: SendResponse<Bytes>) {
        self.streams += 1;
        self.listener.follow(&self.local);
        let listener = self.listener.get();
        listener.counters().http2_streams.add(1);
        let (head, asked) = self.read(&listener, &request);
        let stream = Stream::new(&self.link, request.into_body(), respond, asked);
        let client = Downstream::Http2(Box::new(stream));
        let session = Session::new(Rc::clone(&self.local), listener, self.peer, self.facts.clone(), client);
        let guard = Panics(Rc::clone(&self.local));
        tokio::task::spawn_local(async move {
            let local = &guard.0;
            let mut serving = pin!(answer::serve(Rc::new(session), head));
            poll_fn(|cx| {
                local.tick();
                serving.as_mut().poll(cx)
            })
            .await;
        });
    }

    /// What a request asks, or why that can't be served.
    fn read(
        &self,
        listener: &LocalListener,
        request: &Request<RecvStream>,
    ) -> (Result<Box<crate::head::RequestHead>, Failure>, Asked) {
        let config = &listener.listener.config;
        let body_bytes_max = config.limits.request_body_bytes;
        let head = Head(request);
        let mut asked =
            Asked { body_bytes_max, expects_continue: false, tunnel: head.is_connect(), header_bytes: None };
        let list_bytes = head.list_bytes();
        if list_bytes > config.http2.header_list_max(&config.limits) {
            return (Err(Failure::DownstreamMalformed(Violation::HeadTooLarge)), asked);
        }
        match HeaderBytes::take(&self.link, list_bytes, config.http2.header_bytes) {
            Ok(taken) => asked.header_bytes = Some(taken),
            Err(failure) => {
                listener.counters().http2_header_refusals.add(1);
                return (Err(failure), asked);
            }
        }
        let head = head.read(head_limits(listener), body_bytes_max);
        if let Ok(head) = &head {
            asked.expects_continue = expects_continue(&head.fields);
        }
        (head, asked)
    }
}

/// Counts a stream's panic if it has one: the runtime keeps it from other streams.
struct Panics(Rc<Local>);

impl Drop for Panics {
    fn drop(&mut self) {
        self.0.note_panic();
    }
}

/// Takes what the client still sends, within bounds: closing a socket with unread bytes would reset it, and the
/// client might not see why.
async fn linger(link: &Link, watchdog: &Watchdog) {
    watchdog.clear();
    let mut left = LINGER_BYTES_MAX;
    let drain = poll_fn(|cx| {
        loop {
            match ready!(link.poll_discard(cx)) {
                Ok(n) if n > 0 && n <= left => left -= n,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    let _ = watchdog.within(Wait::Linger, LINGER, drain).await;
}
