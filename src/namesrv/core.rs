//! A request in, an answer and what else is to be done out: the pure half of the NameServer.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;

use super::Error;
use super::request::{BrokerAddress, BrokerRequest, KeyValueRequest, Request, TopicsRequest};
use super::settings::Settings;
use super::table::{
    self, KvConfig, Limits, MinBrokerChanged, ORDER_TOPICS, Registration, Removed, Table, WritePermission,
};
use crate::protocol::body::route::{BrokerMemberGroup, BrokerMemberGroupBody, ClusterInfo};
use crate::protocol::body::stats::KvTable;
use crate::protocol::body::topic::TopicList;
use crate::protocol::command::ExtFields;
use crate::protocol::headers::namesrv as header;
use crate::protocol::json;
use crate::remoting::ConnectionId;

/// Routes kept ready; when there are more, all are forgotten and made anew as they are asked for.
const ROUTES_MAX: usize = 100_000;

/// Silent brokers are not looked for more often.
const SCAN_PAUSE_MIN: Duration = Duration::from_millis(100);

/// A successful answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Header fields.
    pub ext: ExtFields,
    /// Body.
    pub body: Bytes,
}

/// What follows from a request or an event.
#[derive(Debug, Default)]
pub struct Effects {
    /// The key-value configuration changed: write it, then answer.
    pub persist: bool,
    /// The settings changed: the scan interval may be another.
    pub settings_changed: bool,
    /// Brokers to be told about a new lowest id.
    pub pushes: Vec<MinBrokerChanged>,
    /// For the log.
    pub notes: Vec<String>,
}

/// The NameServer's state.
#[derive(Debug)]
pub struct Core {
    table: Table,
    kv: KvConfig,
    settings: Settings,
    /// Answers to 105 made at `routes_at`; the same topics are asked for by every client every 30 s.
    routes: HashMap<String, Bytes>,
    routes_at: u64,
}

impl Core {
    /// A NameServer without brokers.
    #[must_use]
    pub fn new(settings: Settings, kv: KvConfig, limits: Limits) -> Core {
        Core { table: Table::new(limits), kv, settings, routes: HashMap::new(), routes_at: 0 }
    }

