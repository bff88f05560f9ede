//! Three containers with three groups: each container has the master of one group and a slave of each other (Java:
//! `ContainerIntegrationTestBase`), and a NameServer of its own process part that never stops.
//!
//! ```text
//! container 0: g0-0  g2-1  g1-2
//! container 1: g1-0  g0-1  g2-2       g0-1 is the slave with id 1 of group g0
//! container 2: g2-0  g1-1  g0-2
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mqcontainer::protocol::body::route::BrokerMemberGroupBody;
use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::json;
use tempfile::TempDir;

use crate::support::{Outcome, Peer, Running, broker_table, configuration, free_port, until};

/// Containers, and groups.
pub const SIZE: usize = 3;

/// As Java's integration tests set them, with shorter times.
const GROUP: &str = "brokerClusterName = \"DefaultCluster\"\ntotalReplicas = 3\ninSyncReplicas = 2\nminInSyncReplicas = 1\n\
    enableSlaveActingMaster = true\ncompatibleWithOldNameSrv = false\nslaveReadEnable = true\nlockInStrictMode = true\n\
    brokerHeartbeatInterval = 200\nbrokerNotActiveTimeoutMillis = 5000\nsyncBrokerMemberGroupPeriod = 100\n";

/// How the brokers of a fleet differ from the usual.
#[derive(Clone, Copy)]
pub struct Settings {
    /// `enableAutoInSyncReplicas`.
    pub auto_in_sync: bool,
    /// `enableRemoteEscape`.
    pub remote_escape: bool,
}

pub struct Fleet {
    pub peer: Peer,
    pub names: Running,
    containers: [Option<Running>; SIZE],
    texts: [String; SIZE],
    ports: [(u16, u16); SIZE],
    brokers: BTreeMap<(usize, usize), u16>,
    stopped: BTreeMap<usize, TempDir>,
}

impl Fleet {
    pub async fn start(settings: Settings) -> Outcome<Fleet> {
        let (folder, ports) = (tempfile::tempdir()?, (free_port(), free_port()));
        let text = configuration(folder.path(), ports.0, ports.1, "");
        let text = text.replacen("[namesrv]", "[namesrv]\nsupportActingMaster = true", 1);
        let names = Running::from_text(folder, &text, ports, |env| env).await?;
        let brokers: BTreeMap<(usize, usize), u16> =
            (0..SIZE * SIZE).map(|number| ((number / SIZE, number % SIZE), free_port())).collect();
        let mut fleet = Fleet {
            peer: Peer::new(),
            names,
            containers: [const { None }; SIZE],
            texts: Default::default(),
            ports: std::array::from_fn(|_| (free_port(), free_port())),
            brokers,
            stopped: BTreeMap::new(),
        };
        for container in 0..SIZE {
            let folder = tempfile::tempdir()?;
            fleet.texts[container] = fleet.text(container, folder.path(), settings);
            fleet.stopped.insert(container, folder);
            fleet.bring_back(container).await?;
        }
        for group in 0..SIZE {
            fleet.until_members(group, SIZE).await;
        }
        Ok(fleet)
    }

    fn text(&self, container: usize, folder: &Path, settings: Settings) -> String {
        let table = |id: usize| {
            let group = (container + SIZE - id) % SIZE;
            let role = if id == 0 { "SYNC_MASTER" } else { "SLAVE" };
            let own = format!("brokerId = {id}\nbrokerRole = \"{role}\"\n");
            let asked = format!(
                "enableAutoInSyncReplicas = {}\nenableRemoteEscape = {}\n",
                settings.auto_in_sync, settings.remote_escape
            );
            let store = format!("storePathRootDir = \"{}\"\n", folder.join(format!("g{group}-{id}")).display());
            broker_table(&name(group), self.brokers[&(group, id)]) + &own + GROUP + &asked + &store
        };
        let tables: String = (0..SIZE).map(table).collect();
        let text = configuration(folder, self.ports[container].0, self.ports[container].1, &tables);
        let names = format!("[container]\nnamesrvAddr = \"{}\"", self.names.namesrv);
        // The NameServer is elsewhere: this container's own would not know the other two.
        let (head, rest) = text.split_once("[namesrv]").unwrap_or((&text, ""));
        let rest = rest.split_once("[defaults]").map_or("", |(_, rest)| rest);
        format!("{head}[defaults]{rest}").replacen("[container]", &names, 1)
    }

    /// The configuration of a broker as a file of Java's.
    pub fn conf(&self, group: usize, id: usize) -> Outcome<PathBuf> {
        let container = (group + id) % SIZE;
        let head = format!("brokerName = \"{}\"\n", name(group));
        let of = |table: &&str| table.trim_start().starts_with(&head);
        let table = self.texts[container].split("[[broker]]").find(of).ok_or("no such broker")?;
        let file = self.container(container).file(&format!("{}-{id}.conf", name(group)));
        std::fs::write(
            &file,
            format!("brokerIP1 = 127.0.0.1\nmappedFileSizeCommitLog = 16777216\n{}", table.replace('"', "")),
        )?;
        Ok(file)
    }

    /// A container that is not there starts, with the stores it had.
    pub async fn bring_back(&mut self, container: usize) -> Outcome<()> {
        let folder = self.stopped.remove(&container).ok_or("it is there")?;
        let running = Running::from_text(folder, &self.texts[container], self.ports[container], |env| env).await?;
        running.container.settled().await;
        self.containers[container] = Some(running);
        Ok(())
    }

