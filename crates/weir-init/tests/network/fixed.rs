//! Static addresses, routes and MTU, and plans that change while there are connections.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use weir_config::model::InterfaceRoute;
use weir_init::network::Plan;
use weir_tests::eventually;

use crate::machine::{MAC, MAC_2, Machine, interface, ip, plan};
use crate::namespace::Namespace;

#[test]
fn addresses_routes_and_mtu_are_set_and_taken_back() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["192.0.2.5/24".parse().unwrap(), "2001:db8::5/64".parse().unwrap()];
    lan.gateways = vec![ip("192.0.2.1"), ip("2001:db8::1")];
    lan.routes = vec![InterfaceRoute { to: "10.0.0.0/8".parse().unwrap(), via: ip("192.0.2.2") }];
    lan.mtu = Some(1400);
    let whole = Plan {
        hostname: Some("lb1".into()),
        name_servers: vec![ip("192.0.2.53")],
        ..plan(vec![lan.clone()])
    };
    machine.network.apply(whole.clone());
    machine.has("card0", "2001:db8::5/64");
    let status = machine.has("card0", "192.0.2.5/24");
    assert_eq!(status.condition, "static");
    let routes = machine.routes();
    assert!(routes.contains("default via 192.0.2.1 dev card0"), "{routes}");
    assert!(routes.contains("default via 2001:db8::1 dev card0"), "{routes}");
    assert!(routes.contains("10.0.0.0/8 via 192.0.2.2 dev card0"), "{routes}");
    assert!(inside.ip("link show card0").contains("mtu 1400"));
    assert_eq!(machine.hostname(), "lb1");
    assert!(machine.resolv_conf().contains("nameserver 192.0.2.53"));

    lan.addresses.truncate(1);
    lan.gateways.truncate(1);
    lan.routes.clear();
    lan.mtu = None;
    machine.network.apply(Plan { interfaces: vec![lan], ..whole });
    eventually("the rest is gone", || {
        let (routes, link) = (machine.routes(), inside.ip("link show card0"));
        !routes.contains("2001:db8::") && !routes.contains("10.0.0.0/8") && link.contains("mtu 1500")
    });
    assert!(machine.routes().contains("default via 192.0.2.1 dev card0"));
    assert_eq!(
        inside.setting("ipv6/conf/card0/disable_ipv6"),
        "1",
        "a card without IPv6 in the file has none"
    );
}

#[test]
fn a_connection_outlives_every_change_that_does_not_concern_it() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    outside.plug("wan1", &inside, "card1", MAC_2);
    outside.ip("address add 192.0.2.1/24 dev wan0");
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["192.0.2.5/24".parse().unwrap()];
    machine.network.apply(plan(vec![lan.clone()]));
    machine.has("card0", "192.0.2.5/24");

    let listener = inside.run(|| TcpListener::bind("192.0.2.5:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = outside.run(move || TcpStream::connect(address)).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    let before = inside.ip("-o address show card0");

    let mut second = interface("second", MAC_2);
    second.addresses = vec!["203.0.113.5/24".parse().unwrap()];
    second.gateways = vec![ip("203.0.113.1")];
    lan.gateways = vec![ip("192.0.2.254")];
    lan.addresses.push("192.0.2.6/24".parse().unwrap());
    machine.network.apply(plan(vec![lan.clone(), second]));
    machine.has("card1", "203.0.113.5/24");
    machine.has("card0", "192.0.2.6/24");
    lan.addresses.pop();
    machine.network.apply(plan(vec![lan]));
    machine.card("card1", "is off", |status| status.addresses.is_empty());
    eventually("the address is gone", || !inside.ip("address show card0").contains("192.0.2.6"));

    assert_eq!(inside.ip("-o address show card0"), before, "the card was not touched");
    client.write_all(b"still there?").unwrap();
    let mut heard = [0; 12];
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"still there?");
    let status = machine.card("card1", "is said to be meant by nobody", |status| !status.carrier);
    assert_eq!(status.condition, "not in system.interfaces");
    assert_eq!(inside.ip("rule show table 1002"), "");
}

#[test]
fn an_interface_whose_card_is_not_there_is_told_and_found_when_it_comes() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["192.0.2.5/24".parse().unwrap()];
    machine.network.apply(plan(vec![lan]));
    let missing = machine.card("", "is missing", |_| true);
    assert_eq!(missing.configured_as.as_deref(), Some("lan"));
    assert_eq!(missing.condition, "no card fits its `match`");
    outside.plug("wan0", &inside, "card7", MAC);
    machine.has("card7", "192.0.2.5/24");
    assert_eq!(machine.network.status().len(), 1);
    outside.ip("link delete wan0");
    machine.card("", "is missing again", |_| true);
}

#[test]
fn what_the_kernel_refuses_is_said() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    let machine = Machine::start(&inside);
    let mut lan = interface("lan", MAC);
    lan.addresses = vec!["192.0.2.5/24".parse().unwrap()];
    lan.gateways = vec![ip("192.0.2.5")];
    machine.network.apply(plan(vec![lan.clone()]));
    let status = machine.card("card0", "has a fault", |status| status.condition.contains("failed"));
    assert!(
        status.condition.contains("adding the route to 0.0.0.0/0 via 192.0.2.5 failed"),
        "{}",
        status.condition
    );
    lan.gateways = vec![ip("192.0.2.1")];
    machine.network.apply(plan(vec![lan]));
    machine.card("card0", "is well", |status| status.condition == "static");
}
