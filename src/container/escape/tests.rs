//! Choice and command as values, and the whole of it against brokers of this process.

#[path = "../../../examples/support/ports.rs"]
#[allow(clippy::disallowed_methods, clippy::cast_possible_truncation, reason = "tests stand outside of the program")]
mod ports;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::choice::{Candidate, Verdict, in_turn, of_route, verdict};
use super::letter::Letter;
use crate::broker::Escaped;
use crate::config::{self, Config};
use crate::container::Container;
use crate::container::lifecycle::{FirstFailure, Life};
use crate::container::masters::Masters;
use crate::container::registration::Registrar;
use crate::container::shared::Shared;
use crate::dispatch::Dispatch;
use crate::env::mailbox::oneshot;
use crate::protocol::body::route::{BrokerData, QueueData, TopicRouteData};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::offset::OffsetResponse;
use crate::protocol::headers::send::SendRequest;
use crate::protocol::ids::{BrokerId, BrokerIdentity, Millis, PhysicalOffset, QueueId};
use crate::protocol::{properties, sys_flag};
use crate::remoting::{Client, Limits, Transport};
use crate::store::NewMessage;

fn own() -> BrokerIdentity {
    BrokerIdentity { cluster: "c".into(), name: "a".into(), id: BrokerId(1) }
}

fn candidate(name: &str, queues: Option<i32>) -> Candidate {
    Candidate { name: name.into(), address: format!("{name}0:1"), queues }
}

#[test]
fn masters_that_take_writes_are_chosen_from_a_route() {
    let broker = |name: &str, cluster: &str, ids: &[i64]| BrokerData {
        cluster: cluster.into(),
        broker_name: name.into(),
        broker_addrs: ids.iter().map(|id| (*id, format!("{name}{id}:1"))).collect(),
        ..BrokerData::default()
    };
    let queues = |name: &str, perm, write_queue_nums| QueueData {
        broker_name: name.into(),
        perm,
        write_queue_nums,
        ..QueueData::default()
    };
    let route = TopicRouteData {
        broker_datas: vec![
            broker("a", "c", &[0, 1]),
            broker("b", "c", &[0, 1]),
            broker("headless", "c", &[1]),
            broker("acting", "c", &[0]),
            broker("foreign", "d", &[0]),
            broker("unlisted", "c", &[0]),
            broker("z", "c", &[0]),
        ],
        queue_datas: vec![
            queues("a", 6, 4),
            queues("b", 6, 8),
            queues("headless", 6, 4),
            queues("acting", 4, 4),
            queues("foreign", 6, 4),
            queues("z", 2, 1),
        ],
        ..TopicRouteData::default()
    };
    assert_eq!(of_route(route.clone(), &own(), true), [candidate("b", Some(8)), candidate("z", Some(1))]);
    assert_eq!(of_route(route, &own(), false), [candidate("b", None), candidate("z", None)]);
}

#[test]
fn another_one_comes_first_each_turn() {
    let check = |names: &[&str], turn, expected: &[&str]| {
        let all = |names: &[&str]| names.iter().map(|name| candidate(name, None)).collect::<Vec<_>>();
        assert_eq!(in_turn(all(names), turn), all(expected));
    };
    check(&[], 3, &[]);
    check(&["a", "b", "c"], 0, &["a", "b", "c"]);
    check(&["a", "b", "c"], 5, &["c", "a", "b"]);
}

#[test]
fn what_is_in_a_log_is_stored_however_safe() {
    let check = |codes: &[i32], expected| codes.iter().for_each(|code| assert_eq!(verdict(*code), expected, "{code}"));
    check(&[0, 10, 11, 12], Verdict::Stored);
    check(&[1, 29], Verdict::PerhapsQueue);
    check(&[2, 13, 14, 16, 17], Verdict::Refused);
}

/// A message for queue 2 that was to be delivered later.
fn message(topic: &str, properties: &[(&str, &str)]) -> NewMessage {
    NewMessage {
        topic: topic.into(),
        queue: QueueId(2),
        flag: 7,
        sys_flag: sys_flag::COMPRESSED | sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6,
        born: Millis(5),
        born_host: ([127, 0, 0, 1], 1).into(),
        store_host: ([127, 0, 0, 1], 2).into(),
        reconsume_times: 3,
        prepared_transaction_offset: PhysicalOffset(0),
        properties: properties::from_pairs(properties.iter().copied()).into(),
        body: Bytes::from_static(b"body"),
    }
}

