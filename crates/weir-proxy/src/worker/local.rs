//! What one worker has for itself: its view of the snapshot, its balancers, its idle upstream connections.
//!
//! Everything here is `Rc` and `Cell`: a worker is one thread. A request asks for the [`View`] once; that
//! compares one pointer with the published snapshot and, when nothing changed, touches no shared cache line.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Cache;
use tokio::sync::mpsc;
use weir_config::model::{Balance, PoolId};

use super::deadline::Deadlines;
use super::sessions::Sessions;
use crate::access_log::Sink;
use crate::balancer::{Balancer, Members, PickKey};
use crate::control::Event;
use crate::exchange::failure::Failure;
use crate::http1::DateCache;
use crate::retry::{self, Attempt, Budget, Decision, Reason};
use crate::shared::Shared;
use crate::snapshot::{Listener, Pool, Server, Snapshot};
use crate::stats::{ListenerCounters, PoolCounters, ServerCounters, WorkerCounters};
use crate::upstream::http2::Connections;
use crate::upstream::idle::Idle;
use crate::wire::{Arena, Outgoing, Pipes};

/// What one worker has for itself.
pub(crate) struct Local {
    /// Which worker this is, from 0.
    pub(crate) id: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) deadlines: Rc<Deadlines>,
    pub(crate) log: Sink,
    /// Where sessions read to: they have no buffers of their own.
    pub(crate) arena: Arena,
    /// Through which the kernel moves what is much.
    pub(crate) pipes: Pipes,
    /// What whoever writes takes, and puts back: empty at both times.
    outgoing: Cell<Outgoing>,
    pub(crate) date: DateCache,
    /// When the task that runs now was woken.
    now: Cell<Instant>,
    now_micros: Cell<u64>,
    start: Instant,
    pub(crate) sessions: Sessions,
    /// When the limit on sessions was last found reached.
    pub(crate) limit_reached: Cell<Option<Instant>>,
    /// What the HTTP/2 connection of this turn gathers its frames in, and puts back: empty at both times.
    pub(crate) gathered: Cell<Vec<u8>>,
    /// The fields of all HTTP/2 requests under way.
    pub(crate) http2_header_bytes: Cell<u64>,
    /// No new exchange on kept connections: every session ends with its exchange.
    draining: Cell<bool>,
    /// Wakes the sessions when `draining` is set or a listener went away.
    pub(crate) attention: tokio::sync::Notify,
    cache: RefCell<Cache<Arc<arc_swap::ArcSwap<Snapshot>>, Arc<Snapshot>>>,
    view: RefCell<Rc<View>>,
}

/// A snapshot as one worker uses it.
pub(crate) struct View {
    pub(crate) generation: u64,
    /// This worker's part of the limit on the fields of HTTP/2 requests under way.
    pub(crate) http2_header_bytes_max: u64,
    listeners: Vec<Rc<LocalListener>>,
    pools: Vec<Rc<LocalPool>>,
}

/// A listener as one worker uses it.
pub(crate) struct LocalListener {
    pub(crate) listener: Arc<Listener>,
    worker: usize,
}

/// A pool as one worker uses it.
pub(crate) struct LocalPool {
    pub(crate) pool: Arc<Pool>,
    pub(crate) servers: Vec<Rc<LocalServer>>,
    pub(crate) budget: Budget,
    balancer: RefCell<Box<dyn Balancer>>,
    shares_seen: Cell<u64>,
    worker: usize,
}

/// A server as one worker uses it.
pub(crate) struct LocalServer {
    pub(crate) server: Arc<Server>,
    /// Connections of this worker that wait for their next exchange.
    pub(crate) idle: Idle,
    /// Connections of this worker that its exchanges share, if the server speaks HTTP/2.
    pub(crate) http2: Connections,
    worker: usize,
}

/// A place at a server: one exchange in flight. Given back when dropped.
pub(crate) struct Lease {
    pub(crate) server: Rc<LocalServer>,
    pub(crate) pool: Rc<LocalPool>,
}

impl Local {
    pub(crate) fn new(id: usize, shared: Arc<Shared>, log: Sink) -> Self {
        let start = Instant::now();
        let mut cache = Cache::new(Arc::clone(&shared.snapshot));
        let view = View::new(id, shared.mailboxes.len(), cache.load(), None);
        Self {
            id,
            shared,
            deadlines: Rc::default(),
            log,
            arena: Arena::default(),
            pipes: Pipes::default(),
            outgoing: Cell::default(),
            date: DateCache::default(),
            now: Cell::new(start),
            now_micros: Cell::new(0),
            start,
            sessions: Sessions::default(),
            limit_reached: Cell::new(None),
            gathered: Cell::default(),
            http2_header_bytes: Cell::new(0),
            draining: Cell::new(false),
            attention: tokio::sync::Notify::new(),
            cache: RefCell::new(cache),
            view: RefCell::new(Rc::new(view)),
        }
    }

