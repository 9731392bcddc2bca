//! The difference between what is and what ought to be, as operations in the order in which they work. Pure.
//!
//! First comes what is new, then goes what is old, so that no moment is without a way out; what is the same both times
//! is not touched.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::card::Card;
use super::desired::Desired;
use super::netlink::objects::{Address, Route, Rule};

/// What is.
#[derive(Debug, Default)]
pub(super) struct Present<'a> {
    pub(super) cards: &'a [Card],
    pub(super) addresses: &'a [Address],
    pub(super) routes: &'a [Route],
    pub(super) rules: &'a [Rule],
}

/// One thing to have the kernel do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    SetMtu { index: u32, mtu: u32 },
    TurnOn { index: u32 },
    AddAddress { index: u32, net: IpNet, metric: u32 },
    AddRoute(Route),
    AddRule(Rule),
    RemoveRule(Rule),
    RemoveRoute(Route),
    RemoveAddress { index: u32, net: IpNet },
    TurnOff { index: u32 },
}

impl Operation {
    /// Which card it is about.
    pub(super) fn index(&self) -> Option<u32> {
        match self {
            Self::SetMtu { index, .. }
            | Self::TurnOn { index }
            | Self::AddAddress { index, .. }
            | Self::RemoveAddress { index, .. }
            | Self::TurnOff { index } => Some(*index),
            Self::AddRoute(route) | Self::RemoveRoute(route) => Some(route.index),
            Self::AddRule(_) | Self::RemoveRule(_) => None,
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SetMtu { mtu, .. } => write!(f, "setting the MTU to {mtu}"),
            Self::TurnOn { .. } => write!(f, "turning the card on"),
            Self::AddAddress { net, .. } => write!(f, "adding the address {net}"),
            Self::AddRoute(Route { to, via: Some(via), .. }) => {
                write!(f, "adding the route to {to} via {via}")
            }
            Self::AddRoute(Route { to, via: None, .. }) => write!(f, "adding the route to {to}"),
            Self::AddRule(rule) => write!(f, "adding {rule:?}"),
            Self::RemoveRule(rule) => write!(f, "removing {rule:?}"),
            Self::RemoveRoute(route) => write!(f, "removing the route to {}", route.to),
            Self::RemoveAddress { net, .. } => write!(f, "removing the address {net}"),
            Self::TurnOff { .. } => write!(f, "turning the card off"),
        }
    }
}

/// What leads from the one to the other.
pub(super) fn plan(present: &Present<'_>, desired: &Desired) -> Vec<Operation> {
    let mut operations = Vec::new();
    cards_on(present, desired, &mut operations);
    addresses_added(present, desired, &mut operations);
    let added: Vec<&Route> = desired.routes.iter().filter(|route| !present.routes.contains(route)).collect();
    operations.extend(added.iter().map(|route| Operation::AddRoute((*route).clone())));
    let rules: BTreeSet<&Rule> = present.rules.iter().collect();
    operations
        .extend(desired.rules.iter().filter(|rule| !rules.contains(rule)).cloned().map(Operation::AddRule));
    operations.extend(
        rules.into_iter().filter(|rule| !desired.rules.contains(rule)).cloned().map(Operation::RemoveRule),
    );
    // A new route takes the place of the one that the kernel can't tell from it.
    let replaced = |old: &Route| {
        added.iter().any(|new| (new.table, new.to, new.metric) == (old.table, old.to, old.metric))
    };
    let old = present.routes.iter().filter(|route| !desired.routes.contains(route) && !replaced(route));
    operations.extend(old.cloned().map(Operation::RemoveRoute));
    addresses_removed(present, desired, &mut operations);
    let off = present.cards.iter().filter(|card| card.up && !desired.up.contains(&card.index));
    operations.extend(off.map(|card| Operation::TurnOff { index: card.index }));
    operations
}

fn cards_on(present: &Present<'_>, desired: &Desired, operations: &mut Vec<Operation>) {
    for card in present.cards {
        let index = card.index;
        if let Some(mtu) = desired.mtus.get(&index).copied().filter(|mtu| *mtu != card.mtu) {
            operations.push(Operation::SetMtu { index, mtu });
        }
        if !card.up && desired.up.contains(&index) {
            operations.push(Operation::TurnOn { index });
        }
    }
}

fn addresses_added(present: &Present<'_>, desired: &Desired, operations: &mut Vec<Operation>) {
    for ((index, net), metric) in &desired.addresses {
        let same =
            |address: &Address| (address.index, address.net, address.metric) == (*index, *net, *metric);
        if !present.addresses.iter().any(same) {
            operations.push(Operation::AddAddress { index: *index, net: *net, metric: *metric });
        }
    }
}

