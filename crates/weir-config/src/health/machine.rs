//! The rise/fall machine of one server: pure, without clocks, sockets or randomness of its own.
//!
//! Invariant: after the first result, health changes only after `rise` good or `fall` bad results in a
//! row. A server of which nothing is known yet counts as up, so a start or a reload does not begin with an
//! outage; the first result alone decides.

use std::time::{Duration, Instant};

use super::{ProbeError, ProbeResult};
use crate::model::Check;

/// The longest wait before a server's first probe: little, because a dead server counts as up until then.
const FIRST_DELAY_MAX: Duration = Duration::from_millis(200);

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// No probe has ended yet, or there is no check. Counts as up.
    Unknown,
    /// It passes its check.
    Up,
    /// It does not.
    Down,
}

impl Health {
    /// Whether the server may be given work.
    pub fn is_usable(self) -> bool {
        match self {
            Self::Unknown | Self::Up => true,
            Self::Down => false,
        }
    }

    /// The word for it in logs and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// Health changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// What it was. From [`Health::Unknown`] to [`Health::Up`] nothing changes for traffic.
    pub from: Health,
    /// What it is now, and what brought it about.
    pub cause: Cause,
    /// When.
    pub at: Instant,
}

/// What brought a change about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Up: this many good probes in a row.
    Rise(u16),
    /// Down: this many bad probes in a row, and what was wrong with the last one.
    Fall(u16, ProbeError),
}

impl Transition {
    /// What the server's health is now.
    pub fn to(&self) -> Health {
        match &self.cause {
            Cause::Rise(_) => Health::Up,
            Cause::Fall(..) => Health::Down,
        }
    }
}

/// The health of one server, and the row of results that may change it.
#[derive(Debug, Clone)]
pub struct Machine {
    rise: u16,
    fall: u16,
    health: Health,
    /// Results in a row that speak against `health`; below `rise` when it is down, below `fall` when up.
    streak: u16,
    /// When `health` became what it is; `None` as long as it is what the machine started with.
    changed: Option<Instant>,
    last: Option<ProbeResult>,
}

impl Machine {
    /// A machine that has seen no result. A `rise` or `fall` of 0 counts as 1.
    pub fn new(rise: u16, fall: u16, initial: Health) -> Self {
        Self { rise: rise.max(1), fall: fall.max(1), health: initial, streak: 0, changed: None, last: None }
    }

    /// Takes one result and says whether it changed the server's health.
    pub fn observe(&mut self, result: ProbeResult, now: Instant) -> Option<Transition> {
        let cause = match (self.health, &result.outcome) {
            (Health::Unknown, Ok(_)) => Some(Cause::Rise(1)),
            (Health::Unknown, Err(error)) => Some(Cause::Fall(1, error.clone())),
            (Health::Up, Ok(_)) | (Health::Down, Err(_)) => {
                self.streak = 0;
                None
            }
            (Health::Up, Err(error)) => {
                self.streak = self.streak.saturating_add(1);
                (self.streak >= self.fall).then(|| Cause::Fall(self.streak, error.clone()))
            }
            (Health::Down, Ok(_)) => {
                self.streak = self.streak.saturating_add(1);
                (self.streak >= self.rise).then_some(Cause::Rise(self.streak))
            }
        };
        self.last = Some(result);

        let transition = Transition { from: self.health, cause: cause?, at: now };
        self.health = transition.to();
        self.streak = 0;
        self.changed = Some(now);
        Some(transition)
    }

    /// New thresholds, at a reload: health, the row under way and the last result stay. A row that is
    /// already long enough for them is judged at the next result.
    pub fn set_thresholds(&mut self, rise: u16, fall: u16) {
        self.rise = rise.max(1);
        self.fall = fall.max(1);
    }

    /// What is known of the server.
    pub fn health(&self) -> Health {
        self.health
    }

    /// When health last changed; `None` when it never has.
    pub fn changed(&self) -> Option<Instant> {
        self.changed
    }

    /// The last probe that ended: an error's `Display` is its cause.
    pub fn last(&self) -> Option<&ProbeResult> {
        self.last.as_ref()
    }

    /// Whether the last results speak against the server's health, but not often enough yet.
    pub fn is_changing(&self) -> bool {
        self.streak > 0
    }

    /// Between the starts of two probes, before jitter: `interval_changing` while health is in doubt.
    pub fn interval(&self, check: &Check) -> Duration {
        if self.is_changing() { check.interval_changing } else { check.interval }
    }

    /// From the start of the last probe to the start of the next one: the interval, give or take
    /// `jitter_percent`. `random` is drawn evenly from 0 to 1.
    pub fn next_delay(&self, check: &Check, random: f64) -> Duration {
        let interval = self.interval(check);
        let spread = f64::from(check.jitter_percent.min(100)) / 100.0;
        let factor = 1.0 + (2.0 * random.clamp(0.0, 1.0) - 1.0) * spread;
        Duration::try_from_secs_f64(interval.as_secs_f64() * factor).unwrap_or(interval)
    }

