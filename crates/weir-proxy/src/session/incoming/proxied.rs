//! The PROXY header in front of a client's connection: required on a listener or not looked for, never guessed.

use std::future::poll_fn;
use std::net::IpAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Buf;

use super::Incoming;
use crate::proxy_protocol::{self, HEADER_BYTES_MAX, Header, Malformed, Progress};
use crate::session::watchdog::{Wait, Watchdog};
use crate::wire::Wire;
use crate::worker::local::{Local, LocalListener};

/// Why a connection goes no further.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("its address is not one of `trusted_proxies`")]
    Untrusted,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("its PROXY header did not come in time (timeouts.request_head)")]
    TimedOut,
    #[error("it ended within its PROXY header")]
    Truncated,
    /// It said nothing at all, as probes do.
    #[error("it ended at once")]
    Empty,
}

/// Takes the header off. `None`: the connection is over, and counted.
pub(super) async fn accept(
    local: &Rc<Local>,
    listener: &LocalListener,
    incoming: Incoming,
) -> Option<Incoming> {
    let peer = incoming.peer;
    match take(local, listener, incoming).await {
        Ok(incoming) => Some(incoming),
        Err(Refused::Empty) => None,
        Err(cause) => {
            listener.counters().proxy_headers_refused.add(1);
            let listener = &*listener.listener.config.name;
            tracing::debug!(listener, %peer, %cause, "connection closed: no good PROXY header");
            None
        }
    }
}

async fn take(local: &Rc<Local>, listener: &LocalListener, incoming: Incoming) -> Result<Incoming, Refused> {
    let config = &listener.listener.config;
    let ip: IpAddr = incoming.peer.ip().to_canonical();
    if !config.trusted_proxies.iter().any(|network| network.contains(&ip)) {
        return Err(Refused::Untrusted);
    }
    let Incoming { socket, mut peer, early, mut facts } = incoming;
    let mut wire = Wire::new(socket);
    wire.stash = early;
    let watchdog = Watchdog::new(local);
    let header = poll_fn(|cx| poll_header(&mut wire, local, cx));
    let header = watchdog.within(Wait::RequestHead, config.timeouts.request_head, header).await;
    match header.map_err(|_| Refused::TimedOut)?? {
        Header::Own => {}
        Header::Client { source, destination } => {
            peer = source;
            Rc::make_mut(facts.get_or_insert_default()).destination = Some(destination);
        }
    }
    Ok(Incoming { socket: wire.socket, peer, early: wire.stash, facts })
}

/// Reads until the header is whole; it is taken out of the stash.
fn poll_header(wire: &mut Wire, local: &Local, cx: &mut Context<'_>) -> Poll<Result<Header, Refused>> {
    loop {
        match proxy_protocol::parse(&wire.stash)? {
            Progress::Whole(header, length) => {
                wire.stash.advance(length);
                return Poll::Ready(Ok(header));
            }
            Progress::More => {}
        }
        match ready!(wire.poll_fill(&local.arena, HEADER_BYTES_MAX, cx)) {
            Ok(1..) => {}
            Ok(0) | Err(_) if wire.stash.is_empty() => return Poll::Ready(Err(Refused::Empty)),
            Ok(0) | Err(_) => return Poll::Ready(Err(Refused::Truncated)),
        }
    }
}
