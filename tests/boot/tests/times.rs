//! How long a start takes, from power-on to the first request that was answered through the machine: the median of
//! some starts, with the kernel's share and that of process 1 as the machine itself tells them.

use std::time::Duration;

use weir_boot_tests::{Dist, Firmware, Plan, Site, Source};

/// Starts a row.
const RUNS: usize = 5;

#[test]
#[ignore = "starts the image: make boot-times"]
fn table() {
    let dist = Dist::find();
    eprintln!(
        "| start | first request | firmware and boot loader | kernel | weir init |\n|---|---|---|---|---|"
    );
    row("SeaBIOS, disk", || Plan::new(&dist));
    row("UEFI, disk", || Plan::new(&dist).firmware(Firmware::Ovmf));
    row("UEFI with Secure Boot, disk", || Plan::new(&dist).firmware(Firmware::SecureBoot));
    row("kernel and initramfs", || Plan::direct(&dist, ""));
}

fn row(name: &str, plan: impl Fn() -> Plan) {
    let mut runs: Vec<_> = (0..RUNS).map(|_| run(plan())).collect();
    runs.sort_by_key(|run| run.first);
    let median = &runs[RUNS / 2];
    let before = median.first.saturating_sub(median.kernel + median.init);
    let Measured { first, kernel, init } = median;
    eprintln!("| {name} | {first:.1?} | {before:.1?} | {kernel:.1?} | {init:.2?} |");
}

struct Measured {
    first: Duration,
    kernel: Duration,
    init: Duration,
}

fn run(plan: Plan) -> Measured {
    let site = Site::new();
    let machine = plan.seed(Source::FwCfg, &site.config()).start();
    let first = machine.serves(&site);
    let system = machine.system();
    let part = |name| Duration::from_millis(system.number(&format!("/appliance/boot/{name}")));
    let measured = Measured { first, kernel: part("kernel_ms"), init: part("init_ms") };
    machine.power_off();
    measured
}
