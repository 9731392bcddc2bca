//! First-boot data: the table of sources ([`TABLE`]), asked in its order; the first that has something answers.
//!
//! A source that is not there is silent; one that is there and broken is a fault, and the next one is asked. Every
//! source reads at most what [`text::BYTES_MAX`] allows, and nothing here writes to a disk or judges the
//! configuration: a seed is decoded text, [`weir_config::parse`] has the word on it.

mod cmdline;
mod configdrive;
mod disk;
mod fault;
mod fw_cfg;
mod hyperv;
mod label;
mod machine;
mod names;
mod network_config;
mod nocloud;
mod ovf;
mod pieces;
mod smbios;
mod text;
mod vmware;
mod xenstore;
mod yaml;

use std::cell::OnceCell;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use weir_config::model::Interface;

use disk::{Kind, Labelled};
use fault::Fault;
pub(crate) use machine::Machine;

/// How long a disk with first-boot data is waited for where nothing else answered and one may still come
/// ([`disk::may_come`]).
const DISK_WAIT: Duration = Duration::from_secs(1);

/// What a source gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed {
    /// A configuration file of Weir, as it was given (decoded, not yet checked).
    pub config: Option<String>,
    /// What tells a clone from its original. None: the machine's own (SMBIOS UUID, Xen's UUID).
    pub instance_id: Option<String>,
    /// Used where the file has no `system.hostname`.
    pub hostname: Option<String>,
    /// Used where the file has no `system.interfaces`: cloud-init's network-config, OVF properties, `ip=`. One that
    /// matches by nothing at all means the first card that no other one means.
    pub interfaces: Vec<Interface>,
    /// Used where the file has no `system.name_servers`.
    pub name_servers: Vec<IpAddr>,
}

impl Seed {
    /// Whether there is nothing to act on; an instance's id alone is nothing.
    fn is_empty(&self) -> bool {
        self.config.is_none()
            && self.hostname.is_none()
            && self.interfaces.is_empty()
            && self.name_servers.is_empty()
    }
}

/// A seed and where it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The source's name in the table: `fw_cfg`, `smbios`, `vmware`, `hyperv`, `xenstore`, `nocloud`, `configdrive`, `cmdline`.
    pub source: &'static str,
    /// The place within it, for people: `opt/weir/config`, `/dev/sr0 (cidata)`.
    pub place: String,
    /// What it gave.
    pub seed: Seed,
}

/// What the sources said.
#[derive(Debug, Default)]
pub struct Search {
    /// The first that had something.
    pub found: Option<Found>,
    /// Sources that are there and are broken, with what is wrong: shown on the console.
    pub faults: Vec<(&'static str, String)>,
}

/// What the search may do beside reading.
pub struct Options<'a> {
    /// How long a disk that is not there yet is waited for; zero: not at all.
    pub disk_wait: Duration,
    /// Loads a kernel module by its alias, such as `fs-iso9660`; called only where a disk needs it.
    pub load_module: &'a dyn Fn(&str),
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { disk_wait: DISK_WAIT, load_module: &|_| () }
    }
}

/// Asks the sources in their order.
#[must_use]
pub fn search() -> Search {
    search_with(&Options::default())
}

/// Asks the sources in their order; where none has anything, those that are disks again, whenever one has appeared,
/// until none can come any more or the wait is over.
#[must_use]
pub fn search_with(options: &Options<'_>) -> Search {
    let machine = Machine::here();
    let begun = Instant::now();
    let mut known = disk::names(&machine);
    let mut search = ask(TABLE, &machine, options);
    while search.found.is_none() {
        // Before the disks are looked at: what appears in between is then seen in the next round.
        let is_last = begun.elapsed() >= options.disk_wait || !disk::may_come(&machine);
        let names = disk::names(&machine);
        if names != known {
            known = names;
            let again = ask(DISKS, &machine, options);
            search.found = again.found;
            search.faults.retain(|(source, _)| DISKS.iter().all(|disk| disk.name != *source));
            search.faults.extend(again.faults);
        }
        if is_last {
            break;
        }
        std::thread::sleep(DISK_POLL);
    }
    if let Some(found) = &mut search.found {
        fill_in(&mut found.seed, cmdline::ask(&machine));
    }
    search
}

/// `ip=` counts whatever else there is, as long as that says nothing of the network: who wrote it meant it.
fn fill_in(seed: &mut Seed, given: Answer) {
    let Some((_, mut given)) = given.found.filter(|_| seed.interfaces.is_empty()) else { return };
    names::settle(&mut given.interfaces);
    seed.interfaces = given.interfaces;
    seed.hostname = seed.hostname.take().or(given.hostname);
    if seed.name_servers.is_empty() {
        seed.name_servers = given.name_servers;
    }
}

/// Has the source forget what it gave, where it can, as there may be secrets in it; to be called when it is safely
/// stored. Whether anything was forgotten.
///
/// # Errors
/// Why the source would not.
pub fn forget(found: &Found) -> Result<bool, String> {
    match found.source {
        "vmware" => vmware::forget().map_err(|error| error.to_string()),
        _ => Ok(false),
    }
}

/// What tells this machine from its clones, where the first-boot data names no instance: SMBIOS' UUID, else Xen's.
#[must_use]
pub fn machine_id() -> Option<String> {
    Machine::here().id()
}

