//! Queue locks of ordered consumers (Java: `RebalanceLockManager`).
//!
//! A lock belongs to a client id and lasts 60 s after its last renewal. Locks live in memory: after a restart clients
//! take them anew, as with Java.

use std::collections::{BTreeMap, BTreeSet};

use crate::protocol::ids::Millis;

/// How long a lock lasts without renewal (Java: `rocketmq.broker.rebalance.lockMaxLiveTime`).
pub const LEASE_MILLIS: i64 = 60_000;

/// One queue as clients name it.
pub type LockedQueue = crate::protocol::body::MessageQueue;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Lock {
    client: String,
    renewed: Millis,
}

impl Lock {
    fn expired(&self, now: Millis) -> bool {
        now.since(self.renewed) > LEASE_MILLIS
    }
}

/// All locks of a broker.
#[derive(Debug, Default)]
pub struct Locks {
    groups: BTreeMap<String, BTreeMap<LockedQueue, Lock>>,
}

impl Locks {
    /// Takes or renews what is free, expired or the client's own; returns the queues it holds now.
    pub fn lock(
        &mut self,
        now: Millis,
        group: &str,
        client: &str,
        queues: &BTreeSet<LockedQueue>,
    ) -> BTreeSet<LockedQueue> {
        let held = self.groups.entry(group.to_owned()).or_default();
        let mut granted = BTreeSet::new();
        for queue in queues {
            let free = held.get(queue).is_none_or(|lock| lock.client == client || lock.expired(now));
            if free {
                held.insert(queue.clone(), Lock { client: client.to_owned(), renewed: now });
                granted.insert(queue.clone());
            }
        }
        granted
    }

    /// Gives locks back; another client's locks stay.
    pub fn unlock(&mut self, group: &str, client: &str, queues: &BTreeSet<LockedQueue>) {
        let Some(held) = self.groups.get_mut(group) else { return };
        for queue in queues {
            if held.get(queue).is_some_and(|lock| lock.client == client) {
                held.remove(queue);
            }
        }
        if held.is_empty() {
            self.groups.remove(group);
        }
    }

    /// Whether some queue of the group is locked, that is, the group consumes in order.
    #[must_use]
    pub fn any_live(&self, now: Millis, group: &str) -> bool {
        self.groups.get(group).is_some_and(|held| held.values().any(|lock| !lock.expired(now)))
    }

    /// Forgets all of them: another broker gives locks now.
    pub fn clear(&mut self) {
        self.groups.clear();
    }

    /// Forgets expired locks, so that groups that are gone leave nothing behind.
    pub fn expire(&mut self, now: Millis) {
        self.groups.retain(|_, held| {
            held.retain(|_, lock| !lock.expired(now));
            !held.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(id: i32) -> LockedQueue {
        LockedQueue { topic: "t".into(), broker_name: "b".into(), queue_id: id }
    }

    /// Runs lock requests of (time, client, queue ids) and compares what each was granted.
    fn check(requests: &[(i64, &str, &[i32])], granted: &[&[i32]]) {
        let mut locks = Locks::default();
        let got: Vec<Vec<i32>> = requests
            .iter()
            .map(|(now, client, ids)| {
                let queues: BTreeSet<_> = ids.iter().map(|id| queue(*id)).collect();
                locks.lock(Millis(*now), "g", client, &queues).iter().map(|queue| queue.queue_id).collect()
            })
            .collect();
        assert_eq!(got, granted.iter().map(|ids| ids.to_vec()).collect::<Vec<_>>());
    }

    #[test]
    fn first_come_first_served_until_the_lease_ends() {
        check(
            &[
                (0, "a", &[0, 1]),
                (1, "b", &[0, 1, 2]),
                (60_000, "b", &[0]),
                (60_001, "b", &[0]),
                (60_002, "a", &[0, 1]),
            ],
            &[&[0, 1], &[2], &[], &[0], &[1]],
        );
    }

    #[test]
    fn renewal_extends_the_lease() {
        check(&[(0, "a", &[0]), (50_000, "a", &[0]), (100_000, "b", &[0])], &[&[0], &[0], &[]]);
    }

    #[test]
    fn only_the_holder_unlocks_and_expiry_forgets() {
        let mut locks = Locks::default();
        locks.lock(Millis(0), "g", "a", &BTreeSet::from([queue(0)]));
        locks.unlock("g", "b", &BTreeSet::from([queue(0)]));
        assert!(locks.any_live(Millis(1), "g"));
        locks.unlock("g", "a", &BTreeSet::from([queue(0)]));
        assert!(!locks.any_live(Millis(1), "g"));
        locks.lock(Millis(0), "g", "a", &BTreeSet::from([queue(0)]));
        locks.expire(Millis(60_001));
        assert!(locks.groups.is_empty());
    }
}
