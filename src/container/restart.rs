//! When a broker that failed is started again: pure.
//!
//! ```text
//! failed --1 s--> start --failed--> 2 s, 4 s, .. 60 s, 60 s, ...
//!                   \---serves for HEALTHY---> the next failure begins at 1 s again
//! ```
//!
//! There is no last try: what is wrong is mostly outside (a disk that is full, a port that is taken), and an operator who
//! mends it must not have to know this process too. A stuck broker costs one start a minute.

use std::time::Duration;

/// Pause after the first failure.
pub const PAUSE_MIN: Duration = Duration::from_secs(1);

/// Longest pause.
pub const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A broker that served this long was well; its next failure is a first one.
pub const HEALTHY: Duration = Duration::from_secs(60);

/// What is remembered of one broker. Times are monotonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    failures: u32,
    serving_since: Option<Duration>,
}

/// What happened to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It serves.
    Serves,
    /// It did not start, or ended by itself.
    Failed,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Watch,
    /// Start it again at this time.
    StartAt(Duration),
}

impl Restart {
    /// Applies one event.
    pub fn apply(&mut self, now: Duration, event: Event) -> Action {
        match event {
            Event::Serves => {
                self.serving_since = Some(now);
                Action::Watch
            }
            Event::Failed => {
                let served = self.serving_since.take().map(|since| now.saturating_sub(since));
                if served.is_some_and(|served| served >= HEALTHY) {
                    self.failures = 0;
                }
                let pause = PAUSE_MIN.saturating_mul(1 << self.failures.min(6)).min(PAUSE_MAX);
                self.failures = self.failures.saturating_add(1);
                Action::StartAt(now + pause)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies events at seconds and compares the pauses, in seconds, that failures brought.
    fn check(events: &[(u64, Event)], expected: &[u64]) {
        let mut restart = Restart::default();
        let mut pauses = Vec::new();
        for &(second, event) in events {
            let now = Duration::from_secs(second);
            if let Action::StartAt(at) = restart.apply(now, event) {
                pauses.push((at - now).as_secs());
            }
        }
        assert_eq!(pauses, expected);
    }

    #[test]
    fn pauses_grow_to_a_minute_and_stay_there() {
        check(&[(0, Event::Failed); 9], &[1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_healthy_time_forgives_and_a_short_one_does_not() {
        use Event::{Failed, Serves};
        check(&[(0, Failed), (1, Serves), (60, Failed)], &[1, 2]);
        check(&[(0, Failed), (1, Failed), (3, Serves), (63, Failed)], &[1, 2, 1]);
    }

    #[test]
    fn only_the_last_run_counts_as_healthy() {
        use Event::{Failed, Serves};
        check(&[(0, Serves), (100, Failed), (101, Failed), (200, Failed)], &[1, 2, 4]);
    }
}
