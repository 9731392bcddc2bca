//! An HTTP/1 session: wait for a request, have it served, write the answer, until somebody closes.
//!
//! While no request is under way, a session is its socket and this future; what serving one takes is boxed and
//! gone with it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::http::{Method, StatusCode, Version};
use http_body::Body;
use tokio::io::AsyncWrite;

use super::client::{Client, NoRequest};
use super::http2;
use super::watchdog::Wait;
use super::{Incoming, LINGER, LINGER_BYTES_MAX, Session, Untangle};
use crate::exchange::{self, ResponseBody, failure::Failure, respond};
use crate::framing::Violation;
use crate::head::{RequestHead, ResponseHead};
use crate::http1::{self, BodyEncoder, ResponseFraming};
use crate::wire::Outgoing;
use crate::worker::local::{Local, LocalListener};

/// After the drain began, how long a client with an idle connection may still send one more request.
const IDLE_GRACE: Duration = Duration::from_secs(1);

/// Serves one client connection to its end.
pub(super) fn serve(
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    incoming: Incoming,
) -> impl Future<Output = ()> {
    // The first request has the time of a request's head; the next ones that of keep-alive.
    let first = listener.listener.config.timeouts.request_head;
    let session = Rc::new(Session::http1(local, listener, incoming));
    session.watchdog.begin(Wait::KeepAlive, first);
    run(session)
}

async fn run(session: Rc<Session>) {
    let _untangle = Untangle(Rc::clone(&session));
    let mut attention = pin!(session.local.attention.notified());
    // What an idle session does not need is boxed: a future is as large as the largest thing it awaits.
    loop {
        let mut ending = false;
        let next = poll_fn(|cx| {
            if let Poll::Ready(next) = poll_next(&session, &mut ending, cx) {
                return Poll::Ready(next);
            }
            while attention.as_mut().poll(cx).is_ready() {
                attention.set(session.local.attention.notified());
            }
            Poll::Pending
        });
        let end = match next.await {
            Next::Request(head) => Box::pin(answer(&session, head)).await,
            Next::Close => return,
            Next::Refuse(failure) => return Box::pin(refuse(&session, failure)).await,
            Next::Http2 => return Box::pin(go_over_to_http2(&session)).await,
        };
        match end {
            End::Idle => {
                session.watchdog.clear();
                let keep_alive = session.listener().listener.config.timeouts.keep_alive;
                session.watchdog.begin(Wait::KeepAlive, keep_alive);
                session.watchdog.set_spare(true);
            }
            End::Closed => return,
            End::Reset => return reset(&session),
            End::Unread => return Box::pin(linger(&session)).await,
            End::Tunnel => {
                let tunnel = session.tunnel.take();
                let Some(tunnel) = tunnel else { return };
                return Box::pin(tunnel.run(&session)).await;
            }
        }
    }
}

/// What comes after an answer.
enum Next {
    Request(Box<RequestHead>),
    Close,
    Refuse(Box<Failure>),
    /// The client speaks HTTP/2.
    Http2,
}

/// How an exchange left the connection.
enum End {
    /// The next request may come.
    Idle,
    /// The connection is over.
    Closed,
    /// The connection is over, and the client must not think that all went well.
    Reset,
    /// The connection is over, but the client may still be sending.
    Unread,
    /// A 101 was written: what comes now is somebody else's protocol.
    Tunnel,
}

/// Waits for the next request. `ending` is for the caller to keep meanwhile.
fn poll_next(session: &Session, ending: &mut bool, cx: &mut Context<'_>) -> Poll<Next> {
    let watchdog = &session.watchdog;
    let Some(client) = session.client.http1() else { return Poll::Ready(Next::Close) };
    match client.poll_request(&session.local.arena, cx) {
        Poll::Ready(Ok(head)) => return Poll::Ready(Next::Request(Box::new(head))),
        Poll::Ready(Err(NoRequest::Gone)) => return Poll::Ready(Next::Close),
        Poll::Ready(Err(NoRequest::Refused(Violation::Http2Preface))) if session.may_speak_http2() => {
            return Poll::Ready(Next::Http2);
        }
        Poll::Ready(Err(NoRequest::Refused(violation))) => {
            return Poll::Ready(Next::Refuse(Box::new(Failure::DownstreamMalformed(violation))));
        }
        Poll::Pending => {}
    }
    if client.has_part_of_head() {
        watchdog.set_spare(false);
        watchdog.end(Wait::KeepAlive);
        watchdog.begin(Wait::RequestHead, session.listener().listener.config.timeouts.request_head);
        if watchdog.poll_expired(Wait::RequestHead, cx) {
            return Poll::Ready(Next::Refuse(Box::new(Failure::DownstreamHeadTimeout)));
        }
        return Poll::Pending;
    }
    if !*ending && session.should_end() {
        *ending = true;
        watchdog.end(Wait::KeepAlive);
        watchdog.begin(Wait::KeepAlive, IDLE_GRACE);
    }
    if !watchdog.is_shed() && !watchdog.poll_expired(Wait::KeepAlive, cx) {
        return Poll::Pending;
    }
    client.say_goodbye(cx);
    Poll::Ready(Next::Close)
}

