//! The client's side of the dialogue, RFC 2131's figure 5, without a socket or a clock: what comes and the time go
//! in, what is to be sent and used comes out.
//!
//! `now` is any clock that nobody sets. Every wait is bounded and every state has a next moment, so a card with a
//! cable is never forgotten: where nobody answers it asks for ever, at most every [`RETRY`]'s last.
//!
//! Beyond the figure: an address from before the restart that is still leased is used where no server answers within
//! [`FALLBACK_TRIES`] questions, since a load balancer without an address helps nobody; and every other question asks
//! for an answer to everybody, for networks where the others get lost.

use std::net::Ipv4Addr;
use std::time::Duration;

use weir_config::model::MacAddress;

use super::lease::Lease;
use super::message::{Answer, Kind, Question};

/// How long each question is waited for, in seconds; the last again and again. RFC 2131 begins with 4 s, for the
/// networks of its time; a port of a switch that opens late costs less this way.
const RETRY: &[u64] = &[1, 2, 4, 8, 16, 32, 64];

/// Questions for the address of before, until another is asked for.
const REBOOT_TRIES: usize = 2;

/// Questions for an offer, until the address of before is used all the same.
const FALLBACK_TRIES: usize = 3;

/// Questions for what was offered, until others are asked.
const REQUEST_TRIES: usize = 4;

/// The least wait between two questions for more time (RFC 2131, 4.4.5).
const RENEW_WAIT_MIN: Duration = Duration::from_secs(60);

/// Never.
const NEVER: Duration = Duration::MAX;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// Say this.
    Send(Question, Way),
    /// The card has this address from now on, or still.
    Use(Lease),
    /// The card has none any more.
    Lose,
}

/// How something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As a card without an address, to everybody.
    Frame,
    /// From the address that the card has, to this server.
    Server(Ipv4Addr),
    /// From the address that the card has, to everybody.
    Everybody,
}

/// Where the dialogue is; `next` is when something is said again.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// There is no cable.
    Stopped,
    /// INIT-REBOOT: asks for the address of before.
    Rebooting {
        tries: usize,
        next: Duration,
    },
    Selecting {
        tries: usize,
        next: Duration,
    },
    Requesting {
        offer: Box<Lease>,
        tries: usize,
        next: Duration,
    },
    Bound,
    Renewing {
        next: Duration,
    },
    Rebinding {
        next: Duration,
    },
}

/// A lease with the moments of its times.
#[derive(Debug, Clone)]
struct Held {
    lease: Lease,
    renew: Duration,
    rebind: Duration,
    expire: Duration,
    /// False: it is known from before, and nobody has said that it still holds.
    used: bool,
}

/// The dialogue of one card.
#[derive(Debug)]
pub(super) struct Machine {
    mac: MacAddress,
    hostname: Option<String>,
    state: State,
    held: Option<Held>,
    transaction: u32,
    /// When this round of questions began.
    began: Duration,
    /// When the question was sent that an answer now belongs to: leases count from there.
    asked: Duration,
    /// Refusals one after the other.
    refusals: usize,
    random: fastrand::Rng,
}

impl Machine {
    /// For a card without a cable yet. `kept`: the lease of before the restart, and what is left of it.
    pub(super) fn new(
        mac: MacAddress,
        hostname: Option<String>,
        kept: Option<(Lease, Option<Duration>)>,
        now: Duration,
        seed: u64,
    ) -> Self {
        let held = kept.map(|(lease, left)| {
            let expire = left.map_or(NEVER, |left| now.saturating_add(left));
            Held { lease, renew: expire, rebind: expire, expire, used: false }
        });
        let mut random = fastrand::Rng::with_seed(seed);
        let transaction = random.u32(..);
        let state = State::Stopped;
        Self { mac, hostname, state, held, transaction, began: now, asked: now, refusals: 0, random }
    }

    /// What the machine calls itself, from the next question on.
    pub(super) fn set_hostname(&mut self, hostname: Option<String>) {
        self.hostname = hostname;
    }

    /// The lease in use, and what is left of it (None: it ends never).
    pub(super) fn lease(&self, now: Duration) -> Option<(&Lease, Option<Duration>)> {
        let held = self.held.as_ref().filter(|held| held.used)?;
        Some((&held.lease, (held.expire != NEVER).then(|| held.expire.saturating_sub(now))))
    }

    /// Whether more than the first question went unanswered.
    pub(super) fn is_unanswered(&self) -> bool {
        match self.state {
            State::Selecting { tries, .. } => tries > 1,
            State::Rebooting { tries, .. } | State::Requesting { tries, .. } => tries > 1,
            State::Stopped | State::Bound | State::Renewing { .. } => false,
            State::Rebinding { .. } => true,
        }
    }

    /// Whether answers come in frames, as the card has no address of its own to be spoken to.
    pub(super) fn reads_frames(&self) -> bool {
        match self.state {
            State::Rebooting { .. } | State::Selecting { .. } | State::Requesting { .. } => true,
            State::Stopped | State::Bound | State::Renewing { .. } | State::Rebinding { .. } => false,
        }
    }

