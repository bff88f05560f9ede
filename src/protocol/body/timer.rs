//! Exact timer messages as brokers tell each other of them: 60, 61.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::data_version::DataVersion;
use crate::protocol::ids::Millis;

/// How far a broker is with timer messages (60). Java: `TimerCheckpoint.encode`, 7 big-endian 64-bit numbers and no JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerCheckpoint {
    /// What was due up to then has been delivered.
    pub last_read: Millis,
    /// Bytes of the timer log that are on disk.
    pub log_flushed: i64,
    /// The next message of the timer topic to look at.
    pub queue_offset: i64,
    /// The same at the master, as a slave knows it.
    pub master_queue_offset: i64,
    /// A master that is back takes over the checkpoint of a slave unless its own version is higher.
    pub version: DataVersion,
}

impl TimerCheckpoint {
    /// The body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let DataVersion { counter, state_version, timestamp } = self.version;
        let positions = [self.last_read.0, self.log_flushed, self.queue_offset, self.master_queue_offset];
        positions.into_iter().chain([state_version, timestamp, counter]).flat_map(i64::to_be_bytes).collect()
    }
}

/// Timer messages that wait, by topic (61). Java: `TimerMetricsSerializeWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerMetrics {
    /// The version of the table.
    pub data_version: DataVersion,
    /// By topic.
    pub timing_count: BTreeMap<String, TimerCount>,
}

/// Java: `TimerMetrics.Metric`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimerCount {
    /// Messages.
    pub count: i64,
    /// When the number changed last.
    pub time_stamp: i64,
}
