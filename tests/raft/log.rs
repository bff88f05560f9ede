//! A log of records on a disk that loses what was not synced.

use mqcontainer::protocol::ids::PhysicalOffset;
use mqcontainer::raft::{LogEnd, Term};
use mqcontainer::replication::epochs::Epochs;

/// One record; it begins where the one before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    pub end: i64,
    pub term: i32,
    /// No other write has it.
    pub tag: u64,
    /// Of this record and all before it.
    pub chain: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    pub records: Vec<Record>,
    pub epochs: Epochs,
    /// What survives a loss of power.
    pub durable: i64,
    /// Counts the cuts: a sync that began before one says nothing of what came after.
    pub cuts: u64,
}

impl Log {
    pub fn end(&self) -> i64 {
        self.records.last().map_or(0, |record| record.end)
    }

    /// As the core wants it, by the product's epochs.
    pub fn log_end(&self) -> LogEnd {
        let end = PhysicalOffset(self.end());
        let epoch = self.epochs.number_at(PhysicalOffset(end.0 - 1)).filter(|_| end.0 > 0);
        LogEnd { epoch: Term(epoch.unwrap_or(0)), end }
    }

    pub fn append(&mut self, term: i32, tag: u64, length: i64) -> Record {
        let before = self.records.last().map_or(0, |record| record.chain);
        let chain = (before ^ tag).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        let record = Record { end: self.end() + length, term, tag, chain };
        self.records.push(record);
        record
    }

    /// Records that end at or below.
    pub fn count_below(&self, end: i64) -> usize {
        self.records.partition_point(|record| record.end <= end)
    }

    /// The record that ends here.
    pub fn record_at(&self, end: i64) -> Option<&Record> {
        self.count_below(end).checked_sub(1).map(|index| &self.records[index]).filter(|record| record.end == end)
    }

    /// The end of a cut is on disk before anything else happens (the store's own tests say so).
    pub fn cut(&mut self, to: i64) {
        self.records.truncate(self.count_below(to));
        assert_eq!(self.end(), to, "a log is cut between records");
        self.durable = self.durable.min(to);
        self.cuts += 1;
    }

    /// What a new life finds after a loss of power: `luck` of the records that were not synced. Recovery syncs what it has read.
    pub fn lose(&mut self, luck: impl FnOnce(usize) -> usize) {
        let safe = self.count_below(self.durable);
        let kept = safe + luck(self.records.len() - safe + 1);
        self.records.truncate(kept);
        self.cuts += 1;
        self.recover();
    }

    pub fn recover(&mut self) {
        self.durable = self.end();
        self.epochs.cut(PhysicalOffset(self.end()));
    }
}
