//! The small systems around the appliance come up by themselves.

use weir_boot_tests::{Archive, Packages, hyperv, xen};

#[test]
#[ignore = "starts a machine: make test-boot-all"]
fn xen() {
    let mut host = xen::Host::start(None, &xen::Loader::Grub, "version: 1\n");
    let said = host.machine.shell("xl info");
    assert!(said.contains("virt_caps"), "{said}");
    eprintln!("{said}{:?}", host.machine.age());
}

#[test]
#[ignore = "starts a machine: make test-boot-all"]
fn hyperv() {
    let packages = Packages::find();
    let directory = weir_tests::Directory::new();
    let initramfs = directory.file("guest");
    let init = "#!/bin/busybox sh\n/bin/busybox mount -t proc p /proc; exec </dev/console >/dev/console 2>&1\n\
                while read -r m; do /bin/busybox insmod $m; done </modules\n\
                /bin/busybox dmesg | /bin/busybox grep -i -e hyper-v -e vmbus\n\
                /bin/busybox cat /proc/modules; echo GUEST DONE; /bin/busybox poweroff -f\n";
    let archive = Archive::new()
        .program_from("bin/busybox", &packages.file("bin/busybox"))
        .program("init", init)
        .folder("proc")
        .folder("dev");
    let archive = packages
        .add_modules(archive, &["hv_vmbus", "hv_balloon", "hv_utils", "hv_netvsc", "hv_storvsc", "tulip"]);
    std::fs::write(&initramfs, archive.finish()).unwrap();
    let mut host = hyperv::Host::start(&packages.kernel(), &initramfs, "version: 1\n");
    host.create();
    host.machine.console.line("GUEST DONE");
    eprintln!("{}\n{:?}", host.machine.console.end(), host.machine.age());
}
