//! An exchange: one request and its response.
//!
//! [`handle`] is the way of a request, top to bottom: look at the target, find the route, choose a server,
//! take or open a connection, send the head as [`forward`] rewrites it, relay the bodies. What goes wrong on
//! the way is a [`Failure`]; [`retry`](crate::retry) decides whether another server is asked.
//! When the [`Exchange`] is dropped, whatever became of it, its one access record is written.

pub(crate) mod body;
mod choose;
pub(crate) mod failure;
pub(crate) mod forward;
mod record;
mod relay;
pub(crate) mod respond;
mod target;

pub(crate) use choose::choose;
pub(crate) use record::{Exchange, log_refused};
pub(crate) use relay::ResponseBody;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::Method;
use weir_config::model::{self, Action, PoolProtocol, ProxyVersion};

use self::body::{Progress, RequestBody};
use self::failure::Failure;
use self::forward::Client;
use self::relay::Relayed;
use self::target::Target;
use crate::balancer::PickKey;
use crate::fields::Field;
use crate::framing::HeadLimits;
use crate::head::{RequestHead, ResponseHead};
use crate::retry::{self, Attempt};
use crate::route::RequestView;
use crate::session::Session;
use crate::session::tunnel::Tunnel;
use crate::session::watchdog::Wait;
use crate::upstream::connection::{Connection, SendError};
use crate::upstream::dial::{DialError, Dialing};
use crate::upstream::http1::Http1;
use crate::upstream::http2::Stream;
use crate::worker::local::{Lease, LocalPool};

/// Serves one request of `session`.
pub(crate) async fn handle(session: &Rc<Session>, head: Box<RequestHead>) -> (ResponseHead, ResponseBody) {
    let mut exchange = Exchange::begin(session, &head);
    let served = serve(&mut exchange, head).await;
    let (mut head, body) = match served {
        Ok(Served::Local(answer)) => local(exchange, answer),
        Ok(Served::Relayed(head, relayed)) => (head, ResponseBody::relayed(relayed, exchange)),
        Ok(Served::Tunnel(head, connection, lease)) => {
            let (upstream, early) = connection.into_tunnel();
            // For the session, which joins it to the client's end when the 101 is written.
            let tunnel = Tunnel { upstream, early, exchange, lease };
            session.tunnel.set(Some(Box::new(tunnel)));
            (head, ResponseBody::tunnel())
        }
        Err(failure) => {
            if failure.ends_session() {
                session.spoil();
            }
            let answer =
                if exchange.is_grpc() { respond::grpc_failure(&failure) } else { respond::failure(&failure) };
            exchange.failed(failure);
            local(exchange, answer)
        }
    };
    if let Some(age) = session.hsts() {
        respond::strict_transport(&mut head, age);
    }
    (head, body)
}

/// Answers a request that is refused before it is one.
pub(crate) fn refuse(session: &Rc<Session>, failure: Failure) -> (ResponseHead, ResponseBody) {
    let answer = respond::failure(&failure);
    local(Exchange::refused(session, failure), answer)
}

/// What became of a request.
enum Served {
    /// Weir answers by itself.
    Local(respond::Answer),
    /// A server answers.
    Relayed(ResponseHead, Relayed),
    /// A server switches protocols.
    Tunnel(ResponseHead, Connection, Lease),
}

fn local(mut exchange: Box<Exchange>, answer: respond::Answer) -> (ResponseHead, ResponseBody) {
    let respond::Answer { head, body } = answer;
    exchange.answered(head.status);
    let body = if exchange.is_head() { Bytes::new() } else { body };
    (head, ResponseBody::local(body, exchange))
}

async fn serve(exchange: &mut Exchange, mut head: Box<RequestHead>) -> Result<Served, Failure> {
    let connects = head.method == Method::CONNECT;
    let listener = exchange.listener();
    let config = &listener.listener.config;
    let target = Target::of(&head)?;
    let session = Rc::clone(exchange.session());
    let client = Client::of(config, session.peer, session.tls(), &head.fields);
    exchange.client_is(client.address);
    if config.https_redirect && !connects {
        return Ok(Served::Local(respond::to_https(target.authority(), target.path_and_query())));
    }
    let view = RequestView {
        host: target.host(),
        path: target.path(),
        query: target.query(),
        method: &head.method,
        fields: &head.fields,
        source: client.address,
        alpn: &[],
    };
    let mut found = listener.listener.routes.find(&view);
    if connects {
        // Whoever may be asked for a tunnel to anywhere is said so by name, not by a route for every request.
        found = found.filter(|(route, _)| config.routes[*route].matches.methods.contains(&Method::CONNECT));
    }
    let (_, action) =
        found.ok_or(if connects { Failure::DownstreamMethod } else { Failure::LocalNoRoute })?;
    match action {
        Action::Respond(respond) => Ok(Served::Local(respond::fixed(respond))),
        Action::Redirect(redirect) => {
            let answer = respond::redirect(
                redirect,
                exchange.session().scheme(),
                target.authority(),
                target.path_and_query(),
            );
            Ok(Served::Local(answer))
        }
        Action::Pool(id) => {
            let pool = exchange.choose_pool(*id);
            let expects_continue = head.fields.has(Field::Expect);
            let continue_wait = expects_continue.then_some(pool.pool.config.timeouts.continue_wait);
            let idle = config.timeouts.body_idle;
            let body = RequestBody::new(exchange.session(), idle, continue_wait);
            if !connects {
                head.target = target.into_origin_form();
            }
            relay(exchange, &pool, &client, head, body).await
        }
    }
}

