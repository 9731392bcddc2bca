//! What is known about an exchange, from its first byte to its access record.
//!
//! Collected on the way and written when dropped, so that there is one record for each exchange whatever
//! became of it.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{Method, StatusCode, Uri, Version};
use weir_config::model::PoolId;

use super::failure::{CLIENT_CLOSED_REQUEST, EndCode, Failure};
use super::respond;
use crate::access_log::{Kind, Record, Times};
use crate::fields::Field;
use crate::head::RequestHead;
use crate::session::Session;
use crate::worker::local::{Lease, LocalListener, LocalPool, LocalServer, View};

/// One request and its response.
pub(crate) struct Exchange {
    session: Rc<Session>,
    listener: Rc<LocalListener>,
    /// The configuration that the whole exchange goes by.
    view: Option<Rc<View>>,
    began: Instant,
    client: SocketAddr,
    is_head: bool,
    is_grpc: bool,
    /// For the access log, if there is one.
    asked: Option<Box<Asked>>,
    pool: Option<Rc<LocalPool>>,
    server: Option<Rc<LocalServer>>,
    status: StatusCode,
    failure: Option<Failure>,
    retries: u8,
    received_bytes: u64,
    sent_bytes: u64,
    queue: Option<Duration>,
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    /// When the present attempt began.
    attempt_began: Instant,
}

/// What the client asked for, as it wrote it.
struct Asked {
    method: Method,
    uri: Uri,
    version: Version,
    host: Option<Bytes>,
    user_agent: Option<Bytes>,
    referer: Option<Bytes>,
}

impl Exchange {
    pub(crate) fn begin(session: &Rc<Session>, head: &RequestHead) -> Box<Self> {
        let mut exchange = Box::new(Self::new(session));
        exchange.is_head = head.method == Method::HEAD;
        exchange.is_grpc = respond::is_grpc(&head.fields);
        if !session.local.log.is_on() {
            return exchange;
        }
        let field = |field| head.fields.get(field).map(Bytes::copy_from_slice);
        exchange.asked = Some(Box::new(Asked {
            method: head.method.clone(),
            uri: head.target.clone(),
            version: head.version,
            host: field(Field::Host),
            user_agent: field(Field::UserAgent),
            referer: field(Field::Referer),
        }));
        exchange
    }

    fn new(session: &Rc<Session>) -> Self {
        let now = session.local.now();
        Self {
            listener: session.listener(),
            view: Some(session.local.view()),
            began: now,
            client: session.peer,
            is_head: false,
            is_grpc: false,
            asked: None,
            pool: None,
            server: None,
            status: CLIENT_CLOSED_REQUEST,
            failure: None,
            retries: 0,
            received_bytes: 0,
            sent_bytes: 0,
            queue: None,
            connect: None,
            first_byte: None,
            attempt_began: now,
            session: Rc::clone(session),
        }
    }

    /// A request that is refused before it is one.
    pub(crate) fn refused(session: &Rc<Session>, failure: Failure) -> Box<Self> {
        let mut exchange = Self::new(session);
        exchange.status = failure.status();
        exchange.failure = Some(failure);
        Box::new(exchange)
    }

    pub(crate) fn session(&self) -> &Rc<Session> {
        &self.session
    }

