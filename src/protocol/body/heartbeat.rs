//! What clients say about themselves: 34, 38, 46.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Java: `HeartbeatData` (34).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatData {
    /// Client id.
    #[serde(rename = "clientID")]
    pub client_id: String,
    /// Consumer groups.
    pub consumer_data_set: Vec<ConsumerData>,
    /// Hash of the subscriptions; 0 when the client does not use heartbeats of version 2.
    pub heartbeat_fingerprint: i32,
    /// Producer groups.
    pub producer_data_set: Vec<ProducerData>,
    /// Version 2: subscriptions are left out, those of the last full heartbeat stay.
    pub without_sub: bool,
}

/// Java: `ProducerData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerData {
    /// Group.
    pub group_name: String,
}

/// Java: `ConsumerData`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerData {
    /// Where a group without progress starts.
    pub consume_from_where: ConsumeFromWhere,
    /// Who decides when to read.
    pub consume_type: ConsumeType,
    /// Group.
    pub group_name: String,
    /// Each message to one or to all.
    pub message_model: MessageModel,
    /// Subscriptions.
    pub subscription_data_set: Vec<SubscriptionData>,
    /// Unit mode.
    pub unit_mode: bool,
}

/// Java: `ConsumeFromWhere`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeFromWhere {
    /// The end.
    #[default]
    ConsumeFromLastOffset,
    /// Deprecated form of the end.
    ConsumeFromLastOffsetAndFromMinWhenBootFirst,
    /// Deprecated form of the start.
    ConsumeFromMinOffset,
    /// Deprecated form of the end.
    ConsumeFromMaxOffset,
    /// The start.
    ConsumeFromFirstOffset,
    /// A time.
    ConsumeFromTimestamp,
}

/// Java: `ConsumeType`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumeType {
    /// The application pulls.
    ConsumeActively,
    /// The client pushes to the application.
    #[default]
    ConsumePassively,
    /// The broker keeps the progress.
    ConsumePop,
}

/// Java: `MessageModel`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageModel {
    /// Each message to all members.
    Broadcasting,
    /// Each message to one member.
    #[default]
    Clustering,
    /// Lite topics (5.5).
    LiteSelective,
}

/// Java: `SubscriptionData`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionData {
    /// Filtered by a class; no longer served.
    pub class_filter_mode: bool,
    /// Java hashes of `tags_set`.
    pub code_set: BTreeSet<i32>,
    /// TAG or SQL92.
    pub expression_type: String,
    /// The expression.
    pub sub_string: String,
    /// When the subscription was made.
    pub sub_version: i64,
    /// The tags; empty means all.
    pub tags_set: BTreeSet<String>,
    /// Topic.
    pub topic: String,
}

impl Default for SubscriptionData {
    fn default() -> Self {
        SubscriptionData {
            class_filter_mode: false,
            code_set: BTreeSet::new(),
            expression_type: "TAG".into(),
            sub_string: String::new(),
            sub_version: 0,
            tags_set: BTreeSet::new(),
            topic: String::new(),
        }
    }
}

/// Java: `GetConsumerListByGroupResponseBody` (38).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerIdList {
    /// Client ids.
    pub consumer_id_list: Vec<String>,
}

/// Java: `CheckClientRequestBody` (46).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CheckClientRequest {
    /// Client id.
    pub client_id: String,
    /// Consumer group.
    pub group: String,
    /// Namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The subscription to check.
    pub subscription_data: SubscriptionData,
}
