//! Answers that wait until their messages are on disk (SYNC_FLUSH).
//!
//! Waiters are kept in the order of their end offset, since appends come in that order. A waiter is answered exactly
//! once: with its answer when the flushed offset reaches its end, or with FLUSH_DISK_TIMEOUT at its deadline (the
//! message is stored and stays visible then, as in Java).

use std::collections::VecDeque;

use crate::protocol::ids::{Millis, PhysicalOffset};

#[derive(Debug)]
struct Waiter<T> {
    end: PhysicalOffset,
    deadline: Millis,
    waiting: T,
}

/// Whoever waits for a flush, in log order.
#[derive(Debug)]
pub struct Waiters<T> {
    queue: VecDeque<Waiter<T>>,
}

impl<T> Default for Waiters<T> {
    fn default() -> Self {
        Waiters { queue: VecDeque::new() }
    }
}

impl<T> Waiters<T> {
    /// Waits for everything below `end`.
    pub fn push(&mut self, end: PhysicalOffset, deadline: Millis, waiting: T) {
        assert!(self.queue.back().is_none_or(|last| last.end <= end), "appends come in log order");
        self.queue.push_back(Waiter { end, deadline, waiting });
    }

    /// Those whose bytes are all flushed.
    pub fn flushed(&mut self, flushed: PhysicalOffset) -> Vec<T> {
        let ready = self.queue.partition_point(|waiter| waiter.end <= flushed);
        self.queue.drain(..ready).map(|waiter| waiter.waiting).collect()
    }

    /// Those whose deadline has passed.
    ///
    /// Deadlines are in queue order but for a wall clock that jumps back; then they are answered late, not lost.
    pub fn expired(&mut self, now: Millis) -> Vec<T> {
        let late = self.queue.iter().take_while(|waiter| waiter.deadline <= now).count();
        self.queue.drain(..late).map(|waiter| waiter.waiting).collect()
    }

    /// All of them, when the store has failed or the broker stops.
    pub fn drain(&mut self) -> Vec<T> {
        self.queue.drain(..).map(|waiter| waiter.waiting).collect()
    }

    /// When the first one has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.queue.front().map(|waiter| waiter.deadline)
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Waiters<char> {
        let mut waiters = Waiters::default();
        waiters.push(PhysicalOffset(10), Millis(5), 'a');
        waiters.push(PhysicalOffset(20), Millis(6), 'b');
        waiters.push(PhysicalOffset(30), Millis(7), 'c');
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
        assert_eq!(waiters.expired(Millis(6)), vec!['a', 'b']);
        assert_eq!(waiters.flushed(PhysicalOffset(99)), vec!['c']);
        assert_eq!(waiters.next_deadline(), None);
    }
}
