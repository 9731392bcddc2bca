//! What became of the reloads so far: for the metrics, so that a refused file is seen from afar.

use std::time::SystemTime;

/// What became of the reloads so far.
#[derive(Debug, Clone)]
pub(crate) struct Reloads {
    /// Those that took effect.
    pub(crate) succeeded: u64,
    /// Those that were refused.
    pub(crate) failed: u64,
    /// When the last one was done; the start, while there was none.
    pub(crate) at: SystemTime,
    /// Why the last one was refused.
    pub(crate) error: Option<String>,
    /// The generation that the last one to take effect brought.
    pub(crate) generation: u64,
}

impl Reloads {
    /// The start, which is no reload, brought `generation`.
    pub(crate) fn new(generation: u64, now: SystemTime) -> Self {
        Self { succeeded: 0, failed: 0, at: now, error: None, generation }
    }

    pub(crate) fn succeeded(&mut self, generation: u64, now: SystemTime) {
        self.succeeded += 1;
        self.at = now;
        self.error = None;
        self.generation = generation;
    }

    pub(crate) fn failed(&mut self, why: String, now: SystemTime) {
        self.failed += 1;
        self.at = now;
        self.error = Some(why);
    }
}
