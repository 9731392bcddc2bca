//! Links, addresses, routes and rules as the kernel's tables have them, and the requests that change them.
//!
//! What is made here is marked with a protocol number of our own, so that nothing is ever removed that the kernel or
//! a router advertisement made. Numbers are those of linux/rtnetlink.h, if_link.h, if_addr.h and fib_rules.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use weir_config::model::MacAddress;

use super::message::{Message, Request, attributes, number, short};

/// The mark of what Weir made, in addresses, routes and rules; nobody else's in rt_protos.
const OURS: u8 = 87;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const NEW_RULE: u16 = 32;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;
/// `RTM_NEWNDUSEROPT`.
pub(super) const ROUTER_OPTION: u16 = 68;

/// Sizes of the fixed parts: ifinfomsg, ifaddrmsg, rtmsg and fib_rule_hdr.
const LINK_BYTES: usize = 16;
const ADDRESS_BYTES: usize = 8;
const ROUTE_BYTES: usize = 12;

/// `ARPHRD_ETHER` and the flags of a link.
const ETHERNET: u16 = 1;
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const LOWER_UP: u32 = 0x1_0000;

/// `RT_TABLE_MAIN`, `RT_TABLE_UNSPEC`.
pub(in crate::network) const TABLE_MAIN: u32 = 254;

/// A network interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::network) struct Link {
    pub(in crate::network) index: u32,
    pub(in crate::network) name: String,
    /// None: not Ethernet, or without an address.
    pub(in crate::network) mac: Option<MacAddress>,
    pub(in crate::network) mtu: u32,
    pub(in crate::network) up: bool,
    pub(in crate::network) carrier: bool,
    pub(in crate::network) loopback: bool,
    /// Part of another: a bond, or a virtual function behind its virtual card, whose addresses are that one's.
    pub(in crate::network) has_master: bool,
    /// What kind of made-up link it is (`bond`, `veth`); None for a card.
    pub(in crate::network) kind: Option<String>,
}

/// An address of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::network) struct Address {
    pub(in crate::network) index: u32,
    pub(in crate::network) net: IpNet,
    /// Of the route to its network.
    pub(in crate::network) metric: u32,
    /// Made by us, and ours to remove.
    pub(in crate::network) ours: bool,
    /// Being checked for a duplicate, so of no use yet; or a duplicate was found.
    pub(in crate::network) usable: bool,
    pub(in crate::network) duplicate: bool,
    /// The kernel made it from a router advertisement.
    pub(in crate::network) advertised: bool,
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::network) struct Route {
    pub(in crate::network) to: IpNet,
    /// None: the destination is on the link.
    pub(in crate::network) via: Option<IpAddr>,
    pub(in crate::network) index: u32,
    pub(in crate::network) metric: u32,
    pub(in crate::network) table: u32,
}

/// A rule of policy routing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::network) enum Rule {
    /// The main table, without its default routes; of the family.
    MainWithoutDefaults { v6: bool },
    /// Packets from this address look into this table.
    From { address: IpAddr, table: u32 },
}

/// Priorities of the rules: before the kernel's own, which begin at 32766.
const PRIORITY_MAIN: u32 = 1000;
const PRIORITY_FROM: u32 = 1001;

impl Link {
    pub(in crate::network) fn table() -> Request {
        Request::dump(GET_LINK, &[0; LINK_BYTES])
    }

    pub(in crate::network) fn read(message: &Message<'_>) -> Option<Self> {
        if message.kind != NEW_LINK {
            return None;
        }
        let flags = number(message.body, 8)?;
        let ethernet = short(message.body, 2)? == ETHERNET;
        let mut link = Self {
            index: number(message.body, 4)?,
            name: String::new(),
            mac: None,
            mtu: 0,
            up: flags & UP != 0,
            carrier: flags & LOWER_UP != 0,
            loopback: flags & LOOPBACK != 0,
            has_master: false,
            kind: None,
        };
        for (kind, value) in message.attributes(LINK_BYTES) {
            match kind {
                1 if ethernet => link.mac = value.try_into().ok().map(MacAddress),
                3 => link.name = text(value),
                4 => link.mtu = number(value, 0)?,
                10 => link.has_master = number(value, 0)? != 0,
                18 => {
                    link.kind = attributes(value).find(|(kind, _)| *kind == 1).map(|(_, value)| text(value));
                }
                _ => {}
            }
        }
        Some(link)
    }

    /// Turns a link on or off.
    pub(in crate::network) fn set_up(index: u32, up: bool) -> Request {
        let mut fixed = [0; LINK_BYTES];
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        fixed[8..12].copy_from_slice(&u32::from(up).to_ne_bytes());
        fixed[12..16].copy_from_slice(&UP.to_ne_bytes());
        Request::change(NEW_LINK, &fixed)
    }

    pub(in crate::network) fn set_mtu(index: u32, mtu: u32) -> Request {
        let mut fixed = [0; LINK_BYTES];
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        Request::change(NEW_LINK, &fixed).with_number(4, mtu)
    }
}

