//! The hardware's watchdog: it resets a machine whose process 1 hangs, or whose data plane can't be brought to life.
//!
//! It is fed by the deciding thread, so a thread that hangs feeds nobody. Its own timeout (30 or 60 s, the drivers' default)
//! is left as it is, which is several times [`FEED_EVERY`].

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

/// How often it is fed.
pub(crate) const FEED_EVERY: Duration = Duration::from_secs(5);
/// How long the data plane may give no sign of life before the machine is better off with a reset. The child is restarted
/// long before.
const SILENCE_MAX: Duration = Duration::from_secs(300);
const DEVICE: &str = "/dev/watchdog0";

/// A watchdog that is running.
#[derive(Debug)]
pub(crate) struct Watchdog {
    device: File,
    fed: Option<Instant>,
}

impl Watchdog {
    /// Takes the first one; opening it makes it run.
    pub(crate) fn open() -> Option<Self> {
        let device = OpenOptions::new().write(true).open(DEVICE).ok()?;
        Some(Self { device, fed: None })
    }

    /// What it is, for people.
    pub(crate) fn identity() -> String {
        let read = std::fs::read_to_string("/sys/class/watchdog/watchdog0/identity");
        read.map_or_else(|_| "watchdog".to_owned(), |name| name.trim().to_owned())
    }

    /// Feeds it where that is due and the data plane lives.
    pub(crate) fn feed(&mut self, now: Instant, alive: Instant) {
        if is_due(self.fed, now, alive) {
            self.fed = Some(now);
            let _ = self.device.write_all(b"\n");
        }
    }

    /// Feeds it whatever lives: while the machine is going down.
    pub(crate) fn feed_anyway(&mut self) {
        let _ = self.device.write_all(b"\n");
    }

    /// Stops it: nothing is to reset a machine that is being ended.
    pub(crate) fn stop(mut self) {
        // "Magic close": only with this is closing it not a crash.
        let _ = self.device.write_all(b"V");
    }
}

fn is_due(fed: Option<Instant>, now: Instant, alive: Instant) -> bool {
    fed.is_none_or(|fed| now.duration_since(fed) >= FEED_EVERY) && now.duration_since(alive) < SILENCE_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_plane_that_gives_no_sign_of_life_ends_the_feeding() {
        let start = Instant::now();
        assert!(is_due(None, start, start));
        assert!(!is_due(Some(start), start + FEED_EVERY / 2, start));
        assert!(is_due(Some(start), start + FEED_EVERY, start));
        assert!(!is_due(Some(start), start + SILENCE_MAX, start));
        assert!(is_due(Some(start), start + SILENCE_MAX, start + SILENCE_MAX / 2));
    }
}
