//! Time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Two clocks: the wall clock that is stored in messages, and one that never goes back, for measuring and waiting.
pub trait Clock: Send + Sync {
    /// Milliseconds since the Unix epoch; may jump when the operator sets the clock.
    fn now_millis(&self) -> i64;

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

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn now_millis(&self) -> i64 {
        // A clock before 1970 counts as 1970; a clock 292 million years ahead does not occur.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}
