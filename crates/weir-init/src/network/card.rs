//! Network cards: which links are any, their order, and which one an interface of the file means. Pure.

use std::cmp::Ordering;

use weir_config::model::{Interface, InterfaceMatch, MacAddress};

use super::kernel::Place;
use super::netlink::objects::Link;

/// A card as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Card {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) mac: MacAddress,
    pub(super) place: Place,
    pub(super) mtu: u32,
    pub(super) up: bool,
    pub(super) carrier: bool,
}

/// Kinds of made-up links that stand for a card: a container's end of a virtual cable.
const KINDS_OF_CARDS: &[&str] = &["veth", "netdevsim"];

impl Card {
    /// None: the link is no card, or is part of another (a virtual function behind Hyper-V's or virtio's card has the
    /// same hardware address, and its addresses are that one's).
    pub(super) fn from_link(link: &Link, place: impl FnOnce(&str) -> Place) -> Option<Self> {
        let made_up = link.kind.as_deref().is_some_and(|kind| !KINDS_OF_CARDS.contains(&kind));
        if link.loopback || link.has_master || made_up {
            return None;
        }
        Some(Self {
            index: link.index,
            name: link.name.clone(),
            mac: link.mac?,
            place: place(&link.name),
            mtu: link.mtu,
            up: link.up,
            carrier: link.carrier,
        })
    }

    /// By the place on the bus, as firmware and hypervisors number them; then as the kernel found them.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        natural(&self.place.whole, &other.place.whole).then(self.index.cmp(&other.index))
    }

    fn fits(&self, matches: &InterfaceMatch) -> bool {
        let InterfaceMatch { mac, path, driver } = matches;
        mac.is_none_or(|mac| mac == self.mac)
            && path.as_deref().is_none_or(|path| path == self.place.path)
            && driver.as_deref().is_none_or(|driver| driver == self.place.driver)
    }
}

/// For each interface, in their order, the first card that fits and that none before has taken: an index into `cards`.
pub(super) fn assign(interfaces: &[Interface], cards: &[Card]) -> Vec<Option<usize>> {
    let mut taken = vec![false; cards.len()];
    let mut assigned = Vec::with_capacity(interfaces.len());
    for interface in interfaces {
        let found =
            cards.iter().zip(&taken).position(|(card, taken)| !taken && card.fits(&interface.matches));
        if let Some(taken) = found.and_then(|found| taken.get_mut(found)) {
            *taken = true;
        }
        assigned.push(found);
    }
    assigned
}

/// Piece by piece of the two paths. Of pieces that differ in their number only, the shorter has the smaller one:
/// `vif-10` comes after `vif-2`. PCI's numbers are hexadecimal and of one length, and sort as text.
fn natural(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('/'), right.split('/'));
    loop {
        match (left.next(), right.next()) {
            (Some(left), Some(right)) if left == right => {}
            (Some(left), Some(right)) => {
                let by_length =
                    if name(left) == name(right) { left.len().cmp(&right.len()) } else { Ordering::Equal };
                return by_length.then_with(|| left.cmp(right));
            }
            (left, right) => return left.cmp(&right),
        }
    }
}

/// What stands before a piece's number.
fn name(piece: &str) -> &str {
    piece.split(|letter: char| letter.is_ascii_digit()).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn card(index: u32, path: &str, driver: &str) -> Card {
        Card {
            index,
            name: format!("eth{index}"),
            mac: MacAddress([2, 0, 0, 0, 0, index as u8]),
            place: Place { path: path.into(), whole: format!("/sys/devices/{path}"), driver: driver.into() },
            mtu: 1500,
            up: false,
            carrier: true,
        }
    }

    fn interface(name: &str, matches: InterfaceMatch) -> Interface {
        Interface {
            name: Arc::from(name),
            matches,
            dhcp: true,
            slaac: true,
            addresses: Vec::new(),
            gateways: Vec::new(),
            routes: Vec::new(),
            mtu: None,
        }
    }

    #[test]
    fn each_way_of_matching_and_all_together() {
        let cards = [card(1, "0000:00:03.0", "virtio_net"), card(2, "0000:00:04.0", "e1000")];
        let mac = InterfaceMatch { mac: Some(MacAddress([2, 0, 0, 0, 0, 2])), ..InterfaceMatch::default() };
        let path = InterfaceMatch { path: Some("0000:00:03.0".into()), ..InterfaceMatch::default() };
        let driver = InterfaceMatch { driver: Some("e1000".into()), ..InterfaceMatch::default() };
        let none = InterfaceMatch { driver: Some("virtio_net".into()), ..mac.clone() };
        let any = InterfaceMatch::default();
        for (matches, expected) in
            [(mac, Some(1)), (path, Some(0)), (driver, Some(1)), (none, None), (any, Some(0))]
        {
            assert_eq!(assign(&[interface("a", matches)], &cards), [expected]);
        }
    }

    #[test]
    fn a_card_is_taken_once_in_the_order_of_the_file() {
        let cards = [card(1, "a", "virtio_net"), card(2, "b", "virtio_net")];
        let driver = InterfaceMatch { driver: Some("virtio_net".into()), ..InterfaceMatch::default() };
        let all = [interface("a", driver.clone()), interface("b", driver.clone()), interface("c", driver)];
        assert_eq!(assign(&all, &cards), [Some(0), Some(1), None]);
    }

    #[test]
    fn the_order_is_that_of_the_bus() {
        let mut cards = [
            card(1, "vif-10", ""),
            card(2, "vif-2", ""),
            card(3, "0000:00:1f.0", ""),
            card(4, "0000:00:03.0", ""),
        ];
        cards.sort_by(Card::order);
        let order: Vec<_> = cards.iter().map(|card| card.place.path.as_str()).collect();
        assert_eq!(order, ["0000:00:03.0", "0000:00:1f.0", "vif-2", "vif-10"]);
    }

    #[test]
    fn bonds_bridges_and_parts_of_others_are_no_cards() {
        let link = Link {
            index: 2,
            name: "eth0".into(),
            mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            up: true,
            carrier: true,
            loopback: false,
            has_master: false,
            kind: None,
        };
        let is_card = |link: &Link| Card::from_link(link, |_| Place::default()).is_some();
        assert!(is_card(&link));
        assert!(is_card(&Link { kind: Some("veth".into()), ..link.clone() }));
        assert!(!is_card(&Link { kind: Some("bond".into()), ..link.clone() }));
        assert!(!is_card(&Link { has_master: true, ..link.clone() }));
        assert!(!is_card(&Link { loopback: true, ..link.clone() }));
        assert!(!is_card(&Link { mac: None, ..link }));
    }
}
