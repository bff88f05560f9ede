//! One member: its state, the way of an event through it, and what every event ends with.

use std::collections::BTreeSet;

use super::chance::Chance;
use super::election::Canvass;
use super::leading::{Leading, Progress};
use super::{Action, Event, Hard, LogEnd, MemberId, Membership, Message, Options, Role, Term};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Promises that wait for the disk; a group has fewer members.
const HELD_MAX: usize = 64;

/// Terms above are nobody's: they are left for ever, and `Term::next` has room.
const TERM_MAX: Term = Term(i32::MAX - 1);

/// What a role has of its own.
#[derive(Debug)]
pub(super) enum State {
    Follower,
    PreCandidate(Canvass),
    Candidate(Canvass),
    Leader(Leading),
}

/// What the caller was last told, so that it is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Follows(Term, Option<MemberId>),
    Leads(Term),
}

/// One member of one group. The caller hands in every event with the time and the end of its log, and carries out the actions in order.
#[derive(Debug)]
pub struct Raft {
    pub(super) options: Options,
    pub(super) me: MemberId,
    /// As it shall be on disk: what it obeys.
    pub(super) hard: Hard,
    /// As it is on disk: what it may promise, and whose membership counts.
    pub(super) saved: Hard,
    saving: Option<Hard>,
    save_again_at: Option<Millis>,
    pub(super) state: State,
    /// The leader of the term, as far as known.
    pub(super) leader: Option<MemberId>,
    /// When a leader was last heard; a new life begins as if it had just heard one, since it does not know what it promised.
    pub(super) heard_at: Option<Millis>,
    /// When it stands.
    pub(super) election_at: Millis,
    pub(super) committed: PhysicalOffset,
    /// Up to where the own log is that of this term's leader.
    pub(super) verified: PhysicalOffset,
    /// What this term's leader has said is committed.
    pub(super) leader_committed: PhysicalOffset,
    pub(super) broken: bool,
    pub(super) chance: Chance,
    told: Told,
    told_committed: PhysicalOffset,
    /// Promises that go out as soon as what they rest on is on disk.
    held: Vec<(MemberId, Message)>,
    outbox: Vec<(MemberId, Message)>,
    members_changed: bool,
}

impl Raft {
    /// A new life of `me`, with what was on disk. `committed` is what it is sure of, at most the end of its log; 0 is safe. `seed` should differ from
    /// member to member and from life to life.
    #[must_use]
    pub fn new(options: Options, me: MemberId, hard: Hard, committed: PhysicalOffset, now: Millis, seed: u64) -> Raft {
        let mut chance = Chance(seed);
        let is_alone = hard.membership.voters.iter().eq([&me]);
        let wait = chance.between(options.election_min_millis, options.election_max_millis);
        Raft {
            options,
            me,
            saved: hard.clone(),
            hard,
            saving: None,
            save_again_at: None,
            state: State::Follower,
            leader: None,
            heard_at: Some(now),
            // There is nobody it could have promised anything.
            election_at: if is_alone { now } else { now.plus(wait) },
            committed,
            verified: PhysicalOffset(0),
            leader_committed: PhysicalOffset(0),
            broken: false,
            chance,
            told: Told::Nothing,
            told_committed: committed,
            held: Vec::new(),
            outbox: Vec::new(),
            members_changed: false,
        }
    }

    /// Something has happened. `log` is the written end of the own log now, with the epoch of its last byte.
    pub fn handle(&mut self, now: Millis, event: Event, log: LogEnd, actions: &mut Vec<Action>) {
        self.know_own_log(now, log);
        match event {
            Event::Message { from, message } => self.heard(now, from, message, log),
            Event::Gone { member } => self.gone(now, member),
            Event::Saved { hard } => self.on_disk(now, hard),
            Event::SaveFailed { reason: _ } => self.save_failed(now),
            Event::Opened { term, start, end } => self.opened(term, start, end),
            Event::Matched { member, term, end } => self.matched(member, term, end),
            Event::Durable { end } => {
                if let State::Leader(leading) = &mut self.state {
                    leading.durable = end;
                }
            }
            Event::Broken { reason: _ } => self.break_down(now),
            Event::Transfer { to } => self.begin_transfer(now, to),
            Event::Change { change } => self.change(change),
        }
        self.settle(now, log, actions);
    }

