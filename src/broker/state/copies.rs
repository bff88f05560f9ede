//! How far slaves have copied the tables that are not in the log.
//!
//! ```text
//! slave: "I have topics 7, groups 3, ..; tell me when that is no more all" --watch--> answered when a table has changed
//! master: topic created -> topics 8 -> the watch is answered -> the slave fetches, and watches with topics 8
//!                                       SYNC_MASTER: whoever created the topic is answered only now
//! ```
//!
//! Java's slaves ask once a minute; what changed since is lost when such a slave is promoted. A slave that does not watch (one
//! of Java's) is waited for by nobody.

use std::collections::BTreeMap;

use crate::protocol::ids::{BrokerId, Millis};

/// Watches that may wait; a further one is answered at once.
const WATCHES_MAX: usize = 64;
/// Offsets change all the time: a slave is told of them at most this often.
const OFFSETS_EVERY_MILLIS: i64 = 100;
/// A slave that was not heard of for this long is waited for no more; it asks again every 10 s at the latest.
const ATTACHED_MILLIS: i64 = 15_000;

/// How often each table has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revisions {
    /// `topics.json`.
    pub topics: u64,
    /// `subscriptionGroup.json`.
    pub groups: u64,
    /// `consumerOffset.json`.
    pub consumer_offsets: u64,
    /// `delayOffset.json`.
    pub delay_offsets: u64,
}

impl Revisions {
    /// Whether topics and groups are those of `other`, or later ones.
    fn covers(self, other: Revisions) -> bool {
        self.topics >= other.topics && self.groups >= other.groups
    }
}

#[derive(Debug)]
struct Watch<K> {
    key: K,
    slave: BrokerId,
    seen: Revisions,
    until: Millis,
}

#[derive(Debug)]
struct Slave {
    has: Revisions,
    heard: Millis,
    /// When it was last told of a change.
    told: Millis,
}

#[derive(Debug)]
struct Waiting<T> {
    revisions: Revisions,
    slaves: usize,
    until: Millis,
    waiting: T,
}

/// The watches of slaves, and whoever waits for what they copy. `K` names a watch, `T` is an answer that waits.
#[derive(Debug)]
pub struct Copies<K, T> {
    watches: Vec<Watch<K>>,
    slaves: BTreeMap<BrokerId, Slave>,
    waiting: Vec<Waiting<T>>,
}

impl<K, T> Default for Copies<K, T> {
    fn default() -> Self {
        Copies { watches: Vec::new(), slaves: BTreeMap::new(), waiting: Vec::new() }
    }
}

impl<K: Copy, T> Copies<K, T> {
    /// A slave has these tables and wants to know when there are others; `false` when it is to be answered at once.
    pub fn watch(&mut self, now: Millis, key: K, slave: BrokerId, has: Revisions, until: Millis) -> bool {
        let known = self.slaves.entry(slave).or_insert(Slave { has, heard: now, told: Millis(i64::MIN) });
        (known.has, known.heard) = (has, now);
        if self.watches.len() >= WATCHES_MAX {
            return false;
        }
        self.watches.push(Watch { key, slave, seen: has, until });
        true
    }

    /// The watches to answer, because of a change or because they have waited long enough.
    pub fn due(&mut self, now: Millis, current: Revisions) -> Vec<K> {
        let mut due = Vec::new();
        let slaves = &mut self.slaves;
        self.watches.retain(|watch| {
            let Some(slave) = slaves.get_mut(&watch.slave) else { return false };
            let urgent = (watch.seen.topics, watch.seen.groups) != (current.topics, current.groups);
            let changed = watch.seen != current && now >= slave.told.plus(OFFSETS_EVERY_MILLIS);
            if urgent || changed {
                slave.told = now;
            }
            let answered = urgent || changed || now >= watch.until;
            if answered {
                due.push(watch.key);
            }
            !answered
        });
        due
    }

    /// Whether so many slaves have these topics and groups; slaves that are not there are not counted on.
    #[must_use]
    pub fn are_made(&self, now: Millis, slaves: usize, revisions: Revisions) -> bool {
        if slaves == 0 {
            return true;
        }
        let attached = self.slaves.values().filter(|slave| now.since(slave.heard) < ATTACHED_MILLIS);
        let (mut count, mut have) = (0, 0);
        for slave in attached {
            count += 1;
            have += usize::from(slave.has.covers(revisions));
        }
        have >= slaves.min(count)
    }

