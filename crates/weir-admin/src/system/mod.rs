//! What the machine is and has, as the kernel tells it in /sys and /proc: the same on any host and in the appliance.
//!
//! Everything is read when somebody asks; nothing is kept. What the kernel does not tell is null, never a guess.
//! Readers take the root of the file system as an argument, so that tests can make machines up.

mod addresses;
mod disks;
mod firmware;
mod hypervisor;
mod interfaces;
mod machine;
mod tree;

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use self::disks::Disk;
use self::interfaces::Interface;
use self::machine::{Cpus, Memory};
use self::tree::Tree;

/// The largest status of process 1 that is read.
const STATUS_BYTES_MAX: u64 = 1 << 20;

/// `/api/v1/system`.
#[derive(Debug, Serialize)]
pub(crate) struct System {
    pub(crate) version: &'static str,
    /// Of this process.
    pub(crate) uptime_seconds: u64,
    /// Since the kernel started.
    pub(crate) machine_uptime_seconds: Option<u64>,
    pub(crate) hostname: Option<String>,
    pub(crate) kernel: Option<String>,
    pub(crate) hypervisor: &'static str,
    pub(crate) firmware: &'static str,
    pub(crate) cpus: Cpus,
    pub(crate) memory: Memory,
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) disks: Vec<Disk>,
    /// What process 1 of the appliance has come to; null elsewhere.
    pub(crate) appliance: Option<Value>,
}

impl System {
    /// Reads it all, which may take a moment: not for the main thread. `appliance` is the folder of process 1's status.
    pub(crate) fn now(uptime_seconds: u64, appliance: Option<&Path>) -> Self {
        let tree = Tree::new("/");
        let hypervisor = hypervisor::detect(&tree, &hypervisor::signatures());
        let firmware = firmware::detect(&tree, hypervisor);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds,
            machine_uptime_seconds: machine::uptime_seconds(&tree),
            hostname: tree.text("proc/sys/kernel/hostname"),
            kernel: tree.text("proc/sys/kernel/osrelease"),
            hypervisor: hypervisor.as_str(),
            firmware: firmware.as_str(),
            cpus: Cpus::of(&tree),
            memory: Memory::of(&tree),
            interfaces: interfaces::all(&tree, &addresses::all()),
            disks: disks::all(&tree),
            appliance: appliance.and_then(status),
        }
    }
}

/// What process 1 has written. It replaces the file whole, so half of one is never seen.
fn status(folder: &Path) -> Option<Value> {
    let path = folder.join("appliance.json");
    let text = match tree::read(&path, STATUS_BYTES_MAX) {
        Ok(text) => text,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "the appliance's status can't be read");
            return None;
        }
    };
    serde_json::from_str(&text)
        .inspect_err(|error| {
            tracing::warn!(file = %path.display(), %error, "the appliance's status is not JSON");
        })
        .ok()
}

/// Every hypervisor and every firmware that may be named, for the description of the API.
pub(crate) fn words() -> (Vec<&'static str>, Vec<&'static str>) {
    (
        hypervisor::ALL.map(hypervisor::Hypervisor::as_str).into(),
        firmware::ALL.map(firmware::Firmware::as_str).into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_what_it_is() {
        let system = System::now(5, None);
        assert!(system.kernel.is_some() && system.machine_uptime_seconds.is_some());
        assert!(system.cpus.count > 0 && system.memory.total_bytes > Some(1 << 20));
        assert!(system.interfaces.iter().all(|interface| interface.name != "lo"));
        assert_eq!(system.appliance, None);
    }
}
