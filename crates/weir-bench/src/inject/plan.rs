//! When what happens: the parts of a run, its seconds, and when each user and each request comes. Pure; all times are
//! since the start of the run.

use std::time::Duration;

use super::options::{Mode, Options};
use super::outcome::Phase;

const SECOND: Duration = Duration::from_secs(1);

/// The parts of a run that new requests come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    ramp_up: Duration,
    warm_up: Duration,
    duration: Duration,
}

/// A second of a run, or less where its part ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick {
    pub(super) start: Duration,
    pub(super) end: Duration,
    pub(super) phase: Phase,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let &Options { ramp_up, warm_up, duration, .. } = options;
        Self { ramp_up, warm_up, duration }
    }

    /// When measuring begins.
    pub(super) fn measured_from(&self) -> Duration {
        self.ramp_up + self.warm_up
    }

    /// When it ends, and no new request comes.
    pub(super) fn end(&self) -> Duration {
        self.measured_from() + self.duration
    }

    /// The first tick that ends after this time; none where no new request comes any more.
    pub(super) fn tick_after(&self, at: Duration) -> Option<Tick> {
        let parts = [
            (Phase::RampUp, Duration::ZERO, self.ramp_up),
            (Phase::WarmUp, self.ramp_up, self.measured_from()),
            (Phase::Measured, self.measured_from(), self.end()),
        ];
        let (phase, from, to) = parts.into_iter().find(|&(_, _, to)| at < to)?;
        let whole = Duration::from_secs(at.saturating_sub(from).as_secs());
        let start = from + whole;
        Some(Tick { phase, start, end: (start + SECOND).min(to) })
    }
}

/// When requests come that come at a rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Arrivals {
    rate: f64,
    ramp_up: f64,
}

impl Arrivals {
    /// None in a closed loop.
    pub(super) fn new(options: &Options) -> Option<Self> {
        match options.mode {
            Mode::Closed { .. } => None,
            Mode::Open { rate, .. } => Some(Self { rate, ramp_up: options.ramp_up.as_secs_f64() }),
        }
    }

    /// When the request of this number comes, counted from 0. While the rate grows from nothing, r·t²/2R have come by
    /// the time t.
    pub(super) fn due(&self, number: u64) -> Duration {
        let number = number as f64;
        let ramped = self.rate * self.ramp_up / 2.0;
        Duration::from_secs_f64(if number < ramped {
            (2.0 * number * self.ramp_up / self.rate).sqrt()
        } else {
            self.ramp_up + (number - ramped) / self.rate
        })
    }

    /// How many of the numbers `next`, `next + step`, … are due before `end`.
    pub(super) fn left(&self, next: u64, step: u64, end: Duration) -> u64 {
        // The first number that is not due any more.
        let seconds = end.as_secs_f64();
        let ramped = self.rate * self.ramp_up / 2.0;
        let first = if seconds < self.ramp_up {
            self.rate * seconds * seconds / (2.0 * self.ramp_up)
        } else {
            ramped + self.rate * (seconds - self.ramp_up)
        };
        let first = first.ceil() as u64;
        first.saturating_sub(next).div_ceil(step.max(1))
    }
}

/// When the user of this number comes, of so many: one after the other over the time in which the load grows.
pub(super) fn user_start(number: u32, users: u32, ramp_up: Duration) -> Duration {
    ramp_up.mul_f64(f64::from(number) / f64::from(users.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_run_is_cut_into_seconds_and_at_the_ends_of_its_parts() {
        let plan = Plan { ramp_up: MS(1500), warm_up: MS(0), duration: MS(2200) };
        let mut at = Duration::ZERO;
        let mut ticks = Vec::new();
        while let Some(tick) = plan.tick_after(at) {
            assert_eq!(tick.start, at);
            ticks.push((tick.phase, tick.end.as_millis()));
            at = tick.end;
        }
        let measured = [2500, 3500, 3700].map(|end| (Phase::Measured, end));
        assert_eq!(ticks, [&[(Phase::RampUp, 1000), (Phase::RampUp, 1500)][..], &measured].concat());
        assert_eq!(plan.tick_after(MS(1700)).map(|tick| tick.end), Some(MS(2500)));
    }

    #[test]
    fn requests_come_at_the_rate_and_ever_faster_before() {
        let steady = Arrivals { rate: 100.0, ramp_up: 0.0 };
        assert_eq!((steady.due(0), steady.due(1), steady.due(250)), (MS(0), MS(10), MS(2500)));
        let ramped = Arrivals { rate: 100.0, ramp_up: 2.0 };
        // 100 come in two seconds of ramp-up, a quarter of them in its first half.
        assert_eq!((ramped.due(25), ramped.due(100), ramped.due(101)), (MS(1000), MS(2000), MS(2010)));
    }

    #[test]
    fn what_is_left_is_counted_as_it_would_have_come() {
        for arrivals in [Arrivals { rate: 97.0, ramp_up: 0.0 }, Arrivals { rate: 97.0, ramp_up: 1.7 }] {
            for end in [MS(0), MS(900), MS(1700), MS(3010)] {
                for (next, step) in [(0, 1), (3, 4), (500, 1)] {
                    let counted = (next..5000).step_by(step).filter(|&k| arrivals.due(k) < end).count();
                    assert_eq!(
                        arrivals.left(next, step as u64, end),
                        counted as u64,
                        "{arrivals:?} {end:?} {next}"
                    );
                }
            }
        }
    }

    #[test]
    fn users_come_one_after_the_other() {
        let starts = [0, 1, 2, 3].map(|number| user_start(number, 4, MS(1000)).as_millis());
        assert_eq!(starts, [0, 250, 500, 750]);
        assert_eq!(user_start(3, 4, MS(0)), MS(0));
    }
}