    /// What time has brought. Due at [`Raft::next_deadline`], harmless before.
    pub fn upkeep(&mut self, now: Millis, log: LogEnd, actions: &mut Vec<Action>) {
        self.know_own_log(now, log);
        if self.save_again_at.is_some_and(|at| at <= now) {
            self.save_again_at = None;
        }
        if !self.broken {
            match &self.state {
                State::Leader(_) => self.keep_leading(now),
                _ => self.keep_canvassing(now, log),
            }
        }
        self.settle(now, log, actions);
    }

    /// When [`Raft::upkeep`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        let never = Millis(i64::MAX);
        let again = self.save_again_at.unwrap_or(never);
        let own = match &self.state {
            _ if self.broken => never,
            State::Leader(leading) => self.leading_deadline(leading),
            _ if !self.is_voter() => never,
            State::Follower => self.election_at,
            State::PreCandidate(canvass) | State::Candidate(canvass) => self.election_at.min(canvass.repeat_at),
        };
        own.min(again)
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        match self.state {
            State::Follower => Role::Follower,
            State::PreCandidate(_) => Role::PreCandidate,
            State::Candidate(_) => Role::Candidate,
            State::Leader(_) => Role::Leader,
        }
    }

    /// The newest term it has heard of; perhaps not on disk yet.
    #[must_use]
    pub fn term(&self) -> Term {
        self.hard.term
    }

    /// The leader of that term, itself included, as far as known.
    #[must_use]
    pub fn leader(&self) -> Option<MemberId> {
        match self.state {
            State::Leader(_) => Some(self.me),
            _ => self.leader,
        }
    }

    /// Raft's `commitIndex`.
    #[must_use]
    pub fn committed(&self) -> PhysicalOffset {
        self.committed
    }

    /// The members, as it has them on disk.
    #[must_use]
    pub fn membership(&self) -> &Membership {
        &self.saved.membership
    }

    /// What is on disk.
    #[must_use]
    pub fn saved(&self) -> &Hard {
        &self.saved
    }

    /// Whether it votes and may lead.
    #[must_use]
    pub fn is_voter(&self) -> bool {
        self.saved.membership.voters.contains(&self.me)
    }

    /// Whether a write may be taken now: it leads, is sure to be the only one, has opened its term and is not handing over.
    #[must_use]
    pub fn may_accept_writes(&self, now: Millis) -> bool {
        match &self.state {
            State::Leader(leading) => {
                leading.opened.is_some()
                    && leading.transfer.is_none()
                    && self.is_voter()
                    && self.holds_lease(now, leading)
            }
            _ => false,
        }
    }

    /// To whom it hands over; while it does no write may be taken.
    #[must_use]
    pub fn successor(&self) -> Option<MemberId> {
        match &self.state {
            State::Leader(leading) => leading.transfer.map(|transfer| transfer.to),
            _ => None,
        }
    }

    /// What a leader knows of the others; nothing unless it leads. For reports, and for the choice of a successor.
    pub fn progress(&self) -> impl Iterator<Item = (MemberId, Progress)> {
        let known = match &self.state {
            State::Leader(leading) => Some(&leading.progress),
            _ => None,
        };
        known.into_iter().flatten().map(|(member, progress)| (*member, *progress))
    }

    fn heard(&mut self, now: Millis, from: MemberId, message: Message, log: LogEnd) {
        if self.broken || from == self.me || message.term() > TERM_MAX {
            return;
        }
        match message {
            Message::PreVote { term, log: other, membership } => {
                self.asked_before(now, from, term, (other, log), membership)
            }
            Message::PreVoteAnswer { term, asked, granted, membership } => {
                self.answered_before(now, from, (term, asked, granted), membership, log);
            }
            Message::Vote { term, log: other, membership, takes_over } => {
                self.asked(now, from, (term, takes_over), (other, log), membership);
            }
            Message::VoteAnswer { term, granted } => self.answered(now, from, term, granted),
            Message::Heartbeat { term, sent, committed, membership } => {
                self.heartbeat(now, from, (term, sent, committed), membership);
            }
            Message::HeartbeatAnswer { term, sent, membership } => {
                self.heartbeat_answered(now, from, term, sent, membership)
            }
            Message::TakeOver { term } => self.take_over(now, from, term, log),
        }
    }

    /// A log that was written by a master and its slaves before the group was one has epochs but no terms: those are used up.
    fn know_own_log(&mut self, now: Millis, log: LogEnd) {
        if log.epoch > self.hard.term && !self.broken {
            self.adopt_term(now, log.epoch);
        }
    }

    /// There is a higher term: whatever it was, it is a follower there.
    pub(super) fn adopt_term(&mut self, now: Millis, term: Term) {
        assert!(term > self.hard.term, "terms grow: {term} after {}", self.hard.term);
        self.hard.term = term;
        self.hard.voted_for = None;
        self.held.clear();
        self.follow(now, None);
        self.verified = PhysicalOffset(0);
        self.leader_committed = PhysicalOffset(0);
    }

    /// Follows in the present term. Who has not been waiting for an election begins to.
    pub(super) fn follow(&mut self, now: Millis, leader: Option<MemberId>) {
        if !matches!(self.state, State::Follower) {
            self.state = State::Follower;
            self.put_off_election(now);
        }
        self.leader = leader;
    }

    pub(super) fn put_off_election(&mut self, now: Millis) {
        let wait = self.chance.between(self.options.election_min_millis, self.options.election_max_millis);
        self.election_at = now.plus(wait);
    }

    /// Somebody knows a newer membership. A leader's own is the newest of its term, and of no other does it take any.
    pub(super) fn learn_membership(&mut self, now: Millis, membership: Membership) {
        if membership.id <= self.hard.membership.id || matches!(self.state, State::Leader(_)) {
            return;
        }
        self.hard.membership = membership;
        // It canvassed among others.
        self.follow(now, self.leader);
    }

    /// Says something that promises nothing.
    pub(super) fn say(&mut self, to: MemberId, message: Message) {
        self.outbox.push((to, message));
    }

    /// Says something that must not be forgotten: as soon as everything it knows now is on disk.
    pub(super) fn promise(&mut self, to: MemberId, message: Message) {
        if self.hard == self.saved {
            return self.say(to, message);
        }
        let kind = std::mem::discriminant(&message);
        self.held.retain(|(other, held)| *other != to || std::mem::discriminant(held) != kind);
        if self.held.len() < HELD_MAX {
            self.held.push((to, message));
        }
    }

    fn on_disk(&mut self, now: Millis, hard: Hard) {
        if self.saving.as_ref() != Some(&hard) {
            return;
        }
        self.saving = None;
        let before = std::mem::replace(&mut self.saved, hard);
        if self.saved == self.hard {
            self.outbox.append(&mut self.held);
        }
        if self.saved.membership != before.membership {
            self.members_changed = true;
            self.installed(now);
        }
        self.own_vote(now);
    }

    fn save_failed(&mut self, now: Millis) {
        if self.saving.take().is_some() {
            self.save_again_at = Some(now.plus(self.options.election_min_millis));
        }
    }

    /// What every event ends with, in the order in which the caller has to act.
    fn settle(&mut self, now: Millis, log: LogEnd, actions: &mut Vec<Action>) {
        if matches!(self.state, State::Leader(_)) {
            self.settle_leader(now, log);
        } else {
            self.commit(self.leader_committed.min(self.verified));
        }
        self.tell_role(actions);
        if std::mem::take(&mut self.members_changed) {
            actions.push(Action::Members { membership: self.saved.membership.clone() });
        }
        if self.hard != self.saved && self.saving.is_none() && self.save_again_at.is_none() && !self.broken {
            self.saving = Some(self.hard.clone());
            actions.push(Action::Save { hard: self.hard.clone() });
        }
        actions.extend(self.outbox.drain(..).map(|(to, message)| Action::Send { to, message }));
        if self.committed > self.told_committed {
            self.told_committed = self.committed;
            actions.push(Action::Commit { end: self.committed });
        }
    }

    fn tell_role(&mut self, actions: &mut Vec<Action>) {
        let term = self.hard.term;
        let tell = match self.state {
            State::Leader(_) => Told::Leads(term),
            // Bytes taken in a term that a crash forgets could be cut back by an older leader, and were acknowledged.
            _ if self.saved.term == term && !self.broken => Told::Follows(term, self.leader),
            _ => Told::Follows(term, None),
        };
        if tell == self.told {
            return;
        }
        self.told = tell;
        actions.push(match tell {
            Told::Leads(term) => Action::Lead { term },
            Told::Follows(term, leader) => Action::Follow { term, leader },
            Told::Nothing => return,
        });
    }

    fn break_down(&mut self, now: Millis) {
        self.hand_over_at_once();
        self.broken = true;
        self.held.clear();
        self.follow(now, None);
    }

    /// Whether a majority of the voters on disk is among them.
    pub(super) fn is_quorum(&self, members: &BTreeSet<MemberId>) -> bool {
        self.saved.membership.is_quorum(members)
    }
}