impl Address {
    pub(in crate::network) fn table() -> Request {
        Request::dump(GET_ADDRESS, &[0; ADDRESS_BYTES])
    }

    pub(in crate::network) fn read(message: &Message<'_>) -> Option<Self> {
        const TENTATIVE: u32 = 0x40;
        const OPTIMISTIC: u32 = 0x04;
        const DUPLICATE: u32 = 0x08;
        const MADE_BY_ADVERTISEMENT: u8 = 2;
        if message.kind != NEW_ADDRESS {
            return None;
        }
        let prefix = *message.body.get(1)?;
        let mut flags = u32::from(*message.body.get(2)?);
        let (mut address, mut local, mut metric, mut protocol) = (None, None, 0, 0);
        for (kind, value) in message.attributes(ADDRESS_BYTES) {
            match kind {
                1 => address = ip(value),
                2 => local = ip(value),
                8 => flags = number(value, 0)?,
                9 => metric = number(value, 0)?,
                11 => protocol = *value.first()?,
                _ => {}
            }
        }
        let duplicate = flags & DUPLICATE != 0;
        Some(Self {
            index: number(message.body, 4)?,
            net: IpNet::new(local.or(address)?, prefix).ok()?,
            metric,
            ours: protocol == OURS,
            usable: !duplicate && (flags & TENTATIVE == 0 || flags & OPTIMISTIC != 0),
            duplicate,
            advertised: protocol == MADE_BY_ADVERTISEMENT,
        })
    }

    pub(in crate::network) fn add(index: u32, net: IpNet, metric: u32) -> Request {
        let bytes = octets(net.addr());
        let mut request = Request::set(NEW_ADDRESS, &Self::fixed(index, net)).with(2, &bytes).with(1, &bytes);
        if let IpNet::V4(net) = net
            && net.prefix_len() < 31
        {
            request = request.with(4, &net.broadcast().octets());
        }
        request.with_number(9, metric).with(11, &[OURS])
    }

    pub(in crate::network) fn remove(index: u32, net: IpNet) -> Request {
        let bytes = octets(net.addr());
        Request::change(DELETE_ADDRESS, &Self::fixed(index, net)).with(2, &bytes).with(1, &bytes)
    }

    fn fixed(index: u32, net: IpNet) -> [u8; ADDRESS_BYTES] {
        let mut fixed = [family(net.addr()), net.prefix_len(), 0, 0, 0, 0, 0, 0];
        fixed[4..8].copy_from_slice(&index.to_ne_bytes());
        fixed
    }
}

impl Route {
    pub(in crate::network) fn table() -> Request {
        Request::dump(GET_ROUTE, &[0; ROUTE_BYTES])
    }

    /// Ours alone.
    pub(in crate::network) fn read(message: &Message<'_>) -> Option<Self> {
        if message.kind != NEW_ROUTE || *message.body.get(5)? != OURS {
            return None;
        }
        let (to_any, prefix) = (any(*message.body.first()?)?, *message.body.get(1)?);
        let mut table = u32::from(*message.body.get(4)?);
        let (mut to, mut via, mut index, mut metric) = (to_any, None, 0, 0);
        for (kind, value) in message.attributes(ROUTE_BYTES) {
            match kind {
                1 => to = ip(value)?,
                4 => index = number(value, 0)?,
                5 => via = ip(value),
                6 => metric = number(value, 0)?,
                15 => table = number(value, 0)?,
                _ => {}
            }
        }
        Some(Self { to: IpNet::new(to, prefix).ok()?, via, index, metric, table })
    }

    pub(in crate::network) fn add(&self) -> Request {
        self.attributes(Request::set(NEW_ROUTE, &self.fixed()))
    }

    pub(in crate::network) fn remove(&self) -> Request {
        self.attributes(Request::change(DELETE_ROUTE, &self.fixed()))
    }

    fn fixed(&self) -> [u8; ROUTE_BYTES] {
        const UNIVERSE: u8 = 0;
        const LINK: u8 = 253;
        const UNICAST: u8 = 1;
        // The router need not be in the link's networks: clouds give addresses with a prefix of 32 bits.
        const ON_LINK: u32 = 4;
        let scope = if self.via.is_some() || self.to.addr().is_ipv6() { UNIVERSE } else { LINK };
        let mut fixed = [0; ROUTE_BYTES];
        fixed[0] = family(self.to.addr());
        fixed[1] = self.to.prefix_len();
        // The table itself is an attribute: here there is room for 255 only.
        fixed[5] = OURS;
        fixed[6] = scope;
        fixed[7] = UNICAST;
        if self.via.is_some() {
            fixed[8..12].copy_from_slice(&ON_LINK.to_ne_bytes());
        }
        fixed
    }

