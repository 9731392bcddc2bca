//! The packets in which VMware's RPC goes over a vSocket, as open-vm-tools' `dataMap.c` and `simpleSocket.c` have them: the
//! length of what follows, then fields, each a type, a number and a value; all in network order, but of an integer's two
//! halves the low one first.

use std::io::{Read, Write};

use super::rpc::RpcError;

/// The most bytes of a packet; guestinfo's values stay below 1 MiB, of base64 too.
const PACKET_BYTES_MAX: usize = 2 << 20;

/// Kinds of packets.
pub(super) const DATA: u64 = 1;
pub(super) const PING: u64 = 2;

const FIELD_KIND: u32 = 1;
const FIELD_PAYLOAD: u32 = 2;

const TYPE_INTEGER: u32 = 1;
const TYPE_STRING: u32 = 2;
const TYPE_INTEGERS: u32 = 3;
const TYPE_STRINGS: u32 = 4;

/// What came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packet {
    /// What is said; empty with a ping.
    pub(super) payload: Vec<u8>,
}

pub(super) fn send<T: Write>(socket: &mut T, kind: u64, payload: Option<&[u8]>) -> Result<(), RpcError> {
    Ok(socket.write_all(&encode(kind, payload))?)
}

fn encode(kind: u64, payload: Option<&[u8]>) -> Vec<u8> {
    let [low, high] = [kind & u64::from(u32::MAX), kind >> 32].map(|half| u32::try_from(half).unwrap_or(0));
    let mut body = [TYPE_INTEGER, FIELD_KIND, low, high].map(u32::to_be_bytes).concat();
    if let Some(payload) = payload {
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        body.extend([TYPE_STRING, FIELD_PAYLOAD, length].map(u32::to_be_bytes).concat());
        body.extend_from_slice(payload);
    }
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    [length.to_be_bytes().to_vec(), body].concat()
}

pub(super) fn receive<T: Read>(socket: &mut T) -> Result<Packet, RpcError> {
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > PACKET_BYTES_MAX {
        return Err(RpcError::Malformed);
    }
    let mut body = Vec::new();
    // No memory for what was only announced.
    let read = socket.by_ref().take(length as u64).read_to_end(&mut body)?;
    if read < length { Err(RpcError::Malformed) } else { decode(&body).ok_or(RpcError::Malformed) }
}

fn decode(body: &[u8]) -> Option<Packet> {
    let mut packet = Packet::default();
    let mut rest = Rest(body);
    while !rest.0.is_empty() {
        let (kind, field) = (rest.number()?, rest.number()?);
        match kind {
            TYPE_INTEGER => drop(rest.bytes(8)?),
            TYPE_STRING => {
                let value = rest.string()?;
                if field == FIELD_PAYLOAD {
                    packet.payload = value.to_vec();
                }
            }
            TYPE_INTEGERS => {
                let count = rest.number()?;
                rest.bytes(usize::try_from(count).ok()?.checked_mul(8)?)?;
            }
            TYPE_STRINGS => {
                let length = rest.number()?;
                rest.bytes(usize::try_from(length).ok()?)?;
            }
            _ => return None,
        }
    }
    Some(packet)
}

struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn bytes(&mut self, count: usize) -> Option<&'b [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn string(&mut self) -> Option<&'b [u8]> {
        let length = self.number()?;
        self.bytes(usize::try_from(length).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_packet_is_as_open_vm_tools_writes_it() {
        let bytes = encode(DATA, Some(b"1 x"));
        let expected = b"\0\0\0\x1f\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x02\0\0\0\x031 x";
        assert_eq!(bytes, expected);
        assert_eq!(receive(&mut bytes.as_slice()).unwrap().payload, b"1 x");
        assert_eq!(receive(&mut encode(PING, None).as_slice()).unwrap(), Packet::default());
    }

    #[test]
    fn a_packet_that_is_cut_or_too_long_is_refused() {
        let bytes = encode(DATA, Some(b"1 x"));
        assert!(receive(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(matches!(receive(&mut b"\xff\xff\xff\xffx".as_slice()), Err(RpcError::Malformed)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..60), small in proptest::collection::vec(0u8..6, 0..60)) {
            let _ = decode(&body);
            let _ = decode(&small);
            let _ = receive(&mut body.as_slice());
        }

        #[test]
        fn what_is_sent_arrives(payload in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert_eq!(receive(&mut encode(DATA, Some(&payload)).as_slice()).unwrap().payload, payload);
        }
    }
}
