//! Bytes per second, as Java's `FlowMonitor` counts them: those of the last whole second.

use crate::protocol::ids::Millis;

/// A count that starts anew each second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    began: Millis,
    running: u64,
    last: u64,
}

impl Rate {
    /// So many bytes were carried.
    pub fn add(&mut self, now: Millis, bytes: usize) {
        self.turn(now);
        self.running += bytes as u64;
    }

    /// Bytes of the second that is running.
    pub fn running(&mut self, now: Millis) -> u64 {
        self.turn(now);
        self.running
    }

    /// Bytes of the last whole second.
    pub fn per_second(&mut self, now: Millis) -> u64 {
        self.turn(now);
        self.last
    }

    /// When the second that is running ends.
    #[must_use]
    pub fn next_second(&self) -> Millis {
        self.began.plus(1_000)
    }

    fn turn(&mut self, now: Millis) {
        match now.since(self.began) {
            0..1_000 => {}
            1_000..2_000 => *self = Rate { began: self.next_second(), running: 0, last: self.running },
            _ => *self = Rate { began: now, running: 0, last: 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_counts_when_it_is_over() {
        let mut rate = Rate::default();
        let mut check = |now, bytes, last| {
            rate.add(Millis(now), bytes);
            assert_eq!(rate.per_second(Millis(now)), last, "at {now}");
        };
        check(5_000, 10, 0);
        check(5_999, 20, 0);
        check(6_000, 5, 30);
        check(7_500, 0, 5);
        check(7_999, 0, 5);
        check(8_000, 0, 0);
        check(100, 7, 0);
    }
}
