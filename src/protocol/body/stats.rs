//! Numbers and tables: 28, 219, 315, 907.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Java: `KVTable` (28, 103, 219).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KvTable {
    /// Names and values.
    pub table: BTreeMap<String, String>,
}

/// Java: `BrokerStatsData` (315).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct BrokerStatsData {
    /// The last day.
    pub stats_day: BrokerStatsItem,
    /// The last hour.
    pub stats_hour: BrokerStatsItem,
    /// The last minute.
    pub stats_minute: BrokerStatsItem,
}

/// Java: `BrokerStatsItem`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BrokerStatsItem {
    /// Average per event.
    pub avgpt: f64,
    /// Total.
    pub sum: i64,
    /// Per second.
    pub tps: f64,
}

/// Java: `HARuntimeInfo` (907).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaRuntimeInfo {
    /// A slave's link to its master.
    pub ha_client_runtime_info: HaClientRuntimeInfo,
    /// A master's links to its slaves.
    pub ha_connection_info: Vec<HaConnectionRuntimeInfo>,
    /// Slaves that keep up.
    pub in_sync_slave_nums: i32,
    /// Whether this is a master.
    pub master: bool,
    /// End of the master's log.
    pub master_commit_log_max_offset: i64,
}

/// Java: `HARuntimeInfo.HAConnectionRuntimeInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaConnectionRuntimeInfo {
    /// Address of the slave.
    pub addr: String,
    /// Bytes behind.
    pub diff: i64,
    /// Whether it keeps up.
    pub in_sync: bool,
    /// End of its log.
    pub slave_ack_offset: i64,
    /// Where the next bytes start.
    pub transfer_from_where: i64,
    /// Bytes per second.
    pub transferred_byte_in_second: i64,
}

/// Java: `HARuntimeInfo.HAClientRuntimeInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HaClientRuntimeInfo {
    /// Whether the link is up.
    pub activated: bool,
    /// Time of the last read.
    pub last_read_timestamp: i64,
    /// Time of the last write.
    pub last_write_timestamp: i64,
    /// Address of the master.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master_addr: Option<String>,
    /// How far the master's log is on disk.
    pub master_flush_offset: i64,
    /// End of the log.
    pub max_offset: i64,
    /// Bytes per second.
    pub transferred_byte_in_second: i64,
}