    /// When the session that runs now was woken: one look at the clock serves all that it then does, which
    /// is done within microseconds.
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    /// Gathers with `work` what is to be written, and writes it to nobody else: nothing is left in it for the
    /// next.
    pub(crate) fn with_outgoing<T>(&self, work: impl FnOnce(&mut Outgoing) -> T) -> T {
        let mut out = self.outgoing.take();
        let outcome = work(&mut out);
        if out.is_empty() {
            self.outgoing.set(out); // with its memory; one that was not written goes
        }
        outcome
    }

    /// [`now`](Self::now) as microseconds since the worker's start.
    pub(crate) fn now_micros(&self) -> u64 {
        self.now_micros.get()
    }

    /// The instant that this many microseconds after the worker's start is.
    pub(crate) fn instant_of(&self, micros: u64) -> Instant {
        self.start + Duration::from_micros(micros)
    }

    /// Looks at the clock.
    pub(crate) fn tick(&self) {
        let now = Instant::now();
        self.now.set(now);
        self.now_micros.set(now.saturating_duration_since(self.start).as_micros() as u64);
    }

    /// The configuration in force now.
    pub(crate) fn view(&self) -> Rc<View> {
        let mut cache = self.cache.borrow_mut();
        let snapshot = cache.load();
        let mut view = self.view.borrow_mut();
        if snapshot.generation != view.generation {
            *view = Rc::new(View::new(self.id, self.shared.mailboxes.len(), snapshot, Some(&view)));
        }
        Rc::clone(&view)
    }

    /// Whether sessions end with their exchange because the process is about to stop.
    pub(crate) fn draining(&self) -> bool {
        self.draining.get()
    }

    pub(crate) fn drain(&self) {
        self.draining.set(true);
        self.attention.notify_waiters();
    }

    /// The most sessions that this worker may have at once.
    pub(crate) fn sessions_max(&self) -> u64 {
        self.shared.sessions_max().div_ceil(self.shared.mailboxes.len() as u64)
    }

    /// Counts a session that a defect ends; to be asked in the drop of what it is served with.
    pub(crate) fn note_panic(&self) {
        if std::thread::panicking() {
            self.counters().panics.add(1);
            tracing::error!(worker = self.id, "a session ended by a defect in Weir; please report it");
        }
    }

    pub(crate) fn counters(&self) -> &WorkerCounters {
        self.shared.counters.of(self.id)
    }
}

impl View {
    fn new(worker: usize, workers: usize, snapshot: &Arc<Snapshot>, previous: Option<&View>) -> Self {
        let old: HashMap<&str, &Rc<LocalPool>> = previous
            .into_iter()
            .flat_map(|view| &view.pools)
            .map(|pool| (&*pool.pool.config.name, pool))
            .collect();
        Self {
            generation: snapshot.generation,
            http2_header_bytes_max: snapshot.config.limits.http2_header_bytes.div_ceil(workers as u64),
            listeners: snapshot
                .listeners
                .iter()
                .map(|listener| Rc::new(LocalListener { listener: Arc::clone(listener), worker }))
                .collect(),
            pools: snapshot
                .pools
                .iter()
                .map(|pool| LocalPool::take_over(worker, workers, pool, old.get(&*pool.config.name).copied()))
                .collect(),
        }
    }

    /// The listener of this name; `None` when it was removed.
    pub(crate) fn listener(&self, name: &str) -> Option<&Rc<LocalListener>> {
        self.listeners.iter().find(|listener| &*listener.listener.config.name == name)
    }

    /// Whether the pool of this name still has this server, at the same address.
    pub(crate) fn has_server(&self, pool: &str, server: &Server) -> bool {
        let pool = self.pools.iter().find(|known| *known.pool.config.name == *pool);
        let known = pool.and_then(|pool| pool.pool.server(&server.name));
        known.is_some_and(|known| known.address == server.address)
    }

    pub(crate) fn pool(&self, id: PoolId) -> &Rc<LocalPool> {
        &self.pools[id.0]
    }

    /// Closes the idle connections to servers that nobody has used for too long.
    pub(crate) fn sweep_idle(&self) {
        for server in self.pools.iter().flat_map(|pool| &pool.servers) {
            server.idle.sweep();
            server.http2.sweep();
        }
    }
}

impl LocalListener {
    pub(crate) fn counters(&self) -> &ListenerCounters {
        self.listener.status.counters.of(self.worker)
    }
}

