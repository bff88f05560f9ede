//! The topics of a broker (Java: `TopicConfigManager`, `topics.json`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use crate::config::{Broker, Role};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::topic::{TopicConfig, TopicConfigTable};
use crate::protocol::ids::Millis;
use crate::protocol::json;
use crate::protocol::sys_flag::perm;
use crate::protocol::topic_name;

/// Topics per broker; names come from the network.
pub const TOPICS_MAX: usize = 200_000;

/// Queues of the dead letter topic of a group.
const DEAD_LETTER_QUEUES: i32 = 1;

/// All topics of a broker.
#[derive(Debug, Default)]
pub struct Topics {
    /// Not in order: every send looks its topic up, and of ten thousand a tree compares fourteen.
    table: HashMap<Arc<str>, Arc<TopicConfig>>,
    system: Vec<Arc<str>>,
    version: DataVersion,
    changes: Changes,
    announced: bool,
    /// The version is the master's; what this broker does itself does not count.
    follows: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct TopicsFile {
    data_version: DataVersion,
    topic_config_table: BTreeMap<String, TopicConfig>,
}

impl Topics {
    /// Reads `topics.json` as Java or we wrote it, and adds the system topics that are missing.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn load(content: Option<&[u8]>, config: &Broker, now: Millis) -> Result<Topics, json::JsonError> {
        let file: TopicsFile = content.map(json::from_java).transpose()?.unwrap_or_default();
        let follows = config.role == Role::Slave;
        let mut topics = Topics { version: file.data_version, follows, ..Topics::default() };
        for (name, mut topic) in file.topic_config_table {
            topic.topic_name.clone_from(&name);
            topics.table.insert(name.into(), Arc::new(topic));
        }
        for topic in system_topics(config) {
            let name: Arc<str> = topic.topic_name.as_str().into();
            topics.system.push(Arc::clone(&name));
            // The queues of TBW102 follow the configuration; everything else stays as it was stored.
            let follows_config = &*name == topic_name::AUTO_CREATE;
            if follows_config || !topics.table.contains_key(&name) {
                topics.put_silently(name, topic, now);
            }
        }
        Ok(topics)
    }

    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::to_java(&TopicsFile {
            data_version: self.version,
            topic_config_table: self.table.iter().map(|(name, topic)| (name.to_string(), (**topic).clone())).collect(),
        })
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

    /// Whether something changed since the last call that NameServers should know.
    pub fn take_unannounced(&mut self) -> bool {
        !std::mem::replace(&mut self.announced, true)
    }

    /// What is registered at NameServers: each topic with no more rights than the broker itself has.
    #[must_use]
    pub fn announcement(&self, broker_perm: i32) -> TopicConfigTable {
        let visible = |topic: &Arc<TopicConfig>| {
            let mut topic = (**topic).clone();
            if !perm::is_writable(broker_perm) || !perm::is_readable(broker_perm) {
                topic.perm &= broker_perm;
            }
            topic
        };
        TopicConfigTable {
            data_version: self.version,
            topic_config_table: self.table.iter().map(|(name, topic)| (name.to_string(), visible(topic))).collect(),
        }
    }

