//! What is told of each card, in words that stand on the console. Pure.

use ipnet::IpNet;
use weir_config::model::Interface;

use super::InterfaceStatus;
use super::card::Card;
use super::netlink::objects::Address;

/// What is known of one card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) card: &'a Card,
    /// None: the file does not mean it.
    pub(super) interface: Option<&'a Interface>,
    /// There are no interfaces in the file, and the card's is made up.
    pub(super) is_automatic: bool,
    pub(super) leased: Option<IpNet>,
    pub(super) unanswered: bool,
    /// Of all cards.
    pub(super) addresses: &'a [Address],
    /// What the kernel refused.
    pub(super) failure: Option<&'a str>,
}

impl Facts<'_> {
    fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(|address| address.index == self.card.index)
    }

    fn usable(&self) -> impl Iterator<Item = &Address> {
        self.addresses().filter(|address| address.usable)
    }

    fn has(&self, net: IpNet) -> bool {
        self.usable().any(|address| address.net == net)
    }

    fn advertised(&self) -> bool {
        self.usable().any(|address| address.advertised)
    }

    /// The file's addresses, all of them.
    fn fixed(&self) -> bool {
        self.interface.is_some_and(|interface| {
            !interface.addresses.is_empty() && interface.addresses.iter().all(|net| self.has(*net))
        })
    }

    fn leased(&self) -> bool {
        self.leased.is_some_and(|net| self.has(net))
    }
}

/// Cards of a machine that has no plan yet.
pub(super) fn idle(cards: &[Card]) -> Vec<InterfaceStatus> {
    let status = |card| bare(card, "not configured yet".to_owned());
    cards.iter().map(status).collect()
}

pub(super) fn status(facts: &Facts<'_>) -> InterfaceStatus {
    let configured = facts.interface.filter(|_| !facts.is_automatic);
    InterfaceStatus {
        configured_as: configured.map(|interface| interface.name.to_string()),
        addresses: facts.usable().map(|address| address.net.to_string()).collect(),
        ..bare(facts.card, condition(facts))
    }
}

fn bare(card: &Card, condition: String) -> InterfaceStatus {
    InterfaceStatus {
        name: card.name.clone(),
        configured_as: None,
        mac: card.mac.to_string(),
        driver: card.place.driver.clone(),
        carrier: card.up && card.carrier,
        addresses: Vec::new(),
        condition,
    }
}

/// Where its addresses come from, and what is missing.
fn condition(facts: &Facts<'_>) -> String {
    let Some(interface) = facts.interface else { return "not in system.interfaces".to_owned() };
    let mut parts = Vec::new();
    if facts.fixed() {
        parts.push("static".to_owned());
    }
    if facts.leased() {
        parts.push("dhcp".to_owned());
    }
    if facts.advertised() {
        parts.push("slaac".to_owned());
    }
    let has_none = parts.is_empty();
    if !facts.card.carrier && facts.card.up {
        parts.push("no cable".to_owned());
    } else if interface.dhcp && facts.unanswered {
        parts.push("no DHCP answer, still asking".to_owned());
    } else if interface.dhcp && facts.leased.is_none() {
        parts.push("asking for an address".to_owned());
    } else if has_none && interface.slaac && interface.addresses.is_empty() && !interface.dhcp {
        parts.push("no router advertisement yet".to_owned());
    }
    for duplicate in facts.addresses().filter(|address| address.duplicate) {
        parts.push(format!("{} is in use by another machine", duplicate.net.addr()));
    }
    parts.extend(facts.failure.map(str::to_owned));
    if parts.is_empty() {
        parts.push("no address yet".to_owned());
    }
    parts.join(", ")
}

/// Whether waiting for the card makes sense: it has a cable, and not yet what it is to be given. An address that the
/// kernel refuses or another machine has is not waited for.
pub(super) fn is_waiting(facts: &Facts<'_>) -> bool {
    let Some(interface) = facts.interface else { return false };
    if !facts.card.up {
        return true;
    }
    if !facts.card.carrier || facts.failure.is_some() {
        return false;
    }
    let checked = facts.addresses().any(|address| address.ours && !address.usable && !address.duplicate);
    let only_slaac = interface.slaac && !interface.dhcp && interface.addresses.is_empty();
    interface.dhcp && !facts.leased() || checked || only_slaac && !facts.advertised()
}