/// What has to be remembered of a request while it is answered.
struct Asked {
    version: Version,
    head: bool,
    persistent: bool,
}

/// Has one request served and writes the answer.
async fn answer(session: &Rc<Session>, head: Box<RequestHead>) -> End {
    let Some(client) = session.client.http1() else { return End::Closed };
    session.exchange_begins(head.version);
    let asked = Asked {
        version: head.version,
        head: head.method == Method::HEAD,
        persistent: http1::is_persistent(head.version, &head.fields),
    };
    let response = {
        let mut exchange = pin!(exchange::handle(session, head));
        poll_fn(|cx| {
            if let Poll::Ready(response) = exchange.as_mut().poll(cx) {
                return Poll::Ready(Some(response));
            }
            poll_gone(session, client, cx).map(|()| None)
        })
        .await
    };
    let Some(response) = response else { return End::Closed };
    let mut writing = Writing::new(session, client, asked, response);
    poll_fn(|cx| writing.poll(cx)).await
}

/// For how long an answer may be waited for before a client's socket, which may only have been accepted for
/// this one request, is watched for the client's going away.
const UNWATCHED: Duration = Duration::from_millis(10);

/// Notices that the client has gone while its request is served.
fn poll_gone(session: &Session, client: &Client, cx: &mut Context<'_>) -> Poll<()> {
    if !client.is_watched() {
        session.watchdog.begin(Wait::Unwatched, UNWATCHED);
        if !session.watchdog.poll_passed(Wait::Unwatched, cx) {
            return Poll::Pending;
        }
    }
    client.poll_gone(&session.local.arena, cx)
}

/// A response on its way to the client.
struct Writing<'a> {
    session: &'a Session,
    client: &'a Client,
    asked: Asked,
    /// Until it is encoded.
    head: Option<ResponseHead>,
    /// Until its end.
    body: Option<ResponseBody>,
    framing: BodyEncoder,
    /// The server's answer broke off.
    broken: bool,
}

/// Why no more of a body was gathered.
enum Gathered {
    /// There is enough for one write.
    Enough,
    /// More is to come.
    Waiting,
    /// That was all of it.
    End,
}

impl<'a> Writing<'a> {
    fn new(
        session: &'a Session,
        client: &'a Client,
        asked: Asked,
        (head, body): (ResponseHead, ResponseBody),
    ) -> Self {
        let framing = BodyEncoder::Empty;
        Self { session, client, asked, head: Some(head), body: Some(body), framing, broken: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Self { session, client, .. } = *self;
        loop {
            match self.poll_flush(cx) {
                Ok(Poll::Ready(())) => {}
                Ok(Poll::Pending) => return Poll::Pending,
                Err(end) => return Poll::Ready(end),
            }
            if self.body.is_none() {
                return Poll::Ready(self.end(cx));
            }
            let (gathered, sent) = session.local.with_outgoing(|out| {
                self.encode_head(out, cx);
                let gathered = self.gather(out, cx);
                if let Gathered::End = gathered {
                    // Whatever becomes of the last bytes: the server's part is over, and whoever has the answer
                    // finds it counted.
                    self.body = None;
                }
                (gathered, client.send(out, cx))
            });
            if sent.is_err() {
                return Poll::Ready(End::Closed);
            }
            match gathered {
                Gathered::Waiting if client.is_flushed() => {
                    return poll_gone(session, client, cx).map(|()| End::Closed);
                }
                Gathered::Enough | Gathered::Waiting | Gathered::End => {}
            }
        }
    }

    /// Writes what the client has not taken yet, as long as it takes some.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, End> {
        let Self { client, session: Session { watchdog, client_stuck, .. }, .. } = *self;
        while !client.is_flushed() {
            match client.poll_flush(cx) {
                Poll::Ready(Ok(_taken)) => watchdog.end(Wait::ClientReads),
                Poll::Ready(Err(_)) => return Err(End::Closed),
                Poll::Pending => {
                    let timeout = self.session.listener().listener.config.timeouts.body_idle;
                    if watchdog.begin(Wait::ClientReads, timeout)
                        && let Some(body) = &mut self.body
                    {
                        body.settle();
                    }
                    if watchdog.poll_expired(Wait::ClientReads, cx) {
                        client_stuck.set(true);
                        return Err(End::Reset);
                    }
                    return Ok(Poll::Pending);
                }
            }
        }
        Ok(Poll::Ready(()))
    }

