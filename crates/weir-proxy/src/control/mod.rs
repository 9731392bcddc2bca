//! The control loop: the one thread that writes what the workers read.
//!
//! [`Command`] is everything that the data plane can be told; [`Event`] is everything that it finds out by
//! itself. Both are taken one after the other, so a reload, an operator's wish and a failing check never
//! race.

mod apply;
mod checks;
mod names;
mod servers;
mod shares;
pub(crate) mod sockets;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use weir_config::Config;
use weir_config::health::ProbeResult;
use weir_config::model::Name;
use weir_config::tls::Tls;

pub use apply::{Applied, ApplyError};
pub use servers::{ServerChange, UnknownServer};

use self::checks::Checks;
use self::names::Names;
use self::servers::Servers;
use self::sockets::Sockets;
use crate::access_log::Writer;
use crate::shared::{Phase, Shared};
use crate::snapshot::Resolved;
use crate::worker::Mail;

/// Everything that the data plane can be told.
pub(crate) enum Command {
    /// Serve this configuration from now on, or change nothing and say why.
    Apply { config: Box<Config>, tls: Arc<Tls>, reply: oneshot::Sender<Result<Applied, ApplyError>> },
    /// Change what the operator wants of a server.
    SetServer {
        pool: String,
        server: String,
        change: ServerChange,
        reply: oneshot::Sender<Result<(), UnknownServer>>,
    },
    /// Accept no more and end every session with its exchange; the answer comes when none is left, or when
    /// the time for it is up.
    Drain { reply: oneshot::Sender<Drained> },
    /// End at once.
    Stop,
}

/// What the data plane finds out by itself.
pub(crate) enum Event {
    /// A worker saw too many failures of a server in a row.
    Eject { pool: Name, server: Name, cause: String },
    /// A probe has ended; the answer is when to send the next one.
    Probed { pool: Name, server: Name, result: ProbeResult, next: oneshot::Sender<Duration> },
    /// A name was looked up. `Err` says why it has no address.
    Resolved { name: String, addresses: Result<Vec<IpAddr>, String> },
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Sessions and flows that were still open when the time was up.
    pub sessions_left: u64,
}

/// How many commands and events wait for the loop; who finds it full waits.
pub(crate) const COMMANDS_MAX: usize = 64;
pub(crate) const EVENTS_MAX: usize = 4096;

/// How often ejections and slow starts are looked at, while there are any.
const TICK: Duration = Duration::from_millis(250);
/// How often a drain looks whether sessions are left.
const DRAIN_POLL: Duration = Duration::from_millis(20);

/// The state of the control loop.
pub(crate) struct Control {
    shared: Arc<Shared>,
    sockets: Sockets,
    servers: Servers,
    checks: Checks,
    names: Names,
    resolved: Resolved,
    log: Arc<Mutex<Writer>>,
    /// Pools in which time alone changes shares: an ejection ends, a slow start goes on.
    restless: HashSet<Name>,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>, log: Arc<Mutex<Writer>>) -> Self {
        Self {
            sockets: Sockets::default(),
            servers: Servers::default(),
            checks: Checks::new(shared.events.clone()),
            names: Names::new(shared.events.clone()),
            resolved: Resolved::default(),
            log,
            restless: HashSet::new(),
            shared,
        }
    }

    /// Takes commands and events until told to stop.
    pub(crate) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut events: mpsc::Receiver<Event>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    None | Some(Command::Stop) => break,
                    Some(command) => self.command(command).await,
                },
                Some(event) = events.recv() => {
                    let mut names_changed = self.event(event);
                    // What came in the same moment is taken together: one snapshot for a thousand names.
                    while let Ok(event) = events.try_recv() {
                        names_changed |= self.event(event);
                    }
                    if names_changed {
                        self.republish().await;
                    }
                }
                _ = tick.tick(), if !self.restless.is_empty() => self.pass_time(),
            }
        }
        self.tell_workers(|| Mail::Stop).await;
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Apply { config, tls, reply } => {
                let outcome = self.apply(*config, tls).await;
                let _ = reply.send(outcome); // nobody need be waiting
            }
            Command::SetServer { pool, server, change, reply } => {
                let outcome = self.set_server(&pool, &server, change).await;
                let _ = reply.send(outcome);
            }
            Command::Drain { reply } => {
                self.shared.set_phase(Phase::Draining);
                self.tell_workers(|| Mail::Drain).await;
                let bound = self.shared.snapshot.load().config.timeouts.drain;
                tokio::task::spawn_local(drained(Arc::clone(&self.shared), bound, reply));
            }
            Command::Stop => {}
        }
    }

    /// Takes an event; `true` when a name's addresses changed and a new snapshot is due.
    fn event(&mut self, event: Event) -> bool {
        let now = Instant::now();
        match event {
            Event::Eject { pool, server, cause } => {
                let snapshot = self.shared.snapshot.load_full();
                let Some(pool) = snapshot.pool(&pool) else { return false };
                if self.servers.eject(pool, &server, &cause, now) {
                    self.restless.insert(pool.config.name.clone());
                }
                false
            }
            Event::Probed { pool, server, result, next } => {
                let snapshot = self.shared.snapshot.load_full();
                let Some(pool) = snapshot.pool(&pool) else { return false };
                let Some((delay, changed)) = self.servers.probed(pool, &server, result, now) else {
                    return false;
                };
                let _ = next.send(delay); // the check may have been replaced meanwhile
                if changed && self.servers.publish(pool, now) {
                    self.restless.insert(pool.config.name.clone());
                }
                false
            }
            Event::Resolved { name, addresses } => self.names.learned(&mut self.resolved, name, addresses),
        }
    }

    /// Lets ejections end and slow starts go on.
    fn pass_time(&mut self) {
        let now = Instant::now();
        let snapshot = self.shared.snapshot.load_full();
        let servers = &mut self.servers;
        self.restless.retain(|name| snapshot.pool(name).is_some_and(|pool| servers.publish(pool, now)));
    }

    async fn tell_workers(&self, letter: impl Fn() -> Mail) {
        for mailbox in &self.shared.mailboxes {
            if mailbox.send(letter()).await.is_err() {
                tracing::error!("a worker is gone");
            }
        }
    }
}

/// Waits until no session and no flow is left, at most for `bound`.
async fn drained(shared: Arc<Shared>, bound: Duration, reply: oneshot::Sender<Drained>) {
    let until = Instant::now() + bound;
    let sessions_left = loop {
        let totals = shared.counters.totals();
        let sessions = totals.sessions.saturating_sub(totals.sessions_closed);
        let left = sessions + totals.flows.saturating_sub(totals.flows_closed);
        if left == 0 || Instant::now() >= until {
            break left;
        }
        tokio::time::sleep(DRAIN_POLL).await;
    };
    let _ = reply.send(Drained { sessions_left });
}
