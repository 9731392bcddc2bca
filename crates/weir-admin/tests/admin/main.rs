//! The admin API as a client sees it: a real operator with a real data plane, asked over TCP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod configuration;
mod fixture;
mod metrics;
mod protection;
mod reading;
mod servers;
