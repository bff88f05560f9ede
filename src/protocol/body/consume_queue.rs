//! Units of consume queues: 321.

use serde::{Deserialize, Serialize};

use super::heartbeat::SubscriptionData;

/// Java: `QueryConsumeQueueResponseBody` (321).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeQueueUnits {
    /// The group's SQL filter as JSON, or why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter_data: Option<String>,
    /// One past the last unit.
    pub max_queue_index: i64,
    /// First unit kept.
    pub min_queue_index: i64,
    /// The units.
    pub queue_data: Vec<ConsumeQueueData>,
    /// The group's subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription_data: Option<SubscriptionData>,
}

/// Java: `ConsumeQueueData`; its members for extended units are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumeQueueData {
    /// Where the record starts.
    pub physic_offset: i64,
    /// Its bytes.
    pub physic_size: i32,
    /// Java's hash of its tags.
    pub tags_code: i64,
}
