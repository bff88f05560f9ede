//! A broker's core on a real, small store in a temporary folder: requests in, answers and other actions out. No tasks, no
//! clock of its own: what readers and the I/O pool do beside the actor happens here at once, in the order of the actions.

#![allow(clippy::disallowed_methods, reason = "tests look at files")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{Broker, Config, Outside};
use crate::env::{Disk, SystemDisk};
use crate::protocol::body::heartbeat::{ConsumerData, HeartbeatData, ProducerData, SubscriptionData};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::protocol::json;
use crate::remoting::ConnectionId;
use crate::store::{Append, GetStatus, NewMessage, Options, Patience, Progress, Store};

use super::action::{Action, AfterAppend, Cleaning, ConfigFile, RequestId};
use super::core::{Client, Core, Loaded};
use super::event::{Event, Pulled};
use super::readers;
use super::requests::pull;

/// Noon of some day.
pub(super) const START: Millis = Millis(1_700_000_000_000);

/// A core, its store, its time, and what it has asked for.
pub(super) struct Bench {
    pub(super) core: Core,
    pub(super) now: Millis,
    pub(super) replies: Vec<(RequestId, Command)>,
    /// Actions that touch nothing but clients, NameServers and the broker's own file.
    pub(super) outside: Vec<Action>,
    /// Whether config files can be written.
    pub(super) disk_works: bool,
    /// Files written so far.
    pub(super) written: Vec<ConfigFile>,
    /// How long a write to the log takes.
    pub(super) append_takes: Duration,
    /// Whether jobs of the store run: off, nothing is ever synced.
    pub(super) jobs_run: bool,
    store: Store,
    disk: Arc<dyn Disk>,
    requests: u64,
    /// Goes with the bench.
    _folder: tempfile::TempDir,
}

/// A broker configured by the lines of a `[[broker]]` table.
pub(super) fn broker(root: &Path, lines: &str) -> Arc<Broker> {
    let text = format!(
        "[[broker]]\nbrokerName = \"b\"\nbrokerClusterName = \"c\"\nlistenPort = 10911\nstorePathRootDir = {root:?}\n\
         mappedFileSizeCommitLog = 1048576\nmaxMessageSize = 2048\n{lines}\n"
    );
    let outside = Outside {
        read: Box::new(|_| Err(std::io::ErrorKind::NotFound.into())),
        var: Box::new(|_| None),
        local_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        current_dir: root.to_owned(),
        cores: 2,
    };
    match Config::load(Path::new("container.toml"), text.as_bytes(), &outside) {
        Ok((config, _)) => Arc::new(config.brokers[0].clone()),
        Err(errors) => panic!("{errors}"),
    }
}

/// The client with this connection.
pub(super) fn client(connection: u64) -> Client {
    let port = 40_000 + u16::try_from(connection).unwrap();
    Client { connection: ConnectionId(connection), remote: SocketAddr::from(([127, 0, 0, 1], port)) }
}

/// A request of a Java 5.5.0 client.
pub(super) fn command(code: i32, fields: &[(&str, &str)], body: impl Into<Bytes>) -> Command {
    let version = crate::protocol::codes::version::V5_5_0;
    let mut command = Command { code, version, body: body.into().into(), ..Command::default() };
    for (name, value) in fields {
        command.ext.set(name, value);
    }
    command
}

/// An answer as code, remark and body text.
pub(super) fn shown(answer: &Command) -> (i32, String, String) {
    let body = String::from_utf8_lossy(&answer.body.to_bytes()).into_owned();
    (answer.code, answer.remark.clone().unwrap_or_default(), body)
}

impl Bench {
    pub(super) fn new() -> Bench {
        Bench::with("")
    }

    /// With lines of configuration.
    pub(super) fn with(lines: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let config = broker(folder.path(), lines);
        let disk: Arc<dyn Disk> = Arc::new(SystemDisk);
        let options = Options::new(config.store.clone(), config.delay_levels.clone());
        let store = Store::open(options, Arc::clone(&disk), START, &Progress::default()).unwrap();
        let core = Core::new(config, store.view(), &Loaded::default(), START, 7).unwrap();
        let mut bench = Bench {
            core,
            now: START,
            replies: Vec::new(),
            outside: Vec::new(),
            disk_works: true,
            written: Vec::new(),
            append_takes: Duration::ZERO,
            jobs_run: true,
            store,
            disk,
            requests: 0,
            _folder: folder,
        };
        bench.settle(Vec::new());
        bench.outside.clear();
        bench.written.clear();
        bench
    }

