//! Several cards: metrics, answers that leave by the card that was asked, cards that come and go.

use std::net::{TcpListener, TcpStream};

use weir_init::network::Plan;
use weir_tests::eventually;

use crate::machine::{MAC, MAC_2, Machine};
use crate::namespace::Namespace;
use crate::servers::Dnsmasq;

const FIRST: &[&str] = &[
    "--interface=wan0",
    "--bind-interfaces",
    "--except-interface=lo",
    "--dhcp-range=198.51.100.20,198.51.100.20,255.255.255.0,1h",
    "--dhcp-option=option:router,198.51.100.1",
    "--dhcp-option=option:dns-server,198.51.100.2",
];
const SECOND: &[&str] = &[
    "--interface=wan1",
    "--bind-interfaces",
    "--except-interface=lo",
    "--dhcp-range=203.0.113.20,203.0.113.20,255.255.255.0,1h",
    "--dhcp-option=option:router,203.0.113.1",
    "--dhcp-option=option:dns-server,203.0.113.2",
];

#[test]
fn two_cards_with_a_way_out_each_answer_by_their_own() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    outside.plug("wan1", &inside, "card1", MAC_2);
    outside.ip("address add 198.51.100.1/24 dev wan0");
    outside.ip("address add 203.0.113.1/24 dev wan1");
    // A client that is in neither network, behind routers that drop what comes from the wrong side.
    outside.ip("address add 192.0.2.9/32 dev lo");
    outside.set("ipv4/conf/wan0/rp_filter", "1");
    outside.set("ipv4/conf/wan1/rp_filter", "1");
    let _servers = (Dnsmasq::start(&outside, FIRST), Dnsmasq::start(&outside, SECOND));
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    machine.has("card1", "203.0.113.20/24");
    eventually("both ways out are there", || {
        let routes = inside.ip("route show");
        routes.contains("default via 198.51.100.1 dev card0 proto 87 metric 100")
            && routes.contains("default via 203.0.113.1 dev card1 proto 87 metric 101")
    });
    let names = machine.resolv_conf();
    assert!(names.contains("nameserver 198.51.100.2\nnameserver 203.0.113.2\n"), "{names}");

    let _listener = inside.run(|| TcpListener::bind("0.0.0.0:8080")).unwrap();
    for address in ["198.51.100.20:8080", "203.0.113.20:8080"] {
        let connected = outside.run(move || {
            let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
            socket.bind(&"192.0.2.9:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
            let to = address.parse::<std::net::SocketAddr>().unwrap().into();
            socket.connect_timeout(&to, weir_tests::PATIENCE).map(|()| TcpStream::from(socket))
        });
        assert!(connected.is_ok(), "{address}: {connected:?}\n{}\n{}", inside.ip("rule"), machine.routes());
    }
}

#[test]
fn a_card_that_is_added_comes_up_and_one_that_is_removed_leaves_nothing() {
    let (Some(outside), Some(inside)) = (Namespace::new(), Namespace::new()) else { return };
    outside.plug("wan0", &inside, "card0", MAC);
    outside.ip("address add 198.51.100.1/24 dev wan0");
    let _first = Dnsmasq::start(&outside, FIRST);
    let machine = Machine::start(&inside);
    machine.network.apply(Plan::default());
    machine.has("card0", "198.51.100.20/24");
    assert!(!inside.ip("rule").contains("1001:"), "one way out needs no rules");

    outside.plug("wan1", &inside, "card1", MAC_2);
    outside.ip("address add 203.0.113.1/24 dev wan1");
    let _second = Dnsmasq::start(&outside, SECOND);
    machine.has("card1", "203.0.113.20/24");
    eventually("there are rules", || inside.ip("rule").contains("1001:\tfrom 203.0.113.20 lookup"));

    outside.ip("link delete wan1");
    eventually("the card is gone", || machine.network.status().len() == 1);
    eventually("the rules are gone", || !inside.ip("rule").contains("1001:"));
    assert!(!machine.resolv_conf().contains("203.0.113.2"));
}
