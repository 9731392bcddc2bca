//! The messages of Hyper-V's key-value exchange between the kernel and its daemon (`linux/hyperv.h`, `struct hv_kvp_msg`)
//! and what is answered to each. Pure.
//!
//! A message is always the same 7430 bytes, read and written whole. The answer is the request with its fields filled in
//! and a status in place of the header.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::agents::{Facts, OS_NAME, OS_VERSION, kernel_release, usable};

/// `sizeof(struct hv_kvp_msg)`.
pub(crate) const MESSAGE_BYTES: usize = 4 + IP_VALUE_BYTES;
/// `struct hv_kvp_ipaddr_value`: the largest of the bodies.
const IP_VALUE_BYTES: usize = 2 * 128 + 2 + 2 * (1024 + 1024 + 512 + 1024);

const KEY_BYTES: usize = 512;
const VALUE_BYTES: usize = 2048;

/// Where the body begins, and in it `struct hv_kvp_exchg_msg_value` for get and set, and for enumerate.
const BODY_AT: usize = 4;
const ENUMERATED_AT: usize = BODY_AT + 4;
/// Of `struct hv_kvp_ipaddr_value`.
const ADAPTER_BYTES: usize = 256;
const FAMILY_AT: usize = BODY_AT + ADAPTER_BYTES;
const DHCP_AT: usize = FAMILY_AT + 1;
const ADDRESSES_AT: usize = DHCP_AT + 1;
const ADDRESSES_BYTES: usize = 2048;
const SUBNETS_AT: usize = ADDRESSES_AT + ADDRESSES_BYTES;

const OK: u32 = 0;
const FAIL: u32 = 0x8000_4005;
const NO_MORE: u32 = 0x8007_0103;
const NOT_SUPPORTED: u32 = 0x8007_0032;
const DISK_FULL: u32 = 0x8007_0070;

const TYPE_TEXT: u32 = 1;

const GET: u8 = 0;
const SET: u8 = 1;
const DELETE: u8 = 2;
const ENUMERATE: u8 = 3;
const GET_IP: u8 = 4;
const SET_IP: u8 = 5;
const REGISTER: u8 = 100;

/// What the host gives the guest, and what the guest tells about itself.
const POOL_FROM_HOST: u8 = 0;
const POOL_AUTO: u8 = 2;
const POOLS: u8 = 5;

/// The most pairs of all pools; 1 MiB of configuration in pieces of 990 bytes is half of it.
const PAIRS_MAX: usize = 4096;

/// What opens the conversation.
pub(crate) fn register() -> Vec<u8> {
    let mut message = vec![0; MESSAGE_BYTES];
    message[0] = REGISTER;
    message
}

/// What the daemon keeps: the pairs of each pool.
#[derive(Debug, Default)]
pub(crate) struct Pools(BTreeMap<(u8, String), Vec<u8>>);

/// What a message was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The kernel took the registration; it wants no answer.
    Registered,
    /// The host changed a pair.
    Changed,
    /// Anything else.
    Asked,
}

impl Pools {
    /// The pairs that the host gives.
    pub(crate) fn host_pairs(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let pairs = self.0.iter().filter(|((pool, _), _)| *pool == POOL_FROM_HOST);
        pairs.map(|((_, key), value)| (key.as_str(), value.as_slice()))
    }

    /// Answers a message, in place.
    pub(crate) fn answer(&mut self, message: &mut [u8; MESSAGE_BYTES], facts: &Facts) -> Told {
        let (operation, pool) = (message[0], message[1]);
        let (status, told) = match operation {
            REGISTER => return Told::Registered,
            _ if pool >= POOLS => (FAIL, Told::Asked),
            GET => (self.get(pool, message), Told::Asked),
            SET => (self.set(pool, message), Told::Changed),
            DELETE => (self.delete(pool, message), Told::Changed),
            ENUMERATE if pool == POOL_AUTO => (enumerate_auto(message, facts), Told::Asked),
            ENUMERATE => (self.enumerate(pool, message), Told::Asked),
            GET_IP => (get_ip(message, facts), Told::Asked),
            // A replica's host gives the machine another address; ours stand in the configuration.
            SET_IP => (NOT_SUPPORTED, Told::Asked),
            _ => (FAIL, Told::Asked),
        };
        message[..4].copy_from_slice(&status.to_ne_bytes());
        told
    }

    fn get(&self, pool: u8, message: &mut [u8]) -> u32 {
        match self.0.get(&(pool, key(message, BODY_AT))) {
            Some(found) => {
                put_value(message, BODY_AT, found);
                OK
            }
            None => FAIL,
        }
    }

    fn set(&mut self, pool: u8, message: &[u8]) -> u32 {
        let key = (pool, key(message, BODY_AT));
        if self.0.len() >= PAIRS_MAX && !self.0.contains_key(&key) {
            return DISK_FULL;
        }
        self.0.insert(key, value(message, BODY_AT));
        OK
    }

