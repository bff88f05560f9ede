//! Topics as tools see and change them: lists, deletion, single registration, write permission.

use std::collections::{BTreeMap, BTreeSet};

use super::{Queues, Table, Topic};
use crate::protocol::body::route::{BrokerData, QueueData};
use crate::protocol::sys_flag::perm;

/// Bit 0 of a topic's system flag: it belongs to a unit (`TopicSysFlag.FLAG_UNIT`).
const FLAG_UNIT: i32 = 1;
/// Bit 1: units subscribe to it (`TopicSysFlag.FLAG_UNIT_SUB`).
const FLAG_UNIT_SUB: i32 = 2;

/// Which unit topics are asked for (311, 312, 313).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnitTopics {
    /// Topics of a unit.
    Unit,
    /// Topics units subscribe to.
    Subscribed,
    /// Topics units subscribe to that belong to none.
    SubscribedOutside,
}

/// What to do with a broker's write permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePermission {
    /// 205: clear the write bit.
    Wipe,
    /// 327: read and write.
    Add,
}

/// A single topic was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicRefused {
    /// A queue's broker is not registered.
    #[error("topic {topic} names broker {broker}, which is not registered")]
    UnknownBroker {
        /// The topic.
        topic: String,
        /// The broker name.
        broker: String,
    },
    /// The topic's name is empty or too long, or the table is full.
    #[error("topic {topic} was not taken: its name is empty or too long, or this NameServer holds all it may")]
    NoRoom {
        /// The topic.
        topic: String,
    },
}

impl Table {
    /// All topics (206).
    #[must_use]
    pub fn topic_names(&self) -> BTreeSet<String> {
        self.topics.keys().map(ToString::to_string).collect()
    }

    /// The topics with queues on a broker of this cluster (224).
    #[must_use]
    pub fn topics_of_cluster(&self, cluster: &str) -> BTreeSet<String> {
        let in_cluster = |name: &str| self.groups.get(name).is_some_and(|group| group.cluster == cluster);
        self.topics_where(|topic| topic.queues.keys().any(|name| in_cluster(name)))
    }

    /// The names of all clusters and brokers, each of which is a topic, and the address of a broker that knows more (304).
    #[must_use]
    pub fn system_topics(&self) -> (BTreeSet<String>, Option<String>) {
        let names: BTreeSet<String> =
            self.groups.iter().flat_map(|(name, group)| [group.cluster.clone(), name.to_string()]).collect();
        let any = self.groups.values().next().and_then(|group| group.members.values().next());
        (names, any.map(|member| member.address.clone()))
    }

    /// Unit topics; the flag of the first broker speaks for the topic, as in Java.
    #[must_use]
    pub fn unit_topics(&self, which: UnitTopics) -> BTreeSet<String> {
        self.topics_where(|topic| {
            let flag = topic.queues.values().next().map_or(0, |queues| queues.sys_flag);
            let (unit, subscribed) = (flag & FLAG_UNIT != 0, flag & FLAG_UNIT_SUB != 0);
            match which {
                UnitTopics::Unit => unit,
                UnitTopics::Subscribed => subscribed,
                UnitTopics::SubscribedOutside => subscribed && !unit,
            }
        })
    }

    fn topics_where(&self, matches: impl Fn(&Topic) -> bool) -> BTreeSet<String> {
        self.topics.iter().filter(|(_, topic)| matches(topic)).map(|(name, _)| name.to_string()).collect()
    }

    /// All groups by name, and the names by cluster (106).
    #[must_use]
    pub fn clusters(&self) -> (BTreeMap<String, BrokerData>, BTreeMap<String, BTreeSet<String>>) {
        let mut clusters: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (name, group) in &self.groups {
            clusters.entry(group.cluster.clone()).or_default().insert(name.to_string());
        }
        let brokers =
            self.groups.keys().filter_map(|name| Some((name.to_string(), self.broker_data(name, false)?))).collect();
        (brokers, clusters)
    }

    /// Forgets a topic, on all brokers or on those of one cluster (216), until its broker registers it again.
    pub fn delete_topic(&mut self, topic: &str, cluster: Option<&str>) {
        let Some(entry) = self.topics.get_mut(topic) else { return };
        let before = entry.queues.len();
        entry.queues.retain(|name, _| {
            let in_cluster = self.groups.get(name).is_some_and(|group| Some(group.cluster.as_str()) == cluster);
            cluster.is_some() && !in_cluster
        });
        let queues = &entry.queues;
        entry.mappings.retain(|name, _| queues.contains_key(name));
        let left = entry.queues.len();
        if left == before {
            return;
        }
        self.queues -= before - left;
        self.revision += 1;
        if left == 0 {
            self.topics.remove(topic);
        }
    }

    /// Adds or replaces one topic's queues (217), all of them or none.
    ///
    /// # Errors
    /// [`TopicRefused`]; Java answers success and ignores the request, so the caller only logs it.
    pub fn register_topic(&mut self, topic: &str, queue_datas: &[QueueData]) -> Result<(), TopicRefused> {
        let room = self.limits.queues.saturating_sub(self.queues);
        if topic.is_empty() || topic.len() > super::NAME_BYTES_MAX || queue_datas.len() > room {
            return Err(TopicRefused::NoRoom { topic: topic.to_owned() });
        }
        let mut known = Vec::with_capacity(queue_datas.len());
        for data in queue_datas {
            let Some((name, _)) = self.groups.get_key_value(data.broker_name.as_str()) else {
                return Err(TopicRefused::UnknownBroker { topic: topic.to_owned(), broker: data.broker_name.clone() });
            };
            let queues = Queues {
                read: data.read_queue_nums,
                write: data.write_queue_nums,
                perm: data.perm,
                sys_flag: data.topic_sys_flag,
            };
            known.push((name.clone(), queues));
        }
        for (name, queues) in known {
            self.put_queues(topic, &name, queues, true);
        }
        Ok(())
    }

    /// Changes the permission of all topics of a broker name until its next changed registration; returns how many there are.
    pub fn set_write_permission(&mut self, broker: &str, what: WritePermission) -> usize {
        let mut count = 0;
        for topic in self.topics.values_mut() {
            if let Some(queues) = topic.queues.get_mut(broker) {
                queues.perm = match what {
                    WritePermission::Wipe => queues.perm & !perm::WRITE,
                    WritePermission::Add => perm::READ | perm::WRITE,
                };
                count += 1;
            }
        }
        self.revision += u64::from(count > 0);
        count
    }
}
