//! HTTP/2 towards servers: one exchange is one stream of a connection that exchanges share.
//!
//! Flow control is carried through. A piece of the request's body is taken from the client only when the server
//! has room for one, and the window of the answer's is given back only when the client has taken it. So a slow
//! end slows the other end of its own exchange, and nobody else.

mod connections;
mod head;
mod stream;
mod tunnel;

pub(crate) use connections::{Connections, Place};
pub(crate) use stream::Stream;
pub(crate) use tunnel::StreamEnd;
