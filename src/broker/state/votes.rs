//! Locks that more than half of a group must grant (Java: `lockInStrictMode`, `AdminBrokerProcessor.lockBatchMQ`).
//!
//! ```text
//! a client locks {0, 1} -> this broker grants {0, 1}, the second {0}, the third does not answer
//!                       -> 2 of 3 for 0: locked; 1 of 3 for 1: refused and given back wherever it was granted
//! ```
//!
//! Java keeps the locks of a vote that has failed until they expire.

use std::collections::{BTreeMap, BTreeSet};

use super::locks::LockedQueue;
use crate::protocol::body::lock::LockRequest;

/// Votes under way, each under the key of whoever waits for it.
#[derive(Debug)]
pub struct Votes<K> {
    open: BTreeMap<K, Vote>,
}

#[derive(Debug)]
struct Vote {
    asked: LockRequest,
    granted: BTreeMap<LockedQueue, usize>,
    missing: usize,
    quorum: usize,
}

/// How a vote has ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What was asked for.
    pub asked: LockRequest,
    /// Granted by enough.
    pub locked: BTreeSet<LockedQueue>,
    /// Granted by too few, this broker perhaps among them.
    pub refused: BTreeSet<LockedQueue>,
}

impl<K> Default for Votes<K> {
    fn default() -> Self {
        Votes { open: BTreeMap::new() }
    }
}

impl<K: Ord + Copy> Votes<K> {
    /// Begins with the grants of this broker; `others` will answer. Ends at once when nobody will.
    pub fn begin(
        &mut self,
        key: K,
        asked: LockRequest,
        own: BTreeSet<LockedQueue>,
        others: usize,
        quorum: usize,
    ) -> Option<Outcome> {
        let granted = own.into_iter().map(|queue| (queue, 1)).collect();
        let vote = Vote { asked, granted, missing: others, quorum };
        if others == 0 {
            return Some(vote.end());
        }
        self.open.insert(key, vote);
        None
    }

    /// One of the others has granted these, or has not answered; the result after the last of them.
    pub fn answered(&mut self, key: K, granted: BTreeSet<LockedQueue>) -> Option<Outcome> {
        let vote = self.open.get_mut(&key)?;
        for queue in granted.into_iter().filter(|queue| vote.asked.mq_set.contains(queue)) {
            *vote.granted.entry(queue).or_default() += 1;
        }
        vote.missing -= 1;
        if vote.missing > 0 {
            return None;
        }
        self.open.remove(&key).map(Vote::end)
    }
}

impl Vote {
    fn end(self) -> Outcome {
        let enough = |queue: &LockedQueue| self.granted.get(queue).is_some_and(|votes| *votes >= self.quorum);
        let (locked, refused) = self.asked.mq_set.iter().cloned().partition(enough);
        Outcome { asked: self.asked, locked, refused }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(ids: &[i32]) -> BTreeSet<LockedQueue> {
        let queue = |id: &i32| LockedQueue { topic: "t".into(), broker_name: "b".into(), queue_id: *id };
        ids.iter().map(queue).collect()
    }

    /// Asks for the queues 0, 1 and 2 with a quorum of 2; what this broker grants, what each other one does.
    fn check(own: &[i32], others: &[&[i32]], locked: &[i32]) {
        let asked = LockRequest { mq_set: queues(&[0, 1, 2]), ..LockRequest::default() };
        let mut votes = Votes::default();
        let mut outcome = votes.begin(7, asked.clone(), queues(own), others.len(), 2);
        for granted in others {
            assert_eq!(outcome, None);
            outcome = votes.answered(7, queues(granted));
        }
        let refused = queues(&[0, 1, 2]).difference(&queues(locked)).cloned().collect();
        assert_eq!(outcome, Some(Outcome { asked, locked: queues(locked), refused }));
        assert!(votes.open.is_empty());
    }

    #[test]
    fn more_than_half_must_grant() {
        check(&[0, 1, 2], &[&[0], &[]], &[0]);
        check(&[0, 1], &[&[0, 2], &[2, 9]], &[0, 2]);
        check(&[0, 1, 2], &[], &[]);
    }
}
