//! Memberships: one content for each age, one step between those of a term (so that any two majorities of them overlap), and nobody is elected among
//! members older than those that a majority has (MongoRaftReconfig's election safety and its quorum overlap).

use std::collections::{BTreeMap, BTreeSet};

use mqcontainer::raft::{MemberId, Membership, MembershipId};

#[derive(Debug, Default)]
pub struct Memberships {
    by_id: BTreeMap<MembershipId, Membership>,
    /// The newest that its leader has left for the next: a majority had it on disk in that term.
    left: MembershipId,
}

/// Majorities of the two overlap whenever one voter at most is added or removed (Raft thesis 4.1).
fn is_one_step(one: &BTreeSet<MemberId>, other: &BTreeSet<MemberId>) -> bool {
    one.symmetric_difference(other).count() <= 1
}

impl Memberships {
    /// A member has it on disk.
    pub fn saved(&mut self, membership: &Membership) -> Result<(), String> {
        let id = membership.id;
        if let Some(known) = self.by_id.get(&id) {
            return match known == membership {
                true => Ok(()),
                false => Err(format!("{id:?} is {known:?} and {membership:?}")),
            };
        }
        let before = MembershipId { version: id.version.saturating_sub(1), ..id };
        if let Some(known) = self.by_id.get(&before) {
            if !is_one_step(&known.voters, &membership.voters) {
                return Err(format!("{membership:?} is more than a step from {known:?}"));
            }
            self.left = self.left.max(before);
        }
        self.by_id.insert(id, membership.clone());
        Ok(())
    }

    /// A member is elected among these.
    pub fn elected(&self, member: usize, membership: &Membership) -> Result<(), String> {
        if membership.id < self.left {
            return Err(format!("n{member} is elected among {membership:?}, and a majority had {:?}", self.left));
        }
        match membership.voters.iter().any(|voter| crate::member::index(*voter) == member) {
            true => Ok(()),
            false => Err(format!("n{member} is elected and does not vote in {membership:?}")),
        }
    }
}

#[test]
fn steps_that_are_too_long_and_elections_among_old_members_are_noticed() {
    use mqcontainer::raft::Term;
    let of = |version, voters: &[u32]| {
        let mut membership = Membership::first(voters.iter().copied().map(MemberId));
        membership.id = MembershipId { term: Term(1), version };
        membership
    };
    let mut seen = Memberships::default();
    assert_eq!((seen.saved(&of(1, &[0, 1, 2])), seen.saved(&of(2, &[0, 1, 2, 3]))), (Ok(()), Ok(())));
    assert!(seen.saved(&of(2, &[0, 1])).is_err());
    assert!(seen.saved(&of(3, &[0, 1, 2, 3, 4, 5])).is_err());
    assert!(seen.saved(&of(3, &[0, 1, 2, 4])).is_err());
    assert_eq!(seen.elected(2, &of(1, &[0, 1, 2])), Ok(()));
    assert_eq!(seen.saved(&of(3, &[0, 1, 3])), Ok(()));
    assert!(seen.elected(0, &of(1, &[0, 1, 2])).is_err());
    assert!(seen.elected(4, &of(2, &[0, 1, 2, 3])).is_err());
    assert_eq!(seen.elected(3, &of(2, &[0, 1, 2, 3])), Ok(()));
}
