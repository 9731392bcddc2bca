//! First-boot data: the table of sources, asked in its order; the first that has something answers.

use std::net::IpAddr;

use weir_config::model::Interface;

/// What a source gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seed {
    /// A configuration file of Weir, as it was given (decoded, not yet checked).
    pub config: Option<String>,
    /// What tells a clone from its original. None: the machine's own (SMBIOS UUID, Xen's UUID).
    pub instance_id: Option<String>,
    /// Used where the file has no `system.hostname`.
    pub hostname: Option<String>,
    /// Used where the file has no `system.interfaces`: cloud-init's network-config, OVF properties, `ip=`.
    pub interfaces: Vec<Interface>,
    /// Used where the file has no `system.name_servers`.
    pub name_servers: Vec<IpAddr>,
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

/// Asks the sources in their order.
#[must_use]
pub fn search() -> Search {
    Search::default()
}
