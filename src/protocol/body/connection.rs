//! Connected clients: 203, 204, 328. (The answers to 307 and 309 are relayed as bytes.)

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::heartbeat::{ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData};
use super::language_name;

/// Java: `Connection`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Connection {
    /// `ip:port`.
    pub client_addr: String,
    /// Client id.
    pub client_id: String,
    /// Language number (`codes::language`), by name in JSON.
    #[serde(with = "language_name")]
    pub language: u8,
    /// Version.
    pub version: i32,
}

/// Java: `ConsumerConnection` (203).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerConnection {
    /// Members.
    pub connection_set: Vec<Connection>,
    /// Where the group starts.
    pub consume_from_where: ConsumeFromWhere,
    /// Who decides when to read.
    pub consume_type: ConsumeType,
    /// Each message to one or to all.
    pub message_model: MessageModel,
    /// Subscriptions by topic.
    pub subscription_table: BTreeMap<String, SubscriptionData>,
}

/// Java: `ProducerConnection` (204).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerConnection {
    /// Members.
    pub connection_set: Vec<Connection>,
}

/// Java: `ProducerTableInfo` (328).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProducerTable {
    /// Members by group.
    pub data: BTreeMap<String, Vec<ProducerInfo>>,
}

/// Java: `ProducerInfo`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProducerInfo {
    /// Client id.
    pub client_id: String,
    /// Language number, by name in JSON.
    #[serde(with = "language_name")]
    pub language: u8,
    /// Time of the last heartbeat.
    pub last_update_timestamp: i64,
    /// Address.
    #[serde(rename = "remoteIP")]
    pub remote_ip: String,
    /// Version.
    pub version: i32,
}