    pub(crate) fn listener(&self) -> Rc<LocalListener> {
        Rc::clone(&self.listener)
    }

    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }

    /// Whether failures are told as gRPC does.
    pub(crate) fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    /// Who asked, where a trusted proxy says so.
    pub(crate) fn client_is(&mut self, address: IpAddr) {
        if self.client.ip().to_canonical() != address {
            self.client = SocketAddr::new(address, 0);
        }
    }

    pub(crate) fn choose_pool(&mut self, id: PoolId) -> Rc<LocalPool> {
        let view = self.view.get_or_insert_with(|| self.session.local.view());
        let pool = Rc::clone(view.pool(id));
        pool.counters().exchanges.add(1);
        self.pool = Some(Rc::clone(&pool));
        pool
    }

    pub(crate) fn sent_to(&mut self, lease: &Lease) {
        self.server = Some(Rc::clone(&lease.server));
        self.attempt_began = self.session.local.now();
    }

    fn elapsed(&self) -> Duration {
        self.session.local.now() - self.began
    }

    pub(crate) fn queued(&mut self) {
        self.queue = Some(self.elapsed());
    }

    pub(crate) fn connected(&mut self) {
        self.connect = Some(self.session.local.now() - self.attempt_began);
    }

    pub(crate) fn first_byte(&mut self) {
        self.first_byte = Some(self.elapsed());
    }

    pub(crate) fn retries(&self) -> u8 {
        self.retries
    }

    pub(crate) fn retried(&mut self) {
        self.retries += 1;
    }

    /// The head of an answer is on its way to the client.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status;
    }

    /// So many bytes of the response's body are on their way to the client.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// So many bytes of the request's body came in all.
    pub(crate) fn received(&mut self, bytes: u64) {
        self.received_bytes = bytes;
    }

    /// What a tunnel moved.
    pub(crate) fn add_bytes(&mut self, received: u64, sent: u64) {
        self.received_bytes += received;
        self.sent_bytes += sent;
    }

    /// Why it did not go well; the first cause counts.
    pub(crate) fn failed(&mut self, failure: Failure) {
        self.failure.get_or_insert(failure);
    }

    /// Counts a failure of the present server, and reports it when there were enough in a row.
    pub(crate) fn server_failed(&self, failure: &Failure) {
        if let (Some(pool), Some(server)) = (&self.pool, &self.server) {
            pool.server_failed(server, &self.session.local.shared.events, failure);
        }
    }

    /// The client did not take the whole response.
    pub(crate) fn abandoned(&mut self) {
        let stuck = self.session.client_is_stuck();
        self.failed(if stuck { Failure::DownstreamStuck } else { Failure::DownstreamGone });
    }

    /// Nothing moved in its tunnel for too long.
    pub(crate) fn timed_out(&mut self) {
        self.failed(Failure::TunnelIdle);
    }

    /// Lets the configuration go that it began with.
    pub(crate) fn release_view(&mut self) {
        self.view = None;
    }

    fn count(&self, total: Duration) {
        let counters = self.listener.counters();
        counters.exchanges.add(1);
        counters.received_bytes.add(self.received_bytes);
        counters.sent_bytes.add(self.sent_bytes);
        match self.status.as_u16() {
            499 => counters.aborted.add(1),
            100..200 => counters.responses_1xx.add(1),
            200..300 => counters.responses_2xx.add(1),
            300..400 => counters.responses_3xx.add(1),
            400..500 => counters.responses_4xx.add(1),
            _ => counters.responses_5xx.add(1),
        }
        match &self.failure {
            Some(Failure::DownstreamMalformed(_) | Failure::DownstreamTarget) => counters.refused.add(1),
            Some(
                Failure::DownstreamHeadTimeout | Failure::DownstreamBodyTimeout | Failure::DownstreamStuck,
            ) => counters.timeouts.add(1),
            Some(Failure::DownstreamGone) if self.status != CLIENT_CLOSED_REQUEST => counters.aborted.add(1),
            Some(_) | None => {}
        }
        if let Some(pool) = &self.pool {
            let status = &pool.pool.status;
            status.exchange_seconds.of(pool.worker()).observe(total);
            if let Some(first_byte) = self.first_byte {
                status.first_byte_seconds.of(pool.worker()).observe(first_byte);
            }
        }
        if let (Some(server), Some(_)) = (&self.server, self.first_byte) {
            let counters = server.counters();
            counters.sent_bytes.add(self.received_bytes);
            counters.received_bytes.add(self.sent_bytes);
            match self.status.as_u16() {
                200..300 => counters.responses_2xx.add(1),
                300..400 => counters.responses_3xx.add(1),
                400..500 => counters.responses_4xx.add(1),
                500.. => counters.responses_5xx.add(1),
                _ => {}
            }
        }
    }

    fn log(&self, total: Duration) {
        let log = &self.session.local.log;
        if !log.is_on() {
            return;
        }
        let asked = self.asked.as_ref();
        let cause = self.failure.as_ref().map(ToString::to_string);
        log.log(&Record {
            kind: Kind::Http,
            started: SystemTime::now() - total,
            client: self.client,
            listener: &self.listener.listener.config.name,
            method: asked.map_or("-", |asked| asked.method.as_str()),
            host: asked.and_then(|asked| asked.host.as_ref()).map(Bytes::as_ref),
            target: asked.map_or(b"-", |asked| {
                let path = asked.uri.path_and_query().map(PathAndQuery::as_str);
                path.or_else(|| asked.uri.authority().map(Authority::as_str)).unwrap_or("/").as_bytes()
            }),
            version: asked.map_or(self.session.version(), |asked| asked.version),
            status: self.status.as_u16(),
            request_bytes: self.received_bytes,
            response_bytes: self.sent_bytes,
            pool: self.pool.as_ref().map(|pool| &*pool.pool.config.name),
            server: self.server.as_ref().map(|server| &*server.server.name),
            upstream: self.server.as_ref().and_then(|server| server.server.address),
            tls: self.session.tls().map(|tls| (tls.version, tls.cipher)),
            retries: u32::from(self.retries),
            times: Times {
                queue: self.queue,
                connect: self.connect,
                first_byte: self.first_byte,
                total: Some(total),
            },
            end: self.failure.as_ref().map_or(EndCode::OK, Failure::end_code).0,
            cause: cause.as_deref(),
            user_agent: asked.and_then(|asked| asked.user_agent.as_ref()).map(Bytes::as_ref),
            referer: asked.and_then(|asked| asked.referer.as_ref()).map(Bytes::as_ref),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.status == CLIENT_CLOSED_REQUEST && self.failure.is_none() {
            self.failure = Some(Failure::DownstreamGone); // nobody was left to answer to
        }
        let total = self.elapsed();
        self.count(total);
        self.log(total);
    }
}

/// Counts and logs a request that never became an exchange.
pub(crate) fn log_refused(session: &Rc<Session>, failure: Failure) {
    drop(Exchange::refused(session, failure));
}
