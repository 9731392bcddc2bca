//! A session: one client connection and everything that happens on it.

pub(crate) mod client;
pub(crate) mod facts;
mod hello;
mod http;
mod incoming;
pub(crate) mod passage;
mod proxied;
pub(crate) mod relay;
mod tcp;
pub(crate) mod tunnel;
pub(crate) mod watchdog;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use ::http::Version;
use weir_config::model::{Protocol, ProxyVersion};

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

/// One client connection.
pub(crate) struct Session {
    pub(crate) local: Rc<Local>,
    pub(crate) peer: SocketAddr,
    /// What the layers beneath have found out, if any have.
    facts: Option<Rc<ClientFacts>>,
    pub(crate) client: Client,
    pub(crate) watchdog: Watchdog,
    /// As of the last exchange's snapshot.
    listener: RefCell<Rc<LocalListener>>,
    listener_generation: Cell<u64>,
    /// The listener is gone from the configuration: the session ends with its exchange.
    orphaned: Cell<bool>,
    exchanges: Cell<u64>,
    /// The present request is in HTTP/1.0.
    http10: Cell<bool>,
    /// The present exchange leaves the connection unfit for another.
    spoiled: Cell<bool>,
    /// The client took nothing of the response for too long.
    client_stuck: Cell<bool>,
    /// What the session becomes when its 101 is written.
    pub(crate) tunnel: RefCell<Option<Box<Tunnel>>>,
}

impl Session {
    fn new(local: Rc<Local>, listener: Rc<LocalListener>, incoming: Incoming) -> Self {
        let Incoming { socket, peer, early, facts } = incoming;
        let limits = &listener.listener.config.limits;
        Self {
            client: Client::new(socket, early, head_limits(&listener), limits.request_body_bytes),
            watchdog: Watchdog::new(&local),
            listener_generation: Cell::new(local.view().generation),
            local,
            peer,
            facts,
            listener: RefCell::new(listener),
            orphaned: Cell::new(false),
            exchanges: Cell::new(0),
            http10: Cell::new(false),
            spoiled: Cell::new(false),
            client_stuck: Cell::new(false),
            tunnel: RefCell::new(None),
        }
    }

    /// The listener as the configuration in force has it, or as it last was when it has been removed.
    pub(crate) fn listener(&self) -> Rc<LocalListener> {
        let view = self.local.view();
        if self.listener_generation.get() != view.generation {
            self.listener_generation.set(view.generation);
            let mut listener = self.listener.borrow_mut();
            match view.listener(&listener.listener.config.name) {
                // One that speaks another protocol now is another listener.
                Some(now) if now.listener.config.protocol == Protocol::Http => {
                    *listener = Rc::clone(now);
                    let body_bytes_max = listener.listener.config.limits.request_body_bytes;
                    self.client.set_limits(head_limits(&listener), body_bytes_max);
                }
                Some(_) | None => self.orphaned.set(true),
            }
        }
        Rc::clone(&self.listener.borrow())
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
        self.listener.borrow().listener.config.hsts
    }

    /// The PROXY header that tells a server who the client is.
    pub(crate) fn proxy_header(&self, version: ProxyVersion) -> Vec<u8> {
        let local = self.client.with_socket(Socket::local_address);
        proxy_header(version, self.peer, local, self.facts.as_deref())
    }

    /// Whether the session ends with the present exchange.
    pub(crate) fn is_last_exchange(&self) -> bool {
        self.spoiled.get()
            || self.orphaned.get()
            || self.local.draining()
            || self.exchanges.get() >= self.listener.borrow().listener.config.limits.requests_per_connection
    }

    /// Whether the session is to end as soon as it is idle.
    fn should_end(&self) -> bool {
        self.listener();
        self.orphaned.get() || self.local.draining()
    }

    /// A request's head is whole: it is an exchange from now on.
    fn exchange_begins(&self, version: Version) {
        self.exchanges.set(self.exchanges.get() + 1);
        self.http10.set(version == Version::HTTP_10);
        self.watchdog.clear();
        self.watchdog.set_spare(false);
    }

    /// Passes an interim response on, unless the client can't know what it is.
    pub(crate) fn interim(&self, mut head: ResponseHead, cx: &mut Context<'_>) {
        if self.http10.get() {
            return;
        }
        exchange::interim(&mut head, &self.listener.borrow().listener.config);
        let framing = ResponseFraming {
            version: Version::HTTP_11,
            to_head: false,
            persistent: true,
            date: &self.local.date,
        };
        self.local.with_outgoing(|out| {
            http1::response_head(out.text(), &head, framing);
            let _ = self.client.send(out, cx); // whoever writes next finds out what is wrong
        });
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

fn head_limits(listener: &LocalListener) -> HeadLimits {
    let limits = &listener.listener.config.limits;
    HeadLimits {
        head_bytes: limits.request_head_bytes,
        fields: limits.request_fields,
        uri_bytes: limits.uri_bytes,
    }
}