    /// An answer that waits until so many slaves have these topics and groups.
    pub fn wait(&mut self, slaves: usize, revisions: Revisions, until: Millis, waiting: T) {
        self.waiting.push(Waiting { revisions, slaves, until, waiting });
    }

    /// The answers that have waited enough, each with whether the slaves have what it waited for.
    pub fn made(&mut self, now: Millis) -> Vec<(bool, T)> {
        let (mut made, mut left) = (Vec::new(), Vec::new());
        for waiting in std::mem::take(&mut self.waiting) {
            let is_made = self.are_made(now, waiting.slaves, waiting.revisions);
            if is_made || now >= waiting.until {
                made.push((is_made, waiting.waiting));
            } else {
                left.push(waiting);
            }
        }
        self.waiting = left;
        made
    }

    /// All that wait, when the broker stops: watches and answers.
    pub fn drain(&mut self) -> (Vec<K>, Vec<T>) {
        let watches = std::mem::take(&mut self.watches).into_iter().map(|watch| watch.key).collect();
        (watches, std::mem::take(&mut self.waiting).into_iter().map(|waiting| waiting.waiting).collect())
    }

    /// When there is something to do without any event.
    #[must_use]
    pub fn next_deadline(&self, current: Revisions) -> Option<Millis> {
        let watch = |watch: &Watch<K>| match self.slaves.get(&watch.slave) {
            Some(slave) if watch.seen != current => slave.told.plus(OFFSETS_EVERY_MILLIS).min(watch.until),
            _ => watch.until,
        };
        let watches = self.watches.iter().map(watch);
        watches.chain(self.waiting.iter().map(|waiting| waiting.until)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(topics: u64, consumer_offsets: u64) -> Revisions {
        Revisions { topics, consumer_offsets, ..Revisions::default() }
    }

    #[test]
    fn topics_are_told_at_once_and_offsets_not_too_often() {
        let mut copies: Copies<u32, ()> = Copies::default();
        let mut now = Millis(0);
        let mut check = |copies: &mut Copies<u32, ()>, at: i64, current: Revisions, expected: &[u32]| {
            now = Millis(at);
            assert_eq!(copies.due(now, current), expected);
        };
        assert!(copies.watch(Millis(0), 1, BrokerId(1), has(1, 1), Millis(10_000)));
        check(&mut copies, 5, has(1, 1), &[]);
        check(&mut copies, 6, has(1, 2), &[1]);
        copies.watch(Millis(7), 2, BrokerId(1), has(1, 2), Millis(10_007));
        check(&mut copies, 8, has(1, 3), &[]);
        assert_eq!(copies.next_deadline(has(1, 3)), Some(Millis(106)));
        check(&mut copies, 106, has(1, 3), &[2]);
        copies.watch(Millis(107), 3, BrokerId(1), has(1, 3), Millis(10_107));
        check(&mut copies, 108, has(2, 3), &[3]);
        copies.watch(Millis(109), 4, BrokerId(1), has(2, 3), Millis(10_109));
        check(&mut copies, 10_109, has(2, 3), &[4]);
    }

    #[test]
    fn whoever_creates_a_topic_waits_for_the_slaves_that_are_there() {
        let mut copies: Copies<u32, char> = Copies::default();
        assert!(copies.are_made(Millis(0), 1, has(5, 0)), "nobody is there");
        copies.watch(Millis(0), 1, BrokerId(1), has(4, 0), Millis(10_000));
        copies.watch(Millis(0), 2, BrokerId(2), has(4, 0), Millis(10_000));
        assert!(!copies.are_made(Millis(0), 1, has(5, 0)));
        for (slaves, waiting) in [(1, 'a'), (2, 'b')] {
            copies.wait(slaves, has(5, 0), Millis(3_000), waiting);
        }
        assert_eq!(copies.made(Millis(1)), []);
        copies.watch(Millis(2), 3, BrokerId(2), has(5, 0), Millis(10_002));
        assert_eq!(copies.made(Millis(2)), [(true, 'a')]);
        assert_eq!(copies.made(Millis(3_000)), [(false, 'b')]);
        // The other one is away for too long.
        assert!(!copies.are_made(Millis(14_999), 2, has(5, 0)));
        assert!(copies.are_made(Millis(15_000), 2, has(5, 0)));
    }
}
