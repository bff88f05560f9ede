//! A follower and its leader.

use super::core::State;
use super::{LogEnd, MemberId, Membership, Message, Raft, Term};
use crate::protocol::ids::{Millis, PhysicalOffset};

impl Raft {
    /// [`Message::Heartbeat`] comes.
    pub(super) fn heartbeat(
        &mut self,
        now: Millis,
        from: MemberId,
        (term, sent, committed): (Term, Millis, PhysicalOffset),
        membership: Membership,
    ) {
        if term < self.hard.term {
            // It leads no more, which it learns from the term.
            let membership = self.hard.membership.id;
            return self.promise(from, Message::HeartbeatAnswer { term: self.hard.term, sent, membership });
        }
        if term > self.hard.term {
            self.adopt_term(now, term);
        }
        // A second leader of one term is another group under the same name: it gets no answer, and the first keeps its members.
        let is_second = matches!(self.state, State::Leader(_)) || self.leader.is_some_and(|leader| leader != from);
        if is_second {
            return;
        }
        self.follow(now, Some(from));
        self.heard_at = Some(now);
        self.put_off_election(now);
        self.learn_membership(now, membership);
        self.leader_committed = self.leader_committed.max(committed);
        self.promise(from, Message::HeartbeatAnswer { term, sent, membership: self.hard.membership.id });
    }

    /// The own log is as its leader's up to here.
    pub(super) fn verified(&mut self, term: Term, end: PhysicalOffset) {
        if term == self.hard.term && self.leader.is_some() {
            self.verified = end;
        }
    }

    /// A member's process has ended. If it led, its lease has ended with it; who stands first is left to chance.
    pub(super) fn gone(&mut self, now: Millis, member: MemberId) {
        if self.leader != Some(member) || !matches!(self.state, State::Follower) {
            return;
        }
        self.leader = None;
        self.heard_at = None;
        let wait = self.chance.between(0, self.options.heartbeat_millis);
        self.election_at = self.election_at.min(now.plus(wait));
    }

    /// [`Message::TakeOver`] comes: its leader has closed, waited until it holds everything, and leads no more in this term.
    pub(super) fn take_over(&mut self, now: Millis, from: MemberId, term: Term, log: LogEnd) {
        let is_settled = self.hard == self.saved;
        let is_its_leader =
            term == self.hard.term && self.leader == Some(from) && matches!(self.state, State::Follower);
        if is_its_leader && is_settled && self.is_voter() {
            self.stand(now, true, log);
        }
    }
}
