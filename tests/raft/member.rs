//! A machine with a disk and a clock, and the process that lives on it for a while.

use std::collections::BTreeMap;

use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::raft::{Hard, MemberId, Options, Raft};

use crate::log::Log;
use crate::network::StreamId;

/// Whom a member's shell has been told to obey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Lead { term: i32 },
    Follow { term: i32, leader: Option<usize> },
}

/// A follower's end of its link.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub stream: StreamId,
    pub term: i32,
    /// The logs agree up to the end of its own.
    pub agreed: bool,
}

/// A process.
#[derive(Debug)]
pub struct Life {
    pub number: u64,
    pub raft: Raft,
    pub told: Told,
    pub link: Option<Link>,
    /// A leader's ends of links: where each goes on, as soon as its follower has said so.
    pub sessions: BTreeMap<StreamId, Option<i64>>,
    pub saving: Option<Hard>,
    pub is_syncing: bool,
    /// It will look at its link before long.
    pub tends: bool,
    pub broken: bool,
    /// SIGSTOP until then.
    pub stopped_until: i64,
    pub wakes: Option<i64>,
    /// Bytes below were committed by this life.
    pub committed: i64,
}

/// A machine.
#[derive(Debug)]
pub struct Machine {
    /// What is on disk.
    pub hard: Hard,
    /// What was there when the group began.
    pub first: Hard,
    pub log: Log,
    pub life: Option<Life>,
    /// Milliseconds that its clock counts in a million microseconds.
    pub rate: i64,
    /// What its clock shows at the beginning.
    pub base: i64,
    pub lives: u64,
}

impl Machine {
    pub fn local(&self, now: i64) -> Millis {
        Millis(self.base + now * self.rate / 1_000_000)
    }

    /// The first microsecond at which the local clock shows it.
    pub fn real(&self, local: Millis) -> i64 {
        ((local.0 - self.base) * 1_000_000 + self.rate - 1) / self.rate
    }

    pub fn start(&mut self, me: usize, options: Options, now: i64, seed: u64) {
        assert!(self.life.is_none(), "one life at a time");
        self.lives += 1;
        let (hard, local) = (self.hard.clone(), self.local(now));
        let raft = Raft::new(options, id(me), hard, PhysicalOffset(0), local, seed);
        self.life = Some(Life {
            number: self.lives,
            raft,
            told: Told::Follow { term: 0, leader: None },
            link: None,
            sessions: BTreeMap::new(),
            saving: None,
            is_syncing: false,
            tends: false,
            broken: false,
            stopped_until: 0,
            wakes: None,
            committed: 0,
        });
    }
}

pub fn id(member: usize) -> MemberId {
    MemberId(u32::try_from(member).unwrap())
}

pub fn index(member: MemberId) -> usize {
    usize::try_from(member.0).unwrap()
}
