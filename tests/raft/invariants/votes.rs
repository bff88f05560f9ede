//! A member votes for one candidate in a term, all its lives together (Raft 5.2).

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Votes(BTreeMap<(usize, i32), usize>);

impl Votes {
    pub fn votes(&mut self, voter: usize, term: i32, candidate: usize) -> Result<(), String> {
        match self.0.insert((voter, term), candidate) {
            Some(before) if before != candidate => {
                Err(format!("n{voter} votes for n{candidate} in term {term}, and has voted for n{before}"))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn a_second_vote_is_noticed() {
    let mut votes = Votes::default();
    assert_eq!((votes.votes(0, 3, 1), votes.votes(0, 3, 1), votes.votes(0, 4, 2)), (Ok(()), Ok(()), Ok(())));
    assert!(votes.votes(0, 3, 2).is_err());
}
