//! Handing over: writes are closed, the successor catches up, then it is told to stand.

use super::core::State;
use super::{LogEnd, MemberId, Message, Raft};
use crate::protocol::ids::Millis;

/// A transfer that is under way. While there is one no write is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer {
    pub(super) to: MemberId,
    pub(super) until: Millis,
    /// It was told to stand, and voters will not look at this leader's lease: this leader never takes a write again in its term.
    pub(super) told: bool,
}

/// Why leadership cannot be handed over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferRefused {
    /// Ask the leader.
    #[error("this member does not lead")]
    NotLeader,
    /// It is under way.
    #[error("the leader hands over already")]
    Transferring,
    /// To itself.
    #[error("that member leads already")]
    Done,
    /// A learner or a stranger.
    #[error("that member does not vote")]
    NotVoter,
    /// It has answered no heartbeat for the time of a lease.
    #[error("that member does not answer")]
    Silent,
}

impl Raft {
    /// Whether leadership may be handed to that member now.
    ///
    /// # Errors
    /// [`TransferRefused`].
    pub fn may_transfer(&self, now: Millis, to: MemberId) -> Result<(), TransferRefused> {
        let State::Leader(leading) = &self.state else { return Err(TransferRefused::NotLeader) };
        if leading.transfer.is_some() {
            return Err(TransferRefused::Transferring);
        }
        if to == self.me {
            return Err(TransferRefused::Done);
        }
        if !self.saved.membership.voters.contains(&to) {
            return Err(TransferRefused::NotVoter);
        }
        let answered = leading.progress.get(&to).and_then(|progress| progress.answered);
        match answered.is_some_and(|answered| now.since(answered) < self.options.lease_millis()) {
            true => Ok(()),
            false => Err(TransferRefused::Silent),
        }
    }

    /// [`super::Event::Transfer`].
    pub(super) fn begin_transfer(&mut self, now: Millis, to: MemberId) {
        if self.may_transfer(now, to).is_ok() {
            self.transfer(now, to);
        }
    }

    fn transfer(&mut self, now: Millis, to: MemberId) {
        let until = now.plus(self.options.transfer_millis);
        if let State::Leader(leading) = &mut self.state {
            leading.transfer = Some(Transfer { to, until, told: false });
        }
    }

    /// A successor that has everything is told to stand. A leader that is no voter any more looks for one.
    pub(super) fn settle_transfer(&mut self, now: Millis, log: LogEnd) {
        let State::Leader(leading) = &self.state else { return };
        if leading.transfer.is_none() && !self.is_voter() && self.is_installed(leading) {
            match self.most_advanced() {
                Some(to) => self.transfer(now, to),
                None => return self.stop_leading(now),
            }
        }
        let State::Leader(leading) = &mut self.state else { return };
        let Some(transfer) = &mut leading.transfer else { return };
        let matched = leading.progress.get(&transfer.to).map(|progress| progress.matched);
        if !transfer.told && matched.is_some_and(|matched| matched >= log.end) {
            transfer.told = true;
            self.repeat_take_over();
        }
    }

    /// The time limit: a successor that did not catch up is given up. One that was told to stand may win yet, so this leader takes no
    /// more writes and follows whoever is elected.
    pub(super) fn keep_transferring(&mut self, now: Millis) {
        let is_voter = self.is_voter();
        let State::Leader(leading) = &mut self.state else { return };
        let Some(transfer) = leading.transfer.filter(|transfer| transfer.until <= now) else { return };
        if transfer.told || !is_voter {
            return self.stop_leading(now);
        }
        leading.transfer = None;
    }

    /// A lost word costs a heartbeat.
    pub(super) fn repeat_take_over(&mut self) {
        let State::Leader(leading) = &self.state else { return };
        if let Some(Transfer { to, told: true, .. }) = leading.transfer {
            self.say(to, Message::TakeOver { term: self.hard.term });
        }
    }

    /// Without waiting for anything: the disk is broken.
    pub(super) fn hand_over_at_once(&mut self) {
        if matches!(self.state, State::Leader(_))
            && let Some(to) = self.most_advanced()
        {
            self.say(to, Message::TakeOver { term: self.hard.term });
        }
    }

    /// The other voter that has most.
    fn most_advanced(&self) -> Option<MemberId> {
        let State::Leader(leading) = &self.state else { return None };
        let voters = &self.saved.membership.voters;
        let others = leading.progress.iter().filter(|(member, _)| **member != self.me && voters.contains(member));
        others.max_by_key(|(_, progress)| (progress.matched, progress.answered)).map(|(member, _)| *member)
    }
}
