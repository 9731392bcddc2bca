//! The configuration's files: the running one, the last good one, and the one that was refused.
//!
//! What first-boot data gives is checked before it is taken; what isn't valid is kept aside with its diagnostics shown, and
//! the appliance comes up as without it. From then on the file is the child's to replace, at its operator's wish; only when
//! one kills the child is it taken back here.

mod choose;
mod compose;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use weir_config::model::{System, Time};
use weir_config::{Color, Config};

use crate::admin::Admin;
use crate::files::{self, CHILDS, PUBLIC};
use crate::network::Plan;
use crate::sources::{self, Found, Search};
use crate::summary;
use choose::{Choice, Stored};
use compose::Surroundings;

/// Bytes of a configuration file.
const BYTES_MAX: u64 = 16 << 20;
const ID_BYTES_MAX: u64 = 4096;
/// Of the admin API, where the file says nothing of it.
const ADMIN_PORT: u16 = 9000;
/// What the appliance is made with, where it has no such file.
const DEFAULT: &str = "version: 1\n";
const DEFAULT_AT: &str = "/etc/weir/default.yaml";

/// Where the files are.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
    instance_id: PathBuf,
    /// Whether what is written outlasts the machine's stop; only then may a source forget what it gave.
    lasting: bool,
}

/// Something that was refused, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Rejected {
    pub(crate) source: String,
    pub(crate) text: String,
}

/// Where the running configuration came from.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Origin {
    /// A source's name, `stored` or `default`.
    pub(crate) source: String,
    pub(crate) place: String,
    pub(crate) instance_id: Option<String>,
    /// Whether first-boot data was taken at this start.
    pub(crate) taken: bool,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) restored_last_good: bool,
}

/// What the appliance comes up with.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) origin: Origin,
    pub(crate) text: String,
    /// None: the text isn't valid, and stays for the operator to see. The child will refuse it.
    pub(crate) config: Option<Config>,
    pub(crate) notices: Vec<String>,
}

impl Chosen {
    /// Where nothing can be written, not even that.
    pub(crate) fn default_in_memory() -> Self {
        let config = weir_config::parse(&default()).ok().map(|parsed| parsed.config);
        let origin = Origin { source: "default".into(), ..Origin::default() };
        Self { origin, text: default(), config, notices: Vec::new() }
    }

    /// What the network is to be.
    pub(crate) fn plan(&self) -> Plan {
        self.config.as_ref().map(plan).unwrap_or_default()
    }
}

impl Store {
    /// In `state`, or wherever else there is room.
    pub(crate) fn new(state: &Path, lasting: bool) -> Self {
        Self { folder: state.join("config"), instance_id: state.join("instance-id"), lasting }
    }

