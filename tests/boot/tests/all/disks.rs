//! STATE in every condition that it may be in: none of them keeps the machine from starting.

use weir_boot_tests::{Dist, Plan, RawDisk, Site, Source, System};
use weir_tests::Directory;

/// Starts a machine from a disk that was treated so; what it says of itself when it serves.
fn start_after(treat: impl FnOnce(&RawDisk, &Directory)) -> System {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    treat(&disk, &directory);
    let machine = Plan::bare().medium(disk.path(), "raw").seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let system = machine.system();
    eprintln!("state: {:#}, notices: {:#}", system.at("/appliance/state"), system.at("/appliance/notices"));
    machine.power_off();
    system
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn state_is_missing() {
    let system = start_after(|disk, _| disk.delete(5));
    assert_eq!(system.text("/appliance/state/condition"), "memory");
    assert!(!system.at("/appliance/notices").as_array().unwrap().is_empty(), "nothing is said of it");
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn state_is_corrupt() {
    let system = start_after(|disk, _| {
        let (_, size) = disk.partition("STATE");
        let mut random = fastrand::Rng::with_seed(5);
        let noise: Vec<u8> =
            std::iter::repeat_with(|| random.u8(..)).take(usize::try_from(size).unwrap()).collect();
        disk.write("STATE", 0, &noise);
    });
    assert_eq!(system.text("/appliance/state/condition"), "made");
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn state_is_full() {
    start_after(|disk, directory| {
        let (_, size) = disk.partition("STATE");
        // debugfs writes as much of it as there is room for.
        let filler = directory.file("filler");
        std::fs::write(&filler, vec![0x55; usize::try_from(size).unwrap()]).unwrap();
        let said = disk.debugfs("STATE", &format!("write {} filler", filler.display()));
        eprintln!("{said}");
    });
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn the_disk_was_grown() {
    let before = start_after(|_, _| {});
    let after = start_after(|disk, _| {
        let file = std::fs::OpenOptions::new().write(true).open(disk.path()).unwrap();
        file.set_len(2 * 1024 * 1024 * 1024).unwrap();
    });
    let size = |system: &System| system.number("/appliance/state/size_bytes");
    eprintln!("{} bytes before, {} after", size(&before), size(&after));
    assert!(size(&after) >= size(&before));
}
