//! Names of servers: asked for again as their answers grow old, on the control loop's thread.
//!
//! A name that does not resolve is a server that is down. When nobody answers, the last answer stays in use:
//! a dead resolver takes no server away. Whom the system asks may change at any time (another lease, another network):
//! its file is looked at before each question.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::SystemTime;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::system_conf::parse_resolv_conf;
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
        let asked = Rc::new(Asked::new(config.resolver.clone(), RESOLV_CONF));
        for name in wanted {
            if !self.running.contains_key(name) {
                let task = look_up(name.to_owned(), Rc::clone(&asked), self.events.clone());
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

/// Where the system says whom to ask.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Who is asked: the configuration's servers, or whom the system's file names at the time.
struct Asked {
    settings: Resolver,
    file: &'static Path,
    /// Made of the file as it was then; none where it named nobody.
    made: RefCell<Option<(SystemTime, TokioResolver)>>,
}

impl Asked {
    fn new(settings: Resolver, file: &'static (impl AsRef<Path> + ?Sized)) -> Self {
        Self { settings, file: file.as_ref(), made: RefCell::default() }
    }

    /// Whom to ask now.
    fn resolver(&self) -> Result<TokioResolver, NetError> {
        let stamp = match self.settings.servers.is_empty() {
            true => std::fs::metadata(self.file)?.modified()?,
            false => SystemTime::UNIX_EPOCH, // the configuration's do not change
        };
        let mut made = self.made.borrow_mut();
        if let Some((of, resolver)) = &*made
            && *of == stamp
        {
            return Ok(resolver.clone());
        }
        *made = None;
        let resolver = resolver(&self.settings, self.file)?;
        *made = Some((stamp, resolver.clone()));
        Ok(resolver)
    }
}

fn resolver(settings: &Resolver, file: &Path) -> Result<TokioResolver, NetError> {
    let config = if settings.servers.is_empty() {
        parse_resolv_conf(std::fs::read(file)?)?.0
    } else {
        let servers = settings.servers.iter().map(|server| {
            let mut config = NameServerConfig::udp_and_tcp(server.ip());
            for connection in &mut config.connections {
                connection.port = server.port();
            }
            config
        });
        ResolverConfig::from_parts(None, Vec::new(), servers.collect())
    };
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.timeout = settings.timeout;
    options.attempts = 1;
    options.cache_size = 0; // how long an answer is kept is `resolver.hold`'s to say
    builder.build()
}

async fn look_up(name: String, asked: Rc<Asked>, events: mpsc::Sender<Event>) {
    // Absolute, so that no search domain is tried; but a single label (`localhost`) is looked up as it is.
    let question = if name.contains('.') { format!("{name}.") } else { name.clone() };
    loop {
        let addresses = match asked.resolver() {
            Ok(resolver) => match resolver.lookup_ip(question.as_str()).await {
                Ok(answer) => Ok(answer.iter().collect()),
                Err(error) => Err(error.to_string()),
            },
            Err(error) => Err(format!("{error}: {RESOLV_CONF} names nobody; `resolver.servers` can")),
        };
        if events.send(Event::Resolved { name: name.clone(), addresses }).await.is_err() {
            return;
        }
        tokio::time::sleep(asked.settings.hold).await;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    #[test]
    fn another_file_is_read_before_the_next_question() {
        let file = std::env::temp_dir().join(format!("weir-resolv-{}", std::process::id()));
        let file: &'static Path = Box::leak(file.into_boxed_path());
        let asked = Asked::new(Resolver::default(), file);
        assert!(asked.resolver().is_err(), "there is no file yet");

        fs::write(file, "nameserver 192.0.2.1\n").unwrap();
        assert!(asked.resolver().is_ok());

        let later = SystemTime::now() + Duration::from_secs(1);
        fs::write(file, "# nobody\n").unwrap();
        fs::File::options().write(true).open(file).unwrap().set_modified(later).unwrap();
        assert!(asked.resolver().is_err(), "it names nobody");
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn the_configurations_servers_need_no_file() {
        let settings = Resolver { servers: vec!["192.0.2.9:53".parse().unwrap()], ..Resolver::default() };
        let asked = Asked::new(settings, Path::new("/nowhere"));
        assert!(asked.resolver().is_ok());
    }
}
