//! Names of servers: asked for again as their answers grow old, on the control loop's thread.
//!
//! A name that does not resolve is a server that is down. When nobody answers, the last answer stays in use:
//! a dead resolver takes no server away.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use weir_config::Config;
use weir_config::model::{Host, Resolver};

use super::Event;
use crate::snapshot::Resolved;

/// The names that are being looked up.
pub(super) struct Names {
    running: HashMap<String, Lookups>,
    settings: Option<Resolver>,
    events: mpsc::Sender<Event>,
}

struct Lookups(JoinHandle<()>);

impl Names {
    pub(super) fn new(events: mpsc::Sender<Event>) -> Self {
        Self { running: HashMap::new(), settings: None, events }
    }

    /// Looks up the names that `config` has, no others.
    pub(super) fn reconcile(&mut self, config: &Config, resolved: &mut Resolved) {
        let hosts = config.pools.iter().flat_map(|pool| &pool.servers).map(|server| &server.address.host);
        let wanted: BTreeSet<&str> = hosts
            .filter_map(|host| match host {
                Host::Name(name) => Some(name.as_str()),
                Host::Ip(_) => None,
            })
            .collect();
        resolved.retain(|name, _| wanted.contains(name.as_str()));
        self.running.retain(|name, _| wanted.contains(name.as_str()));
        if self.settings.as_ref() != Some(&config.resolver) {
            self.running.clear();
            self.settings = Some(config.resolver.clone());
        }
        if wanted.iter().all(|name| self.running.contains_key(*name)) {
            return;
        }
        let resolver = match resolver(&config.resolver) {
            Ok(resolver) => resolver,
            Err(error) => {
                tracing::error!(%error, "names can't be looked up: name the servers to ask (resolver.servers)");
                return;
            }
        };
        for name in wanted {
            if !self.running.contains_key(name) {
                let task =
                    look_up(name.to_owned(), resolver.clone(), config.resolver.hold, self.events.clone());
                self.running.insert(name.to_owned(), Lookups(tokio::task::spawn_local(task)));
            }
        }
    }

    /// Takes an answer; whether it changes anything.
    pub(super) fn learned(
        &self,
        resolved: &mut Resolved,
        name: String,
        answer: Result<Vec<IpAddr>, String>,
    ) -> bool {
        if !self.running.contains_key(&name) {
            return false;
        }
        match answer {
            Ok(mut addresses) => {
                addresses.sort_unstable();
                addresses.dedup();
                if resolved.get(&name) == Some(&addresses) {
                    return false;
                }
                tracing::info!(name, ?addresses, "name resolved");
                resolved.insert(name, addresses);
                true
            }
            Err(cause) => {
                let kept = resolved.contains_key(&name);
                tracing::warn!(name, cause, kept, "name not resolved");
                false
            }
        }
    }
}

impl Drop for Lookups {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn resolver(settings: &Resolver) -> Result<TokioResolver, NetError> {
    let mut builder = if settings.servers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = settings.servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = 1;
    options.cache_size = 0; // how long an answer is kept is `resolver.hold`'s to say
    builder.build()
}

async fn look_up(name: String, resolver: TokioResolver, hold: Duration, events: mpsc::Sender<Event>) {
    // Absolute, so that no search domain is tried; but a single label (`localhost`) is looked up as it is.
    let question = if name.contains('.') { format!("{name}.") } else { name.clone() };
    loop {
        let addresses = match resolver.lookup_ip(question.as_str()).await {
            Ok(answer) => Ok(answer.iter().collect()),
            Err(error) => Err(error.to_string()),
        };
        if events.send(Event::Resolved { name: name.clone(), addresses }).await.is_err() {
            return;
        }
        tokio::time::sleep(hold).await;
    }
}
