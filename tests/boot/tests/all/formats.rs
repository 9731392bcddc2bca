//! The image in the formats that hypervisors import: each is sound, says the same, and starts.

use std::process::Command;

use weir_boot_tests::{Disk, Dist, Firmware, Plan, Site, Source, overlay};
use weir_tests::Directory;

/// A format: the file's ending, QEMU's name for it, whether qemu-img can check it, and on what its hypervisor has it.
const FORMATS: [(&str, &str, bool, Disk); 3] = [
    ("vmdk", "vmdk", true, Disk::Pvscsi),
    ("vhd", "vpc", false, Disk::Ide), // a fixed VHD is the disk with a footer: there is nothing to check
    ("vhdx", "vhdx", true, Disk::VirtioScsi),
];

fn qemu_img(arguments: &[&str]) -> String {
    let output = Command::new("qemu-img").args(arguments).output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "qemu-img {arguments:?}: {said}");
    said
}

#[test]
#[ignore = "looks at the image: make test-boot-all"]
fn they_are_sound_and_say_the_same() {
    let dist = Dist::find();
    let original = dist.image("qcow2");
    let original = original.to_str().unwrap();
    qemu_img(&["check", original]);
    for (ending, format, checked, _) in FORMATS {
        let file = dist.image(ending);
        let file = file.to_str().unwrap();
        if checked {
            qemu_img(&["check", "-f", format, file]);
        }
        qemu_img(&["compare", "-f", format, "-F", "qcow2", file, original]);
    }
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn each_starts_under_bios_and_uefi() {
    let dist = Dist::find();
    for (ending, format, _, disk) in FORMATS {
        for firmware in Firmware::PLAIN {
            let disk = if firmware.knows(disk) { disk } else { Disk::Ahci };
            let (site, directory) = (Site::new(), Directory::new());
            let medium = overlay(&dist.image(ending), format, &directory.file("disk.qcow2"));
            let plan = Plan::bare().firmware(firmware).disk(disk).medium(&medium, "qcow2");
            let machine = plan.seed(Source::FwCfg, &site.config()).start();
            let first = machine.serves(&site);
            machine.power_off();
            eprintln!("{ending} under {firmware:?}: the first request after {first:.1?}");
        }
    }
}
