//! A session: one client connection and everything that happens on it.
//!
//! A connection that speaks HTTP/2 has many: each of its streams is a session of one exchange, so that an exchange
//! sees the same thing whatever its client speaks.

pub(crate) mod client;
mod downstream;
pub(crate) mod facts;
mod hello;
mod http;
mod http2;
mod incoming;
pub(crate) mod passage;
pub(crate) mod relay;
mod tcp;
pub(crate) mod tunnel;
pub(crate) mod watchdog;

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use ::http::Version;
use weir_config::model::{Protocol, ProxyVersion};

pub(crate) use self::downstream::Downstream;
pub(crate) use self::incoming::{Incoming, Secured, serve};

use self::client::Client;
use self::facts::{ClientFacts, proxy_header};
use self::tunnel::Tunnel;
use self::watchdog::Watchdog;
use crate::exchange;
use crate::framing::HeadLimits;
use crate::head::ResponseHead;
use crate::http1::{self, ResponseFraming};
use crate::wire::Socket;
use crate::worker::local::{Local, LocalListener};

/// After our last byte, how long and how much we still read: closing a socket with unread bytes would reset
/// it, and the client might never see the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1 << 20;

/// One client connection, or one stream of one.
pub(crate) struct Session {
    pub(crate) local: Rc<Local>,
    pub(crate) peer: SocketAddr,
    /// What the layers beneath have found out, if any have.
    facts: Option<Rc<ClientFacts>>,
    pub(crate) client: Downstream,
    pub(crate) watchdog: Watchdog,
    listener: Followed,
    exchanges: Cell<u32>,
    /// The present request is in HTTP/1.0.
    http10: Cell<bool>,
    /// The present exchange leaves the connection unfit for another.
    spoiled: Cell<bool>,
    /// The client took nothing of the response for too long.
    client_stuck: Cell<bool>,
    /// What the session becomes when its 101 is written.
    pub(crate) tunnel: Cell<Option<Box<Tunnel>>>,
}

impl Session {
    /// The session of an HTTP/1 connection.
    fn http1(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Self {
        let Incoming { socket, peer, early, facts } = incoming;
        let limits = &listener.listener.config.limits;
        let client = Client::new(socket, early, head_limits(&listener), limits.request_body_bytes);
        Self::new(local, listener, peer, facts, Downstream::Http1(client))
    }

    fn new(
        local: Rc<Local>,
        listener: Rc<LocalListener>,
        peer: SocketAddr,
        facts: Option<Rc<ClientFacts>>,
        client: Downstream,
    ) -> Self {
        Self {
            client,
            watchdog: Watchdog::new(&local),
            listener: Followed::new(&local, listener),
            local,
            peer,
            facts,
            exchanges: Cell::new(0),
            http10: Cell::new(false),
            spoiled: Cell::new(false),
            client_stuck: Cell::new(false),
            tunnel: Cell::new(None),
        }
    }

    /// The listener as the configuration in force has it, or as it last was when it has been removed.
    pub(crate) fn listener(&self) -> Rc<LocalListener> {
        let changed = self.listener.follow(&self.local);
        let listener = self.listener.get();
        if changed && let Downstream::Http1(client) = &self.client {
            client.set_limits(head_limits(&listener), listener.listener.config.limits.request_body_bytes);
        }
        listener
    }

    /// What is known of its TLS, if it has that.
    pub(crate) fn tls(&self) -> Option<&Secured> {
        self.facts.as_ref()?.tls.as_ref()
    }

    /// `https` over TLS, else `http`.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls().is_some() { "https" } else { "http" }
    }

    /// What `Strict-Transport-Security` is to say; over TLS only (RFC 6797 section 7.2).
    pub(crate) fn hsts(&self) -> Option<Duration> {
        self.tls()?;
        self.listener.get().listener.config.hsts
    }

    /// The PROXY header that tells a server who the client is.
    pub(crate) fn proxy_header(&self, version: ProxyVersion) -> Vec<u8> {
        let local = self.client.http1().and_then(|client| client.with_socket(Socket::local_address));
        proxy_header(version, self.peer, local, self.facts.as_deref())
    }

    /// Whether the session ends with the present exchange.
    pub(crate) fn is_last_exchange(&self) -> bool {
        self.spoiled.get()
            || self.listener.is_gone()
            || self.local.draining()
            || u64::from(self.exchanges.get())
                >= self.listener.get().listener.config.limits.requests_per_connection
    }

    /// Whether the session is to end as soon as it is idle.
    fn should_end(&self) -> bool {
        self.listener();
        self.listener.is_gone() || self.local.draining()
    }

