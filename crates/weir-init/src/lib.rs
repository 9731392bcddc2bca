//! Process 1 of the appliance: mounts, modules, STATE, network, first-boot configuration, time, and the one child,
//! `weir run`, which it restarts, drains and ends. It knows no HTTP.
//!
//! One thread decides ([`run`]); whoever waits for something (signals, uevents, leases, hypervisors) has a thread of
//! its own and tells it in an [`Event`].

pub mod agents;
pub mod clock;
mod event;
pub mod network;
pub mod sources;

pub use event::{Event, Power, Teller};

use std::process::ExitCode;

/// `weir init`.
#[must_use]
pub fn run() -> ExitCode {
    ExitCode::FAILURE
}
