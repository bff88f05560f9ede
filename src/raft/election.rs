//! Standing and voting.

use std::collections::BTreeSet;

use super::core::State;
use super::{LogEnd, MemberId, Membership, Message, Raft, Term};
use crate::protocol::ids::Millis;

/// Votes that are being collected.
#[derive(Debug)]
pub(super) struct Canvass {
    /// Who has said yes.
    pub(super) granted: BTreeSet<MemberId>,
    /// When those that have not said yes are asked again: a lost message need not cost an election time.
    pub(super) repeat_at: Millis,
    /// The old leader wants it so.
    takes_over: bool,
}

impl Raft {
    /// An election time without a leader, or a canvass that must be repeated or given up.
    pub(super) fn keep_canvassing(&mut self, now: Millis, log: LogEnd) {
        if !self.is_voter() {
            return;
        }
        if self.election_at <= now {
            return self.stand_before(now, log);
        }
        let repeat = now.plus(self.repeat_millis());
        let (State::PreCandidate(canvass) | State::Candidate(canvass)) = &mut self.state else { return };
        if canvass.repeat_at <= now {
            canvass.repeat_at = repeat;
            self.ask(log);
        }
    }

    fn repeat_millis(&self) -> i64 {
        (self.options.heartbeat_millis / 2).max(1)
    }

    fn begin_canvass(&mut self, now: Millis, takes_over: bool) -> Canvass {
        let heartbeat = self.options.heartbeat_millis;
        // Far above the time of a vote and far below an election time: when votes are split, the next try is soon, and not at the same time.
        self.election_at = now.plus(self.chance.between(heartbeat, 3 * heartbeat));
        Canvass { granted: BTreeSet::new(), repeat_at: now.plus(self.repeat_millis()), takes_over }
    }

    /// Asks whether it would be elected. Its term stays, so that one that was cut off disturbs nobody when it is back.
    fn stand_before(&mut self, now: Millis, log: LogEnd) {
        self.leader = None;
        let mut canvass = self.begin_canvass(now, false);
        canvass.granted.insert(self.me);
        self.state = State::PreCandidate(canvass);
        if !self.stand_if_it_would_win(now, log) {
            self.ask(log);
        }
    }

    fn stand_if_it_would_win(&mut self, now: Millis, log: LogEnd) -> bool {
        // With a newer membership on its way to the disk it would stand among the wrong voters; the next try has the right ones.
        let is_settled = self.hard.membership == self.saved.membership;
        let wins = matches!(&self.state, State::PreCandidate(canvass) if self.is_quorum(&canvass.granted));
        if wins && is_settled {
            self.stand(now, false, log);
        }
        wins && is_settled
    }

    /// Stands in a new term. Nobody is asked, and its own vote does not count, before both are on disk.
    pub(super) fn stand(&mut self, now: Millis, takes_over: bool, log: LogEnd) {
        assert!(self.is_voter() && !self.broken, "{} must not stand", self.me);
        let term = self.hard.term.next();
        self.adopt_term(now, term);
        self.hard.voted_for = Some(self.me);
        self.state = State::Candidate(self.begin_canvass(now, takes_over));
        self.ask(log);
    }

    /// Asks those that have not said yes.
    fn ask(&mut self, log: LogEnd) {
        let membership = self.saved.membership.clone();
        let (canvass, message) = match &self.state {
            State::PreCandidate(canvass) => {
                let term = self.hard.term.next();
                (canvass, Message::PreVote { term, log, membership })
            }
            State::Candidate(canvass) => {
                (canvass, Message::Vote { term: self.hard.term, log, membership, takes_over: canvass.takes_over })
            }
            State::Follower | State::Leader(_) => return,
        };
        let voters = self.saved.membership.voters.iter().copied();
        let silent: Vec<MemberId> =
            voters.filter(|voter| *voter != self.me && !canvass.granted.contains(voter)).collect();
        for voter in silent {
            self.promise(voter, message.clone());
        }
    }

