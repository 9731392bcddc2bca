//! Disks: what each is, and which driver leads to it.

use serde::Serialize;
use weir_config::model::bus_path;

use super::tree::Tree;

/// A disk.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Disk {
    /// The kernel's name.
    pub(crate) name: String,
    /// The place on the bus of what it is attached to.
    pub(crate) path: Option<String>,
    /// Of what it is attached to: `virtio_blk`, `vmw_pvscsi`, `ahci`.
    pub(crate) driver: Option<String>,
    /// The module that the driver is in: `xen_blkfront` of the driver `vbd`.
    pub(crate) module: Option<String>,
    pub(crate) size_bytes: Option<u64>,
}

/// A sector in /sys/block, whatever the disk has.
const SECTOR_BYTES: u64 = 512;

/// Drivers of the SCSI bus itself, beneath which stands who drives the disk.
const OF_THE_BUS: [&str; 2] = ["sd", "sr"];

/// Every disk that is a device; what is made of others (loop, device mapper, memory) is none.
pub(super) fn all(tree: &Tree) -> Vec<Disk> {
    tree.folders("sys/block").iter().filter_map(|name| one(tree, name)).collect()
}

fn one(tree: &Tree, name: &str) -> Option<Disk> {
    let device = tree.resolve(format!("sys/block/{name}/device"))?;
    // Up from the disk, whose own driver may be the bus's.
    let driven = device.ancestors().find(|above| {
        tree.link_name(above.join("driver")).is_some_and(|driver| !OF_THE_BUS.contains(&driver.as_str()))
    });
    Some(Disk {
        name: name.to_owned(),
        path: driven.and_then(bus_path).map(str::to_owned),
        driver: driven.and_then(|driven| tree.link_name(driven.join("driver"))),
        module: driven.and_then(|driven| tree.link_name(driven.join("driver/module"))),
        size_bytes: tree
            .number::<u64>(format!("sys/block/{name}/size"))
            .map(|sectors| sectors * SECTOR_BYTES),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::made_up::Machine;
    use super::*;

    #[test]
    fn the_driver_is_that_of_what_a_disk_is_attached_to() {
        let machine = Machine::new();
        let pci = "sys/devices/pci0000:00";
        for (name, device, driven, driver) in [
            ("vda", "0000:00:04.0/virtio1", "0000:00:04.0/virtio1", "virtio_blk"),
            ("sda", "0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0", "0000:00:1f.2", "ahci"),
            ("nvme0n1", "0000:00:05.0/nvme/nvme0", "0000:00:05.0", "nvme"),
        ] {
            machine
                .link(&format!("sys/block/{name}"), &format!("{pci}/{device}/block/{name}"))
                .link(&format!("{pci}/{device}/block/{name}/device"), &format!("{pci}/{device}"))
                .link(&format!("{pci}/{driven}/driver"), &format!("sys/bus/some/drivers/{driver}"))
                .file(&format!("{pci}/{device}/block/{name}/size"), "2048\n");
        }
        machine.link(
            &format!("{pci}/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/driver"),
            "sys/bus/scsi/drivers/sd",
        );
        machine.link("sys/block/loop0", "sys/devices/virtual/block/loop0");
        let all = all(&machine.0);
        let told: Vec<_> = all
            .iter()
            .map(|disk| (disk.name.as_str(), disk.driver.as_deref().unwrap(), disk.path.as_deref().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                ("nvme0n1", "nvme", "0000:00:05.0"),
                ("sda", "ahci", "0000:00:1f.2"),
                ("vda", "virtio_blk", "0000:00:04.0"),
            ]
        );
        assert_eq!(all[0].size_bytes, Some(1 << 20));
    }
}
