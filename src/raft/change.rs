//! One membership after another, without records in the log.

use super::core::State;
use super::{MEMBERS_MAX, MemberChange, MemberId, Membership, Raft};
use crate::protocol::ids::Millis;

/// Why the members cannot be changed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRefused {
    /// Ask the leader.
    #[error("this member does not lead")]
    NotLeader,
    /// Or its term is too young.
    #[error("the change before is not complete, or nothing is committed yet in this term; try again in a moment")]
    Unfinished,
    /// It hands over.
    #[error("the leader hands over")]
    Transferring,
    /// It is as asked for already.
    #[error("that is so already")]
    Done,
    /// A group without voters.
    #[error("a group needs a voter")]
    LastVoter,
    /// More than [`MEMBERS_MAX`].
    #[error("a group has at most {MEMBERS_MAX} members")]
    TooMany,
    /// A voter cannot be made a learner: it is removed first.
    #[error("{0} votes: remove it before it learns")]
    Voter(MemberId),
}

impl Membership {
    /// The membership one step on; its id is the next version.
    ///
    /// # Errors
    /// [`ChangeRefused`], for what makes no sense of this membership.
    pub fn changed(&self, change: MemberChange) -> Result<Membership, ChangeRefused> {
        let mut next = self.clone();
        next.id.version += 1;
        let is_new = match change {
            MemberChange::AddVoter(member) => {
                next.learners.remove(&member);
                next.voters.insert(member)
            }
            MemberChange::RemoveVoter(member) => next.voters.remove(&member),
            MemberChange::AddLearner(member) if self.voters.contains(&member) => {
                return Err(ChangeRefused::Voter(member));
            }
            MemberChange::AddLearner(member) => next.learners.insert(member),
            MemberChange::RemoveLearner(member) => next.learners.remove(&member),
        };
        match is_new {
            false => Err(ChangeRefused::Done),
            _ if next.voters.is_empty() => Err(ChangeRefused::LastVoter),
            _ if next.members().count() > MEMBERS_MAX => Err(ChangeRefused::TooMany),
            true => Ok(next),
        }
    }
}

impl Raft {
    /// The members after this change, if it may begin now.
    ///
    /// The present members must be on disk at a majority of them in this term, so that whoever still has older ones can win no election; and
    /// a majority of them must hold all that is committed, something of this term included, so that what an older majority has committed is
    /// not lost to a newer one.
    ///
    /// # Errors
    /// [`ChangeRefused`].
    pub fn may_change(&self, change: MemberChange) -> Result<Membership, ChangeRefused> {
        let State::Leader(leading) = &self.state else { return Err(ChangeRefused::NotLeader) };
        if leading.transfer.is_some() {
            return Err(ChangeRefused::Transferring);
        }
        let has_committed = leading.opened.is_some_and(|opened| self.committed >= opened.marker);
        let is_held = self.held(leading) >= self.committed;
        let is_settled = self.hard.membership == self.saved.membership;
        if !(has_committed && is_held && is_settled && self.is_installed(leading)) {
            return Err(ChangeRefused::Unfinished);
        }
        self.saved.membership.changed(change)
    }

    /// [`super::Event::Change`]: the new members count as soon as the leader has them on disk.
    pub(super) fn change(&mut self, change: MemberChange) {
        if let Ok(next) = self.may_change(change) {
            self.hard.membership = next;
        }
    }

    /// Other members are on disk.
    pub(super) fn installed(&mut self, now: Millis) {
        let membership = &self.saved.membership;
        let State::Leader(leading) = &mut self.state else {
            // Whoever said yes to a pre-vote, said it to other members; and it may vote no more itself.
            return self.follow(now, self.leader);
        };
        let gone: Vec<MemberId> =
            leading.progress.keys().copied().filter(|member| !membership.contains(*member)).collect();
        for member in gone {
            // Should it come back with another disk, nothing of what it had counts.
            leading.progress.remove(&member);
            leading.leaving.insert(member);
        }
        leading.leaving.retain(|member| !membership.contains(*member));
        // Not at the next heartbeat: until a majority has them, nothing can be changed.
        leading.heartbeat_at = now;
        leading.voters_since = now;
        self.keep_leading(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft::{MembershipId, Term};

    fn membership(version: u64, voters: &[u32], learners: &[u32]) -> Membership {
        let set = |list: &[u32]| list.iter().copied().map(MemberId).collect();
        Membership { id: MembershipId { term: Term(3), version }, voters: set(voters), learners: set(learners) }
    }

    fn check(change: MemberChange, expected: Result<(&[u32], &[u32]), ChangeRefused>) {
        let changed = membership(7, &[0, 1], &[2]).changed(change);
        assert_eq!(changed, expected.map(|(voters, learners)| membership(8, voters, learners)), "{change:?}");
    }

    #[test]
    fn one_step_at_a_time() {
        check(MemberChange::AddVoter(MemberId(2)), Ok((&[0, 1, 2], &[])));
        check(MemberChange::AddVoter(MemberId(3)), Ok((&[0, 1, 3], &[2])));
        check(MemberChange::AddVoter(MemberId(1)), Err(ChangeRefused::Done));
        check(MemberChange::RemoveVoter(MemberId(0)), Ok((&[1], &[2])));
        check(MemberChange::RemoveVoter(MemberId(2)), Err(ChangeRefused::Done));
        check(MemberChange::AddLearner(MemberId(3)), Ok((&[0, 1], &[2, 3])));
        check(MemberChange::AddLearner(MemberId(1)), Err(ChangeRefused::Voter(MemberId(1))));
        check(MemberChange::RemoveLearner(MemberId(2)), Ok((&[0, 1], &[])));
        let alone = membership(7, &[0], &[]);
        assert_eq!(alone.changed(MemberChange::RemoveVoter(MemberId(0))), Err(ChangeRefused::LastVoter));
    }
}
