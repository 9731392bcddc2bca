//! What the boot tests are written with: the appliance's image in an emulated machine, with real servers and a real
//! client around it.
//!
//! Nothing is mocked: a machine has firmware, a disk with the image on it, a network card, and whoever set it up
//! gave it first-boot data in one of the ways that hypervisors have. It is watched from outside only: its serial
//! line, its ports, QEMU's own control socket. Whoever waits, waits for a condition until a deadline that an
//! emulated processor on a busy machine meets. What fails, fails by panicking, and shows the end of the serial line.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a harness fails by panicking, and says what it saw"
)]

mod archive;
mod console;
mod disk;
mod dist;
mod hardware;
mod helper;
pub mod hyperv;
mod load;
mod machine;
mod packages;
mod qmp;
mod seed;
mod shell;
mod site;
mod system;
mod waiting;
pub mod xen;

pub use archive::Archive;
pub use console::Console;
pub use disk::{GrubEnv, RawDisk, overlay};
pub use dist::Dist;
pub use hardware::{Disk, Firmware, Nic};
pub use helper::with_helper;
pub use load::{Answers, load};
pub use machine::{Machine, Plan, Stopped};
pub use packages::Packages;
pub use seed::Source;
pub use site::Site;
pub use system::System;
pub use waiting::{PATIENCE, eventually, until};
