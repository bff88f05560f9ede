//! How far consumer groups have come (Java: `ConsumerOffsetManager`, `consumerOffset.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::protocol::json;

/// A topic and a group; written `topic@group` in the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicGroup {
    /// The topic.
    pub topic: Arc<str>,
    /// The group.
    pub group: Arc<str>,
}

impl TopicGroup {
    fn key(topic: &str, group: &str) -> TopicGroup {
        TopicGroup { topic: topic.into(), group: group.into() }
    }
}

/// Offsets of one topic and group, by queue.
pub type QueueOffsets = BTreeMap<QueueId, QueueOffset>;

/// At most this many (topic, group) pairs are kept; a client that invents groups cannot fill the memory.
pub const PAIRS_MAX: usize = 1_000_000;

/// All consumer offsets of a broker.
#[derive(Debug, Default)]
pub struct ConsumerOffsets {
    committed: BTreeMap<TopicGroup, QueueOffsets>,
    /// Offsets up to which messages were handed out, for the in-flight figures.
    pulled: BTreeMap<TopicGroup, QueueOffsets>,
    /// Resets by an operator that the client has not followed yet; commits are ignored until it has.
    reset: BTreeMap<TopicGroup, QueueOffsets>,
    /// On a slave, the pairs that the master had when it was last asked.
    masters: BTreeSet<TopicGroup>,
    version: DataVersion,
    commits_since_version: u32,
    changes: Changes,
}

/// Commits between two versions (Java: `consumerOffsetUpdateVersionStep`).
const COMMITS_PER_VERSION: u32 = 500;

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct OffsetsFile {
    data_version: DataVersion,
    offset_table: BTreeMap<String, BTreeMap<String, i64>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pull_offset_table: BTreeMap<String, BTreeMap<String, i64>>,
}

