//! Links between brokers: in order and without loss while they stand, as TCP is; cut, one-way cut and slow as networks are.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use mqcontainer::protocol::ha::{Head, Report, Welcome};

/// One connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// What it carries.
#[derive(Clone, Debug)]
pub enum Message {
    /// What it says of its log is looked at when it reports.
    Hello,
    Welcome(Welcome),
    Frame(Head, Bytes),
    Report(Report),
    /// The other side is gone.
    End,
}

/// A connection between two members.
#[derive(Clone, Debug)]
pub struct Link {
    pub follower: usize,
    pub leader: usize,
    /// The leader's life that this link leads to; what a dead leader sent may still arrive.
    pub life: u64,
    /// When the last message of each direction arrives: to the follower, to the leader.
    arrives: [i64; 2],
    /// What waits for the way to be free again.
    held: [Vec<Message>; 2],
}

/// All connections, and which ways between machines are cut.
#[derive(Debug, Default)]
pub struct Network {
    pub links: BTreeMap<LinkId, Link>,
    cut: BTreeSet<(usize, usize)>,
    next: u64,
}

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    ToFollower,
    ToLeader,
}

impl Network {
    pub fn connect(&mut self, follower: usize, (leader, life): (usize, u64), now: i64) -> LinkId {
        let id = LinkId(self.next);
        self.next += 1;
        self.links.insert(id, Link { follower, leader, life, arrives: [now; 2], held: Default::default() });
        id
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        if from != to {
            self.cut.insert((from, to));
        }
    }

    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut.contains(&(from, to))
    }

    /// Whether some way from this machine is cut.
    pub fn is_cut_off(&self, from: usize) -> bool {
        self.cut.iter().any(|(cut, _)| *cut == from)
    }

    /// Sends a message: when it arrives, or `None` while the way is cut.
    pub fn send(
        &mut self,
        id: LinkId,
        way: Way,
        (message, delay): (Message, i64),
        (from, to, now): (usize, usize, i64),
    ) -> Option<(i64, Message)> {
        let is_cut = self.is_cut(from, to);
        let link = self.links.get_mut(&id)?;
        let index = way as usize;
        if is_cut {
            link.held[index].push(message);
            return None;
        }
        link.arrives[index] = link.arrives[index].max(now + delay);
        Some((link.arrives[index], message))
    }

    /// Every way is free again: what has waited, in its order.
    pub fn heal(&mut self) -> Vec<(LinkId, Way, Message)> {
        self.cut.clear();
        let mut waiting = Vec::new();
        for (id, link) in &mut self.links {
            for (way, held) in [Way::ToFollower, Way::ToLeader].into_iter().zip(&mut link.held) {
                waiting.extend(held.drain(..).map(|message| (*id, way, message)));
            }
        }
        waiting
    }
}
