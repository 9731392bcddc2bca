//! The start, top to bottom: each phase is a line on the consoles, with its time.
//!
//! No phase can fail: what goes wrong in one becomes a notice, and the next one makes do. The order is one of need: modules
//! want `/dev` and `/sys`, STATE its disk's driver, the configuration STATE, the network the configuration, the clock the
//! network, and the child, whose TLS wants a clock, all of them.

use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use rustix::mount::MountFlags;

use crate::admin::{self, Admin};
use crate::agents::Agents;
use crate::child::{self, Orders};
use crate::clock::Clock;
use crate::command_line::{CommandLine, Fallback};
use crate::configuration::{self, Chosen, Store};
use crate::modules::{Devices, Loader, Uevents, coldplug};
use crate::network::Network;
use crate::state::{self, Condition, Disk, State};
use crate::status::{self, Phase, ms};
use crate::steward::{Inherited, Steward};
use crate::{
    Teller, button, console, grubenv, logging, modules, mounts, power, settings, sources, spread, summary,
    threads,
};

/// How long the disk is waited for that we were booted from.
const DISK_WAIT: Duration = Duration::from_secs(20);
/// The same, where the boot loader wasn't ours, and there may be none.
const DISK_WAIT_OTHERWISE: Duration = Duration::from_secs(1);
/// How long the network may take before the child is started without.
const NETWORK_WAIT: Duration = Duration::from_secs(10);
/// 2026-01-01: a clock that shows less is not right (no battery, no hypervisor that sets it). One that shows more is right
/// within what certificates allow, and the start does not wait for a server that says so.
const CLOCK_LEAST: Duration = Duration::from_secs(1_767_225_600);
/// Names that we are called by, beneath `/sbin`: the kernel does, when a hypervisor wants the machine to end or for a module.
const LINKS: &[&str] = &["poweroff", "reboot", "shutdown", "halt", "modprobe"];
/// Modules that no device asks for, and nobody waits for.
const LATER: &[&str] = &["tcp_bbr", "sch_fq", "tls"];
/// Watchdogs that no device asks for, tried in this order where there is none; the last is the kernel's own timer.
const WATCHDOGS: &[&str] = &["xen_wdt", "softdog"];

/// The start as it goes on.
struct Start {
    begun: Instant,
    kernel: Duration,
    phases: Vec<Phase>,
    notices: Vec<String>,
}

/// Starts the machine, and does not come back.
pub(crate) fn boot() -> ! {
    power::block_signals();
    let mut start = Start::begin();
    let (teller, events) = Teller::channel();

    start.phase("mounts", mount);
    let line = CommandLine::read();
    start.greet(line);
    power::listen(teller.clone());
    start.phase("settings", |_| ((), format!("{} kernel settings", settings::apply())));
    let devices = start.phase("modules", |notices| load(notices, &teller));
    let (disk, state) = start.phase("state", |notices| find_state(&devices, line, notices));
    let store = Store::new(Path::new(state::AT), state.condition != Condition::Memory);
    let chosen = start.phase("configuration", |notices| configure(&store, notices));
    let admin = start.phase("admin", keys);
    let network = start.phase("network", |_| connect(&teller, &chosen));
    let clock = start.phase("clock", |_| set_clock(&teller, &chosen, &network));
    start.phase("services", |notices| services(&store, &teller, notices));

    let init = start.begun.elapsed();
    let boot = status::Boot { kernel_ms: ms(start.kernel), init_ms: ms(init), phases: start.phases };
    let orders = Orders {
        config: store.running(),
        admin: admin
            .as_ref()
            .map_or_else(|| Path::new(state::AT).join("admin"), |admin| admin.folder.clone()),
        log: Path::new(state::AT).join("log"),
    };
    let agents = Agents::start(&teller);
    let inherited = Inherited {
        line,
        boot,
        disk,
        state,
        store,
        chosen,
        admin,
        orders,
        network,
        clock,
        agents,
        notices: start.notices,
    };
    Steward::new(inherited, events).run()
}

impl Start {
    fn begin() -> Self {
        Self { begun: Instant::now(), kernel: Duration::ZERO, phases: Vec::new(), notices: Vec::new() }
    }

    /// One phase: what it leaves, and what is said of it.
    fn phase<T>(&mut self, name: &'static str, job: impl FnOnce(&mut Vec<String>) -> (T, String)) -> T {
        let begun = Instant::now();
        let known = self.notices.len();
        let (left, text) = job(&mut self.notices);
        let took = ms(begun.elapsed());
        self.phases.push(Phase { name, ms: took });
        console::say(&format!("{took:>6} ms  {name:<14} {text}"));
        for notice in &self.notices[known..] {
            console::say(&format!("{:11}{:<14} {notice}", "", "  attention:"));
        }
        left
    }

