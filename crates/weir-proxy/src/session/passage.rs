//! What is known of a TCP connection or a UDP flow that is passed on, from its beginning to its access record.
//!
//! Collected on the way and written when dropped, as for an [`Exchange`](crate::exchange::Exchange), so that
//! there is one record for each whatever became of it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use http::Version;

use crate::access_log::{Kind, Record, Times};
use crate::exchange::failure::{EndCode, Failure};
use crate::worker::local::{Lease, Local, LocalListener, LocalPool, LocalServer};

/// One connection or flow.
pub(crate) struct Passage {
    local: Rc<Local>,
    listener: Rc<LocalListener>,
    kind: Kind,
    client: SocketAddr,
    began: Instant,
    pub(crate) server_name: Option<Box<str>>,
    /// The version and the cipher of TLS that ends here.
    pub(crate) tls: Option<(&'static str, &'static str)>,
    pool: Option<Rc<LocalPool>>,
    server: Option<Rc<LocalServer>>,
    /// How it ended; `None` until it has.
    end: Option<Result<(), Failure>>,
    pub(crate) retries: u8,
    pub(crate) received_bytes: u64,
    pub(crate) sent_bytes: u64,
    queue: Option<Duration>,
    connect: Option<Duration>,
    attempt_began: Instant,
}

impl Passage {
    pub(crate) fn begin(
        local: &Rc<Local>,
        listener: &Rc<LocalListener>,
        kind: Kind,
        client: SocketAddr,
    ) -> Self {
        let now = local.now();
        Self {
            local: Rc::clone(local),
            listener: Rc::clone(listener),
            kind,
            client,
            began: now,
            server_name: None,
            tls: None,
            pool: None,
            server: None,
            end: None,
            retries: 0,
            received_bytes: 0,
            sent_bytes: 0,
            queue: None,
            connect: None,
            attempt_began: now,
        }
    }

    /// The listener, as it was when it began.
    pub(crate) fn listener(&self) -> &Rc<LocalListener> {
        &self.listener
    }

    pub(crate) fn routed_to(&mut self, pool: &Rc<LocalPool>) {
        pool.counters().exchanges.add(1);
        self.pool = Some(Rc::clone(pool));
    }

    pub(crate) fn sent_to(&mut self, lease: &Lease) {
        lease.server.counters().exchanges.add(1);
        self.server = Some(Rc::clone(&lease.server));
        self.attempt_began = self.local.now();
    }

    pub(crate) fn queued(&mut self) {
        self.queue = Some(self.local.now() - self.began);
    }

    pub(crate) fn connected(&mut self) {
        self.connect = Some(self.local.now() - self.attempt_began);
    }

    /// It is over.
    pub(crate) fn ended(&mut self, outcome: Result<(), Failure>) {
        self.end = Some(outcome);
    }

    fn count(&self, failure: Option<&Failure>) {
        let counters = self.listener.counters();
        counters.received_bytes.add(self.received_bytes);
        counters.sent_bytes.add(self.sent_bytes);
        match failure {
            Some(Failure::DownstreamHello) => counters.refused.add(1),
            Some(Failure::DownstreamHelloTimeout) => counters.timeouts.add(1),
            Some(Failure::DownstreamGone) => counters.aborted.add(1),
            Some(_) | None => {}
        }
        if let Some(server) = &self.server {
            let counters = server.counters();
            counters.sent_bytes.add(self.received_bytes);
            counters.received_bytes.add(self.sent_bytes);
        }
    }
}

impl Drop for Passage {
    fn drop(&mut self) {
        let failure = match self.end.take() {
            Some(outcome) => outcome.err(),
            None => Some(Failure::LocalCut),
        };
        self.count(failure.as_ref());
        let log = &self.local.log;
        if !log.is_on() {
            return;
        }
        let total = self.local.now() - self.began;
        let cause = failure.as_ref().map(ToString::to_string);
        log.log(&Record {
            kind: self.kind,
            started: SystemTime::now() - total,
            client: self.client,
            listener: &self.listener.listener.config.name,
            method: "-",
            tls: self.tls,
            host: self.server_name.as_deref().map(str::as_bytes),
            target: b"-",
            version: Version::HTTP_11,
            status: 0,
            request_bytes: self.received_bytes,
            response_bytes: self.sent_bytes,
            pool: self.pool.as_ref().map(|pool| &*pool.pool.config.name),
            server: self.server.as_ref().map(|server| &*server.server.name),
            upstream: self.server.as_ref().and_then(|server| server.server.address),
            retries: u32::from(self.retries),
            times: Times { queue: self.queue, connect: self.connect, first_byte: None, total: Some(total) },
            end: failure.as_ref().map_or(EndCode::OK, Failure::end_code).0,
            cause: cause.as_deref(),
            user_agent: None,
            referer: None,
        });
    }
}
