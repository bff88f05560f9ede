//! Who leads a group of members, in which term, and what is committed. Pure, and keyed by byte offset.
//!
//! ```text
//!                      hears nothing for an election time
//!            +----------------------------------------------+
//!            |                                              v
//!   start -> Follower <--- refused, or a leader lives --- PreCandidate
//!            ^  ^  |                                        | a majority would vote for it
//!            |  |  +--- TakeOver from its leader ------+    v
//!            |  +------ a higher term, or nobody wins -+- Candidate --- term and own vote on disk, then asks
//!            |                                              | a majority has voted
//!            +--- a higher term; no majority answers; ---  Leader
//!                 handed over; broken disk
//!
//!   Message, Saved, Opened, Matched, Durable ... --> handle --> Save, Send, Lead, Follow, Commit, Members
//!   time ------------------------------------------> upkeep -->
//! ```
//!
//! | Raft (Ongaro, Ousterhout 2014) | here | section |
//! |---|---|---|
//! | currentTerm, votedFor | [`Hard`], on disk before any answer ([`Action::Save`], [`Event::Saved`]) | 5.1, 5.2, figure 2 |
//! | log\[\], entry | the bytes of the commit log; the term of a byte is its epoch's number (`replication::epochs`) | 5.3 |
//! | lastLogIndex, lastLogTerm | [`LogEnd`]: epoch of the last byte, written end | 5.4.1 |
//! | RequestVote: term, candidateId, lastLog... | [`Message::Vote`], its sender, [`LogEnd`] | 5.2, 5.4.1 |
//! | AppendEntries: entries, prevLog... | the HA link: its greeting compares epochs and cuts back, frames carry bytes | 5.3 |
//! | AppendEntries: empty, leaderCommit | [`Message::Heartbeat`] | 5.2, 5.3 |
//! | nextIndex\[\] | the position of the link's sender | 5.3 |
//! | matchIndex\[\] | [`Event::Matched`], only of links of the own term | 5.3, 5.4.2 |
//! | commitIndex | [`Action::Commit`]: `commit.rs` | 5.3, 5.4.2 |
//! | lastApplied | the store's dispatch, below the commit offset | 5.3 |
//! | no-op at the begin of a term | the marker, [`Event::Opened`] | 8 |
//! | pre-vote; leader steps down without a quorum | `election.rs`; `lease.rs` | thesis 9.6; 6.2 |
//! | leadership transfer, TimeoutNow | [`Event::Transfer`], [`Message::TakeOver`]: `transfer.rs` | thesis 3.10 |
//! | learner (non-voting member) | [`Membership::learners`] | thesis 4.2.1 |
//! | one server at a time (C-old, C-new) | [`Event::Change`]: `change.rs`, without a record in the log | thesis 4.1 |
//!
//! The log is bytes in Java's format, so memberships are not in it. They are kept beside it and spread on their own, newest first by (term,
//! version), as MongoDB does it (Schultz, Dardik, Tripakis: Design and Analysis of a Logless Dynamic Reconfiguration Protocol, 2021): a voter
//! votes only for one whose membership is at least as new as its own; a new leader writes its membership again with its term; a change needs
//! the present membership on disk at a majority, and everything committed held by a majority of it, something of the own term included.
//!
//! Invariants: a term has one leader; a promise is said after it is on disk; a leader commits only through bytes of its own term; the commit offset
//! never goes back; no two members may accept writes at one time, as long as clocks differ by less than 5 % each.
//! Must not know: brokers, stores, sockets. Time and chance come from outside.

mod chance;
mod change;
mod commit;
mod core;
mod election;
mod event;
mod following;
mod hard;
mod leading;
mod lease;
mod transfer;

#[cfg(test)]
mod tests;

pub use self::core::Raft;
pub use crate::protocol::raft::{Letter, LogEnd, MEMBERS_MAX, MemberId, Membership, MembershipId, Message, Term};
pub use change::ChangeRefused;
pub use event::{Action, Event, MemberChange, Options, Role};
pub use hard::{Hard, HardFileError};
pub use leading::Progress;
pub use transfer::TransferRefused;