    fn delete(&mut self, pool: u8, message: &[u8]) -> u32 {
        let length = number(message, BODY_AT).min(KEY_BYTES);
        let key = text(&message[BODY_AT + 4..][..length]);
        if self.0.remove(&(pool, key)).is_some() { OK } else { FAIL }
    }

    fn enumerate(&self, pool: u8, message: &mut [u8]) -> u32 {
        let index = number(message, BODY_AT);
        match self.0.iter().filter(|((of, _), _)| *of == pool).nth(index) {
            Some(((_, key), found)) => {
                put_pair(message, key, found);
                OK
            }
            None => NO_MORE,
        }
    }
}

/// What the host's page shows of a guest, by the numbers under which the host asks (`linux/hyperv.h`).
fn enumerate_auto(message: &mut [u8], facts: &Facts) -> u32 {
    let (ipv4, ipv6): (Vec<IpAddr>, Vec<IpAddr>) = facts.addresses().partition(IpAddr::is_ipv4);
    let joined =
        |addresses: Vec<IpAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
    let mut version = OS_VERSION.split('.').map(str::to_owned);
    let mut part = || version.next().unwrap_or_default();
    let (major, minor) = (part(), part());
    let (name, found) = match number(message, BODY_AT) {
        0 => ("FullyQualifiedDomainName", facts.hostname.clone()),
        1 => ("IntegrationServicesVersion", kernel_release()),
        2 => ("NetworkAddressIPv4", joined(ipv4)),
        3 => ("NetworkAddressIPv6", joined(ipv6)),
        4 => ("OSBuildNumber", kernel_release()),
        5 => ("OSName", OS_NAME.to_owned()),
        6 => ("OSMajorVersion", major),
        7 => ("OSMinorVersion", minor),
        8 => ("OSVersion", OS_VERSION.to_owned()),
        9 => ("ProcessorArchitecture", std::env::consts::ARCH.to_owned()),
        _ => return NO_MORE,
    };
    put_pair(message, name, found.as_bytes());
    OK
}

/// The addresses of the card whose hardware address the kernel names.
fn get_ip(message: &mut [u8], facts: &Facts) -> u32 {
    let mac = text(&message[BODY_AT..][..ADAPTER_BYTES]);
    let Some(card) = facts.interfaces.iter().find(|card| card.mac.eq_ignore_ascii_case(&mac)) else {
        return FAIL;
    };
    let addresses: Vec<(IpAddr, u8)> = usable(card).collect();
    let mut families = 0;
    for (address, _) in &addresses {
        families |= if address.is_ipv4() { 1 } else { 2 };
    }
    message[FAMILY_AT] = families;
    message[DHCP_AT] = u8::from(card.condition == "dhcp");
    let texts: Vec<String> = addresses.iter().map(|(address, _)| address.to_string()).collect();
    put_text(&mut message[ADDRESSES_AT..][..ADDRESSES_BYTES], texts.join(";").as_bytes());
    let texts: Vec<String> = addresses.iter().map(|(address, length)| subnet(address, *length)).collect();
    put_text(&mut message[SUBNETS_AT..][..ADDRESSES_BYTES], texts.join(";").as_bytes());
    OK
}

/// A mask, or with IPv6 the length of the prefix.
fn subnet(address: &IpAddr, length: u8) -> String {
    match address {
        IpAddr::V4(_) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(mask).to_string()
        }
        IpAddr::V6(_) => format!("/{length}"),
    }
}

fn number(message: &[u8], at: usize) -> usize {
    let bytes = [message[at], message[at + 1], message[at + 2], message[at + 3]];
    usize::try_from(u32::from_ne_bytes(bytes)).unwrap_or(usize::MAX)
}

/// The key of a `struct hv_kvp_exchg_msg_value`: type, key's size, value's size, key, value.
fn key(message: &[u8], at: usize) -> String {
    let length = number(message, at + 4).min(KEY_BYTES);
    text(&message[at + 12..][..length])
}

fn value(message: &[u8], at: usize) -> Vec<u8> {
    let length = number(message, at + 8).min(VALUE_BYTES);
    let value = &message[at + 12 + KEY_BYTES..][..length];
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(length);
    value[..end].to_vec()
}

fn put_pair(message: &mut [u8], key: &str, value: &[u8]) {
    let at = ENUMERATED_AT;
    let bytes = put_text(&mut message[at + 12..][..KEY_BYTES], key.as_bytes());
    message[at + 4..at + 8].copy_from_slice(&bytes.to_ne_bytes());
    put_value(message, at, value);
}

fn put_value(message: &mut [u8], at: usize, value: &[u8]) {
    message[at..at + 4].copy_from_slice(&TYPE_TEXT.to_ne_bytes());
    let bytes = put_text(&mut message[at + 12 + KEY_BYTES..][..VALUE_BYTES], value);
    message[at + 8..at + 12].copy_from_slice(&bytes.to_ne_bytes());
}

