//! What is seen of a load while it lasts, on standard error: a line each second, and on a terminal below it how far the
//! run is. Pure text is made by functions of their own.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use weir_bench::inject::outcome::{Rates, Second};
use weir_bench::inject::{Options, Progress};

use super::summary::{bits, count, micros};
use crate::logging::say;

/// How wide the bar is.
const BAR: usize = 40;

/// Lines between two titles.
const TITLE_EVERY: usize = 20;

/// A run, seen.
pub(super) struct Live {
    whole: Duration,
    is_quiet: bool,
    is_terminal: bool,
    lines: usize,
    cancelled: Arc<AtomicBool>,
}

impl Live {
    pub(super) fn new(options: &Options, is_quiet: bool, cancelled: Arc<AtomicBool>) -> Self {
        let whole = options.ramp_up + options.warm_up + options.duration;
        let is_terminal = std::io::stderr().is_terminal();
        Self { whole, is_quiet, is_terminal, lines: 0, cancelled }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.clear();
    }

    fn clear(&self) {
        if self.is_terminal && !self.is_quiet {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

impl Progress for Live {
    fn second(&mut self, second: &Second) {
        if self.is_quiet {
            return;
        }
        self.clear();
        if self.lines.is_multiple_of(TITLE_EVERY) {
            say(TITLE);
        }
        self.lines += 1;
        say(&line(second));
        if self.is_terminal {
            let share = second.at_seconds / self.whole.as_secs_f64().max(f64::MIN_POSITIVE);
            let _ = write!(std::io::stderr(), "{}", bar(share, self.whole));
        }
    }

    fn notice(&mut self, text: &str) {
        self.clear();
        say(text);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }
}

const TITLE: &str =
    "    time  part        connections/s   requests/s       bit/s      p50       p99       max  errors";

fn line(second: &Second) -> String {
    let rates = Rates::of(&second.counts, second.seconds);
    let errors = second.counts.errors.describe();
    format!(
        "{:>7.1}s  {:<10}  {:>13}  {:>11}  {:>10}  {:>7}  {:>8}  {:>8}  {}",
        second.at_seconds,
        second.phase.words(),
        count(rates.connections_per_second),
        count(rates.responses_per_second),
        bits(rates.bits_per_second),
        micros(second.p50_us),
        micros(second.p99_us),
        micros(second.max_us),
        if errors.is_empty() { "-" } else { &errors },
    )
}

fn bar(share: f64, whole: Duration) -> String {
    let share = share.clamp(0.0, 1.0);
    let full = (share * BAR as f64) as usize;
    format!(
        "[{}{}] {:.0} % of {:.0} s",
        "#".repeat(full),
        ".".repeat(BAR - full),
        share * 100.0,
        whole.as_secs_f64()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_bench::inject::outcome::{Counts, Errors};

    #[test]
    fn a_second_is_a_line_with_its_errors_by_kind() {
        let errors = Errors { timeout: 2, ..Errors::default() };
        let counts = Counts {
            connections: 10,
            responses: 5000,
            bytes_received: 1_000_000,
            errors,
            ..Counts::default()
        };
        let second = Second { at_seconds: 3.0, seconds: 0.5, counts, p50_us: 120.0, ..Second::default() };
        let line = line(&second);
        for part in ["3.0s", "measured", " 20 ", " 10,000 ", "16.0 M", "120 us", "2 no answer in time"] {
            assert!(line.contains(part), "{part}: {line}");
        }
    }

    #[test]
    fn a_bar_is_as_full_as_the_run_is_far() {
        assert!(bar(0.5, Duration::from_secs(10)).starts_with(&format!(
            "[{}{}] 50 %",
            "#".repeat(20),
            ".".repeat(20)
        )));
        assert!(bar(7.0, Duration::from_secs(1)).contains("100 %"));
    }
}
