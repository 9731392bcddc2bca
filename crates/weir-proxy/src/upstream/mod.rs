//! Upstream: connections to servers, kept and reused per worker, and the queue of those who wait for one.
//!
//! An HTTP/1 connection is owned by whoever uses it and polled there: an exchange, or nobody while it is idle.
//! So a request crosses no task and no channel between the client's socket and the server's. An HTTP/2
//! connection is shared, so it has a task of its own.

pub(crate) mod connection;
pub(crate) mod dial;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod idle;
pub(crate) mod queue;
pub(crate) mod tunnel;
