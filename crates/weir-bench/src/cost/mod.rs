//! What a request costs Weir, counted and not timed: `make profile` and `make instructions`, the program `request-cost`.
//!
//! One worker serves one client that asks for the next thing when it has the last, so that the same work is done each
//! time. A short and a long load are counted, and what the long one took more is divided by how many requests it had
//! more: what is done once cancels out. Counts say nothing of caches, waiting and the kernel's own work, but they
//! come out the same on a busy machine: a change of one percent shows.
//!
//! [`callgrind`] counts instructions, calls and so allocations; [`strace`] counts system calls; [`perf`] samples, where
//! the machine has counters. [`baseline`] compares with the figures that the repository keeps.

pub mod allocations;
pub mod baseline;
pub mod callgrind;
pub mod case;
mod client;
pub mod perf;
pub mod profile;
pub mod report;
pub mod strace;
pub mod subject;

/// How many requests the loads have.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Before anything is counted.
    pub warm_up: u32,
    /// In the short load.
    pub few: u32,
    /// In the long one; more than in the short one.
    pub many: u32,
}

impl Load {
    /// By how many requests the long load is longer.
    fn difference(self) -> f64 {
        f64::from(self.many - self.few)
    }
}
