//! What a machine is made of, as QEMU names it: one table for firmware, one for cards, one for disks.

use std::path::Path;

/// What starts the boot loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmware {
    /// A BIOS.
    SeaBios,
    /// UEFI.
    Ovmf,
    /// UEFI with Microsoft's keys, which refuses what is not signed.
    SecureBoot,
}

impl Firmware {
    /// Both that every disk and card is tried with.
    pub const PLAIN: [Self; 2] = [Self::SeaBios, Self::Ovmf];

    /// Whether it can start from this disk. Debian's OVMF is built without a driver for VMware's controller; VMware's own
    /// firmware has one.
    pub fn knows(self, disk: Disk) -> bool {
        self == Self::SeaBios || disk != Disk::Pvscsi
    }

    /// QEMU's arguments; `variables` is a file of the machine's own. A disk on IDE needs the older chipset.
    pub(crate) fn arguments(self, variables: &Path, disk: Disk) -> Vec<String> {
        let folder = Path::new("/usr/share/OVMF");
        let (code, empty, machine) = match self {
            Self::SeaBios => return vec!["-machine".to_owned(), "pc".to_owned()],
            Self::Ovmf if disk == Disk::Ide => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "pc"),
            Self::Ovmf => ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", "q35"),
            Self::SecureBoot => ("OVMF_CODE_4M.ms.fd", "OVMF_VARS_4M.ms.fd", "q35,smm=on"),
        };
        if !variables.exists() {
            let from = folder.join(empty);
            std::fs::copy(&from, variables)
                .unwrap_or_else(|error| panic!("{}: {error}; `make test-boot` installs it", from.display()));
        }
        let flash = "if=pflash,format=raw";
        let mut arguments = vec!["-machine".to_owned(), machine.to_owned()];
        arguments.extend([
            "-drive".to_owned(),
            format!("{flash},readonly=on,file={}", folder.join(code).display()),
        ]);
        arguments.extend(["-drive".to_owned(), format!("{flash},file={}", variables.display())]);
        if self == Self::SecureBoot {
            arguments.extend(["-global", "driver=cfi.pflash01,property=secure,value=on"].map(str::to_owned));
        }
        arguments
    }
}

/// A network card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nic {
    /// KVM's, Proxmox's.
    Virtio,
    /// VMware's.
    Vmxnet3,
    /// VMware's and VirtualBox's emulated one.
    E1000,
    /// The same with PCI Express.
    E1000e,
    /// Xen's emulated one.
    Rtl8139,
    /// Hyper-V's "legacy" adapter, a sibling of the chip that QEMU has.
    Tulip,
    /// VMware's "flexible" adapter.
    Pcnet,
    /// An Intel 82576 as hosts pass it through.
    Igb,
}

impl Nic {
    /// All that QEMU has of those that hypervisors offer.
    pub const ALL: [Self; 8] = [
        Self::Virtio,
        Self::Vmxnet3,
        Self::E1000,
        Self::E1000e,
        Self::Rtl8139,
        Self::Tulip,
        Self::Pcnet,
        Self::Igb,
    ];

    /// QEMU's name for it.
    pub(crate) fn device(self) -> &'static str {
        match self {
            Self::Virtio => "virtio-net-pci",
            Self::Vmxnet3 => "vmxnet3",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Rtl8139 => "rtl8139",
            Self::Tulip => "tulip",
            Self::Pcnet => "pcnet",
            Self::Igb => "igb",
        }
    }

    /// The driver that Linux has for it. QEMU's rtl8139 is a C+ chip, which is 8139cp's.
    pub fn driver(self) -> &'static str {
        match self {
            Self::Virtio => "virtio_net",
            Self::Vmxnet3 => "vmxnet3",
            Self::E1000 => "e1000",
            Self::E1000e => "e1000e",
            Self::Rtl8139 => "8139cp",
            Self::Tulip => "tulip",
            Self::Pcnet => "pcnet32",
            Self::Igb => "igb",
        }
    }
}

/// What the disk hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// KVM's.
    VirtioBlk,
    /// KVM's, Proxmox's default.
    VirtioScsi,
    /// SATA.
    Ahci,
    /// PIIX: Hyper-V's generation 1, old VMware.
    Ide,
    /// VMware's.
    Pvscsi,
    /// Clouds, newer VMware.
    Nvme,
}

impl Disk {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::VirtioBlk, Self::VirtioScsi, Self::Ahci, Self::Ide, Self::Pvscsi, Self::Nvme];

    /// The driver that Linux has for it.
    pub fn driver(self) -> &'static str {
        match self {
            Self::VirtioBlk => "virtio_blk",
            Self::VirtioScsi => "virtio_scsi",
            Self::Ahci => "ahci",
            Self::Ide => "ata_piix",
            Self::Pvscsi => "vmw_pvscsi",
            Self::Nvme => "nvme",
        }
    }

    /// QEMU's devices for the drive `disk`, the first to be started from; before it comes only a kernel that is given.
    pub(crate) fn devices(self) -> &'static [&'static str] {
        match self {
            Self::VirtioBlk => &["virtio-blk-pci,drive=disk,bootindex=1"],
            Self::VirtioScsi => &["virtio-scsi-pci,id=host", "scsi-hd,bus=host.0,drive=disk,bootindex=1"],
            Self::Ahci => &["ich9-ahci,id=host", "ide-hd,bus=host.0,drive=disk,bootindex=1"],
            Self::Ide => &["ide-hd,bus=ide.0,drive=disk,bootindex=1"],
            Self::Pvscsi => &["pvscsi,id=host", "scsi-hd,bus=host.0,drive=disk,bootindex=1"],
            Self::Nvme => &["nvme,serial=weir,drive=disk,bootindex=1"],
        }
    }
}