#[test]
fn a_message_is_sent_as_it_would_have_been_stored() {
    let check = |message: NewMessage, expected: SendRequest<'_>| {
        let letter = Letter::new(&message, &own(), 8);
        let command = letter.command(letter.queue);
        let got = SendRequest::decode(&command.ext).unwrap();
        assert_eq!((command.code, got, command.body.to_bytes()), (310, expected, message.body));
    };
    let sent = SendRequest {
        producer_group: "InnerProducerGroup_a_1",
        topic: "T",
        default_topic: "TBW102",
        default_topic_queue_nums: 8,
        queue_id: QueueId(2),
        sys_flag: sys_flag::COMPRESSED,
        born_timestamp: Millis(5),
        flag: 7,
        properties: Some(""),
        reconsume_times: Some(3),
        unit_mode: false,
        max_reconsume_times: None,
        batch: false,
        broker_name: None,
    };
    let properties = |text| SendRequest { properties: Some(text), ..sent.clone() };
    check(message("T", &[]), sent.clone());
    check(message("T", &[("KEYS", "k"), ("WAIT", "false")]), properties("KEYS\u{1}k\u{2}"));
    // Its delay is over.
    let delayed = [("DELAY", "3"), ("REAL_TOPIC", "T"), ("REAL_QID", "2"), ("TIMER_DELAY_SEC", "9")];
    let real = "REAL_TOPIC\u{1}T\u{2}REAL_QID\u{1}2\u{2}";
    check(message("T", &delayed), properties(real));
    // Its delay is to come.
    let schedule = [("DELAY", "3"), ("REAL_TOPIC", "U"), ("REAL_QID", "5")];
    let text = "DELAY\u{1}3\u{2}REAL_TOPIC\u{1}U\u{2}REAL_QID\u{1}5\u{2}";
    let later = SendRequest { topic: "U", queue_id: QueueId(5), ..properties(text) };
    check(message("SCHEDULE_TOPIC_XXXX", &schedule), later);
    // It was given back three times, and that is not one too many.
    let again = SendRequest { topic: "%RETRY%g", max_reconsume_times: Some(3), ..sent.clone() };
    check(message("%RETRY%g", &[]), again);
    // It was one too many.
    let dead = SendRequest { topic: "%RETRY%g", max_reconsume_times: Some(2), ..sent.clone() };
    check(message("%DLQ%g", &[]), dead);
    let group = SendRequest { producer_group: "p", ..properties("PGROUP\u{1}p\u{2}") };
    check(message("T", &[("PGROUP", "p")]), group);
}

/// A container without the parts that escapes do not need, in which brokers can be started; the first is the slave whose messages
/// escape, and it is not started.
struct World {
    shared: Arc<Shared>,
    brokers: Vec<Arc<config::Broker>>,
    lives: Vec<Life>,
}

fn free_port() -> u16 {
    ports::claim(&[-2, -1, 0, 1])
}

/// A broker that keeps its files in `folder`.
fn table(folder: &Path, name: &str, port: u16, more: &str) -> String {
    format!(
        "[[broker]]\nbrokerName = \"{name}\"\nlistenPort = {port}\nbrokerIP1 = \"127.0.0.1\"\n\
         mappedFileSizeCommitLog = \"1MiB\"\nstorePathRootDir = \"{}\"\n{more}\n",
        folder.join(name).display()
    )
}

fn load(text: &str) -> Config {
    Config::load(Path::new("container.toml"), text.as_bytes(), &crate::container::outside()).unwrap().0
}

impl World {
    async fn start(folder: &Path, slave: &str, masters: &[(&str, &str)], name_servers: &[String]) -> World {
        let slave = format!("brokerRole = \"SLAVE\"\nbrokerId = 1\nenableSlaveActingMaster = true\n{slave}");
        let masters: String = masters.iter().map(|(name, more)| table(folder, name, free_port(), more)).collect();
        let slave = table(folder, "a", free_port(), &slave);
        let config = load(&format!("[container]\nlistenPort = {}\n{slave}{masters}", free_port()));
        let env = crate::container::environment(&config.container).unwrap();
        let transport = Transport::new(Limits::default());
        let registrar = Registrar::start(name_servers, &env, &transport);
        let shared = Arc::new(Shared {
            dispatch: Dispatch::new(&transport, &env.tasks),
            registrar,
            masters: Masters::new(),
            members: crate::container::members::Members::start(&env),
            client: Client::new(&"test".into(), &transport, Arc::clone(&env.clock), &env.tasks, None),
            bind: config.container.bind,
            lives: env.tasks.child(),
            env,
        });
        let brokers: Vec<_> = config.brokers.into_iter().map(Arc::new).collect();
        let begin = |broker| Life::begin(&shared, broker, FirstFailure::GiveUp);
        let lives: Vec<Life> = brokers.iter().skip(1).map(begin).collect();
        for life in &lives {
            assert!(life.settled().await.is_ready());
        }
        World { shared, brokers, lives }
    }

