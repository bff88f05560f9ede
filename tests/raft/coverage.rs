//! What a range of seeds has met.

use std::collections::BTreeMap;

/// Counts by name. Names are listed, so that one that never occurs is noticed.
#[derive(Clone, Debug, Default)]
pub struct Coverage(BTreeMap<&'static str, u64>);

/// Every one must occur in an ordinary run of seeds.
pub const NAMES: [&str; 31] = [
    "writes taken",
    "writes committed",
    "leaders",
    "two leaders at one time",
    "pre-votes refused",
    "votes refused",
    "elected alone",
    "stopped without a majority",
    "old terms' bytes held by a majority, not committed",
    "committed with a marker, older terms too",
    "acknowledgements of another term",
    "logs cut back",
    "epochs without a record replaced",
    "lives that ended while saving",
    "saves failed",
    "crashes of processes",
    "losses of power",
    "records lost with the power",
    "processes stopped",
    "broken disks",
    "ways cut",
    "ends of a process told",
    "transfers begun",
    "successors told to stand",
    "successors elected",
    "transfers given up",
    "changes begun",
    "changes refused",
    "leaders that removed themselves",
    "learners made voters",
    "members learned in a pre-vote",
];

impl Coverage {
    pub fn met(&mut self, name: &'static str) {
        self.met_times(name, 1);
    }

    pub fn met_times(&mut self, name: &'static str, times: u64) {
        debug_assert!(NAMES.contains(&name), "{name} is not listed");
        *self.0.entry(name).or_default() += times;
    }

    pub fn add(&mut self, other: &Coverage) {
        for (name, count) in &other.0 {
            *self.0.entry(name).or_default() += count;
        }
    }

    pub fn check_nothing_is_missing(&self) {
        let missing: Vec<&str> = NAMES.into_iter().filter(|name| !self.0.contains_key(name)).collect();
        assert!(missing.is_empty(), "never met: {missing:?}");
    }

    /// One line for each.
    pub fn report(&self) -> String {
        NAMES.map(|name| format!("{:>12}  {name}\n", self.0.get(name).copied().unwrap_or(0))).concat()
    }
}
