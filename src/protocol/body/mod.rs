//! Bodies that are JSON (the registration compressed, the timer checkpoint as numbers), one file per subject.
//!
//! Read with [`json::from_java`](super::json::from_java), written with [`json::to_java`](super::json::to_java). Struct fields stand in
//! the alphabetical order of their JSON names, which is the order fastjson writes; absent members take Java's defaults; unknown members are ignored.

pub mod assignment;
pub mod connection;
pub mod consume_queue;
pub mod data_version;
pub mod epochs;
pub mod group;
pub mod heartbeat;
pub mod lock;
pub mod progress;
pub mod register;
pub mod route;
pub mod static_topic;
pub mod stats;
pub mod timer;
pub mod topic;

use serde::{Deserialize, Serialize};

/// A queue of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MessageQueue {
    /// Name of the broker.
    pub broker_name: String,
    /// Queue id.
    pub queue_id: i32,
    /// Topic.
    pub topic: String,
}

/// `#[serde(with = "language_name")]`: a language number as its Java enum name.
mod language_name {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::protocol::codes::language;

    pub(super) fn serialize<S: Serializer>(number: &u8, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(language::name(*number))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(language::number(&name))
    }
}

#[cfg(test)]
mod tests;
