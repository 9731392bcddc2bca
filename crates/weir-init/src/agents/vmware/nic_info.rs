//! A guest's cards as VMware wants them: `GuestNicInfo` version 3 in XDR (open-vm-tools' `guestInfo.x`, RFC 4506). Pure.

use std::net::IpAddr;

use crate::agents::usable;
use crate::network::InterfaceStatus;

const VERSION: u32 = 3;
/// The most cards and the most addresses of each that VMware takes.
const CARDS_MAX: usize = 16;
const ADDRESSES_MAX: usize = 64;

const FAMILY_IPV4: u32 = 1;
const FAMILY_IPV6: u32 = 2;
/// The state of an address that is in use.
const PREFERRED: u32 = 1;

pub(super) fn encode(cards: &[InterfaceStatus]) -> Vec<u8> {
    let mut xdr = Xdr::default();
    xdr.number(VERSION);
    xdr.present();
    let cards: Vec<_> = cards.iter().filter(|card| !card.mac.is_empty()).take(CARDS_MAX).collect();
    xdr.count(cards.len());
    for card in cards {
        xdr.bytes(card.mac.as_bytes());
        let addresses: Vec<_> = usable(card).take(ADDRESSES_MAX).collect();
        xdr.count(addresses.len());
        for (address, length) in addresses {
            match address {
                IpAddr::V4(address) => {
                    xdr.number(FAMILY_IPV4);
                    xdr.bytes(&address.octets());
                }
                IpAddr::V6(address) => {
                    xdr.number(FAMILY_IPV6);
                    xdr.bytes(&address.octets());
                }
            }
            xdr.number(u32::from(length));
            // Where it is from.
            xdr.absent();
            xdr.present();
            xdr.number(PREFERRED);
        }
        // DNS, WINS, DHCPv4 and DHCPv6 of the card.
        xdr.absents(4);
    }
    // No routes; and DNS, WINS, DHCPv4 and DHCPv6 of all.
    xdr.count(0);
    xdr.absents(4);
    xdr.0
}

#[derive(Default)]
struct Xdr(Vec<u8>);

impl Xdr {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn count(&mut self, count: usize) {
        self.number(u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Bytes of any number, padded to four.
    fn bytes(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn present(&mut self) {
        self.number(1);
    }

    fn absent(&mut self) {
        self.number(0);
    }

    fn absents(&mut self, count: usize) {
        (0..count).for_each(|_| self.absent());
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::facts;
    use super::*;

    #[test]
    fn cards_are_written_as_xdr() {
        let xdr = encode(&facts().interfaces);
        let numbers = |at: usize| u32::from_be_bytes(xdr[at..at + 4].try_into().unwrap());
        assert_eq!((numbers(0), numbers(4), numbers(8)), (3, 1, 2));
        // The MAC: 17 bytes, padded to 20; then two addresses.
        assert_eq!((numbers(12), &xdr[16..33], numbers(36)), (17, b"52:54:00:12:34:56".as_slice(), 2));
        assert_eq!(
            (numbers(40), numbers(44), &xdr[48..52], numbers(52)),
            (1, 4, [192, 0, 2, 10].as_slice(), 24)
        );
        assert_eq!(xdr.len() % 4, 0);
        assert_eq!(
            encode(&[]),
            [[0, 0, 0, 3], [0, 0, 0, 1]].concat().into_iter().chain([0; 24]).collect::<Vec<u8>>()
        );
    }
}
