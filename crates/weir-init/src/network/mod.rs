//! The network: cards found, matched, given what `system.interfaces` says, as they come and go.

use std::net::IpAddr;

use weir_config::model::Interface;

use crate::Teller;

/// What the network is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Empty: DHCPv4 and SLAAC on every card.
    pub interfaces: Vec<Interface>,
    /// Before those that DHCP names.
    pub name_servers: Vec<IpAddr>,
    /// None: what DHCP says, else `weir`.
    pub hostname: Option<String>,
}

/// What a card has come to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct InterfaceStatus {
    /// The kernel's name.
    pub name: String,
    /// The name in the file, where one matches.
    pub configured_as: Option<String>,
    /// As the kernel writes it.
    pub mac: String,
    /// Such as `virtio_net`.
    pub driver: String,
    /// Whether a cable, real or virtual, is in.
    pub carrier: bool,
    /// With the length of their prefix; link-local ones too.
    pub addresses: Vec<String>,
    /// `dhcp`, `static`, `slaac`, or why there is none: "no DHCP answer, still asking".
    pub condition: String,
}

/// The thread that owns the network.
#[derive(Debug)]
pub struct Network;

impl Network {
    /// Starts the thread; it tells [`crate::Event::Network`] at every change.
    #[must_use]
    pub fn start(_teller: Teller) -> Self {
        Self
    }

    /// Makes the network what `plan` says; at the start, and whenever the configuration changes.
    pub fn apply(&self, _plan: Plan) {}

    /// Waits until every card that has a cable has its addresses, and one has; false where the time is over first.
    #[must_use]
    pub fn wait(&self, _time: std::time::Duration) -> bool {
        false
    }

    /// What every card has come to, in the order of their places on the bus.
    #[must_use]
    pub fn status(&self) -> Vec<InterfaceStatus> {
        Vec::new()
    }
}