    /// Whether a member with that log and those members may lead: Raft 5.4.1, and the rule of the logless membership.
    fn may_lead(&self, from: MemberId, (other, own): (LogEnd, LogEnd), membership: &Membership) -> bool {
        let mine = &self.hard.membership;
        // The same age and another content: the members were given different `dLegerPeers`, and no majority means anything.
        let is_known = membership.id > mine.id || membership == mine;
        let both_vote = membership.voters.contains(&self.me) && membership.voters.contains(&from);
        other >= own && is_known && both_vote
    }

    /// [`Message::PreVote`] comes.
    pub(super) fn asked_before(
        &mut self,
        now: Millis,
        from: MemberId,
        term: Term,
        logs: (LogEnd, LogEnd),
        membership: Membership,
    ) {
        let leads = matches!(self.state, State::Leader(_));
        let granted = term > self.hard.term && !leads && !self.is_bound(now) && self.may_lead(from, logs, &membership);
        self.learn_membership(now, membership);
        let membership = self.hard.membership.clone();
        self.say(from, Message::PreVoteAnswer { term: self.hard.term, asked: term, granted, membership });
    }

    /// [`Message::PreVoteAnswer`] comes.
    pub(super) fn answered_before(
        &mut self,
        now: Millis,
        from: MemberId,
        (term, asked, granted): (Term, Term, bool),
        membership: Membership,
        log: LogEnd,
    ) {
        if term > self.hard.term {
            self.adopt_term(now, term);
            self.election_at = self.election_at.min(now.plus(self.repeat_millis()));
        }
        self.learn_membership(now, membership);
        let is_current = granted && asked == self.hard.term.next();
        if let State::PreCandidate(canvass) = &mut self.state
            && is_current
        {
            canvass.granted.insert(from);
            self.stand_if_it_would_win(now, log);
        }
    }

    /// [`Message::Vote`] comes.
    pub(super) fn asked(
        &mut self,
        now: Millis,
        from: MemberId,
        (term, takes_over): (Term, bool),
        logs: (LogEnd, LogEnd),
        membership: Membership,
    ) {
        if term < self.hard.term {
            return self.say(from, Message::VoteAnswer { term: self.hard.term, granted: false });
        }
        let is_repeated = term == self.hard.term && self.hard.voted_for == Some(from);
        let is_held = self.is_bound(now) || matches!(self.state, State::Leader(_));
        if is_held && !takes_over && !is_repeated {
            // Some leader lives. Taking over the term would already disturb it (thesis 4.2.3).
            return;
        }
        if term > self.hard.term {
            self.adopt_term(now, term);
        }
        let is_free = self.leader.is_none() && self.hard.voted_for.is_none_or(|voted| voted == from);
        let granted = is_free && self.may_lead(from, logs, &membership);
        self.learn_membership(now, membership);
        if granted {
            self.hard.voted_for = Some(from);
            self.put_off_election(now);
        }
        self.promise(from, Message::VoteAnswer { term, granted });
    }

    /// [`Message::VoteAnswer`] comes.
    pub(super) fn answered(&mut self, now: Millis, from: MemberId, term: Term, granted: bool) {
        if term > self.hard.term {
            return self.adopt_term(now, term);
        }
        if granted && term == self.hard.term {
            self.count(now, from);
        }
    }

    /// Something is on disk; perhaps the own vote.
    pub(super) fn own_vote(&mut self, now: Millis) {
        if self.saved.term == self.hard.term && self.saved.voted_for == Some(self.me) {
            self.count(now, self.me);
        }
    }

    /// Votes that come after the canvass has ended elect nobody: a process that was stopped for long would lead where another does since.
    fn count(&mut self, now: Millis, from: MemberId) {
        if self.election_at <= now {
            return;
        }
        let State::Candidate(canvass) = &mut self.state else { return };
        canvass.granted.insert(from);
        let has_won = matches!(&self.state, State::Candidate(canvass) if self.is_quorum(&canvass.granted));
        if has_won {
            self.lead(now);
        }
    }
}