/// Asks servers of `pool` until one answers or no other may be asked.
async fn relay(
    exchange: &mut Exchange,
    pool: &Rc<LocalPool>,
    client: &Client<'_>,
    mut head: Box<RequestHead>,
    body: RequestBody,
) -> Result<Served, Failure> {
    let listener = exchange.listener();
    let original_fields = pool.needs_fields().then(|| head.fields.clone());
    let chunked = !body.is_empty() && !head.fields.has(Field::ContentLength);
    pool.budget.deposit();
    let mut tried = Vec::new(); // allocates nothing as long as the first is good
    let mut rewritten = false;
    loop {
        let (index, lease) = {
            let uri = head.target.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            let fields = original_fields.as_ref().unwrap_or(&head.fields);
            let key = PickKey { source: client.address, uri, fields };
            let mut waited = false;
            let chosen = choose(&exchange.session().watchdog, pool, &key, &tried, &mut waited).await;
            if waited {
                exchange.queued();
            }
            chosen?
        };
        if !rewritten {
            let server = &lease.server.server.config.address;
            forward::request(&mut head, &listener.listener.config, client, server, chunked);
            rewritten = true;
        }
        exchange.sent_to(&lease);
        let sent = match attempt(exchange, &lease, &head, &body).await {
            Ok((response, connection)) => {
                return Ok(answer(exchange, lease, response, connection, body.progress()));
            }
            Err(failed) => failed,
        };
        if sent.kind != retry::Failure::GoneAway {
            tried.push(index); // one that closes a connection in order is as good as before
        }
        if sent.failure.is_servers_fault() {
            exchange.server_failed(&sent.failure);
        }
        let attempt = Attempt {
            failure: sent.kind,
            request_sent: sent.request_sent,
            method_idempotent: head.method.is_idempotent(),
            body_replayable: body.progress().is_untouched(),
            attempts: exchange.retries(),
            attempts_max: pool.pool.config.retries.attempts,
        };
        if !pool.may_retry(&attempt) {
            return Err(sent.failure);
        }
        tracing::debug!(server = %lease.server.server.name, cause = %sent.failure, "asking another server");
        exchange.retried();
    }
}

/// An attempt that brought no answer.
struct Failed {
    failure: Failure,
    kind: retry::Failure,
    request_sent: bool,
}

/// Sends the request to one server, over a kept connection or a new one.
async fn attempt(
    exchange: &mut Exchange,
    lease: &Lease,
    head: &RequestHead,
    body: &RequestBody,
) -> Result<(ResponseHead, Connection), Failed> {
    let session = Rc::clone(exchange.session());
    let mut connection = connection(exchange, lease).await?;
    let reused = connection.is_reused();
    lease.server.counters().exchanges.add(1);
    let timeouts = &lease.pool.pool.config.timeouts;
    let error = match connection.send(&session, head, body.again(), timeouts).await {
        Ok(response) => {
            exchange.first_byte();
            return Ok((response, connection));
        }
        Err(error) => error,
    };
    let failed = |failure, kind, request_sent| Failed { failure, kind, request_sent };
    Err(match error {
        SendError::NotSent => failed(Failure::UpstreamNoAnswer, retry::Failure::DeadReused, false),
        SendError::NoAnswer if reused => failed(Failure::UpstreamNoAnswer, retry::Failure::DeadReused, true),
        SendError::NoAnswer => failed(Failure::UpstreamNoAnswer, retry::Failure::ClosedWithoutAnswer, true),
        SendError::Truncated => failed(Failure::UpstreamTruncated, retry::Failure::BadAnswer, true),
        SendError::Malformed(violation) => {
            failed(Failure::UpstreamMalformed(violation), retry::Failure::BadAnswer, true)
        }
        SendError::Protocol(reason) => {
            failed(Failure::UpstreamProtocol(reason), retry::Failure::BadAnswer, true)
        }
        SendError::Reset(reason) => {
            failed(Failure::UpstreamReset(reason), retry::Failure::ClosedWithoutAnswer, true)
        }
        SendError::Refused => failed(Failure::UpstreamRefused, retry::Failure::Refused, true),
        SendError::GoneAway => failed(Failure::UpstreamGoneAway, retry::Failure::GoneAway, true),
        SendError::NoTunnel => failed(Failure::UpstreamNoTunnel, retry::Failure::BadAnswer, false),
        SendError::TimedOut(Wait::ServerReads) => {
            failed(Failure::UpstreamStuck, retry::Failure::Timeout, true)
        }
        SendError::TimedOut(_) => failed(Failure::UpstreamTimeout, retry::Failure::Timeout, true),
        SendError::Client => {
            let failure = body.progress().take_failure().unwrap_or(Failure::DownstreamGone);
            failed(failure, retry::Failure::Client, true)
        }
    })
}

