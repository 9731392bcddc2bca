//! The handle to the data plane: starts its threads, sends its commands, shows its state.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use weir_config::Config;
use weir_config::model::Workers;
use weir_config::tls::Tls;

use crate::access_log::{Counts, Output, Writer};
use crate::control::{
    Applied, ApplyError, COMMANDS_MAX, Command, Control, Drained, EVENTS_MAX, ServerChange, UnknownServer,
};
use crate::shared::{Phase, Shared};
use crate::snapshot::{Resolved, Snapshot, compile};
use crate::stats::{PerWorker, WorkerCounters};
use crate::worker;

/// The running data plane.
pub struct Proxy {
    shared: Arc<Shared>,
    commands: mpsc::Sender<Command>,
    threads: Vec<JoinHandle<()>>,
    log: Arc<Mutex<Writer>>,
}

/// Why the data plane could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The first configuration can't be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The kernel gives no thread, or the log can't be opened.
    #[error("can't start: {0}")]
    System(#[from] io::Error),
}

/// How long the access log may take to write what it still holds at the end.
const LOG_FINISH: Duration = Duration::from_secs(2);

impl Proxy {
    /// Starts the workers and applies `config`, with what its files have.
    ///
    /// # Errors
    /// See [`StartError`]; nothing is left running then but idle threads.
    pub async fn start(config: Config, tls: Arc<Tls>) -> Result<Self, StartError> {
        raise_file_limit();
        let cores = cores();
        let workers = match config.workers {
            Workers::Auto => cores.len(),
            Workers::Count(count) => usize::from(count.get()),
        };
        // Pinned only where each has a core of its own.
        let pinned = workers <= cores.len();
        let (mailboxes, letters): (Vec<_>, Vec<_>) =
            (0..workers).map(|_| mpsc::channel(worker::MAILBOX_MAX)).unzip();
        let (events, events_in) = mpsc::channel(EVENTS_MAX);
        let (commands, commands_in) = mpsc::channel(COMMANDS_MAX);
        let (log, sinks) = Writer::start(&config.log, Output::open(&config.log.access)?, workers)?;
        let log = Arc::new(Mutex::new(log));
        let nothing = Config { listeners: Vec::new(), pools: Vec::new(), ..config.clone() };
        let empty = compile(&Arc::new(nothing), &Arc::default(), &Resolved::default(), None, workers);
        let shared = Arc::new(Shared::new(empty, mailboxes, events));
        let mut threads = Vec::with_capacity(workers + 1);
        for (id, (mailbox, sink)) in letters.into_iter().zip(sinks).enumerate() {
            let core = pinned.then(|| cores[id]);
            threads.push(worker::spawn(id, core, Arc::clone(&shared), mailbox, sink)?);
        }
        threads.push(spawn_control(Arc::clone(&shared), Arc::clone(&log), commands_in, events_in)?);
        let proxy = Self { shared, commands, threads, log };
        let applied = proxy.apply(config, tls).await;
        match applied {
            Ok(_) => Ok(proxy),
            Err(error) => {
                proxy.stop();
                Err(error.into())
            }
        }
    }

    /// Serves `config` from now on, with what its files have, all of it, or nothing of it and says why.
    ///
    /// # Errors
    /// See [`ApplyError`]; what served before still does.
    pub async fn apply(&self, config: Config, tls: Arc<Tls>) -> Result<Applied, ApplyError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.commands.send(Command::Apply { config: Box::new(config), tls, reply }).await;
        match (sent, answer.await) {
            (Ok(()), Ok(outcome)) => outcome,
            _ => Err(ApplyError::Draining),
        }
    }

    /// Changes what the operator wants of a server.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn set_server(
        &self,
        pool: &str,
        server: &str,
        change: ServerChange,
    ) -> Result<(), UnknownServer> {
        let (reply, answer) = oneshot::channel();
        let (pool, server) = (pool.to_owned(), server.to_owned());
        let unknown = UnknownServer { pool: pool.clone(), server: server.clone() };
        let sent = self.commands.send(Command::SetServer { pool, server, change, reply }).await;
        match (sent, answer.await) {
            (Ok(()), Ok(outcome)) => outcome,
            _ => Err(unknown),
        }
    }

    /// Accepts no more and waits until every session is over, or the time for it is.
    pub async fn drain(&self) -> Drained {
        let (reply, answer) = oneshot::channel();
        if self.commands.send(Command::Drain { reply }).await.is_err() {
            return Drained { sessions_left: 0 };
        }
        answer.await.unwrap_or(Drained { sessions_left: 0 })
    }

    /// Ends at once, whatever is under way; writes what the access log still holds.
    pub fn stop(self) {
        let _ = self.commands.try_send(Command::Stop);
        let until = Instant::now() + LOG_FINISH;
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a thread ended by a defect in Weir");
            }
        }
        if let Some(log) = Arc::into_inner(self.log) {
            log.into_inner().unwrap_or_else(PoisonError::into_inner).finish(until);
        }
    }

    /// Whether a thread of the data plane has ended, which none does by itself.
    pub fn is_broken(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }

    /// What is served now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Where the process stands.
    pub fn phase(&self) -> Phase {
        self.shared.phase()
    }

    /// The addresses that the listeners' sockets have, by the listener's name.
    pub fn bound(&self) -> Vec<(String, SocketAddr)> {
        self.shared.bound()
    }

    /// What the workers count about themselves.
    pub fn workers(&self) -> &PerWorker<WorkerCounters> {
        &self.shared.counters
    }

    /// The most sessions at once.
    pub fn sessions_max(&self) -> u64 {
        self.shared.sessions_max()
    }

    /// What became of the access log's lines.
    pub fn access_log(&self) -> Counts {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).counts()
    }
}

fn spawn_control(
    shared: Arc<Shared>,
    log: Arc<Mutex<Writer>>,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Receiver<crate::control::Event>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("weir-control".to_owned()).spawn(move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())
            .expect("a runtime needs one epoll and one eventfd; without them nothing can be served");
        runtime.block_on(Control::new(shared, log).run(commands, events));
    })
}

/// The cores that this process may run on.
fn cores() -> Vec<usize> {
    let cores: Vec<usize> = rustix::thread::sched_getaffinity(None).map_or_else(
        |_| Vec::new(),
        |set| (0..rustix::thread::CpuSet::MAX_CPU).filter(|&core| set.is_set(core)).collect(),
    );
    if cores.is_empty() { vec![0] } else { cores }
}

/// A session needs two files; the soft limit of 1024 is there for programs that still call select().
fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "limit on open files not raised");
    }
}
