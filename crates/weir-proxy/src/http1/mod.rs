//! HTTP/1 as Weir speaks it, on both sides: what stands between a socket and an exchange.
//!
//! [`framing`](crate::framing) judges the bytes and says where a head, a piece of a body or a message ends.
//! Here the judged bytes become heads and pieces, and heads and pieces become bytes. Whose turn it is, and how
//! long anybody may take, is for the session and the upstream connection to know.
//!
//! No connection owns a buffer: bytes are read into the worker's [`Arena`] and written from the worker's
//! [`Outgoing`]. Only what a peer has sent ahead, or does not take yet, is copied and kept ([`Wire`]). So an
//! idle connection is its socket and little more, and a stalled one holds one piece.

mod arena;
mod date;
mod encode;
mod head;
mod outgoing;
mod socket;
mod wire;

pub(crate) use arena::Arena;
pub(crate) use date::DateCache;
pub(crate) use encode::{BodyEncoder, ResponseFraming, is_persistent, request_head, response_head};
pub(crate) use head::{parse_request, parse_response, parse_trailers};
pub(crate) use outgoing::Outgoing;
pub(crate) use socket::Socket;
pub(crate) use wire::Wire;
