//! The data plane: workers that carry traffic, and the one control loop that writes what they read.
//!
//! Each worker is one pinned thread with its own runtime, sockets, upstream connections and counters; they
//! share nothing on the way of a request but the published [`Snapshot`] and each server's count of exchanges
//! in flight. [`Proxy`] starts it all and takes commands. This crate parses no YAML and speaks to no
//! operator.

pub mod access_log;
pub mod balancer;
#[doc(hidden)]
pub mod bench;
mod control;
mod exchange;
pub mod fields;
pub mod framing;
mod head;
mod http1;
mod proxy;
mod proxy_protocol;
mod retry;
pub mod route;
mod session;
mod shared;
pub mod snapshot;
pub mod stats;
mod udp;
mod upstream;
mod websocket;
mod wire;
mod worker;

pub use control::{Applied, ApplyError, Drained, ServerChange, UnknownServer};
pub use proxy::{Proxy, StartError};
pub use shared::Phase;
pub use snapshot::Snapshot;
