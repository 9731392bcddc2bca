//! DHCP's messages as bytes: RFC 2131's fixed part, RFC 2132's options, RFC 3396's long and RFC 3442's classless ones.
//!
//! Reading is strict about lengths and lenient about the rest: what is not understood is passed over, since servers
//! send what they like, and a boot hangs on it. Written here because the crate for it, dhcproto, brings 72 crates (a
//! URL parser with its tables among them) and 280 kB for these two hundred lines.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use weir_config::model::MacAddress;

/// The fixed part, and the cookie that begins the options.
const FIXED_BYTES: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// What BOOTP relays and servers expect at least (RFC 1542, 2.1).
const MESSAGE_BYTES_MIN: usize = 300;

const BOOT_REQUEST: u8 = 1;
const BOOT_REPLY: u8 = 2;
const ETHERNET: u8 = 1;

/// "Answer to everybody": for networks in which an answer to an address that is not set yet gets lost.
const BROADCAST: u16 = 0x8000;

/// Options by their numbers.
pub(super) mod option {
    pub(in crate::network::dhcp) const MASK: u8 = 1;
    pub(in crate::network::dhcp) const ROUTERS: u8 = 3;
    pub(in crate::network::dhcp) const NAME_SERVERS: u8 = 6;
    pub(in crate::network::dhcp) const HOST_NAME: u8 = 12;
    pub(in crate::network::dhcp) const DOMAIN: u8 = 15;
    pub(in crate::network::dhcp) const MTU: u8 = 26;
    pub(in crate::network::dhcp) const NTP_SERVERS: u8 = 42;
    pub(in crate::network::dhcp) const ADDRESS: u8 = 50;
    pub(in crate::network::dhcp) const LEASE_TIME: u8 = 51;
    pub(in crate::network::dhcp) const OVERLOAD: u8 = 52;
    pub(in crate::network::dhcp) const KIND: u8 = 53;
    pub(in crate::network::dhcp) const SERVER: u8 = 54;
    pub(in crate::network::dhcp) const WANTED: u8 = 55;
    pub(in crate::network::dhcp) const SIZE_MAX: u8 = 57;
    pub(in crate::network::dhcp) const RENEWAL: u8 = 58;
    pub(in crate::network::dhcp) const REBINDING: u8 = 59;
    pub(in crate::network::dhcp) const VENDOR: u8 = 60;
    pub(in crate::network::dhcp) const CLIENT: u8 = 61;
    pub(in crate::network::dhcp) const CLASSLESS_ROUTES: u8 = 121;
}

/// What the client asks to be told, classless routes first as RFC 3442 has it.
const WANTED: &[u8] = &[
    option::MASK,
    option::CLASSLESS_ROUTES,
    option::ROUTERS,
    option::NAME_SERVERS,
    option::HOST_NAME,
    option::DOMAIN,
    option::MTU,
    option::NTP_SERVERS,
    option::LEASE_TIME,
    option::RENEWAL,
    option::REBINDING,
];

/// What we say we are; some networks tell appliances apart by it.
const VENDOR: &[u8] = b"weir";

/// The largest message that we take: what an Ethernet frame of the least MTU in use carries.
const SIZE_MAX: u16 = 1472;

/// DHCPDISCOVER and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Discover = 1,
    Offer = 2,
    Request = 3,
    Acknowledge = 5,
    Refuse = 6,
}

impl Kind {
    fn from_code(code: u8) -> Option<Self> {
        [Self::Discover, Self::Offer, Self::Request, Self::Acknowledge, Self::Refuse]
            .into_iter()
            .find(|kind| *kind as u8 == code)
    }
}

/// What a client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) kind: Kind,
    pub(super) transaction: u32,
    pub(super) mac: MacAddress,
    /// Seconds since the client began to ask.
    pub(super) seconds: u16,
    pub(super) broadcast: bool,
    /// The address that the client has, where it has one (`ciaddr`).
    pub(super) has: Option<Ipv4Addr>,
    /// The address that it wants (option 50).
    pub(super) wants: Option<Ipv4Addr>,
    /// The server that it speaks to (option 54).
    pub(super) server: Option<Ipv4Addr>,
    pub(super) hostname: Option<String>,
}

impl Question {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![BOOT_REQUEST, ETHERNET, 6, 0];
        bytes.extend(self.transaction.to_be_bytes());
        bytes.extend(self.seconds.to_be_bytes());
        bytes.extend(if self.broadcast { BROADCAST } else { 0 }.to_be_bytes());
        bytes.extend(self.has.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
        bytes.resize(28, 0);
        bytes.extend(self.mac.0);
        bytes.resize(FIXED_BYTES, 0);
        bytes.extend(COOKIE);
        let mut put = |code: u8, value: &[u8]| {
            bytes.push(code);
            bytes.push(
                u8::try_from(value.len()).expect("a host name has 253 bytes at most, the rest is short"),
            );
            bytes.extend_from_slice(value);
        };
        put(option::KIND, &[self.kind as u8]);
        // Hardware type and address, as nearly every client has it: reservations made for the card go on working.
        put(option::CLIENT, &[&[ETHERNET], self.mac.0.as_slice()].concat());
        if let Some(address) = self.wants {
            put(option::ADDRESS, &address.octets());
        }
        if let Some(server) = self.server {
            put(option::SERVER, &server.octets());
        }
        put(option::SIZE_MAX, &SIZE_MAX.to_be_bytes());
        put(option::VENDOR, VENDOR);
        if let Some(name) = self.hostname.as_deref().filter(|name| crate::network::names::is_host_name(name))
        {
            put(option::HOST_NAME, name.as_bytes());
        }
        put(option::WANTED, WANTED);
        bytes.push(255);
        if bytes.len() < MESSAGE_BYTES_MIN {
            bytes.resize(MESSAGE_BYTES_MIN, 0);
        }
        bytes
    }
}

