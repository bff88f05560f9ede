//! The cluster behind a NameServer: which queues there are, and the requests every client makes.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Error;
use super::arguments::Shared;
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::body::heartbeat::{ConsumeFromWhere, ConsumerData, HeartbeatData, ProducerData, SubscriptionData};
use crate::protocol::body::route::{BrokerData, ClusterInfo, TopicRouteData};
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::client::UnregisterClientRequest;
use crate::protocol::headers::namesrv::RouteRequest;
use crate::protocol::headers::topic_admin::CreateTopicRequest;
use crate::protocol::ids::QueueId;
use crate::protocol::json;
use crate::protocol::sys_flag::perm;
use crate::remoting::{Client, Limits, Transport};

/// Java: `mqClientApiTimeout` 3000, but creating topics on a loaded Java broker takes longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// A broker registers a new topic at once; a Java NameServer shows it within a second.
const ROUTE_WAIT: Duration = Duration::from_secs(30);
/// Between two looks at the route.
const ROUTE_POLL: Duration = Duration::from_millis(200);
/// Calls that a connection must have room for besides the lanes': topics are looked up and created so many at a time.
pub(super) const CALLS_BESIDE: usize = 256;
/// Java: `heartbeatBrokerInterval`.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(30);

/// One queue of a topic on a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) topic: Arc<str>,
    /// Name of the broker.
    pub(super) broker: Arc<str>,
    /// Where it listens.
    pub(super) address: Arc<str>,
    pub(super) queue: QueueId,
}

/// What the targets are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Write,
    Read,
}

/// Clients of one cluster, as many as there are connections.
pub(super) struct Cluster {
    env: Env,
    pub(super) owner: Arc<str>,
    pub(super) clients: Vec<Client>,
    /// Ended before the connections are: lanes and heartbeats.
    pub(super) lanes: Tasks,
    namesrvs: Vec<String>,
}

impl Cluster {
    /// Nothing is connected yet.
    pub(super) fn new(shared: &Shared, calls_per_connection: usize, env: &Env) -> Cluster {
        let owner: Arc<str> = "bench".into();
        let transport = Transport::new(Limits { calls_per_connection, ..Limits::default() });
        let client = |_| Client::new(&owner, &transport, Arc::clone(&env.clock), &env.tasks, None);
        let clients = (0..shared.connections).map(client).collect();
        let namesrvs = shared.namesrv.split(';').map(|address| address.trim().to_owned()).collect();
        Cluster { env: env.clone(), owner, clients, lanes: env.tasks.child(), namesrvs }
    }

    /// The queues of the topics, first all with the lowest number; topics that nobody has are created on every master.
    pub(super) async fn targets(
        &self,
        shared: &Shared,
        topics: &[Arc<str>],
        access: Access,
    ) -> Result<Vec<Target>, Error> {
        let known = self.each(topics, async |topic| Ok(self.route(topic).await?.is_some())).await?;
        let those = |wanted| move |(topic, known): (&Arc<str>, &bool)| (*known == wanted).then(|| Arc::clone(topic));
        let old: Vec<Arc<str>> = topics.iter().zip(&known).filter_map(those(true)).collect();
        let new: Vec<Arc<str>> = topics.iter().zip(&known).filter_map(those(false)).collect();
        let mut found = self.each(&old, async |topic| self.queues(shared, topic, access, None).await).await?;
        if !new.is_empty() {
            let masters = self.masters(shared).await?;
            self.each(&new, async |topic| self.create_topic(shared, topic, &masters).await).await?;
            let masters = Some(masters.len());
            found.extend(self.each(&new, async |topic| self.queues(shared, topic, access, masters).await).await?);
        }
        let mut found: Vec<Target> = found.into_iter().flatten().collect();
        found.sort_by_key(|target| target.queue);
        Ok(found)
    }

