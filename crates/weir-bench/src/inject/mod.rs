//! The load injector, `weir bench inject`: requests from many users or at a rate, and what came of them.
//!
//! [`run`] is all there is to call: [`Options`] in, [`Outcome`] out, and a [`Progress`] that is told each second.
//! It never prints, and it says by [`Outcome::limit`] when its figures are not the target's.

mod dial;
mod engine;
mod judge;
mod limits;
pub mod options;
mod origin;
pub mod outcome;
mod plan;
mod probe;
mod request;
mod resolve;
mod response;
mod run;
mod tally;
pub mod target;
#[cfg(test)]
mod tests;
mod tls;

pub use options::Options;
pub use outcome::Outcome;
pub use target::Target;

use outcome::Second;

/// Who is told how a run goes, and may end it.
pub trait Progress {
    /// A second of the run is over.
    fn second(&mut self, second: &Second) {
        let _ = second;
    }

    /// Something to know before the end, in words.
    fn notice(&mut self, text: &str) {
        let _ = text;
    }

    /// Whether the run is to end now; asked a few times a second.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Nobody is told anything.
impl Progress for () {}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum InjectError {
    /// An option can't be as it is.
    #[error("{option}: {why}")]
    Option {
        /// As it is called on the command line.
        option: &'static str,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The target's host has no address.
    #[error("can't find an address of `{host}`: {why}")]
    Name {
        /// The host.
        host: String,
        /// What the resolver said.
        why: String,
    },
    /// The target can't be connected to, so there is nothing to measure.
    #[error("can't reach {address}: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said, and what to look at.
        why: String,
    },
    /// The target can be reached, but not in TLS.
    #[error("no TLS with {address}: {why}")]
    Tls {
        /// Where.
        address: String,
        /// What is wrong, and what to do about it.
        why: String,
    },
    /// This machine does not allow what was asked for.
    #[error("{what}: {remedy}")]
    Machine {
        /// What is too little.
        what: String,
        /// The setting to raise.
        remedy: String,
    },
    /// The origin's counters can't be read.
    #[error("can't read the origin's counters at {url}: {why}")]
    OriginStats {
        /// Where.
        url: String,
        /// What went wrong.
        why: String,
    },
    /// The system refused something that it should not.
    #[error("{what}: {source}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Puts the load on the target and waits for its end.
///
/// # Errors
/// Before any load: when an option, this machine, the target or the origin does not allow it.
pub fn run(options: &Options, progress: &mut dyn Progress) -> Result<Outcome, InjectError> {
    run::run(options, progress)
}
