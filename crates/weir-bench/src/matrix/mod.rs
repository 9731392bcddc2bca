//! `weir bench matrix`: a scenario of targets, sizes and modes, measured round by round into one file of results.
//!
//! [`scenario`] reads the file, [`plan`] says what comes next, [`run`] does it, restartable at every measurement. What
//! the figures mean is the [report](crate::report)'s to say.

mod admin;
mod cpu;
mod machine;
pub mod plan;
mod probe;
pub mod run;
pub mod scenario;
mod work;

pub use run::{Done, Run, begin};
pub use scenario::{Scenario, parse};
