//! Health: the probes that a `check:` describes, and the machine that judges their results.
//!
//! [`probe`] does the I/O of one probe and gives back a [`ProbeOutcome`]; [`Machine`] is pure: it turns a
//! row of results into transitions and says when the next probe is due. Neither knows pools, balancers or
//! the proxy: one control loop calls the first, feeds the second and writes what comes out.

mod grpc_probe;
mod http2_probe;
mod http_probe;
mod machine;
mod outcome;
mod probe;
#[cfg(test)]
mod tests;

pub use machine::{Cause, Health, Machine, Transition};
pub use outcome::{Passed, ProbeError, ProbeOutcome, ProbeResult};
pub use probe::{ProbeTls, probe};
