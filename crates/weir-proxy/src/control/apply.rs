//! Applying a configuration: all of it, or nothing and why.
//!
//! Whatever can fail (binding, opening the access log) is done first, beside what is serving; after that
//! nothing can go wrong, and the snapshot is swapped under live connections.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use weir_config::Config;
use weir_config::model::{AccessLogTarget, SessionLimit, Workers};
use weir_config::tls::Tls;

use super::Control;
use super::servers::{ServerChange, UnknownServer};
use crate::access_log::Output;
use crate::shared::Phase;
use crate::snapshot::{Snapshot, compile, with_new_ring};
use crate::worker::Mail;

/// A configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The generation that serves it.
    pub generation: u64,
    /// What of it waits for the next start, in a sentence each.
    pub notes: Vec<String>,
}

/// Why a valid configuration could not be applied. What served before still does.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A listener's address can't be bound.
    #[error("listener `{listener}`: can't bind {address}: {source}")]
    Bind {
        /// The listener.
        listener: String,
        /// The address.
        address: SocketAddr,
        /// What the kernel says.
        source: io::Error,
    },
    /// The access log can't be written.
    #[error("log.access: can't open {target}: {source}")]
    AccessLog {
        /// The file.
        target: String,
        /// What the kernel says.
        source: io::Error,
    },
    /// The process is about to stop.
    #[error("the process is draining and takes no configuration any more")]
    Draining,
}

impl Control {
    pub(super) async fn apply(&mut self, config: Config, tls: Arc<Tls>) -> Result<Applied, ApplyError> {
        if self.shared.phase() == Phase::Draining {
            return Err(ApplyError::Draining);
        }
        let config = Arc::new(config);
        let plan = self.sockets.plan(&config, self.shared.mailboxes.len())?;
        let output = Output::open(&config.log.access)
            .map_err(|source| ApplyError::AccessLog { target: describe(&config.log.access), source })?;

        let notes = self.notes(&config);
        self.log.lock().unwrap_or_else(PoisonError::into_inner).apply(&config.log, output);
        self.shared.set_sessions_max(sessions_max(config.limits.sessions));
        self.names.reconcile(&config, &mut self.resolved);
        let generation = self.publish(&config, &tls).await;
        for mail in self.sockets.commit(plan) {
            let Some(mailbox) = self.shared.mailboxes.get(mail.worker) else { continue };
            if mailbox.send(mail.letter).await.is_err() {
                tracing::error!(worker = mail.worker, "a worker is gone");
            }
        }
        self.shared.set_bound(self.sockets.bound());
        self.shared.set_phase(Phase::Serving);
        Ok(Applied { generation, notes })
    }

    /// Changes what the operator wants of a server.
    pub(super) async fn set_server(
        &mut self,
        pool: &str,
        server: &str,
        change: ServerChange,
    ) -> Result<(), UnknownServer> {
        let snapshot = self.shared.snapshot.load_full();
        let unknown = || UnknownServer { pool: pool.to_owned(), server: server.to_owned() };
        let pool = snapshot.pool(pool).ok_or_else(unknown)?;
        let reweighted = self.servers.set(pool, server, change).ok_or_else(unknown)?;
        if reweighted {
            let mut next = Snapshot {
                generation: snapshot.generation + 1,
                config: Arc::clone(&snapshot.config),
                tls: Arc::clone(&snapshot.tls),
                listeners: snapshot.listeners.clone(),
                pools: snapshot.pools.clone(),
            };
            for slot in &mut next.pools {
                if Arc::ptr_eq(slot, pool) {
                    *slot = with_new_ring(pool);
                }
            }
            self.swap(next).await;
        }
        if self.servers.publish(pool, Instant::now()) {
            self.restless.insert(pool.config.name.clone());
        }
        self.checks.reconcile(&self.shared.snapshot.load_full(), &self.servers);
        Ok(())
    }

    /// Publishes the present configuration again, with the addresses that its names have now.
    pub(super) async fn republish(&mut self) {
        let snapshot = self.shared.snapshot.load_full();
        self.publish(&snapshot.config, &snapshot.tls).await;
    }

    /// Compiles and swaps; statuses and checks follow.
    async fn publish(&mut self, config: &Arc<Config>, tls: &Arc<Tls>) -> u64 {
        let previous = self.shared.snapshot.load_full();
        let snapshot = compile(config, tls, &self.resolved, Some(&previous), self.shared.mailboxes.len());
        let generation = snapshot.generation;
        let now = Instant::now();
        // Shares first: a worker that sees the new snapshot must find its servers usable.
        self.servers.reconcile(&snapshot);
        for pool in &snapshot.pools {
            if self.servers.publish(pool, now) {
                self.restless.insert(pool.config.name.clone());
            }
        }
        self.checks.reconcile(&snapshot, &self.servers);
        self.swap(snapshot).await;
        generation
    }

    async fn swap(&self, snapshot: Snapshot) {
        self.shared.snapshot.store(Arc::new(snapshot));
        self.tell_workers(|| Mail::Refresh).await;
    }

    /// What of `config` waits for the next start.
    fn notes(&self, config: &Config) -> Vec<String> {
        let now = self.shared.mailboxes.len();
        match config.workers {
            Workers::Count(count) if usize::from(count.get()) != now => {
                vec![format!("workers: {count} takes effect at the next start; {now} are running")]
            }
            Workers::Count(_) | Workers::Auto => Vec::new(),
        }
    }
}

/// The most sessions at once: as configured, or what open files and memory allow.
pub(crate) fn sessions_max(limit: SessionLimit) -> u64 {
    match limit {
        SessionLimit::Count(count) => u64::from(count),
        SessionLimit::Auto => {
            let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
            let system = rustix::system::sysinfo();
            sessions_allowed(files, system.totalram.saturating_mul(u64::from(system.mem_unit)))
        }
    }
}

/// Two files a session, less a reserve for listeners, checks, logs and the admin address; and no more than half
/// of the memory when each session holds what a busy one may, with the kernel's part.
fn sessions_allowed(files: Option<u64>, memory_bytes: u64) -> u64 {
    const RESERVED_FILES: u64 = 256;
    const SESSION_BYTES: u64 = 32 << 10;
    let by_files = files.map_or(u64::MAX, |files| files.saturating_sub(RESERVED_FILES) / 2);
    by_files.min(memory_bytes / 2 / SESSION_BYTES).max(16)
}

fn describe(target: &AccessLogTarget) -> String {
    match target {
        AccessLogTarget::Off => "nothing".to_owned(),
        AccessLogTarget::Stdout => "standard output".to_owned(),
        AccessLogTarget::File(path) => path.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::sessions_allowed;

    #[test]
    fn files_or_memory_whichever_is_less_bounds_the_sessions() {
        assert_eq!(sessions_allowed(Some(20_000), 24 << 30), 9_872);
        assert_eq!(sessions_allowed(Some(1 << 20), 1 << 30), 16_384);
        assert_eq!(sessions_allowed(None, 1 << 30), 16_384);
        assert_eq!(sessions_allowed(Some(100), 1 << 30), 16);
    }
}
