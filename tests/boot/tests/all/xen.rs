//! A real Xen: the image as a paravirtualized guest, its first-boot data in the store, its card and its disk Xen's.

use weir_boot_tests::xen::{Host, Loader};
use weir_boot_tests::{Dist, RawDisk, Site};
use weir_tests::Directory;

/// What is the same however it was started.
fn serves_on_xen(mut host: Host, site: &Site) {
    host.create();
    host.machine.serves(site);
    let system = host.machine.system();
    assert_eq!(system.text("/appliance/configuration/source"), "xenstore", "{system:?}");
    assert!(system.mentions("xen_netfront"), "{system:?}");
    eprintln!("served after {:?}: {:#}", host.machine.age(), system.0);
    host.shut_down();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_guest_from_grub_on_its_disk() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    serves_on_xen(Host::start(Some(disk.path()), &Loader::Grub, &site.config()), &site);
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_guest_from_kernel_and_initramfs() {
    let (dist, site) = (Dist::find(), Site::new());
    let loader = Loader::Direct { kernel: dist.kernel(), initramfs: dist.initramfs() };
    serves_on_xen(Host::start(None, &loader, &site.config()), &site);
}
