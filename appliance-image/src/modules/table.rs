//! The kernel modules in the image: which, where they are met, and why. What they depend on comes by itself.
//!
//! To add one, add a row: the build fails where the kernel's package does not have the module, or has it built in, and
//! prints what each group costs.

/// Where a module is met.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// In each start, on any machine.
    Everywhere,
    /// KVM and QEMU: Proxmox, libvirt, clouds; also Firecracker and Cloud Hypervisor.
    Kvm,
    /// ESXi, vSphere, Workstation, Fusion.
    VMware,
    /// Hyper-V and Azure.
    HyperV,
    /// Xen, XenServer, XCP-ng.
    Xen,
    /// Cards and disks that any hypervisor may emulate.
    Emulated,
    /// Real cards, handed through or shared by SR-IOV, and those of clouds.
    PassThrough,
}

impl Place {
    /// As the build prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Kvm => "KVM, QEMU",
            Self::VMware => "VMware",
            Self::HyperV => "Hyper-V",
            Self::Xen => "Xen",
            Self::Emulated => "emulated",
            Self::PassThrough => "pass-through, clouds",
        }
    }
}

/// A module, named as `modinfo` names it, with `_` for `-`.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) why: &'static str,
}

const fn module(name: &'static str, place: Place, why: &'static str) -> Module {
    Module { name, place, why }
}

use Place::{Emulated, Everywhere, HyperV, Kvm, PassThrough, VMware, Xen};

/// By place, then by what they are for.
pub(crate) const TABLE: &[Module] = &[
    // File systems, and what mounts them.
    module("ext4", Everywhere, "STATE and the slots"),
    module("crc32c_generic", Everywhere, "ext4's checksums; ext4 asks for it softly"),
    module("crc32c_intel", Everywhere, "the same, with the processor's instruction"),
    module("vfat", Everywhere, "the ESP with grubenv; first-boot data on a FAT disk"),
    module("nls_cp437", Everywhere, "vfat's short names"),
    module("nls_ascii", Everywhere, "vfat's long names, as Debian's kernel is set"),
    module("nls_utf8", Everywhere, "Joliet and long names that are not ASCII"),
    module("isofs", Everywhere, "first-boot data on a CD"),
    module("sd_mod", Everywhere, "SCSI, SATA and IDE disks"),
    module("sr_mod", Everywhere, "CD drives"),
    module("efivarfs", Everywhere, "whether Secure Boot is on"),
    // A load balancer's network.
    module("tls", Everywhere, "TLS in the kernel, for sendfile on encrypted connections"),
    module("tcp_bbr", Everywhere, "congestion control for clients far away"),
    module("sch_fq", Everywhere, "paces what BBR sends"),
    module("bonding", Everywhere, "two cards as one"),
    module("8021q", Everywhere, "VLANs"),
    // The machine itself.
    module(
        "button",
        Everywhere,
        "ACPI's power button: how KVM, Hyper-V Gen1 and VirtualBox ask for a shutdown",
    ),
    module("evdev", Everywhere, "how the power button is read"),
    module("softdog", Everywhere, "a watchdog where the machine has none"),
    module("iTCO_wdt", Everywhere, "the watchdog of Intel's chipsets: q35 and real machines"),
    module("i2c_i801", Everywhere, "the bus that iTCO_wdt's chipset is found by"),
    module("lpc_ich", Everywhere, "the same"),
    module("wdat_wdt", Everywhere, "the watchdog that ACPI describes: vSphere's"),
    // KVM.
    module("virtio_net", Kvm, "the card"),
    module("virtio_blk", Kvm, "the disk"),
    module("virtio_scsi", Kvm, "the disk, as Proxmox has it"),
    module("virtio_mmio", Kvm, "virtio without PCI: Firecracker, QEMU's microvm"),
    module("virtio_balloon", Kvm, "gives memory back to the host"),
    module("virtio_rng", Kvm, "entropy"),
    module("ptp_kvm", Kvm, "the host's clock"),
    module("qemu_fw_cfg", Kvm, "first-boot data"),
    module("i6300esb", Kvm, "QEMU's watchdog"),
    module("pvpanic_pci", Kvm, "tells the host of a panic"),
    module("pvpanic_mmio", Kvm, "the same, where ACPI describes it"),
    // VMware.
    module("vmxnet3", VMware, "the card"),
    module("vmw_pvscsi", VMware, "the disk"),
    module("mptspi", VMware, "LSI Logic parallel: older machines' disks"),
    module("mptsas", VMware, "LSI Logic SAS"),
    module("vmw_balloon", VMware, "gives memory back to the host"),
    module("vmw_vmci", VMware, "vmw_balloon's way to the host"),
    module(
        "vmw_vsock_vmci_transport",
        VMware,
        "first-boot data, shutdown and addresses: guestinfo and Tools, over vSockets",
    ),
    module("ptp_vmw", VMware, "the host's clock"),
    // Hyper-V.
    module("hv_vmbus", HyperV, "the bus that all else hangs on"),
    module("hv_netvsc", HyperV, "the card"),
    module("hv_storvsc", HyperV, "the disk"),
    module("hv_utils", HyperV, "shutdown, clock, first-boot data by KVP"),
    module("hv_balloon", HyperV, "dynamic memory"),
    module("hyperv_keyboard", HyperV, "the keyboard of Gen2"),
    module("pci_hyperv", HyperV, "cards of Azure's accelerated networking"),
    module("tulip", HyperV, "Gen1's legacy card, also QEMU's"),
    // Xen.
    module("xen_netfront", Xen, "the card"),
    module("xen_blkfront", Xen, "the disk"),
    module("xen_wdt", Xen, "the hypervisor's watchdog"),
    // Emulated hardware.
    module("e1000", Emulated, "VMware's, VirtualBox's and QEMU's older card"),
    module("e1000e", Emulated, "the newer one"),
    module("igb", Emulated, "QEMU's, with several queues"),
    module("8139too", Emulated, "Xen's and older QEMU's card"),
    module("8139cp", Emulated, "the same chip as QEMU emulates it"),
    module("pcnet32", Emulated, "VMware's flexible adapter"),
    module("ne2k_pci", Emulated, "the oldest that QEMU has"),
    module("e100", Emulated, "QEMU's i8255x"),
    module("ahci", Emulated, "SATA disks"),
    module("ata_piix", Emulated, "IDE disks"),
    module("sym53c8xx", Emulated, "QEMU's lsi53c895a"),
    module("BusLogic", Emulated, "VMware's oldest SCSI disks"),
    module("nvme", Emulated, "NVMe disks"),
    // Real cards.
    module("r8169", PassThrough, "Realtek's"),
    module("realtek", PassThrough, "r8169's PHY, which it asks for softly"),
    module("igbvf", PassThrough, "Intel 82576, shared"),
    module("ixgbevf", PassThrough, "Intel 10 GbE, shared; EC2's older machines"),
    module("iavf", PassThrough, "Intel 40 GbE and newer, shared"),
    module("mlx4_en", PassThrough, "Mellanox ConnectX-3: Azure"),
    module("mlx5_core", PassThrough, "Mellanox ConnectX-4 and newer: Azure"),
    module("mana", PassThrough, "Azure"),
    module("ena", PassThrough, "EC2"),
    module("gve", PassThrough, "Google's cloud"),
];
