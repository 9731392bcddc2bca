//! What one connection is at, and until when it may be: shared by the socket's guard, the answers and the
//! connection's owner, all in one task.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;
use weir_proxy::framing::Violation;

/// For a request's head, from its first byte; and for the first byte of a connection.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two requests of a connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// For the client to take the next piece of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// What one connection is at.
pub(super) struct Talk {
    stage: Cell<Stage>,
    since: Cell<Instant>,
    stalled: Cell<Option<Instant>>,
    answered: Cell<bool>,
    refused: Cell<Option<Violation>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing has come yet.
    First,
    /// Between two requests.
    Idle,
    /// Within a request's head.
    Head,
    /// From the end of a head to the last written byte of the answer. Its body has a timeout of its own.
    Exchange,
}

impl Talk {
    pub(super) fn new() -> Self {
        Self {
            stage: Cell::new(Stage::First),
            since: Cell::new(Instant::now()),
            stalled: Cell::new(None),
            answered: Cell::new(false),
            refused: Cell::new(None),
        }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage.get()
    }

    /// Goes on to `stage`; being there already changes nothing.
    pub(super) fn enter(&self, stage: Stage) {
        if self.stage.replace(stage) != stage {
            self.since.set(Instant::now());
            self.answered.set(false);
        }
    }

    /// The client takes no more bytes for now (`true`), or took some.
    pub(super) fn stalled(&self, stalled: bool) {
        let since = if stalled { self.stalled.get().or_else(|| Some(Instant::now())) } else { None };
        self.stalled.set(since);
    }

    /// hyper has the whole answer; it is out when hyper flushes next.
    pub(super) fn answered(&self) {
        self.answered.set(true);
    }

    pub(super) fn is_answered(&self) -> bool {
        self.answered.get()
    }

    pub(super) fn refuse(&self, violation: Violation) {
        self.refused.set(Some(violation));
    }

    /// What was wrong with what the client sent.
    pub(super) fn refusal(&self) -> Option<Violation> {
        self.refused.get()
    }

    /// When the client will have taken too long with what it is at.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let since = self.since.get();
        let stage = match self.stage.get() {
            Stage::First | Stage::Head => Some(since + HEAD_TIMEOUT),
            Stage::Idle => Some(since + IDLE_TIMEOUT),
            Stage::Exchange => None,
        };
        let stall = self.stalled.get().map(|since| since + STALL_TIMEOUT);
        stage.into_iter().chain(stall).min()
    }
}
