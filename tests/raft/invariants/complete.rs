//! Leader completeness (Raft 5.4): what is committed is in the log of the leader of every later term. One that votes reach late, when a later
//! leader has committed more, need not have that.

use super::committed::Ledger;
use crate::log::Log;

pub fn check(member: usize, term: i32, log: &Log, ledger: &Ledger) -> Result<(), String> {
    let Some(last) = ledger.before(term) else { return Ok(()) };
    match log.record_at(last.end).is_some_and(|record| record.chain == last.chain) {
        true => Ok(()),
        false => Err(format!("n{member} leads term {term} and lacks what was committed up to {}", last.end)),
    }
}

#[test]
fn a_leader_that_lacks_something_is_noticed() {
    let mut log = Log::default();
    log.append(1, 7, 10);
    let mut ledger = Ledger::default();
    assert_eq!(check(0, 2, &log, &ledger), Ok(()));
    ledger.commits((1, 3), 10, &log).unwrap();
    assert_eq!(check(0, 2, &log, &ledger), Ok(()));
    assert_eq!(check(0, 2, &Log::default(), &ledger), Ok(()));
    assert!(check(0, 4, &Log::default(), &ledger).is_err());
    let mut other = Log::default();
    other.append(1, 8, 10);
    assert!(check(0, 4, &other, &ledger).is_err());
}
