//! DHCPv4 with a real server: all that it gives, and all that can go wrong with it.

use std::time::Duration;

use weir_init::Event;
use weir_init::network::Plan;
use weir_tests::eventually;

use crate::machine::{MAC, Machine, interface, ip, plan};
use crate::namespace::Namespace;
use crate::servers::{Dnsmasq, Udhcpd};

/// A cable between two namespaces: the network with the servers, and the machine.
fn cable() -> Option<(Namespace, Namespace)> {
    let (outside, inside) = (Namespace::new()?, Namespace::new()?);
    outside.plug("wan0", &inside, "card0", MAC);
    outside.ip("address add 198.51.100.1/24 dev wan0");
    Some((outside, inside))
}

const RANGE: &str = "--dhcp-range=198.51.100.10,198.51.100.50,255.255.255.0,1h";

/// One card, one address: always the same.
const ONE: [&str; 2] = [RANGE, "--dhcp-host=02:00:00:00:00:01,198.51.100.20,lb-by-dhcp"];

#[test]
fn everything_that_a_server_gives_is_taken() {
    let Some((outside, inside)) = cable() else { return };
    let _server = Dnsmasq::start(
        &outside,
        &[
            ONE[0],
            ONE[1],
            "--dhcp-option=option:router,198.51.100.1",
            "--dhcp-option=option:dns-server,198.51.100.2,198.51.100.3",
            "--dhcp-option=option:domain-name,example.net",
            "--dhcp-option=option:ntp-server,198.51.100.4",
            "--dhcp-option=option:mtu,1400",
        ],
    );
    let machine = Machine::start(&inside);
    machine.network.apply(Plan { name_servers: vec![ip("192.0.2.53")], ..Plan::default() });
    let status = machine.has("card0", "198.51.100.20/24");
    assert_eq!((status.condition.as_str(), status.carrier, status.mac.as_str()), ("dhcp", true, MAC));
    assert!(machine.network.wait(Duration::from_secs(5)), "ready");
    assert!(
        machine.routes().contains("default via 198.51.100.1 dev card0 proto 87 metric 100"),
        "{}",
        machine.routes()
    );
    let names = machine.resolv_conf();
    assert!(
        names.contains(
            "search example.net\nnameserver 192.0.2.53\nnameserver 198.51.100.2\nnameserver 198.51.100.3\n"
        ),
        "{names}"
    );
    assert_eq!(machine.network.ntp_servers(), [ip("198.51.100.4")]);
    eventually("the host name is DHCP's", || machine.hostname() == "lb-by-dhcp");
    assert_eq!(machine.network.hostname(), "lb-by-dhcp");
    assert!(inside.ip("link show card0").contains("mtu 1400"));
    assert!(inside.ip("address show card0").contains("brd 198.51.100.255"));
    assert!(inside.reaches(&outside, "198.51.100.1"));
    assert!(matches!(machine.events.try_recv(), Ok(Event::Network)));
}

#[test]
fn classless_routes_take_the_place_of_the_router() {
    let Some((outside, inside)) = cable() else { return };
    let _server = Dnsmasq::start(
        &outside,
        &[
            ONE[0],
            ONE[1],
            "--dhcp-option=option:router,198.51.100.9",
            "--dhcp-option=121,0.0.0.0/0,198.51.100.1,10.0.0.0/8,198.51.100.7,203.0.113.1/32,0.0.0.0",
        ],
    );
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    let routes = machine.routes();
    assert!(routes.contains("default via 198.51.100.1 "), "{routes}");
    assert!(routes.contains("10.0.0.0/8 via 198.51.100.7 "), "{routes}");
    assert!(routes.contains("203.0.113.1 dev card0 "), "{routes}");
    assert!(!routes.contains("198.51.100.9 "), "{routes}");
}

/// As clouds give them: an address alone, and a router that is in no network of it.
#[test]
fn a_router_outside_of_the_network_works() {
    let Some((outside, inside)) = cable() else { return };
    outside.ip("address add 203.0.113.1/32 dev wan0");
    outside.ip("route add 198.51.100.20/32 dev wan0");
    let _server = Dnsmasq::start(
        &outside,
        &[ONE[0], ONE[1], "--dhcp-option=1,255.255.255.255", "--dhcp-option=option:router,203.0.113.1"],
    );
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/32");
    assert!(inside.reaches(&outside, "203.0.113.1"), "{}", machine.routes());
}

#[test]
fn a_lease_is_renewed_without_a_touch_and_lost_when_its_time_is_over() {
    let Some((outside, inside)) = cable() else { return };
    let server = Udhcpd::start(&outside, 10);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    let before = inside.ip("-o -4 address show card0");
    let offers = || server.log().matches("sending OFFER").count();
    let offered = offers();
    let renewed = || server.log().matches("sending ACK to 198.51.100.20").count();
    eventually("the lease is renewed twice", || renewed() >= 3);
    assert_eq!(offers(), offered, "{}", server.log());
    assert_eq!(inside.ip("-o -4 address show card0"), before);
    drop(server);
    let status = machine.card("card0", "has lost its address", |status| {
        !status.addresses.iter().any(|address| address.starts_with("198.51.100."))
    });
    assert_ne!(status.condition, "dhcp");
    let _server = Udhcpd::start(&outside, 10);
    machine.has("card0", "198.51.100.20/24");
}

