//! Whether a request may be sent again, to another server: a pure function, and the budget that bounds it.
//!
//! Sending again is safe when the server can't have worked on the request (no connection, nothing was sent, or
//! the server says so), or when doing it twice is the same as once: an idempotent method (RFC 9110 section 9.2.2) whose
//! connection closed without a byte of an answer (RFC 9112 section 9.3.1). After a byte of an answer, or
//! after a timeout, never: the server is at work, and a retry would double its load.

use std::cell::Cell;

use weir_config::model::Retries;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No connection to the server came about.
    ConnectFailed,
    /// A connection kept from an earlier exchange closed without a byte of an answer.
    DeadReused,
    /// A new connection closed without a byte of an answer.
    ClosedWithoutAnswer,
    /// The server said that it has not looked at the request: REFUSED_STREAM (RFC 9113 section 8.7).
    Refused,
    /// The same, because it closes the connection in order: GOAWAY (RFC 9113 section 6.8).
    GoneAway,
    /// An answer began, but is not sound or broke off within its head.
    BadAnswer,
    /// The server took too long.
    Timeout,
    /// The client did not send its request to the end.
    Client,
}

/// An attempt that brought no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) failure: Failure,
    /// A byte of the request may have reached the server.
    pub(crate) request_sent: bool,
    pub(crate) method_idempotent: bool,
    /// No byte of the request's body was taken from the client, or there is none.
    pub(crate) body_replayable: bool,
    /// How many times the request was sent again already, and the most that is allowed.
    pub(crate) attempts: u8,
    pub(crate) attempts_max: u8,
}

impl Attempt {
    /// One that brought no connection: no server has seen anything of the client.
    pub(crate) fn to_connect(attempts: u8, attempts_max: u8) -> Self {
        Self {
            failure: Failure::ConnectFailed,
            request_sent: false,
            method_idempotent: false,
            body_replayable: true,
            attempts,
            attempts_max,
        }
    }
}

/// What is to be done after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Another server is asked.
    Retry,
    /// The client is told.
    GiveUp(Reason),
}

/// Why a request is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A server may have worked on it, and doing so twice is not the same as once.
    Unsafe,
    /// Part of its body is gone.
    BodyGone,
    /// It was sent often enough.
    Attempts,
    /// The pool's retries are too many already.
    Budget,
}

/// Decides, and takes a retry out of the budget.
pub(crate) fn decide(attempt: &Attempt, budget: &Budget) -> Decision {
    let safe = match attempt.failure {
        Failure::ConnectFailed | Failure::Refused | Failure::GoneAway => true,
        Failure::DeadReused | Failure::ClosedWithoutAnswer => {
            !attempt.request_sent || attempt.method_idempotent
        }
        Failure::BadAnswer | Failure::Timeout | Failure::Client => false,
    };
    if !safe {
        Decision::GiveUp(Reason::Unsafe)
    } else if !attempt.body_replayable {
        Decision::GiveUp(Reason::BodyGone)
    } else if attempt.attempts >= attempt.attempts_max {
        Decision::GiveUp(Reason::Attempts)
    } else if attempt.failure != Failure::GoneAway && !budget.withdraw() {
        // A GOAWAY is no sign of trouble, and may concern many requests at once.
        Decision::GiveUp(Reason::Budget)
    } else {
        Decision::Retry
    }
}

/// Bounds retries to a share of one worker's requests to a pool, so that servers in trouble get no storm.
/// Counted in hundredths of a retry.
#[derive(Debug)]
pub(crate) struct Budget {
    hundredths: Cell<u32>,
    deposit: u32,
}

impl Budget {
    /// Retries that are always allowed: a quiet pool has a budget, too.
    const RESERVE: u32 = 10 * 100;
    /// A long good time does not save up for an endless bad one.
    const MOST: u32 = 100 * 100;

    pub(crate) fn new(retries: &Retries) -> Self {
        Self { hundredths: Cell::new(Self::RESERVE), deposit: u32::from(retries.budget_percent) }
    }

    /// A request has come.
    pub(crate) fn deposit(&self) {
        self.hundredths.set((self.hundredths.get() + self.deposit).min(Self::MOST));
    }

    fn withdraw(&self) -> bool {
        let left = self.hundredths.get().checked_sub(100);
        if let Some(left) = left {
            self.hundredths.set(left);
        }
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Attempt = Attempt {
        failure: Failure::DeadReused,
        request_sent: true,
        method_idempotent: true,
        body_replayable: true,
        attempts: 0,
        attempts_max: 2,
    };

    fn budget(percent: u8) -> Budget {
        Budget::new(&Retries { attempts: 2, budget_percent: percent })
    }

    #[test]
    fn what_may_be_sent_again() {
        use Decision::{GiveUp, Retry};
        for (attempt, expected) in [
            (BASE, Retry),
            (Attempt { failure: Failure::ClosedWithoutAnswer, ..BASE }, Retry),
            (Attempt { method_idempotent: false, ..BASE }, GiveUp(Reason::Unsafe)),
            (Attempt { method_idempotent: false, request_sent: false, ..BASE }, Retry),
            (
                Attempt {
                    failure: Failure::ConnectFailed,
                    method_idempotent: false,
                    request_sent: false,
                    ..BASE
                },
                Retry,
            ),
            (Attempt { failure: Failure::Refused, method_idempotent: false, ..BASE }, Retry),
            (Attempt { failure: Failure::GoneAway, method_idempotent: false, ..BASE }, Retry),
            (Attempt { failure: Failure::Refused, body_replayable: false, ..BASE }, GiveUp(Reason::BodyGone)),
            (Attempt { failure: Failure::Timeout, ..BASE }, GiveUp(Reason::Unsafe)),
            (Attempt { failure: Failure::BadAnswer, ..BASE }, GiveUp(Reason::Unsafe)),
            (Attempt { failure: Failure::Client, ..BASE }, GiveUp(Reason::Unsafe)),
            (Attempt { body_replayable: false, ..BASE }, GiveUp(Reason::BodyGone)),
            (Attempt { attempts: 2, ..BASE }, GiveUp(Reason::Attempts)),
        ] {
            assert_eq!(decide(&attempt, &budget(20)), expected, "{attempt:?}");
        }
    }

    #[test]
    fn retries_stay_within_their_share_of_the_requests() {
        let budget = budget(20);
        let mut retries = 0;
        for _ in 0..1000 {
            budget.deposit();
            retries += u32::from(decide(&BASE, &budget) == Decision::Retry);
        }
        assert!((200..=210).contains(&retries), "{retries}");
        assert_eq!(decide(&BASE, &self::budget(0)), Decision::Retry, "a few are always allowed");
        while decide(&BASE, &budget) == Decision::Retry {}
        let gone_away = Attempt { failure: Failure::GoneAway, ..BASE };
        assert_eq!(
            decide(&gone_away, &budget),
            Decision::Retry,
            "a server that goes in order is in no trouble"
        );
    }
}