/// A way to the lease's server: a kept connection or a new one, or a stream of one that exchanges share.
async fn connection(exchange: &mut Exchange, lease: &Lease) -> Result<Connection, Failed> {
    let config = &lease.pool.pool.config;
    let limits = HeadLimits {
        head_bytes: config.limits.response_head_bytes,
        fields: config.limits.response_fields,
        uri_bytes: 0,
    };
    match config.protocol {
        PoolProtocol::Http1 => {
            let session = Rc::clone(exchange.session());
            let whose = (config.proxy_protocol != ProxyVersion::None).then_some(session.peer);
            let kept = poll_fn(|cx| Poll::Ready(lease.server.idle.take(whose, cx))).await;
            if let Some(connection) = kept {
                lease.server.counters().reuses.add(1);
                return Ok(Connection::Http1(connection));
            }
            let header = whose.map(|_| session.proxy_header(config.proxy_protocol)).unwrap_or_default();
            let dialing = Dialing::to(lease).map_err(connect_failed)?;
            let socket = within_connect(exchange, lease, Box::pin(dialing.dial(header))).await?;
            Ok(Connection::Http1(Http1::new(socket, limits, whose)))
        }
        PoolProtocol::Http2 => {
            let place = match lease.server.http2.take() {
                Some(place) => place,
                None => {
                    let dialing = Dialing::to(lease).map_err(connect_failed)?;
                    let opening = lease.server.http2.place(|| dialing.clone().dial(Vec::new()));
                    within_connect(exchange, lease, Box::pin(opening)).await?
                }
            };
            if place.reused {
                lease.server.counters().reuses.add(1);
            }
            Ok(Connection::Http2(Stream::new(place, lease.pool.pool.scheme(), limits)))
        }
    }
}

fn connect_failed(failure: Failure) -> Failed {
    Failed { failure, kind: retry::Failure::ConnectFailed, request_sent: false }
}

/// Waits for a connection, as long as the server may take to accept one. Boxed, as all that seldom waits: a future
/// is as large as the largest thing it may wait for.
async fn within_connect<T>(
    exchange: &mut Exchange,
    lease: &Lease,
    opening: Pin<Box<impl Future<Output = Result<T, DialError>>>>,
) -> Result<T, Failed> {
    let timeout = lease.pool.pool.config.timeouts.connect;
    let watchdog = &exchange.session().watchdog;
    let opened = watchdog.within(Wait::Connect, timeout, opening).await;
    match opened {
        Ok(Ok(opened)) => {
            exchange.connected();
            Ok(opened)
        }
        Ok(Err(error)) => Err(connect_failed(error.into())),
        Err(_) => Err(connect_failed(Failure::UpstreamConnectTimeout)),
    }
}

/// A server has begun to answer: its head, rewritten, and what its body needs on its way.
fn answer(
    exchange: &mut Exchange,
    lease: Lease,
    mut head: ResponseHead,
    connection: Connection,
    request_body: Progress,
) -> Served {
    exchange.answered(head.status);
    forward::response(&mut head, &exchange.listener().listener.config);
    if connection.is_tunnel() {
        lease.server.server.status.succeeded();
        head.fields.remove(&[Field::ContentLength]); // of a 2xx to CONNECT it means nothing (RFC 9110 section 9.3.6)
        return Served::Tunnel(head, connection, lease);
    }
    let idle = lease.pool.pool.config.timeouts.body_idle;
    Served::Relayed(head, Relayed { connection: Some(connection), lease, request_body, idle })
}

/// Passes an interim response on (RFC 9110 section 15.2).
pub(crate) fn interim(head: &mut ResponseHead, listener: &model::Listener) {
    forward::response(head, listener);
}
