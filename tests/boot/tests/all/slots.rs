//! Two slots: a new system that does not start gives way to the old one, and one that does becomes the good one.

use weir_boot_tests::{Dist, GrubEnv, Plan, RawDisk, Site, Source, eventually};
use weir_tests::Directory;

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_new_system_has_three_tries() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    let initramfs = std::fs::read(dist.initramfs()).unwrap();
    let at = disk.find("SLOT-B", &initramfs);
    disk.write("SLOT-B", at, &[0x55; 65_536]); // the kernel finds nothing to run, and starts again
    disk.set_grub_env(&GrubEnv { good: 'A', next: 'B', tries: 3 });

    let machine = Plan::bare().medium(disk.path(), "raw").seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!(system.text("/appliance/slot"), "A");
    assert_eq!(system.number("/appliance/fallback"), 1);
    // The old one is the good one again once it has run well for a while.
    eventually("the next start is of slot A", || {
        let kept = disk.grub_env();
        (kept.good, kept.next) == ('A', 'A')
    });
    let stopped = machine.power_off();
    assert_eq!(stopped.said.matches("(good ").count(), 4, "{}", stopped.said);
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_new_system_that_works_becomes_the_good_one() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    disk.set_grub_env(&GrubEnv { good: 'A', next: 'B', tries: 3 });

    let machine = Plan::bare().medium(disk.path(), "raw").seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    assert_eq!(machine.system().text("/appliance/slot"), "B");
    eventually("slot B is the good one", || disk.grub_env().good == 'B');
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_slot_that_cannot_be_read_is_passed_over() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    disk.write("SLOT-A", 0, &vec![0; 1024 * 1024]);

    let machine = Plan::bare().medium(disk.path(), "raw").seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!((system.text("/appliance/slot"), system.number("/appliance/fallback")), ("B", 2));
    machine.power_off();
}
