//! A broker's figures at one moment, for /metrics, /brokers and /readyz. Plain data; names of series are the reader's.
//!
//! Counters run from the broker's start on. Every list has one entry per label set that Java 5.5.0 exports, so a reader
//! turns entries into series one to one (reference/ecosystem.md 1.2).

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Role;
use crate::protocol::body::heartbeat::{ConsumeType, MessageModel};
use crate::protocol::ids::{BrokerIdentity, Millis, QueueId, QueueOffset};
use crate::protocol::sys_flag::perm;
use crate::protocol::topic_name;
use crate::store::{Patience, Usage};

use super::core::Core;
pub use super::creations::{CREATION_MILLIS_BOUNDS, Creation, CreationTimes};
use super::raft::Standing;
use super::state::clients::Members;
use super::state::stats::KindCounts;
pub use super::state::stats::{
    MessageKind, PAIRS_SHOWN_MAX, PUT_MILLIS_BOUNDS, PutLatency, SIZE_BOUNDS, Sizes, TOPICS_SHOWN_MAX,
};

/// Store times looked up for one snapshot at most, so that scraping a broker of ten thousand topics does not hold it up.
/// Queues beyond that have no part in the latencies.
const STORE_TIMES_MAX: usize = 512;

/// Topic and group of what has no series of its own, so that the page does not grow with the number of topics
/// ([`TOPICS_SHOWN_MAX`], [`PAIRS_SHOWN_MAX`]). No topic can have this name.
pub const OTHERS: &str = "(others)";

/// Everything the process shows of one broker.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Cluster, name and id.
    pub identity: BrokerIdentity,
    /// `brokerRole`.
    pub role: Role,
    /// Where clients find it.
    pub address: SocketAddr,
    /// When these figures were taken.
    pub taken: Millis,
    /// When the broker was started, its store already open.
    pub started: Millis,
    /// `brokerPermission`: 2 write, 4 read, 6 both.
    pub permission: i32,
    /// Why it takes no more messages.
    pub failed: Option<String>,
    /// Topics, those of the system included.
    pub topics: usize,
    /// Consumer groups with settings.
    pub groups: usize,
    /// Messages stored; what was sent to retry and dead letter topics is left out as in Java, what was delivered there after a
    /// delay is not.
    pub incoming: Vec<TopicCounts>,
    /// Messages handed out and given back.
    pub outgoing: Vec<GroupCounts>,
    /// Connections of producers.
    pub producers: Vec<ProducerConnections>,
    /// Connections of consumers.
    pub consumers: Vec<ConsumerConnections>,
    /// How far the groups that are online are behind.
    pub lags: Vec<GroupLag>,
    /// Positions and sizes of the store.
    pub store: Usage,
    /// Sends the store refused.
    pub puts_failed: u64,
    /// Pulls that found nothing.
    pub pulls_missed: u64,
    /// How long puts took.
    pub put_latency: PutLatency,
    /// How long administrators waited for topics and groups: what, whether it succeeded, how long.
    pub creations: Vec<(Creation, bool, CreationTimes)>,
    /// Pulls that wait for a message.
    pub held_pulls: usize,
    /// Answers that wait for a sync or for followers.
    pub flush_waiters: usize,
    /// Followers that keep up.
    pub replicas_in_sync: usize,
    /// Each follower, and how many bytes it is behind.
    pub replica_lags: BTreeMap<String, i64>,
    /// Whether the link to the leader stands; none of a master.
    pub following: Option<bool>,
    /// Whether it acts for its master.
    pub acting: bool,
    /// What a member of a DLedger group is.
    pub raft: Option<Standing>,
}

/// `rocketmq_messages_in_total`, `rocketmq_throughput_in_total`, `rocketmq_message_size`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicCounts {
    /// `topic`.
    pub topic: Arc<str>,
    /// `message_type`.
    pub kind: MessageKind,
    /// `is_system`.
    pub is_system: bool,
    /// Messages stored.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Mean size of the messages of each put.
    pub sizes: Sizes,
}

/// `rocketmq_messages_out_total`, `rocketmq_throughput_out_total`, `rocketmq_send_to_dlq_messages_total`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupCounts {
    /// `topic`.
    pub topic: Arc<str>,
    /// `consumer_group`.
    pub group: Arc<str>,
    /// `is_retry`.
    pub is_retry: bool,
    /// `is_system`.
    pub is_system: bool,
    /// Messages handed out.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages given back by consumers.
    pub sent_back: u64,
    /// Messages that went to the dead letter queue.
    pub dead: u64,
}

/// `rocketmq_producer_connections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerConnections {
    /// Language number, see `codes::language`.
    pub language: u8,
    /// Version ordinal.
    pub version: i32,
    /// Connections.
    pub connections: usize,
}