    /// The first line, as soon as there is a console.
    fn greet(&mut self, line: CommandLine) {
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds: f64 =
            uptime.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default();
        self.kernel = Duration::from_secs_f64(seconds).saturating_sub(self.begun.elapsed());
        let memory = settings::memory_kib(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let slot = line.slot.map_or_else(String::new, |slot| format!(", slot {}", slot.name()));
        console::say(&format!(
            "Weir {}{slot}: Linux {}, {cores} core{}, {} MiB of memory; the kernel took {} ms",
            env!("CARGO_PKG_VERSION"),
            rustix::system::uname().release().to_string_lossy(),
            if cores == 1 { "" } else { "s" },
            memory / 1024,
            ms(self.kernel),
        ));
        self.notices.extend(match line.fallback {
            Fallback::None => None,
            Fallback::TriesUsedUp => Some(
                "the new slot did not come up in three tries, and the one before it runs again".to_owned(),
            ),
            Fallback::NotLoadable => Some(
                "the boot loader could not load the slot that it was to start, and took the other".to_owned(),
            ),
        });
    }
}

/// The processor's time that we took, and that the kernel took for us: fields 14 and 15, in hundredths of a second.
fn cpu(stat: &str) -> (Duration, Duration) {
    let after_name = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let mut ticks =
        after_name.split(' ').skip(11).map(|text| Duration::from_millis(text.parse().unwrap_or(0) * 10));
    (ticks.next().unwrap_or_default(), ticks.next().unwrap_or_default())
}

fn mount(notices: &mut Vec<String>) -> ((), String) {
    notices.extend(mounts::mount_all());
    console::open();
    logging::start();
    power::set_panic_hook();
    if let Err(error) = link() {
        notices.push(format!("no links to us in /sbin: {error}"));
    }
    if let Err(error) = std::fs::create_dir_all(status::FOLDER) {
        notices.push(format!("{} is not there: {error}", status::FOLDER));
    }
    ((), "the kernel's file systems".to_owned())
}

/// One that is there is left: boot loaders may add archives of others to ours.
fn link() -> std::io::Result<()> {
    std::fs::create_dir_all("/sbin")?;
    for name in LINKS {
        match std::os::unix::fs::symlink("/weir", Path::new("/sbin").join(name)) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => made?,
        }
    }
    Ok(())
}

fn load(notices: &mut Vec<String>, teller: &Teller) -> (Devices, String) {
    let uevents = match Uevents::open() {
        Ok(uevents) => Some(uevents),
        Err(error) => {
            notices.push(format!("devices that are added will not be seen: {error}"));
            None
        }
    };
    let mut loader = Loader::open();
    // The kernel would ask for it when STATE is mounted. It is nearly half of the work, and here it is done while the
    // drivers wait for their devices.
    let mut beside = loader.beside();
    let ext4 = threads::start("ext4", move || {
        beside.load("ext4");
        beside
    });
    let looked = coldplug(&mut loader, uevents.as_ref());
    match ext4.and_then(|thread| thread.join().ok()) {
        Some(beside) => loader = loader.joined_by(beside),
        None => loader.load("ext4"),
    }
    notices.extend(loader.take_faults());
    let text = format!("{} loaded for {} devices", loader.loaded(), looked.devices);
    let devices = uevents.map(|uevents| Devices::watch(uevents, loader, teller.clone())).unwrap_or_default();
    spread::all();
    button::watch_all(teller);
    (devices, text)
}

fn find_state(
    devices: &Devices,
    line: CommandLine,
    notices: &mut Vec<String>,
) -> ((Option<Disk>, State), String) {
    let wait = if line.slot.is_some() { DISK_WAIT } else { DISK_WAIT_OTHERWISE };
    let found =
        devices.wait_for(Instant::now() + wait, || Some(state::disks()).filter(|disks| !disks.is_empty()));
    let disks = found.unwrap_or_default();
    let environment =
        |disk: &Disk| disk.partition("ESP").and_then(|partition| grubenv::read(&partition.node).ok());
    let disk = state::choose(&disks, line.slot, environment).cloned();
    if let ([_, _, ..], Some(disk)) = (&disks[..], &disk) {
        notices.push(format!(
            "{} disks have a partition named STATE; that of {} is used",
            disks.len(),
            disk.place
        ));
    }
    let mut state = state::open(disk.as_ref());
    notices.append(&mut state.notices);
    let text = match (&state.device, state.condition) {
        (Some(device), Condition::Clean) => format!("{}, clean", device.display()),
        (Some(device), Condition::Repaired) => format!("{}, its journal was replayed", device.display()),
        (Some(device), Condition::Made) => format!("{}, made anew", device.display()),
        (Some(_) | None, Condition::Memory) | (None, _) => "in memory".to_owned(),
    };
    ((disk, state), text)
}