impl LocalPool {
    fn take_over(worker: usize, workers: usize, pool: &Arc<Pool>, old: Option<&Rc<Self>>) -> Rc<Self> {
        if let Some(old) = old
            && Arc::ptr_eq(&old.pool, pool)
        {
            return Rc::clone(old);
        }
        let old_servers: HashMap<&str, &Rc<LocalServer>> =
            old.into_iter().flat_map(|old| &old.servers).map(|s| (&*s.server.name, s)).collect();
        let same_way = old.is_some_and(|old| {
            let tls = |pool: &Pool| pool.tls.as_ref().map(Arc::as_ptr);
            tls(&old.pool) == tls(pool)
                && old.pool.config.protocol == pool.config.protocol
                && old.pool.config.proxy_protocol == pool.config.proxy_protocol
        });
        let timeouts = &pool.config.timeouts;
        let idle_max = (pool.config.limits.idle_connections as usize).div_ceil(workers);
        let servers = pool.servers.iter().map(|server| {
            // Connections to another address, or opened in another way, are of no use.
            let old =
                old_servers.get(&*server.name).filter(|old| same_way && old.server.address == server.address);
            let idle = old.map_or_else(Idle::default, |old| old.idle.share());
            idle.configure(timeouts.keep_alive, idle_max);
            let http2 = old.map_or_else(Connections::default, |old| old.http2.share());
            http2.configure(&pool.config, workers);
            Rc::new(LocalServer { server: Arc::clone(server), idle, http2, worker })
        });
        let servers: Vec<_> = servers.collect();
        let shares = pool.status.shares_version();
        let candidates = Candidates { servers: &servers, tried: &[] };
        let balancer = pool.prepared.balancer(&candidates, fastrand::u64(..));
        Rc::new(Self {
            servers,
            budget: Budget::new(&pool.config.retries),
            balancer: RefCell::new(balancer),
            shares_seen: Cell::new(shares),
            pool: Arc::clone(pool),
            worker,
        })
    }

    /// Takes a place at a server that has not been tried yet; `None` when none admits.
    pub(crate) fn pick(self: &Rc<Self>, key: &PickKey<'_>, tried: &[usize]) -> Option<(usize, Lease)> {
        let candidates = Candidates { servers: &self.servers, tried };
        let mut balancer = self.balancer.borrow_mut();
        let shares = self.pool.status.shares_version();
        if self.shares_seen.get() != shares {
            balancer.members_changed(&candidates);
            self.shares_seen.set(shares);
        }
        // Another worker may take the last place between the look and the grip; then look again.
        for _ in 0..=self.servers.len() {
            let index = balancer.pick(key, &candidates)?;
            let server = &self.servers[index];
            if server.server.status.enter(server.server.config.max_connections) {
                return Some((index, Lease { server: Rc::clone(server), pool: Rc::clone(self) }));
            }
        }
        None
    }

    /// Whether any server takes exchanges at all, however busy it is.
    pub(crate) fn has_usable_server(&self) -> bool {
        self.servers.iter().any(|server| server.server.status.share() > 0)
    }

    /// Whether something that failed may be sent again, to another server; counts what is decided.
    pub(crate) fn may_retry(&self, attempt: &Attempt) -> bool {
        let decision = retry::decide(attempt, &self.budget);
        match decision {
            Decision::Retry => self.counters().retries.add(1),
            Decision::GiveUp(Reason::Budget) => self.counters().retries_denied.add(1),
            Decision::GiveUp(Reason::Unsafe | Reason::BodyGone | Reason::Attempts) => {}
        }
        decision == Decision::Retry
    }

    /// Counts a failure of one of its servers, and reports it when there were enough in a row.
    pub(crate) fn server_failed(
        &self,
        server: &LocalServer,
        events: &mpsc::Sender<Event>,
        failure: &Failure,
    ) {
        server.counters().failures.add(1);
        let (pool, server) = (&self.pool.config, &server.server);
        let in_a_row = server.status.failed();
        tracing::debug!(pool = %pool.name, server = %server.name, in_a_row, cause = %failure, "server failed");
        if pool.ejection.failures > 0 && in_a_row >= pool.ejection.failures {
            let event = Event::Eject {
                pool: pool.name.clone(),
                server: server.name.clone(),
                cause: failure.to_string(),
            };
            // A full mailbox loses this report; the next failure reports again.
            let _ = events.try_send(event);
        }
    }

    pub(crate) fn counters(&self) -> &PoolCounters {
        self.pool.status.counters.of(self.worker)
    }

    /// Whether the balancer looks at a request's fields.
    pub(crate) fn needs_fields(&self) -> bool {
        matches!(self.pool.config.balance, Balance::HeaderHash(_))
    }

    pub(crate) fn worker(&self) -> usize {
        self.worker
    }
}

impl LocalServer {
    pub(crate) fn counters(&self) -> &ServerCounters {
        self.server.status.counters.of(self.worker)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.server.server.status.leave();
        self.pool.pool.status.queue.wake_one();
    }
}

/// A pool's servers as its balancer sees them for one exchange.
struct Candidates<'a> {
    servers: &'a [Rc<LocalServer>],
    tried: &'a [usize],
}

impl Members for Candidates<'_> {
    fn len(&self) -> usize {
        self.servers.len()
    }

    fn share(&self, index: usize) -> u32 {
        self.servers[index].server.status.share()
    }

    fn in_flight(&self, index: usize) -> u32 {
        self.servers[index].server.status.in_flight()
    }

    fn admits(&self, index: usize) -> bool {
        let server = &self.servers[index].server;
        server.status.in_flight() < server.config.max_connections && !self.tried.contains(&index)
    }

    fn identity(&self, index: usize) -> u64 {
        self.servers[index].server.identity
    }

    fn ring_weight(&self, index: usize) -> u32 {
        self.servers[index].server.status.ring_weight()
    }
}
