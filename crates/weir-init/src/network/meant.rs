//! Which card is to be given what: the plan's interfaces, or the same for all where it has none. Pure.

use weir_config::model::{Interface, InterfaceMatch};

use super::card::{Card, assign};

/// What one card is, and what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) card: Card,
    /// None: the plan has others and not this one.
    pub(super) interface: Option<Interface>,
    /// Its place among the cards; the metrics of routes follow it.
    pub(super) order: u32,
}

impl Meant {
    /// All of `cards`, which are in the order of the bus: those that are given something first, in the plan's order.
    pub(super) fn all(interfaces: &[Interface], cards: &[Card]) -> Vec<Self> {
        let one = |card: &Card, interface, order: usize| Self {
            card: card.clone(),
            interface,
            order: u32::try_from(order).unwrap_or(u32::MAX),
        };
        if interfaces.is_empty() {
            return cards
                .iter()
                .enumerate()
                .map(|(order, card)| one(card, Some(automatic(card)), order))
                .collect();
        }
        let assigned = assign(interfaces, cards);
        let mut meant = Vec::with_capacity(cards.len());
        for (interface, at) in interfaces.iter().zip(&assigned) {
            if let Some(card) = at.and_then(|at| cards.get(at)) {
                meant.push(one(card, Some(interface.clone()), meant.len()));
            }
        }
        for (at, card) in cards.iter().enumerate() {
            if !assigned.contains(&Some(at)) {
                meant.push(one(card, None, meant.len()));
            }
        }
        meant
    }
}

/// What a card is given where the file has no interfaces.
fn automatic(card: &Card) -> Interface {
    Interface {
        name: card.name.as_str().into(),
        matches: InterfaceMatch { mac: Some(card.mac), ..InterfaceMatch::default() },
        dhcp: true,
        slaac: true,
        addresses: Vec::new(),
        gateways: Vec::new(),
        routes: Vec::new(),
        mtu: None,
    }
}

#[cfg(test)]
mod tests {
    use weir_config::model::MacAddress;

    use super::super::desired::tests::interface;
    use super::super::kernel::Place;
    use super::*;

    fn card(index: u32) -> Card {
        Card {
            index,
            name: format!("eth{index}"),
            mac: MacAddress([2, 0, 0, 0, 0, index as u8]),
            place: Place::default(),
            mtu: 1500,
            up: false,
            carrier: false,
        }
    }

    fn means(meant: &[Meant]) -> Vec<(u32, bool, u32)> {
        meant.iter().map(|meant| (meant.card.index, meant.interface.is_some(), meant.order)).collect()
    }

    #[test]
    fn without_a_plan_every_card_asks_dhcp_and_listens_to_routers() {
        let meant = Meant::all(&[], &[card(3), card(2)]);
        assert_eq!(means(&meant), [(3, true, 0), (2, true, 1)]);
        assert!(meant.iter().all(|meant| meant.interface.as_ref().is_some_and(|lan| lan.dhcp && lan.slaac)));
    }

    #[test]
    fn the_order_is_the_files_and_the_rest_comes_last() {
        let of = |index: u8| {
            let mut lan = interface(&[], &[]);
            lan.matches.mac = Some(MacAddress([2, 0, 0, 0, 0, index]));
            lan
        };
        let meant = Meant::all(&[of(4), of(9), of(2)], &[card(2), card(3), card(4)]);
        assert_eq!(means(&meant), [(4, true, 0), (2, true, 1), (3, false, 2)]);
    }
}