    /// From a server's first appearance to the start of its first probe: up to 200 ms, so that those of a
    /// large pool don't all start at once. `random` is drawn evenly from 0 to 1.
    pub fn first_delay(check: &Check, random: f64) -> Duration {
        let most = check.interval.min(FIRST_DELAY_MAX);
        Duration::try_from_secs_f64(most.as_secs_f64() * random.clamp(0.0, 1.0)).unwrap_or(most)
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::StatusCode;
    use proptest::prelude::*;

    use super::*;
    use crate::health::Passed;
    use crate::model::CheckKind;

    fn result(ok: bool) -> ProbeResult {
        let outcome =
            if ok { Ok(Passed { status: Some(StatusCode::OK) }) } else { Err(ProbeError::NoAnswer) };
        ProbeResult { outcome, took: Duration::from_millis(3), ended: SystemTime::UNIX_EPOCH }
    }

    fn feed(machine: &mut Machine, results: &[bool]) -> Vec<Health> {
        let now = Instant::now();
        results.iter().filter_map(|&ok| machine.observe(result(ok), now)).map(|t| t.to()).collect()
    }

    #[test]
    fn unknown_is_usable_and_the_first_result_alone_decides() {
        for (first, health) in [(true, Health::Up), (false, Health::Down)] {
            let mut machine = Machine::new(5, 5, Health::Unknown);
            assert!(machine.health().is_usable());
            let transition = machine.observe(result(first), Instant::now()).expect("a transition");
            assert_eq!((transition.from, transition.to()), (Health::Unknown, health));
            assert_eq!(machine.health(), health);
        }
    }

    #[test]
    fn a_transition_carries_its_cause() {
        let mut machine = Machine::new(2, 2, Health::Up);
        let now = Instant::now();
        assert_eq!(machine.observe(result(false), now), None);
        let down = Transition { from: Health::Up, cause: Cause::Fall(2, ProbeError::NoAnswer), at: now };
        assert_eq!(machine.observe(result(false), now), Some(down));
        assert_eq!(machine.changed(), Some(now));
        assert_eq!(machine.observe(result(true), now), None);
        let up = Transition { from: Health::Down, cause: Cause::Rise(2), at: now };
        assert_eq!(machine.observe(result(true), now), Some(up));
    }

    #[test]
    fn a_result_the_other_way_breaks_the_row() {
        let mut machine = Machine::new(2, 3, Health::Up);
        assert!(feed(&mut machine, &[false, false, true, false, false, true]).is_empty());
        assert_eq!(feed(&mut machine, &[false, false, false, true, false, true]), [Health::Down]);
        assert_eq!(feed(&mut machine, &[true]), [Health::Up]);
    }

    #[test]
    fn the_last_check_is_kept() {
        let mut machine = Machine::new(2, 3, Health::Unknown);
        assert_eq!(machine.last(), None);
        feed(&mut machine, &[true, false]);
        let last = machine.last().expect("two probes ended");
        assert_eq!(last.outcome, Err(ProbeError::NoAnswer));
        assert_eq!(last.took, Duration::from_millis(3));
    }

    #[test]
    fn the_interval_is_shorter_while_health_is_in_doubt() {
        let check = Check::with_defaults(CheckKind::Tcp);
        let mut machine = Machine::new(2, 2, Health::Unknown);
        for (ok, interval) in [
            (true, check.interval),
            (false, check.interval_changing),
            (true, check.interval),
            (false, check.interval_changing),
            (false, check.interval),
            (true, check.interval_changing),
            (true, check.interval),
        ] {
            feed(&mut machine, &[ok]);
            assert_eq!(machine.interval(&check), interval);
        }
    }

    #[test]
    fn new_thresholds_keep_the_health_and_the_row() {
        let mut machine = Machine::new(2, 5, Health::Up);
        assert!(feed(&mut machine, &[false, false, false]).is_empty());
        machine.set_thresholds(2, 3);
        assert_eq!(machine.health(), Health::Up);
        assert!(machine.is_changing());
        assert_eq!(feed(&mut machine, &[false]), [Health::Down]);
    }

    proptest! {
        /// A second, slower reading of the rule: look back over all results at every step.
        #[test]
        fn health_follows_rise_and_fall_in_a_row(
            rise in 1_u16..6, fall in 1_u16..6, results in prop::collection::vec(any::<bool>(), 0..200),
        ) {
            let mut machine = Machine::new(rise, fall, Health::Unknown);
            let mut up = None;
            for (n, &ok) in results.iter().enumerate() {
                let before = machine.health();
                let transition = machine.observe(result(ok), Instant::now());
                let in_a_row = results[..=n].iter().rev().take_while(|&&r| r == ok).count();
                let needed = usize::from(if ok { rise } else { fall });
                let expected = match up {
                    None => ok,
                    Some(was) if was != ok && in_a_row >= needed => ok,
                    Some(was) => was,
                };
                prop_assert_eq!(transition.is_some(), up != Some(expected));
                prop_assert_eq!(machine.health() == Health::Up, expected);
                if let Some(transition) = transition {
                    prop_assert_eq!(transition.from, before);
                    prop_assert!(before == Health::Unknown || in_a_row >= needed);
                }
                prop_assert_eq!(machine.is_changing(), ok != expected);
                up = Some(expected);
            }
        }

        #[test]
        fn delays_stay_within_the_jitter(
            millis in 1_u64..3_600_000, jitter_percent in 0_u8..=50, random in 0.0..=1.0,
        ) {
            let interval = Duration::from_millis(millis);
            let check = Check { interval, jitter_percent, ..Check::with_defaults(CheckKind::Tcp) };
            let machine = Machine::new(2, 3, Health::Unknown);
            let delay = machine.next_delay(&check, random).as_secs_f64();
            let (middle, spread) = (interval.as_secs_f64(), f64::from(jitter_percent) / 100.0);
            prop_assert!(delay >= middle * (1.0 - spread) - 1e-6 && delay <= middle * (1.0 + spread) + 1e-6);
            prop_assert!(Machine::first_delay(&check, random) <= FIRST_DELAY_MAX.min(interval));
        }

        #[test]
        fn odd_randomness_is_not_a_panic(random in prop::num::f64::ANY) {
            let check = Check::with_defaults(CheckKind::Tcp);
            Machine::new(2, 3, Health::Up).next_delay(&check, random);
            Machine::first_delay(&check, random);
        }
    }
}
