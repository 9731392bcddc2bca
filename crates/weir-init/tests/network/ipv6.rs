//! Router advertisements: the kernel's addresses, and the name servers that it passes on.

use weir_init::network::Plan;
use weir_tests::eventually;

use crate::machine::{MAC, Machine, interface, plan};
use crate::namespace::Namespace;
use crate::servers::Dnsmasq;

#[test]
fn slaac_gives_an_address_and_name_servers_and_can_be_turned_off() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    outside.ip("address add 2001:db8:7::1/64 dev wan0 nodad");
    outside.set("ipv6/conf/all/forwarding", "1");
    let _server = Dnsmasq::start(
        &outside,
        &[
            "--enable-ra",
            "--dhcp-range=2001:db8:7::,ra-only",
            "--dhcp-option=option6:dns-server,[2001:db8:7::53]",
        ],
    );
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    let address = "2001:db8:7::ff:fe00:1/64";
    let status =
        machine.card("card0", "has an advertised address", |status| status.condition.starts_with("slaac"));
    assert!(status.addresses.iter().any(|one| one == address), "{status:?}");
    eventually("the name server is written", || machine.resolv_conf().contains("nameserver 2001:db8:7::53"));
    eventually("there is a way out", || machine.routes().contains("default via fe80::"));

    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["192.0.2.5/24".parse().unwrap(), "2001:db8:7::5/64".parse().unwrap()];
    machine.network.apply(plan(vec![lan.clone()]));
    let status = machine.card("card0", "has only its own", |status| status.condition == "static");
    assert!(!status.addresses.iter().any(|one| one == address), "{status:?}");
    lan.addresses.truncate(1);
    machine.network.apply(plan(vec![lan]));
    machine.card("card0", "has no IPv6", |status| status.addresses == ["192.0.2.5/24"]);
}

#[test]
fn an_address_that_another_machine_has_is_said() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    outside.ip("address add 2001:db8:7::5/64 dev wan0 nodad");
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["2001:db8:7::5/64".parse().unwrap()];
    machine.network.apply(plan(vec![lan]));
    let status =
        machine.card("card0", "is told to be a duplicate", |status| status.condition.contains("in use"));
    assert_eq!(status.condition, "2001:db8:7::5 is in use by another machine");
}