fn addresses_removed(present: &Present<'_>, desired: &Desired, operations: &mut Vec<Operation>) {
    for address in present.addresses {
        let (index, net) = (address.index, address.net);
        let unwanted = address.ours || address.advertised && desired.unadvertised.contains(&index);
        if unwanted && !desired.addresses.contains_key(&(index, net)) {
            operations.push(Operation::RemoveAddress { index, net });
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_config::model::MacAddress;

    use super::super::desired::Wish;
    use super::super::desired::tests::interface;
    use super::super::kernel::Place;
    use super::*;

    fn card(index: u32, up: bool, mtu: u32) -> Card {
        Card {
            index,
            name: format!("eth{index}"),
            mac: MacAddress([2; 6]),
            place: Place::default(),
            mtu,
            up,
            carrier: true,
        }
    }

    fn address(index: u32, net: &str, metric: u32, ours: bool) -> Address {
        let net = net.parse().unwrap();
        Address { index, net, metric, ours, usable: true, duplicate: false, advertised: false }
    }

    fn desired(addresses: &[&str], gateways: &[&str]) -> Desired {
        let interface = interface(addresses, gateways);
        Desired::new(&[Wish { index: 2, order: 0, interface: Some(&interface), lease: None, mtu: 1500 }])
    }

    #[test]
    fn a_fresh_card_is_turned_on_and_given_everything() {
        let cards = [card(2, false, 9000)];
        let present = Present { cards: &cards, ..Present::default() };
        let desired = desired(&["192.0.2.5/24"], &["192.0.2.1"]);
        let expected = [
            Operation::SetMtu { index: 2, mtu: 1500 },
            Operation::TurnOn { index: 2 },
            Operation::AddAddress { index: 2, net: "192.0.2.5/24".parse().unwrap(), metric: 100 },
            Operation::AddRoute(desired.routes[0].clone()),
        ];
        assert_eq!(plan(&present, &desired), expected);
    }

    #[test]
    fn what_is_as_it_ought_to_be_is_not_touched() {
        let desired = desired(&["192.0.2.5/24"], &["192.0.2.1"]);
        let cards = [card(2, true, 1500)];
        let addresses = [
            address(2, "192.0.2.5/24", 100, true),
            address(2, "fe80::1/64", 0, false),
            address(2, "10.9.9.9/8", 0, false),
        ];
        let present =
            Present { cards: &cards, addresses: &addresses, routes: &desired.routes.clone(), rules: &[] };
        assert_eq!(plan(&present, &desired), []);
    }

    #[test]
    fn another_address_and_router_come_before_the_old_go() {
        let before = desired(&["192.0.2.5/24"], &["192.0.2.1"]);
        let after = desired(&["192.0.2.6/24"], &["192.0.2.254"]);
        let cards = [card(2, true, 1500)];
        let addresses = [address(2, "192.0.2.5/24", 100, true)];
        let present = Present { cards: &cards, addresses: &addresses, routes: &before.routes, rules: &[] };
        let expected = [
            Operation::AddAddress { index: 2, net: "192.0.2.6/24".parse().unwrap(), metric: 100 },
            Operation::AddRoute(after.routes[0].clone()),
            Operation::RemoveAddress { index: 2, net: "192.0.2.5/24".parse().unwrap() },
        ];
        assert_eq!(plan(&present, &after), expected);
    }

    #[test]
    fn a_card_that_is_meant_no_more_loses_what_is_ours_and_is_turned_off() {
        let before = desired(&["192.0.2.5/24"], &["192.0.2.1"]);
        let after = Desired::new(&[Wish { index: 2, order: 0, interface: None, lease: None, mtu: 1500 }]);
        let cards = [card(2, true, 1500)];
        let mut addresses = [address(2, "192.0.2.5/24", 100, true), address(2, "2001:db8::5/64", 0, false)];
        addresses[1].advertised = true;
        let rules = [Rule::MainWithoutDefaults { v6: false }];
        let present = Present { cards: &cards, addresses: &addresses, routes: &before.routes, rules: &rules };
        let expected = [
            Operation::RemoveRule(rules[0].clone()),
            Operation::RemoveRoute(before.routes[0].clone()),
            Operation::RemoveAddress { index: 2, net: "192.0.2.5/24".parse().unwrap() },
            Operation::RemoveAddress { index: 2, net: "2001:db8::5/64".parse().unwrap() },
            Operation::TurnOff { index: 2 },
        ];
        assert_eq!(plan(&present, &after), expected);
    }
}
