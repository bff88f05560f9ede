//! Progress of groups: 43, 45, 208, 220, 221, 222, 223, 308, 317.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MessageQueue;
use super::data_version::DataVersion;
use crate::protocol::json::object_keys;

/// Java: `ConsumeStats` (208).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStats {
    /// Messages per second.
    pub consume_tps: f64,
    /// Progress in each queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, OffsetWrapper>,
}

/// Java: `OffsetWrapper`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OffsetWrapper {
    /// One past the last message.
    pub broker_offset: i64,
    /// First message not consumed yet.
    pub consumer_offset: i64,
    /// Store time of the message consumed last.
    pub last_timestamp: i64,
    /// First message not pulled yet.
    pub pull_offset: i64,
}

/// Java: `ConsumeStatsList` (317).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeStatsList {
    /// Address of the broker.
    pub broker_addr: String,
    /// One map per group, with one entry: its progress topic by topic.
    pub consume_stats_list: Vec<BTreeMap<String, Vec<ConsumeStats>>>,
    /// Messages not consumed.
    pub total_diff: i64,
    /// Messages pulled and not consumed.
    pub total_inflight_diff: i64,
}

/// Java: `ResetOffsetBody` (220, 222).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBody {
    /// New progress in each queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, i64>,
}

/// Java: `ResetOffsetBodyForC` (220 to C++ clients).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResetOffsetBodyForC {
    /// New progress in each queue.
    pub offset_table: Vec<MessageQueueForC>,
}

/// Java: `MessageQueueForC`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueForC {
    /// Name of the broker.
    pub broker_name: String,
    /// New progress.
    pub offset: i64,
    /// Queue id.
    pub queue_id: i32,
    /// Topic.
    pub topic: String,
}

impl From<&ResetOffsetBody> for ResetOffsetBodyForC {
    fn from(body: &ResetOffsetBody) -> Self {
        let queue = |(queue, offset): (&MessageQueue, &i64)| MessageQueueForC {
            broker_name: queue.broker_name.clone(),
            offset: *offset,
            queue_id: queue.queue_id,
            topic: queue.topic.clone(),
        };
        ResetOffsetBodyForC { offset_table: body.offset_table.iter().map(queue).collect() }
    }
}

/// Java: `GetConsumerStatusBody` (221, 223).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerStatusBody {
    /// Progress in each queue by client (223).
    pub consumer_table: BTreeMap<String, QueueOffsets>,
    /// Progress in each queue (221).
    pub message_queue_table: QueueOffsets,
}

/// Progress in each queue, a map with queues as keys.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueOffsets(#[serde(with = "object_keys")] pub BTreeMap<MessageQueue, i64>);

/// Java: `ConsumerOffsetSerializeWrapper` (43), the content of `consumerOffset.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerOffsetTable {
    /// Version of the table.
    pub data_version: DataVersion,
    /// `topic@group` to queue to offset.
    pub offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
    /// The same for pulled messages (5.5).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub pull_offset_table: BTreeMap<String, BTreeMap<i32, i64>>,
}

/// Java: `DelayOffsetSerializeWrapper` (45), the content of `delayOffset.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DelayOffsetTable {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Delay level (from 1) to queue offset.
    pub offset_table: BTreeMap<i32, i64>,
}

/// Java: `QueryCorrectionOffsetBody` (308).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CorrectionOffsets {
    /// Queue to offset.
    pub correction_offsets: BTreeMap<i32, i64>,
}