fn configure(store: &Store, notices: &mut Vec<String>) -> (Chosen, String) {
    // A disk with data may be late where it is needed; the one of a machine that has its configuration is not waited for.
    let mut options = sources::Options::default();
    if store.is_given() {
        options.disk_wait = Duration::ZERO;
    }
    let chosen = store.settle(sources::search_with(&options)).unwrap_or_else(|error| {
        notices.push(format!("the configuration could not be written: {error}"));
        Chosen::default_in_memory()
    });
    notices.extend_from_slice(&chosen.notices);
    let text = configuration::describe(&chosen.origin);
    (chosen, text)
}

/// In STATE; where there is no room for them, in memory for as long as the machine runs.
fn keys(notices: &mut Vec<String>) -> (Option<Admin>, String) {
    let machine = sources::machine_id();
    let folders = [Path::new(state::AT).join("admin"), Path::new(status::FOLDER).join("admin")];
    for folder in folders {
        match admin::prepare(&folder, machine.as_deref()) {
            Ok(admin) => {
                let text = if admin.shown {
                    "certificate and token as before"
                } else {
                    "a new certificate and token"
                };
                return (Some(admin), text.to_owned());
            }
            Err(error) => notices.push(error.to_string()),
        }
    }
    (None, "no certificate and no token".to_owned())
}

fn connect(teller: &Teller, chosen: &Chosen) -> (Network, String) {
    let network = Network::start(teller.clone());
    network.apply(chosen.plan());
    let text =
        if network.wait(NETWORK_WAIT) { "connected" } else { "no address yet; the start goes on without" };
    (network, text.to_owned())
}

/// Waits for it no longer than the configuration says, and not at all where it may be right as it is or there is no network.
fn set_clock(teller: &Teller, chosen: &Chosen, network: &Network) -> (Clock, String) {
    let time = configuration::time(chosen.config.as_ref());
    let offered = network.clone();
    let clock = Clock::start(&time, Box::new(move || offered.ntp_servers()), teller.clone());
    let connected =
        network.status().iter().any(|card| !card.addresses.iter().all(|a| summary::is_link_local(a)));
    let plausible = SystemTime::now() >= SystemTime::UNIX_EPOCH + CLOCK_LEAST;
    let wait = if plausible { Duration::ZERO } else { time.wait };
    let text = if connected && clock.wait(wait) {
        clock.status().server.map_or_else(|| "set".to_owned(), |server| format!("set by {server}"))
    } else {
        "not set by a server yet; the machine's own is used".to_owned()
    };
    (clock, text)
}

fn services(store: &Store, teller: &Teller, notices: &mut Vec<String>) -> ((), String) {
    crate::watch::start(store.folder(), "weir.yaml", teller.clone());
    if let Err(error) = child::listen(teller.clone()) {
        notices.push(format!("the child can't tell that it lives: {error}"));
    }
    threads::start("later", || {
        // The child, which starts now, is what the processor is for.
        let _ = rustix::process::nice(19);
        modules::modprobe(LATER.iter().map(|&name| name.to_owned()));
        for name in WATCHDOGS {
            if !Path::new("/dev/watchdog0").exists() {
                modules::modprobe(std::iter::once((*name).to_owned()));
            }
        }
    });
    // From here on nothing is written but to STATE and /run.
    if let Err(error) = rustix::mount::mount_remount("/", MountFlags::RDONLY, c"") {
        console::note(&format!("/ stays writable: {error}"));
    }
    let (ours, kernels) = cpu(&std::fs::read_to_string("/proc/self/stat").unwrap_or_default());
    ((), format!("so far {} ms of work of ours, {} ms of the kernel for us", ms(ours), ms(kernels)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_process_has_taken() {
        let stat = "1 (we ir) S 0 0 0 0 -1 4194560 900 0 5 0 12 240 0 0 20 0 7 0 100";
        assert_eq!(cpu(stat), (Duration::from_millis(120), Duration::from_millis(2400)));
        assert_eq!(cpu(""), (Duration::ZERO, Duration::ZERO));
    }
}
