//! What the tests of the product are written with: the real binary, scripted servers, a client that counts
//! bytes.
//!
//! Everything here fails by panicking, with what it saw. Nothing sleeps for a guess: whoever waits, waits for
//! a condition until [`PATIENCE`] is over. Ports are the kernel's to choose, and a test ends what it started.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a harness fails by panicking, and says what it saw"
)]

mod admin;
mod certificates;
mod client;
mod directory;
mod dns;
pub mod frames;
mod message;
mod origin;
mod program;
mod waiting;
mod weir;
mod wire;

pub use admin::Admin;
pub use certificates::{Authority, Wanted, openssl};
pub use client::{Client, Response, get};
pub use directory::Directory;
pub use dns::NameServer;
pub use message::Head;
pub use origin::{Origin, Peer, Request, ok};
pub use program::{Program, curl, installed, python, try_curl};
pub use waiting::{PATIENCE, eventually, until};
pub use weir::{Signal, Weir, list, one_pool, weir};
