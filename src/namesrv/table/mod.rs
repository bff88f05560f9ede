//! Who is there and who serves which topic: Java's `RouteInfoManager` as a pure machine.
//!
//! ```text
//! register ---> groups: broker name -> {cluster, zone, members: id -> address, version, last seen, connection}
//!     |                                                      |
//!     v                                                      v  unregister, close, expire
//! topics: topic -> broker name -> queues  <------------------+  (the last member takes its queues along)
//!     |
//!     v
//! route(topic), lists
//! ```
//!
//! Java keeps six maps that must agree; here a member carries its own liveness, clusters are derived from the groups and the
//! mapping of a static topic lives in its topic, so that most of what could disagree has no place to.
//!
//! Invariants ([`Table::check`]): a group has members; a queue's broker is a group; a topic has queues; an address occurs once in
//! a group; the counters are what is counted. Must not know: frames, JSON, sockets, the clock.

mod brokers;
mod kv;
mod liveness;
mod routes;
mod topics;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::static_topic::TopicQueueMappingInfo;
use crate::protocol::ids::BrokerId;
use crate::remoting::ConnectionId;

pub use brokers::{Refused, Registration};
pub use kv::{KvConfig, KvRefused, ORDER_TOPICS};
pub use liveness::{MinBrokerChanged, Removed};
pub use routes::keep_zone;
pub use topics::{UnitTopics, WritePermission};

/// What the configuration says about answers (`NamesrvConfig`); may change at run time (318).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `supportActingMaster`: show the slave with the lowest id as master when there is none. Default false.
    pub support_acting_master: bool,
    /// `notifyMinBrokerIdChanged`: tell the members of a group when its lowest id changes. Default false.
    pub notify_min_broker_id_changed: bool,
    /// `deleteTopicWithBrokerRegistration`: a topic that a full registration no longer names is removed. Default false.
    pub delete_topic_with_registration: bool,
    /// `orderMessageEnable`: a route carries its topic's order configuration. Default false.
    pub order_message: bool,
    /// `returnOrderTopicConfigToBroker`: a registration is answered with all order configurations. Default true.
    pub return_order_topics: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            support_acting_master: false,
            notify_min_broker_id_changed: false,
            delete_topic_with_registration: false,
            order_message: false,
            return_order_topics: true,
        }
    }
}

/// How much may be registered, so that a peer cannot fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of all groups together.
    pub members: usize,
    /// Pairs of topic and broker name.
    pub queues: usize,
}

impl Default for Limits {
    /// 10,000 brokers and 4 million pairs: about ten times the largest cluster heard of, and below 1 GiB.
    fn default() -> Self {
        Limits { members: 10_000, queues: 4_000_000 }
    }
}

/// The longest broker, cluster or topic name, address or zone that is taken, in bytes (`TopicValidator.RETRY_OR_DLQ_TOPIC_MAX_LENGTH`).
pub const NAME_BYTES_MAX: usize = 255;

/// All brokers and topics a NameServer knows.
#[derive(Clone, Debug, Default)]
pub struct Table {
    limits: Limits,
    groups: BTreeMap<Arc<str>, Group>,
    topics: BTreeMap<Arc<str>, Topic>,
    /// Members of all groups.
    members: usize,
    /// Pairs of topic and broker name.
    queues: usize,
    /// Grows whenever an answer may have changed.
    revision: u64,
}

/// The brokers of one name: a master and its slaves.
#[derive(Clone, Debug)]
struct Group {
    cluster: String,
    zone: Option<String>,
    /// The last registrant's `enableActingMaster`.
    acting_master: bool,
    members: BTreeMap<BrokerId, Member>,
}

#[derive(Clone, Debug)]
struct Member {
    address: String,
    ha_address: String,
    version: DataVersion,
    /// Monotonic time of the last registration or heartbeat.
    last_seen: Duration,
    /// Silence after which the broker counts as gone.
    timeout: Duration,
    connection: ConnectionId,
    filter_servers: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Topic {
    /// By broker name; never empty.
    queues: BTreeMap<Arc<str>, Queues>,
    /// Static topics only: by broker name.
    mappings: BTreeMap<Arc<str>, TopicQueueMappingInfo>,
}

/// A topic's queues on one broker name (Java: `QueueData`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Queues {
    read: i32,
    write: i32,
    perm: i32,
    sys_flag: i32,
}

impl Group {
    /// The member others turn to first. A group is never empty, so there is one.
    fn lowest_id(&self) -> Option<BrokerId> {
        self.members.keys().next().copied()
    }

    fn has_master(&self) -> bool {
        self.members.contains_key(&MASTER)
    }
}

/// `MixAll.MASTER_ID`.
const MASTER: BrokerId = BrokerId(0);

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Table {
        Table { limits, ..Table::default() }
    }

    /// Grows whenever an answer may have changed; answers made at the same revision are the same.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Number of registered brokers.
    #[must_use]
    pub fn brokers(&self) -> usize {
        self.members
    }

    /// Number of known topics.
    #[must_use]
    pub fn topic_count(&self) -> usize {
        self.topics.len()
    }

    /// Panics when the table disagrees with itself; called by tests after every step.
    #[cfg(test)]
    fn check(&self) {
        for (name, group) in &self.groups {
            assert!(!group.members.is_empty(), "{name} has no member");
            let addresses: std::collections::BTreeSet<_> =
                group.members.values().map(|member| &member.address).collect();
            assert_eq!(addresses.len(), group.members.len(), "{name}: two ids with one address");
        }
        for (topic, entry) in &self.topics {
            assert!(!entry.queues.is_empty(), "{topic} has no queues");
            for broker in entry.queues.keys() {
                assert!(self.groups.contains_key(broker), "{topic} on {broker}, which is not registered");
            }
        }
        assert_eq!(self.members, self.groups.values().map(|group| group.members.len()).sum::<usize>());
        assert_eq!(self.queues, self.topics.values().map(|topic| topic.queues.len()).sum::<usize>());
    }
}
