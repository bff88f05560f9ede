//! For how long a leader may believe that it is the only one, and when it must stop to lead.
//!
//! ```text
//! leader   sends -------- answered by a majority
//!          |<-- lease: 0.9 of an election time -->|   takes writes
//!          |<-- election time ---------------------->| then it is a follower
//! voter        hears |<-- election time: votes for nobody -->|
//! ```

use super::leading::Leading;
use super::{MemberId, Raft};
use crate::protocol::ids::Millis;

impl Raft {
    /// Since when a majority is known to stand by the leader: the oldest of the newest heartbeats that a majority has answered, by when they were
    /// sent.
    fn stood_by(&self, now: Millis, heard: impl Fn(MemberId) -> Option<Millis>) -> Option<Millis> {
        self.saved.membership.reached(|member| if member == self.me { Some(now) } else { heard(member) }).flatten()
    }

    /// Whether no other member can have been elected.
    pub(super) fn holds_lease(&self, now: Millis, leading: &Leading) -> bool {
        let answered = |member: MemberId| leading.progress.get(&member).and_then(|progress| progress.answered);
        self.stood_by(now, answered).is_some_and(|since| now.since(since) < self.options.lease_millis())
    }

    /// When a leader that hears nothing more must have stopped. The votes it was elected by count as an answer, and so does a new membership.
    pub(super) fn stops_at(&self, now: Millis, leading: &Leading) -> Millis {
        let answered = |member: MemberId| {
            let answered = leading.progress.get(&member).and_then(|progress| progress.answered);
            Some(answered.map_or(leading.voters_since, |answered| answered.max(leading.voters_since)))
        };
        self.stood_by(now, answered).unwrap_or(leading.voters_since).plus(self.options.election_min_millis)
    }

    /// Whether a voter has promised some leader to vote for nobody yet.
    pub(super) fn is_bound(&self, now: Millis) -> bool {
        self.heard_at.is_some_and(|heard| now.since(heard) < self.options.election_min_millis)
    }
}
