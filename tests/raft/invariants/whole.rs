//! Liveness: once everything has healed, one leader takes writes, and all its members have its log, its members and its commit offset.

use mqcontainer::raft::MembershipId;

/// What a member of the group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub term: i32,
    pub chain: u64,
    pub end: i64,
    pub committed: i64,
    pub membership: MembershipId,
}

pub fn check(leader: Option<Standing>, members: &[Standing]) -> Result<(), String> {
    let Some(leader) = leader else { return Err("nobody takes writes".to_owned()) };
    if leader.committed != leader.end {
        return Err(format!("the leader's log is not committed to its end: {leader:?}"));
    }
    match members.iter().find(|member| **member != leader) {
        Some(member) => Err(format!("the leader has {leader:?}, a member {member:?}")),
        None => Ok(()),
    }
}

#[test]
fn a_group_that_is_not_whole_is_noticed() {
    let standing = Standing { term: 1, chain: 7, end: 10, committed: 10, membership: MembershipId::default() };
    assert_eq!(check(Some(standing), &[standing]), Ok(()));
    assert!(check(None, &[standing]).is_err());
    assert!(check(Some(Standing { committed: 9, ..standing }), &[]).is_err());
    assert!(check(Some(standing), &[Standing { chain: 8, ..standing }]).is_err());
}
