//! What happened in some time on some connections; two of them merge into one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

/// Latencies are kept to three digits up to this; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Different errors that are told apart; codes come from the network.
const ERRORS_MAX: usize = 64;
/// An interval holds 190 KB.
const RECORDERS_MAX: usize = 64;

/// Counts and latencies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Interval {
    /// Messages sent and acknowledged (one way: sent), or received.
    pub(super) messages: u64,
    /// Bytes of their bodies.
    pub(super) bytes: u64,
    /// Requests answered with success.
    pub(super) requests: u64,
    /// Requests that were not, by reason.
    pub(super) errors: BTreeMap<String, u64>,
    /// In microseconds.
    latency: Histogram<u64>,
}

/// Points of a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub(super) struct Percentiles {
    pub(super) p50_us: u64,
    pub(super) p90_us: u64,
    pub(super) p99_us: u64,
    pub(super) p99_9_us: u64,
    pub(super) max_us: u64,
    pub(super) mean_us: f64,
}

impl Interval {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the library accepts")]
    pub(super) fn new() -> Interval {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        let mut latency = Histogram::new_with_bounds(1, longest, 3).expect("valid bounds");
        latency.auto(false);
        Interval { messages: 0, bytes: 0, requests: 0, errors: BTreeMap::new(), latency }
    }

    /// One request with success.
    pub(super) fn success(&mut self, messages: u64, bytes: u64) {
        self.requests += 1;
        self.messages += messages;
        self.bytes += bytes;
    }

    /// How long something took.
    pub(super) fn latency(&mut self, took: Duration) {
        self.latency.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    /// One request without success.
    pub(super) fn error(&mut self, reason: &str) {
        self.errors_of(reason, 1);
    }

    fn errors_of(&mut self, reason: &str, count: u64) {
        let known = self.errors.len() < ERRORS_MAX || self.errors.contains_key(reason);
        *self.errors.entry(if known { reason } else { "other" }.to_owned()).or_default() += count;
    }

    /// All requests without success.
    pub(super) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Adds what happened in `other`.
    pub(super) fn merge(&mut self, other: &Interval) {
        self.messages += other.messages;
        self.bytes += other.bytes;
        self.requests += other.requests;
        for (reason, count) in &other.errors {
            self.errors_of(reason, *count);
        }
        let added = self.latency.add(&other.latency);
        debug_assert!(added.is_ok(), "all intervals have the same bounds");
    }

    /// Nothing happened yet, without giving memory back.
    fn clear(&mut self) {
        self.messages = 0;
        self.bytes = 0;
        self.requests = 0;
        self.errors.clear();
        // `clear` would keep the greatest value seen.
        self.latency.reset();
    }

    /// `None` when no latency was measured.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        let at = |quantile| self.latency.value_at_quantile(quantile);
        (!self.latency.is_empty()).then(|| Percentiles {
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p99_9_us: at(0.999),
            max_us: self.latency.max(),
            mean_us: self.latency.mean(),
        })
    }
}

/// More than one interval, so that lanes of different connections do not wait for each other.
#[derive(Debug)]
pub(super) struct Recorders(Vec<Mutex<Interval>>);

impl Recorders {
    pub(super) fn new(connections: usize) -> Recorders {
        Recorders((0..connections.clamp(1, RECORDERS_MAX)).map(|_| Mutex::new(Interval::new())).collect())
    }

    /// Records on behalf of a connection.
    pub(super) fn record(&self, connection: usize, what: impl FnOnce(&mut Interval)) {
        what(&mut self.0[connection % self.0.len()].lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What happened on all connections since the last call.
    pub(super) fn take(&self) -> Interval {
        let mut sum = Interval::new();
        for recorder in &self.0 {
            let mut interval = recorder.lock().unwrap_or_else(PoisonError::into_inner);
            sum.merge(&interval);
            interval.clear();
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(latencies: impl IntoIterator<Item = u64>, errors: &[&str]) -> Interval {
        let mut interval = Interval::new();
        for micros in latencies {
            interval.success(1, 10);
            interval.latency(Duration::from_micros(micros));
        }
        errors.iter().for_each(|reason| interval.error(reason));
        interval
    }

    #[test]
    fn merging_is_the_same_as_recording_together() {
        let mut merged = interval(1..=500, &["busy"]);
        merged.merge(&interval(501..=1000, &["busy", "closed"]));
        assert_eq!(merged, interval(1..=1000, &["busy", "busy", "closed"]));
        assert_eq!((merged.messages, merged.bytes, merged.failed()), (1000, 10_000, 3));
        let expected =
            Percentiles { p50_us: 500, p90_us: 900, p99_us: 990, p99_9_us: 999, max_us: 1000, mean_us: 500.5 };
        assert_eq!(merged.percentiles(), Some(expected));
    }

    #[test]
    fn nothing_measured_has_no_percentiles() {
        assert_eq!(interval([], &["busy"]).percentiles(), None);
    }

    #[test]
    fn an_hour_is_the_longest_latency() {
        let longest = interval([u64::MAX], &[]).percentiles().unwrap().max_us;
        assert!((3_600_000_000..3_610_000_000).contains(&longest), "{longest}");
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let reasons: Vec<String> = (0..100).map(|code| format!("code {code}")).collect();
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        let errors = interval([], &reasons);
        assert_eq!((errors.errors.len(), errors.failed(), errors.errors["other"]), (ERRORS_MAX + 1, 100, 36));
    }

    #[test]
    fn taking_empties_all_connections() {
        let recorders = Recorders::new(2);
        recorders.record(0, |interval| interval.success(1, 10));
        recorders.record(0, |interval| interval.latency(Duration::from_secs(1)));
        recorders.record(1, |interval| interval.success(2, 20));
        let taken = recorders.take();
        assert_eq!((taken.messages, taken.bytes, taken.requests), (3, 30, 2));
        assert_eq!(recorders.take(), Interval::new());
        recorders.record(0, |interval| interval.latency(Duration::from_millis(1)));
        assert_eq!(recorders.take().percentiles().map(|points| points.max_us), Some(1_000));
    }
}
