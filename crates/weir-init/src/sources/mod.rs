//! First-boot data: the table of sources ([`TABLE`]), asked in its order; the first that has something answers.
//!
//! A source that is not there is silent; one that is there and broken is a fault, and the next one is asked. Every
//! source reads at most what [`text::BYTES_MAX`] allows, and nothing here writes to a disk or judges the
//! configuration: a seed is decoded text, [`weir_config::parse`] has the word on it.

mod cards;
mod cmdline;
mod configdrive;
mod disk;
mod fault;
mod fw_cfg;
mod hyperv;
mod label;
mod machine;
mod network_config;
mod nocloud;
mod ovf;
mod pieces;
mod smbios;
mod text;
mod vmware;
mod xenstore;
mod yaml;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use weir_config::model::Interface;

use disk::Kind;
use fault::Fault;
pub(crate) use machine::Machine;

/// How long a disk with first-boot data is waited for where nothing else answered: drivers of SATA, SCSI and USB
/// look for their disks in the background.
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
    /// named no card matches the first that is left; only where there is none does it match by nothing at all.
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
#[expect(missing_debug_implementations, reason = "a function has nothing to show")]
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
/// until the wait is over.
#[must_use]
pub fn search_with(options: &Options<'_>) -> Search {
    let machine = Machine::here();
    let begun = Instant::now();
    let mut search = ask(TABLE, &machine, options);
    let mut known = disk::names(&machine);
    while search.found.is_none() && begun.elapsed() < options.disk_wait {
        std::thread::sleep(DISK_POLL);
        let names = disk::names(&machine);
        if names == known {
            continue;
        }
        known = names;
        let again = ask(DISKS, &machine, options);
        search.found = again.found;
        search.faults.retain(|(source, _)| DISKS.iter().all(|disk| disk.name != *source));
        search.faults.extend(again.faults);
    }
    search
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
    ask: fn(&Machine, &Options<'_>) -> Answer,
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
    Source { name: "fw_cfg", ask: |machine, _| fw_cfg::ask(machine) },
    Source { name: "smbios", ask: |machine, _| smbios::ask(machine) },
    Source { name: "vmware", ask: vmware::ask },
    Source { name: "hyperv", ask: |machine, _| hyperv::ask(machine) },
    Source { name: "xenstore", ask: |machine, _| xenstore::ask(machine) },
    NOCLOUD,
    CONFIG_DRIVE,
    Source { name: "cmdline", ask: |machine, _| cmdline::ask(machine) },
];

/// Those that may appear late.
const DISKS: &[Source] = &[NOCLOUD, CONFIG_DRIVE];
const NOCLOUD: Source =
    Source { name: "nocloud", ask: |machine, options| disk::ask(Kind::NoCloud, machine, options) };
const CONFIG_DRIVE: Source =
    Source { name: "configdrive", ask: |machine, options| disk::ask(Kind::ConfigDrive, machine, options) };

fn ask(table: &[Source], machine: &Machine, options: &Options<'_>) -> Search {
    let mut search = Search::default();
    for source in table {
        let answer = (source.ask)(machine, options);
        search.faults.extend(answer.faults.into_iter().map(|fault| (source.name, fault.to_string())));
        if let Some((place, mut seed)) = answer.found.filter(|(_, seed)| !seed.is_empty()) {
            cards::settle(machine, &mut seed.interfaces);
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
