//! Durations counted in buckets, as Prometheus histograms want them.

use std::time::Duration;

use super::{Counter, PerWorker};

/// The upper bounds of the buckets, in seconds; a last one takes whatever is longer.
pub const SECONDS_BOUNDS: [f64; 16] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// The same in microseconds.
const MICROS_BOUNDS: [u64; 16] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000,
];

/// Durations of one kind, as one worker saw them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Histogram {
    buckets: [Counter; SECONDS_BOUNDS.len() + 1],
    micros: Counter,
}

/// The sums of all workers' [`Histogram`].
#[derive(Debug, Default, Clone, Copy)]
pub struct HistogramTotals {
    /// How many durations fell into each bucket alone (not cumulated); the last is beyond every bound.
    pub buckets: [u64; SECONDS_BOUNDS.len() + 1],
    /// The sum of all durations, in seconds.
    pub seconds: f64,
}

impl Histogram {
    pub(crate) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = MICROS_BOUNDS.partition_point(|&bound| bound < micros);
        self.buckets[bucket].add(1);
        self.micros.add(micros);
    }
}

impl PerWorker<Histogram> {
    /// The sums over all workers.
    pub fn totals(&self) -> HistogramTotals {
        let mut totals = HistogramTotals::default();
        for block in &self.0 {
            for (sum, bucket) in totals.buckets.iter_mut().zip(&block.buckets) {
                *sum += bucket.get();
            }
            totals.seconds += block.micros.get() as f64 / 1e6;
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_on_a_bound_belongs_to_that_bucket() {
        let histogram = PerWorker::<Histogram>::new(2);
        histogram.of(0).observe(Duration::from_micros(500));
        histogram.of(1).observe(Duration::from_micros(501));
        histogram.of(1).observe(Duration::from_secs(3600));
        let totals = histogram.totals();
        assert_eq!(totals.buckets[0], 1);
        assert_eq!(totals.buckets[1], 1);
        assert_eq!(totals.buckets[16], 1);
        for (micros, seconds) in MICROS_BOUNDS.iter().zip(SECONDS_BOUNDS) {
            assert!((*micros as f64 / 1e6 - seconds).abs() < 1e-12);
        }
    }
}