/// What a server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) transaction: u32,
    pub(super) mac: MacAddress,
    /// The address that is given (`yiaddr`).
    pub(super) gives: Ipv4Addr,
    /// Options in their order; those in several pieces joined (RFC 3396).
    options: Vec<(u8, Vec<u8>)>,
}

impl Answer {
    /// None: no answer of a DHCP server to an Ethernet card.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fixed = bytes.get(..FIXED_BYTES)?;
        let rest = bytes.get(FIXED_BYTES..)?.strip_prefix(&COOKIE)?;
        if fixed.get(..3)? != [BOOT_REPLY, ETHERNET, 6] {
            return None;
        }
        let mut options = Vec::new();
        read_options(rest, &mut options);
        let overload = options.iter().find(|(code, _)| *code == option::OVERLOAD);
        let overload = overload.and_then(|(_, value)| value.first().copied()).unwrap_or_default();
        // The places of a boot file's and a server's name hold more options: RFC 2132, 9.3.
        if overload & 1 != 0 {
            read_options(fixed.get(108..236)?, &mut options);
        }
        if overload & 2 != 0 {
            read_options(fixed.get(44..108)?, &mut options);
        }
        let kind = options.iter().find(|(code, _)| *code == option::KIND)?;
        Some(Self {
            kind: Kind::from_code(*kind.1.first()?)?,
            transaction: u32::from_be_bytes(fixed.get(4..8)?.try_into().ok()?),
            mac: MacAddress(fixed.get(28..34)?.try_into().ok()?),
            gives: address(fixed.get(16..20)?)?,
            options,
        })
    }

    pub(super) fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|(known, _)| *known == code).map(|(_, value)| value.as_slice())
    }

    pub(super) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.addresses(code).next()
    }

    pub(super) fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        self.option(code).unwrap_or_default().chunks_exact(4).filter_map(address)
    }

    pub(super) fn seconds(&self, code: u8) -> Option<u32> {
        Some(u32::from_be_bytes(self.option(code)?.try_into().ok()?))
    }

    pub(super) fn short(&self, code: u8) -> Option<u16> {
        Some(u16::from_be_bytes(self.option(code)?.try_into().ok()?))
    }

    /// Some servers count the zero that ends C's strings.
    pub(super) fn text(&self, code: u8) -> Option<&str> {
        let text = std::str::from_utf8(self.option(code)?).ok()?.trim_end_matches('\0');
        (!text.is_empty()).then_some(text)
    }

    /// Option 121: destinations, of which only the bytes that count are sent, each with its router; a router of zero
    /// says that the destination is on the link.
    pub(super) fn classless_routes(&self) -> Vec<(Ipv4Net, Option<Ipv4Addr>)> {
        let mut rest = self.option(option::CLASSLESS_ROUTES).unwrap_or_default();
        let mut routes = Vec::new();
        while let Some((&prefix, after)) = rest.split_first() {
            let significant = usize::from(prefix).div_ceil(8);
            let (Some(bytes), Some(router)) =
                (after.get(..significant.min(4)), after.get(significant..significant + 4).and_then(address))
            else {
                break;
            };
            let mut octets = [0; 4];
            octets.iter_mut().zip(bytes).for_each(|(octet, byte)| *octet = *byte);
            let Ok(net) = Ipv4Net::new(octets.into(), prefix) else { break };
            routes.push((net.trunc(), (!router.is_unspecified()).then_some(router)));
            rest = after.get(significant + 4..).unwrap_or_default();
        }
        routes
    }
}

