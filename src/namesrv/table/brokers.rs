//! Registration (103) and what it is refused for.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use super::liveness::MinBrokerChanged;
use super::{ConnectionId, Group, MASTER, Member, NAME_BYTES_MAX, Queues, Rules, Table};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::static_topic::TopicQueueMappingInfo;
use crate::protocol::body::topic::TopicConfig;
use crate::protocol::ids::BrokerId;
use crate::protocol::sys_flag::perm;

/// `RouteInfoManager.DEFAULT_BROKER_CHANNEL_EXPIRED_TIME`.
pub(super) const SILENCE_MAX: Duration = Duration::from_secs(120);

/// What a broker says about itself (`RegisterBrokerRequestHeader` and its body).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Registration {
    /// `clusterName`.
    pub cluster: String,
    /// `brokerName`.
    pub name: String,
    /// `brokerId`.
    pub id: BrokerId,
    /// `brokerAddr`, `ip:port`.
    pub address: String,
    /// `haServerAddr`, `ip:port`.
    pub ha_address: String,
    /// The `__ZONE_NAME` field.
    pub zone: Option<String>,
    /// `heartbeatTimeoutMillis`; 120 s when absent.
    pub heartbeat_timeout: Option<Duration>,
    /// `enableActingMaster`; brokers before 5.0 do not send it, and their slaves never give topics.
    pub acting_master: Option<bool>,
    /// Version of the topics.
    pub version: DataVersion,
    /// All topics, or those that changed.
    pub topics: BTreeMap<String, TopicConfig>,
    /// Static topics.
    pub mappings: BTreeMap<String, TopicQueueMappingInfo>,
    /// Filter servers of old brokers.
    pub filter_servers: Vec<String>,
}

/// The answer to a registration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// For slaves: the master's address and HA address.
    pub master: Option<(String, String)>,
    /// Brokers to be told about the new lowest id.
    pub notify: Option<MinBrokerChanged>,
    /// The broker was not known before.
    pub first: bool,
    /// Another live address holds this id with a newer state version; the registration was ignored (Java answers success).
    pub outdated: bool,
}

/// A registration that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Java's answer when a broker that is not known sends one topic: it then takes the request for an increment.
    #[error(
        "register broker failed: broker {name}:{id} is not registered yet and sent a single topic; its first registration \
         must carry all its topics, of which every broker has several"
    )]
    SingleTopic {
        /// Broker name.
        name: String,
        /// Broker id.
        id: BrokerId,
    },
    /// Empty or too long.
    #[error("register broker failed: {what} has {len} bytes, 1 to {NAME_BYTES_MAX} are allowed")]
    BadName {
        /// Which field.
        what: &'static str,
        /// Its length in bytes.
        len: usize,
    },
    /// A broker id below 0.
    #[error("register broker failed: broker id {id} is negative")]
    BadId {
        /// The id.
        id: BrokerId,
    },
    /// The table is full.
    #[error("register broker failed: this NameServer holds {limit} brokers and takes no more")]
    TooManyBrokers {
        /// The limit.
        limit: usize,
    },
    /// The table is full.
    #[error("register broker failed: this NameServer would hold more than {limit} pairs of topic and broker")]
    TooManyQueues {
        /// The limit.
        limit: usize,
    },
}

impl Refused {
    /// Whether the table is full (the peer may try again later) rather than the request wrong.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Refused::TooManyBrokers { .. } | Refused::TooManyQueues { .. })
    }
}

