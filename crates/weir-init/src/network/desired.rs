//! What ought to be: the addresses, routes and rules that the plan and the leases come to. Pure.
//!
//! Several cards that each have a way out don't fight: the default routes are ordered by metric, the order of the file
//! or of the bus; and a packet that has one card's address as its source leaves by that card's router, whatever the
//! order (a table of its own for each card, and rules that look into it). With one way out there are no rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use weir_config::model::Interface;

use super::dhcp::Lease;
use super::netlink::objects::{Route, Rule, TABLE_MAIN};

/// The first card's metric; the next ones' are one more each. Before those of router advertisements (1024).
const METRIC_FIRST: u32 = 100;

/// A card's own table is this and its index, out of the way of those that have names.
const TABLE_FIRST: u32 = 1000;

/// What a card is to be given.
#[derive(Debug, Clone)]
pub(super) struct Wish<'a> {
    /// The card's.
    pub(super) index: u32,
    /// Among the cards.
    pub(super) order: u32,
    /// None: it is to be given nothing, as the file does not mean it.
    pub(super) interface: Option<&'a Interface>,
    pub(super) lease: Option<&'a Lease>,
    /// The card's own.
    pub(super) mtu: u32,
}

impl Wish<'_> {
    pub(super) fn metric(&self) -> u32 {
        METRIC_FIRST.saturating_add(self.order)
    }

    /// Whether the card is to speak IPv6.
    pub(super) fn ipv6(&self) -> bool {
        self.interface.is_some_and(|interface| interface.slaac || interface.addresses.iter().any(is_v6))
    }

    fn addresses(&self) -> impl Iterator<Item = IpNet> {
        let fixed = self.interface.into_iter().flat_map(|interface| interface.addresses.iter().copied());
        fixed.chain(self.lease.map(|lease| IpNet::V4(lease.address)))
    }

    /// The file's gateways first: what they lead to is not asked of DHCP.
    fn routes(&self) -> Vec<(IpNet, Option<IpAddr>)> {
        let mut routes: Vec<(IpNet, Option<IpAddr>)> = Vec::new();
        if let Some(interface) = self.interface {
            routes.extend(interface.gateways.iter().map(|gateway| (default_of(*gateway), Some(*gateway))));
            routes.extend(interface.routes.iter().map(|route| (route.to.trunc(), Some(route.via))));
        }
        let leased = self.lease.into_iter().flat_map(|lease| &lease.routes);
        for (to, via) in leased.map(|(to, via)| (IpNet::V4(*to), via.map(IpAddr::V4))) {
            if !routes.iter().any(|(known, _)| *known == to) {
                routes.push((to, via));
            }
        }
        // What is on the link first: a router that is reached by such a route needs it to be there (RFC 3442).
        routes.sort_by_key(|(_, via)| via.is_some());
        routes
    }
}

/// What ought to be in the kernel's tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Desired {
    /// With the metric of the route to their networks.
    pub(super) addresses: BTreeMap<(u32, IpNet), u32>,
    /// In the order in which they are made.
    pub(super) routes: Vec<Route>,
    pub(super) rules: BTreeSet<Rule>,
    /// By card.
    pub(super) mtus: BTreeMap<u32, u32>,
    /// Cards that are to be on; the others off.
    pub(super) up: BTreeSet<u32>,
    /// Cards whose addresses from router advertisements are to go.
    pub(super) unadvertised: BTreeSet<u32>,
}

