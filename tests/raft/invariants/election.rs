//! Election safety: a term has one leader (Raft 5.2), in one life of it.

use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Leaders(BTreeMap<i32, (usize, u64)>);

impl Leaders {
    pub fn leads(&mut self, term: i32, member: usize, life: u64) -> Result<(), String> {
        match self.0.insert(term, (member, life)) {
            Some(before) => Err(format!("term {term} is led by n{member} in life {life}, and by {before:?}")),
            None => Ok(()),
        }
    }

    pub fn count(&self) -> u64 {
        u64::try_from(self.0.len()).unwrap()
    }
}

#[test]
fn a_second_leader_is_noticed() {
    let mut leaders = Leaders::default();
    assert_eq!((leaders.leads(1, 0, 1), leaders.leads(2, 1, 1)), (Ok(()), Ok(())));
    assert!(leaders.leads(2, 0, 1).is_err() && leaders.leads(1, 0, 2).is_err());
}
