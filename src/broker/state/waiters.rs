//! Answers that wait until their messages are safe: on disk (SYNC_FLUSH), with enough replicas (SYNC_MASTER), both, or committed by a DLedger
//! group.
//!
//! ```text
//! lane {flush, 0 replicas}   end 10 .. 20 .. 30     flushed 25: 10 and 20 are answered
//! lane {flush, 1 replica}    end 12 .. 22           held by 1: 15: 12 is answered
//! ```
//!
//! Appends come in log order, so each lane is in order of its ends. A waiter is answered exactly once: with its answer when all it
//! waits for is reached, or as late at its deadline (the message is stored and stays visible then, as in Java). Lanes do not
//! wait for each other, and a late waiter holds up nobody behind it (in Java's `GroupTransferService` it does).

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::ids::{Millis, PhysicalOffset};

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Goal {
    /// Its bytes are on this broker's disk.
    pub flush: bool,
    /// So many followers hold its bytes.
    pub replicas: usize,
    /// Its group has committed its bytes.
    pub commit: bool,
}

impl Goal {
    /// Whether there is nothing to wait for.
    #[must_use]
    pub fn is_reached_at_once(self) -> bool {
        self == Goal::default()
    }
}

/// Until when a waiter waits for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// `syncFlushTimeout`.
    pub flush: Millis,
    /// `slaveTimeout`.
    pub replicas: Millis,
    /// The longest a DLedger group may take.
    pub commit: Millis,
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// The sync.
    Flush,
    /// The followers; in Java their status is told when both are late.
    Replicas,
    /// The group: whether it ever commits the message nobody knows.
    Commit,
}

#[derive(Debug)]
struct Waiter<T> {
    end: PhysicalOffset,
    deadlines: Deadlines,
    waiting: T,
}

#[derive(Debug)]
struct Lane<T> {
    queue: VecDeque<Waiter<T>>,
    /// Up to where enough followers hold the log.
    held: PhysicalOffset,
}

/// Whoever waits for its messages to be safe.
#[derive(Debug)]
pub struct Waiters<T> {
    lanes: BTreeMap<Goal, Lane<T>>,
    flushed: PhysicalOffset,
    committed: PhysicalOffset,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { lanes: BTreeMap::new(), flushed: PhysicalOffset(0), committed: PhysicalOffset(0) }
    }
}

impl<T> Waiters<T> {
    /// Waits for everything below `end`; `held` is up to where so many followers hold the log now.
    pub fn push(&mut self, goal: Goal, end: PhysicalOffset, deadlines: Deadlines, held: PhysicalOffset, waiting: T) {
        assert!(!goal.is_reached_at_once(), "whoever waits for nothing is answered");
        let lane = self.lanes.entry(goal).or_insert_with(|| Lane { queue: VecDeque::new(), held });
        lane.held = held;
        assert!(lane.queue.back().is_none_or(|last| last.end <= end), "appends come in log order");
        lane.queue.push_back(Waiter { end, deadlines, waiting });
    }

    /// The log is flushed up to here; those who have waited for that.
    pub fn flushed(&mut self, flushed: PhysicalOffset) -> Vec<T> {
        self.flushed = flushed;
        self.reached()
    }

    /// The group has committed the log up to here; those who have waited for that.
    pub fn committed(&mut self, committed: PhysicalOffset) -> Vec<T> {
        self.committed = committed;
        self.reached()
    }

    /// Followers hold more, or less, than before: up to where so many of them do. Those who have waited for that.
    pub fn held(&mut self, held_by: impl Fn(usize) -> PhysicalOffset) -> Vec<T> {
        for (goal, lane) in &mut self.lanes {
            lane.held = held_by(goal.replicas);
        }
        self.reached()
    }

    fn reached(&mut self) -> Vec<T> {
        let mut reached = Vec::new();
        for (goal, lane) in &mut self.lanes {
            let mut safe = lane.held;
            if goal.flush {
                safe = safe.min(self.flushed);
            }
            if goal.commit {
                safe = safe.min(self.committed);
            }
            let ready = lane.queue.partition_point(|waiter| waiter.end <= safe);
            reached.extend(lane.queue.drain(..ready).map(|waiter| waiter.waiting));
        }
        reached
    }

    /// Those whose deadline has passed, and what they missed.
    ///
    /// Deadlines are in queue order but for a wall clock that jumps back; then they are answered late, not lost.
    pub fn expired(&mut self, now: Millis) -> Vec<(Late, T)> {
        let mut late = Vec::new();
        if self.next_deadline().is_none_or(|deadline| now < deadline) {
            return late;
        }
        let (flushed, committed) = (self.flushed, self.committed);
        for (goal, lane) in &mut self.lanes {
            let held = lane.held;
            let missed = |waiter: &Waiter<T>| {
                if goal.commit && waiter.end > committed && now >= waiter.deadlines.commit {
                    Some(Late::Commit)
                } else if goal.replicas > 0 && waiter.end > held && now >= waiter.deadlines.replicas {
                    Some(Late::Replicas)
                } else if goal.flush && waiter.end > flushed && now >= waiter.deadlines.flush {
                    Some(Late::Flush)
                } else {
                    None
                }
            };
            for waiter in std::mem::take(&mut lane.queue) {
                match missed(&waiter) {
                    Some(missed) => late.push((missed, waiter.waiting)),
                    None => lane.queue.push_back(waiter),
                }
            }
        }
        late
    }

    /// All of them, when the store has failed or the broker stops.
    pub fn drain(&mut self) -> Vec<T> {
        let lanes = std::mem::take(&mut self.lanes);
        lanes.into_values().flat_map(|lane| lane.queue).map(|waiter| waiter.waiting).collect()
    }

