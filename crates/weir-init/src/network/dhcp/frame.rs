//! Ethernet, IPv4 and UDP around a DHCP message: what the kernel does not do for a card without an address.
//!
//! A client without an address can't use a UDP socket in all networks: servers that send their answer to the address
//! that they give reach the card, and the kernel drops it. So it sends and reads whole frames.

use std::net::Ipv4Addr;

use weir_config::model::MacAddress;

pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;

const ETHERNET_BYTES: usize = 14;
const IP_BYTES: usize = 20;
const UDP_BYTES: usize = 8;
const IPV4: [u8; 2] = [0x08, 0x00];
const UDP: u8 = 17;
const HOPS: u8 = 64;

/// `message` from a card without an address to everybody.
pub(super) fn write(mac: MacAddress, message: &[u8]) -> Vec<u8> {
    let udp_length = UDP_BYTES + message.len();
    let short =
        |length: usize| u16::try_from(length).expect("a question is a few hundred bytes").to_be_bytes();
    let mut frame = Vec::with_capacity(ETHERNET_BYTES + IP_BYTES + udp_length);
    frame.extend([0xff; 6]);
    frame.extend(mac.0);
    frame.extend(IPV4);

    let mut ip = vec![0x45, 0];
    ip.extend(short(IP_BYTES + udp_length));
    ip.extend([0, 0, 0, 0, HOPS, UDP, 0, 0]);
    ip.extend(Ipv4Addr::UNSPECIFIED.octets());
    ip.extend(Ipv4Addr::BROADCAST.octets());
    let sum = checksum(ip.chunks(2));
    ip.splice(10..12, sum.to_be_bytes());

    let mut udp = Vec::with_capacity(udp_length);
    udp.extend(CLIENT_PORT.to_be_bytes());
    udp.extend(SERVER_PORT.to_be_bytes());
    udp.extend(short(udp_length));
    udp.extend([0, 0]);
    udp.extend_from_slice(message);
    // RFC 768: addresses, the protocol and the length count as well; a sum of zero means that there is none.
    let length = short(udp_length);
    let pseudo = [[0, 0], [0, 0], [0xff, 0xff], [0xff, 0xff], [0, UDP], length];
    let sum = match checksum(pseudo.iter().map(<[u8; 2]>::as_slice).chain(udp.chunks(2))) {
        0 => 0xffff,
        sum => sum,
    };
    udp.splice(6..8, sum.to_be_bytes());

    frame.extend(ip);
    frame.extend(udp);
    frame
}

/// The message in a frame to a DHCP client. The sums are not looked at: a card that computes them, and a server on
/// the same host, hand frames over with sums that were never made.
pub(super) fn read(frame: &[u8]) -> Option<&[u8]> {
    let ip = frame.get(ETHERNET_BYTES..)?;
    if frame.get(12..14)? != IPV4 || ip.first()? >> 4 != 4 || *ip.get(9)? != UDP {
        return None;
    }
    let fragment = u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]);
    if fragment & 0x3fff != 0 {
        return None;
    }
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let udp = ip.get(header.max(IP_BYTES)..)?;
    let number = |at: usize| Some(u16::from_be_bytes([*udp.get(at)?, *udp.get(at + 1)?]));
    if number(2)? != CLIENT_PORT {
        return None;
    }
    udp.get(UDP_BYTES..usize::from(number(4)?))
}

/// RFC 1071's.
fn checksum<'a>(pairs: impl Iterator<Item = &'a [u8]>) -> u16 {
    let sum: u32 = pairs
        .map(|pair| match *pair {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        })
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).expect("folded twice, it fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    #[test]
    fn sums_are_right() {
        let frame = write(MAC, b"odd");
        assert_eq!(checksum(frame[14..34].chunks(2)), 0);
        let length = u16::try_from(frame.len() - 34).unwrap().to_be_bytes();
        let pseudo = [[0, 0], [0, 0], [0xff, 0xff], [0xff, 0xff], [0, UDP], length];
        assert_eq!(checksum(pseudo.iter().map(<[u8; 2]>::as_slice).chain(frame[34..].chunks(2))), 0);
    }

    #[test]
    fn an_answer_is_found_behind_ip_options_and_before_padding() {
        let mut frame = write(MAC, b"hello");
        frame[36..38].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        frame.extend([0; 20]);
        assert_eq!(read(&frame), Some(&b"hello"[..]));
        frame[14] = 0x46;
        frame.splice(34..34, [1, 1, 1, 0]);
        assert_eq!(read(&frame), Some(&b"hello"[..]));
    }

    #[test]
    fn other_frames_and_cut_ones_are_none() {
        let mut answer = write(MAC, b"hello");
        assert_eq!(read(&answer), None, "to the server's port");
        answer[36..38].copy_from_slice(&CLIENT_PORT.to_be_bytes());
        for length in 0..answer.len() {
            assert_eq!(read(&answer[..length]), None);
        }
        let mut fragment = answer.clone();
        fragment[20] = 0x20;
        assert_eq!(read(&fragment), None);
        let mut short = answer;
        short[38..40].copy_from_slice(&4_u16.to_be_bytes());
        assert_eq!(read(&short), None);
    }
}
