//! What a thread counts in a tick: counts, and latencies in histograms of a fixed size.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::outcome::{Counts, ErrorKind, Latency};

/// Latencies are told apart from this on.
const LEAST_NS: u64 = 256;

/// And up to this; what takes longer counts as this long.
const MOST_NS: u64 = 3600 * 1_000_000_000;

/// The digits that are right.
const DIGITS: u8 = 3;

/// Counts and latencies.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    pub(super) counts: Counts,
    latency: Histogram<u64>,
    connecting: Histogram<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self { counts: Counts::default(), latency: histogram(), connecting: histogram() }
    }

    /// A request was answered as it should be.
    pub(super) fn answered(&mut self, latency: Duration) {
        self.counts.responses += 1;
        self.latency.saturating_record(nanoseconds(latency));
    }

    /// There is a connection.
    pub(super) fn connected(&mut self, time: Duration) {
        self.counts.connections += 1;
        self.connecting.saturating_record(nanoseconds(time));
    }

    /// Something went wrong.
    pub(super) fn failed(&mut self, kind: ErrorKind) {
        *self.counts.errors.of_mut(kind) += 1;
    }

    /// Adds another thread's, or another tick's.
    pub(super) fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        for (ours, theirs) in [(&mut self.latency, &other.latency), (&mut self.connecting, &other.connecting)]
        {
            ours.add(theirs).expect("all histograms here have the same bounds");
        }
    }

    pub(super) fn latency(&self) -> Latency {
        summary(&self.latency)
    }

    pub(super) fn connecting(&self) -> Latency {
        summary(&self.connecting)
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LEAST_NS, MOST_NS, DIGITS).expect("these bounds are in order")
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn summary(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile: f64| histogram.value_at_quantile(quantile) as f64 / 1e3;
    Latency {
        count: histogram.len(),
        min_us: histogram.min() as f64 / 1e3,
        mean_us: histogram.mean() / 1e3,
        p50_us: at(0.5),
        p75_us: at(0.75),
        p90_us: at(0.9),
        p95_us: at(0.95),
        p99_us: at(0.99),
        p999_us: at(0.999),
        p9999_us: at(0.9999),
        max_us: histogram.max() as f64 / 1e3,
        histogram: histogram
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_since_last_iteration()))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let (mut tally, mut other) = (Tally::new(), Tally::new());
        for millis in 1..=1000 {
            let tally = if millis % 2 == 0 { &mut tally } else { &mut other };
            tally.answered(Duration::from_millis(millis));
        }
        other.connected(Duration::from_micros(50));
        tally.add(&other);
        let latency = tally.latency();
        let near = |value: f64, wanted: f64| (value - wanted).abs() <= wanted / 900.0;
        assert!(near(latency.p50_us, 500e3) && near(latency.p99_us, 990e3), "{latency:?}");
        assert!(near(latency.min_us, 1e3) && near(latency.max_us, 1000e3), "{latency:?}");
        assert_eq!(latency.histogram.iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert_eq!((tally.counts.responses, tally.connecting().count), (1000, 1));
    }

    #[test]
    fn nothing_has_no_percentiles_and_an_age_counts_as_an_hour() {
        let mut tally = Tally::new();
        assert_eq!(tally.latency(), Latency::default());
        tally.answered(Duration::from_secs(1 << 40));
        assert!(tally.latency().max_us <= 3700e6);
        assert_eq!(tally.latency().count, 1);
    }
}