fn address(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

fn read_options(bytes: &[u8], options: &mut Vec<(u8, Vec<u8>)>) {
    let mut rest = bytes;
    while let Some((&code, after)) = rest.split_first() {
        match code {
            0 => rest = after,
            255 => return,
            code => {
                let Some((&length, after)) = after.split_first() else { return };
                let Some(value) = after.get(..usize::from(length)) else { return };
                match options.iter_mut().find(|(known, _)| *known == code) {
                    Some((_, known)) => known.extend_from_slice(value),
                    None => options.push((code, value.to_vec())),
                }
                rest = after.get(usize::from(length)..).unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::network::dhcp) const MAC: MacAddress = MacAddress([0x52, 0x54, 0, 1, 2, 3]);

    /// A server's answer with these options.
    pub(in crate::network::dhcp) fn answer(
        kind: Kind,
        transaction: u32,
        gives: [u8; 4],
        options: &[(u8, &[u8])],
    ) -> Vec<u8> {
        let mut bytes = vec![BOOT_REPLY, ETHERNET, 6, 0];
        bytes.extend(transaction.to_be_bytes());
        bytes.resize(16, 0);
        bytes.extend(gives);
        bytes.resize(28, 0);
        bytes.extend(MAC.0);
        bytes.resize(FIXED_BYTES, 0);
        bytes.extend(COOKIE);
        bytes.extend([option::KIND, 1, kind as u8]);
        for (code, value) in options {
            bytes.extend([*code, u8::try_from(value.len()).unwrap()]);
            bytes.extend_from_slice(value);
        }
        bytes.push(255);
        bytes
    }

    #[test]
    fn a_question_says_who_asks_and_for_what() {
        let question = Question {
            kind: Kind::Request,
            transaction: 0x1234_5678,
            mac: MAC,
            seconds: 3,
            broadcast: true,
            has: None,
            wants: Some([192, 0, 2, 5].into()),
            server: Some([192, 0, 2, 1].into()),
            hostname: Some("lb1".into()),
        };
        let bytes = question.to_bytes();
        assert!(bytes.len() >= MESSAGE_BYTES_MIN);
        assert_eq!(&bytes[..12], [1, 1, 6, 0, 0x12, 0x34, 0x56, 0x78, 0, 3, 0x80, 0]);
        assert_eq!(&bytes[28..34], MAC.0);
        let mut options = Vec::new();
        read_options(&bytes[FIXED_BYTES + 4..], &mut options);
        let option =
            |code| options.iter().find(|(known, _)| *known == code).map(|(_, value)| value.as_slice());
        assert_eq!(option(option::KIND), Some(&[3][..]));
        assert_eq!(option(option::ADDRESS), Some(&[192, 0, 2, 5][..]));
        assert_eq!(option(option::SERVER), Some(&[192, 0, 2, 1][..]));
        assert_eq!(option(option::CLIENT), Some(&[1, 0x52, 0x54, 0, 1, 2, 3][..]));
        assert_eq!(option(option::HOST_NAME), Some(&b"lb1"[..]));
        assert_eq!(option(option::WANTED), Some(WANTED));
    }

    #[test]
    fn classless_routes_of_the_rfcs_examples() {
        let value = [0, 10, 17, 0, 1, 24, 10, 229, 0, 10, 17, 0, 2, 8, 10, 0, 0, 0, 0];
        let bytes = answer(Kind::Offer, 1, [10, 17, 0, 5], &[(option::CLASSLESS_ROUTES, &value)]);
        let routes = Answer::from_bytes(&bytes).unwrap().classless_routes();
        let expected: Vec<(Ipv4Net, Option<Ipv4Addr>)> = vec![
            ("0.0.0.0/0".parse().unwrap(), Some([10, 17, 0, 1].into())),
            ("10.229.0.0/24".parse().unwrap(), Some([10, 17, 0, 2].into())),
            ("10.0.0.0/8".parse().unwrap(), None),
        ];
        assert_eq!(routes, expected);
    }

    #[test]
    fn broken_classless_routes_end_at_the_break() {
        for value in [&[33, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[24, 10, 0], &[255], &[32, 10, 0, 0, 1, 10, 0]] {
            let bytes = answer(Kind::Offer, 1, [10, 17, 0, 5], &[(option::CLASSLESS_ROUTES, value)]);
            assert_eq!(Answer::from_bytes(&bytes).unwrap().classless_routes(), []);
        }
    }

    #[test]
    fn an_option_in_two_pieces_is_one() {
        let bytes =
            answer(Kind::Offer, 1, [10, 0, 0, 5], &[(15, b"exam"), (6, &[10, 0, 0, 1]), (15, b"ple.com")]);
        assert_eq!(Answer::from_bytes(&bytes).unwrap().text(option::DOMAIN), Some("example.com"));
    }

    #[test]
    fn options_in_the_place_of_the_boot_file() {
        let mut bytes = answer(Kind::Offer, 1, [10, 0, 0, 5], &[(option::OVERLOAD, &[1])]);
        bytes[108..114].copy_from_slice(&[option::MASK, 4, 255, 255, 0, 0]);
        bytes[114] = 255;
        let answer = Answer::from_bytes(&bytes).unwrap();
        assert_eq!(answer.address(option::MASK), Some([255, 255, 0, 0].into()));
    }

    #[test]
    fn what_is_cut_short_is_no_answer_and_no_panic() {
        let whole = answer(Kind::Offer, 1, [10, 0, 0, 5], &[(1, &[255, 255, 255, 0]), (51, &[0, 0, 14, 16])]);
        for length in 0..whole.len() {
            let _ = Answer::from_bytes(&whole[..length]);
        }
        assert_eq!(Answer::from_bytes(&whole[..FIXED_BYTES + 3]), None);
        assert!(Answer::from_bytes(&whole).is_some());
        let mut question = whole.clone();
        question[0] = BOOT_REQUEST;
        assert_eq!(Answer::from_bytes(&question), None);
    }
}