    /// Whether the client may begin with HTTP/2, which it can with its first bytes alone.
    fn may_speak_http2(&self) -> bool {
        self.exchanges.get() == 0 && self.listener().listener.config.http2.cleartext
    }

    /// A request's head is whole: it is an exchange from now on.
    fn exchange_begins(&self, version: Version) {
        self.exchanges.set(self.exchanges.get().saturating_add(1));
        self.http10.set(version == Version::HTTP_10);
        self.watchdog.clear();
        self.watchdog.set_spare(false);
    }

    /// Passes an interim response on, unless the client can't know what it is.
    pub(crate) fn interim(&self, mut head: ResponseHead, cx: &mut Context<'_>) {
        if self.http10.get() {
            return;
        }
        exchange::interim(&mut head, &self.listener.get().listener.config);
        let client = match &self.client {
            Downstream::Http1(client) => client,
            Downstream::Http2(stream) => return stream.interim(&head),
        };
        let framing = ResponseFraming {
            version: Version::HTTP_11,
            to_head: false,
            persistent: true,
            tunnel: false,
            date: &self.local.date,
        };
        self.local.with_outgoing(|out| {
            http1::response_head(out.text(), &head, framing);
            let _ = client.send(out, cx); // whoever writes next finds out what is wrong
        });
    }

    /// In which version a request without a head is answered.
    pub(crate) fn version(&self) -> Version {
        match self.client {
            Downstream::Http1(_) => Version::HTTP_11,
            Downstream::Http2(_) => Version::HTTP_2,
        }
    }

    /// Whether a tunnel follows the answer that is written now.
    pub(crate) fn has_tunnel(&self) -> bool {
        let tunnel = self.tunnel.take();
        let has = tunnel.is_some();
        self.tunnel.set(tunnel);
        has
    }

    /// The present exchange leaves the connection unfit for another.
    pub(crate) fn spoil(&self) {
        self.spoiled.set(true);
    }

    /// Whether the session ends because the client took nothing of the response for too long.
    pub(crate) fn client_is_stuck(&self) -> bool {
        self.client_stuck.get()
    }
}

/// A tunnel that was prepared and never run holds its session, which holds it: let go of it at the end.
struct Untangle(Rc<Session>);

impl Drop for Untangle {
    fn drop(&mut self) {
        let tunnel = self.0.tunnel.take();
        drop(tunnel);
    }
}

/// A listener, followed through configurations.
struct Followed {
    /// As the configuration in force has it, or as it last was when it has been removed.
    /// `None` only while it is looked at: a `RefCell` would make every idle session larger.
    listener: Cell<Option<Rc<LocalListener>>>,
    /// Of that configuration; [`GONE`](Self::GONE) once the listener is gone from it, and the session ends with its
    /// exchange.
    generation: Cell<u64>,
}

impl Followed {
    const GONE: u64 = u64::MAX;

    fn new(local: &Local, listener: Rc<LocalListener>) -> Self {
        let generation = Cell::new(local.view().generation);
        Self { listener: Cell::new(Some(listener)), generation }
    }

    /// Looks at the configuration in force; whether the listener is another one than before.
    fn follow(&self, local: &Local) -> bool {
        let view = local.view();
        if self.is_gone() || self.generation.replace(view.generation) == view.generation {
            return false;
        }
        match view.listener(&self.get().listener.config.name) {
            // One that speaks another protocol now is another listener.
            Some(now) if now.listener.config.protocol == Protocol::Http => {
                self.listener.set(Some(Rc::clone(now)));
            }
            Some(_) | None => self.generation.set(Self::GONE),
        }
        true
    }

    fn get(&self) -> Rc<LocalListener> {
        let listener = self.listener.take().expect("it is put back at once");
        self.listener.set(Some(Rc::clone(&listener)));
        listener
    }

    fn is_gone(&self) -> bool {
        self.generation.get() == Self::GONE
    }
}

fn head_limits(listener: &LocalListener) -> HeadLimits {
    let limits = &listener.listener.config.limits;
    HeadLimits {
        head_bytes: limits.request_head_bytes,
        fields: limits.request_fields,
        uri_bytes: limits.uri_bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An idle connection is this and its socket: what the rare sessions need is boxed. With its two counts it is to
    /// fit the allocator's class of 512 bytes; the next one is 640. (Unoptimised builds have larger parts.)
    #[test]
    fn a_session_stays_small() {
        let bytes = size_of::<Session>() + 2 * size_of::<usize>();
        assert!(bytes <= if cfg!(debug_assertions) { 640 } else { 512 }, "{bytes}");
    }
}
