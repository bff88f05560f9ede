//! Time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Two clocks: the wall clock that is stored in messages, and one that never goes back, for measuring and waiting.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch; may jump when the operator sets the clock.
    fn now_millis(&self) -> i64;

    /// Microseconds since the Unix epoch, for measuring between processes of one machine; as exact as [`Clock::now_millis`]
    /// where the clock has nothing finer.
    fn now_micros(&self) -> i64 {
        self.now_millis().saturating_mul(1_000)
    }

    /// Time since some fixed moment before; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    pub fn new() -> Self {
        SystemClock { started: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock before 1970 counts as 1970; one 292,000 years ahead does not occur.
#[expect(clippy::disallowed_methods, reason = "this is the door")]
fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Clock for SystemClock {
    fn now_millis(&self) -> i64 {
        i64::try_from(since_epoch().as_millis()).unwrap_or(i64::MAX)
    }

    fn now_micros(&self) -> i64 {
        i64::try_from(since_epoch().as_micros()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
