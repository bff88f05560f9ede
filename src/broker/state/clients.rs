//! Who is connected: producers and consumers, by group (Java: `ProducerManager`, `ConsumerManager`, `ConsumerGroupInfo`).
//!
//! A client is known by its connection; two connections with one client id are two members, as in Java. Members leave by
//! unregistering, by their connection's end, or after 120 s without a heartbeat.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::protocol::body::heartbeat::{ConsumeFromWhere, ConsumeType, ConsumerData, MessageModel, SubscriptionData};
use crate::protocol::ids::Millis;
use crate::remoting::ConnectionId;

/// A member that sent no heartbeat for this long is forgotten (Java: `CHANNEL_EXPIRED_TIMEOUT`).
pub const EXPIRY_MILLIS: i64 = 120_000;

/// Groups of producers, and of consumers, that a broker knows at a time.
pub const GROUPS_MAX: usize = 100_000;

/// One client in one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id, `ip@instance`.
    pub client_id: Arc<str>,
    /// Its language number.
    pub language: u8,
    /// Its version ordinal.
    pub version: i32,
    /// Where it connects from.
    pub remote: SocketAddr,
    /// Its last heartbeat.
    pub heard: Millis,
}

/// Members by connection.
pub type Members = BTreeMap<ConnectionId, Member>;

/// Producer groups.
#[derive(Debug, Default)]
pub struct Producers {
    groups: BTreeMap<String, Members>,
}

impl Producers {
    /// A heartbeat of a producer.
    pub fn register(&mut self, group: &str, connection: ConnectionId, member: Member) {
        if let Some(members) = self.groups.get_mut(group) {
            members.insert(connection, member);
        } else if self.groups.len() < GROUPS_MAX {
            self.groups.insert(group.to_owned(), Members::from([(connection, member)]));
        }
    }

    /// A producer leaves.
    pub fn unregister(&mut self, group: &str, connection: ConnectionId) {
        self.retain(|name, id, _| name != group || *id != connection);
    }

    /// A connection is gone.
    pub fn closed(&mut self, connection: ConnectionId) {
        self.retain(|_, id, _| *id != connection);
    }

    /// Forgets who was not heard of; returns their connections.
    pub fn expire(&mut self, now: Millis) -> Vec<ConnectionId> {
        let mut gone = Vec::new();
        self.retain(|_, id, member| {
            let live = now.since(member.heard) <= EXPIRY_MILLIS;
            if !live {
                gone.push(*id);
            }
            live
        });
        gone
    }

    /// The members of a group.
    #[must_use]
    pub fn members(&self, group: &str) -> Option<&Members> {
        self.groups.get(group)
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Members)> {
        self.groups.iter().map(|(group, members)| (group.as_str(), members))
    }

    fn retain(&mut self, mut keep: impl FnMut(&str, &ConnectionId, &Member) -> bool) {
        self.groups.retain(|group, members| {
            members.retain(|id, member| keep(group, id, member));
            !members.is_empty()
        });
    }
}

/// One group of consumers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// How it consumes.
    pub consume_type: ConsumeType,
    /// Whether members share the messages or each gets all.
    pub message_model: MessageModel,
    /// Where a new queue starts.
    pub consume_from_where: ConsumeFromWhere,
    /// Its subscriptions by topic.
    pub subscriptions: BTreeMap<String, SubscriptionData>,
    /// Its members.
    pub members: Members,
    /// The fingerprint of its last heartbeat (version 2), 0 for version 1.
    pub fingerprint: i32,
}

impl ConsumerGroup {
    /// Whether its members are told when it changes: those of a broadcasting group need not know of each other.
    fn shares(&self) -> bool {
        self.message_model != MessageModel::Broadcasting
    }
}

/// Consumer groups.
#[derive(Debug, Default)]
pub struct Consumers {
    groups: BTreeMap<Arc<str>, ConsumerGroup>,
}

/// The members that have to be told that a group changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Group and connections, in order.
    pub notify: Vec<(Arc<str>, Vec<ConnectionId>)>,
}

