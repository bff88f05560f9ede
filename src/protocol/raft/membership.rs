//! Who belongs to a group.

use std::collections::BTreeSet;

use super::{MemberId, Term};

/// Members of one group at most, learners included; more are a mistake in `dLegerPeers` or a stranger's bytes.
pub const MEMBERS_MAX: usize = 32;

/// Which of two memberships is newer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MembershipId {
    /// The term of the leader that wrote it; 0 of the one a group begins with.
    pub term: Term,
    /// Counts the changes; 0 is a member that knows nobody yet.
    pub version: u64,
}

/// The members of a group, as one of them knows them (MongoDB calls it the configuration of a replica set).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Membership {
    /// Its age.
    pub id: MembershipId,
    /// Those that vote and count.
    pub voters: BTreeSet<MemberId>,
    /// Those that only receive the log.
    pub learners: BTreeSet<MemberId>,
}

impl Membership {
    /// What every member of a new group begins with; all must be given the same voters (`dLegerPeers`).
    ///
    /// A member that joins a group which exists already begins with `Membership::default()`: it knows nobody, stands for nothing,
    /// and learns the members from the leader's first heartbeat.
    #[must_use]
    pub fn first(voters: impl IntoIterator<Item = MemberId>) -> Membership {
        let id = MembershipId { term: Term(0), version: 1 };
        Membership { id, voters: voters.into_iter().collect(), learners: BTreeSet::new() }
    }

    /// Voters that make a majority.
    #[must_use]
    pub fn quorum(&self) -> usize {
        self.voters.len() / 2 + 1
    }

    /// Whether these are a majority of the voters; others among them do not count.
    #[must_use]
    pub fn is_quorum(&self, members: &BTreeSet<MemberId>) -> bool {
        self.voters.intersection(members).count() >= self.quorum()
    }

    /// What a majority of the voters has reached: of `value` of each voter the `quorum`-th largest. `None` without voters.
    #[must_use]
    pub fn reached<T: Ord>(&self, value: impl Fn(MemberId) -> T) -> Option<T> {
        let mut values: Vec<T> = self.voters.iter().map(|member| value(*member)).collect();
        values.sort_unstable_by(|one, other| other.cmp(one));
        values.into_iter().nth(self.quorum() - 1)
    }

    /// Voters and learners.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        self.voters.iter().chain(&self.learners).copied()
    }

    /// Whether it belongs to the group.
    #[must_use]
    pub fn contains(&self, member: MemberId) -> bool {
        self.voters.contains(&member) || self.learners.contains(&member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[i64], reached: Option<i64>) {
        let membership = Membership::first((0..).map(MemberId).take(values.len()));
        let value = |member: MemberId| values[usize::try_from(member.0).unwrap()];
        assert_eq!(membership.reached(value), reached, "{values:?}");
    }

    #[test]
    fn a_majority_has_reached_the_quorum_th_largest() {
        check(&[], None);
        check(&[7], Some(7));
        check(&[7, 3], Some(3));
        check(&[7, 3, 5], Some(5));
        check(&[7, 3, 5, 6], Some(5));
        check(&[9, 0, 0, 9, 9], Some(9));
    }

    #[test]
    fn learners_and_strangers_do_not_count() {
        let mut membership = Membership::first([MemberId(0), MemberId(1), MemberId(2)]);
        membership.learners.insert(MemberId(3));
        let is_quorum = |members: &[u32]| membership.is_quorum(&members.iter().copied().map(MemberId).collect());
        assert!(is_quorum(&[0, 2]) && !is_quorum(&[0, 3]) && !is_quorum(&[1, 3, 4]));
    }
}