/// `rocketmq_consumer_connections`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerConnections {
    /// `consumer_group`.
    pub group: Arc<str>,
    /// `consume_mode`: pull or push.
    pub consume_type: ConsumeType,
    /// Whether members share the messages.
    pub message_model: MessageModel,
    /// `is_system`.
    pub is_system: bool,
    /// Language number.
    pub language: u8,
    /// Version ordinal.
    pub version: i32,
    /// Connections.
    pub connections: usize,
}

/// `rocketmq_consumer_lag_messages` and the series beside it. As in Java retry topics of pull consumers are left out, so
/// `is_retry` is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLag {
    /// `consumer_group`.
    pub group: Arc<str>,
    /// `topic`.
    pub topic: Arc<str>,
    /// `is_system`.
    pub is_system: bool,
    /// Messages not consumed.
    pub lag_messages: i64,
    /// Messages handed out and not consumed.
    pub inflight_messages: i64,
    /// Messages not handed out.
    pub ready_messages: i64,
    /// `rocketmq_consumer_lag_latency_milliseconds`: age of the oldest message not consumed, 0 when there is none; `None` when
    /// its store time is not in memory.
    pub lag_millis: Option<i64>,
    /// `rocketmq_consumer_queueing_latency_milliseconds`: age of the oldest message not handed out, in the same way.
    pub queueing_millis: Option<i64>,
}

impl Core {
    /// The broker's figures now.
    #[must_use]
    pub fn snapshot(&self, now: Millis) -> Snapshot {
        Snapshot {
            identity: self.config.identity.clone(),
            role: self.config.role,
            address: self.store_host(),
            taken: now,
            started: self.started,
            permission: i32::from(self.config.requests.permission),
            failed: self.failed.clone(),
            topics: self.topics.len(),
            groups: self.groups.len(),
            incoming: self.incoming(),
            outgoing: self.outgoing(),
            producers: producers(self.producers.iter().map(|(_, members)| members)),
            consumers: self.consumer_connections(),
            lags: self.lags(now),
            store: self.view.usage(),
            puts_failed: self.stats.put_failed,
            pulls_missed: self.stats.missed.total(),
            put_latency: self.stats.put_latency().clone(),
            creations: self.creations.times().collect(),
            held_pulls: self.holds.len(),
            flush_waiters: self.waiters.len(),
            replicas_in_sync: self.replicas_in_sync(),
            replica_lags: self.replica_lags(),
            following: self.is_slave().then_some(self.replicas.following.is_some()),
            acting: self.part.is_acting(),
            raft: self.standing(),
        }
    }

    /// Whether the topic is one the broker or its cluster keeps for itself (`TopicValidator.isSystemTopic`).
    pub(super) fn is_system_topic(&self, topic: &str) -> bool {
        topic_name::is_system(topic) || self.topics.system().iter().any(|system| **system == *topic)
    }

    fn is_system(&self, topic: &str, group: &str) -> bool {
        self.is_system_topic(topic) || is_system_group(group)
    }

    fn incoming(&self) -> Vec<TopicCounts> {
        let mut counts = Vec::new();
        let mut others = MessageKind::ALL.map(|_| KindCounts::default());
        let mut add = |topic: &Arc<str>, is_system, kind, of_kind: KindCounts| {
            if of_kind.messages > 0 {
                let KindCounts { messages, bytes, sizes } = of_kind;
                counts.push(TopicCounts { topic: Arc::clone(topic), kind, is_system, messages, bytes, sizes });
            }
        };
        for (topic, stats) in self.stats.topics() {
            for kind in MessageKind::ALL {
                if stats.is_shown() {
                    add(topic, self.is_system_topic(topic), kind, stats.of_kind(kind));
                } else {
                    others[kind as usize].merge(&stats.of_kind(kind));
                }
            }
        }
        MessageKind::ALL.into_iter().for_each(|kind| add(&OTHERS.into(), false, kind, others[kind as usize]));
        counts
    }

    fn outgoing(&self) -> Vec<GroupCounts> {
        let shown = self.stats.groups().filter(|(_, stats)| stats.is_shown());
        let counts = shown.map(|(key, stats)| GroupCounts {
            topic: Arc::clone(&key.topic),
            group: Arc::clone(&key.group),
            is_retry: topic_name::is_retry(&key.topic),
            is_system: self.is_system(&key.topic, &key.group),
            messages: stats.get_nums.total(),
            bytes: stats.get_size.total(),
            sent_back: stats.send_back.total(),
            dead: stats.dead,
        });
        counts.chain(self.outgoing_of_others()).collect()
    }