    fn attributes(&self, mut request: Request) -> Request {
        if self.to.prefix_len() > 0 {
            request = request.with(1, &octets(self.to.addr()));
        }
        if let Some(via) = self.via {
            request = request.with(5, &octets(via));
        }
        request.with_number(4, self.index).with_number(6, self.metric).with_number(15, self.table)
    }
}

impl Rule {
    pub(in crate::network) fn table() -> Request {
        Request::dump(GET_RULE, &[0; ROUTE_BYTES])
    }

    /// Ours alone.
    pub(in crate::network) fn read(message: &Message<'_>) -> Option<Self> {
        if message.kind != NEW_RULE {
            return None;
        }
        let v6 = *message.body.first()? == AF_INET6;
        let mut table = u32::from(*message.body.get(4)?);
        let (mut from, mut protocol) = (None, 0);
        for (kind, value) in message.attributes(ROUTE_BYTES) {
            match kind {
                2 => from = ip(value),
                15 => table = number(value, 0)?,
                21 => protocol = *value.first()?,
                _ => {}
            }
        }
        match from {
            _ if protocol != OURS => None,
            Some(address) => Some(Self::From { address, table }),
            None => Some(Self::MainWithoutDefaults { v6 }),
        }
    }

    pub(in crate::network) fn add(&self) -> Request {
        // The kernel would add an equal one once more; the planner asks for none that is there.
        self.attributes(Request::set(NEW_RULE, &self.fixed()))
    }

    pub(in crate::network) fn remove(&self) -> Request {
        self.attributes(Request::change(DELETE_RULE, &self.fixed()))
    }

    fn fixed(&self) -> [u8; ROUTE_BYTES] {
        const TO_TABLE: u8 = 1;
        let mut fixed = [0; ROUTE_BYTES];
        fixed[7] = TO_TABLE;
        match self {
            Self::MainWithoutDefaults { v6 } => fixed[0] = if *v6 { AF_INET6 } else { AF_INET },
            Self::From { address, .. } => {
                fixed[0] = family(*address);
                fixed[2] = if address.is_ipv4() { 32 } else { 128 };
            }
        }
        fixed
    }

    fn attributes(&self, request: Request) -> Request {
        const SUPPRESS_PREFIXES_UP_TO: u16 = 14;
        let request = request.with(21, &[OURS]);
        match self {
            Self::MainWithoutDefaults { .. } => request
                .with_number(6, PRIORITY_MAIN)
                .with_number(15, TABLE_MAIN)
                .with_number(SUPPRESS_PREFIXES_UP_TO, 0),
            Self::From { address, table } => {
                request.with(2, &octets(*address)).with_number(6, PRIORITY_FROM).with_number(15, *table)
            }
        }
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { AF_INET } else { AF_INET6 }
}

fn any(family: u8) -> Option<IpAddr> {
    match family {
        AF_INET => Some(Ipv4Addr::UNSPECIFIED.into()),
        AF_INET6 => Some(Ipv6Addr::UNSPECIFIED.into()),
        _ => None,
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(value) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(value).ok().map(|octets| Ipv6Addr::from(octets).into())
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_read_as_it_was_written() {
        for (to, via) in [
            ("0.0.0.0/0", Some("192.0.2.1")),
            ("198.51.100.0/24", None),
            ("2001:db8:1::/48", Some("fe80::1")),
        ] {
            let via = via.map(|via| via.parse().unwrap());
            let route = Route { to: to.parse().unwrap(), via, index: 3, metric: 100, table: 1003 };
            let bytes = route.add().finish(1);
            let message = Message::all(&bytes).next().unwrap();
            assert_eq!(Route::read(&message), Some(route));
        }
    }

    #[test]
    fn an_address_is_read_as_it_was_written() {
        for net in ["192.0.2.5/24", "2001:db8::5/64"] {
            let bytes = Address::add(2, net.parse().unwrap(), 100).finish(1);
            let address = Address::read(&Message::all(&bytes).next().unwrap()).unwrap();
            assert_eq!((address.index, address.net, address.metric), (2, net.parse().unwrap(), 100));
            assert!(address.ours && address.usable && !address.advertised);
        }
    }

    #[test]
    fn rules_are_read_as_they_were_written() {
        let from = Rule::From { address: "192.0.2.5".parse().unwrap(), table: 1002 };
        for rule in [from, Rule::MainWithoutDefaults { v6: false }, Rule::MainWithoutDefaults { v6: true }] {
            let bytes = rule.add().finish(1);
            assert_eq!(Rule::read(&Message::all(&bytes).next().unwrap()), Some(rule));
        }
    }

    #[test]
    fn what_others_made_is_not_ours() {
        let route =
            Route { to: "0.0.0.0/0".parse().unwrap(), via: None, index: 3, metric: 0, table: TABLE_MAIN };
        let mut bytes = route.add().finish(1);
        bytes[16 + 5] = 2;
        assert_eq!(Route::read(&Message::all(&bytes).next().unwrap()), None);
    }
}
