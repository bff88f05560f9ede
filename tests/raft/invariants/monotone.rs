//! Terms on disk never go back, and neither do members or what a life has committed.

use mqcontainer::raft::Hard;

pub fn check_disk(member: usize, before: &Hard, after: &Hard) -> Result<(), String> {
    let vote_moves = before.term == after.term && before.voted_for.is_some() && before.voted_for != after.voted_for;
    match after.term < before.term || after.membership.id < before.membership.id || vote_moves {
        true => Err(format!("n{member} goes back from {before:?} to {after:?}")),
        false => Ok(()),
    }
}

pub fn check_committed(member: usize, before: i64, after: i64) -> Result<(), String> {
    match after <= before {
        true => Err(format!("n{member} commits up to {after}, and had committed up to {before}")),
        false => Ok(()),
    }
}

#[test]
fn a_step_back_is_noticed() {
    use mqcontainer::raft::{MemberId, Term};
    let hard = |term, voted: Option<u32>| Hard { term: Term(term), voted_for: voted.map(MemberId), ..Hard::default() };
    assert_eq!(check_disk(0, &hard(3, None), &hard(3, Some(1))), Ok(()));
    assert_eq!(check_disk(0, &hard(3, Some(1)), &hard(4, None)), Ok(()));
    assert!(check_disk(0, &hard(3, Some(1)), &hard(3, None)).is_err());
    assert!(check_disk(0, &hard(3, None), &hard(2, None)).is_err());
    assert_eq!(check_committed(0, 10, 11), Ok(()));
    assert!(check_committed(0, 10, 10).is_err());
}
