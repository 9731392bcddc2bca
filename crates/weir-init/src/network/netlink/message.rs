//! Netlink's bytes: messages in a row, each a header, a fixed part that depends on its type, and attributes.
//!
//! Everything is in the machine's own byte order and aligned to four bytes (netlink(7), rtnetlink(7)). What comes is
//! the kernel's, and yet a length is never trusted: what does not fit ends the iteration.

use std::io;

const HEADER_BYTES: usize = 16;
const ATTRIBUTE_HEADER_BYTES: usize = 4;

/// `NLMSG_ERROR`, whose code is zero for an acknowledgement, and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;

/// `NLM_F_REQUEST`, `NLM_F_ACK`, and what makes a request a dump.
const REQUEST: u16 = 0x01;
const ACKNOWLEDGE: u16 = 0x04;
const DUMP: u16 = 0x300;

/// `NLM_F_DUMP_INTR`: the table changed while it was read.
const INTERRUPTED: u16 = 0x10;

/// `NLM_F_REPLACE | NLM_F_CREATE`: make it so, whatever was there.
const SET: u16 = 0x100 | 0x400;

/// The bits of an attribute's type that say how it is written.
const ATTRIBUTE_FLAGS: u16 = 0xc000;

/// What is sent.
#[derive(Debug)]
pub(in crate::network) struct Request(Vec<u8>);

impl Request {
    /// For all of a table.
    pub(super) fn dump(kind: u16, fixed: &[u8]) -> Self {
        Self::new(kind, DUMP, fixed)
    }

    /// To make something, or make it what is said.
    pub(super) fn set(kind: u16, fixed: &[u8]) -> Self {
        Self::new(kind, ACKNOWLEDGE | SET, fixed)
    }

    /// To change or remove what is there.
    pub(super) fn change(kind: u16, fixed: &[u8]) -> Self {
        Self::new(kind, ACKNOWLEDGE, fixed)
    }

    fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER_BYTES];
        put(&mut bytes, 4, &kind.to_ne_bytes());
        put(&mut bytes, 6, &(REQUEST | flags).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        align(&mut bytes);
        Self(bytes)
    }

    /// Adds an attribute.
    #[must_use]
    pub(super) fn with(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE_HEADER_BYTES + value.len())
            .expect("attributes here are an address at most");
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        align(&mut self.0);
        self
    }

    /// Adds a number as an attribute.
    #[must_use]
    pub(super) fn with_number(self, kind: u16, value: u32) -> Self {
        self.with(kind, &value.to_ne_bytes())
    }

    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).expect("a request here is a few hundred bytes");
        put(&mut self.0, 0, &length.to_ne_bytes());
        put(&mut self.0, 8, &sequence.to_ne_bytes());
        self.0
    }
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// What came.
#[derive(Debug, Clone, Copy)]
pub(in crate::network) struct Message<'a> {
    pub(super) kind: u16,
    flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The messages in `bytes`.
    pub(in crate::network) fn all(bytes: &'a [u8]) -> impl Iterator<Item = Self> {
        let mut rest = bytes;
        std::iter::from_fn(move || {
            let length = number(rest, 0)? as usize;
            let message = Self {
                kind: short(rest, 4)?,
                flags: short(rest, 6)?,
                sequence: number(rest, 8)?,
                body: rest.get(HEADER_BYTES..length)?,
            };
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            Some(message)
        })
    }

    pub(super) fn is_done(&self) -> bool {
        self.kind == DONE
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.flags & INTERRUPTED != 0
    }

    /// What became of a request; None if the message is something else.
    pub(super) fn outcome(&self) -> Option<io::Result<()>> {
        if self.kind != ERROR {
            return None;
        }
        let code = number(self.body, 0)?.cast_signed();
        Some(if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) })
    }

    /// What follows a fixed part of `fixed` bytes.
    pub(in crate::network) fn body_from(&self, fixed: usize) -> &'a [u8] {
        self.body.get(fixed..).unwrap_or_default()
    }

    /// The link's index, where this is an option of a router advertisement.
    pub(in crate::network) fn router_option(&self) -> Option<u32> {
        (self.kind == super::objects::ROUTER_OPTION).then(|| number(self.body, 4)).flatten()
    }

    /// The attributes after a fixed part of `fixed` bytes.
    pub(super) fn attributes(&self, fixed: usize) -> impl Iterator<Item = (u16, &'a [u8])> + use<'a> {
        attributes(self.body_from(fixed))
    }
}

/// The attributes in `bytes`: their types and values.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(short(rest, 0)?);
        let kind = short(rest, 2)? & !ATTRIBUTE_FLAGS;
        let value = rest.get(ATTRIBUTE_HEADER_BYTES..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(super) fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(super) fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let bytes =
            Request::set(20, &[2, 24, 0, 0, 7, 0, 0, 0]).with(2, &[1, 2, 3]).with_number(9, 100).finish(5);
        assert_eq!(bytes.len(), 16 + 8 + 8 + 8);
        let messages: Vec<_> = Message::all(&bytes).collect();
        let [message] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((message.kind, message.sequence), (20, 5));
        let attributes: Vec<_> = message.attributes(8).collect();
        assert_eq!(attributes, [(2, &[1, 2, 3][..]), (9, &100_u32.to_ne_bytes()[..])]);
    }

    #[test]
    fn several_messages_in_a_piece() {
        let mut bytes = Request::dump(18, &[0; 16]).finish(1);
        bytes.extend(Request::dump(22, &[0; 8]).finish(2));
        let kinds: Vec<_> = Message::all(&bytes).map(|message| message.kind).collect();
        assert_eq!(kinds, [18, 22]);
    }

    #[test]
    fn lengths_that_lie_end_it() {
        let mut bytes = Request::set(20, &[0; 8]).with(2, &[1, 2, 3, 4]).finish(1);
        assert_eq!(Message::all(&bytes[..10]).count(), 0);
        let at = 16 + 8;
        bytes[at..at + 2].copy_from_slice(&200_u16.to_ne_bytes());
        let message = Message::all(&bytes).next().unwrap();
        assert_eq!(message.attributes(8).count(), 0);
        bytes[at..at + 2].copy_from_slice(&0_u16.to_ne_bytes());
        assert_eq!(Message::all(&bytes).next().unwrap().attributes(8).count(), 0);
        bytes[0..4].copy_from_slice(&3_u32.to_ne_bytes());
        assert_eq!(Message::all(&bytes).count(), 0);
    }

    #[test]
    fn an_error_is_the_kernels_number() {
        let mut bytes = Request::set(2, &(-17_i32).to_ne_bytes()).finish(1);
        let outcome = Message::all(&bytes).next().unwrap().outcome().unwrap();
        assert_eq!(outcome.unwrap_err().raw_os_error(), Some(17));
        bytes[16..20].copy_from_slice(&0_i32.to_ne_bytes());
        assert!(Message::all(&bytes).next().unwrap().outcome().unwrap().is_ok());
    }
}
