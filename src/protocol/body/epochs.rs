//! The epochs of a log (answer to 1007 GET_BROKER_EPOCH_CACHE).

use serde::{Deserialize, Serialize};

/// One epoch. Java: `EpochEntry`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EpochEntry {
    /// One after its last byte; `i64::MAX` of the newest.
    pub end_offset: i64,
    /// Its number.
    pub epoch: i32,
    /// Its first byte.
    pub start_offset: i64,
}

/// The epochs of a broker's log. Java: `EpochEntryCache`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EpochEntryCache {
    /// Id.
    pub broker_id: i64,
    /// Name.
    pub broker_name: String,
    /// Cluster.
    pub cluster_name: String,
    /// Oldest first.
    pub epoch_list: Vec<EpochEntry>,
    /// The end of the log.
    pub max_offset: i64,
}
