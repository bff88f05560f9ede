//! The messages.

use super::{LogEnd, Membership, MembershipId, Term};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// What one member says to another. Any of them may be lost, doubled, late or out of order.
///
/// Raft's AppendEntries is not among them: the log travels over the HA link (`protocol::ha`), and [`Message::Heartbeat`] is what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Would you vote for me? (Ongaro's thesis, 9.6.) Changes nothing at either side.
    PreVote {
        /// The term it would stand in.
        term: Term,
        /// The end of its log.
        log: LogEnd,
        /// The members it knows.
        membership: Membership,
    },
    /// The answer to [`Message::PreVote`].
    PreVoteAnswer {
        /// The term of the one that answers.
        term: Term,
        /// The term it was asked for.
        asked: Term,
        /// Whether it would.
        granted: bool,
        /// The members it knows: one that knows older ones learns them here, or none of the two could ever win.
        membership: Membership,
    },
    /// Raft's RequestVote.
    Vote {
        /// RequestVote's `term`.
        term: Term,
        /// RequestVote's `lastLogTerm` and `lastLogIndex`; its `candidateId` is the sender.
        log: LogEnd,
        /// The members it knows.
        membership: Membership,
        /// Its leader has told it to ([`Message::TakeOver`]): that leader's lease does not bind the voters.
        takes_over: bool,
    },
    /// The answer to [`Message::Vote`]. One that grants is on disk.
    VoteAnswer {
        /// The term of the one that answers.
        term: Term,
        /// `voteGranted`.
        granted: bool,
    },
    /// The leader lives. Raft's empty AppendEntries.
    Heartbeat {
        /// The leader's term.
        term: Term,
        /// When it was sent, by the leader's clock, which nobody else reads: the answer brings it back.
        sent: Millis,
        /// `leaderCommit`.
        committed: PhysicalOffset,
        /// The members, as the leader has them on disk.
        membership: Membership,
    },
    /// The answer to [`Message::Heartbeat`]: its term and members are on disk, and it votes for nobody else for `election_min_millis`.
    HeartbeatAnswer {
        /// The term of the one that answers; above the leader's it ends that leader's rule.
        term: Term,
        /// That of the heartbeat.
        sent: Millis,
        /// The members it has on disk.
        membership: MembershipId,
    },
    /// The leader tells its successor to stand at once (TimeoutNow of the thesis, 3.10).
    TakeOver {
        /// The leader's term.
        term: Term,
    },
}

impl Message {
    /// The term it names.
    #[must_use]
    pub fn term(&self) -> Term {
        match self {
            Message::PreVote { term, .. }
            | Message::PreVoteAnswer { term, .. }
            | Message::Vote { term, .. }
            | Message::VoteAnswer { term, .. }
            | Message::Heartbeat { term, .. }
            | Message::HeartbeatAnswer { term, .. }
            | Message::TakeOver { term } => *term,
        }
    }
}
