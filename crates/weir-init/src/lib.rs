//! Process 1 of the appliance: mounts, modules, STATE, first-boot configuration, network, time, and the one child,
//! `weir run`, which it restarts, drains and ends. It knows no HTTP.
//!
//! [`boot`] is the start, top to bottom. After it one thread decides ([`steward`]); whoever waits for something (signals,
//! uevents, leases, hypervisors) has a thread of its own and tells it in an [`Event`]. Nothing here waits without a bound,
//! and nothing that fails ends the start: it becomes a notice on the consoles and in the status file.

mod admin;
pub mod agents;
mod boot;
mod button;
mod child;
pub mod clock;
mod command_line;
mod configuration;
mod console;
mod entry;
mod event;
mod files;
mod grubenv;
mod logging;
mod modules;
mod mounts;
pub mod network;
mod power;
mod settings;
pub mod sources;
mod spread;
mod state;
mod status;
mod steward;
mod summary;
mod supervise;
mod threads;
mod watch;
mod watchdog;

pub use entry::{NotProcessOne, run, take_over};
pub use event::{Event, Power, Teller};
