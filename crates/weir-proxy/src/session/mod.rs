//! A session: one client connection and everything that happens on it.

pub(crate) mod http;
pub(crate) mod tunnel;
pub(crate) mod watchdog;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::Context;
use std::time::Duration;

use self::tunnel::Tunnel;
use self::watchdog::{Wait, Watchdog};
use crate::framing::{Advance, HeadLimits, Progress, RequestFraming, Violation};
use crate::guarded::Side;
use crate::worker::local::{Local, LocalListener};

/// One client connection.
pub(crate) struct Session {
    pub(crate) local: Rc<Local>,
    pub(crate) peer: SocketAddr,
    pub(crate) watchdog: Watchdog,
    /// As of the last exchange's snapshot.
    listener: RefCell<Rc<LocalListener>>,
    listener_generation: Cell<u64>,
    /// The listener is gone from the configuration: the session ends with its exchange.
    orphaned: Cell<bool>,
    /// From the head of a request until the last byte of its response is written.
    in_flight: Cell<bool>,
    /// The response's body has been handed to hyper, to the last byte.
    response_given: Cell<bool>,
    exchanges: Cell<u64>,
    /// What was wrong with a head that hyper was not shown: the session answers.
    head_refused: Cell<Option<Violation>>,
    /// What was wrong with a body that is under way: the exchange answers.
    body_refused: Cell<Option<Violation>>,
    /// The client took nothing of the response for too long.
    client_stuck: Cell<bool>,
    /// What the session becomes when its 101 is written.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
    /// How long a server may leave bytes untaken: the present exchange's pool says.
    server_reads: Cell<Duration>,
}

impl Session {
    fn new(local: Rc<Local>, listener: Rc<LocalListener>, peer: SocketAddr) -> Self {
        Self {
            watchdog: Watchdog::new(&local.deadlines),
            listener_generation: Cell::new(local.view().generation),
            local,
            peer,
            listener: RefCell::new(listener),
            orphaned: Cell::new(false),
            in_flight: Cell::new(false),
            response_given: Cell::new(false),
            exchanges: Cell::new(0),
            head_refused: Cell::new(None),
            body_refused: Cell::new(None),
            client_stuck: Cell::new(false),
            tunnel: RefCell::new(None),
            server_reads: Cell::new(Duration::ZERO),
        }
    }

    /// The listener as the configuration in force has it, or as it last was when it has been removed.
    pub(crate) fn listener(&self) -> Rc<LocalListener> {
        let view = self.local.view();
        if self.listener_generation.get() != view.generation {
            self.listener_generation.set(view.generation);
            let mut listener = self.listener.borrow_mut();
            match view.listener(&listener.listener.config.name) {
                Some(now) => *listener = Rc::clone(now),
                None => self.orphaned.set(true),
            }
        }
        Rc::clone(&self.listener.borrow())
    }

    /// Whether the session ends with the present exchange.
    pub(crate) fn is_last_exchange(&self) -> bool {
        self.orphaned.get()
            || self.local.draining()
            || self.exchanges.get() >= self.listener.borrow().listener.config.limits.requests_per_connection
    }

    /// Whether the session is to end as soon as it is idle.
    fn should_end(&self) -> bool {
        self.listener();
        self.orphaned.get() || self.local.draining()
    }

    /// A request's head is whole: it is an exchange from now on.
    fn exchange_begins(&self) {
        self.in_flight.set(true);
        self.response_given.set(false);
        self.exchanges.set(self.exchanges.get() + 1);
        self.watchdog.clear();
    }

    /// hyper has the last byte of the response; it is written when hyper flushes next.
    pub(crate) fn response_given(&self) {
        self.response_given.set(true);
    }

    /// What was wrong with the request's body, if anything.
    pub(crate) fn body_refused(&self) -> Option<Violation> {
        self.body_refused.get()
    }

    /// Whether the session ends because the client took nothing of the response for too long.
    pub(crate) fn client_is_stuck(&self) -> bool {
        self.client_stuck.get()
    }

    pub(crate) fn set_server_reads(&self, timeout: Duration) {
        self.server_reads.set(timeout);
    }

    pub(crate) fn server_reads(&self) -> Duration {
        self.server_reads.get()
    }

    fn is_idle(&self) -> bool {
        !self.in_flight.get()
    }
}

/// The client's side of a guarded socket.
struct Downstream {
    session: Rc<Session>,
    framing: RequestFraming,
    /// The head of the present request has gone on, its body has not ended.
    in_body: bool,
}

/// How long an idle session keeps its buffers.
const PARK_AFTER: Duration = Duration::from_secs(1);

impl Downstream {
    fn new(session: Rc<Session>) -> Self {
        let listener = session.listener();
        let limits = &listener.listener.config.limits;
        let head = HeadLimits {
            head_bytes: limits.request_head_bytes,
            fields: limits.request_fields,
            uri_bytes: limits.uri_bytes,
        };
        Self { framing: RequestFraming::new(head, limits.request_body_bytes), in_body: false, session }
    }
}

impl Side for Downstream {
    fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Violation> {
        let advance = self.framing.advance(bytes)?;
        if advance.pass > 0 {
            if !self.in_body {
                self.session.exchange_begins();
            }
            self.in_body = advance.progress == Progress::Body;
        }
        Ok(advance)
    }

    fn at_boundary(&self) -> bool {
        self.framing.at_boundary()
    }

    /// Requests that were sent ahead wait until the response before them is written.
    fn admits_next(&self) -> bool {
        !self.session.in_flight.get()
    }

    fn head_pending(&self, pending: bool) {
        let watchdog = &self.session.watchdog;
        if pending {
            watchdog.end(Wait::KeepAlive);
            watchdog.end(Wait::Park);
            let timeout = self.session.listener.borrow().listener.config.timeouts.request_head;
            watchdog.begin(Wait::RequestHead, timeout);
        } else {
            watchdog.end(Wait::RequestHead);
        }
    }

    fn ended(&mut self) -> Result<(), Violation> {
        self.framing.eof()
    }

    fn refused(&self, violation: Violation) {
        let refused = if self.in_body { &self.session.body_refused } else { &self.session.head_refused };
        refused.set(Some(violation));
    }

    fn write_blocked(&self, blocked: bool) {
        let watchdog = &self.session.watchdog;
        if blocked {
            let timeout = self.session.listener.borrow().listener.config.timeouts.body_idle;
            watchdog.begin(Wait::ClientReads, timeout);
        } else {
            watchdog.end(Wait::ClientReads);
        }
    }

    fn flushed(&self, cx: &Context<'_>) {
        let session = &self.session;
        if session.in_flight.get() && session.response_given.get() {
            session.in_flight.set(false);
            session.watchdog.clear();
            let timeouts = &session.listener.borrow().listener.config.timeouts;
            session.watchdog.begin(Wait::KeepAlive, timeouts.keep_alive);
            session.watchdog.begin(Wait::Park, PARK_AFTER);
            // A request that was sent ahead is in the stash, where no event will announce it.
            cx.waker().wake_by_ref();
        }
    }
}
