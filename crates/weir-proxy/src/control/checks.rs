//! The active checks: one small task a server, on the control loop's thread.
//!
//! A probe's connection is its own and never one of traffic's.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use weir_config::health::{Machine, ProbeResult, ProbeTls, probe};
use weir_config::model::{Check, Name, PoolProtocol};
use weir_config::tls::PoolTls;

use super::Event;
use super::servers::Servers;
use crate::snapshot::Snapshot;

/// Probes that may be under way at once: ten thousand servers need no ten thousand sockets.
const PROBES_MAX: usize = 512;

/// The checks that run.
pub(super) struct Checks {
    running: HashMap<(Name, Name), Running>,
    events: mpsc::Sender<Event>,
    permits: Rc<Semaphore>,
}

struct Running {
    check: Check,
    protocol: PoolProtocol,
    address: SocketAddr,
    tls: Option<Arc<PoolTls>>,
    task: JoinHandle<()>,
}

impl Checks {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { running: HashMap::new(), events, permits: Rc::new(Semaphore::new(PROBES_MAX)) }
    }

    /// Starts the checks that `snapshot` wants, ends those that it doesn't, leaves the others alone.
    pub(super) fn reconcile(&mut self, snapshot: &Snapshot, servers: &Servers) {
        let mut old = std::mem::take(&mut self.running);
        for pool in &snapshot.pools {
            let Some(check) = &pool.config.check else { continue };
            let protocol = pool.config.protocol;
            for server in &pool.servers {
                let Some(address) = server.address else { continue };
                if !servers.is_checked(&pool.config.name, &server.name) {
                    continue;
                }
                let key = (pool.config.name.clone(), server.name.clone());
                let running = match old.remove(&key) {
                    Some(running)
                        if running.check == *check
                            && running.protocol == protocol
                            && running.address == address
                            && running.tls.as_ref().map(Arc::as_ptr)
                                == pool.tls.as_ref().map(Arc::as_ptr) =>
                    {
                        running
                    }
                    other => {
                        drop(other);
                        let host = server.config.address.to_string();
                        let tls = pool.tls.as_ref().and_then(|tls| {
                            Some(ProbeTls {
                                tls: Arc::clone(tls),
                                name: tls.name_of(&server.config.address)?,
                            })
                        });
                        let (key, check) = (key.clone(), check.clone());
                        let subject = Subject { key, check: check.clone(), protocol, address, host, tls };
                        let task = run(subject, self.events.clone(), Rc::clone(&self.permits));
                        let task = tokio::task::spawn_local(task);
                        Running { check, protocol, address, tls: pool.tls.clone(), task }
                    }
                };
                self.running.insert(key, running);
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whom a check looks at, and how.
struct Subject {
    key: (Name, Name),
    check: Check,
    protocol: PoolProtocol,
    address: SocketAddr,
    host: String,
    tls: Option<ProbeTls>,
}

async fn run(subject: Subject, events: mpsc::Sender<Event>, permits: Rc<Semaphore>) {
    let Subject { key: (pool, server), check, protocol, address, host, tls } = subject;
    let mut delay = Machine::first_delay(&check, fastrand::f64());
    loop {
        tokio::time::sleep(delay).await;
        let Ok(permit) = permits.acquire().await else { return };
        let began = Instant::now();
        let outcome = probe(&check, address, &host, protocol, tls.as_ref()).await;
        drop(permit);
        let took = began.elapsed();
        let result = ProbeResult { outcome, took, ended: SystemTime::now() };
        let (next, answer) = oneshot::channel();
        let event = Event::Probed { pool: pool.clone(), server: server.clone(), result, next };
        if events.send(event).await.is_err() {
            return;
        }
        let Ok(interval) = answer.await else { return };
        // From start to start, but never without a pause.
        delay = interval.saturating_sub(took).max(Duration::from_millis(10));
    }
}
