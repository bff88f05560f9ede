//! Consumer groups and their settings (Java: `SubscriptionGroupManager`, `subscriptionGroup.json`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::group::{SubscriptionGroupConfig, SubscriptionGroupTable};
use crate::protocol::ids::Millis;
use crate::protocol::json;
use crate::protocol::sys_flag::perm;
use crate::protocol::topic_name;

/// Groups per broker; names come from the network.
pub const GROUPS_MAX: usize = 200_000;

/// The groups that are there without being created (`SubscriptionGroupManager.init`).
const SYSTEM_GROUPS: [&str; 6] = [
    "TOOLS_CONSUMER",
    "FILTERSRV_CONSUMER",
    "SELF_TEST_C_GROUP",
    "CID_ONS-HTTP-PROXY",
    "CID_ONSAPI_PULL",
    "CID_ONSAPI_PERMISSION",
];

/// All groups of a broker.
#[derive(Debug, Default)]
pub struct Groups {
    table: BTreeMap<Arc<str>, Arc<SubscriptionGroupConfig>>,
    /// Topics a group may not read, kept as Java keeps them: group -> topic -> bits.
    forbidden: BTreeMap<String, BTreeMap<String, i32>>,
    version: DataVersion,
    changes: Changes,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GroupsFile {
    data_version: DataVersion,
    forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    subscription_group_table: BTreeMap<String, SubscriptionGroupConfig>,
}

impl Groups {
    /// Reads `subscriptionGroup.json` as Java or we wrote it.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn load(content: Option<&[u8]>, now: Millis) -> Result<Groups, json::JsonError> {
        let file: GroupsFile = content.map(json::from_java).transpose()?.unwrap_or_default();
        let mut groups = Groups { version: file.data_version, forbidden: file.forbidden_table, ..Groups::default() };
        for (name, mut group) in file.subscription_group_table {
            group.group_name.clone_from(&name);
            groups.table.insert(name.into(), Arc::new(group));
        }
        for name in SYSTEM_GROUPS {
            if !groups.table.contains_key(name) {
                let broadcast = name.starts_with("CID_ONS");
                groups.put(
                    now,
                    SubscriptionGroupConfig {
                        consume_broadcast_enable: broadcast
                            || SubscriptionGroupConfig::default().consume_broadcast_enable,
                        ..named(name)
                    },
                );
            }
        }
        Ok(groups)
    }

    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::to_java(&GroupsFile {
            data_version: self.version,
            forbidden_table: self.forbidden.clone(),
            subscription_group_table: self.plain_table(),
        })
    }

    /// The table as GET_ALL_SUBSCRIPTIONGROUP_CONFIG (201) answers it.
    #[must_use]
    pub fn to_table(&self) -> SubscriptionGroupTable {
        SubscriptionGroupTable {
            data_version: self.version,
            forbidden_table: self.forbidden.clone(),
            subscription_group_table: self.plain_table(),
        }
    }

    fn plain_table(&self) -> BTreeMap<String, SubscriptionGroupConfig> {
        self.table.iter().map(|(name, group)| (name.to_string(), (**group).clone())).collect()
    }

    /// Whether the file has to be written.
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.changes.is_dirty()
    }

    /// Changes since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.count()
    }

    /// The content is about to be written.
    pub fn persisting(&mut self) -> Vec<u8> {
        self.changes.saving();
        self.to_json()
    }

    /// A group with its interned name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Arc<str>, &Arc<SubscriptionGroupConfig>)> {
        self.table.get_key_value(name)
    }

    /// A group, created with default settings when that is allowed (`findSubscriptionGroupConfig`).
    pub fn find_or_create(
        &mut self,
        now: Millis,
        name: &str,
        auto_create: bool,
    ) -> Option<(Arc<str>, Arc<SubscriptionGroupConfig>)> {
        if !self.table.contains_key(name) {
            let allowed = auto_create || name.starts_with(topic_name::SYSTEM_GROUP_PREFIX);
            if !allowed || topic_name::check_group(name).is_err() || self.table.len() >= GROUPS_MAX {
                return None;
            }
            self.put(now, named(name));
        }
        self.get(name).map(|(name, group)| (Arc::clone(name), Arc::clone(group)))
    }

    /// A group as [`Groups::find_or_create`] gives it, but the table stays as it is: for slaves, whose table is their master's.
    #[must_use]
    pub fn find_or_default(&self, name: &str, auto_create: bool) -> Option<(Arc<str>, Arc<SubscriptionGroupConfig>)> {
        if let Some((name, group)) = self.get(name) {
            return Some((Arc::clone(name), Arc::clone(group)));
        }
        let allowed = auto_create || name.starts_with(topic_name::SYSTEM_GROUP_PREFIX);
        let usable = allowed && topic_name::check_group(name).is_ok();
        usable.then(|| (name.into(), Arc::new(named(name))))
    }

    /// Takes the table of the master over and returns the groups that are there no more. A table without groups, which no
    /// broker has, changes nothing.
    pub fn adopt(&mut self, master: SubscriptionGroupTable) -> Vec<Arc<str>> {
        let SubscriptionGroupTable { data_version, forbidden_table, subscription_group_table } = master;
        if subscription_group_table.is_empty() {
            return Vec::new();
        }
        let gone = self.table.keys().filter(|name| !subscription_group_table.contains_key(&***name)).cloned().collect();
        let named = |(name, mut group): (String, SubscriptionGroupConfig)| {
            group.group_name.clone_from(&name);
            (Arc::from(name), Arc::new(group))
        };
        self.table = subscription_group_table.into_iter().map(named).collect();
        self.forbidden = forbidden_table;
        self.version = data_version;
        self.changes.mark();
        gone
    }

    /// Creates or replaces a group.
    pub fn put(&mut self, now: Millis, group: SubscriptionGroupConfig) {
        if self.table.get(group.group_name.as_str()).is_some_and(|old| **old == group) {
            return;
        }
        self.table.insert(group.group_name.as_str().into(), Arc::new(group));
        self.changed(now);
    }

    /// Deletes a group; `false` when there is none.
    pub fn remove(&mut self, now: Millis, name: &str) -> bool {
        let removed = self.table.remove(name).is_some();
        if removed {
            self.forbidden.remove(name);
            self.changed(now);
        }
        removed
    }

    /// Whether an operator has forbidden the group to read the topic (the read bit, Java: `PermName.INDEX_PERM_READ`).
    #[must_use]
    pub fn is_reading_forbidden(&self, group: &str, topic: &str) -> bool {
        self.forbidden.get(group).and_then(|topics| topics.get(topic)).is_some_and(|bits| perm::is_readable(*bits))
    }

    /// Forbids a group to read a topic, or allows it again.
    pub fn forbid_reading(&mut self, now: Millis, group: &str, topic: &str, forbidden: bool) {
        if self.is_reading_forbidden(group, topic) == forbidden {
            return;
        }
        let topics = self.forbidden.entry(group.to_owned()).or_default();
        let bits = topics.get(topic).copied().unwrap_or(0);
        match if forbidden { bits | perm::READ } else { bits & !perm::READ } {
            0 => topics.remove(topic),
            bits => topics.insert(topic.to_owned(), bits),
        };
        if topics.is_empty() {
            self.forbidden.remove(group);
        }
        self.changed(now);
    }

    /// All groups by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<SubscriptionGroupConfig>)> {
        self.table.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none (there never is: system groups are always there).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    fn changed(&mut self, now: Millis) {
        self.version.next(now, 0);
        self.changes.mark();
    }
}

fn named(name: &str) -> SubscriptionGroupConfig {
    SubscriptionGroupConfig { group_name: name.to_owned(), ..SubscriptionGroupConfig::default() }
}
