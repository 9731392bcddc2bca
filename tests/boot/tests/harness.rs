//! The small systems around the appliance come up by themselves.

use weir_boot_tests::xen::{Host, Loader};

#[test]
#[ignore = "starts a machine: make test-boot-all"]
fn xen() {
    let mut host = Host::start(None, &Loader::Grub, "version: 1\n");
    let said = host.run("xl info");
    assert!(said.contains("virt_caps"), "{said}");
    eprintln!("{said}{:?}", host.machine.age());
}
