//! A slave of ours and its master of ours: `codes::own::WATCH_TABLES`.

use super::header;
use crate::protocol::ids::{BrokerId, Millis};

header! {
    /// Which tables a slave has; answered when the master has others, or after `wait_millis`.
    WatchTablesRequest = "WatchTablesRequest" {
        /// The slave.
        broker_id: BrokerId => "brokerId",
        /// Which life of the master the numbers are of.
        life: Millis => "life",
        /// Changes of topics.
        topics: i64 => "topics",
        /// Changes of groups.
        groups: i64 => "groups",
        /// Changes of consumer offsets.
        consumer_offsets: i64 => "consumerOffsets",
        /// Changes of delay offsets.
        delay_offsets: i64 => "delayOffsets",
        /// How long the answer may wait.
        wait_millis: i64 => "waitMillis",
    }
}

header! {
    /// Which tables the master has.
    WatchTablesResponse = "WatchTablesResponse" {
        /// When this life of the master began: its numbers begin anew with it.
        life: Millis => "life",
        /// Changes of topics.
        topics: i64 => "topics",
        /// Changes of groups.
        groups: i64 => "groups",
        /// Changes of consumer offsets.
        consumer_offsets: i64 => "consumerOffsets",
        /// Changes of delay offsets.
        delay_offsets: i64 => "delayOffsets",
    }
}
