//! The plug is pulled, over and over.

use std::time::Duration;

use weir_boot_tests::{Dist, Plan, Site, Source};

/// How often.
const TIMES: usize = 10;

/// The latest moment after power-on: by then the machine serves and has written what it keeps.
const LATEST: Duration = Duration::from_secs(30);

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn the_plug_is_pulled_at_ten_random_moments() {
    let site = Site::new();
    let seed = fastrand::u64(..);
    eprintln!("moments of seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plan = Plan::new(&Dist::find()).seed(Source::FwCfg, &site.config());
    for _ in 0..TIMES {
        let moment = LATEST.mul_f64(random.f64());
        let machine = plan.start();
        std::thread::sleep(moment); // not a wait for something: the moment itself is what is tried
        eprintln!("pulled after {moment:.1?}");
        plan = machine.kill().plan;
    }
    let machine = plan.start();
    machine.serves(&site);
    let system = machine.system();
    assert_eq!(system.text("/appliance/slot"), "A");
    assert_ne!(system.text("/appliance/state/condition"), "memory", "{system:?}");
    machine.power_off();
}
