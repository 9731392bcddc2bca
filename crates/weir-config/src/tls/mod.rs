//! What is in the files that a configuration's TLS sections name, ready to serve.
//!
//! [`parse`](crate::parse) only reads the text, so it can be given anything; [`load`] is the second step, for whoever
//! is going to serve the configuration or wants to know whether it could be. It reads in parallel, and only what
//! is not as it was when the configuration before was loaded: a file is known by its path, size, inode and the time
//! of its last change. What did not change is taken over as it is, up to whole listeners.
//!
//! All mistakes are collected, each at the place of its path in the text. Session keys belong to the process, not to
//! a configuration: they are passed on, so a reload ends no session's right to be resumed.

mod admin;
mod certificate;
mod choose;
mod client;
mod files;
mod findings;
mod server;
mod subject;

pub use admin::AdminTls;
pub use certificate::Certificate;
pub use choose::take_named;
pub use client::PoolTls;
pub use server::ListenerTls;
pub use subject::{common_name, subject};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;

use self::client::Authorities;
use self::files::Files;
use self::findings::FileFindings;
use self::server::Resumption;
use crate::Diagnostics;
use crate::model::{Admin, Config, Name};

/// The TLS of a configuration, ready to serve.
#[derive(Debug, Default)]
pub struct Tls {
    listeners: HashMap<Name, Arc<ListenerTls>>,
    pools: HashMap<Name, Arc<PoolTls>>,
    admin: Option<Arc<AdminTls>>,
    files: Files,
    resumption: Resumption,
    system: Option<Arc<Authorities>>,
}

impl Tls {
    /// The listener of this name, if it speaks TLS.
    pub fn listener(&self, name: &str) -> Option<&Arc<ListenerTls>> {
        self.listeners.get(name)
    }

    /// The pool of this name, if it is spoken to in TLS.
    pub fn pool(&self, name: &str) -> Option<&Arc<PoolTls>> {
        self.pools.get(name)
    }

    /// The admin API, if it speaks TLS.
    pub fn admin(&self) -> Option<&Arc<AdminTls>> {
        self.admin.as_ref()
    }

    /// Whether nothing changed from `other` to this.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |a: &HashMap<Name, Arc<ListenerTls>>, b: &HashMap<Name, Arc<ListenerTls>>| {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| Arc::ptr_eq(a, b)))
        };
        same(&self.listeners, &other.listeners)
            && self.admin.as_ref().map(Arc::as_ptr) == other.admin.as_ref().map(Arc::as_ptr)
            && self.pools.len() == other.pools.len()
            && self.pools.iter().all(|(name, a)| other.pools.get(name).is_some_and(|b| Arc::ptr_eq(a, b)))
    }
}

/// What [`load`] found.
#[derive(Debug)]
pub struct Loaded {
    /// Ready to serve.
    pub tls: Tls,
    /// What is allowed and yet probably a mistake.
    pub warnings: Diagnostics,
}

/// Reads the files that `config` names, and `default_admin` where that holds; `text` is what it was parsed from, for the
/// places of mistakes, and `before` what was loaded last.
///
/// # Errors
/// Everything that is wrong with the files, warnings included.
pub fn load(text: &str, config: &Config, default_admin: &Admin, before: &Tls) -> Result<Loaded, Diagnostics> {
    let mut loading = Loading::new(before, Broken::Refused);
    let tls = loading.run(config, default_admin);
    let found = &loading.findings;
    let warnings = found.locate(text);
    if found.has_errors() { Err(warnings) } else { Ok(Loaded { tls, warnings }) }
}

/// The same again for a configuration that serves, to see what changed in its files. What is broken now is left as it
/// was: a file may be about to be replaced, and an expired certificate is better than none.
///
/// Returns what is broken, a line each, too.
pub fn refresh(config: &Config, default_admin: &Admin, before: &Tls) -> (Tls, Vec<String>) {
    let mut loading = Loading::new(before, Broken::Kept);
    let tls = loading.run(config, default_admin);
    let broken = loading.findings.messages();
    (tls, broken)
}

/// What becomes of a file that is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// The configuration is refused.
    Refused,
    /// What was read from it before stays.
    Kept,
}

/// A load under way.
struct Loading<'a> {
    before: &'a Tls,
    broken: Broken,
    findings: FileFindings,
    provider: Arc<CryptoProvider>,
    now: SystemTime,
}

impl<'a> Loading<'a> {
    fn new(before: &'a Tls, broken: Broken) -> Self {
        Self {
            before,
            broken,
            findings: FileFindings::default(),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            now: SystemTime::now(),
        }
    }

    fn run(&mut self, config: &Config, default_admin: &Admin) -> Tls {
        let mut tls = Tls { system: self.before.system.clone(), ..Tls::default() };
        let certificates = self.certificates(config, &mut tls.files);
        if let Some(files) = &config.admin_or(default_admin).tls {
            tls.admin = self.admin(files, &mut tls.files);
        }
        for (listener, certificates) in config.listeners.iter().zip(certificates) {
            let Some(model) = &listener.tls else { continue };
            if let Some(ready) = self.listener(listener, model, certificates, &mut tls) {
                tls.listeners.insert(listener.name.clone(), ready);
            } else if self.broken == Broken::Kept
                && let Some(old) = self.before.listeners.get(&listener.name)
            {
                tls.listeners.insert(listener.name.clone(), Arc::clone(old));
            }
        }
        for pool in &config.pools {
            let Some(model) = &pool.tls else { continue };
            if let Some(ready) = self.pool(pool, model, &mut tls) {
                tls.pools.insert(pool.name.clone(), ready);
            } else if self.broken == Broken::Kept
                && let Some(old) = self.before.pools.get(&pool.name)
            {
                tls.pools.insert(pool.name.clone(), Arc::clone(old));
            }
        }
        tls
    }
}

#[cfg(test)]
mod tests {
    use rustls::NamedGroup;

    #[test]
    fn the_hybrid_post_quantum_exchange_comes_first() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        assert_eq!(provider.kx_groups[0].name(), NamedGroup::X25519MLKEM768);
    }
}
