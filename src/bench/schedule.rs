//! When the next request is due, and from when its latency counts.
//!
//! Open loop: request `n` is due at `n / rate` seconds after the start, whoever sends it. Lanes take numbers in turn; when all of
//! them wait for answers, requests become due unsent, and their waiting counts as latency. Measuring only from the moment of
//! sending would leave out just the requests that a stalled server kept from being sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The runtime's timers go by milliseconds, so a lane that slept may wake this much too late through no fault of the server.
const TIMER_ERROR: Duration = Duration::from_millis(2);

/// When requests are due. Shared by all lanes.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Requests a second; `None` for the closed loop.
    rate: Option<f64>,
    next: AtomicU64,
}

impl Schedule {
    pub(super) fn new(requests_per_second: Option<f64>) -> Schedule {
        Schedule { rate: requests_per_second, next: AtomicU64::new(0) }
    }

    /// The number of the next request, and when it is due, counted from the start; `None`: as soon as there is a lane for it.
    pub(super) fn take(&self) -> (u64, Option<Duration>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number, self.rate.map(|rate| due(number, rate)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
fn due(number: u64, rate: f64) -> Duration {
    Duration::from_secs_f64(number as f64 / rate)
}

/// From when the latency of a request counts that was due at `due` and is sent at `now`.
///
/// `slept`: the lane was free before and slept until `due`. Being late by no more than a timer's error is then the load
/// generator's fault, and the request counts from `now`. In any other case it counts from `due`.
pub(super) fn counts_from(due: Duration, slept: bool, now: Duration) -> Duration {
    if slept && now.saturating_sub(due) <= TIMER_ERROR { now.max(due) } else { due }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn requests_are_due_at_fixed_times() {
        let schedule = Schedule::new(Some(250.0));
        let taken: Vec<_> = (0..4).map(|_| schedule.take()).collect();
        assert_eq!(taken, [(0, Some(ms(0))), (1, Some(ms(4))), (2, Some(ms(8))), (3, Some(ms(12)))]);
        assert_eq!(due(10_000_000, 250.0), Duration::from_secs(40_000));
        assert_eq!(Schedule::new(None).take(), (0, None));
    }

    #[test]
    fn latency_counts_from_the_due_time() {
        let check = |due, slept, now, expected| assert_eq!(counts_from(due, slept, now), expected);
        check(ms(100), false, ms(100), ms(100));
        check(ms(100), false, ms(101), ms(100));
        check(ms(100), false, ms(900), ms(100));
        check(ms(100), true, ms(102), ms(102));
        check(ms(100), true, ms(103), ms(100));
    }

    /// A server that answers in 1 ms but stalls once for a second: one lane, 100 requests a second. Measured from sending only one request of
    /// 200 would be slow; measured from the due time every request that fell into the stall is.
    #[test]
    fn a_stall_shows_in_all_requests_that_were_due_in_it() {
        let schedule = Schedule::new(Some(100.0));
        let (mut free_at, mut slow) = (ms(0), 0);
        for _ in 0..200 {
            let (number, due) = schedule.take();
            let due = due.unwrap();
            let (slept, sent) = (free_at < due, free_at.max(due));
            free_at = sent + if number == 50 { ms(1_000) } else { ms(1) };
            if free_at - counts_from(due, slept, sent) > ms(100) {
                slow += 1;
            }
        }
        assert_eq!(slow, 100);
    }
}
