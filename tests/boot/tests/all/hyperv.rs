//! Hyper-V's interfaces and its bus, as far as they exist without Windows: detected, negotiated, drivers loaded. What
//! goes over the bus is not tried: there is no card and no disk for it outside of Hyper-V.

use weir_boot_tests::hyperv::Host;
use weir_boot_tests::{Dist, Site, with_helper};
use weir_tests::Directory;

/// How Hyper-V's bus names what it offers: a card, a disk, the shutdown and the key-value service.
const OFFERED: [(&str, &str); 4] = [
    ("vmbus:635161f83edfc546913ff2d2f965ed0e", "hv_netvsc"),
    ("vmbus:d96361baa104294db60572e2ffb1dc7f", "hv_storvsc"),
    ("vmbus:31600b0e13523449818b38d90ced39db", "hv_utils"),
    ("vmbus:e7f4a0a9455a964db8278a841e8c03e6", "hv_utils"),
];

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn hyper_v_is_detected_and_its_bus_is_spoken() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let initramfs = with_helper(&dist.initramfs(), &directory.file("initramfs"));
    let mut host = Host::start(&dist.kernel(), &initramfs, &site.config());
    host.create();
    host.machine.console.line("Hypervisor detected: Microsoft Hyper-V");
    host.machine.serves(&site);
    eprintln!("served after {:?}", host.machine.age());

    // The bus was found by its name in ACPI's tables, and the one device on it by its name on the bus.
    let loaded = host.machine.inside("cat /proc/modules");
    for module in ["hv_vmbus", "hv_balloon"] {
        assert!(loaded.contains(module), "{module} was not loaded: {loaded}");
    }
    let said = host.machine.inside("dmesg");
    assert!(said.contains("Vmbus version:"), "{said}");

    // No emulator offers the others, so their names are asked for here.
    for (alias, module) in OFFERED {
        host.machine.inside(&format!("modprobe {alias}"));
        let loaded = host.machine.inside("cat /proc/modules");
        assert!(loaded.contains(module), "{alias} does not lead to {module}: {loaded}");
    }
    let said = host.machine.inside("dmesg");
    for driver in ["hv_netvsc", "hv_storvsc", "hv_utils"] {
        assert!(said.contains(&format!("registering driver {driver}")), "{driver}: {said}");
    }
    let system = host.machine.system();
    eprintln!("{:#}", system.0);
    assert!(system.0.to_string().contains("Hyper-V"), "{system:?}");
    host.shut_down();
}
