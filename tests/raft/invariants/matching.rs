//! Log matching (Raft 5.3): a record with the same end and the same term is the same in all logs, and so is everything before it.

use std::collections::HashMap;

use crate::log::Record;

#[derive(Debug, Default)]
pub struct Seen(HashMap<(i32, i64), u64>);

impl Seen {
    /// A record now stands in some log.
    pub fn stands(&mut self, member: usize, record: &Record) -> Result<(), String> {
        match self.0.insert((record.term, record.end), record.chain) {
            Some(chain) if chain != record.chain => {
                Err(format!("n{member} has another log up to {} in term {}", record.end, record.term))
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn another_past_is_noticed() {
    let mut seen = Seen::default();
    let record = |chain| Record { end: 10, term: 1, tag: 1, chain };
    assert_eq!((seen.stands(0, &record(5)), seen.stands(1, &record(5))), (Ok(()), Ok(())));
    assert!(seen.stands(1, &record(6)).is_err());
}