    /// Whether answers come to the card's address.
    pub(super) fn reads_datagrams(&self) -> bool {
        match self.state {
            State::Renewing { .. } | State::Rebinding { .. } => true,
            State::Stopped | State::Bound | State::Rebooting { .. } | State::Selecting { .. } => false,
            State::Requesting { .. } => false,
        }
    }

    /// The cable is in, perhaps that of another network: asks whether the address of before still holds.
    pub(super) fn start(&mut self, now: Duration) -> Vec<Output> {
        self.refusals = 0;
        self.begin_round(now);
        match self.held {
            Some(_) => self.ask_again(now, State::Rebooting { tries: 0, next: now }),
            None => self.ask_again(now, State::Selecting { tries: 0, next: now }),
        }
    }

    /// The cable is out. The address stays until its time is over: it comes back more often than not.
    pub(super) fn stop(&mut self) {
        self.state = State::Stopped;
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let held = self.held.as_ref();
        let next = match &self.state {
            State::Stopped => NEVER,
            State::Rebooting { next, .. }
            | State::Selecting { next, .. }
            | State::Requesting { next, .. }
            | State::Renewing { next }
            | State::Rebinding { next } => *next,
            State::Bound => held.map_or(NEVER, |held| held.renew),
        };
        let deadline = held.map_or(next, |held| next.min(held.expire));
        (deadline != NEVER).then_some(deadline)
    }

    /// Time has gone by.
    pub(super) fn tick(&mut self, now: Duration) -> Vec<Output> {
        if let Some(held) = self.held.take_if(|held| now >= held.expire) {
            return self.expired(now, &held);
        }
        let Some(deadline) = self.deadline().filter(|deadline| now >= *deadline) else { return Vec::new() };
        match &self.state {
            State::Stopped => Vec::new(),
            State::Rebooting { tries, .. } if *tries < REBOOT_TRIES => {
                self.ask_again(now, self.state.clone())
            }
            State::Rebooting { .. } => self.reboot_unanswered(now),
            State::Selecting { tries, .. } if *tries == FALLBACK_TRIES => {
                let mut outputs = self.fall_back(now);
                outputs.extend(self.ask_again(now, self.state.clone()));
                outputs
            }
            State::Requesting { tries, .. } if *tries >= REQUEST_TRIES => self.select(now),
            State::Selecting { .. } | State::Requesting { .. } | State::Rebinding { .. } => {
                self.ask_again(now, self.state.clone())
            }
            State::Bound => {
                self.begin_round(now);
                self.ask_again(now, State::Renewing { next: deadline })
            }
            State::Renewing { .. } => match &self.held {
                Some(held) if now >= held.rebind => self.ask_again(now, State::Rebinding { next: now }),
                Some(_) | None => self.ask_again(now, self.state.clone()),
            },
        }
    }

    /// A server has said something.
    pub(super) fn receive(&mut self, now: Duration, answer: &Answer) -> Vec<Output> {
        if answer.transaction != self.transaction || answer.mac != self.mac {
            return Vec::new();
        }
        match (&self.state, answer.kind) {
            (State::Selecting { .. }, Kind::Offer) => match Lease::from_answer(answer, None) {
                Some(offer) => {
                    self.ask_again(now, State::Requesting { offer: Box::new(offer), tries: 0, next: now })
                }
                None => Vec::new(),
            },
            (State::Requesting { offer, .. }, Kind::Acknowledge) => {
                let server = offer.server;
                self.acknowledged(Lease::from_answer(answer, Some(server)))
            }
            (
                State::Rebooting { .. } | State::Renewing { .. } | State::Rebinding { .. },
                Kind::Acknowledge,
            ) => {
                let server = self.held.as_ref().map(|held| held.lease.server);
                self.acknowledged(Lease::from_answer(answer, server))
            }
            (
                State::Requesting { .. }
                | State::Rebooting { .. }
                | State::Renewing { .. }
                | State::Rebinding { .. },
                Kind::Refuse,
            ) => self.refused(now),
            (
                State::Stopped
                | State::Bound
                | State::Selecting { .. }
                | State::Rebooting { .. }
                | State::Requesting { .. }
                | State::Renewing { .. }
                | State::Rebinding { .. },
                Kind::Discover | Kind::Offer | Kind::Request | Kind::Acknowledge | Kind::Refuse,
            ) => Vec::new(),
        }
    }

    fn acknowledged(&mut self, lease: Option<Lease>) -> Vec<Output> {
        let Some(lease) = lease else { return Vec::new() };
        let at = |time: Duration| self.asked.saturating_add(time);
        let (renew, rebind, expire) = match lease.times {
            Some(times) => (at(times.renew), at(times.rebind), at(times.expire)),
            None => (NEVER, NEVER, NEVER),
        };
        self.held = Some(Held { lease: lease.clone(), renew, rebind, expire, used: true });
        self.refusals = 0;
        self.state = State::Bound;
        vec![Output::Use(lease)]
    }