    /// A topic with its interned name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&Arc<str>, &Arc<TopicConfig>)> {
        self.table.get_key_value(name)
    }

    /// All topics by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<TopicConfig>)> {
        let mut topics: Vec<_> = self.table.iter().collect();
        topics.sort_unstable_by_key(|(name, _)| *name);
        topics.into_iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none (there never is: system topics are always there).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Names of the topics that the broker made for itself.
    #[must_use]
    pub fn system(&self) -> &[Arc<str>] {
        &self.system
    }

    /// The table's version.
    #[must_use]
    pub fn version(&self) -> &DataVersion {
        &self.version
    }

    /// Creates a topic that a producer sends to, after `default_topic` when that one has the inherit bit
    /// (`createTopicInSendMessageMethod`). `None` when it may not be created.
    pub fn create_from_default(&mut self, now: Millis, wanted: &NewTopic<'_>, auto_create: bool) -> Option<Arc<str>> {
        let default = Arc::clone(self.table.get(wanted.default_topic)?);
        let inherits = perm::is_inheritable(default.perm);
        let forbidden = wanted.default_topic == topic_name::AUTO_CREATE && !auto_create;
        if !inherits || forbidden || self.table.len() >= TOPICS_MAX {
            return None;
        }
        let queues = wanted.queues.min(default.write_queue_nums).max(0);
        let topic = TopicConfig {
            topic_name: wanted.topic.to_owned(),
            read_queue_nums: queues,
            write_queue_nums: queues,
            perm: default.perm & !perm::INHERIT,
            topic_sys_flag: wanted.sys_flag,
            topic_filter_type: default.topic_filter_type,
            ..TopicConfig::default()
        };
        Some(self.put(now, topic))
    }

    /// The retry or dead letter topic of a group (`createTopicInSendMessageBackMethod`); made when it is missing.
    pub fn ensure(
        &mut self,
        now: Millis,
        name: &str,
        queues: i32,
        order: bool,
        sys_flag: i32,
    ) -> Option<(Arc<str>, Arc<TopicConfig>)> {
        if !self.table.contains_key(name) {
            if self.table.len() >= TOPICS_MAX {
                return None;
            }
            let topic = TopicConfig {
                topic_name: name.to_owned(),
                read_queue_nums: queues,
                write_queue_nums: queues,
                perm: perm::READ | perm::WRITE,
                topic_sys_flag: sys_flag,
                order,
                ..TopicConfig::default()
            };
            self.put(now, topic);
        }
        self.get(name).map(|(name, topic)| (Arc::clone(name), Arc::clone(topic)))
    }

    /// The dead letter topic of a group.
    pub fn ensure_dead_letter(&mut self, now: Millis, group: &str) -> Option<(Arc<str>, Arc<TopicConfig>)> {
        self.ensure(now, &topic_name::dlq_topic(group), DEAD_LETTER_QUEUES, false, 0)
    }

    /// Creates or replaces a topic; returns its interned name.
    pub fn put(&mut self, now: Millis, topic: TopicConfig) -> Arc<str> {
        let name: Arc<str> = match self.table.get_key_value(topic.topic_name.as_str()) {
            Some((name, _)) => Arc::clone(name),
            None => topic.topic_name.as_str().into(),
        };
        self.put_silently(Arc::clone(&name), topic, now);
        name
    }

    /// Deletes a topic; `false` when there is none.
    pub fn remove(&mut self, now: Millis, name: &str) -> bool {
        let removed = self.table.remove(name).is_some();
        if removed {
            self.changed(now);
        }
        removed
    }

    /// Takes the table of the master over and returns the topics that are there no more. A table without topics, which no
    /// broker has, changes nothing; one that is older than this one deletes nothing, because its master has lost something.
    pub fn adopt(&mut self, master: TopicConfigTable) -> Vec<Arc<str>> {
        let TopicConfigTable { data_version, topic_config_table } = master;
        if topic_config_table.is_empty() {
            return Vec::new();
        }
        let is_gone =
            |name: &Arc<str>| !topic_config_table.contains_key(&**name) && !self.system.iter().any(|own| own == name);
        let gone: Vec<Arc<str>> = match data_version < self.version {
            true => Vec::new(),
            false => self.table.keys().filter(|name| is_gone(name)).cloned().collect(),
        };
        for name in &gone {
            self.table.remove(name);
        }
        for (name, mut topic) in topic_config_table {
            topic.topic_name.clone_from(&name);
            let known = self.table.get_key_value(name.as_str()).map(|(name, _)| Arc::clone(name));
            self.table.insert(known.unwrap_or_else(|| name.into()), Arc::new(topic));
        }
        self.version = data_version;
        self.changes.mark();
        self.announced = false;
        gone
    }

    /// The broker's rights changed: NameServers have to be told, with a new version.
    pub fn touch(&mut self, now: Millis) {
        self.changed(now);
    }

    fn put_silently(&mut self, name: Arc<str>, topic: TopicConfig, now: Millis) {
        if self.table.get(&name).is_some_and(|old| **old == topic) {
            return;
        }
        self.table.insert(name, Arc::new(topic));
        self.changed(now);
    }

    fn changed(&mut self, now: Millis) {
        if !self.follows {
            self.version.next(now, 0);
        }
        self.changes.mark();
        self.announced = false;
    }
}

/// A topic that a producer asks for by sending to it.
#[derive(Clone, Copy, Debug)]
pub struct NewTopic<'a> {
    /// Its name.
    pub topic: &'a str,
    /// The topic it is made after, `TBW102` as a rule.
    pub default_topic: &'a str,
    /// Queues wanted.
    pub queues: i32,
    /// `topicSysFlag`.
    pub sys_flag: i32,
}

/// The topics every Java 5.5.0 broker makes at start (`TopicConfigManager.init`; reference/store.md 7.7).
fn system_topics(config: &Broker) -> Vec<TopicConfig> {
    let topic = |name: &str, queues: i32, perm: i32| TopicConfig {
        topic_name: name.to_owned(),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm,
        ..TopicConfig::default()
    };
    let (read_write, all) = (perm::READ | perm::WRITE, perm::READ | perm::WRITE | perm::INHERIT);
    let cluster = &config.identity.cluster;
    let broker = &config.identity.name;
    let levels = i32::try_from(config.delay_levels.max()).unwrap_or(i32::MAX);
    let mut topics = vec![
        topic(topic_name::SELF_TEST, 1, read_write),
        topic(topic_name::BENCHMARK, 1024, read_write),
        topic(cluster, 16, if config.topics.cluster_topic { all } else { perm::INHERIT }),
        topic(broker, 1, if config.topics.broker_topic { all } else { perm::INHERIT }),
        topic(topic_name::OFFSET_MOVED_EVENT, 1, read_write),
        topic(topic_name::SCHEDULE, levels, read_write),
        topic(&topic_name::reply_topic(cluster), 1, read_write),
        topic(&format!("{}{cluster}", topic_name::REVIVE_LOG_PREFIX), 8, read_write),
        topic(&format!("{}{broker}", topic_name::SYNC_BROKER_MEMBER_PREFIX), 1, perm::INHERIT),
        topic(topic_name::TRANSACTION_HALF, 1, read_write),
        topic(topic_name::TRANSACTION_OP_HALF, 1, read_write),
        topic(topic_name::WHEEL_TIMER, 1, read_write),
    ];
    if config.topics.auto_create {
        let queues = i32::try_from(config.topics.default_queues).unwrap_or(i32::MAX);
        topics.push(topic(topic_name::AUTO_CREATE, queues, all));
    }
    if config.topics.trace_topic {
        topics.push(topic(&config.topics.trace_topic_name, 1, read_write));
    }
    topics
}
