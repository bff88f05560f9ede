//! What the examples and the tests of the container share: a container on free ports in a temporary folder, and a small client
//! on the program's own remoting. Applications use RocketMQ's clients instead.
#![allow(dead_code, reason = "no user needs all of it")]
#![allow(clippy::disallowed_methods, reason = "examples and tests stand outside of the program")]

pub mod ports;
pub mod process;

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mqcontainer::config::Config;
use mqcontainer::container::{self, Container};
use mqcontainer::env::{Env, SystemClock, Tasks};
use mqcontainer::protocol::body::route::TopicRouteData;
use mqcontainer::protocol::body::stats::HaRuntimeInfo;
use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::container::{AddBrokerRequest, RemoveBrokerRequest};
use mqcontainer::protocol::headers::namesrv::RouteRequest;
use mqcontainer::protocol::headers::pull::PullRequest;
use mqcontainer::protocol::headers::send::{SendRequest, SendResponse};
use mqcontainer::protocol::ids::{BrokerId, Millis, QueueId, QueueOffset};
use mqcontainer::protocol::json;
use mqcontainer::protocol::record::{BodyCrc, records};
use mqcontainer::remoting::{Client, Limits, Transport};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Longest wait for anything that must happen; never a measure of speed.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A port `p` of which p - 2 to p + 1 are free: one broker, or one container.
pub fn free_port() -> u16 {
    ports::claim(&[-2, -1, 0, 1])
}

/// One broker of a configuration.
pub fn broker_table(name: &str, port: u16) -> String {
    format!("[[broker]]\nbrokerName = \"{name}\"\nlistenPort = {port}\n")
}

/// Members of one DLedger group with these ports for clients, in the order of their numbers; each speaks to the others one port above.
pub fn member_tables(name: &str, ports: &[u16], folder: &Path) -> Vec<String> {
    let peer = |(number, port): (usize, &u16)| format!("n{number}-127.0.0.1:{}", port + 1);
    let peers: Vec<String> = ports.iter().enumerate().map(peer).collect();
    let table = |(number, port): (usize, &u16)| {
        format!(
            "{}enableDLegerCommitLog = true\ndLegerPeers = \"{}\"\ndLegerSelfId = \"n{number}\"\n\
             storePathRootDir = \"{}/${{brokerName}}-${{brokerId}}\"\n[broker.raft]\nunsafe_raft = true\n",
            broker_table(name, *port),
            peers.join(";"),
            folder.display()
        )
    };
    ports.iter().enumerate().map(table).collect()
}

/// The `.conf` of a broker as a Java container would have it.
pub fn java_conf(name: &str, port: u16, store: &Path) -> String {
    format!(
        "# a broker of a Java container\nbrokerClusterName=DefaultCluster\nbrokerName={name}\nbrokerId=0\n\
         brokerRole=ASYNC_MASTER\nflushDiskType=ASYNC_FLUSH\nlistenPort={port}\nbrokerIP1=127.0.0.1\n\
         storePathRootDir={}\nmappedFileSizeCommitLog=16777216\n",
        store.display()
    )
}

/// A running container.
pub struct Running {
    pub container: Container,
    pub folder: TempDir,
    pub admin: String,
    pub namesrv: String,
    pub env: Env,
}

impl Running {
    /// Starts a container with a NameServer, HTTP and the brokers of these tables, and waits until each has served or failed.
    pub async fn start(brokers: &str) -> Outcome<Running> {
        Running::start_in(tempfile::tempdir()?, brokers, |env| env).await
    }

    /// The same in a given folder and with a changed environment.
    pub async fn start_in(folder: TempDir, brokers: &str, change: impl FnOnce(Env) -> Env) -> Outcome<Running> {
        let running = Running::begin(folder, brokers, change).await?;
        running.container.settled().await;
        Ok(running)
    }

    /// The same without waiting for the brokers.
    pub async fn begin(folder: TempDir, brokers: &str, change: impl FnOnce(Env) -> Env) -> Outcome<Running> {
        let (admin, namesrv) = (free_port(), free_port());
        let text = configuration(folder.path(), admin, namesrv, brokers);
        Running::from_text(folder, &text, (admin, namesrv), change).await
    }

