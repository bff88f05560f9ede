//! Messages that may be lost, doubled, late and out of order; streams that are in order until they break.

use std::collections::{BTreeMap, BTreeSet};

use mqcontainer::protocol::ha::Epoch;

use crate::chance::Chance;
use crate::log::Record;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(pub u64);

/// What a link of the log carries.
#[derive(Clone, Debug)]
pub enum Word {
    Hello,
    Welcome {
        epochs: Vec<Epoch>,
        end: i64,
    },
    /// What the follower has, and what of it is safe.
    Report {
        written: i64,
        safe: i64,
    },
    Frame {
        from: i64,
        records: Vec<Record>,
    },
    End,
}

/// A connection from a follower to its leader, of one term.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub follower: usize,
    pub leader: usize,
    pub term: i32,
    /// Of the leader's process.
    pub leader_life: u64,
    arrives: [i64; 2],
}

#[derive(Debug)]
pub struct Network {
    pub chance: Chance,
    pub lost_permille: i64,
    pub doubled_permille: i64,
    pub late_permille: i64,
    pub stall_permille: i64,
    pub streams: BTreeMap<StreamId, Stream>,
    cut: BTreeSet<(usize, usize)>,
    next: u64,
}

impl Network {
    pub fn new(mut chance: Chance) -> Network {
        let lost_permille = [0, 10, 100, 300][chance.below(4)];
        let doubled_permille = [0, 20, 200][chance.below(3)];
        let late_permille = [0, 20, 150][chance.below(3)];
        let stall_permille = [0, 10, 60][chance.below(3)];
        let (streams, cut) = Default::default();
        Network { chance, lost_permille, doubled_permille, late_permille, stall_permille, streams, cut, next: 0 }
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to))
    }

    /// All ways are free again.
    pub fn mend(&mut self) {
        self.cut.clear();
    }

    /// From now on nothing is lost.
    pub fn heal(&mut self) {
        self.mend();
        (self.lost_permille, self.doubled_permille, self.late_permille, self.stall_permille) = (0, 0, 0, 0);
    }

    /// Microseconds until a message arrives; a very late one comes after an election or two.
    pub fn delay(&mut self) -> i64 {
        match self.is_late() {
            true => self.delay_of_late(),
            false => self.chance.between(200, 4_000),
        }
    }

    pub fn is_late(&mut self) -> bool {
        self.chance.permille(self.late_permille)
    }

    pub fn delay_of_late(&mut self) -> i64 {
        self.chance.between(10_000, 1_500_000)
    }

    /// When the copies of a message arrive: none, one or two.
    pub fn copies(&mut self, from: usize, to: usize) -> Vec<i64> {
        if self.is_cut(from, to) || self.chance.permille(self.lost_permille) {
            return Vec::new();
        }
        let count = if self.chance.permille(self.doubled_permille) { 2 } else { 1 };
        (0..count).map(|_| self.delay()).collect()
    }

    pub fn open(&mut self, follower: usize, (leader, leader_life): (usize, u64), term: i32, now: i64) -> StreamId {
        let id = StreamId(self.next);
        self.next += 1;
        self.streams.insert(id, Stream { follower, leader, term, leader_life, arrives: [now; 2] });
        id
    }

    /// When the next word of a stream arrives; a cut way breaks the stream.
    pub fn pass(&mut self, id: StreamId, to_leader: bool, now: i64) -> Option<i64> {
        // A stall holds up what comes after it, as a lost packet does on TCP.
        let stalls = self.chance.permille(self.stall_permille);
        let delay = if stalls { self.chance.between(10_000, 700_000) } else { self.chance.between(200, 4_000) };
        let stream = self.streams.get_mut(&id)?;
        let (from, to) = if to_leader { (stream.follower, stream.leader) } else { (stream.leader, stream.follower) };
        if self.cut.contains(&(from, to)) {
            self.streams.remove(&id);
            return None;
        }
        let arrives = &mut stream.arrives[usize::from(to_leader)];
        *arrives = (*arrives).max(now + delay);
        Some(*arrives)
    }
}
