//! A follower never gives up an acknowledged message: when its log is cut back, none of those it holds lies behind the cut. What its
//! leader was allowed to lose is not acknowledged any more.

/// A follower's log is cut back to `to`; the acknowledged messages it holds begin at `held`.
pub fn check(member: usize, to: i64, held: &[i64]) -> Result<(), String> {
    match held.iter().find(|begin| **begin >= to) {
        Some(begin) => Err(format!("member {member} is cut back to {to}, and the message at {begin} was acknowledged")),
        None => Ok(()),
    }
}

#[test]
fn a_message_behind_the_cut_is_noticed() {
    assert_eq!(check(1, 100, &[0, 99]), Ok(()));
    assert_eq!(check(1, 100, &[]), Ok(()));
    assert!(check(1, 100, &[0, 100]).is_err());
}
