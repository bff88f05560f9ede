//! One counted thing over Java's three windows (`StatsItem`), pure.
//!
//! Samples are taken every 10 s, 10 min and 1 h; a window is the difference between its newest and its oldest sample.

use std::collections::VecDeque;

use crate::protocol::body::stats::{BrokerStatsData, BrokerStatsItem};
use crate::protocol::ids::Millis;

pub(super) const SECONDS_MILLIS: i64 = 10_000;
pub(super) const MINUTES_MILLIS: i64 = 600_000;
pub(super) const HOUR_MILLIS: i64 = 3_600_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    at: Millis,
    value: u64,
    times: u64,
}

/// The samples of one window, oldest first.
#[derive(Debug, Default)]
struct Window {
    samples: VecDeque<Sample>,
}

impl Window {
    fn sample(&mut self, sample: Sample, period_millis: i64, samples_max: usize) {
        if self.samples.is_empty() {
            self.samples.push_back(Sample { at: sample.at.plus(-period_millis), value: 0, times: 0 });
        }
        self.samples.push_back(sample);
        while self.samples.len() > samples_max {
            self.samples.pop_front();
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "rates for people")]
    fn read(&self) -> BrokerStatsItem {
        let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) else {
            return BrokerStatsItem::default();
        };
        let sum = last.value - first.value;
        let times = last.times - first.times;
        let millis = last.at.since(first.at).max(1);
        BrokerStatsItem {
            sum: i64::try_from(sum).unwrap_or(i64::MAX),
            tps: sum as f64 * 1000.0 / millis as f64,
            avgpt: if times > 0 { sum as f64 / times as f64 } else { 0.0 },
        }
    }
}

/// One counted thing.
#[derive(Debug, Default)]
pub struct Series {
    value: u64,
    times: u64,
    touched: Millis,
    minute: Window,
    hour: Window,
    day: Window,
}

impl Series {
    /// Counts `value` once.
    pub fn add(&mut self, now: Millis, value: u64) {
        self.value += value;
        self.times += 1;
        self.touched = now;
    }

    /// All that was ever counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.value
    }

    /// When something was counted last.
    pub(super) fn touched(&self) -> Millis {
        self.touched
    }

    /// The three windows.
    #[must_use]
    pub fn read(&self) -> BrokerStatsData {
        BrokerStatsData { stats_minute: self.minute.read(), stats_hour: self.hour.read(), stats_day: self.day.read() }
    }

    pub(super) fn sample(&mut self, now: Millis, due: &Due) {
        let sample = Sample { at: now, value: self.value, times: self.times };
        if due.seconds {
            self.minute.sample(sample, SECONDS_MILLIS, 7);
        }
        if due.minutes {
            self.hour.sample(sample, MINUTES_MILLIS, 7);
        }
        if due.hour {
            self.day.sample(sample, HOUR_MILLIS, 25);
        }
    }
}

/// Which windows get a sample now.
pub(super) struct Due {
    pub(super) seconds: bool,
    pub(super) minutes: bool,
    pub(super) hour: bool,
}