impl ConsumerOffsets {
    /// Reads the file as Java or we wrote it.
    ///
    /// # Errors
    /// When it is not such JSON.
    pub fn from_json(content: &[u8]) -> Result<ConsumerOffsets, json::JsonError> {
        let file: OffsetsFile = json::from_java(content)?;
        Ok(ConsumerOffsets {
            committed: table_from_file(file.offset_table),
            pulled: table_from_file(file.pull_offset_table),
            version: file.data_version,
            ..ConsumerOffsets::default()
        })
    }

    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        json::to_java(&OffsetsFile {
            data_version: self.version,
            offset_table: table_to_file(&self.committed),
            pull_offset_table: table_to_file(&self.pulled),
        })
    }

    /// Whether something changed since the last [`ConsumerOffsets::persisting`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.changes.is_dirty()
    }

    /// Changes since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.count()
    }

    /// The content is about to be written; later changes make it dirty again.
    pub fn persisting(&mut self) -> Vec<u8> {
        self.changes.saving();
        self.to_json()
    }

    /// The version of the table (Java compares it between master and slave).
    #[must_use]
    pub fn version(&self) -> &DataVersion {
        &self.version
    }

    /// Takes the offsets of the master over. Pairs that the master had and has no more go; those that only this slave has,
    /// because consumers committed here while the master was away, stay. A table without any offset changes nothing.
    pub fn adopt(&mut self, master: ConsumerOffsets) {
        let ConsumerOffsets { committed, version, .. } = master;
        if committed.is_empty() {
            return;
        }
        let before = std::mem::take(&mut self.masters);
        for key in before.into_iter().filter(|key| !committed.contains_key(key)) {
            self.changes.mark_if(self.committed.remove(&key).is_some());
        }
        self.masters = committed.keys().cloned().collect();
        for (key, queues) in committed {
            if self.committed.get(&key) != Some(&queues) {
                self.committed.insert(key, queues);
                self.changes.mark();
            }
        }
        self.changes.mark_if(self.version != version);
        self.version = version;
    }

    /// Takes over what consumers have committed to a slave while this master was away: each offset that is further than the one
    /// here, of topics that are here. Java takes all of them when the slave's table has no older version, which moves back
    /// whoever committed to the master in its last moments. Returns how many were raised.
    pub fn raise(&mut self, now: Millis, slave: ConsumerOffsets, is_known: impl Fn(&str) -> bool) -> usize {
        let mut raised = 0;
        for (key, queues) in slave.committed.into_iter().filter(|(key, _)| is_known(&key.topic)) {
            if self.committed.len() >= PAIRS_MAX && !self.committed.contains_key(&key) {
                continue;
            }
            let own = self.committed.entry(key).or_default();
            for (queue, offset) in queues {
                let known = own.entry(queue).or_insert(QueueOffset(-1));
                if *known < offset {
                    *known = offset;
                    raised += 1;
                }
            }
        }
        if raised > 0 {
            self.changed(now);
        }
        raised
    }

    /// Commits an offset; `false` when it is ignored because an operator's reset waits for the client, or the table is
    /// full.
    pub fn commit(&mut self, now: Millis, topic: &str, group: &str, queue: QueueId, offset: QueueOffset) -> bool {
        let key = TopicGroup::key(topic, group);
        if self.reset.get(&key).is_some_and(|queues| queues.contains_key(&queue)) {
            return false;
        }
        if self.committed.len() >= PAIRS_MAX && !self.committed.contains_key(&key) {
            return false;
        }
        self.committed.entry(key).or_default().insert(queue, offset);
        self.changed(now);
        true
    }

    /// Notes up to where messages were handed out.
    pub fn pulled(&mut self, topic: &str, group: &str, queue: QueueId, offset: QueueOffset) {
        let key = TopicGroup::key(topic, group);
        if self.pulled.len() < PAIRS_MAX || self.pulled.contains_key(&key) {
            self.pulled.entry(key).or_default().insert(queue, offset);
        }
    }

    /// The offset a group goes on from: an operator's reset, else the committed one.
    #[must_use]
    pub fn get(&self, topic: &str, group: &str, queue: QueueId) -> Option<QueueOffset> {
        let key = TopicGroup::key(topic, group);
        let reset = self.reset.get(&key).and_then(|queues| queues.get(&queue));
        reset.or_else(|| self.committed.get(&key).and_then(|queues| queues.get(&queue))).copied()
    }

    /// Up to where messages were handed out, at least the committed offset.
    #[must_use]
    pub fn pull_position(&self, topic: &str, group: &str, queue: QueueId) -> Option<QueueOffset> {
        let key = TopicGroup::key(topic, group);
        let pulled = self.pulled.get(&key).and_then(|queues| queues.get(&queue)).copied();
        pulled.max(self.get(topic, group, queue))
    }

    /// An operator moves a group; the next pull of that queue learns the new offset.
    pub fn reset(&mut self, now: Millis, topic: &str, group: &str, queue: QueueId, offset: QueueOffset) {
        let key = TopicGroup::key(topic, group);
        self.reset.entry(key.clone()).or_default().insert(queue, offset);
        self.committed.entry(key.clone()).or_default().insert(queue, offset);
        self.pulled.remove(&key);
        self.changed(now);
    }

    /// The reset offset of a queue, once: after this commits count again.
    pub fn take_reset(&mut self, topic: &str, group: &str, queue: QueueId) -> Option<QueueOffset> {
        if self.reset.is_empty() {
            return None;
        }
        let key = TopicGroup::key(topic, group);
        let queues = self.reset.get_mut(&key)?;
        let offset = queues.remove(&queue);
        if queues.is_empty() {
            self.reset.remove(&key);
        }
        offset
    }

    /// The topics a group has offsets of.
    pub fn topics_of<'a>(&'a self, group: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.committed.keys().filter(move |key| &*key.group == group).map(|key| &key.topic)
    }

    /// The groups that have offsets of a topic.
    pub fn groups_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.committed.keys().filter(move |key| &*key.topic == topic).map(|key| &key.group)
    }

    /// Every pair with its offsets.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicGroup, &QueueOffsets)> {
        self.committed.iter()
    }

    /// Copies the offsets of one group to another.
    pub fn clone_group(&mut self, now: Millis, topic: &str, from: &str, to: &str) {
        if let Some(offsets) = self.committed.get(&TopicGroup::key(topic, from)).cloned() {
            self.committed.insert(TopicGroup::key(topic, to), offsets);
            self.changed(now);
        }
    }

    /// Forgets a deleted group.
    pub fn remove_group(&mut self, now: Millis, group: &str) {
        self.retain(now, |key| &*key.group != group);
    }

    /// Forgets a deleted topic.
    pub fn remove_topic(&mut self, now: Millis, topic: &str) {
        self.retain(now, |key| &*key.topic != topic);
    }

    fn retain(&mut self, now: Millis, keep: impl Fn(&TopicGroup) -> bool) {
        self.committed.retain(|key, _| keep(key));
        self.pulled.retain(|key, _| keep(key));
        self.reset.retain(|key, _| keep(key));
        self.changed(now);
    }

    fn changed(&mut self, now: Millis) {
        self.changes.mark();
        self.commits_since_version += 1;
        if self.commits_since_version >= COMMITS_PER_VERSION {
            self.commits_since_version = 0;
            self.version.next(now, 0);
        }
    }
}