    /// The folder that the child may write to.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn running(&self) -> PathBuf {
        self.folder.join("weir.yaml")
    }

    fn last_good(&self) -> PathBuf {
        self.folder.join("last-good.yaml")
    }

    fn rejected(&self) -> PathBuf {
        self.folder.join("rejected.yaml")
    }

    /// The running configuration's text.
    pub(crate) fn text(&self) -> io::Result<String> {
        files::read_text(&self.running(), BYTES_MAX)
    }

    /// Whether `text` is the last good one.
    pub(crate) fn is_last_good(&self, text: &str) -> bool {
        files::read_text(&self.last_good(), BYTES_MAX).is_ok_and(|good| good == text)
    }

    /// Keeps the running configuration as the last good one.
    pub(crate) fn prove(&self) -> io::Result<()> {
        files::write(&self.last_good(), self.text()?.as_bytes(), CHILDS)
    }

    /// Takes the running configuration back: the last good one takes its place, else the default one, and it is kept as
    /// the refused one. None where that is the one that runs.
    pub(crate) fn take_back(&self) -> io::Result<Option<String>> {
        let running = self.text().unwrap_or_default();
        let good = files::read_text(&self.last_good(), BYTES_MAX).ok().filter(|good| *good != running);
        let good = good.unwrap_or_else(default);
        if good == running {
            return Ok(None);
        }
        // Keeping it aside must not hinder the other's return.
        let _ = files::write(&self.rejected(), running.as_bytes(), CHILDS);
        files::write(&self.running(), good.as_bytes(), CHILDS)?;
        Ok(Some(good))
    }

    /// Chooses, and writes what was chosen.
    pub(crate) fn settle(&self, search: Search) -> io::Result<Chosen> {
        let mut notices: Vec<String> = search
            .faults
            .iter()
            .map(|(source, fault)| format!("first-boot data in {source}: {fault}"))
            .collect();
        let machine = sources::machine_id();
        let found = search.found.map(|found| {
            let id = found.seed.instance_id.clone().or_else(|| machine.clone()).unwrap_or_default();
            (found, id)
        });
        let (stored, text) = self.stored();
        let taken_for = files::read_text(&self.instance_id, ID_BYTES_MAX).ok().map(|id| id.trim().to_owned());
        let mut rejected = Vec::new();
        let choice = choose::choose(stored, taken_for.as_deref(), found.as_ref().map(|(_, id)| id.as_str()));
        if let (Choice::Seed, Some((found, id))) = (choice, &found) {
            match self.take(found, id, stored, &text) {
                Ok(chosen) => return Ok(Chosen { notices, ..chosen }),
                Err(TakeError::Invalid(refused)) => {
                    notices.push(format!(
                        "the first-boot data of {} ({}) is not valid and was not taken; it is kept in {}",
                        found.source,
                        found.place,
                        self.rejected().display()
                    ));
                    rejected.push(refused);
                }
                Err(TakeError::Io(error)) => return Err(error),
            }
        }
        let (source, text) = match stored {
            Stored::Nothing => {
                files::write(&self.running(), default().as_bytes(), CHILDS)?;
                ("default", default())
            }
            Stored::Default => ("default", text),
            Stored::Given => ("stored", text),
        };
        // An operator's configuration counts as this instance's own: data that comes late does not replace it.
        if let (Stored::Given, None, Some((_, id)), []) = (stored, &taken_for, &found, &rejected[..]) {
            let _ = self.remember(id);
        }
        let config = weir_config::parse(&text).ok().map(|parsed| parsed.config);
        if config.is_none() {
            notices.push(format!("{} is not valid", self.running().display()));
        }
        let place = self.running().display().to_string();
        let instance_id = taken_for.or_else(|| found.map(|(_, id)| id));
        let origin = Origin { source: source.into(), place, instance_id, rejected, ..Origin::default() };
        Ok(Chosen { origin, text, config, notices })
    }

    /// Whether there is a configuration that somebody gave.
    pub(crate) fn is_given(&self) -> bool {
        self.stored().0 == Stored::Given
    }

    fn stored(&self) -> (Stored, String) {
        match self.text() {
            Ok(text) if text == default() => (Stored::Default, text),
            Ok(text) => (Stored::Given, text),
            Err(_) => (Stored::Nothing, String::new()),
        }
    }

    fn take(&self, found: &Found, id: &str, stored: Stored, text: &str) -> Result<Chosen, TakeError> {
        let name = format!("{}:{}", found.source, found.place);
        let (replaces, default, cards) = (stored == Stored::Given, default(), compose::cards());
        let text = if replaces { text } else { &default };
        let composed = compose::compose(&found.seed, Surroundings { text, replaces, cards: &cards });
        let (text, config) = match composed {
            Ok(composed) => composed,
            Err((text, found_wrong)) => {
                let shown = found_wrong.render(&name, &text, Color::Never);
                crate::console::say(&shown);
                let _ = files::write(&self.rejected(), text.as_bytes(), CHILDS);
                return Err(TakeError::Invalid(Rejected { source: found.source.into(), text: shown }));
            }
        };
        files::write(&self.running(), text.as_bytes(), CHILDS)?;
        // What was good for another instance isn't for this one.
        let _ = std::fs::remove_file(self.last_good());
        self.remember(id)?;
        // There may be secrets in it, and it is ours now.
        if self.lasting
            && let Err(error) = sources::forget(found)
        {
            crate::console::note(&format!("{} keeps the first-boot data: {error}", found.source));
        }
        let origin = Origin {
            source: found.source.into(),
            place: found.place.clone(),
            instance_id: Some(id.into()),
            taken: true,
            ..Origin::default()
        };
        Ok(Chosen { origin, text, config: Some(config), notices: Vec::new() })
    }

    fn remember(&self, id: &str) -> io::Result<()> {
        files::write(&self.instance_id, format!("{id}\n").as_bytes(), PUBLIC)
    }
}

enum TakeError {
    Invalid(Rejected),
    Io(io::Error),
}

impl From<io::Error> for TakeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// What the network is to be.
pub(crate) fn plan(config: &Config) -> Plan {
    let System { hostname, interfaces, name_servers, time: _ } = &config.system;
    Plan {
        interfaces: interfaces.clone(),
        name_servers: name_servers.clone(),
        hostname: hostname.as_deref().map(str::to_owned),
    }
}

/// Where a configuration came from, for people.
pub(crate) fn describe(origin: &Origin) -> String {
    match &*origin.source {
        "default" => "not yet: nothing is balanced".to_owned(),
        "stored" => format!("as kept in {}", origin.place),
        source => format!("by first-boot data from {source} ({})", origin.place),
    }
}

/// How the clock is to be set.
pub(crate) fn time(config: Option<&Config>) -> Time {
    config.map(|config| config.system.time.clone()).unwrap_or_default()
}

