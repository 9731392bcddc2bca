//! The appliance's side of a test: the network's thread in a namespace, and what is seen of it.

use std::fs;
use std::net::IpAddr;
use std::sync::mpsc::Receiver;

use weir_config::model::{Interface, InterfaceMatch, MacAddress};
use weir_init::network::{InterfaceStatus, Network, Places, Plan};
use weir_init::{Event, Teller};
use weir_tests::{Directory, until};

use crate::namespace::Namespace;

/// The hardware address of the first card, and of the second.
pub(crate) const MAC: &str = "02:00:00:00:00:01";
pub(crate) const MAC_2: &str = "02:00:00:00:00:02";

/// A namespace with the network's thread.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) inside: Namespace,
    pub(crate) network: Network,
    pub(crate) events: Receiver<Event>,
    pub(crate) directory: Directory,
}

impl Machine {
    /// In a namespace whose cards are there already.
    pub(crate) fn start(inside: &Namespace) -> Self {
        Self::start_in(inside, Directory::new())
    }

    /// The same with the leases of before.
    pub(crate) fn start_in(inside: &Namespace, directory: Directory) -> Self {
        let (teller, events) = Teller::channel();
        let places = Places { leases: directory.file("leases"), resolv_conf: directory.file("resolv.conf") };
        let network = inside.run(move || Network::start_at(teller, places));
        Self { inside: inside.clone(), network, events, directory }
    }

    /// The card's status, once it is as wanted.
    #[track_caller]
    pub(crate) fn card(
        &self,
        name: &str,
        what: &str,
        wanted: impl Fn(&InterfaceStatus) -> bool,
    ) -> InterfaceStatus {
        let mut last = Vec::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, || {
                last = self.network.status();
                last.iter().find(|status| status.name == name).filter(|status| wanted(status)).cloned()
            })
        }));
        found.unwrap_or_else(|_| panic!("{name}: {what}: {last:#?}"))
    }

    /// The card's status, once it has this address.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, address: &str) -> InterfaceStatus {
        self.card(name, &format!("has {address}"), |status| status.addresses.iter().any(|one| one == address))
    }

    pub(crate) fn resolv_conf(&self) -> String {
        fs::read_to_string(self.directory.file("resolv.conf")).unwrap_or_default()
    }

    pub(crate) fn hostname(&self) -> String {
        let (_, name) = self.inside.try_program("hostname", "");
        name.trim().to_owned()
    }

    /// Everything that is routed.
    pub(crate) fn routes(&self) -> String {
        self.inside.ip("route show table all") + &self.inside.ip("-6 route show table all")
    }
}

/// An interface of the file for the card with this hardware address, neither DHCP nor SLAAC.
pub(crate) fn interface(name: &str, mac: &str) -> Interface {
    let mut octets = [0; 6];
    for (octet, text) in octets.iter_mut().zip(mac.split(':')) {
        *octet = u8::from_str_radix(text, 16).unwrap();
    }
    Interface {
        name: name.into(),
        matches: InterfaceMatch { mac: Some(MacAddress(octets)), ..InterfaceMatch::default() },
        dhcp: false,
        slaac: false,
        addresses: Vec::new(),
        gateways: Vec::new(),
        routes: Vec::new(),
        mtu: None,
    }
}

pub(crate) fn plan(interfaces: Vec<Interface>) -> Plan {
    Plan { interfaces, ..Plan::default() }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}