    /// Brokers and topics.
    #[must_use]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The key-value configuration as its file holds it.
    #[must_use]
    pub fn kv_file(&self) -> Vec<u8> {
        json::to_java(&self.kv)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// What the peer is told instead of an answer.
    pub fn handle(
        &mut self,
        request: Request,
        connection: ConnectionId,
        now: Duration,
        effects: &mut Effects,
    ) -> Result<Answer, Error> {
        match request {
            Request::Route { topic, zone } => self.route(topic, zone.as_deref()),
            Request::Clusters => {
                let (broker_addr_table, cluster_addr_table) = self.table.clusters();
                Ok(Answer::json(&ClusterInfo { broker_addr_table, cluster_addr_table }))
            }
            Request::Broker(request) => self.handle_broker(request, connection, now, effects),
            Request::Topics(request) => Ok(self.handle_topics(request, effects)),
            Request::KeyValue(request) => self.handle_key_value(request, effects),
            Request::UpdateSettings(changes) => {
                self.settings.update(&changes)?;
                self.routes.clear();
                effects.settings_changed = true;
                effects.notes.push(format!("settings changed until the next start: {changes:?}"));
                Ok(Answer::default())
            }
            Request::Settings => Ok(Answer { body: self.settings.to_properties().into(), ..Answer::default() }),
        }
    }

    /// A connection closed.
    pub fn closed(&mut self, connection: ConnectionId, effects: &mut Effects) {
        let removed = self.table.close(connection, &self.settings.rules);
        effects.removed("its connection closed", removed);
    }

    /// Time has passed.
    pub fn scan(&mut self, now: Duration, effects: &mut Effects) {
        let removed = self.table.expire(now, &self.settings.rules);
        effects.removed("it was silent too long", removed);
    }

    /// How long to wait for the next scan: at most `scanNotActiveBrokerInterval`, and no longer than until the first broker has been
    /// silent too long, so that a slave acts as soon as the timeout of its master allows. Java scans up to 5 s later.
    #[must_use]
    pub fn scan_pause(&self, now: Duration) -> Duration {
        // A broker is gone after its timeout, not at it.
        let gone = self.table.next_expiry().map(|expiry| expiry.saturating_sub(now) + Duration::from_millis(1));
        let interval = self.settings.scan_interval;
        gone.map_or(interval, |gone| gone.max(SCAN_PAUSE_MIN).min(interval))
    }

    fn route(&mut self, topic: String, zone: Option<&str>) -> Result<Answer, Error> {
        if self.routes_at != self.table.revision() || self.routes.len() >= ROUTES_MAX {
            self.routes.clear();
            self.routes_at = self.table.revision();
        }
        if zone.is_none()
            && let Some(body) = self.routes.get(&topic)
        {
            return Ok(Answer { body: body.clone(), ..Answer::default() });
        }
        let order = self.settings.rules.order_message.then(|| self.kv.get(ORDER_TOPICS, &topic)).flatten();
        let Some(mut route) = self.table.route(&topic, order, &self.settings.rules) else {
            return Err(Error::NoRoute { topic });
        };
        if let Some(zone) = zone {
            table::keep_zone(&mut route, zone);
            return Ok(Answer::json(&route));
        }
        let answer = Answer::json(&route);
        self.routes.insert(topic, answer.body.clone());
        Ok(answer)
    }

    fn handle_broker(
        &mut self,
        request: BrokerRequest,
        connection: ConnectionId,
        now: Duration,
        effects: &mut Effects,
    ) -> Result<Answer, Error> {
        match request {
            BrokerRequest::Register(registration) => self.register(*registration, connection, now, effects),
            BrokerRequest::Unregister(BrokerAddress { cluster, name, address }) => {
                let removed = self.table.unregister(&cluster, &name, &address, &self.settings.rules);
                effects.removed("it unregistered", removed);
                Ok(Answer::default())
            }
            BrokerRequest::QueryVersion(BrokerAddress { cluster, name, address }, version) => {
                self.table.refresh(&cluster, &name, &address, now);
                let known = self.table.version(&cluster, &name, &address);
                let mut answer = known.as_ref().map(Answer::json).unwrap_or_default();
                header::QueryDataVersionResponse { changed: known != Some(version) }.encode(&mut answer.ext);
                Ok(answer)
            }
            BrokerRequest::Heartbeat(BrokerAddress { cluster, name, address }) => {
                self.table.refresh(&cluster, &name, &address, now);
                Ok(Answer::default())
            }
            BrokerRequest::Members { cluster, name } => {
                let broker_addrs = self.table.members(&name).into_iter().map(|(id, address)| (id.0, address)).collect();
                let broker_member_group = BrokerMemberGroup { cluster, broker_name: name, broker_addrs };
                Ok(Answer::json(&BrokerMemberGroupBody { broker_member_group }))
            }
        }
    }

    fn register(
        &mut self,
        registration: Registration,
        connection: ConnectionId,
        now: Duration,
        effects: &mut Effects,
    ) -> Result<Answer, Error> {
        let broker =
            format!("{} {}:{} at {}", registration.cluster, registration.name, registration.id, registration.address);
        let registered = self.table.register(registration, connection, now, &self.settings.rules)?;
        if registered.first {
            effects.notes.push(format!("broker registered: {broker}"));
        }
        if registered.outdated {
            effects
                .notes
                .push(format!("registration ignored, another broker holds the id with a newer state: {broker}"));
        }
        effects.pushes.extend(registered.notify);
        let order_topics = self.settings.rules.return_order_topics.then(|| self.kv.namespace(ORDER_TOPICS)).flatten();
        let mut answer = order_topics.map(|table| Answer::json(&KvTable { table: table.clone() })).unwrap_or_default();
        let (address, ha_address) = registered.master.unzip();
        header::RegisterBrokerResponse { ha_server_address: ha_address.as_deref(), master_address: address.as_deref() }
            .encode(&mut answer.ext);
        Ok(answer)
    }

    fn handle_topics(&mut self, request: TopicsRequest, effects: &mut Effects) -> Answer {
        match request {
            TopicsRequest::All => topic_list(self.table.topic_names(), None),
            TopicsRequest::OfCluster(cluster) => topic_list(self.table.topics_of_cluster(&cluster), None),
            TopicsRequest::System => {
                let (topics, broker) = self.table.system_topics();
                topic_list(topics, broker)
            }
            TopicsRequest::OfUnits(which) => topic_list(self.table.unit_topics(which), None),
            TopicsRequest::Register { topic, queues } => {
                // Java answers success whatever becomes of it.
                if let Err(refused) = self.table.register_topic(&topic, &queues) {
                    effects.notes.push(format!("ignored: {refused}"));
                }
                Answer::default()
            }
            TopicsRequest::Delete { topic, cluster } => {
                self.table.delete_topic(&topic, cluster.as_deref());
                Answer::default()
            }
            TopicsRequest::SetWritePermission { broker, what } => {
                let count = self.table.set_write_permission(&broker, what);
                effects.notes.push(format!("write permission of {broker}: {what:?}, {count} topics"));
                let count = i32::try_from(count).unwrap_or(i32::MAX);
                let mut answer = Answer::default();
                match what {
                    WritePermission::Wipe => {
                        header::WipeWritePermResponse { wipe_topic_count: count }.encode(&mut answer.ext);
                    }
                    WritePermission::Add => {
                        header::AddWritePermResponse { add_topic_count: count }.encode(&mut answer.ext);
                    }
                }
                answer
            }
        }
    }

    fn handle_key_value(&mut self, request: KeyValueRequest, effects: &mut Effects) -> Result<Answer, Error> {
        match request {
            KeyValueRequest::Put { namespace, key, value } => {
                self.kv.put(&namespace, &key, &value)?;
                self.routes.clear();
                effects.persist = true;
                Ok(Answer::default())
            }
            KeyValueRequest::Delete { namespace, key } => {
                self.kv.delete(&namespace, &key);
                self.routes.clear();
                effects.persist = true;
                Ok(Answer::default())
            }
            KeyValueRequest::Get { namespace, key } => {
                let Some(value) = self.kv.get(&namespace, &key) else {
                    return Err(Error::NoKey { namespace, key });
                };
                let mut answer = Answer::default();
                header::KvResponse { value: Some(value) }.encode(&mut answer.ext);
                Ok(answer)
            }
            KeyValueRequest::Namespace(namespace) => match self.kv.namespace(&namespace) {
                Some(table) => Ok(Answer::json(&KvTable { table: table.clone() })),
                None => Err(Error::NoNamespace { namespace }),
            },
        }
    }
}

impl Answer {
    fn json(body: &impl serde::Serialize) -> Answer {
        Answer { body: json::to_java(body).into(), ..Answer::default() }
    }
}

impl Effects {
    fn removed(&mut self, why: &str, removed: Removed) {
        for (identity, address) in removed.brokers {
            self.notes.push(format!("broker removed, {why}: {identity} at {address}"));
        }
        self.pushes.extend(removed.notify);
    }
}

fn topic_list(topic_list: BTreeSet<String>, broker_addr: Option<String>) -> Answer {
    Answer::json(&TopicList { topic_list, broker_addr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_comes_when_the_first_broker_will_be_gone() {
        let check = |timeouts: &[u64], now: u64, expected: u64| {
            let mut core = Core::new(Settings::default(), KvConfig::default(), Limits::default());
            for timeout in timeouts {
                let name = format!("silent-after-{timeout}");
                let registration = Registration {
                    cluster: "c".into(),
                    address: name.clone(),
                    name,
                    heartbeat_timeout: Some(Duration::from_millis(*timeout)),
                    ..Registration::default()
                };
                let mut effects = Effects::default();
                core.register(registration, ConnectionId(1), Duration::ZERO, &mut effects).unwrap();
            }
            assert_eq!(core.scan_pause(Duration::from_millis(now)), Duration::from_millis(expected));
        };
        check(&[], 0, 5_000);
        check(&[120_000, 10_000], 1_000, 5_000);
        check(&[120_000, 10_000], 7_000, 3_001);
        check(&[0], 0, 100);
    }
}
