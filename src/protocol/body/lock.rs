//! Queues locked for ordered consumption (41 and 42, which have no header).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::MessageQueue;

/// Lock (41) or unlock (42) these queues. Java: `LockBatchRequestBody`, `UnlockBatchRequestBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LockRequest {
    /// Who locks.
    pub client_id: String,
    /// For which group.
    pub consumer_group: String,
    /// Which queues.
    pub mq_set: BTreeSet<MessageQueue>,
    /// Whether the replicas of the broker are not to be asked.
    pub only_this_broker: bool,
}

/// The queues the client has locked now. Java: `LockBatchResponseBody`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockResponse {
    /// Which queues.
    #[serde(rename = "lockOKMQSet")]
    pub locked: BTreeSet<MessageQueue>,
}
