//! How long the stages of a request take and how big batches are: plain numbers, counted by the actor and the pool, read by scrapes
//! without asking the actor.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of times in microseconds; one more bucket takes what is longer.
pub const MICROS_BOUNDS: [u64; 9] = [20, 50, 200, 1_000, 5_000, 20_000, 100_000, 500_000, 2_000_000];

/// Upper bounds of batches; the actor takes at most 512 requests at a time.
pub const BATCH_BOUNDS: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/// Counts by upper bound.
#[derive(Debug, Default)]
pub struct Histogram {
    counts: [AtomicU64; 10],
    sum: AtomicU64,
}

/// The stages of one broker's requests.
#[derive(Debug, Default)]
pub struct Stages {
    /// From the arrival of a request to the actor's taking it, in microseconds.
    pub queue: Histogram,
    /// One write of all appends of a batch, in microseconds.
    pub append: Histogram,
    /// One sync of the log, from its order to its end, in microseconds.
    pub flush: Histogram,
    /// One batch as a whole: decisions, write, dispatch, answers; in microseconds.
    pub turn: Histogram,
    /// Requests taken in one batch.
    pub requests: Histogram,
    /// Appends, each a message or a client's batch, written in one write.
    pub appends: Histogram,
}

impl Histogram {
    fn record(&self, bounds: &[u64; 9], value: u64) {
        let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    pub(super) fn time(&self, took: Duration) {
        self.record(&MICROS_BOUNDS, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(super) fn size(&self, size: usize) {
        self.record(&BATCH_BOUNDS, size as u64);
    }

    /// Counts by bucket, the one above all bounds last.
    #[must_use]
    pub fn counts(&self) -> [u64; 10] {
        std::array::from_fn(|bucket| self.counts[bucket].load(Ordering::Relaxed))
    }

    /// Sum of all values.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fill: impl FnOnce(&Histogram), counts: [u64; 10], sum: u64) {
        let histogram = Histogram::default();
        fill(&histogram);
        assert_eq!((histogram.counts(), histogram.sum()), (counts, sum));
    }

    #[test]
    fn a_value_on_the_bound_is_below_it() {
        check(|sizes| sizes.size(1), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1);
        check(|sizes| sizes.size(3), [0, 0, 1, 0, 0, 0, 0, 0, 0, 0], 3);
        check(|sizes| sizes.size(512), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 512);
        check(|times| times.time(Duration::from_nanos(20_999)), [1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 20);
        check(|times| times.time(Duration::from_secs(3)), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 3_000_000);
    }
}
