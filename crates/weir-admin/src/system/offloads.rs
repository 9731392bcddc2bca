//! What a card's driver has taken over from the kernel, by ethtool's names. No file tells it: the kernel is asked by generic
//! netlink (Documentation/networking/ethtool-netlink.rst). Two questions of fixed form, so no library.

use std::io::{self, Read, Write};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// The kernel answers at once, or does not know.
const PATIENCE: Duration = Duration::from_millis(500);
/// The largest answer: some 70 features of 40 bytes each.
const ANSWER_BYTES_MAX: usize = 32 << 10;

// include/uapi/linux: netlink.h, genetlink.h, ethtool_netlink_generated.h
const AF_NETLINK: i32 = 16;
const NETLINK_GENERIC: i32 = 16;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
/// Attributes with others in them say so in this bit.
const NLA_F_NESTED: u16 = 1 << 15;
/// Of the two headers of a message, netlink's and generic netlink's.
const HEADERS_BYTES: usize = 16 + 4;
const GENL_ID_CTRL: u16 = 16;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;
const ETHTOOL_MSG_FEATURES_GET: u8 = 11;
const ETHTOOL_A_FEATURES_HEADER: u16 = 1;
const ETHTOOL_A_FEATURES_ACTIVE: u16 = 4;
const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
const ETHTOOL_A_BITSET_BITS: u16 = 3;
const ETHTOOL_A_BITSET_BIT_NAME: u16 = 2;

/// A conversation with the kernel.
#[derive(Debug)]
pub(super) struct Ethtool {
    socket: Socket,
    family: u16,
}

impl Ethtool {
    /// `None` where the kernel has no such interface.
    pub(super) fn open() -> Option<Self> {
        let (domain, protocol) = (Domain::from(AF_NETLINK), Protocol::from(NETLINK_GENERIC));
        let socket = Socket::new(domain, Type::RAW, Some(protocol)).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        let name = attribute(CTRL_ATTR_FAMILY_NAME, b"ethtool\0");
        let answer = ask(&socket, &message(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, &name)).ok()?;
        let id = attributes(payload(&answer)?).find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID)?.1;
        Some(Self { family: u16::from_ne_bytes(id.get(..2)?.try_into().ok()?), socket })
    }

    /// The features of a card that are on.
    pub(super) fn active(&self, name: &str) -> Option<Vec<String>> {
        let name = attribute(ETHTOOL_A_HEADER_DEV_NAME, format!("{name}\0").as_bytes());
        let header = attribute(ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED, &name);
        let answer = ask(&self.socket, &message(self.family, ETHTOOL_MSG_FEATURES_GET, &header)).ok()?;
        features(payload(&answer)?)
    }
}

fn ask(mut socket: &Socket, message: &[u8]) -> io::Result<Vec<u8>> {
    socket.write_all(message)?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let length = socket.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn message(kind: u16, command: u8, attributes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADERS_BYTES + attributes.len()).unwrap_or(u32::MAX);
    let mut message = Vec::with_capacity(HEADERS_BYTES + attributes.len());
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(NLM_F_REQUEST.to_ne_bytes());
    message.extend([0; 8]); // its number and the sender, which this socket alone is
    message.extend([command, 1, 0, 0]); // version 1
    message.extend(attributes);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut attribute = Vec::with_capacity(usize::from(length).next_multiple_of(4));
    attribute.extend(length.to_ne_bytes());
    attribute.extend(kind.to_ne_bytes());
    attribute.extend(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

/// What follows the headers of an answer; `None` for a refusal.
fn payload(answer: &[u8]) -> Option<&[u8]> {
    let length = u32::from_ne_bytes(answer.get(..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    if kind == NLMSG_ERROR { None } else { answer.get(HEADERS_BYTES..length) }
}

/// Kinds and values, up to the first that is not whole.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & !NLA_F_NESTED, value))
    })
}

/// The names of the bits that are set: the kernel lists no others.
fn features(payload: &[u8]) -> Option<Vec<String>> {
    let (_, active) = attributes(payload).find(|(kind, _)| *kind == ETHTOOL_A_FEATURES_ACTIVE)?;
    let lists = attributes(active).filter(|(kind, _)| *kind == ETHTOOL_A_BITSET_BITS);
    let bits = lists.flat_map(|(_, list)| attributes(list));
    let names = bits.filter_map(|(_, bit)| {
        let (_, name) = attributes(bit).find(|(kind, _)| *kind == ETHTOOL_A_BITSET_BIT_NAME)?;
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        Some(String::from_utf8_lossy(name).into_owned())
    });
    Some(names.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bit(name: &str) -> Vec<u8> {
        let index = attribute(1, &7_u32.to_ne_bytes());
        let name = attribute(ETHTOOL_A_BITSET_BIT_NAME, format!("{name}\0").as_bytes());
        attribute(1 | NLA_F_NESTED, &[index, name].concat())
    }

    #[test]
    fn an_answer_is_taken_apart() {
        let bits = attribute(
            ETHTOOL_A_BITSET_BITS | NLA_F_NESTED,
            &[bit("tx-tcp-segmentation"), bit("rx-gro")].concat(),
        );
        let active = attribute(ETHTOOL_A_FEATURES_ACTIVE | NLA_F_NESTED, &[attribute(1, &[]), bits].concat());
        let answer = message(20, 11, &[attribute(2, &[1, 2, 3]), active].concat());
        let told = features(payload(&answer).unwrap()).unwrap();
        assert_eq!(told, ["tx-tcp-segmentation", "rx-gro"]);
    }

    #[test]
    fn half_an_answer_and_a_refusal_harm_nobody() {
        let bits = attribute(ETHTOOL_A_BITSET_BITS | NLA_F_NESTED, &bit("rx-gro"));
        let whole = message(20, 11, &attribute(ETHTOOL_A_FEATURES_ACTIVE | NLA_F_NESTED, &bits));
        for length in 0..whole.len() {
            let _ = payload(&whole[..length]).and_then(features);
        }
        assert_eq!(payload(&message(NLMSG_ERROR, 0, &[])), None);
        assert_eq!(attributes(&[0, 0, 1, 0]).count(), 0, "a length of nothing does not go round for ever");
    }

    #[test]
    fn the_kernel_knows_what_the_loopback_has() {
        // Kernels without the interface have nothing to tell.
        let Some(ethtool) = Ethtool::open() else { return };
        let active = ethtool.active("lo").unwrap();
        assert!(active.iter().any(|feature| feature == "loopback"), "{active:?}");
        assert_eq!(ethtool.active("no-such-card"), None);
    }
}
