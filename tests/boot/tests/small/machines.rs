//! Each firmware, each card, each disk and each source of first-boot data at least once.

use weir_boot_tests::{Dist, Plan, Site, Source};

use crate::matrix::Row;

/// A test for each row, named for what is in it.
macro_rules! machines {
    ($($name:ident: $firmware:ident $nic:ident $disk:ident $source:ident;)*) => {$(
        #[test]
        #[ignore = "starts the image: make test-boot"]
        fn $name() {
            use weir_boot_tests::{Disk, Firmware, Nic};
            let row = Row(Firmware::$firmware, Nic::$nic, Disk::$disk, Source::$source);
            eprintln!("{row:?}: the first request after {:.1?}", row.try_it());
        }
    )*};
}

machines! {
    bios_virtio_on_virtio_blk: SeaBios Virtio VirtioBlk FwCfg;
    bios_vmxnet3_on_pvscsi: SeaBios Vmxnet3 Pvscsi Smbios;
    bios_e1000_on_ide: SeaBios E1000 Ide CidataIso;
    bios_rtl8139_on_ahci: SeaBios Rtl8139 Ahci CidataVfat;
    uefi_e1000e_on_nvme: Ovmf E1000e Nvme FwCfg;
    uefi_tulip_on_virtio_scsi: Ovmf Tulip VirtioScsi Smbios;
    uefi_pcnet_on_ahci: Ovmf Pcnet Ahci CidataIso;
    secure_boot: SecureBoot Virtio VirtioScsi FwCfg;
}

/// As Firecracker, Cloud Hypervisor and Xen's PVH start it: no firmware, no boot loader, no disk.
#[test]
#[ignore = "starts the image: make test-boot"]
fn kernel_and_initramfs_alone() {
    let site = Site::new();
    let machine = Plan::direct(&Dist::find(), "").seed(Source::CommandLine, &site.config()).start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!(system.text("/appliance/configuration/source"), "cmdline");
    assert_eq!(system.text("/appliance/state/condition"), "memory");
    machine.power_off();
}
