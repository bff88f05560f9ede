//! An acknowledged message survives its leader's machine: a master that joins its group leads with every acknowledged message that
//! a living member holds, if the NameServers had named that member to it when it decided. Flushing does not matter.

/// A master leads with a log that ends at `end`; each member that was named to it with where the acknowledged messages it holds begin.
pub fn check(end: i64, named: &[(usize, Vec<i64>)]) -> Result<(), String> {
    for (member, held) in named {
        if let Some(begin) = held.iter().find(|begin| **begin >= end) {
            return Err(format!(
                "the master leads from {end}, member {member} holds the acknowledged message at {begin}"
            ));
        }
    }
    Ok(())
}

#[test]
fn a_message_that_only_a_slave_has_is_noticed() {
    assert_eq!(check(100, &[(1, vec![0, 99]), (2, vec![])]), Ok(()));
    assert!(check(100, &[(1, vec![0]), (2, vec![99, 100])]).is_err());
}