/// What a heartbeat says of one group.
#[derive(Clone, Debug)]
pub struct GroupBeat<'a> {
    /// The group's part of the heartbeat.
    pub data: &'a ConsumerData,
    /// The heartbeat's fingerprint, 0 for version 1.
    pub fingerprint: i32,
    /// Version 2 without subscriptions: keep those that are known.
    pub without_subscriptions: bool,
}

impl Consumers {
    /// A heartbeat of a consumer. The second value: whether the group's subscriptions changed since its last fingerprint.
    pub fn register(
        &mut self,
        group: &Arc<str>,
        beat: &GroupBeat<'_>,
        connection: ConnectionId,
        member: Member,
    ) -> (Changed, bool) {
        if !self.groups.contains_key(group) && self.groups.len() >= GROUPS_MAX {
            return (Changed::default(), false);
        }
        let data = beat.data;
        let known = self.groups.entry(Arc::clone(group)).or_insert_with(|| ConsumerGroup {
            consume_type: data.consume_type,
            message_model: data.message_model,
            consume_from_where: data.consume_from_where,
            subscriptions: BTreeMap::new(),
            members: Members::new(),
            fingerprint: beat.fingerprint,
        });
        known.consume_type = data.consume_type;
        known.message_model = data.message_model;
        known.consume_from_where = data.consume_from_where;
        let outdated = std::mem::replace(&mut known.fingerprint, beat.fingerprint) != beat.fingerprint;
        let joined = known.members.insert(connection, member).is_none();
        let resubscribed = !beat.without_subscriptions && subscribe(known, &data.subscription_data_set);
        let changed = if joined || resubscribed { self.changed([group]) } else { Changed::default() };
        (changed, outdated)
    }

    /// A consumer leaves.
    pub fn unregister(&mut self, group: &str, connection: ConnectionId) -> Changed {
        self.leave(|name, id, _| &**name == group && id == connection)
    }

    /// A connection is gone.
    pub fn closed(&mut self, connection: ConnectionId) -> Changed {
        self.leave(|_, id, _| id == connection)
    }

    /// Forgets who was not heard of; also returns their connections.
    pub fn expire(&mut self, now: Millis) -> (Changed, Vec<ConnectionId>) {
        let mut gone = Vec::new();
        let changed = self.leave(|_, id, member| {
            let late = now.since(member.heard) > EXPIRY_MILLIS;
            if late {
                gone.push(id);
            }
            late
        });
        (changed, gone)
    }

    /// A group.
    #[must_use]
    pub fn get(&self, group: &str) -> Option<&ConsumerGroup> {
        self.groups.get(group)
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &ConsumerGroup)> {
        self.groups.iter()
    }

    /// The groups that subscribe to a topic now.
    pub fn groups_of<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Arc<str>> {
        self.groups.iter().filter(move |(_, group)| group.subscriptions.contains_key(topic)).map(|(name, _)| name)
    }

    fn leave(&mut self, mut goes: impl FnMut(&Arc<str>, ConnectionId, &Member) -> bool) -> Changed {
        let mut shrunk = Vec::new();
        self.groups.retain(|name, group| {
            let before = group.members.len();
            group.members.retain(|id, member| !goes(name, *id, member));
            if group.members.len() != before {
                shrunk.push(Arc::clone(name));
            }
            !group.members.is_empty()
        });
        self.changed(&shrunk)
    }

    fn changed<'a>(&self, groups: impl IntoIterator<Item = &'a Arc<str>>) -> Changed {
        let mut notify = Vec::new();
        for name in groups {
            if let Some(group) = self.groups.get(name)
                && group.shares()
            {
                notify.push((Arc::clone(name), group.members.keys().copied().collect()));
            }
        }
        Changed { notify }
    }
}

