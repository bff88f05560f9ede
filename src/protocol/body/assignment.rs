//! Rebalance by the broker: 400, 401, 402.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::MessageQueue;
use super::heartbeat::MessageModel;

/// Java: `QueryAssignmentRequestBody` (400).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentRequest {
    /// Client id.
    pub client_id: String,
    /// Consumer group.
    pub consumer_group: String,
    /// Each message to one or to all.
    pub message_model: MessageModel,
    /// AVG or AVG_BY_CIRCLE.
    pub strategy_name: String,
    /// Topic.
    pub topic: String,
}

/// Java: `QueryAssignmentResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QueryAssignmentResponse {
    /// Queues of the client; absent keeps the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_queue_assignments: Option<Vec<MessageQueueAssignment>>,
}

/// Java: `MessageQueueAssignment`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueueAssignment {
    /// For extensions.
    pub attachments: BTreeMap<String, String>,
    /// The queue; id -1 means all of its broker (POP).
    pub message_queue: MessageQueue,
    /// How to read it.
    pub mode: MessageRequestMode,
}

/// Java: `MessageRequestMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageRequestMode {
    /// The client keeps progress.
    #[default]
    Pull,
    /// The broker keeps progress.
    Pop,
}

/// Java: `SetMessageRequestModeRequestBody` (401).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetMessageRequestMode {
    /// Consumer group.
    pub consumer_group: String,
    /// How it reads.
    pub mode: MessageRequestMode,
    /// Clients that share a queue.
    pub pop_share_queue_num: i32,
    /// Topic.
    pub topic: String,
}

/// Java: `MessageRequestModeSerializeWrapper` (402), the content of `messageRequestMode.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageRequestModeTable {
    /// Topic to group to mode.
    pub message_request_mode_map: BTreeMap<String, BTreeMap<String, SetMessageRequestMode>>,
}