    async fn give(&self, message: NewMessage) -> Result<(), String> {
        let tasks = self.shared.lives.child();
        let escapes = super::start(&self.shared, &self.brokers[0], &tasks, &"a".into());
        let (done, outcome) = oneshot::channel();
        escapes.send(Escaped { message, queues: 8, done }).await.unwrap_or_else(|_| panic!("the mailbox is open"));
        let outcome = outcome.await.unwrap();
        tasks.cancel();
        tasks.ended().await;
        outcome
    }

    /// The end of a queue of the broker at this port.
    async fn end(&self, port: u16, topic: &str, queue: i32) -> i64 {
        let mut command = Command { code: request::GET_MAX_OFFSET, ..Command::default() };
        command.ext.set("topic", topic);
        command.ext.set("queueId", queue);
        let address = format!("127.0.0.1:{port}");
        let answer = self.shared.client.call(&address, command, Duration::from_secs(60)).await.unwrap();
        OffsetResponse::decode(&answer.ext).map_or(0, |header| header.offset.0)
    }

    async fn stop(self) {
        for life in self.lives {
            life.stop().await;
        }
        self.shared.registrar.stop().await;
        self.shared.env.tasks.cancel();
    }
}

#[tokio::test]
async fn a_neighbour_of_the_same_cluster_takes_a_message_and_makes_its_topic() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = ("x", "brokerClusterName = \"other\"");
    let world = World::start(folder.path(), "", &[foreign, ("b", "autoCreateTopicEnable = true")], &[]).await;
    let (foreign, beside) = (world.brokers[1].ports.main, world.brokers[2].ports.main);
    assert_eq!(world.give(message("T", &[("DELAY", "3")])).await, Ok(()));
    assert_eq!((world.end(foreign, "T", 2).await, world.end(beside, "T", 2).await), (0, 1));
    // It has fewer queues than the message wants.
    let second = NewMessage { queue: QueueId(99), ..message("T", &[]) };
    assert_eq!(world.give(second).await, Ok(()));
    let mut stored = 0;
    for queue in 0..8 {
        stored += world.end(beside, "T", queue).await;
    }
    assert_eq!(stored, 2);
    world.stop().await;
}

#[tokio::test]
async fn a_message_that_nobody_takes_comes_back_with_what_to_do() {
    let check = async |slave: &str, masters: &[(&str, &str)], expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let world = World::start(folder.path(), slave, masters, &[]).await;
        let refused = world.give(message("T", &[])).await.unwrap_err();
        assert!(refused.starts_with(expected), "{refused}");
        world.stop().await;
    };
    check("", &[], "no other master of DefaultCluster serves in this container: add one, or set enableRemoteEscape")
        .await;
    let closed = ("b", "autoCreateTopicEnable = false");
    check("", &[closed], "no other master of DefaultCluster took a message of T; the last tried: b at 127.0.0.1:")
        .await;
    let remote = "enableRemoteEscape = true";
    let nowhere = "no other master of DefaultCluster took a message of T; the last tried: there is no NameServer";
    check(remote, &[], nowhere).await;
}

#[tokio::test]
async fn a_master_elsewhere_takes_a_message_when_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let (own, namesrv, elsewhere) = (free_port(), free_port(), free_port());
    let config = load(&format!(
        "[container]\nlistenPort = {own}\n[namesrv]\nlistenPort = {namesrv}\nkvConfigPath = \"{}\"\n{}{}",
        folder.path().join("kvConfig.json").display(),
        table(folder.path(), "b", elsewhere, "autoCreateTopicEnable = true"),
        table(folder.path(), "x", free_port(), "brokerClusterName = \"other\"\nautoCreateTopicEnable = true"),
    ));
    let env = crate::container::environment(&config.container).unwrap();
    let container = Container::start(config, crate::container::outside(), &env).await.unwrap();
    container.settled().await;

    let name_servers = [format!("127.0.0.1:{namesrv}")];
    let check = async |slave: &str, stored: Result<(), &str>, end: i64| {
        let folder = tempfile::tempdir().unwrap();
        let world = World::start(folder.path(), slave, &[], &name_servers).await;
        let outcome = world.give(message("T", &[])).await;
        assert_eq!(
            outcome.map_err(|reason| reason.split(':').next().map(str::to_owned)),
            stored.map_err(|reason| Some(reason.to_owned()))
        );
        assert_eq!(world.end(elsewhere, "T", 2).await, end);
        world.stop().await;
    };
    check("", Err("no other master of DefaultCluster serves in this container"), 0).await;
    // The topic is nowhere yet: a master that would make it is found by the topic it would inherit from.
    check("enableRemoteEscape = true", Ok(()), 1).await;
    check("enableRemoteEscape = true", Ok(()), 2).await;
    container.stop().await;
}