/// Whether it can be reached by an address that is not of its link alone.
pub(super) fn has_address(facts: &Facts<'_>) -> bool {
    facts.card.up && facts.card.carrier && (facts.leased() || facts.fixed() || facts.advertised())
}

/// By the order of the cards on the bus.
pub(super) fn sort(interfaces: &mut [InterfaceStatus], cards: &[Card]) {
    interfaces.sort_by_key(|interface| cards.iter().position(|card| card.name == interface.name));
}

/// Interfaces of the file for which there is no card.
pub(super) fn missing(interfaces: &[Interface], there: &[InterfaceStatus]) -> Vec<InterfaceStatus> {
    let is_there = |interface: &Interface| {
        there.iter().any(|status| status.configured_as.as_deref() == Some(&*interface.name))
    };
    let status = |interface: &Interface| InterfaceStatus {
        name: String::new(),
        configured_as: Some(interface.name.to_string()),
        mac: String::new(),
        driver: String::new(),
        carrier: false,
        addresses: Vec::new(),
        condition: "no card fits its `match`".to_owned(),
    };
    interfaces.iter().filter(|interface| !is_there(interface)).map(status).collect()
}

#[cfg(test)]
mod tests {
    use weir_config::model::MacAddress;

    use super::super::desired::tests::interface;
    use super::super::kernel::Place;
    use super::*;

    fn card(carrier: bool) -> Card {
        Card {
            index: 2,
            name: "eth0".into(),
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            place: Place { driver: "virtio_net".into(), ..Place::default() },
            mtu: 1500,
            up: true,
            carrier,
        }
    }

    fn address(net: &str) -> Address {
        Address {
            index: 2,
            net: net.parse().unwrap(),
            metric: 100,
            ours: true,
            usable: true,
            duplicate: false,
            advertised: false,
        }
    }

    fn facts<'a>(card: &'a Card, interface: &'a Interface, addresses: &'a [Address]) -> Facts<'a> {
        Facts {
            card,
            interface: Some(interface),
            is_automatic: false,
            leased: None,
            unanswered: false,
            addresses,
            failure: None,
        }
    }

    #[test]
    fn where_addresses_come_from() {
        let card = card(true);
        let mut lan = interface(&["192.0.2.5/24"], &[]);
        let mut addresses = vec![address("192.0.2.5/24"), address("2001:db8::5/64")];
        addresses[1].advertised = true;
        let status = status(&facts(&card, &lan, &addresses));
        assert_eq!(status.condition, "static, slaac");
        assert_eq!(status.addresses, ["192.0.2.5/24", "2001:db8::5/64"]);
        assert_eq!(status.configured_as.as_deref(), Some("lan"));
        lan.addresses.clear();
        let leased =
            Facts { leased: Some("192.0.2.5/24".parse().unwrap()), ..facts(&card, &lan, &addresses[..1]) };
        assert_eq!(condition(&leased), "dhcp");
        assert!(has_address(&leased) && !is_waiting(&leased));
    }

    #[test]
    fn why_there_is_none() {
        let (card, mut lan) = (card(true), interface(&[], &[]));
        lan.dhcp = true;
        let asking = facts(&card, &lan, &[]);
        assert_eq!(condition(&asking), "asking for an address");
        assert!(is_waiting(&asking) && !has_address(&asking));
        assert_eq!(condition(&Facts { unanswered: true, ..asking }), "no DHCP answer, still asking");
        assert_eq!(condition(&Facts { interface: None, ..asking }), "not in system.interfaces");
        let unplugged = self::card(false);
        let unplugged = Facts { card: &unplugged, ..asking };
        assert_eq!(condition(&unplugged), "no cable");
        assert!(!is_waiting(&unplugged));
    }

    #[test]
    fn an_address_that_another_machine_has_is_said_and_not_waited_for() {
        let (card, lan) = (card(true), interface(&["2001:db8::5/64"], &[]));
        let mut addresses = [address("2001:db8::5/64")];
        addresses[0].usable = false;
        assert!(is_waiting(&facts(&card, &lan, &addresses)));
        addresses[0].duplicate = true;
        let facts = facts(&card, &lan, &addresses);
        assert_eq!(condition(&facts), "2001:db8::5 is in use by another machine");
        assert!(!is_waiting(&facts));
    }

    #[test]
    fn an_interface_without_a_card_is_told_too() {
        let missing = missing(&[interface(&[], &[])], &[]);
        assert_eq!(missing.len(), 1);
        assert_eq!(missing[0].configured_as.as_deref(), Some("lan"));
    }
}
