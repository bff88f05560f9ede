//! Key-value configuration by namespace (Java: `KVConfigManager`), of which order topics are one.

use std::collections::BTreeMap;

/// `NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG`: key is a topic, value is `broker:queues;broker:queues`.
pub const ORDER_TOPICS: &str = "ORDER_TOPIC_CONFIG";

/// All namespaces together hold at most this many bytes of names, keys and values: every change rewrites the file.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// A value was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvRefused {
    /// Empty namespace or key.
    #[error("namespace or key is null")]
    Unnamed,
    /// No room.
    #[error("the key-value configuration may hold {BYTES_MAX} bytes; delete some keys first")]
    Full,
}

/// Namespace -> key -> value; as JSON it is Java's `KVConfigSerializeWrapper`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KvConfig {
    #[serde(rename = "configTable")]
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

impl KvConfig {
    /// Sets a value (100).
    ///
    /// # Errors
    /// [`KvRefused`]; nothing is changed then.
    pub fn put(&mut self, namespace: &str, key: &str, value: &str) -> Result<(), KvRefused> {
        if namespace.is_empty() || key.is_empty() {
            return Err(KvRefused::Unnamed);
        }
        if self.bytes() + namespace.len() + key.len() + value.len() > BYTES_MAX {
            return Err(KvRefused::Full);
        }
        self.tables.entry(namespace.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    /// Removes a value (102); a missing one is no error. The namespace stays, as in Java.
    pub fn delete(&mut self, namespace: &str, key: &str) {
        if let Some(table) = self.tables.get_mut(namespace) {
            table.remove(key);
        }
    }

    /// One value (101).
    #[must_use]
    pub fn get(&self, namespace: &str, key: &str) -> Option<&str> {
        self.tables.get(namespace)?.get(key).map(String::as_str)
    }

    /// One namespace (219).
    #[must_use]
    pub fn namespace(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.tables.get(namespace)
    }

    fn bytes(&self) -> usize {
        let table = |(name, table): (&String, &BTreeMap<String, String>)| {
            name.len() + table.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>()
        };
        self.tables.iter().map(table).sum()
    }
}