#[test]
fn a_server_that_comes_late_is_found() {
    let Some((outside, inside)) = cable() else { return };
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    let status = machine
        .card("card0", "is said to be unanswered", |status| status.condition.contains("no DHCP answer"));
    assert_eq!(status.condition, "no DHCP answer, still asking");
    assert!(!machine.network.wait(Duration::from_millis(1)));
    let _server = Dnsmasq::start(&outside, &ONE);
    machine.has("card0", "198.51.100.20/24");
}

#[test]
fn a_server_that_answers_to_everybody_is_understood() {
    let Some((outside, inside)) = cable() else { return };
    let _server = Dnsmasq::start(&outside, &[ONE[0], ONE[1], "--dhcp-broadcast"]);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
}

/// The same folder of leases, another thread: what a restart is.
#[test]
fn after_a_restart_the_same_address_is_asked_for() {
    let Some((outside, inside)) = cable() else { return };
    let server = Dnsmasq::start(&outside, &[RANGE]);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    let before = machine.card("card0", "has a lease", |status| status.condition == "dhcp");
    let leases = machine.directory;
    let Some(again) = Namespace::new() else { return };
    outside.ip("link delete wan0");
    outside.plug("wan0", &again, "card0", MAC);
    outside.ip("address add 198.51.100.1/24 dev wan0");
    let machine = Machine::start_in(&again, leases);
    machine.network.apply(Plan::default());
    let after = machine.card("card0", "has a lease again", |status| status.condition == "dhcp");
    assert_eq!(after.addresses[0], before.addresses[0]);
    assert_eq!(server.count("DHCPDISCOVER(wan0)"), 1, "{}", server.log());
}

#[test]
fn after_a_restart_without_a_server_the_leased_address_is_used() {
    let Some((outside, inside)) = cable() else { return };
    let server = Dnsmasq::start(&outside, &ONE);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    drop(server);
    let Some(again) = Namespace::new() else { return };
    outside.plug("wan1", &again, "card0", MAC);
    let machine = Machine::start_in(&again, machine.directory);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
}

#[test]
fn a_refused_address_makes_way_for_a_new_one() {
    let Some((outside, inside)) = cable() else { return };
    let server =
        Dnsmasq::start(&outside, &[ONE[0], ONE[1], "--dhcp-option=option:T1,3", "--dhcp-authoritative"]);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    drop(server);
    // The network was renumbered.
    outside.ip("address add 203.0.113.1/24 dev wan0");
    outside.ip("address delete 198.51.100.1/24 dev wan0");
    outside.ip("address add 198.51.100.1/32 dev wan0");
    let range = "--dhcp-range=203.0.113.10,203.0.113.50,255.255.255.0,1h";
    let _server = Dnsmasq::start(&outside, &[range, "--dhcp-authoritative"]);
    let status = machine.card("card0", "has an address of the new network", |status| {
        status.addresses.iter().any(|address| address.starts_with("203.0.113."))
    });
    assert!(!status.addresses.iter().any(|address| address.starts_with("198.51.100.")), "{status:?}");
}

#[test]
fn a_cable_that_is_pulled_is_told_and_the_address_stays() {
    let Some((outside, inside)) = cable() else { return };
    let server = Dnsmasq::start(&outside, &ONE);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    outside.ip("link set wan0 down");
    let status = machine.card("card0", "has no cable", |status| !status.carrier);
    assert_eq!(status.addresses[0], "198.51.100.20/24");
    assert_eq!(status.condition, "dhcp, no cable");
    outside.ip("link set wan0 up");
    machine.card("card0", "is as before", |status| status.condition == "dhcp");
    eventually("the address is asked about", || server.count("DHCPREQUEST(wan0)") >= 2);
    assert_eq!(server.count("DHCPDISCOVER(wan0)"), 1, "{}", server.log());
}

#[test]
fn dhcp_can_be_turned_off_while_the_machine_runs() {
    let Some((outside, inside)) = cable() else { return };
    let _server = Dnsmasq::start(&outside, &ONE);
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.dhcp = true;
    machine.network.apply(plan(vec![lan.clone()]));
    let status = machine.has("card0", "198.51.100.20/24");
    assert_eq!(status.configured_as.as_deref(), Some("lan"));
    lan.dhcp = false;
    lan.addresses.push("198.51.100.77/24".parse().unwrap());
    machine.network.apply(plan(vec![lan]));
    let status = machine.card("card0", "is static", |status| status.condition == "static");
    assert_eq!(status.addresses, ["198.51.100.77/24"]);
}
