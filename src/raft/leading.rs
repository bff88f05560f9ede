//! A leader and its followers.

use std::collections::{BTreeMap, BTreeSet};

use super::commit::{advance, held_by_majority};
use super::core::State;
use super::transfer::Transfer;
use super::{LogEnd, MEMBERS_MAX, MemberId, MembershipId, Message, Raft, Term};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// What a leader knows of another member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Raft's `matchIndex`; 0 before its link of this term has said something.
    pub matched: PhysicalOffset,
    /// When the newest heartbeat was sent that it has answered.
    pub answered: Option<Millis>,
    /// The members it has on disk.
    pub membership: MembershipId,
}

/// Where a leader's term begins in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// The end of the marker.
    pub(super) marker: PhysicalOffset,
}

/// What only a leader has.
#[derive(Debug)]
pub(super) struct Leading {
    /// When it was elected.
    pub(super) since: Millis,
    /// Since when the present voters count: those that have never answered are given an election time from here on.
    pub(super) voters_since: Millis,
    pub(super) opened: Option<Opened>,
    /// The end of the own log that is safe, as told in this term.
    pub(super) durable: PhysicalOffset,
    pub(super) progress: BTreeMap<MemberId, Progress>,
    /// Removed, but not known to know it.
    pub(super) leaving: BTreeSet<MemberId>,
    pub(super) heartbeat_at: Millis,
    pub(super) transfer: Option<Transfer>,
}

impl Raft {
    /// Leads in the present term.
    pub(super) fn lead(&mut self, now: Millis) {
        assert!(self.saved.term == self.hard.term && self.saved.voted_for == Some(self.me), "elected without a vote");
        assert_eq!(self.saved.membership, self.hard.membership, "elected among other members");
        self.leader = None;
        self.heard_at = None;
        self.hard.membership.id.term = self.hard.term;
        self.state = State::Leader(Leading {
            since: now,
            voters_since: now,
            opened: None,
            durable: PhysicalOffset(0),
            progress: BTreeMap::new(),
            leaving: BTreeSet::new(),
            heartbeat_at: now,
            transfer: None,
        });
        self.send_heartbeats(now);
    }

    /// Leads no more, in the same term.
    pub(super) fn stop_leading(&mut self, now: Millis) {
        assert!(matches!(self.state, State::Leader(_)), "only a leader stops");
        self.follow(now, None);
    }

    pub(super) fn leading_deadline(&self, leading: &Leading) -> Millis {
        let transfer = leading.transfer.map_or(Millis(i64::MAX), |transfer| transfer.until);
        // Itself counts as heard just now, and is never the one that makes a leader stop: any time will do.
        leading.heartbeat_at.min(self.stops_at(Millis(i64::MAX / 2), leading)).min(transfer)
    }

    /// Time for heartbeats, to stop, or to give a transfer up.
    pub(super) fn keep_leading(&mut self, now: Millis) {
        let State::Leader(leading) = &self.state else { return };
        let (heartbeat_at, stops_at) = (leading.heartbeat_at, self.stops_at(now, leading));
        if stops_at <= now {
            return self.stop_leading(now);
        }
        self.keep_transferring(now);
        if heartbeat_at <= now && matches!(self.state, State::Leader(_)) {
            self.send_heartbeats(now);
        }
    }

    fn send_heartbeats(&mut self, now: Millis) {
        let State::Leader(leading) = &mut self.state else { return };
        leading.heartbeat_at = now.plus(self.options.heartbeat_millis);
        let membership = self.saved.membership.clone();
        let mut others: BTreeSet<MemberId> = membership.members().chain(leading.leaving.iter().copied()).collect();
        others.remove(&self.me);
        let message = Message::Heartbeat { term: self.hard.term, sent: now, committed: self.committed, membership };
        for member in others {
            self.say(member, message.clone());
        }
        self.repeat_take_over();
    }

    /// [`Message::HeartbeatAnswer`] comes.
    pub(super) fn heartbeat_answered(
        &mut self,
        now: Millis,
        from: MemberId,
        term: Term,
        sent: Millis,
        membership: MembershipId,
    ) {
        if term > self.hard.term {
            return self.adopt_term(now, term);
        }
        let State::Leader(leading) = &mut self.state else { return };
        // What was sent before this term, or will be, is not of this leader.
        if term < self.hard.term || sent < leading.since || sent > now {
            return;
        }
        if leading.leaving.contains(&from) {
            if membership >= self.saved.membership.id {
                leading.leaving.remove(&from);
            }
        } else if let Some(progress) = known(leading, from) {
            progress.answered = progress.answered.max(Some(sent));
            progress.membership = progress.membership.max(membership);
        }
    }

    /// The marker is in the log.
    pub(super) fn opened(&mut self, term: Term, start: PhysicalOffset, end: PhysicalOffset) {
        if let State::Leader(leading) = &mut self.state
            && term == self.hard.term
        {
            assert!(start < end, "the marker at {start} ends at {end}");
            leading.opened = Some(Opened { marker: end });
        }
    }

    /// [`super::Event::Matched`].
    pub(super) fn matched(&mut self, member: MemberId, term: Term, end: PhysicalOffset) {
        let State::Leader(leading) = &mut self.state else {
            if member == self.me {
                self.verified(term, end);
            }
            return;
        };
        if term == self.hard.term
            && member != self.me
            && let Some(progress) = known(leading, member)
        {
            // Within a term a follower gives nothing back; a word from a link that is gone since must not take back what the present one said.
            progress.matched = progress.matched.max(end);
        }
    }

    /// What a majority holds.
    pub(super) fn held(&self, leading: &Leading) -> PhysicalOffset {
        let matched = leading.progress.iter().map(|(member, progress)| (*member, progress.matched)).collect();
        held_by_majority(&self.saved.membership, self.me, leading.durable, &matched)
    }

    /// Whether a majority of the voters has these members on disk, those of this term.
    pub(super) fn is_installed(&self, leading: &Leading) -> bool {
        let id = self.saved.membership.id;
        let knows = |member: &MemberId| match *member == self.me {
            true => true,
            false => leading.progress.get(member).is_some_and(|progress| progress.membership == id),
        };
        let voters = self.saved.membership.voters.iter().copied();
        id.term == self.hard.term && self.is_quorum(&voters.filter(knows).collect())
    }

    /// A leader's part of what every event ends with.
    pub(super) fn settle_leader(&mut self, now: Millis, log: LogEnd) {
        let State::Leader(leading) = &self.state else { return };
        let marker = leading.opened.map(|opened| opened.marker);
        let committed = advance(self.committed, self.held(leading), marker, log);
        self.commit(committed);
        self.settle_transfer(now, log);
    }
}

/// What is known of a member; `None` if nobody that many are known belongs to the group.
fn known(leading: &mut Leading, member: MemberId) -> Option<&mut Progress> {
    let has_room = leading.progress.len() < MEMBERS_MAX;
    if !has_room && !leading.progress.contains_key(&member) {
        return None;
    }
    Some(leading.progress.entry(member).or_default())
}