/// How often the disks are looked at while they are waited for.
const DISK_POLL: Duration = Duration::from_millis(50);

/// A source.
struct Source {
    name: &'static str,
    ask: fn(&Asking<'_>) -> Answer,
}

/// What the sources work with.
struct Asking<'a> {
    machine: &'a Machine,
    options: &'a Options<'a>,
    /// Looking at all disks takes its time, and two sources do.
    labelled: OnceCell<Vec<Labelled>>,
}

impl<'a> Asking<'a> {
    fn new(machine: &'a Machine, options: &'a Options<'a>) -> Self {
        Self { machine, options, labelled: OnceCell::new() }
    }
}

/// What one source says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    /// The place and what is there.
    found: Option<(String, Seed)>,
    /// Of a source of several parts, one may be broken while the others serve.
    faults: Vec<Fault>,
}

/// In the order of precedence: what only this hypervisor can have been told for this machine goes before what may lie
/// about on a disk, and the command line, which an image may carry, comes last.
const TABLE: &[Source] = &[
    Source { name: "fw_cfg", ask: |asking| fw_cfg::ask(asking.machine) },
    Source { name: "smbios", ask: |asking| smbios::ask(asking.machine) },
    Source { name: "vmware", ask: vmware::ask },
    Source { name: "hyperv", ask: |asking| hyperv::ask(asking.machine) },
    Source { name: "xenstore", ask: |asking| xenstore::ask(asking.machine) },
    NOCLOUD,
    CONFIG_DRIVE,
    Source { name: "cmdline", ask: |asking| cmdline::ask(asking.machine) },
];

/// Those that may appear late.
const DISKS: &[Source] = &[NOCLOUD, CONFIG_DRIVE];
const NOCLOUD: Source = Source { name: "nocloud", ask: |asking| disk::ask(Kind::NoCloud, asking) };
const CONFIG_DRIVE: Source =
    Source { name: "configdrive", ask: |asking| disk::ask(Kind::ConfigDrive, asking) };

fn ask(table: &[Source], machine: &Machine, options: &Options<'_>) -> Search {
    let mut search = Search::default();
    let asking = Asking::new(machine, options);
    for source in table {
        let answer = (source.ask)(&asking);
        search.faults.extend(answer.faults.into_iter().map(|fault| (source.name, fault.to_string())));
        if let Some((place, mut seed)) = answer.found.filter(|(_, seed)| !seed.is_empty()) {
            names::settle(&mut seed.interfaces);
            search.found = Some(Found { source: source.name, place, seed });
            break;
        }
    }
    search
}

impl Answer {
    /// Of a source that gives a configuration file and nothing else.
    fn config(place: &str, text: Result<Option<String>, fault::Problem>) -> Self {
        match text {
            Ok(None) => Self::default(),
            Ok(Some(config)) => {
                let seed = Seed { config: Some(config), ..Seed::default() };
                Self { found: Some((place.to_owned(), seed)), faults: Vec::new() }
            }
            Err(problem) => Self { found: None, faults: vec![Fault::new(place, problem)] },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use machine::tests::Folder;

    const FW_CFG: &str = "sys/firmware/qemu_fw_cfg/by_name/opt/weir/config/raw";

    fn search(folder: &Folder) -> Search {
        ask(TABLE, &folder.machine(), &Options::default())
    }

    #[test]
    fn the_first_that_has_something_answers() {
        let folder =
            Folder::new("first").with("proc/cmdline", "weir.config=dmVyc2lvbjogMQo= ip=192.0.2.10:::24");
        assert_eq!(search(&folder).found.map(|found| found.source), Some("cmdline"));
        let folder = folder.with(FW_CFG, "version: 1\n");
        assert_eq!(search(&folder).found.map(|found| found.source), Some("fw_cfg"));
        assert!(search(&Folder::new("nothing")).found.is_none());
    }

    #[test]
    fn a_broken_one_is_told_and_the_next_one_is_asked() {
        let folder = Folder::new("broken")
            .with("proc/cmdline", "weir.config=dmVyc2lvbjogMQo=")
            .with(FW_CFG, "#cloud-config\n");
        let Search { found, faults } = search(&folder);
        assert_eq!(found.map(|found| found.source), Some("cmdline"));
        let [(source, text)] = faults.as_slice() else { panic!("{faults:?}") };
        assert_eq!(*source, "fw_cfg");
        assert!(
            text.starts_with("opt/weir/config: a #cloud-config, which only cloud-init understands"),
            "{text}"
        );
    }

    #[test]
    fn ip_fills_in_what_the_others_leave() {
        let folder = Folder::new("fill").with("proc/cmdline", "ip=192.0.2.10:::24:lb1");
        let mut seed = Seed { hostname: Some("lb2".to_owned()), ..Seed::default() };
        fill_in(&mut seed, cmdline::ask(&folder.machine()));
        assert_eq!((seed.interfaces.len(), seed.hostname.as_deref()), (1, Some("lb2")));
        let before = seed.clone();
        fill_in(
            &mut seed,
            cmdline::ask(&Folder::new("fill-2").with("proc/cmdline", "ip=198.51.100.1:::24").machine()),
        );
        assert_eq!(seed, before);
    }
}
