//! Networks that are not as expected.

use serde_json::json;
use weir_boot_tests::{Dist, Nic, Plan, Site, Source};

/// A card on a cable that leads nowhere.
const DEAD: [&str; 4] =
    ["-netdev", "hubport,id=dead,hubid=7", "-device", "e1000,netdev=dead,mac=52:54:00:00:00:07"];

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_card_without_a_dhcp_server_keeps_nobody_waiting() {
    let site = Site::new();
    let machine = Plan::new(&Dist::find()).with(DEAD).seed(Source::FwCfg, &site.config()).start();
    let first = machine.serves(&site);
    let system = machine.system();
    eprintln!("served after {first:?}: {:#}", system.at("/appliance/network"));
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn without_any_dhcp_server_the_machine_starts_and_says_so() {
    let site = Site::new();
    let machine = Plan::new(&Dist::find()).unplugged().seed(Source::FwCfg, &site.config()).start();
    let line = machine.console.line("DHCP");
    eprintln!("{line}");
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_static_address_is_taken() {
    let site = Site::new();
    let config = format!(
        "{}system:\n  interfaces:\n    lan:\n      match: {{ driver: vmxnet3 }}\n      addresses: [10.0.2.15/24]\n      \
         gateways: 10.0.2.2\n",
        site.config()
    );
    let machine = Plan::new(&Dist::find()).nic(Nic::Vmxnet3).seed(Source::FwCfg, &config).start();
    machine.serves(&site);
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn the_kernels_ip_argument_is_heard() {
    let site = Site::new();
    let plan = Plan::direct(&Dist::find(), "ip=10.0.2.15::10.0.2.2:255.255.255.0:edge::off");
    let machine = plan.seed(Source::CommandLine, &site.config()).start();
    machine.serves(&site);
    machine.power_off();
}

#[test]
#[ignore = "starts the image: make test-boot-all"]
fn a_card_that_is_plugged_in_later_works() {
    let site = Site::new();
    let mut machine = Plan::new(&Dist::find()).seed(Source::FwCfg, &site.config()).start();
    machine.serves(&site);
    machine.qemu("netdev_add", &json!({ "type": "user", "id": "late", "net": "10.0.3.0/24" }));
    machine.qemu(
        "device_add",
        &json!({ "driver": "e1000", "id": "card", "netdev": "late", "mac": "52:54:00:00:00:09" }),
    );
    let system = machine.system_when("the new card has an address", |system| {
        system.at("/appliance/network").to_string().contains("10.0.3.15")
    });
    assert!(system.mentions("e1000"), "{system:?}");
    machine.serves(&site);
    machine.power_off();
}