impl Desired {
    pub(super) fn new(wishes: &[Wish<'_>]) -> Self {
        let mut desired = Self::default();
        for wish in wishes {
            desired.add(wish);
        }
        for v6 in [false, true] {
            desired.add_rules(wishes, v6);
        }
        desired
    }

    fn add(&mut self, wish: &Wish<'_>) {
        let interface = wish.interface;
        if interface.is_some() {
            self.up.insert(wish.index);
        }
        if !interface.is_some_and(|interface| interface.slaac) {
            self.unadvertised.insert(wish.index);
        }
        let mtu = interface.and_then(|interface| interface.mtu).or(wish.lease.and_then(|lease| lease.mtu));
        self.mtus.insert(wish.index, mtu.map_or(wish.mtu, u32::from));
        for net in wish.addresses() {
            self.addresses.entry((wish.index, net)).or_insert(wish.metric());
        }
        for (to, via) in wish.routes() {
            self.add_route(Route { to, via, index: wish.index, metric: wish.metric(), table: TABLE_MAIN });
        }
    }

    /// The first of those that the kernel can't tell apart.
    fn add_route(&mut self, route: Route) {
        let same =
            |known: &Route| (known.table, known.to, known.metric) == (route.table, route.to, route.metric);
        if !self.routes.iter().any(same) {
            self.routes.push(route);
        }
    }

    /// Where several cards have a way out in this family.
    fn add_rules(&mut self, wishes: &[Wish<'_>], v6: bool) {
        let leads_out =
            |(to, via): &(IpNet, Option<IpAddr>)| to.prefix_len() == 0 && is_v6(to) == v6 && via.is_some();
        let ways = wishes.iter().map(|wish| {
            let defaults: Vec<_> = wish.routes().into_iter().filter(leads_out).collect();
            (wish, defaults)
        });
        let ways: Vec<_> = ways.filter(|(_, defaults)| !defaults.is_empty()).collect();
        if ways.len() < 2 {
            return;
        }
        self.rules.insert(Rule::MainWithoutDefaults { v6 });
        for (wish, defaults) in ways {
            let table = TABLE_FIRST.saturating_add(wish.index);
            for (to, via) in defaults {
                self.add_route(Route { to, via, index: wish.index, metric: wish.metric(), table });
            }
            let addresses = wish.addresses().filter(|net| is_v6(net) == v6);
            self.rules.extend(addresses.map(|net| Rule::From { address: net.addr(), table }));
        }
    }
}

fn is_v6(net: &IpNet) -> bool {
    net.addr().is_ipv6()
}

fn default_of(gateway: IpAddr) -> IpNet {
    match gateway {
        IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use weir_config::model::{InterfaceMatch, InterfaceRoute};

    use super::*;

    pub(in crate::network) fn interface(addresses: &[&str], gateways: &[&str]) -> Interface {
        Interface {
            name: Arc::from("lan"),
            matches: InterfaceMatch::default(),
            dhcp: false,
            slaac: false,
            addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
            gateways: gateways.iter().map(|gateway| gateway.parse().unwrap()).collect(),
            routes: Vec::new(),
            mtu: None,
        }
    }

    pub(in crate::network) fn lease(address: &str, router: &str) -> Lease {
        serde_json::from_value(serde_json::json!({
            "address": address, "server": router, "routes": [["0.0.0.0/0", router]], "name_servers": [],
            "ntp_servers": [], "domain": null, "hostname": null, "mtu": 1400, "times": null,
        }))
        .unwrap()
    }

    fn wish<'a>(index: u32, interface: &'a Interface, lease: Option<&'a Lease>) -> Wish<'a> {
        Wish { index, order: index - 2, interface: Some(interface), lease, mtu: 1500 }
    }

    fn route(to: &str, via: &str, index: u32, metric: u32, table: u32) -> Route {
        Route { to: to.parse().unwrap(), via: Some(via.parse().unwrap()), index, metric, table }
    }

    #[test]
    fn one_card_has_its_address_its_route_and_no_rules() {
        let mut lan = interface(&["192.0.2.5/24"], &["192.0.2.1"]);
        lan.routes
            .push(InterfaceRoute { to: "10.0.0.0/8".parse().unwrap(), via: "192.0.2.2".parse().unwrap() });
        let desired = Desired::new(&[wish(2, &lan, None)]);
        assert_eq!(desired.addresses, BTreeMap::from([((2, "192.0.2.5/24".parse().unwrap()), 100)]));
        let default = route("0.0.0.0/0", "192.0.2.1", 2, 100, TABLE_MAIN);
        assert_eq!(desired.routes, [default, route("10.0.0.0/8", "192.0.2.2", 2, 100, TABLE_MAIN)]);
        assert!(desired.rules.is_empty());
        assert_eq!(desired.mtus, BTreeMap::from([(2, 1500)]));
    }

    #[test]
    fn two_dhcp_cards_do_not_fight() {
        let lan = interface(&[], &[]);
        let (first, second) = (lease("192.0.2.5/24", "192.0.2.1"), lease("198.51.100.5/24", "198.51.100.1"));
        let desired = Desired::new(&[wish(2, &lan, Some(&first)), wish(3, &lan, Some(&second))]);
        let expected = [
            route("0.0.0.0/0", "192.0.2.1", 2, 100, TABLE_MAIN),
            route("0.0.0.0/0", "198.51.100.1", 3, 101, TABLE_MAIN),
            route("0.0.0.0/0", "192.0.2.1", 2, 100, 1002),
            route("0.0.0.0/0", "198.51.100.1", 3, 101, 1003),
        ];
        assert_eq!(desired.routes, expected);
        let from = |address: &str, table| Rule::From { address: address.parse().unwrap(), table };
        let rules =
            [Rule::MainWithoutDefaults { v6: false }, from("192.0.2.5", 1002), from("198.51.100.5", 1003)];
        assert_eq!(desired.rules, BTreeSet::from(rules));
    }

    #[test]
    fn the_files_gateway_and_mtu_go_before_those_of_dhcp() {
        let mut lan = interface(&["203.0.113.5/24"], &["203.0.113.1"]);
        let lease = lease("192.0.2.5/24", "192.0.2.1");
        assert_eq!(Desired::new(&[wish(2, &lan, Some(&lease))]).mtus[&2], 1400);
        lan.mtu = Some(9000);
        let desired = Desired::new(&[wish(2, &lan, Some(&lease))]);
        assert_eq!(desired.routes, [route("0.0.0.0/0", "203.0.113.1", 2, 100, TABLE_MAIN)]);
        assert_eq!(desired.mtus[&2], 9000);
        assert_eq!(desired.addresses.len(), 2);
    }

    #[test]
    fn what_is_on_the_link_is_made_before_what_needs_it() {
        let lan = interface(&[], &[]);
        let mut lease = lease("10.128.0.5/32", "10.128.0.1");
        lease.routes.push(("10.128.0.1/32".parse().unwrap(), None));
        let desired = Desired::new(&[wish(2, &lan, Some(&lease))]);
        assert_eq!(desired.routes[0].to, "10.128.0.1/32".parse().unwrap());
        assert_eq!(desired.routes[1].to.prefix_len(), 0);
    }

    #[test]
    fn each_family_has_its_own_rules() {
        let first = interface(&["192.0.2.5/24", "2001:db8::5/64"], &["192.0.2.1", "2001:db8::1"]);
        let second = interface(&["2001:db8:1::5/64"], &["2001:db8:1::1"]);
        let desired = Desired::new(&[wish(2, &first, None), wish(3, &second, None)]);
        assert!(desired.rules.contains(&Rule::MainWithoutDefaults { v6: true }));
        assert!(!desired.rules.contains(&Rule::MainWithoutDefaults { v6: false }));
        assert_eq!(desired.rules.len(), 3);
    }

    #[test]
    fn a_card_that_the_file_does_not_mean_is_off_and_has_nothing() {
        let wish = Wish { index: 2, order: 0, interface: None, lease: None, mtu: 1500 };
        let desired = Desired::new(std::slice::from_ref(&wish));
        assert!(desired.up.is_empty() && desired.addresses.is_empty() && !wish.ipv6());
        assert_eq!(desired.unadvertised, BTreeSet::from([2]));
    }
}
