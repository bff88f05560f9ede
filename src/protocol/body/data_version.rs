//! The version of a table that is copied between brokers and NameServers.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::protocol::ids::Millis;

/// Java: `DataVersion`. Versions are ordered by state version, then counter, then time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DataVersion {
    /// Changes since the table was made.
    pub counter: i64,
    /// Version of the replicated state, 0 outside of controller mode.
    pub state_version: i64,
    /// Time of the last change in milliseconds.
    pub timestamp: i64,
}

impl DataVersion {
    /// The version of a table made at `now`.
    #[must_use]
    pub fn new(now: Millis) -> DataVersion {
        DataVersion { timestamp: now.0, ..DataVersion::default() }
    }

    /// Counts one change at `now`.
    pub fn next(&mut self, now: Millis, state_version: i64) {
        self.timestamp = now.0;
        self.state_version = state_version;
        self.counter += 1;
    }
}

impl Ord for DataVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |version: &DataVersion| (version.state_version, version.counter, version.timestamp);
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for DataVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