    /// When the next one has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        let deadlines = self.lanes.iter().flat_map(|(goal, lane)| {
            let first_above = |offset| lane.queue.get(lane.queue.partition_point(|waiter| waiter.end <= offset));
            let flush = if goal.flush { first_above(self.flushed) } else { None };
            let replicas = if goal.replicas > 0 { first_above(lane.held) } else { None };
            let commit = if goal.commit { first_above(self.committed) } else { None };
            [
                flush.map(|waiter| waiter.deadlines.flush),
                replicas.map(|waiter| waiter.deadlines.replicas),
                commit.map(|waiter| waiter.deadlines.commit),
            ]
        });
        deadlines.flatten().min()
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.values().map(|lane| lane.queue.len()).sum()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLUSH: Goal = Goal { flush: true, replicas: 0, commit: false };
    const ONE: Goal = Goal { flush: false, replicas: 1, commit: false };
    const BOTH: Goal = Goal { flush: true, replicas: 1, commit: false };
    const GROUP: Goal = Goal { flush: false, replicas: 0, commit: true };
    const EVERYBODY: PhysicalOffset = PhysicalOffset(i64::MAX);
    const NOBODY: PhysicalOffset = PhysicalOffset(0);

    fn by(flush: i64, replicas: i64) -> Deadlines {
        Deadlines { flush: Millis(flush), replicas: Millis(replicas), commit: Millis(4) }
    }

    fn three() -> Waiters<char> {
        let mut waiters = Waiters::default();
        for (end, deadline, name) in [(10, 5, 'a'), (20, 6, 'b'), (30, 7, 'c')] {
            waiters.push(FLUSH, PhysicalOffset(end), by(deadline, 3), EVERYBODY, name);
        }
        waiters
    }

    #[test]
    fn flushed_answers_a_prefix_once() {
        let mut waiters = three();
        assert_eq!(waiters.flushed(PhysicalOffset(9)), vec![]);
        assert_eq!(waiters.flushed(PhysicalOffset(20)), vec!['a', 'b']);
        assert_eq!(waiters.flushed(PhysicalOffset(20)), vec![]);
        assert_eq!(waiters.flushed(PhysicalOffset(99)), vec!['c']);
    }

    #[test]
    fn deadlines_answer_the_oldest() {
        let mut waiters = three();
        assert_eq!(waiters.next_deadline(), Some(Millis(5)));
        assert_eq!(waiters.expired(Millis(6)), vec![(Late::Flush, 'a'), (Late::Flush, 'b')]);
        assert_eq!(waiters.flushed(PhysicalOffset(20)), vec![]);
        assert_eq!(waiters.expired(Millis(7)), vec![(Late::Flush, 'c')]);
        assert_eq!(waiters.next_deadline(), None);
    }

    #[test]
    fn both_must_be_reached_and_lanes_do_not_wait_for_each_other() {
        let mut waiters = Waiters::default();
        waiters.push(BOTH, PhysicalOffset(10), by(9, 5), NOBODY, 'a');
        waiters.push(ONE, PhysicalOffset(20), by(9, 5), NOBODY, 'b');
        waiters.push(FLUSH, PhysicalOffset(30), by(9, 5), EVERYBODY, 'c');
        waiters.push(BOTH, PhysicalOffset(40), by(9, 5), NOBODY, 'd');
        let held = |offset| move |replicas| if replicas == 0 { EVERYBODY } else { PhysicalOffset(offset) };
        assert_eq!(waiters.held(held(20)), vec!['b']);
        assert_eq!(waiters.flushed(PhysicalOffset(15)), vec!['a']);
        assert_eq!(waiters.held(held(40)), vec![]);
        assert_eq!(waiters.flushed(PhysicalOffset(40)), vec!['c', 'd']);
        assert!(waiters.is_empty());
    }

    #[test]
    fn a_late_one_holds_up_nobody_and_replicas_are_told_first() {
        let mut waiters = Waiters::default();
        for (end, name) in [(10, 'a'), (20, 'b'), (30, 'c')] {
            waiters.push(BOTH, PhysicalOffset(end), by(9, 5), NOBODY, name);
        }
        assert_eq!(waiters.held(|_| PhysicalOffset(10)), vec![]);
        assert_eq!(waiters.next_deadline(), Some(Millis(5)));
        assert_eq!(waiters.expired(Millis(5)), vec![(Late::Replicas, 'b'), (Late::Replicas, 'c')]);
        assert_eq!(waiters.next_deadline(), Some(Millis(9)));
        waiters.push(BOTH, PhysicalOffset(40), by(19, 15), PhysicalOffset(10), 'd');
        assert_eq!(waiters.expired(Millis(9)), vec![(Late::Flush, 'a')]);
        assert_eq!(waiters.held(|_| PhysicalOffset(40)), vec![]);
        assert_eq!(waiters.flushed(PhysicalOffset(40)), vec!['d']);
    }

    #[test]
    fn a_group_answers_what_it_has_committed() {
        let mut waiters = Waiters::default();
        for (end, name) in [(10, 'a'), (20, 'b'), (30, 'c')] {
            waiters.push(GROUP, PhysicalOffset(end), by(9, 9), EVERYBODY, name);
        }
        assert_eq!(waiters.flushed(PhysicalOffset(99)), vec![]);
        assert_eq!(waiters.committed(PhysicalOffset(10)), vec!['a']);
        assert_eq!(waiters.next_deadline(), Some(Millis(4)));
        assert_eq!(waiters.expired(Millis(3)), vec![]);
        assert_eq!(waiters.expired(Millis(4)), vec![(Late::Commit, 'b'), (Late::Commit, 'c')]);
        assert!(waiters.is_empty());
    }
}