impl Table {
    /// Takes a broker and its topics in, or refreshes them.
    ///
    /// The answers are Java's; unlike there, a refused registration leaves nothing behind, and a name that appears under another
    /// cluster moves to it instead of belonging to both.
    ///
    /// # Errors
    /// [`Refused`]; the table is then as before.
    pub fn register(
        &mut self,
        registration: Registration,
        connection: ConnectionId,
        now: Duration,
        rules: &Rules,
    ) -> Result<Registered, Refused> {
        self.admit(&registration)?;
        if self.is_outdated(&registration) {
            self.drop_address(&registration.name, &registration.address);
            return Ok(Registered { outdated: true, ..Registered::default() });
        }

        let lowest_before = self.groups.get(registration.name.as_str()).and_then(Group::lowest_id);
        let known_version = self.known_version(&registration);
        let (name, first) = self.put_member(&registration, connection, now);
        let group = &self.groups[&name];
        let gives_topics = registration.id == MASTER
            || (registration.acting_master.is_some() && group.lowest_id() == Some(registration.id));
        if gives_topics {
            let changed = first || known_version != Some(registration.version);
            self.put_topics(&name, &registration, changed, rules);
        }

        let group = &self.groups[&name];
        let lowest_changed = lowest_before.is_some_and(|lowest| registration.id < lowest);
        let notify = (lowest_changed && rules.notify_min_broker_id_changed)
            .then(|| MinBrokerChanged::online(&name, group, &registration.ha_address))
            .flatten();
        let master = (registration.id != MASTER)
            .then(|| group.members.get(&MASTER))
            .flatten()
            .map(|master| (master.address.clone(), master.ha_address.clone()));
        Ok(Registered { master, notify, first, outdated: false })
    }

    fn admit(&self, registration: &Registration) -> Result<(), Refused> {
        let names = [
            ("clusterName", &registration.cluster),
            ("brokerName", &registration.name),
            ("brokerAddr", &registration.address),
        ];
        for (what, name) in names {
            check_name(what, name)?;
        }
        let optional = [("haServerAddr", Some(&registration.ha_address)), ("zone name", registration.zone.as_ref())];
        for (what, name) in optional {
            if let Some(name) = name.filter(|name| name.len() > NAME_BYTES_MAX) {
                return Err(Refused::BadName { what, len: name.len() });
            }
        }
        for (topic, config) in &registration.topics {
            check_name("a topic", topic_name(topic, config))?;
        }
        if registration.id < MASTER {
            return Err(Refused::BadId { id: registration.id });
        }
        let group = self.groups.get(registration.name.as_str());
        let known = group.is_some_and(|group| group.members.contains_key(&registration.id));
        if !known && registration.topics.len() == 1 {
            return Err(Refused::SingleTopic { name: registration.name.clone(), id: registration.id });
        }
        if !known && self.members >= self.limits.members {
            return Err(Refused::TooManyBrokers { limit: self.limits.members });
        }
        self.admit_queues(registration)
    }

    fn admit_queues(&self, registration: &Registration) -> Result<(), Refused> {
        let room = self.limits.queues.saturating_sub(self.queues);
        if registration.topics.len() <= room {
            return Ok(());
        }
        let has = |topic: &str| {
            self.topics.get(topic).is_some_and(|topic| topic.queues.contains_key(registration.name.as_str()))
        };
        let fresh = registration.topics.iter().filter(|(topic, config)| !has(topic_name(topic, config))).count();
        if fresh > room { Err(Refused::TooManyQueues { limit: self.limits.queues }) } else { Ok(()) }
    }

    /// Whether the id is held by another address whose state version is newer: then the registrant lost an election.
    fn is_outdated(&self, registration: &Registration) -> bool {
        let group = self.groups.get(registration.name.as_str());
        group.and_then(|group| group.members.get(&registration.id)).is_some_and(|holder| {
            holder.address != registration.address && holder.version.state_version > registration.version.state_version
        })
    }

    /// The topics' version as last registered from this address, under whichever id.
    fn known_version(&self, registration: &Registration) -> Option<DataVersion> {
        let group = self.groups.get(registration.name.as_str())?;
        let mut members = group.members.values();
        members.find(|member| member.address == registration.address).map(|member| member.version)
    }

    /// Removes what is registered under this address, leaving the holder of the newer state version alone.
    fn drop_address(&mut self, name: &str, address: &str) {
        let Some(group) = self.groups.get_mut(name) else { return };
        let before = group.members.len();
        group.members.retain(|_, member| member.address != address);
        assert!(!group.members.is_empty(), "the holder of the newer version has another address");
        self.members -= before - group.members.len();
        self.revision += 1;
    }

