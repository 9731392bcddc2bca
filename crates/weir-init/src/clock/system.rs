//! What can be done to a clock, and the kernel's own, which a test leaves alone.

use std::time::Duration;

use clock_steering::unix::UnixClock;
use clock_steering::{Clock as _, LeapIndicator, TimeOffset};

/// How far off the clock may be thought to be, as the kernel is told; it writes the hardware's clock while this holds.
const ERROR_ESTIMATE: Duration = Duration::from_millis(10);

/// And at most.
const ERROR_MAX: Duration = Duration::from_millis(500);

/// A clock that can be moved.
pub trait SystemClock: Send {
    /// Moves it by so many seconds at once.
    ///
    /// # Errors
    /// What the kernel says against it.
    fn step(&self, seconds: f64) -> Result<(), String>;

    /// Has it run by so many millionths faster than it does on its own.
    ///
    /// # Errors
    /// What the kernel says against it.
    fn run_at(&self, ppm: f64) -> Result<(), String>;

    /// Says that it is right now: the kernel carries it over to the hardware's clock.
    ///
    /// # Errors
    /// What the kernel says against it.
    fn synchronised(&self) -> Result<(), String>;
}

/// The machine's own.
#[derive(Debug, Clone, Copy)]
pub struct KernelClock;

impl SystemClock for KernelClock {
    fn step(&self, seconds: f64) -> Result<(), String> {
        UnixClock::CLOCK_REALTIME.step_clock(offset(seconds)).map(drop).map_err(|error| error.to_string())
    }

    fn run_at(&self, ppm: f64) -> Result<(), String> {
        let clock = UnixClock::CLOCK_REALTIME;
        // The kernel's own loop would correct what is corrected here.
        clock.disable_kernel_ntp_algorithm().map_err(|error| error.to_string())?;
        clock.set_frequency(ppm).map(drop).map_err(|error| error.to_string())
    }

    fn synchronised(&self) -> Result<(), String> {
        let clock = UnixClock::CLOCK_REALTIME;
        clock.error_estimate_update(ERROR_ESTIMATE, ERROR_MAX).map_err(|error| error.to_string())?;
        clock.set_leap_seconds(LeapIndicator::NoWarning).map_err(|error| error.to_string())
    }
}

/// Whole seconds, rounded down, and the nanoseconds on top: -0.25 s are -1 s and 750,000,000 ns.
fn offset(seconds: f64) -> TimeOffset {
    let whole = seconds.floor();
    let nanos = ((seconds - whole) * 1e9) as u32;
    TimeOffset { seconds: whole as i64, nanos: nanos.min(999_999_999) }
}

#[cfg(test)]
mod tests {
    use super::offset;

    #[test]
    fn a_negative_offset_has_positive_nanoseconds() {
        let offset = offset(-0.25);
        assert_eq!((offset.seconds, offset.nanos), (-1, 750_000_000));
    }

    #[test]
    fn a_whole_second_has_none() {
        let offset = offset(3.0);
        assert_eq!((offset.seconds, offset.nanos), (3, 0));
    }
}
