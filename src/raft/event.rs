//! What goes in and what comes out.

use super::{Hard, MemberId, Membership, Message, Term};
use crate::protocol::ids::PhysicalOffset;

/// How a group behaves. All members should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Milliseconds from one heartbeat of the leader to the next.
    pub heartbeat_millis: i64,
    /// A follower that hears nothing for so long, or somewhat longer by chance, stands; before that it votes for nobody.
    pub election_min_millis: i64,
    /// The longest it waits.
    pub election_max_millis: i64,
    /// How long a successor may take to catch up and to be elected while nothing is written.
    pub transfer_millis: i64,
}

impl Default for Options {
    /// 200 ms, 1 to 2 s, 1 s (reference/ha.md section 5, rule 11).
    fn default() -> Options {
        Options {
            heartbeat_millis: 200,
            election_min_millis: 1_000,
            election_max_millis: 2_000,
            transfer_millis: 1_000,
        }
    }
}

impl Options {
    /// How long after it sent a heartbeat which a majority answered a leader may act as the only one.
    ///
    /// A voter keeps still for `election_min_millis` by its own clock; a tenth less lets the clocks of two machines run 5 % too slow and 5 % too
    /// fast.
    #[must_use]
    pub fn lease_millis(&self) -> i64 {
        self.election_min_millis - self.election_min_millis / 10
    }
}

/// What has happened to a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another member says something.
    Message {
        /// Who; the transport vouches for it.
        from: MemberId,
        /// What.
        message: Message,
    },
    /// The process of a member has ended for certain: its connection was closed and a new one refused, or it shared this container.
    /// Told in order with its messages, so that nothing of its next life has been told before. Its lease binds no more: an election begins at once
    /// instead of after an election time.
    Gone {
        /// Who.
        member: MemberId,
    },
    /// What [`Action::Save`] asked for is on disk, synced, and will be found after a crash.
    Saved {
        /// What is.
        hard: Hard,
    },
    /// It may be there or not. It is asked for again after a while; nothing that depends on it has been said.
    SaveFailed {
        /// For logs.
        reason: String,
    },
    /// The leader's marker of this term is in the log. From here on it may take writes.
    Opened {
        /// That of [`Action::Lead`].
        term: Term,
        /// Where the epoch begins.
        start: PhysicalOffset,
        /// Where the marker ends; above `start`.
        end: PhysicalOffset,
    },
    /// Told to a leader: a member has everything below `end` as this leader has it, as safe as its flush mode promises. Raft's `matchIndex[member]`.
    /// Told to a follower with itself as `member`: its link has cut its log back, and up to `end` it is its leader's.
    ///
    /// Of another member the largest `end` of the term counts. `end` is where a record ends: recovery cuts off what is torn.
    Matched {
        /// Who.
        member: MemberId,
        /// That of the link that says so; of another term than the present one it says nothing.
        term: Term,
        /// The end.
        end: PhysicalOffset,
    },
    /// The own log is durable, as its flush mode defines it, up to here. A leader counts only what it is told after its [`Action::Lead`]:
    /// the first time together with [`Event::Opened`], even if nothing has changed.
    Durable {
        /// The end.
        end: PhysicalOffset,
    },
    /// The disk of the log failed: this life gives up leading, answers, votes and stands no more.
    Broken {
        /// For logs.
        reason: String,
    },
    /// An operator or `preferredLeaderId` wants another leader. Ask [`super::Raft::may_transfer`] before; otherwise a refusal is silent.
    Transfer {
        /// Whom.
        to: MemberId,
    },
    /// Another membership (leader only). Ask [`super::Raft::may_change`] before; otherwise a refusal is silent.
    Change {
        /// One step.
        change: MemberChange,
    },
}

/// A step from one membership to the next. Any two majorities of the two have a voter in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MemberChange {
    /// A learner, or somebody new, votes from now on. It should be a learner until it has nearly the whole log.
    AddVoter(MemberId),
    /// A voter leaves the group. A leader that removes itself hands over.
    RemoveVoter(MemberId),
    /// Somebody new receives the log.
    AddLearner(MemberId),
    /// A learner leaves the group.
    RemoveLearner(MemberId),
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leads in this term: begin the epoch at the end of the log, append the marker, answer [`Event::Opened`] and [`Event::Durable`].
    Lead {
        /// The epoch's number.
        term: Term,
    },
    /// Follows: drop the links of other terms and to others, both directions; link to that member. `None`: nobody is known, or its term is not
    /// on disk yet, and a link of that term must not be opened before it is.
    Follow {
        /// The present term.
        term: Term,
        /// Its leader.
        leader: Option<MemberId>,
    },
    /// The members have changed; this is on disk.
    Members {
        /// All of them.
        membership: Membership,
    },
    /// Put this on disk; answered by [`Event::Saved`] or [`Event::SaveFailed`], one at a time.
    Save {
        /// All of it.
        hard: Hard,
    },
    /// Unreliable: may be lost, doubled, late, out of order. Never to itself.
    Send {
        /// To whom.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// Everything below is committed: it is in the log of every later leader. Only grows.
    Commit {
        /// Raft's `commitIndex`.
        end: PhysicalOffset,
    },
}

/// Raft's roles, and the one before an election is worth its trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Listens to a leader, or waits for one.
    Follower,
    /// Asks whether it would be elected.
    PreCandidate,
    /// Asks for votes in a term of its own.
    Candidate,
    /// Leads.
    Leader,
}