    /// Asks for every topic, [`CALLS_BESIDE`] at a time.
    async fn each<T>(
        &self,
        topics: &[Arc<str>],
        ask: impl AsyncFn(&Arc<str>) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        let mut results = Vec::with_capacity(topics.len());
        for some in topics.chunks(CALLS_BESIDE) {
            let mut waiting: Vec<_> = some.iter().map(|topic| (Box::pin(ask(topic)), None)).collect();
            std::future::poll_fn(|context| {
                for (call, result) in waiting.iter_mut().filter(|(_, result)| result.is_none()) {
                    if let Poll::Ready(done) = call.as_mut().poll(context) {
                        *result = Some(done);
                    }
                }
                if waiting.iter().all(|(_, result)| result.is_some()) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            for (_, result) in waiting {
                results.extend(result.transpose()?);
            }
        }
        Ok(results)
    }

    /// The queues of a topic; those of a new one as soon as so many masters have it, for its route grows broker by broker.
    async fn queues(
        &self,
        shared: &Shared,
        topic: &Arc<str>,
        access: Access,
        masters: Option<usize>,
    ) -> Result<Vec<Target>, Error> {
        let began = self.env.clock.monotonic();
        let wait = if masters.is_some() { ROUTE_WAIT } else { Duration::ZERO };
        loop {
            let route = self.route(topic).await?;
            let mut found = route.map(|route| targets(topic, &route, access)).unwrap_or_default();
            found.retain(|target| shared.broker.as_deref().is_none_or(|name| *target.broker == *name));
            if !found.is_empty() && addresses(&found).len() >= masters.unwrap_or(1) {
                return Ok(found);
            }
            if self.env.clock.monotonic().saturating_sub(began) >= wait {
                let access = if access == Access::Write { "writable" } else { "readable" };
                let namesrv = self.namesrvs.join(";");
                return Err(Error::NoQueue { topic: topic.to_string(), access, namesrv, waited_s: wait.as_secs() });
            }
            tokio::time::sleep(ROUTE_POLL).await;
        }
    }

    /// `None` when the NameServer does not know the topic.
    async fn route(&self, topic: &str) -> Result<Option<TopicRouteData>, Error> {
        let what = "route of the topic";
        let mut command = Command { code: request::GET_ROUTEINFO_BY_TOPIC, ..Command::default() };
        RouteRequest { topic, accept_standard_json_only: Some(true) }.encode(&mut command.ext);
        let (address, answer) = self.ask_namesrv(what, command).await?;
        match answer.code {
            response::TOPIC_NOT_EXIST => Ok(None),
            response::SUCCESS => decode(what, address, &answer).map(Some),
            _ => Err(refused(what, address, &answer)),
        }
    }

    /// Addresses of the masters that are to have new topics.
    async fn masters(&self, shared: &Shared) -> Result<Vec<String>, Error> {
        let what = "brokers of the cluster";
        let command = Command { code: request::GET_BROKER_CLUSTER_INFO, ..Command::default() };
        let (namesrv, answer) = self.ask_namesrv(what, command).await?;
        let info: ClusterInfo = decode(what, namesrv, &successful(what, namesrv, answer)?)?;
        let wanted = |data: &&BrokerData| shared.broker.as_ref().is_none_or(|name| *name == data.broker_name);
        let brokers = info.broker_addr_table.values().filter(wanted);
        let masters: Vec<String> = brokers.filter_map(master).map(str::to_owned).collect();
        if masters.is_empty() {
            return Err(Error::NoBroker { namesrv: namesrv.to_owned() });
        }
        Ok(masters)
    }

    async fn create_topic(&self, shared: &Shared, topic: &str, masters: &[String]) -> Result<(), Error> {
        for master in masters {
            let mut command = Command { code: request::UPDATE_AND_CREATE_TOPIC, ..Command::default() };
            let header = CreateTopicRequest {
                topic,
                default_topic: Some("TBW102"),
                read_queue_nums: shared.queues,
                write_queue_nums: shared.queues,
                perm: perm::READ | perm::WRITE,
                topic_filter_type: "SINGLE_TAG",
                topic_sys_flag: Some(0),
                order: false,
                attributes: None,
                force: false,
            };
            header.encode(&mut command.ext);
            self.ask("creating the topic", master, command).await?;
        }
        Ok(())
    }

    /// Asks one after the other until one answers, whatever it answers.
    async fn ask_namesrv(&self, what: &'static str, command: Command) -> Result<(&str, Command), Error> {
        let mut failure = None;
        for address in &self.namesrvs {
            match self.clients[0].call(address, command.clone(), CALL_TIMEOUT).await {
                Ok(answer) => return Ok((address, answer)),
                Err(source) => failure = Some(Error::Call { what, address: address.clone(), source }),
            }
        }
        Err(failure.unwrap_or_else(|| Error::Arguments("--namesrv is empty".into())))
    }

    /// Asks a broker over the first connection; the answer must be success.
    pub(super) async fn ask(&self, what: &'static str, address: &str, command: Command) -> Result<Command, Error> {
        let answer = self.clients[0].call(address, command, CALL_TIMEOUT).await;
        let answer = answer.map_err(|source| Error::Call { what, address: address.to_owned(), source })?;
        successful(what, address, answer)
    }

    /// One heartbeat of every client to every broker, then one every 30 s until the tasks are cancelled.
    pub(super) async fn keep_alive(&self, targets: &[Target], role: &Role) -> Result<(), Error> {
        let addresses = addresses(targets);
        for (index, client) in self.clients.iter().enumerate() {
            let heartbeat = heartbeat(role, index);
            for address in &addresses {
                let answer = client.call(address, heartbeat.clone(), CALL_TIMEOUT).await;
                let what = "heartbeat";
                let answer = answer.map_err(|source| Error::Call { what, address: address.to_string(), source })?;
                successful(what, address, answer)?;
            }
            let (client, addresses, tasks) = (client.clone(), addresses.clone(), self.lanes.clone());
            let beat = async move {
                loop {
                    tokio::select! {
                        () = tasks.cancelled() => return,
                        () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
                    }
                    for address in &addresses {
                        if let Err(error) = client.call(address, heartbeat.clone(), CALL_TIMEOUT).await {
                            tracing::warn!(%address, %error, "heartbeat");
                        }
                    }
                }
            };
            drop(self.lanes.spawn(TaskKind::Load, &self.owner, beat));
        }
        Ok(())
    }

    /// Tells the brokers that the clients leave; a broker that does not answer finds out by itself.
    pub(super) async fn leave(&self, targets: &[Target], role: &Role) {
        for (index, client) in self.clients.iter().enumerate() {
            let mut command = Command { code: request::UNREGISTER_CLIENT, ..Command::default() };
            let client_id = client_id(role, index);
            let (producer_group, consumer_group) = match role {
                Role::Producer { group, .. } => (Some(group.as_str()), None),
                Role::Consumer { group, .. } => (None, Some(group.as_str())),
            };
            UnregisterClientRequest { client_id: &client_id, producer_group, consumer_group }.encode(&mut command.ext);
            for address in addresses(targets) {
                if let Err(error) = client.call(&address, command.clone(), CALL_TIMEOUT).await {
                    tracing::debug!(%address, %error, "unregister");
                }
            }
        }
    }
}

/// What the clients are to the brokers.
#[derive(Clone, Debug)]
pub(super) enum Role {
    Producer { run: u64, group: String },
    Consumer { run: u64, group: String, topic: String },
}

fn client_id(role: &Role, index: usize) -> String {
    let (Role::Producer { run, .. } | Role::Consumer { run, .. }) = role;
    format!("bench@{run:016x}#{index}")
}

fn heartbeat(role: &Role, index: usize) -> Command {
    let mut data = HeartbeatData { client_id: client_id(role, index), ..HeartbeatData::default() };
    match role {
        Role::Producer { group, .. } => data.producer_data_set.push(ProducerData { group_name: group.clone() }),
        Role::Consumer { group, topic, .. } => data.consumer_data_set.push(ConsumerData {
            consume_from_where: ConsumeFromWhere::ConsumeFromFirstOffset,
            group_name: group.clone(),
            subscription_data_set: vec![SubscriptionData {
                topic: topic.clone(),
                sub_string: "*".into(),
                ..SubscriptionData::default()
            }],
            ..ConsumerData::default()
        }),
    }
    Command { code: request::HEART_BEAT, body: json::to_java(&data).into(), ..Command::default() }
}

fn master(broker: &BrokerData) -> Option<&str> {
    broker.broker_addrs.get(&0).map(String::as_str)
}

fn addresses(targets: &[Target]) -> Vec<Arc<str>> {
    let mut addresses: Vec<Arc<str>> = targets.iter().map(|target| Arc::clone(&target.address)).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// Queue by queue and within that broker by broker, so that neighbours in the list are on different brokers.
fn targets(topic: &Arc<str>, route: &TopicRouteData, access: Access) -> Vec<Target> {
    let mut targets = Vec::new();
    for data in &route.queue_datas {
        let (allowed, queues) = match access {
            Access::Write => (perm::is_writable(data.perm), data.write_queue_nums),
            Access::Read => (perm::is_readable(data.perm), data.read_queue_nums),
        };
        let broker = route.broker_datas.iter().find(|broker| broker.broker_name == data.broker_name);
        let Some(address) = broker.and_then(master).filter(|_| allowed) else { continue };
        let (broker, address): (Arc<str>, Arc<str>) = (data.broker_name.as_str().into(), address.into());
        targets.extend((0..queues).map(|queue| Target {
            topic: Arc::clone(topic),
            broker: Arc::clone(&broker),
            address: Arc::clone(&address),
            queue: QueueId(queue),
        }));
    }
    targets.sort_by(|a, b| (a.queue, &a.broker).cmp(&(b.queue, &b.broker)));
    targets
}

fn successful(what: &'static str, address: &str, answer: Command) -> Result<Command, Error> {
    if answer.code == response::SUCCESS { Ok(answer) } else { Err(refused(what, address, &answer)) }
}

fn refused(what: &'static str, address: &str, answer: &Command) -> Error {
    let remark = answer.remark.clone().unwrap_or_else(|| "no remark".into());
    Error::Refused { what, address: address.to_owned(), code: answer.code, remark }
}

fn decode<T: serde::de::DeserializeOwned>(what: &'static str, address: &str, answer: &Command) -> Result<T, Error> {
    json::from_java(&answer.body.to_bytes()).map_err(|error| Error::Malformed {
        what,
        address: address.to_owned(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::body::route::QueueData;

    fn broker(name: &str, id: i64, address: &str) -> BrokerData {
        BrokerData {
            broker_name: name.into(),
            broker_addrs: [(id, address.to_owned())].into(),
            ..BrokerData::default()
        }
    }

    fn queues(name: &str, perm: i32, read: i32, write: i32) -> QueueData {
        QueueData {
            broker_name: name.into(),
            perm,
            read_queue_nums: read,
            write_queue_nums: write,
            ..QueueData::default()
        }
    }

    #[test]
    fn targets_alternate_between_masters() {
        let route = TopicRouteData {
            broker_datas: vec![broker("a", 0, "h:1"), broker("b", 0, "h:2"), broker("slave", 1, "h:3")],
            queue_datas: vec![
                queues("b", 6, 1, 2),
                queues("a", 6, 2, 2),
                queues("slave", 6, 9, 9),
                queues("gone", 6, 9, 9),
            ],
            ..TopicRouteData::default()
        };
        let check = |access, expected: &[(&str, i32)]| {
            let found = targets(&"T".into(), &route, access);
            let found: Vec<_> = found.iter().map(|target| (&*target.address, target.queue.0)).collect();
            assert_eq!(found, expected);
        };
        check(Access::Write, &[("h:1", 0), ("h:2", 0), ("h:1", 1), ("h:2", 1)]);
        check(Access::Read, &[("h:1", 0), ("h:2", 0), ("h:1", 1)]);
    }

    #[test]
    fn permissions_count() {
        let route = TopicRouteData {
            broker_datas: vec![broker("a", 0, "h:1")],
            queue_datas: vec![queues("a", 4, 1, 1)],
            ..TopicRouteData::default()
        };
        assert_eq!(
            (targets(&"T".into(), &route, Access::Write).len(), targets(&"T".into(), &route, Access::Read).len()),
            (0, 1)
        );
    }
}
