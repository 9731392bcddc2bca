//! ARP announcements (RFC 5227): neighbours learn at once which card has an IPv4 address.
//!
//! An appliance that takes the place of another has its address and not its hardware address, and a router may
//! remember the old one for hours. The kernel announces only the addresses that a card has when it is turned on, before
//! anything goes out; for IPv6 it does so by itself, when an address is found to be nobody else's.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use weir_config::model::MacAddress;

use super::dhcp::Frames;

const BROADCAST: [u8; 6] = [0xff; 6];
const ARP: [u8; 2] = [0x08, 0x06];
/// Ethernet and IPv4, with the lengths of their addresses, and a request: what RFC 5227 has, as more listen to it.
const REQUEST: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 1];
/// The least that Ethernet carries.
const FRAME_BYTES_MIN: usize = 60;

/// What a card has announced since its cable was put in.
#[derive(Debug, Default)]
pub(super) struct Announced(BTreeSet<Ipv4Addr>);

impl Announced {
    /// Those of `addresses` that were not announced yet; none are while nothing can go out.
    fn missing(&mut self, running: bool, addresses: &BTreeSet<Ipv4Addr>) -> Vec<Ipv4Addr> {
        if !running {
            self.0.clear();
            return Vec::new();
        }
        let missing = addresses.difference(&self.0).copied().collect();
        self.0.clone_from(addresses);
        missing
    }

    /// Announces those of the card's addresses that were not yet.
    pub(super) fn tell(
        &mut self,
        card: &str,
        mac: MacAddress,
        running: bool,
        addresses: &BTreeSet<Ipv4Addr>,
    ) {
        let missing = self.missing(running, addresses);
        if missing.is_empty() {
            return;
        }
        let sent = Frames::for_sending(card)
            .and_then(|frames| missing.iter().try_for_each(|address| frames.send(&frame(mac, *address))));
        if let Err(error) = sent {
            tracing::debug!(card, %error, "addresses can't be announced");
        }
    }
}

/// "Who has this address?", asked by who has it.
fn frame(mac: MacAddress, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = [&BROADCAST[..], &mac.0, &ARP, &REQUEST].concat();
    frame.extend(mac.0);
    frame.extend(address.octets());
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame.resize(FRAME_BYTES_MIN, 0);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_once_for_each_time_that_the_cable_is_put_in() {
        let (first, second) = (Ipv4Addr::new(192, 0, 2, 5), Ipv4Addr::new(192, 0, 2, 6));
        let mut announced = Announced::default();
        assert!(announced.missing(false, &BTreeSet::from([first])).is_empty());
        assert_eq!(announced.missing(true, &BTreeSet::from([first])), [first]);
        assert_eq!(announced.missing(true, &BTreeSet::from([first, second])), [second]);
        assert!(announced.missing(true, &BTreeSet::from([second])).is_empty());
        assert_eq!(announced.missing(true, &BTreeSet::from([first, second])), [first]);
        assert!(announced.missing(false, &BTreeSet::from([first])).is_empty());
        assert_eq!(announced.missing(true, &BTreeSet::from([first])), [first]);
    }

    #[test]
    fn an_announcement_names_the_address_twice() {
        let frame = frame(MacAddress([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(192, 0, 2, 5));
        assert_eq!(frame[12..22], [8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
        assert_eq!(frame[22..32], [2, 0, 0, 0, 0, 1, 192, 0, 2, 5]);
        assert_eq!(frame[38..42], [192, 0, 2, 5]);
        assert_eq!(frame.len(), FRAME_BYTES_MIN);
    }
}