/// Takes over subscriptions; `true` when a topic came or went (`ConsumerGroupInfo.updateSubscription`).
fn subscribe(group: &mut ConsumerGroup, wanted: &[SubscriptionData]) -> bool {
    let before = group.subscriptions.len();
    group.subscriptions.retain(|topic, _| wanted.iter().any(|data| data.topic == *topic));
    let mut changed = group.subscriptions.len() != before;
    for data in wanted {
        match group.subscriptions.get(&data.topic) {
            Some(old) if old.sub_version >= data.sub_version => {}
            old => {
                changed |= old.is_none();
                group.subscriptions.insert(data.topic.clone(), data.clone());
            }
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(heard: i64) -> Member {
        Member {
            client_id: "c".into(),
            language: 0,
            version: 0,
            remote: SocketAddr::from(([127, 0, 0, 1], 1)),
            heard: Millis(heard),
        }
    }

    fn data(model: MessageModel, topics: &[(&str, i64)]) -> ConsumerData {
        let subscription = |(topic, version): &(&str, i64)| SubscriptionData {
            topic: (*topic).to_owned(),
            sub_version: *version,
            ..SubscriptionData::default()
        };
        ConsumerData {
            group_name: "g".to_owned(),
            message_model: model,
            subscription_data_set: topics.iter().map(subscription).collect(),
            ..ConsumerData::default()
        }
    }

    fn beat(consumers: &mut Consumers, connection: u64, now: i64, data: &ConsumerData) -> Vec<u64> {
        let beat = GroupBeat { data, fingerprint: 0, without_subscriptions: false };
        notified(consumers.register(&"g".into(), &beat, ConnectionId(connection), member(now)).0)
    }

    fn notified(changed: Changed) -> Vec<u64> {
        changed.notify.into_iter().flat_map(|(_, connections)| connections).map(|id| id.0).collect()
    }

    #[test]
    fn members_hear_of_joins_changes_and_leaves() {
        let mut consumers = Consumers::default();
        let one = data(MessageModel::Clustering, &[("t", 1)]);
        let two = data(MessageModel::Clustering, &[("t", 1), ("u", 1)]);
        assert_eq!(beat(&mut consumers, 1, 0, &one), [1]);
        assert_eq!(beat(&mut consumers, 1, 1, &one), [] as [u64; 0]);
        assert_eq!(beat(&mut consumers, 2, 1, &one), [1, 2]);
        assert_eq!(beat(&mut consumers, 2, 2, &two), [1, 2]);
        assert_eq!(consumers.groups_of("u").count(), 1);
        assert_eq!(notified(consumers.unregister("g", ConnectionId(1))), [2]);
        assert_eq!(notified(consumers.closed(ConnectionId(2))), [] as [u64; 0]);
        assert!(consumers.get("g").is_none());
    }

    #[test]
    fn broadcasting_members_are_not_told() {
        let mut consumers = Consumers::default();
        let data = data(MessageModel::Broadcasting, &[("t", 1)]);
        assert_eq!(beat(&mut consumers, 1, 0, &data), [] as [u64; 0]);
        assert_eq!(beat(&mut consumers, 2, 0, &data), [] as [u64; 0]);
    }

    #[test]
    fn silence_ends_a_membership() {
        let mut consumers = Consumers::default();
        let data = data(MessageModel::Clustering, &[("t", 1)]);
        beat(&mut consumers, 1, 0, &data);
        beat(&mut consumers, 2, 1, &data);
        let (changed, gone) = consumers.expire(Millis(EXPIRY_MILLIS + 1));
        assert_eq!((notified(changed), gone), (vec![2], vec![ConnectionId(1)]));
    }

    #[test]
    fn an_older_subscription_does_not_replace_a_newer() {
        let mut consumers = Consumers::default();
        beat(&mut consumers, 1, 0, &data(MessageModel::Clustering, &[("t", 5)]));
        beat(&mut consumers, 2, 0, &data(MessageModel::Clustering, &[("t", 4)]));
        assert_eq!(consumers.get("g").unwrap().subscriptions["t"].sub_version, 5);
    }
}