    /// Sends a request of client 1; its number.
    pub(super) fn send(&mut self, command: Command) -> RequestId {
        self.send_from(1, command)
    }

    pub(super) fn send_from(&mut self, connection: u64, command: Command) -> RequestId {
        let id = RequestId(self.requests);
        self.requests += 1;
        let event = Event::Request { id, client: client(connection), command };
        self.event(event);
        id
    }

    /// Sends a request that must be answered at once.
    pub(super) fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &str) -> Command {
        let id = self.send(command(code, fields, body.to_owned()));
        self.answer(id).unwrap_or_else(|| panic!("request {code} was not answered: {:?}", self.outside))
    }

    /// Takes the answer of a request.
    pub(super) fn answer(&mut self, id: RequestId) -> Option<Command> {
        let place = self.replies.iter().position(|(to, _)| *to == id)?;
        Some(self.replies.remove(place).1)
    }

    pub(super) fn event(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.core.handle(self.now, event, &mut actions);
        self.settle(actions);
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, millis: i64) {
        self.now = self.now.plus(millis);
        self.settle(Vec::new());
    }

    /// Carries out actions until nothing is left to do now.
    fn settle(&mut self, mut actions: Vec<Action>) {
        loop {
            self.carry_out(actions);
            actions = Vec::new();
            let mut arrivals = Vec::new();
            self.store.follow(&mut arrivals);
            if !arrivals.is_empty() {
                self.core.handle(self.now, Event::Arrived(arrivals), &mut actions);
            }
            let jobs = if self.jobs_run { self.store.jobs(self.now) } else { Vec::new() };
            for job in jobs {
                let done = job.run(&*self.disk);
                for event in self.store.complete(done, self.now) {
                    if let crate::store::Event::Flushed(flushed) = event {
                        self.core.handle(self.now, Event::Flushed(flushed), &mut actions);
                    }
                }
            }
            if self.core.waits_to_lead() && self.store.lead() {
                self.core.led(self.store.written());
            }
            self.core.upkeep(self.now, 1, &mut actions);
            if actions.is_empty() {
                return;
            }
        }
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        let mut more = Vec::new();
        for action in actions {
            match action {
                Action::Append { messages, then } => self.append(messages, then, &mut more),
                action => self.act(action, &mut more),
            }
        }
        if !more.is_empty() {
            self.carry_out(more);
        }
    }

    /// A message comes with the log of the master.
    pub(super) fn copied(&mut self, message: NewMessage) {
        let messages = Append { messages: smallvec::smallvec![message] };
        self.store.append(&[messages], self.now).pop().unwrap().unwrap();
        self.settle(Vec::new());
    }

    fn append(&mut self, messages: Append, then: AfterAppend, more: &mut Vec<Action>) {
        let result = self.store.append(&[messages], self.now).pop().unwrap();
        self.core.appended(self.now, self.append_takes, then, result, more);
        let mut arrivals = Vec::new();
        self.store.follow(&mut arrivals);
        self.core.handle(self.now, Event::Arrived(arrivals), more);
    }

    fn act(&mut self, action: Action, more: &mut Vec<Action>) {
        let (view, patience) = (self.store.view(), Patience::MayBlock);
        let event = match action {
            Action::Reply { to, response } => {
                assert!(self.replies.iter().all(|(other, _)| *other != to), "{to:?} is answered twice");
                self.replies.push((to, response));
                return;
            }
            Action::Query { to, query } => {
                let response = query.run(&view, patience).unwrap();
                self.replies.push((to, response));
                return;
            }
            Action::Pull { pull } => {
                let read = readers::read_queue(&view, &pull, patience).unwrap();
                if read.status == GetStatus::Found {
                    self.replies.push((pull.to, pull::answer(&pull, &read)));
                    Event::Pulled(Pulled {
                        topic: pull.topic,
                        group: pull.group,
                        queue: pull.queue,
                        next: read.next,
                        messages: read.messages.len(),
                        bytes: read.bytes,
                    })
                } else {
                    Event::NothingPulled { pull, read }
                }
            }
            Action::ReadRecord { at, then } => {
                let record = view.record_at(at, patience).map_err(|error| error.to_string());
                Event::RecordRead { then, record }
            }
            Action::ReadDelayed { level, from } => {
                let units = readers::delayed_units(&view, level, from, patience).map_err(|error| error.to_string());
                Event::DelayedRead { level, from, units }
            }
            Action::FindOffsets { search } => {
                let offsets = readers::offsets_of_time(&view, &search, patience).map_err(|error| error.to_string());
                Event::OffsetsFound { search, offsets }
            }
            Action::Persist { file, .. } => {
                let result = if self.disk_works { Ok(()) } else { Err("no space".to_owned()) };
                self.written.push(file);
                Event::Persisted { file, result }
            }
            Action::SaveEpochs { .. } => Event::EpochsSaved { result: Ok(()) },
            Action::DeleteTopic { topic } => return self.store.delete_topic(&topic),
            Action::Clean(Cleaning::Log) => return self.store.delete_expired(),
            Action::Clean(Cleaning::Queues) => return self.store.clean_queues(),
            action => return self.outside.push(action),
        };
        self.core.handle(self.now, event, more);
    }

    /// Creates a topic of two queues as an administrator does.
    pub(super) fn create_topic(&mut self, topic: &str) {
        let answer = self.ask(request::UPDATE_AND_CREATE_TOPIC, &topic_fields(topic), "");
        assert_eq!(answer.code, 0, "{:?}", answer.remark);
    }

    /// Creates a group as an administrator does.
    pub(super) fn create_group(&mut self, group: &str) {
        let body = format!(r#"{{"groupName":"{group}"}}"#);
        let answer = self.ask(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], &body);
        assert_eq!(answer.code, 0, "{:?}", answer.remark);
    }

    /// Sends a message; the answer.
    pub(super) fn produce(&mut self, topic: &str, queue: i32, body: &str, properties: &str) -> Command {
        let queue = queue.to_string();
        let fields = send_fields(topic, &queue, properties);
        self.ask(request::SEND_MESSAGE_V2, &fields, body)
    }

    /// A heartbeat of a consumer of `topics`, and of a producer of group `p`.
    pub(super) fn beat(&mut self, connection: u64, group: &str, topics: &[&str]) -> Command {
        let subscription = |topic: &&str| SubscriptionData {
            topic: (*topic).to_owned(),
            sub_string: "*".to_owned(),
            ..SubscriptionData::default()
        };
        let beat = HeartbeatData {
            client_id: format!("client-{connection}"),
            consumer_data_set: vec![ConsumerData {
                group_name: group.to_owned(),
                subscription_data_set: topics.iter().map(subscription).collect(),
                ..ConsumerData::default()
            }],
            producer_data_set: vec![ProducerData { group_name: "p".to_owned() }],
            ..HeartbeatData::default()
        };
        let id = self.send_from(connection, command(request::HEART_BEAT, &[], json::to_java(&beat)));
        self.answer(id).unwrap()
    }

    /// Commits an offset of queue 0.
    pub(super) fn commit(&mut self, topic: &str, group: &str, offset: i64) {
        self.core.offsets.commit(self.now, topic, group, QueueId(0), QueueOffset(offset));
    }
}

/// Header of 17 for a topic of two queues.
pub(super) fn topic_fields(topic: &str) -> Vec<(&str, &str)> {
    vec![
        ("topic", topic),
        ("defaultTopic", "TBW102"),
        ("readQueueNums", "2"),
        ("writeQueueNums", "2"),
        ("perm", "6"),
        ("topicFilterType", "SINGLE_TAG"),
        ("order", "false"),
    ]
}

/// Header of 310.
pub(super) fn send_fields<'a>(topic: &'a str, queue: &'a str, properties: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("a", "p"),
        ("b", topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", queue),
        ("f", "0"),
        ("g", "1"),
        ("h", "0"),
        ("i", properties),
        ("j", "0"),
        ("k", "false"),
        ("m", "false"),
    ]
}
