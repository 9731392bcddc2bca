//! HTTP/1 as Weir speaks it, on both sides: what stands between a socket and an exchange.
//!
//! [`framing`](crate::framing) judges the bytes and says where a head, a piece of a body or a message ends.
//! Here the judged bytes become heads and pieces, and heads and pieces become bytes. Whose turn it is, and how
//! long anybody may take, is for the session and the upstream connection to know.

mod date;
mod encode;
mod head;

pub(crate) use date::DateCache;
pub(crate) use encode::{BodyEncoder, ResponseFraming, is_persistent, request_head, response_head};
pub(crate) use head::{parse_request, parse_response, parse_trailers};
