//! The network's and the clock's threads against the real kernel and a real DHCP server, in namespaces of their own.
//!
//! They need root, as the appliance does; without it they say so and pass.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests fail by panicking, and say what they saw"
)]

#[path = "network/clock.rs"]
mod clock;
#[path = "network/dhcp.rs"]
mod dhcp;
#[path = "network/fixed.rs"]
mod fixed;
#[path = "network/ipv6.rs"]
mod ipv6;
#[path = "network/machine.rs"]
mod machine;
#[path = "network/namespace.rs"]
mod namespace;
#[path = "network/servers.rs"]
mod servers;
#[path = "network/several.rs"]
mod several;
