//! A worker: one pinned thread with a runtime, sockets, sessions and counters of its own.
//!
//! The control loop talks to it through its mailbox alone. Nothing here waits for another worker.

mod accept;
pub(crate) mod deadline;
pub(crate) mod local;
mod sessions;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use weir_config::model::Name;

use self::accept::Acceptor;
use self::local::Local;
use self::sessions::Sessions;
use crate::access_log::Sink;
use crate::control::sockets::SocketKey;
use crate::shared::Shared;
use crate::udp::Receiver;

/// What a worker can be told.
pub(crate) enum Mail {
    /// Accept from this socket, for the listener of this name.
    Listen { key: SocketKey, listener: Name, socket: std::net::TcpListener },
    /// Receive datagrams from this socket, for the listener of this name.
    Receive { key: SocketKey, listener: Name, socket: std::net::UdpSocket },
    /// The socket belongs to the listener of this name from now on.
    Reassign { key: SocketKey, listener: Name },
    /// Accept what has already connected, then close the socket. Flows end at once.
    Unlisten { key: SocketKey },
    /// A connection that another worker accepted.
    Adopt { listener: Name, socket: std::net::TcpStream, peer: SocketAddr },
    /// A new snapshot was published.
    Refresh,
    /// Accept no more; end every session with its exchange.
    Drain,
    /// End the thread now.
    Stop,
}

/// How many letters a mailbox holds. Who finds it full waits (the control loop) or keeps its connection (a
/// worker that would have handed it over).
pub(crate) const MAILBOX_MAX: usize = 1024;

/// How often the access log is handed to its writer.
const HOUSEKEEPING_INTERVAL: Duration = Duration::from_millis(200);
/// How often idle upstream connections are looked at.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Starts worker `id`, on core `core` if one is given.
pub(crate) fn spawn(
    id: usize,
    core: Option<usize>,
    shared: Arc<Shared>,
    mailbox: mpsc::Receiver<Mail>,
    log: Sink,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(format!("weir-worker-{id}")).spawn(move || {
        if let Some(core) = core {
            let mut set = CpuSet::new();
            set.set(core);
            if let Err(error) = sched_setaffinity(None, &set) {
                tracing::warn!(worker = id, core, %error, "worker not pinned");
            }
        }
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime needs one epoll and one eventfd; without them nothing can be served");
        runtime.block_on(run(id, shared, mailbox, log));
    })
}

async fn run(id: usize, shared: Arc<Shared>, mut mailbox: mpsc::Receiver<Mail>, log: Sink) {
    let local = Rc::new(Local::new(id, shared, log));
    tokio::task::spawn_local(Rc::clone(&local.deadlines).drive());
    tokio::task::spawn_local(housekeeping(Rc::clone(&local)));
    let mut acceptors: HashMap<SocketKey, Acceptor> = HashMap::new();
    let mut receivers: HashMap<SocketKey, Receiver> = HashMap::new();
    while let Some(mail) = mailbox.recv().await {
        match mail {
            Mail::Listen { key, listener, socket } => {
                match Acceptor::start(Rc::clone(&local), listener, socket) {
                    Ok(acceptor) => drop(acceptors.insert(key, acceptor)),
                    Err(error) => tracing::error!(bind = %key, %error, "socket not taken over"),
                }
            }
            Mail::Receive { key, listener, socket } => {
                match Receiver::start(Rc::clone(&local), listener, socket) {
                    Ok(receiver) => drop(receivers.insert(key, receiver)),
                    Err(error) => tracing::error!(bind = %key, %error, "socket not taken over"),
                }
            }
            Mail::Reassign { key, listener } => {
                if let Some(receiver) = receivers.get(&key) {
                    receiver.reassign(listener.clone());
                }
                if let Some(acceptor) = acceptors.get(&key) {
                    acceptor.reassign(listener);
                }
            }
            Mail::Unlisten { key } => drop((acceptors.remove(&key), receivers.remove(&key))),
            Mail::Adopt { listener, socket, peer } => accept::begin(&local, &listener, socket, peer),
            Mail::Refresh => {
                local.view(); // lets the old snapshot go, even if no request comes
                local.attention.notify_waiters();
                let bound = local.shared.snapshot.load().config.timeouts.drain;
                Sessions::cut_removed(&local, bound);
            }
            Mail::Drain => {
                acceptors.clear(); // receivers stay: flows under way get their last answers
                local.drain();
            }
            Mail::Stop => break,
        }
    }
    local.log.flush();
}

async fn housekeeping(local: Rc<Local>) {
    let mut tick = tokio::time::interval(HOUSEKEEPING_INTERVAL);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut swept = Instant::now();
    loop {
        tick.tick().await;
        local.log.flush();
        if swept.elapsed() >= SWEEP_INTERVAL {
            local.view().sweep_idle();
            swept = Instant::now();
        }
    }
}