fn table_from_file(table: BTreeMap<String, BTreeMap<String, i64>>) -> BTreeMap<TopicGroup, QueueOffsets> {
    table
        .into_iter()
        .filter_map(|(key, queues)| {
            let (topic, group) = key.split_once('@')?;
            let queues =
                queues.iter().filter_map(|(queue, offset)| Some((QueueId(queue.parse().ok()?), QueueOffset(*offset))));
            Some((TopicGroup::key(topic, group), queues.collect()))
        })
        .collect()
}

fn table_to_file(table: &BTreeMap<TopicGroup, QueueOffsets>) -> BTreeMap<String, BTreeMap<String, i64>> {
    table
        .iter()
        .map(|(key, queues)| {
            let queues = queues.iter().map(|(queue, offset)| (queue.to_string(), offset.0)).collect();
            (format!("{}@{}", key.topic, key.group), queues)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: QueueId = QueueId(0);

    #[test]
    fn reads_what_java_writes() {
        let java = br#"{
	"dataVersion":{"counter":1,"stateVersion":0,"timestamp":1700000000000},
	"groupTopicMap":{"g":["t"]},
	"offsetTable":{"t@g":{0:12,1:7}},
	"pullOffsetTable":{}
}"#;
        let offsets = ConsumerOffsets::from_json(java).unwrap();
        let got = (offsets.get("t", "g", QUEUE), offsets.get("t", "g", QueueId(1)), offsets.get("t", "h", QUEUE));
        assert_eq!(got, (Some(QueueOffset(12)), Some(QueueOffset(7)), None));
        assert_eq!(ConsumerOffsets::from_json(&offsets.to_json()).unwrap().committed, offsets.committed);
    }

    #[test]
    fn a_reset_hides_commits_until_the_client_has_followed() {
        let mut offsets = ConsumerOffsets::default();
        assert!(offsets.commit(Millis(1), "t", "g", QUEUE, QueueOffset(9)));
        offsets.reset(Millis(2), "t", "g", QUEUE, QueueOffset(3));
        assert!(!offsets.commit(Millis(3), "t", "g", QUEUE, QueueOffset(10)));
        assert_eq!(offsets.get("t", "g", QUEUE), Some(QueueOffset(3)));
        assert_eq!(offsets.take_reset("t", "g", QUEUE), Some(QueueOffset(3)));
        assert_eq!(offsets.take_reset("t", "g", QUEUE), None);
        assert!(offsets.commit(Millis(4), "t", "g", QUEUE, QueueOffset(4)));
        assert_eq!(offsets.get("t", "g", QUEUE), Some(QueueOffset(4)));
    }

    #[test]
    fn deleted_groups_and_topics_leave_nothing() {
        let mut offsets = ConsumerOffsets::default();
        for (topic, group) in [("a", "g"), ("a", "h"), ("b", "g")] {
            offsets.commit(Millis(0), topic, group, QUEUE, QueueOffset(1));
        }
        offsets.remove_group(Millis(1), "g");
        assert_eq!(offsets.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [TopicGroup::key("a", "h")]);
        offsets.remove_topic(Millis(1), "a");
        assert_eq!(offsets.iter().count(), 0);
    }
}