/// Puts what fits of a text, with the zero behind it, and tells how many bytes that makes.
fn put_text(field: &mut [u8], text: &[u8]) -> u32 {
    let length = text.len().min(field.len() - 1);
    field.fill(0);
    field[..length].copy_from_slice(&text[..length]);
    u32::try_from(length + 1).unwrap_or(u32::MAX)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::super::tests::facts;
    use super::*;

    pub(crate) fn message(operation: u8, pool: u8) -> Box<[u8; MESSAGE_BYTES]> {
        let mut message = Box::new([0; MESSAGE_BYTES]);
        message[0] = operation;
        message[1] = pool;
        message
    }

    /// As the host sets a pair of pool 0.
    pub(crate) fn set(key: &str, value: &str) -> Box<[u8; MESSAGE_BYTES]> {
        let mut message = message(SET, POOL_FROM_HOST);
        let bytes = put_text(&mut message[BODY_AT + 12..][..KEY_BYTES], key.as_bytes());
        message[BODY_AT + 4..BODY_AT + 8].copy_from_slice(&bytes.to_ne_bytes());
        put_value(&mut *message, BODY_AT, value.as_bytes());
        message
    }

    fn status(message: &[u8; MESSAGE_BYTES]) -> u32 {
        u32::from_ne_bytes(message[..4].try_into().unwrap())
    }

    #[test]
    fn the_message_is_as_long_as_the_kernel_has_it() {
        assert_eq!(MESSAGE_BYTES, 7430);
    }

    #[test]
    fn what_the_host_sets_can_be_read_and_enumerated() {
        let mut pools = Pools::default();
        for (key, value) in [("weir.config.0", "dmVy"), ("weir.config.1", "c2lv")] {
            let mut message = set(key, value);
            assert_eq!(pools.answer(&mut message, &facts()), Told::Changed);
            assert_eq!(status(&message), OK);
        }
        let pairs: Vec<_> = pools.host_pairs().collect();
        assert_eq!(pairs, [("weir.config.0", b"dmVy".as_slice()), ("weir.config.1", b"c2lv")]);
        let mut asked = message(ENUMERATE, POOL_FROM_HOST);
        asked[BODY_AT] = 1;
        pools.answer(&mut asked, &facts());
        assert_eq!((status(&asked), key(&*asked, ENUMERATED_AT)), (OK, "weir.config.1".to_owned()));
        assert_eq!(value(&*asked, ENUMERATED_AT), b"c2lv");
        asked = message(ENUMERATE, POOL_FROM_HOST);
        asked[BODY_AT] = 2;
        pools.answer(&mut asked, &facts());
        assert_eq!(status(&asked), NO_MORE);
    }

    #[test]
    fn the_host_learns_what_the_guest_is() {
        let mut pools = Pools::default();
        let mut pairs = Vec::new();
        for index in 0..=10 {
            let mut asked = message(ENUMERATE, POOL_AUTO);
            asked[BODY_AT] = index;
            pools.answer(&mut asked, &facts());
            if status(&asked) == OK {
                pairs.push((
                    key(&*asked, ENUMERATED_AT),
                    String::from_utf8(value(&*asked, ENUMERATED_AT)).unwrap(),
                ));
            }
        }
        assert_eq!(pairs.len(), 10);
        assert_eq!(pairs[0], ("FullyQualifiedDomainName".to_owned(), "lb1".to_owned()));
        assert_eq!(pairs[2], ("NetworkAddressIPv4".to_owned(), "192.0.2.10".to_owned()));
        assert_eq!(pairs[3].1, "2001:db8::10");
    }

    #[test]
    fn a_card_is_found_by_its_hardware_address() {
        let mut asked = message(GET_IP, 0);
        put_text(&mut asked[BODY_AT..][..ADAPTER_BYTES], b"52:54:00:12:34:56");
        Pools::default().answer(&mut asked, &facts());
        assert_eq!((status(&asked), asked[FAMILY_AT], asked[DHCP_AT]), (OK, 3, 1));
        assert_eq!(text(&asked[ADDRESSES_AT..]), "192.0.2.10;2001:db8::10");
        assert_eq!(text(&asked[SUBNETS_AT..]), "255.255.255.0;/64");
        let mut other = message(GET_IP, 0);
        Pools::default().answer(&mut other, &facts());
        assert_eq!(status(&other), FAIL);
    }

    proptest! {
        #[test]
        fn no_message_panics(
            header in proptest::array::uniform4(0u8..8),
            body in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let mut message = message(0, 0);
            message[..4].copy_from_slice(&header);
            message[4..4 + body.len()].copy_from_slice(&body);
            let mut pools = Pools::default();
            let told = pools.answer(&mut message, &facts());
            prop_assert_ne!(told, Told::Registered);
            let count = pools.host_pairs().count();
            prop_assert!(count <= 1);
        }
    }
}
