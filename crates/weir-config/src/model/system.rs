//! `system:`: what the appliance is beside a load balancer. Only process 1 of the appliance (`weir init`) acts on
//! it; elsewhere it is checked and otherwise ignored, since a host has an owner of its own for these things.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::Name;

/// The settings of the machine itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// What the machine calls itself. Default: what DHCP or the first-boot data say, else `weir`.
    pub hostname: Option<Arc<str>>,
    /// In the order of the file; names are unique. Default empty: DHCPv4 and SLAAC on every card.
    pub interfaces: Vec<Interface>,
    /// Whom to ask for names, before those that DHCP and router advertisements name. Default empty.
    pub name_servers: Vec<IpAddr>,
    /// The clock.
    pub time: Time,
}

/// One network card, and what it is to be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// The operator's own name for it; the kernel's name (`eth0`) plays no part, as it changes when a card is added.
    pub name: Name,
    /// Which card: everything that is given must hold; at least one is given. The first card that fits is taken.
    pub matches: InterfaceMatch,
    /// Whether DHCPv4 is asked. Default: yes where `addresses` has no IPv4 address.
    pub dhcp: bool,
    /// Whether addresses of router advertisements are taken (SLAAC). Default: yes.
    pub slaac: bool,
    /// Static addresses with the length of their network's prefix. Default empty.
    pub addresses: Vec<IpNet>,
    /// Default routers, at most one of each family. Default empty.
    pub gateways: Vec<IpAddr>,
    /// Further routes. Default empty.
    pub routes: Vec<InterfaceRoute>,
    /// Bytes of the largest packet, 576 to 9216. Default: the card's own, or what DHCP says.
    pub mtu: Option<u16>,
}

/// Which card is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct InterfaceMatch {
    /// Its hardware address.
    pub mac: Option<MacAddress>,
    /// Its place on the bus, as `/sys/bus/pci/devices` writes it: `0000:00:03.0`; on Xen and Hyper-V the device's name.
    pub path: Option<Arc<str>>,
    /// Its driver, such as `virtio_net` or `vmxnet3`.
    pub driver: Option<Arc<str>>,
}

/// A hardware address of Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MacAddress(pub [u8; 6]);

/// A route that is not the default one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfaceRoute {
    /// Where to.
    pub to: IpNet,
    /// By which router, of the same family.
    pub via: IpAddr,
}

/// How the clock is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// NTP servers, names or addresses. Default: those that DHCP names, else `pool.ntp.org`.
    pub servers: Vec<Arc<str>>,
    /// How long the start waits for the clock to be set before it goes on without. Default 3 s. Where the machine's own
    /// clock shows 2026 or later, it does not wait.
    pub wait: Duration,
}

impl Default for Time {
    fn default() -> Self {
        Self { servers: Vec::new(), wait: Duration::from_secs(3) }
    }
}

impl std::fmt::Display for MacAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