    fn encode_head(&mut self, out: &mut Outgoing, cx: &mut Context<'_>) {
        let Some(head) = self.head.take() else { return };
        let Self { session, client, .. } = *self;
        let relayed = self.body.as_ref().is_some_and(ResponseBody::is_relayed);
        // An answer of our own to a request that is still coming in: take the rest if it is here already.
        let whole = relayed || client.skip_request(&session.local.arena, cx);
        self.asked.persistent &= whole && !session.is_last_exchange();
        let framing = ResponseFraming {
            version: self.asked.version,
            to_head: self.asked.head,
            persistent: self.asked.persistent,
            tunnel: session.has_tunnel(),
            date: &session.local.date,
        };
        self.framing = http1::response_head(out.text(), &head, framing);
    }

    fn gather(&mut self, out: &mut Outgoing, cx: &mut Context<'_>) -> Gathered {
        let Some(body) = &mut self.body else { return Gathered::End };
        while !out.is_full() {
            if body.is_end_stream() {
                self.framing.end(out);
                return Gathered::End;
            }
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                    self.framing.frame(out, frame);
                    return Gathered::End;
                }
                Poll::Ready(Some(Ok(frame))) => self.framing.frame(out, frame),
                Poll::Ready(None) => {
                    self.framing.end(out);
                    return Gathered::End;
                }
                Poll::Ready(Some(Err(_))) => {
                    self.broken = true;
                    return Gathered::End;
                }
                Poll::Pending => return Gathered::Waiting,
            }
        }
        Gathered::Enough
    }

    /// The last byte is written: what comes now.
    fn end(&self, cx: &mut Context<'_>) -> End {
        let client = self.client;
        if self.broken {
            // Only a reset tells a client that waits for the connection's end that this was not the body's.
            return if self.framing == BodyEncoder::UntilClose { End::Reset } else { End::Closed };
        }
        if self.session.has_tunnel() {
            return End::Tunnel;
        }
        let persistent = self.asked.persistent && self.framing != BodyEncoder::UntilClose;
        let whole = client.skip_request(&self.session.local.arena, cx);
        match (persistent, whole && !client.has_part_of_head()) {
            (true, _) if whole => End::Idle,
            (_, true) => {
                client.say_goodbye(cx);
                End::Closed
            }
            (_, false) => End::Unread,
        }
    }
}

/// The client began with HTTP/2 (RFC 9113 section 3.3): what it sent goes on to that.
async fn go_over_to_http2(session: &Session) {
    let Some(client) = session.client.http1() else { return };
    session.watchdog.clear();
    let (socket, early) = client.take_wire();
    let incoming = Incoming { socket, peer: session.peer, early, facts: session.facts.clone() };
    http2::serve(Rc::clone(&session.local), session.listener(), incoming).await;
}

/// Answers a request that is no exchange, because its head never was whole or sound.
async fn refuse(session: &Rc<Session>, failure: Box<Failure>) {
    let Some(client) = session.client.http1() else { return };
    let mut out = Outgoing::default();
    out.text().extend_from_slice(&respond::raw(&failure, session.hsts()));
    let status = failure.status();
    exchange::log_refused(session, *failure);
    let written = poll_fn(|cx| match client.send(&mut out, cx) {
        Ok(()) => client.poll_flush(cx).map_ok(|_taken| ()),
        Err(error) => Poll::Ready(Err(error)),
    });
    let written = session.watchdog.within(Wait::Linger, LINGER, written).await;
    if matches!(written, Ok(Ok(()))) && status != StatusCode::REQUEST_TIMEOUT {
        linger(session).await;
    }
}

/// Says that no more will come, and takes what the client still sends, within bounds.
async fn linger(session: &Session) {
    let Some(client) = session.client.http1() else { return };
    if poll_fn(|cx| client.with_socket(|socket| Pin::new(socket).poll_shutdown(cx))).await.is_err() {
        return;
    }
    let mut left = LINGER_BYTES_MAX;
    let drain = poll_fn(|cx| {
        loop {
            match ready!(client.poll_discard(&session.local.arena, cx)) {
                Ok(n) if n > 0 && n <= left => left -= n,
                Ok(_) | Err(_) => return Poll::Ready(()),
            }
        }
    });
    let _ = session.watchdog.within(Wait::Linger, LINGER, drain).await;
}

/// Ends the connection such that the client can't take what it has for the whole, and the kernel keeps nothing.
fn reset(session: &Session) {
    let Some(client) = session.client.http1() else { return };
    client.with_socket(|socket| {
        if let Ok(socket) = socket.watched() {
            let _ = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
        }
    });
}