    /// A container stops.
    pub async fn take_away(&mut self, container: usize) -> Outcome<()> {
        let running = self.containers[container].take().ok_or("it is not there")?;
        self.stopped.insert(container, running.stop().await);
        Ok(())
    }

    pub fn container(&self, container: usize) -> &Running {
        self.containers[container].as_ref().unwrap()
    }

    /// The address of a broker.
    pub fn broker(&self, group: usize, id: usize) -> String {
        format!("127.0.0.1:{}", self.brokers[&(group, id)])
    }

    /// The members of a group as the NameServer names them (901).
    pub async fn members(&self, group: usize) -> Outcome<BTreeMap<i64, String>> {
        let mut command = Command { code: request::GET_BROKER_MEMBER_GROUP, ..Command::default() };
        command.ext.set("clusterName", "DefaultCluster");
        command.ext.set("brokerName", name(group));
        let answer = self.peer.call(&self.names.namesrv, command).await?;
        let body: BrokerMemberGroupBody = json::from_java(&answer.body.to_bytes())?;
        Ok(body.broker_member_group.broker_addrs)
    }

    pub async fn until_members(&self, group: usize, count: usize) {
        until(&format!("{} has {count} members", name(group)), || async {
            self.members(group).await.is_ok_and(|members| members.len() == count)
        })
        .await;
    }

    /// Waits until the master of a group has so many slaves that have all of its log.
    pub async fn until_in_sync(&self, group: usize, slaves: i32) {
        until(&format!("{} has {slaves} slaves in sync", name(group)), || async {
            self.peer.ha_status(&self.broker(group, 0)).await.is_ok_and(|status| {
                status.in_sync_slave_nums == slaves && status.ha_connection_info.iter().all(|slave| slave.diff == 0)
            })
        })
        .await;
    }

    /// Creates a topic of one queue on the master of each group, and waits until all slaves know it.
    pub async fn create_topic(&self, topic: &str) -> Outcome<()> {
        for group in 0..SIZE {
            let mut command = Command { code: request::UPDATE_AND_CREATE_TOPIC, ..Command::default() };
            let fields = [
                ("topic", topic),
                ("defaultTopic", "TBW102"),
                ("readQueueNums", "1"),
                ("writeQueueNums", "1"),
                ("perm", "6"),
                ("topicFilterType", "SINGLE_TAG"),
            ];
            fields.iter().for_each(|(key, value)| command.ext.set(key, value));
            self.peer.call(&self.broker(group, 0), command).await?;
            for id in 1..SIZE {
                until("the slave knows the topic", || async {
                    let mut command = Command { code: request::GET_TOPIC_CONFIG, ..Command::default() };
                    command.ext.set("topic", topic);
                    self.peer.call(&self.broker(group, id), command).await.is_ok()
                })
                .await;
            }
        }
        Ok(())
    }

    /// Whether a slave acts for its master, as the metrics of its container say.
    pub async fn acts(&self, group: usize, id: usize) -> Outcome<bool> {
        let (_, page) = self.container((group + id) % SIZE).page("/metrics").await?;
        let (node, broker) = (format!("node_id=\"{}\"", name(group)), format!("broker_id=\"{id}\""));
        let is_it =
            |line: &&str| line.starts_with("mqcontainer_acting{") && line.contains(&node) && line.contains(&broker);
        Ok(page.lines().find(is_it).ok_or("no such slave")?.ends_with(" 1"))
    }

    /// The store of a broker whose container was taken away.
    pub fn store(&self, group: usize, id: usize) -> PathBuf {
        self.stopped[&((group + id) % SIZE)].path().join(format!("{}-{id}", name(group)))
    }

    pub async fn stop(mut self) -> Outcome<()> {
        for container in 0..SIZE {
            if self.containers[container].is_some() {
                self.take_away(container).await?;
            }
        }
        self.names.stop().await;
        Ok(())
    }
}

/// The name of a group.
pub fn name(group: usize) -> String {
    format!("g{group}")
}

/// The answer's `offset` field to a question about a queue 0.
pub async fn offset_of(peer: &Peer, broker: &str, code: i32, topic: &str, group: &str) -> Outcome<Option<i64>> {
    let mut command = Command { code, ..Command::default() };
    for (key, value) in [("topic", topic), ("queueId", "0"), ("consumerGroup", group)] {
        command.ext.set(key, value);
    }
    let answer = peer.ask(broker, command).await?;
    match answer.code {
        response::SUCCESS => Ok(Some(answer.ext.get("offset").ok_or("no offset")?.parse()?)),
        _ => Ok(None),
    }
}

/// Commits the offset of a group in a queue 0.
pub async fn commit(peer: &Peer, broker: &str, topic: &str, group: &str, offset: i64) -> Outcome<()> {
    let mut command = Command { code: request::UPDATE_CONSUMER_OFFSET, ..Command::default() };
    let offset = offset.to_string();
    for (key, value) in [("topic", topic), ("queueId", "0"), ("consumerGroup", group), ("commitOffset", &offset)] {
        command.ext.set(key, value);
    }
    peer.call(broker, command).await?;
    Ok(())
}
