//! What a measured offset means: jump or run at another speed, and when to measure again. Pure.
//!
//! A frequency-locked loop, the simple half of RFC 5905's: the crystal's own error is learned from what was off since
//! the last time; what is off now is made good by running faster or slower for a while. A clock that never jumps keeps
//! logs in order and timers true, so it jumps only at first and where running would take hours.

use std::time::Duration;

/// From here on the clock jumps: RFC 5905's step threshold.
const STEP_FROM_SECONDS: f64 = 0.128;

/// How much faster or slower than its own speed the clock is made to run; a second in half an hour is not noticed.
const SLEW_PPM_MAX: f64 = 400.0;

/// An error of the crystal beyond this is a mistake in measuring it: RFC 5905's tolerance is 500, and the kernel's.
const DRIFT_PPM_MAX: f64 = 100.0;

/// How much of a newly seen error is believed: networks are noisier than crystals.
const DRIFT_GAIN: f64 = 0.25;

/// The first poll after the clock was set, and the most and least of later ones; NTP pools ask for 64 s or more.
const PAUSE_MIN: Duration = Duration::from_secs(64);
const PAUSE_MAX: Duration = Duration::from_secs(1024);

/// Offsets below are the network's noise: poll less often.
const QUIET_SECONDS: f64 = 0.010;

/// What to do with the clock now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Adjustment {
    /// Jump by so many seconds, then run at this speed.
    Step {
        /// Seconds, positive where the clock is behind.
        offset: f64,
        /// The crystal's correction, in millionths.
        ppm: f64,
    },
    /// Run at this speed until the next measurement is due, then at the crystal's.
    Slew {
        /// In millionths.
        ppm: f64,
    },
}

/// The loop's memory.
#[derive(Debug)]
pub(super) struct Discipline {
    /// When the last offset was measured, on a clock that nobody sets. None: the clock was never set.
    measured: Option<Duration>,
    drift_ppm: f64,
    pause: Duration,
}

impl Discipline {
    pub(super) fn new() -> Self {
        Self { measured: None, drift_ppm: 0.0, pause: PAUSE_MIN }
    }

    /// Takes a measurement: at `now`, the clock is behind by `offset` seconds.
    pub(super) fn measured(&mut self, now: Duration, offset: f64) -> Adjustment {
        let Some(before) = self.measured.replace(now) else {
            return self.step(offset);
        };
        if offset.abs() >= STEP_FROM_SECONDS {
            return self.step(offset);
        }
        let elapsed = now.saturating_sub(before).as_secs_f64().max(1.0);
        let seen_ppm = offset / elapsed * 1e6;
        self.drift_ppm = (self.drift_ppm + DRIFT_GAIN * seen_ppm).clamp(-DRIFT_PPM_MAX, DRIFT_PPM_MAX);
        self.pause = if offset.abs() < QUIET_SECONDS { self.pause * 2 } else { self.pause / 2 };
        self.pause = self.pause.clamp(PAUSE_MIN, PAUSE_MAX);
        self.run(offset)
    }

    /// How long until the next measurement.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// What makes good the crystal's own error, as far as it is known.
    pub(super) fn drift_ppm(&self) -> f64 {
        self.drift_ppm
    }

    fn step(&mut self, offset: f64) -> Adjustment {
        self.pause = PAUSE_MIN;
        Adjustment::Step { offset, ppm: self.drift_ppm }
    }

    /// Makes `offset` good within the pause, or as far as the highest speed gets.
    fn run(&self, offset: f64) -> Adjustment {
        let ppm = (offset / self.pause.as_secs_f64() * 1e6).clamp(-SLEW_PPM_MAX, SLEW_PPM_MAX);
        Adjustment::Slew { ppm: self.drift_ppm + ppm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_measurement_is_a_step_however_small() {
        let mut discipline = Discipline::new();
        assert_eq!(discipline.measured(at(0), 0.001), Adjustment::Step { offset: 0.001, ppm: 0.0 });
        assert_eq!(discipline.pause(), PAUSE_MIN);
    }

    #[test]
    fn a_small_offset_is_made_good_by_running_and_polls_grow_rare() {
        let mut discipline = Discipline::new();
        discipline.measured(at(0), 1000.0);
        let adjustment = discipline.measured(at(64), 0.002);
        let Adjustment::Slew { ppm } = adjustment else { panic!("{adjustment:?}") };
        assert!(ppm > 0.0 && ppm < SLEW_PPM_MAX, "{ppm}");
        for poll in 1..10 {
            discipline.measured(at(64 + poll * 1024), 0.0);
        }
        assert_eq!(discipline.pause(), PAUSE_MAX);
    }

    #[test]
    fn a_jump_of_the_hypervisor_is_followed_at_once() {
        let mut discipline = Discipline::new();
        discipline.measured(at(0), 0.0);
        discipline.measured(at(64), 0.0);
        assert_eq!(discipline.measured(at(192), -3600.0), Adjustment::Step { offset: -3600.0, ppm: 0.0 });
        assert_eq!(discipline.pause(), PAUSE_MIN);
    }

    #[test]
    fn a_crystal_that_is_off_by_50_ppm_is_learned() {
        let mut discipline = Discipline::new();
        let (mut now, mut offset) = (0, 0.0);
        for _ in 0..60 {
            let ppm = match discipline.measured(at(now), offset) {
                Adjustment::Slew { ppm } => ppm,
                Adjustment::Step { offset: by, ppm } => {
                    offset -= by;
                    ppm
                }
            };
            let pause = discipline.pause();
            now += pause.as_secs();
            // The clock loses 50 millionths on its own, and gains what it is told to.
            offset += (50.0 - ppm) * 1e-6 * pause.as_secs_f64();
        }
        assert!(offset.abs() < 0.001, "{offset}");
        assert!((discipline.drift_ppm() - 50.0).abs() < 1.0, "{}", discipline.drift_ppm());
    }

    #[test]
    fn no_measurement_makes_the_crystal_worse_than_it_can_be() {
        let mut discipline = Discipline::new();
        discipline.measured(at(0), 0.0);
        for poll in 1..100 {
            discipline.measured(at(poll), 0.12);
        }
        assert!(discipline.drift_ppm <= DRIFT_PPM_MAX);
    }
}