    /// The same with another text, which has these ports of the container and its NameServer.
    pub async fn from_text(
        folder: TempDir,
        text: &str,
        (admin, namesrv): (u16, u16),
        change: impl FnOnce(Env) -> Env,
    ) -> Outcome<Running> {
        let file = folder.path().join("container.toml");
        let outside = container::outside();
        let (config, _warnings) = Config::load(&file, text.as_bytes(), &outside)?;
        let env = change(container::environment(&config.container)?);
        let container = Container::start(config, outside, &env).await?;
        let (admin, namesrv) = (format!("127.0.0.1:{admin}"), format!("127.0.0.1:{namesrv}"));
        Ok(Running { container, folder, admin, namesrv, env })
    }

    /// A file in the container's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// GET of one page: status and body.
    pub async fn page(&self, path: &str) -> Outcome<(u16, String)> {
        get(self.container.http_address().ok_or("there is no [http]")?, path).await
    }

    /// Stops in order; gives the folder back.
    pub async fn stop(self) -> TempDir {
        self.container.stop().await;
        self.folder
    }
}

/// The configuration of a container that keeps everything in `folder`.
pub fn configuration(folder: &Path, admin: u16, namesrv: u16, brokers: &str) -> String {
    let folder = folder.display();
    format!(
        "[container]\nlistenPort = {admin}\nbindAddress = \"127.0.0.1\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\
         [namesrv]\nlistenPort = {namesrv}\nkvConfigPath = \"{folder}/kvConfig.json\"\n\
         [defaults]\nbrokerIP1 = \"127.0.0.1\"\nmappedFileSizeCommitLog = \"16MiB\"\n\
         storePathRootDir = \"{folder}/${{brokerName}}\"\n{brokers}"
    )
}

/// GET of one page: status and body.
pub async fn get(address: SocketAddr, path: &str) -> Outcome<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("not HTTP")?;
    let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
    Ok((status, body.to_owned()))
}

/// A client of brokers, NameServers and containers.
pub struct Peer {
    client: Client,
}

/// A request that was answered with another code than 0.
#[derive(Debug, thiserror::Error)]
#[error("code {code}: {remark}")]
pub struct Refused {
    pub code: i32,
    pub remark: String,
}

impl Peer {
    pub fn new() -> Peer {
        let transport = Transport::new(Limits::default());
        Peer { client: Client::new(&"peer".into(), &transport, Arc::new(SystemClock::new()), &Tasks::new(), None) }
    }

    /// The answer, whatever its code.
    pub async fn ask(&self, address: &str, command: Command) -> Outcome<Command> {
        Ok(self.client.call(address, command, DEADLINE).await?)
    }

    /// The answer if its code is 0.
    pub async fn call(&self, address: &str, command: Command) -> Outcome<Command> {
        let answer = self.ask(address, command).await?;
        if answer.code != response::SUCCESS {
            return Err(Box::new(Refused { code: answer.code, remark: answer.remark.unwrap_or_default() }));
        }
        Ok(answer)
    }

    /// Sends one message to queue 0; returns its queue offset.
    pub async fn send(&self, broker: &str, topic: &str, body: &str) -> Outcome<QueueOffset> {
        let answer = self.call(broker, send_command(topic, None, Bytes::copy_from_slice(body.as_bytes()))).await?;
        Ok(SendResponse::decode(&answer.ext)?.queue_offset)
    }

    /// The bodies of up to 32 messages of queue 0.
    pub async fn pull(&self, broker: &str, topic: &str, from: QueueOffset) -> Outcome<Vec<String>> {
        let command = pull_command(topic, from);
        let answer = self.ask(broker, command).await?;
        match answer.code {
            response::SUCCESS => {}
            response::PULL_NOT_FOUND | response::PULL_RETRY_IMMEDIATELY => return Ok(Vec::new()),
            code => return Err(Box::new(Refused { code, remark: answer.remark.unwrap_or_default() })),
        }
        let body = answer.body.to_bytes();
        let mut bodies = Vec::new();
        for record in records(&body, BodyCrc::Check) {
            bodies.push(String::from_utf8_lossy(record?.body).into_owned());
        }
        Ok(bodies)
    }

    /// Pulls until `wanted` messages are there; a message can be read a moment after it was sent.
    pub async fn pull_all(&self, broker: &str, topic: &str, wanted: usize) -> Outcome<Vec<String>> {
        let mut bodies = Vec::new();
        let all = async {
            while bodies.len() < wanted {
                let more = self.pull(broker, topic, QueueOffset(i64::try_from(bodies.len())?)).await?;
                if more.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                bodies.extend(more);
            }
            Ok::<(), Box<dyn Error>>(())
        };
        tokio::time::timeout(DEADLINE, all).await??;
        Ok(bodies)
    }

