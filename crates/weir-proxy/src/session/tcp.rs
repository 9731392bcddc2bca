//! A TCP session: find the route, choose a server, connect, and pass bytes on both ways until both have ended.
//!
//! Where the routes ask for what TLS says of itself, the ClientHello is looked into and passed on as it came.
//! While the connection is open, it is two sockets and this future; what it took to come so far is boxed and
//! gone.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;
use weir_config::model::{Action, ProxyVersion};

use super::Incoming;
use super::facts::proxy_header;
use super::hello::{self, Hello};
use super::passage::Passage;
use super::relay::{Broken, Relay};
use super::watchdog::{Wait, Watchdog};
use crate::access_log::Kind;
use crate::balancer::PickKey;
use crate::exchange::choose;
use crate::exchange::failure::Failure;
use crate::fields::Fields;
use crate::retry::Attempt;
use crate::upstream::dial::Dialing;
use crate::wire::{Socket, Wire};
use crate::worker::local::{Lease, Local, LocalListener, LocalPool};

/// Serves one client connection to its end.
pub(super) async fn serve(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) {
    let mut passage = Passage::begin(&local, &listener, Kind::Tcp, incoming.peer);
    let idle = listener.listener.config.timeouts.tunnel_idle;
    drop(listener);
    let watchdog = Watchdog::new(&local);
    let outcome = match Box::pin(open(&local, &mut passage, &watchdog, incoming)).await {
        Ok(opened) => pass(&local, &mut passage, &watchdog, idle, opened).await,
        Err(failure) => Err(failure),
    };
    passage.ended(outcome);
}

/// A client and the server that it is passed on to.
struct Opened {
    client: Socket,
    early: BytesMut,
    server: Socket,
    lease: Lease,
}

/// Finds the route, and a server that takes the connection.
async fn open(
    local: &Rc<Local>,
    passage: &mut Passage,
    watchdog: &Watchdog,
    incoming: Incoming,
) -> Result<Opened, Failure> {
    let Incoming { socket, peer, early, facts } = incoming;
    let listener = Rc::clone(passage.listener());
    let mut client = Wire::new(socket);
    client.stash = early;
    let mut facts = facts.map(Rc::unwrap_or_clone).unwrap_or_default();
    let mut hello = Hello::default();
    if let Some(tls) = &facts.tls {
        hello.server_name.clone_from(&facts.server_name);
        hello.alpn = tls.alpn.iter().map(|alpn| alpn.as_str().as_bytes().to_vec()).collect();
    } else if listener.listener.routes.looks_into_tls() {
        let timeout = listener.listener.config.timeouts.request_head;
        hello = hello::read(local, watchdog, &mut client, timeout).await?;
        facts.server_name.clone_from(&hello.server_name);
    }
    passage.server_name.clone_from(&hello.server_name);
    passage.tls = facts.tls.as_ref().map(|tls| (tls.version, tls.cipher));
    let view = local.view();
    let routes = &listener.listener.routes;
    let pool = match routes.find_connection(hello.server_name.as_deref(), &hello.alpn, peer.ip()) {
        Some((_, Action::Pool(id))) => Rc::clone(view.pool(*id)),
        Some((_, Action::Redirect(_) | Action::Respond(_))) | None => return Err(Failure::LocalNoRoute),
    };
    drop(view);
    client.keep_stash(); // connecting may take long
    passage.routed_to(&pool);
    let header = match pool.pool.config.proxy_protocol {
        ProxyVersion::None => Vec::new(),
        version @ (ProxyVersion::V1 | ProxyVersion::V2) => {
            proxy_header(version, peer, client.socket.local_address(), Some(&facts))
        }
    };
    let (server, lease) = connect(local, passage, watchdog, &pool, peer, header).await?;
    Ok(Opened { client: client.socket, early: client.stash, server, lease })
}

/// Asks servers of `pool` until one takes the connection or no other may be asked.
async fn connect(
    local: &Rc<Local>,
    passage: &mut Passage,
    watchdog: &Watchdog,
    pool: &Rc<LocalPool>,
    peer: SocketAddr,
    header: Vec<u8>,
) -> Result<(Socket, Lease), Failure> {
    pool.budget.deposit();
    let fields = Fields::default();
    let key = PickKey { source: peer.ip().to_canonical(), uri: "/", fields: &fields };
    let timeout = pool.pool.config.timeouts.connect;
    let mut tried = Vec::new();
    loop {
        let mut waited = false;
        let chosen = choose(watchdog, pool, &key, &tried, &mut waited).await;
        if waited {
            passage.queued();
        }
        let (index, lease) = chosen?;
        passage.sent_to(&lease);
        let dialing = Dialing::to(&lease)?.passed_on().dial(header.clone());
        let failure = match watchdog.within(Wait::Connect, timeout, dialing).await {
            Ok(Ok(socket)) => {
                passage.connected();
                lease.server.server.status.succeeded();
                return Ok((socket, lease));
            }
            Ok(Err(error)) => error.into(),
            Err(_) => Failure::UpstreamConnectTimeout,
        };
        pool.server_failed(&lease.server, &local.shared.events, &failure);
        tried.push(index);
        let attempt = Attempt::to_connect(passage.retries, pool.pool.config.retries.attempts);
        if !pool.may_retry(&attempt) {
            return Err(failure);
        }
        tracing::debug!(server = %lease.server.server.name, cause = %failure, "asking another server");
        passage.retries += 1;
    }
}

/// Passes bytes on until both have ended, one breaks, or nothing moves.
async fn pass(
    local: &Rc<Local>,
    passage: &mut Passage,
    watchdog: &Watchdog,
    idle: Duration,
    opened: Opened,
) -> Result<(), Failure> {
    let Opened { client, early, server, lease } = opened;
    let mut relay = Relay::new(client, &early, server, &[]);
    drop(early);
    let outcome = poll_fn(|cx| {
        let mut moved = false;
        let polled = relay.poll(local, &mut moved, cx);
        passage.received_bytes = relay.client.read_bytes;
        passage.sent_bytes = relay.server.read_bytes;
        match polled {
            Poll::Ready(Ok(())) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(Broken::Client)) => return Poll::Ready(Err(Failure::DownstreamGone)),
            Poll::Ready(Err(Broken::Server)) => return Poll::Ready(Err(Failure::UpstreamCut)),
            Poll::Pending => {}
        }
        if moved {
            watchdog.end(Wait::Tunnel);
        }
        watchdog.begin(Wait::Tunnel, idle);
        if watchdog.poll_expired(Wait::Tunnel, cx) {
            Poll::Ready(Err(Failure::TunnelIdle))
        } else {
            Poll::Pending
        }
    })
    .await;
    match &outcome {
        Err(Failure::DownstreamGone) => reset(&mut relay.server.socket),
        Err(Failure::UpstreamCut) => reset(&mut relay.client.socket),
        Ok(()) | Err(_) => {}
    }
    drop(lease);
    outcome
}

/// What broke off on one side must not look whole on the other.
fn reset(socket: &mut Socket) {
    if let Ok(socket) = socket.watched() {
        let _ = socket2::SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
    }
}
