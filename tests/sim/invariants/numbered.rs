//! Numbers in a queue are given once: no two acknowledged messages have the same, unless the first was allowed to be lost.

use std::collections::BTreeMap;

/// Acknowledged messages by queue and number.
#[derive(Debug, Default)]
pub struct Numbers {
    given: BTreeMap<(i32, i64), i64>,
}

impl Numbers {
    /// A message that begins at `physical` has this number.
    pub fn give(&mut self, queue: i32, offset: i64, physical: i64) -> Result<(), String> {
        match self.given.insert((queue, offset), physical) {
            Some(other) => Err(format!("number {offset} of queue {queue} was given at {other} and at {physical}")),
            None => Ok(()),
        }
    }

    /// The log was cut by a power failure that was allowed to: what lay behind is forgotten.
    pub fn lost(&mut self, end: i64) {
        self.given.retain(|_, physical| *physical < end);
    }
}

#[test]
fn a_number_given_twice_is_noticed() {
    let mut numbers = Numbers::default();
    assert_eq!(numbers.give(0, 1, 10), Ok(()));
    assert_eq!(numbers.give(1, 1, 20), Ok(()));
    assert!(numbers.give(0, 1, 30).is_err());
    numbers.lost(20);
    assert_eq!(numbers.give(1, 1, 20), Ok(()));
}