    /// What has no series of its own, added up.
    fn outgoing_of_others(&self) -> Option<GroupCounts> {
        let mut others = self.stats.groups().map(|(_, stats)| stats).filter(|stats| !stats.is_shown()).peekable();
        others.peek()?;
        let none = GroupCounts {
            topic: OTHERS.into(),
            group: OTHERS.into(),
            is_retry: false,
            is_system: false,
            messages: 0,
            bytes: 0,
            sent_back: 0,
            dead: 0,
        };
        Some(others.fold(none, |sum, stats| GroupCounts {
            messages: sum.messages + stats.get_nums.total(),
            bytes: sum.bytes + stats.get_size.total(),
            sent_back: sum.sent_back + stats.send_back.total(),
            dead: sum.dead + stats.dead,
            ..sum
        }))
    }

    fn consumer_connections(&self) -> Vec<ConsumerConnections> {
        let mut connections = Vec::new();
        for (name, group) in self.consumers.iter() {
            for ((language, version), count) in by_client(&group.members) {
                connections.push(ConsumerConnections {
                    group: Arc::clone(name),
                    consume_type: group.consume_type,
                    message_model: group.message_model,
                    is_system: is_system_group(name),
                    language,
                    version,
                    connections: count,
                });
            }
        }
        connections
    }

    /// Java: `ConsumerLagCalculator`.
    fn lags(&self, now: Millis) -> Vec<GroupLag> {
        let mut lags = Vec::new();
        let mut lookups = STORE_TIMES_MAX;
        let permission = i32::from(self.config.requests.permission);
        for (name, group) in self.consumers.iter() {
            if lags.len() >= PAIRS_SHOWN_MAX {
                break;
            }
            for topic in group.subscriptions.keys().filter(|topic| !topic_name::is_retry(topic)) {
                let Some((topic, config)) = self.topics.get(topic) else { continue };
                if config.perm & permission & (perm::READ | perm::WRITE) == 0 {
                    continue;
                }
                lags.push(self.lag(now, name, topic, config.write_queue_nums, &mut lookups));
            }
        }
        lags
    }

    fn lag(&self, now: Millis, group: &Arc<str>, topic: &Arc<str>, queues: i32, lookups: &mut usize) -> GroupLag {
        let mut lag = GroupLag {
            group: Arc::clone(group),
            topic: Arc::clone(topic),
            is_system: self.is_system(topic, group),
            lag_messages: 0,
            inflight_messages: 0,
            ready_messages: 0,
            lag_millis: Some(0),
            queueing_millis: Some(0),
        };
        for queue in (0..queues).map(QueueId) {
            let end = self.view.queue_range(topic, queue).max;
            let committed = self.offsets.get(topic, group, queue).unwrap_or(end);
            let pulled = self.offsets.pull_position(topic, group, queue).unwrap_or(end).max(committed);
            lag.lag_messages += (end - committed).max(0);
            lag.inflight_messages += (pulled - committed).max(0);
            lag.ready_messages += (end - pulled).max(0);
            for (age, from) in [(&mut lag.lag_millis, committed), (&mut lag.queueing_millis, pulled)] {
                if from < end {
                    let since = self.age(now, topic, queue, from, lookups);
                    *age = age.zip(since).map(|(oldest, since)| oldest.max(since));
                }
            }
        }
        lag
    }

    /// How long ago a message was stored, when its record is in memory.
    fn age(&self, now: Millis, topic: &str, queue: QueueId, at: QueueOffset, lookups: &mut usize) -> Option<i64> {
        *lookups = lookups.checked_sub(1)?;
        let stored = self.view.store_time(topic, queue, at, Patience::CachedOnly).ok()??;
        Some(now.since(stored).max(0))
    }
}

/// `BrokerMetricsManager.isSystemGroup`.
fn is_system_group(group: &str) -> bool {
    let prefix = topic_name::SYSTEM_GROUP_PREFIX;
    group.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn producers<'a>(groups: impl Iterator<Item = &'a Members>) -> Vec<ProducerConnections> {
    let mut counts: BTreeMap<(u8, i32), usize> = BTreeMap::new();
    for members in groups {
        for (client, count) in by_client(members) {
            *counts.entry(client).or_default() += count;
        }
    }
    let counts = counts.into_iter();
    counts.map(|((language, version), connections)| ProducerConnections { language, version, connections }).collect()
}

/// Members by language and version.
fn by_client(members: &Members) -> BTreeMap<(u8, i32), usize> {
    let mut counts = BTreeMap::new();
    for member in members.values() {
        *counts.entry((member.language, member.version)).or_default() += 1;
    }
    counts
}
