//! A member of a DLedger group: the broker around [`crate::raft`]. Pure.
//!
//! ```text
//! letters, links' reports, disk, time --> Raft --> Save -> raftState      Send -> a letter to another member
//!
//!  Lead{term}:    promoting --every queue's next number is known--> opening --epoch on disk--> marking --marker in the log--> leading
//!  Follow{term}:  whoever waits is answered, role SLAVE, the log takes a leader's bytes again, of that term alone
//!  Commit{end}:   the store shows it, producers are answered
//! ```
//!
//! A leader is a SYNC_MASTER with id 0 from the moment its marker is in its log, everybody else a SLAVE whose id is its number and one (Java:
//! `DLedgerRoleChangeHandler`). Nothing waits for dispatch: the numbers of records that are not dispatched yet are counted. The tables that are
//! not in the log (topics, groups, offsets) come from the leader as a slave's do, over the address that the leader's greeting names; a topic that the
//! log knows and the tables do not is made again when a member begins to lead.
//!
//! Invariants: the epoch a leader writes has the number of its term; bytes, cuts and epochs of a link of another term are refused; an
//! answer is given for a commit of the term in which the message was appended, or the waiter is told that nobody knows; nothing committed is cut away:
//! the member fails instead, and its neighbours live on.
//! Must not know: sockets, how letters travel.

mod changes;
pub(super) mod entry;
mod file;

use std::sync::Arc;

use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::raft::{MemberId, Term};
use crate::raft::{Raft, Role};

pub use file::{StateError, open_state};

/// The topic of markers: the first record of each epoch, so that none is empty. Not in the table of topics; Java opens a directory with
/// it as any other.
pub const MARKER_TOPIC: &str = "rmq_sys_dledger_epoch";

/// Messages that may wait to be committed (Java: `LEADER_PENDING_FULL`).
pub(super) const PENDING_MAX: usize = 10_000;

/// How long a producer waits for its message to be committed (Java: `maxWaitAckTimeMs`).
pub(super) const COMMIT_MILLIS: i64 = 2_500;

/// What the container is told of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its role.
    pub role: Role,
    /// Its term.
    pub term: Term,
    /// The leader of that term, as far as known; itself included.
    pub leader: Option<MemberId>,
    /// What is committed, as of the last change of anything else.
    pub committed: PhysicalOffset,
    /// Elections it has won in this life.
    pub elections: u64,
}

/// How far a member is with what Raft has told it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It follows, or waits for somebody to follow.
    Following { term: Term, leader: Option<MemberId> },
    /// It was elected; the numbers of some records are not known.
    Promoting { term: Term },
    /// Its epoch begins there, and is not on disk.
    Opening { term: Term, start: PhysicalOffset },
    /// The marker is on its way into the log.
    Marking { term: Term, start: PhysicalOffset },
    /// It leads.
    Leading { term: Term },
}

impl Stage {
    fn term(self) -> Term {
        match self {
            Stage::Following { term, .. }
            | Stage::Promoting { term }
            | Stage::Opening { term, .. }
            | Stage::Marking { term, .. }
            | Stage::Leading { term } => term,
        }
    }
}

/// A broker's part in its group.
#[derive(Debug)]
pub struct Member {
    raft: Raft,
    me: MemberId,
    group: Arc<str>,
    /// Time that never goes back; the wall clock of other events may.
    now: Millis,
    stage: Stage,
    /// What Raft was last told to be safe in the own log.
    durable: PhysicalOffset,
    elections: u64,
    /// When the leader looks next at what its configuration wants: who is to lead, who is to learn.
    wishes_at: Millis,
}

impl Member {
    /// A member that begins to take part.
    #[must_use]
    pub fn new(raft: Raft, me: MemberId, group: &str, now: Millis) -> Member {
        let stage = Stage::Following { term: raft.term(), leader: None };
        let durable = PhysicalOffset(0);
        Member { raft, me, group: group.into(), now, stage, durable, elections: 0, wishes_at: now }
    }

    /// Its number.
    #[must_use]
    pub fn me(&self) -> MemberId {
        self.me
    }

    /// `dLegerGroup`.
    #[must_use]
    pub fn group(&self) -> &Arc<str> {
        &self.group
    }

    /// The protocol's state.
    #[must_use]
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    /// The term it acts in.
    #[must_use]
    pub fn term(&self) -> Term {
        self.stage.term()
    }

    /// Whether messages are its to number: its marker is in the log.
    #[must_use]
    pub fn leads(&self) -> bool {
        matches!(self.stage, Stage::Leading { .. })
    }

    /// Whether followers may have its log: its epoch is on disk.
    #[must_use]
    pub fn lets_followers_in(&self) -> bool {
        matches!(self.stage, Stage::Marking { .. } | Stage::Leading { .. })
    }

    /// Whether the log is to take messages as soon as it can.
    #[must_use]
    pub fn waits_to_lead(&self) -> bool {
        matches!(self.stage, Stage::Promoting { .. })
    }

    /// Whether what a link of this term brings belongs into the log.
    #[must_use]
    pub fn follows_in(&self, link: Term) -> bool {
        matches!(self.stage, Stage::Following { term, leader: Some(_) } if term == link)
    }

    /// What the container is told.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            role: self.raft.role(),
            term: self.raft.term(),
            leader: self.raft.leader(),
            committed: self.raft.committed(),
            elections: self.elections,
        }
    }
}
