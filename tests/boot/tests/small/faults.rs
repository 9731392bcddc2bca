//! What most often goes wrong.

use std::time::{Duration, Instant};

use weir_boot_tests::{Disk, Dist, Firmware, Plan, RawDisk, Site, Source, eventually, load, with_helper};
use weir_tests::{Directory, try_curl};

/// How long nobody may be served after the child was killed, beyond what an emulated processor needs for anything.
const BACK_WITHIN: Duration = Duration::from_secs(1);

#[test]
#[ignore = "starts the image: make test-boot"]
fn a_damaged_kernel_is_passed_over_in_the_same_start() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let disk = RawDisk::copy(&dist.image("qcow2"), &directory.file("disk.raw"));
    let kernel = std::fs::read(dist.kernel()).unwrap();
    let at = disk.find("SLOT-A", &kernel);
    disk.write("SLOT-A", at, &[0; 65_536]);

    let machine = Plan::bare().medium(disk.path(), "raw").seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!(system.text("/appliance/slot"), "B");
    assert_eq!(system.number("/appliance/fallback"), 2);
    let stopped = machine.power_off();
    assert_eq!(stopped.said.matches("(good ").count(), 1, "{}", stopped.said);
}

#[test]
#[ignore = "starts the image: make test-boot"]
fn without_data_the_admin_api_is_up_and_wants_the_token() {
    let machine = Plan::new(&Dist::find()).disk(Disk::VirtioScsi).start();
    let system = machine.system();
    assert_eq!(system.text("/appliance/configuration/source"), "default");
    let url = format!("https://{}/api/v1/system", machine.address(Plan::ADMIN));
    for wrong in ["", "Authorization: Bearer wrong"] {
        let output = try_curl(&[
            "--insecure",
            "--output",
            "/dev/null",
            "--write-out",
            "%{http_code}",
            "--header",
            wrong,
            &url,
        ]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "401", "with {wrong:?}");
    }
    let plain = try_curl(&["--fail", &url.replace("https:", "http:")]);
    assert!(!plain.status.success(), "the admin API answers without TLS");
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot"]
fn data_that_is_not_valid_is_shown_and_kept_aside() {
    let plan = Plan::new(&Dist::find()).firmware(Firmware::SeaBios);
    let machine = plan.seed(Source::FwCfg, "version: 1\nlisteners:\n  web: { bnid: 0.0.0.0:80 }\n").start();
    machine.console.line("bnid");
    let system = machine.system();
    assert_eq!(system.text("/appliance/configuration/source"), "default");
    assert!(system.text("/appliance/configuration/rejected/0/text").contains("bnid"), "{system:?}");
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot"]
fn a_killed_child_is_back_within_a_second() {
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let initramfs = with_helper(&dist.initramfs(), &directory.file("initramfs"));
    let plan = Plan::bare().started_with(&dist, &initramfs, "").memory(320);
    let machine = plan.seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let before = machine.system();

    let address = machine.address(80);
    let already = site.requests();
    let usual = load(address, 4, || eventually("a hundred requests", || site.requests() > already + 100));
    let asked = load(address, 4, || {
        let killed = Instant::now();
        machine.inside(&format!("kill -9 {}", before.number("/appliance/child/pid")));
        let after = machine.system_when("another child", |system| {
            system.number("/appliance/child/starts") > before.number("/appliance/child/starts")
        });
        assert_ne!(after.number("/appliance/child/pid"), before.number("/appliance/child/pid"));
        killed
    });
    let (gap, usual) = (asked.longest_gap(), usual.longest_gap());
    eprintln!("nobody was answered for {gap:?}; without the kill, for {usual:?}");
    assert!(asked.count() > 10, "there was no load: {}", asked.count());
    assert!(gap < BACK_WITHIN + usual, "nobody was answered for {gap:?}, usually {usual:?}");
    machine.power_off();
}
