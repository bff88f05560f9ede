//! Once everything is whole again, every follower has the leader's log.

/// The end of the leader's log, and of each follower's.
pub fn check(leader: i64, followers: &[i64]) -> Result<(), String> {
    if followers.iter().any(|end| *end != leader) {
        return Err(format!("the leader's log ends at {leader}, the followers' at {followers:?}"));
    }
    Ok(())
}

/// Everybody takes part.
pub fn check_none_joins(joining: usize) -> Result<(), String> {
    if joining == 0 { Ok(()) } else { Err(format!("{joining} brokers still join their group")) }
}

#[test]
fn a_follower_left_behind_is_noticed() {
    assert_eq!(check(10, &[10, 10]), Ok(()));
    assert!(check(10, &[10, 9]).is_err());
    assert_eq!(check_none_joins(0), Ok(()));
    assert!(check_none_joins(1).is_err());
}