    /// What a NameServer says of a topic.
    pub async fn route_data(&self, namesrv: &str, topic: &str) -> Outcome<TopicRouteData> {
        let mut command = Command { code: request::GET_ROUTEINFO_BY_TOPIC, ..Command::default() };
        RouteRequest { topic, accept_standard_json_only: Some(true) }.encode(&mut command.ext);
        let answer = self.call(namesrv, command).await?;
        Ok(json::from_java(&answer.body.to_bytes())?)
    }

    /// How replication of a broker is doing (907, `mqadmin haStatus`).
    pub async fn ha_status(&self, broker: &str) -> Outcome<HaRuntimeInfo> {
        let command = Command { code: request::GET_BROKER_HA_STATUS, ..Command::default() };
        Ok(json::from_java(&self.call(broker, command).await?.body.to_bytes())?)
    }

    /// The addresses of the masters that serve a topic, by broker name, as a client would find them.
    pub async fn route(&self, namesrv: &str, topic: &str) -> Outcome<Vec<(String, String)>> {
        let route = self.route_data(namesrv, topic).await?;
        let mut masters: Vec<(String, String)> = route
            .broker_datas
            .into_iter()
            .filter_map(|broker| Some((broker.broker_name, broker.broker_addrs.get(&BrokerId(0).0)?.clone())))
            .collect();
        masters.sort();
        Ok(masters)
    }

    /// 902 with a file on the container's host; returns the answer, whatever its code.
    pub async fn add_broker(&self, admin: &str, conf: &Path) -> Outcome<Command> {
        let mut command = Command { code: request::ADD_BROKER, ..Command::default() };
        let conf = conf.display().to_string();
        AddBrokerRequest { config_path: Some(&conf) }.encode(&mut command.ext);
        self.ask(admin, command).await
    }

    /// 903; returns the answer, whatever its code.
    pub async fn remove_broker(&self, admin: &str, name: &str) -> Outcome<Command> {
        self.remove_broker_id(admin, name, 0).await
    }

    /// The same of another id than a master's; of a member of a DLedger group its number.
    pub async fn remove_broker_id(&self, admin: &str, name: &str, id: i64) -> Outcome<Command> {
        let mut command = Command { code: request::REMOVE_BROKER, ..Command::default() };
        let header =
            RemoveBrokerRequest { broker_name: name, broker_cluster_name: "DefaultCluster", broker_id: BrokerId(id) };
        header.encode(&mut command.ext);
        self.ask(admin, command).await
    }
}

/// 310: a message for queue 0.
pub fn send_command(topic: &str, properties: Option<&str>, body: Bytes) -> Command {
    let mut command = Command { code: request::SEND_MESSAGE_V2, body: body.into(), ..Command::default() };
    let born = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let header = SendRequest {
        producer_group: "examples",
        topic,
        default_topic: "TBW102",
        default_topic_queue_nums: 4,
        queue_id: QueueId(0),
        sys_flag: 0,
        born_timestamp: Millis(i64::try_from(born).unwrap_or(i64::MAX)),
        flag: 0,
        properties,
        reconsume_times: None,
        unit_mode: false,
        max_reconsume_times: None,
        batch: false,
        broker_name: None,
    };
    header.encode_v2(&mut command.ext);
    command
}

/// 11: up to 32 messages of queue 0, or none at once.
pub fn pull_command(topic: &str, from: QueueOffset) -> Command {
    const SUBSCRIPTION: i32 = 4;
    let mut command = Command { code: request::PULL_MESSAGE, ..Command::default() };
    let header = PullRequest {
        consumer_group: "examples",
        topic,
        queue_id: QueueId(0),
        queue_offset: from,
        max_msg_nums: 32,
        sys_flag: SUBSCRIPTION,
        commit_offset: QueueOffset(0),
        suspend_timeout_millis: 0,
        subscription: Some("*"),
        sub_version: 0,
        expression_type: Some("TAG"),
        max_msg_bytes: None,
        request_source: None,
        proxy_forward_client_id: None,
        lite_topic: None,
    };
    header.encode(&mut command.ext);
    command
}

/// Waits until `condition` holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "still not: {what}");
}