/// How the admin API is reached, and with what.
pub(crate) fn admin_shown(
    config: Option<&Config>,
    text: &str,
    admin: Option<&Admin>,
    addresses: &[String],
) -> summary::Admin {
    let fingerprint = admin.map(|admin| admin.fingerprint.clone());
    let token = admin.filter(|admin| !admin.shown || is_default(text)).map(|admin| admin.token.clone());
    let hosts = |ip: IpAddr| if ip.is_unspecified() { addresses.to_vec() } else { vec![ip.to_string()] };
    match config.and_then(|config| config.admin.as_ref()) {
        Some(given) => summary::Admin {
            urls: urls(given.tls.is_some(), &hosts(given.bind.ip()), given.bind.port()),
            fingerprint: None,
            token: None,
        },
        None => summary::Admin { urls: urls(true, addresses, ADMIN_PORT), fingerprint, token },
    }
}

fn urls(tls: bool, hosts: &[String], port: u16) -> Vec<String> {
    let scheme = if tls { "https" } else { "http" };
    let host = |host: &String| if host.contains(':') { format!("[{host}]") } else { host.clone() };
    hosts.iter().map(|name| format!("{scheme}://{}:{port}/", host(name))).collect()
}

/// Whether a text is the configuration that the appliance is made with.
pub(crate) fn is_default(text: &str) -> bool {
    text == default()
}

fn default() -> String {
    std::fs::read_to_string(DEFAULT_AT).unwrap_or_else(|_| DEFAULT.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::scratch::Folder;
    use crate::sources::Seed;

    const GIVEN: &str = "version: 1\nlisteners:\n  web: { bind: \"127.0.0.1:80\", routes: [{ pool: web }] }\n\
                         pools:\n  web: { servers: [\"127.0.0.1:81\"] }\n";

    fn store(folder: &Folder) -> Store {
        std::fs::create_dir_all(folder.path().join("config")).unwrap();
        Store::new(folder.path(), true)
    }

    fn search(config: &str, id: &str) -> Search {
        let seed = Seed { config: Some(config.into()), instance_id: Some(id.into()), ..Seed::default() };
        Search {
            found: Some(Found { source: "fw_cfg", place: "opt/weir/config".into(), seed }),
            faults: Vec::new(),
        }
    }

    #[test]
    fn first_boot_data_is_taken_once_and_kept() {
        let folder = Folder::new();
        let store = store(&folder);
        let first = store.settle(search(GIVEN, "i-1")).unwrap();
        assert!(first.origin.taken && first.origin.source == "fw_cfg" && first.config.is_some());
        assert_eq!(store.text().unwrap(), GIVEN);
        let second = store.settle(Search::default()).unwrap();
        assert_eq!((&*second.origin.source, second.origin.taken), ("stored", false));
        assert_eq!(second.origin.instance_id.as_deref(), Some("i-1"));
        assert_eq!(second.text, GIVEN);
        let clone = store.settle(search(&GIVEN.replace("81", "82"), "i-2")).unwrap();
        assert!(clone.origin.taken && clone.text.contains("82"));
    }

    #[test]
    fn data_that_is_not_valid_is_kept_aside_and_tried_again() {
        let folder = Folder::new();
        let store = store(&folder);
        let wrong = store.settle(search("version: 1\nlistenes: {}\n", "i-1")).unwrap();
        assert_eq!(wrong.origin.source, "default");
        assert!(wrong.origin.rejected[0].text.contains("did you mean `listeners`?"), "{:?}", wrong.origin);
        assert!(std::fs::read_to_string(store.rejected()).unwrap().contains("listenes"));
        assert!(is_default(&store.text().unwrap()));
        let mended = store.settle(search(GIVEN, "i-1")).unwrap();
        assert!(mended.origin.taken);
    }

    #[test]
    fn what_an_operator_gave_is_not_replaced_by_data_that_comes_late() {
        let folder = Folder::new();
        let store = store(&folder);
        store.settle(Search::default()).unwrap();
        std::fs::write(store.running(), GIVEN).unwrap();
        let late = store.settle(search("version: 1\n", "i-1")).unwrap();
        assert_eq!((&*late.origin.source, &*late.text), ("stored", GIVEN));
        assert_eq!(store.settle(search("version: 1\n", "i-1")).unwrap().text, GIVEN);
    }

    #[test]
    fn one_that_kills_is_taken_back_to_the_last_good_one() {
        let folder = Folder::new();
        let store = store(&folder);
        store.settle(search(GIVEN, "i-1")).unwrap();
        assert!(!store.is_last_good(GIVEN));
        store.prove().unwrap();
        assert!(store.is_last_good(GIVEN));
        std::fs::write(store.running(), "version: 1 # kills").unwrap();
        assert_eq!(store.take_back().unwrap().as_deref(), Some(GIVEN));
        assert_eq!(store.text().unwrap(), GIVEN);
        assert_eq!(std::fs::read_to_string(store.rejected()).unwrap(), "version: 1 # kills");
        assert!(is_default(&store.take_back().unwrap().unwrap()), "even the last good one can turn bad");
    }

    #[test]
    fn without_a_last_good_one_the_default_returns() {
        let folder = Folder::new();
        let store = store(&folder);
        store.settle(search(GIVEN, "i-1")).unwrap();
        assert!(is_default(&store.take_back().unwrap().unwrap()));
        assert_eq!(store.take_back().unwrap(), None);
    }
}
