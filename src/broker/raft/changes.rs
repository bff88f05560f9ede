//! What the configuration wants of a group: who leads, who votes, who learns.

use std::collections::BTreeSet;

use crate::config::Dledger;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::raft::{MemberId, Membership};
use crate::raft::{Event, MemberChange, Raft};

/// The one step from the present voters to those of `dLegerPeers`.
///
/// # Errors
/// What to tell the operator.
pub(super) fn voters_step(membership: &Membership, config: &Dledger) -> Result<Option<MemberChange>, String> {
    let wanted: BTreeSet<MemberId> = config.voters().map(MemberId).collect();
    let added: Vec<MemberId> = wanted.difference(&membership.voters).copied().collect();
    let removed: Vec<MemberId> = membership.voters.difference(&wanted).copied().collect();
    match (&added[..], &removed[..]) {
        ([], []) => Ok(None),
        ([member], []) => Ok(Some(MemberChange::AddVoter(*member))),
        ([], [member]) => Ok(Some(MemberChange::RemoveVoter(*member))),
        _ => {
            let list = |members: &[MemberId]| members.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
            Err(format!(
                "one voter can be added or removed at a time; this would add [{}] and remove [{}]",
                list(&added),
                list(&removed)
            ))
        }
    }
}

/// One step towards the learners of the configuration: they neither vote nor count, so the leader takes it by itself.
pub(super) fn learners_step(membership: &Membership, config: &Dledger) -> Option<MemberChange> {
    let wanted: BTreeSet<MemberId> = config.learners.iter().copied().map(MemberId).collect();
    let added = wanted.difference(&membership.learners).find(|member| !membership.voters.contains(member));
    let removed = membership.learners.difference(&wanted).next();
    added.map(|member| MemberChange::AddLearner(*member)).or(removed.map(|member| MemberChange::RemoveLearner(*member)))
}

/// The member that should lead instead of this leader: the first of `preferredLeaderId` that answers and has nearly all of the log.
pub(super) fn preferred(
    raft: &Raft,
    now: Millis,
    me: MemberId,
    config: &Dledger,
    near: PhysicalOffset,
) -> Option<Event> {
    let better = config.preferred.iter().copied().map(MemberId).take_while(|member| *member != me);
    let is_near = |member: &MemberId| {
        raft.progress().any(|(other, progress)| other == *member && progress.matched >= near)
            && raft.may_transfer(now, *member).is_ok()
    };
    better.into_iter().find(is_near).map(|to| Event::Transfer { to })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Peer;

    fn config(members: &[u32], learners: &[u32]) -> Dledger {
        let peer = |member: &u32| Peer { member: *member, address: format!("127.0.0.1:{}", 10_000 + member) };
        Dledger {
            group: "g".to_owned(),
            me: 0,
            peers: members.iter().map(peer).collect(),
            preferred: Vec::new(),
            learners: learners.to_vec(),
            heartbeat: Duration::from_millis(200),
            election_min: Duration::from_secs(1),
            election_max: Duration::from_secs(2),
        }
    }

    fn group(learners: &[u32]) -> Membership {
        let mut membership = Membership::first([0, 1, 2].map(MemberId));
        membership.learners = learners.iter().copied().map(MemberId).collect();
        membership
    }

    #[test]
    fn voters_change_one_at_a_time() {
        let check = |members: &[u32], learners: &[u32], expected: Result<Option<MemberChange>, ()>| {
            assert_eq!(voters_step(&group(&[]), &config(members, learners)).map_err(drop), expected, "{members:?}");
        };
        check(&[0, 1, 2], &[], Ok(None));
        check(&[0, 1, 2, 3], &[3], Ok(None));
        check(&[0, 1, 2, 3], &[], Ok(Some(MemberChange::AddVoter(MemberId(3)))));
        check(&[0, 1], &[], Ok(Some(MemberChange::RemoveVoter(MemberId(2)))));
        check(&[0, 1, 3], &[], Err(()));
        check(&[0], &[], Err(()));
    }

    #[test]
    fn learners_follow_the_configuration() {
        let check = |present: &[u32], wanted: &[u32], expected: Option<MemberChange>| {
            assert_eq!(learners_step(&group(present), &config(&[0, 1, 2, 3, 4], wanted)), expected);
        };
        check(&[], &[], None);
        check(&[], &[3, 4], Some(MemberChange::AddLearner(MemberId(3))));
        check(&[3], &[3], None);
        check(&[3], &[], Some(MemberChange::RemoveLearner(MemberId(3))));
        // It votes: it does not become a learner by itself.
        check(&[], &[2], None);
    }
}