    /// Returns the group's name and whether its id was unknown.
    fn put_member(&mut self, registration: &Registration, connection: ConnectionId, now: Duration) -> (Arc<str>, bool) {
        let member = Member {
            address: registration.address.clone(),
            ha_address: registration.ha_address.clone(),
            version: registration.version,
            last_seen: now,
            timeout: registration.heartbeat_timeout.unwrap_or(SILENCE_MAX),
            connection,
            filter_servers: registration.filter_servers.clone(),
        };
        let acting_master = registration.acting_master.unwrap_or(false);
        let name: Arc<str> = registration.name.as_str().into();
        let group = self.groups.entry(Arc::clone(&name)).or_insert_with(|| Group {
            cluster: registration.cluster.clone(),
            zone: registration.zone.clone(),
            acting_master,
            members: BTreeMap::new(),
        });
        let mut changed = group.cluster != registration.cluster
            || group.zone != registration.zone
            || group.acting_master != acting_master;
        group.cluster.clone_from(&registration.cluster);
        group.zone.clone_from(&registration.zone);
        group.acting_master = acting_master;

        // A slave that became master registers the same address under another id.
        let before = group.members.len();
        group.members.retain(|id, other| other.address != member.address || *id == registration.id);
        changed |= before != group.members.len();
        self.members -= before - group.members.len();
        let previous = group.members.insert(registration.id, member);
        if previous.is_none() {
            self.members += 1;
        }
        changed |= previous.as_ref().is_none_or(|previous| {
            previous.address != registration.address || previous.filter_servers != registration.filter_servers
        });
        self.revision += u64::from(changed);
        (name, previous.is_none())
    }

    fn put_topics(&mut self, name: &Arc<str>, registration: &Registration, changed: bool, rules: &Rules) {
        if rules.delete_topic_with_registration && registration.mappings.is_empty() {
            self.keep_topics(name, &registration.topics);
        }
        // The slave with the lowest id stands in for a master that is gone; what it serves can only be read.
        let read_only = registration.id != MASTER && self.groups[name].acting_master;
        for (key, config) in &registration.topics {
            let topic = topic_name(key, config);
            let perm = if read_only { config.perm & !perm::WRITE } else { config.perm };
            let queues = Queues {
                read: config.read_queue_nums,
                write: config.write_queue_nums,
                perm,
                sys_flag: config.topic_sys_flag,
            };
            self.put_queues(topic, name, queues, changed);
        }
        for (topic, mapping) in &registration.mappings {
            let Some(entry) = self.topics.get_mut(topic.as_str()) else { continue };
            if changed || !entry.mappings.contains_key(name) {
                entry.mappings.insert(Arc::clone(name), mapping.clone());
                self.revision += 1;
            }
        }
    }

    /// Sets a topic's queues on a broker; with `overwrite` false only when they are missing.
    pub(super) fn put_queues(&mut self, topic: &str, broker: &Arc<str>, queues: Queues, overwrite: bool) {
        let entry = match self.topics.get_mut(topic) {
            Some(entry) => entry,
            None => self.topics.entry(topic.into()).or_default(),
        };
        match entry.queues.entry(Arc::clone(broker)) {
            Entry::Vacant(place) => {
                place.insert(queues);
                self.queues += 1;
                self.revision += 1;
            }
            Entry::Occupied(mut place) => {
                if overwrite && *place.get() != queues {
                    place.insert(queues);
                    self.revision += 1;
                }
            }
        }
    }

    /// Removes the broker's topics that are not among these.
    fn keep_topics(&mut self, name: &Arc<str>, topics: &BTreeMap<String, TopicConfig>) {
        let named: std::collections::BTreeSet<&str> =
            topics.iter().map(|(key, config)| topic_name(key, config)).collect();
        let before = self.queues;
        for (topic, entry) in &mut self.topics {
            if !named.contains(&**topic) && entry.queues.remove(name).is_some() {
                entry.mappings.remove(name);
                self.queues -= 1;
            }
        }
        if self.queues != before {
            self.topics.retain(|_, entry| !entry.queues.is_empty());
            self.revision += 1;
        }
    }
}

/// The name inside the configuration counts, as in Java; the key where it is missing.
fn topic_name<'a>(key: &'a str, config: &'a TopicConfig) -> &'a str {
    if config.topic_name.is_empty() { key } else { &config.topic_name }
}

fn check_name(what: &'static str, name: &str) -> Result<(), Refused> {
    let len = name.len();
    if len == 0 || len > NAME_BYTES_MAX { Err(Refused::BadName { what, len }) } else { Ok(()) }
}
