//! Topics: 17, 18, 21, 202, 206, 303, 351.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::MessageQueue;
use super::data_version::DataVersion;
use super::static_topic::{TopicQueueMappingDetail, TopicQueueMappingInfo};
use crate::protocol::json::object_keys;
use crate::protocol::sys_flag::perm;

/// Java: `TopicConfig`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfig {
    /// Attributes, such as `message.type`.
    pub attributes: BTreeMap<String, String>,
    /// Ordered topic.
    pub order: bool,
    /// Bits 4 read, 2 write, 1 inherit.
    pub perm: i32,
    /// Queues to read.
    pub read_queue_nums: i32,
    /// Kind of tags.
    pub topic_filter_type: TopicFilterType,
    /// Name.
    pub topic_name: String,
    /// System flag.
    pub topic_sys_flag: i32,
    /// Queues to write.
    pub write_queue_nums: i32,
}

impl Default for TopicConfig {
    /// Java's defaults.
    fn default() -> Self {
        TopicConfig {
            attributes: BTreeMap::new(),
            order: false,
            perm: perm::READ | perm::WRITE,
            read_queue_nums: 16,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_name: String::new(),
            topic_sys_flag: 0,
            write_queue_nums: 16,
        }
    }
}

/// Java: `TopicFilterType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TopicFilterType {
    /// One tag per message.
    #[default]
    SingleTag,
    /// Several tags per message; never implemented.
    MultiTag,
}

impl TopicFilterType {
    /// The Java name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TopicFilterType::SingleTag => "SINGLE_TAG",
            TopicFilterType::MultiTag => "MULTI_TAG",
        }
    }

    /// The type of a Java name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<TopicFilterType> {
        match name {
            "SINGLE_TAG" => Some(TopicFilterType::SingleTag),
            "MULTI_TAG" => Some(TopicFilterType::MultiTag),
            _ => None,
        }
    }
}

/// Java: `CreateTopicListRequestBody` (18).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigList {
    /// Topics to create or change.
    pub topic_config_list: Vec<TopicConfig>,
}

/// Java: `TopicConfigSerializeWrapper`, the content of `topics.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigTable {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
}

/// Java: `TopicConfigAndMappingSerializeWrapper` (21, 103).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicConfigAndMapping {
    /// Version of the table.
    pub data_version: DataVersion,
    /// Version of the mappings.
    pub mapping_data_version: DataVersion,
    /// Topics by name.
    pub topic_config_table: BTreeMap<String, TopicConfig>,
    /// Mappings with history, for brokers.
    pub topic_queue_mapping_detail_map: BTreeMap<String, TopicQueueMappingDetail>,
    /// Mappings, for NameServers.
    pub topic_queue_mapping_info_map: BTreeMap<String, TopicQueueMappingInfo>,
}

/// Java: `TopicConfigAndQueueMapping` (351).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicConfigAndDetail {
    /// The topic's own members.
    #[serde(flatten)]
    pub config: TopicConfig,
    /// Its mapping.
    #[serde(rename = "mappingDetail", skip_serializing_if = "Option::is_none", default)]
    pub mapping_detail: Option<TopicQueueMappingDetail>,
}

/// Java: `TopicList` (206, 224, 304, 305, 343).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicList {
    /// A broker to ask for more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker_addr: Option<String>,
    /// Topics.
    pub topic_list: BTreeSet<String>,
}

/// Java: `TopicStatsTable` (202).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicStatsTable {
    /// Ends of each queue.
    #[serde(with = "object_keys")]
    pub offset_table: BTreeMap<MessageQueue, TopicOffset>,
    /// Messages per second.
    pub topic_put_tps: f64,
}

/// Java: `TopicOffset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopicOffset {
    /// Store time of the last message; 0 when there is none.
    pub last_update_timestamp: i64,
    /// One past the last message.
    pub max_offset: i64,
    /// First message kept.
    pub min_offset: i64,
}

/// Java: `QueryConsumeTimeSpanBody` (303).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeTimeSpan {
    /// One per queue.
    pub consume_time_span_set: Vec<QueueTimeSpan>,
}

/// Java: `QueueTimeSpan`; its three derived texts are left out, readers compute them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueueTimeSpan {
    /// Store time of the message consumed last.
    pub consume_time_stamp: i64,
    /// Milliseconds the group is behind.
    pub delay_time: i64,
    /// Store time of the last message.
    pub max_time_stamp: i64,
    /// The queue.
    pub message_queue: MessageQueue,
    /// Store time of the first message.
    pub min_time_stamp: i64,
}
