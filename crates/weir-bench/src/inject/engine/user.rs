//! One user: a place for one request at a time, and the connection that carries it.

use std::time::Instant;

use super::super::response::Answer;
use crate::net::link::Link;

/// A user.
#[derive(Debug)]
pub(super) struct User {
    /// Its number among the users of all threads.
    pub(super) number: u32,
    /// How many connections it has had: who is meant by an event that was meant for an earlier one.
    pub(super) age: u32,
    pub(super) link: Option<Link>,
    pub(super) state: State,
    pub(super) answer: Answer,
    /// Which target is asked for, going round.
    pub(super) target: usize,
    /// Requests that the connection has carried.
    pub(super) carried: u32,
    /// The request is the connection's last.
    pub(super) is_last: bool,
    /// How much of the request is sent.
    pub(super) written: usize,
    /// From when on the request's latency counts.
    pub(super) begun: Instant,
    /// When the connection was begun.
    pub(super) dialed: Instant,
    /// Since when it waits for what it waits for.
    pub(super) since: Instant,
    /// The target has ended its side.
    pub(super) is_ended: bool,
    /// The connection is broken; reading says how.
    pub(super) is_broken: bool,
    /// The connection is among those that are watched.
    pub(super) is_watched: bool,
    /// And for room to write.
    pub(super) watches_write: bool,
}

/// What a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing; it may have a connection.
    Idle,
    /// Nothing for a while, after a connection that failed.
    Paused(Instant),
    /// Waits for a connection.
    Connecting,
    /// Waits for its TLS.
    Handshake,
    /// Sends the request.
    Sending,
    /// Waits for the answer.
    Answer,
    /// Waits for the target to end the connection, whose last answer is whole.
    Ending,
}

/// How a user's turn ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for its target.
    Wait,
    /// It waits for room to write.
    WaitToWrite,
    /// Its request is over, however it went.
    Free,
    /// Its connection failed; asking again at once would only fail faster.
    Pause,
}

impl User {
    pub(super) fn new(number: u32, now: Instant) -> Self {
        Self {
            number,
            age: 0,
            link: None,
            state: State::Idle,
            answer: Answer::default(),
            target: number as usize,
            carried: 0,
            is_last: false,
            written: 0,
            begun: now,
            dialed: now,
            since: now,
            is_ended: false,
            is_broken: false,
            is_watched: false,
            watches_write: false,
        }
    }

    /// Ends its connection.
    pub(super) fn hang_up(&mut self) {
        if let Some(mut link) = self.link.take() {
            link.farewell();
            self.age = self.age.wrapping_add(1);
        }
        self.is_watched = false;
        self.watches_write = false;
        self.is_ended = false;
        self.is_broken = false;
        self.carried = 0;
    }

    /// Whether a request, or its end, is under way.
    pub(super) fn is_active(&self) -> bool {
        match self.state {
            State::Idle | State::Paused(_) => false,
            State::Connecting | State::Handshake | State::Sending | State::Answer | State::Ending => true,
        }
    }
}
