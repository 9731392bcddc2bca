//! What becomes of a configuration over several starts.

use std::time::Duration;

use weir_boot_tests::{Disk, Dist, Plan, Site, Source, System, until, with_helper};
use weir_tests::Directory;

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn it_is_kept_when_the_data_is_gone() {
    let (dist, site) = (Dist::find(), Site::new());
    let machine = Plan::new(&dist).seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    machine.system(); // so the console has shown the token, which it does once
    let stopped = machine.power_off();
    let machine = stopped.plan.without_seed().start();
    machine.serves(&site);
    assert_eq!(machine.system().text("/appliance/configuration/source"), "stored");
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn what_was_put_outlives_a_restart_and_the_first_data() {
    let (dist, site, other) = (Dist::find(), Site::new(), Site::new());
    let machine = Plan::new(&dist).seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    let config = other.config();
    until("PUT /api/v1/config", || {
        machine.try_admin(&["--request", "PUT", "--data-binary", &config], "/api/v1/config")
    });
    machine.serves(&other);
    let machine = machine.power_off().plan.start();
    machine.serves(&other);
    assert_eq!(machine.system().text("/appliance/configuration/source"), "stored");
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_clone_takes_its_own_data() {
    let (dist, site, other) = (Dist::find(), Site::new(), Site::new());
    let machine = Plan::new(&dist).seed_of(Source::CidataIso, &site.config(), "original").start();
    machine.serves(&site);
    let plan = machine.power_off().plan.without_seed();
    let machine = plan.seed_of(Source::CidataIso, &other.config(), "clone").start();
    machine.serves(&other);
    assert_eq!(machine.system().text("/appliance/configuration/instance_id"), "clone");
    machine.power_off();
}

/// How long a configuration has to serve before it is a good one: 30 s, and some more for a busy machine. The time itself
/// is what makes it one; there is nothing to wait for.
const PROVEN_AFTER: Duration = Duration::from_secs(45);

/// The file was valid when it was given, but no child can serve it any more: after a restart somebody else has the port.
#[test]
#[ignore = "starts the image: make test-boot-all"]
fn one_that_no_child_can_serve_gives_way_to_the_last_good_one() {
    const WORDS: &str = "weir.slot=A";
    let (dist, site, directory) = (Dist::find(), Site::new(), Directory::new());
    let plan = Plan::new(&dist).disk(Disk::Ahci).memory(320);
    let plan = plan.started_with(&dist, &dist.initramfs(), WORDS);
    let machine = plan.seed(Source::CidataVfat, &site.config()).start();
    machine.serves(&site);
    std::thread::sleep(PROVEN_AFTER);
    let config = site.config_at(&format!("0.0.0.0:{}", Plan::HELPER));
    until("PUT /api/v1/config", || {
        machine.try_admin(&["--request", "PUT", "--data-binary", &config], "/api/v1/config")
    });
    let plan = machine.power_off().plan;
    let initramfs = with_helper(&dist.initramfs(), &directory.file("initramfs"));
    let machine = plan.started_with(&dist, &initramfs, WORDS).start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!(system.at("/appliance/configuration/restored_last_good"), true, "{system:?}");
    machine.power_off();
}

/// Every child that serves it dies: here, because it is killed.
#[test]
#[ignore = "starts the image: make test-boot-all"]
fn one_that_kills_the_child_gives_way_to_the_last_good_one() {
    let (dist, site, deadly, directory) = (Dist::find(), Site::new(), Site::new(), Directory::new());
    let initramfs = with_helper(&dist.initramfs(), &directory.file("initramfs"));
    let plan = Plan::bare().started_with(&dist, &initramfs, "").memory(320);
    let machine = plan.seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    std::thread::sleep(PROVEN_AFTER);
    let config = deadly.config();
    until("PUT /api/v1/config", || {
        machine.try_admin(&["--request", "PUT", "--data-binary", &config], "/api/v1/config")
    });
    let restored = |system: &System| system.at("/appliance/configuration/restored_last_good") == true;
    until("the configuration is taken back", || {
        let system = machine.system();
        if restored(&system) {
            return Some(());
        }
        let pid = system.number("/appliance/child/pid");
        machine.inside(&format!("kill -9 {pid}"));
        machine.system_when("another child", |system| {
            restored(system) || system.at("/appliance/child/pid").as_u64().is_some_and(|other| other != pid)
        });
        None
    });
    machine.serves(&site);
    let system = machine.system();
    assert!(system.number("/appliance/child/starts") <= 5, "{system:?}");
    machine.power_off();
}
