//! State-machine safety (Raft 5.4.3): at one offset all members commit the same record, for ever. And nobody cuts off what it has committed.

use crate::log::{Log, Record};

/// Everything that was ever committed by anybody.
#[derive(Debug, Default)]
pub struct Ledger {
    pub records: Vec<Record>,
    /// The term in which each was.
    terms: Vec<i32>,
}

impl Ledger {
    pub fn end(&self) -> i64 {
        self.records.last().map_or(0, |record| record.end)
    }

    fn at(&self, end: i64) -> Option<&Record> {
        let below = self.records.partition_point(|record| record.end <= end);
        below.checked_sub(1).map(|index| &self.records[index]).filter(|record| record.end == end)
    }

    /// The last record that was committed before that term.
    pub fn before(&self, term: i32) -> Option<&Record> {
        self.terms.partition_point(|committed| *committed < term).checked_sub(1).map(|index| &self.records[index])
    }

    /// A member commits everything below `end` of its log, in that term.
    pub fn commits(&mut self, (member, term): (usize, i32), end: i64, log: &Log) -> Result<(), String> {
        let wrong = |why| Err(format!("n{member} commits up to {end}, {why}"));
        let Some(last) = log.record_at(end) else { return wrong("where no record of its log ends") };
        if end <= self.end() {
            return match self.at(end) {
                Some(known) if known.chain == last.chain => Ok(()),
                _ => wrong("and something else was committed there"),
            };
        }
        let (begin, known) = (log.count_below(self.end()), self.records.len());
        if begin != known || (known > 0 && log.records[known - 1].chain != self.records[known - 1].chain) {
            return wrong("and something else was committed before");
        }
        self.records.extend_from_slice(&log.records[begin..log.count_below(end)]);
        self.terms.resize(self.records.len(), term);
        Ok(())
    }

    /// A log is cut back to `to`.
    pub fn check_cut(member: usize, to: i64, committed: i64) -> Result<(), String> {
        match to < committed {
            true => Err(format!("n{member} is cut back to {to}, and has committed up to {committed}")),
            false => Ok(()),
        }
    }
}

#[test]
fn another_record_at_the_same_place_is_noticed() {
    let log = |tags: &[u64]| {
        let mut log = Log::default();
        for tag in tags {
            log.append(1, *tag, 5);
        }
        log
    };
    let mut ledger = Ledger::default();
    assert_eq!(ledger.commits((0, 1), 10, &log(&[1, 2, 3])), Ok(()));
    assert_eq!(ledger.commits((1, 1), 5, &log(&[1, 9])), Ok(()));
    assert!(ledger.commits((1, 1), 10, &log(&[1, 9])).is_err());
    assert!(ledger.commits((1, 1), 15, &log(&[1, 9, 3])).is_err());
    assert!(ledger.commits((1, 1), 12, &log(&[1, 2, 3])).is_err());
    assert_eq!(ledger.commits((1, 1), 15, &log(&[1, 2, 4])), Ok(()));
    assert!(Ledger::check_cut(0, 9, 10).is_err() && Ledger::check_cut(0, 10, 10).is_ok());
}