    /// The server says that the address is not ours to use: at once another, unless it says so again and again.
    fn refused(&mut self, now: Duration) -> Vec<Output> {
        let used = self.held.take().is_some_and(|held| held.used);
        let mut outputs = Vec::from_iter(used.then_some(Output::Lose));
        let pause = self.refusals.checked_sub(1).map(|more| self.wait(more));
        self.refusals += 1;
        match pause {
            None => outputs.extend(self.select(now)),
            Some(pause) => {
                self.begin_round(now);
                self.state = State::Selecting { tries: 0, next: now + pause };
            }
        }
        outputs
    }

    fn expired(&mut self, now: Duration, held: &Held) -> Vec<Output> {
        let mut outputs = Vec::from_iter(held.used.then_some(Output::Lose));
        match self.state {
            State::Bound | State::Renewing { .. } | State::Rebinding { .. } | State::Rebooting { .. } => {
                outputs.extend(self.select(now));
            }
            State::Stopped | State::Selecting { .. } | State::Requesting { .. } => {}
        }
        outputs
    }

    /// An address that is in use stays in use, and any server is asked about it; one of before makes way.
    fn reboot_unanswered(&mut self, now: Duration) -> Vec<Output> {
        if self.held.as_ref().is_some_and(|held| held.used) {
            self.ask_again(now, State::Rebinding { next: now })
        } else {
            self.select(now)
        }
    }

    fn fall_back(&mut self, now: Duration) -> Vec<Output> {
        match &mut self.held {
            Some(held) if !held.used && held.expire > now => {
                held.used = true;
                vec![Output::Use(held.lease.clone())]
            }
            Some(_) | None => Vec::new(),
        }
    }

    fn select(&mut self, now: Duration) -> Vec<Output> {
        self.begin_round(now);
        self.ask_again(now, State::Selecting { tries: 0, next: now })
    }

    fn begin_round(&mut self, now: Duration) {
        self.began = now;
        self.transaction = self.random.u32(..);
    }

    /// Says what belongs to `state`, and sets when it is said again.
    fn ask_again(&mut self, now: Duration, state: State) -> Vec<Output> {
        let held = self.held.as_ref();
        let before = held.map(|held| held.lease.address.addr());
        let silent = Question {
            kind: Kind::Request,
            transaction: self.transaction,
            mac: self.mac,
            seconds: u16::try_from(now.saturating_sub(self.began).as_secs()).unwrap_or(u16::MAX),
            broadcast: false,
            has: None,
            wants: None,
            server: None,
            hostname: self.hostname.clone(),
        };
        let (state, question, way) = match state {
            State::Rebooting { tries, .. } => {
                let state = State::Rebooting { tries: tries + 1, next: now + self.wait(tries) };
                (state, Question { wants: before, broadcast: tries % 2 == 1, ..silent }, Way::Frame)
            }
            State::Selecting { tries, .. } => {
                let state = State::Selecting { tries: tries + 1, next: now + self.wait(tries) };
                let question =
                    Question { kind: Kind::Discover, wants: before, broadcast: tries % 2 == 1, ..silent };
                (state, question, Way::Frame)
            }
            State::Requesting { offer, tries, .. } => {
                let (wants, server) = (Some(offer.address.addr()), Some(offer.server));
                let state = State::Requesting { offer, tries: tries + 1, next: now + self.wait(tries) };
                (state, Question { wants, server, broadcast: tries % 2 == 1, ..silent }, Way::Frame)
            }
            State::Renewing { .. } => {
                let next = renew_again(now, held.map_or(NEVER, |held| held.rebind));
                let server = held.map_or(Ipv4Addr::BROADCAST, |held| held.lease.server);
                (State::Renewing { next }, Question { has: before, ..silent }, Way::Server(server))
            }
            State::Rebinding { .. } => {
                let next = renew_again(now, held.map_or(NEVER, |held| held.expire));
                (State::Rebinding { next }, Question { has: before, ..silent }, Way::Everybody)
            }
            silent @ (State::Stopped | State::Bound) => {
                self.state = silent;
                return Vec::new();
            }
        };
        self.state = state;
        self.asked = now;
        vec![Output::Send(question, way)]
    }

    /// Up to a quarter more or less, so that machines that were started together do not ask together.
    fn wait(&mut self, tries: usize) -> Duration {
        let seconds = RETRY.get(tries).or(RETRY.last()).copied().unwrap_or(1);
        Duration::from_secs(seconds).mul_f64(0.75 + 0.5 * self.random.f64())
    }
}

/// Half of what is left until `end`, and a minute at least.
fn renew_again(now: Duration, end: Duration) -> Duration {
    let left = end.saturating_sub(now);
    now.saturating_add((left / 2).max(RENEW_WAIT_MIN)).min(end)
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
