//! Static (logical queue) topics: their mapping is carried along, not served.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Java: `TopicQueueMappingInfo`, as brokers register it and routes show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingInfo {
    /// Broker that holds these queues.
    pub bname: Option<String>,
    /// Logical queue to physical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether the data is out of date.
    pub dirty: bool,
    /// Version of the mapping.
    pub epoch: i64,
    /// `__global__` unless the topic is mapped within another scope.
    pub scope: String,
    /// Topic.
    pub topic: Option<String>,
    /// Logical queues of the topic.
    pub total_queues: i32,
}

impl Default for TopicQueueMappingInfo {
    fn default() -> Self {
        TopicQueueMappingInfo {
            bname: None,
            curr_id_map: BTreeMap::new(),
            dirty: false,
            epoch: 0,
            scope: "__global__".into(),
            topic: None,
            total_queues: 0,
        }
    }
}

/// Java: `TopicQueueMappingDetail`: the mapping with the history of each queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicQueueMappingDetail {
    /// Broker that holds these queues.
    pub bname: Option<String>,
    /// Logical queue to physical queue.
    pub curr_id_map: BTreeMap<i32, i32>,
    /// Whether the data is out of date.
    pub dirty: bool,
    /// Version of the mapping.
    pub epoch: i64,
    /// Where each logical queue has been.
    pub hosted_queues: BTreeMap<i32, Vec<LogicQueueMappingItem>>,
    /// `__global__` unless the topic is mapped within another scope.
    pub scope: String,
    /// Topic.
    pub topic: Option<String>,
    /// Logical queues of the topic.
    pub total_queues: i32,
}

impl Default for TopicQueueMappingDetail {
    fn default() -> Self {
        TopicQueueMappingDetail {
            bname: None,
            curr_id_map: BTreeMap::new(),
            dirty: false,
            epoch: 0,
            hosted_queues: BTreeMap::new(),
            scope: "__global__".into(),
            topic: None,
            total_queues: 0,
        }
    }
}

/// Java: `LogicQueueMappingItem`: one physical queue a logical queue has been on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LogicQueueMappingItem {
    /// Broker.
    pub bname: Option<String>,
    /// End of the physical offsets, -1 while open.
    pub end_offset: i64,
    /// Generation.
    #[serde(rename = "gen")]
    pub generation: i32,
    /// First logical offset.
    pub logic_offset: i64,
    /// Physical queue.
    pub queue_id: i32,
    /// First physical offset.
    pub start_offset: i64,
    /// When it ended, -1 unknown.
    pub time_of_end: i64,
    /// When it started, -1 unknown.
    pub time_of_start: i64,
}

impl Default for LogicQueueMappingItem {
    fn default() -> Self {
        LogicQueueMappingItem {
            bname: None,
            end_offset: -1,
            generation: 0,
            logic_offset: 0,
            queue_id: 0,
            start_offset: 0,
            time_of_end: -1,
            time_of_start: -1,
        }
    }
}
