//! The machine itself: its name, its network cards, its clock.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::codec::{
    Bool, DEVICE, Entry, Field, HOSTNAME, INTERFACE_ADDRESS, IP, List, MAC, NET, Named, Number, OneOrMany,
    Optional, Placed, Rule, Section, TIME_OR_ZERO, TIME_SERVER, field, nested,
};
use crate::model::{InterfaceMatch, Time};
use crate::tree::At;

/// The settings of the machine.
#[derive(Debug, Clone, Default)]
pub(crate) struct System {
    pub(crate) hostname: Option<Arc<str>>,
    pub(crate) interfaces: Vec<Entry<Interface>>,
    pub(crate) name_servers: Vec<At<IpAddr>>,
    pub(crate) time: At<Time>,
}

impl Section for System {
    const WHAT: &'static str = "system section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "hostname",
            hostname,
            Optional(HOSTNAME),
            "What the machine calls itself.",
            default "what DHCP or the first-boot data say, else `weir`"
        ),
        field!(
            "interfaces",
            interfaces,
            Named(nested::<Interface>()),
            "Network cards, under names of your choice. Empty: DHCPv4 and SLAAC on every card."
        ),
        field!(
            "name_servers",
            name_servers,
            OneOrMany(Placed(IP)),
            "Whom to ask for names, before those that DHCP and router advertisements name."
        ),
        field!("time", time, Placed(nested::<Time>()), "How the clock is set."),
    ];
}

/// One network card.
#[derive(Debug, Clone)]
pub(crate) struct Interface {
    pub(crate) matches: At<InterfaceMatch>,
    pub(crate) dhcp: Option<bool>,
    pub(crate) slaac: bool,
    pub(crate) addresses: Vec<At<IpNet>>,
    pub(crate) gateways: Vec<At<IpAddr>>,
    pub(crate) routes: Vec<At<InterfaceRoute>>,
    pub(crate) mtu: Option<At<u16>>,
}

impl Default for Interface {
    fn default() -> Self {
        Self {
            matches: At::default(),
            dhcp: None,
            slaac: true,
            addresses: Vec::new(),
            gateways: Vec::new(),
            routes: Vec::new(),
            mtu: None,
        }
    }
}

impl Interface {
    /// Whether DHCPv4 is asked where the file does not say.
    pub(crate) fn asks_dhcp<'a>(mut addresses: impl Iterator<Item = &'a IpNet>) -> bool {
        !addresses.any(|address| address.addr().is_ipv4())
    }
}

impl Section for Interface {
    const WHAT: &'static str = "interface";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            required "match",
            matches,
            Placed(nested::<InterfaceMatch>()),
            "Which card: all that is given must hold, the first card that fits is taken. `GET /api/v1/system` lists the cards."
        ),
        field!(
            "dhcp",
            dhcp,
            Optional(Bool),
            "Ask DHCPv4 for an address, routes, name and time servers.",
            default "`true` without an IPv4 address in `addresses`, else `false`"
        ),
        field!("slaac", slaac, Bool, "Take IPv6 addresses and routes from router advertisements."),
        field!(
            "addresses",
            addresses,
            OneOrMany(Placed(INTERFACE_ADDRESS)),
            "Static addresses, each with the length of its network's prefix."
        ),
        field!(
            "gateways",
            gateways,
            OneOrMany(Placed(IP)),
            "Default routers, at most one of IPv4 and one of IPv6."
        ),
        field!("routes", routes, List { of: Placed(nested::<InterfaceRoute>()), min: 0 }, "Further routes."),
        field!(
            "mtu",
            mtu,
            Optional(Placed(Number { range: 576..=9216 })),
            "Bytes of the largest packet.",
            default "the card's own, or what DHCP says"
        ),
    ];
}

impl Section for InterfaceMatch {
    const WHAT: &'static str = "match";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!("mac", mac, Optional(MAC), "Its hardware address."),
        field!(
            "path",
            path,
            Optional(DEVICE),
            "Its place on the bus: `0000:00:03.0` on PCI; on Xen and Hyper-V the device's name there."
        ),
        field!("driver", driver, Optional(DEVICE), "Its driver, such as `virtio_net` or `vmxnet3`."),
    ];
    const RULES: &'static [Rule] = &[Rule::AnyOf(&["mac", "path", "driver"])];
}

/// A route that is not the default one.
#[derive(Debug, Clone, Default)]
pub(crate) struct InterfaceRoute {
    pub(crate) to: Option<At<IpNet>>,
    pub(crate) via: Option<At<IpAddr>>,
}

impl Section for InterfaceRoute {
    const WHAT: &'static str = "route";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(required "to", to, Optional(Placed(NET)), "The network that it leads to."),
        field!(required "via", via, Optional(Placed(IP)), "The router, of the same family, in a network of this card."),
    ];
}

impl Section for Time {
    const WHAT: &'static str = "time section";
    const FIELDS: &'static [&'static dyn Field<Self>] = &[
        field!(
            "servers",
            servers,
            OneOrMany(TIME_SERVER),
            "NTP servers, names or addresses. Empty: those that DHCP names, else `pool.ntp.org`."
        ),
        field!(
            "wait",
            wait,
            TIME_OR_ZERO,
            "How long the start waits for the clock before it goes on without; at most 10 minutes. Where the machine's own clock shows 2026 or later, it does not wait."
        ),
    ];
}
