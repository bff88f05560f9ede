//! One broker of the world: its core and store, owned here as the actor owns them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mqcontainer::broker::action::{Action, AfterCall, ConfigFile, RequestId};
use mqcontainer::broker::core::{Client, Core};
use mqcontainer::broker::event::Event;
use mqcontainer::broker::{Members, Upstream};
use mqcontainer::config::{Broker, Config, Outside};
use mqcontainer::env::Disk;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use mqcontainer::remoting::ConnectionId;
use mqcontainer::replication::Incoming;
use mqcontainer::replication::epochs::Epochs;
use mqcontainer::replication::follower::Follower;
use mqcontainer::replication::leading::Traffic;
use mqcontainer::replication::progress::{Replica, Session, SessionId};
use mqcontainer::replication::sender::{LogState, Sender};
use mqcontainer::store::{self, Job, Progress, Store};

use crate::bugs::Bug;
use crate::disk::SimDisk;
use crate::network::LinkId;

/// Small files, so that a run crosses several.
const SEGMENT: u64 = 16 * 1024;

/// A file that the I/O pool is to write.
pub struct FileWrite {
    pub path: PathBuf,
    pub content: Vec<u8>,
    /// Which table it holds; the epochs when none.
    pub file: Option<ConfigFile>,
}

/// A request to another member.
pub struct Call {
    pub to: usize,
    pub command: Command,
    pub timeout_millis: u64,
    pub then: AfterCall,
}

/// What a turn of a broker leaves to the world.
#[derive(Default)]
pub struct Outcome {
    pub replies: Vec<(RequestId, Command)>,
    pub jobs: Vec<Job>,
    pub files: Vec<FileWrite>,
    pub calls: Vec<Call>,
    /// The store cannot go on: the broker ends.
    pub failed: Option<String>,
}

/// A broker, whether it lives or not.
pub struct Member {
    pub config: Arc<Broker>,
    /// The machine it runs on; several members of one machine are brokers of one container.
    pub node: usize,
    pub life: Option<Life>,
    pub lives: u64,
    /// When it will be asked again; other wake-ups are out of date.
    pub wakes: Option<i64>,
}

/// A broker that lives.
pub struct Life {
    pub number: u64,
    pub core: Core,
    pub store: Store,
    pub log: LogState,
    pub refused: u64,
    pub requests: u64,
    pub follower: Follower,
    pub link: Option<LinkId>,
    /// Whose log it copies.
    pub follows: Option<usize>,
    /// That has changed, and the task of its link has not seen it.
    pub goes_elsewhere: bool,
    /// Whether its core knows that it follows somebody.
    pub told_following: bool,
    /// Whom the NameServers have named last, and when it decided to lead.
    pub named: Option<Members>,
    pub named_to_leader: Option<Members>,
    /// Whether it has begun to lead, and the world has looked at it.
    pub has_led: bool,
    /// Requests of other members that wait for its answer.
    pub asked: BTreeMap<RequestId, u64>,
    /// The leader's ends of its links; whether the follower has said where it begins.
    pub senders: Vec<(LinkId, Sender, bool)>,
    /// The cut its leader has asked for.
    pub cutting: Option<PhysicalOffset>,
    /// Its leader's epochs, until they are on disk.
    pub adopting: Option<Epochs>,
    bug: Option<Bug>,
}

/// Which member has this address: `127.0.0.1:port` for requests, one more for the log.
pub fn member_at(address: &str) -> Option<usize> {
    let port: usize = address.rsplit_once(':')?.1.parse().ok()?;
    Some((port - 10_911) / 10)
}

/// A broker of group `a` with these lines of configuration.
pub fn config(id: u64, lines: &str) -> Arc<Broker> {
    let port = 10_911 + 10 * id;
    let text = format!(
        "[[broker]]\nbrokerName = \"a\"\nbrokerId = {id}\nlistenPort = {port}\nbrokerIP1 = \"127.0.0.1\"\n\
         storePathRootDir = \"/a-{id}\"\nmaxMessageSize = 4096\n{lines}\n"
    );
    let outside = Outside {
        read: Box::new(|_| Err(std::io::ErrorKind::NotFound.into())),
        var: Box::new(|_| None),
        local_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        current_dir: PathBuf::from("/"),
        cores: 2,
    };
    let (config, _warnings) = Config::load(Path::new("container.toml"), text.as_bytes(), &outside).unwrap();
    let mut broker = config.brokers[0].clone();
    broker.store.commit_log_file_bytes = SEGMENT;
    broker.store.consume_queue_file_bytes = 20 * 64;
    broker.store.index.hash_slots = 100;
    broker.store.index.entries = 400;
    Arc::new(broker)
}

impl Member {
    /// Opens store and tables; `None` when the disk does not let it.
    pub fn start(&mut self, disk: &SimDisk, now: Millis, seed: u64, bug: Option<Bug>) -> Result<Outcome, String> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        if bug == Some(Bug::ForgetEpochs) && self.config.identity.id == BrokerId(0) {
            let file = self.config.store.epoch_file();
            disk.remove(&file).unwrap();
            disk.remove(&file.with_extension("bak")).unwrap();
        }
        let opened = mqcontainer::broker::open(&self.config, &shared, (now, now), seed, &Progress::default());
        let (store, core) = opened.map_err(|error| error.to_string())?;
        self.lives += 1;
        let log = core.log_state(&store, 0);
        let follower = Follower::new(mqcontainer::broker::link_options(&self.config), self.config.identity.id, now);
        self.life = Some(Life {
            number: self.lives,
            core,
            store,
            log,
            refused: 0,
            requests: 0,
            follower,
            link: None,
            follows: None,
            goes_elsewhere: false,
            told_following: false,
            named: None,
            named_to_leader: None,
            has_led: false,
            asked: BTreeMap::new(),
            senders: Vec::new(),
            cutting: None,
            adopting: None,
            bug,
        });
        let mut outcome = Outcome::default();
        if let Some(life) = &mut self.life {
            life.settle(now, Vec::new(), &mut outcome, &self.config);
        }
        Ok(outcome)
    }
}

impl Life {
    /// The request of another member; its answer goes back to that call.
    pub fn asked(&mut self, now: Millis, call: u64, command: Command, config: &Broker, outcome: &mut Outcome) {
        self.asked.insert(RequestId(self.requests), call);
        self.request(now, command, config, outcome);
    }

    /// The NameServers have said who is in the group.
    pub fn members_named(&mut self, now: Millis, members: Members, config: &Broker, outcome: &mut Outcome) {
        // A slave learns from them where its master is, too.
        if config.identity.id != BrokerId::MASTER && members.0.contains_key(&BrokerId::MASTER) {
            self.follow(Some(0));
        }
        self.named = Some(members.clone());
        self.event(now, Event::Members(members), config, outcome);
    }

    /// Another log to copy; the link's task sees it when it looks.
    pub fn follow(&mut self, leader: Option<usize>) {
        self.goes_elsewhere |= self.follows != leader;
        self.follows = leader;
    }

    /// A request.
    pub fn request(&mut self, now: Millis, command: Command, config: &Broker, outcome: &mut Outcome) -> RequestId {
        let id = RequestId(self.requests);
        self.requests += 1;
        let client = Client { connection: ConnectionId(1), remote: SocketAddr::from(([127, 0, 0, 1], 40_001)) };
        self.event(now, Event::Request { id, client, command }, config, outcome);
        id
    }

    pub fn event(&mut self, now: Millis, event: Event, config: &Broker, outcome: &mut Outcome) {
        let mut actions = Vec::new();
        self.core.handle(now, event, &mut actions);
        self.settle(now, actions, outcome, config);
    }

    /// The I/O pool has run a job of the store.
    pub fn job_done(&mut self, now: Millis, done: store::JobDone, config: &Broker, outcome: &mut Outcome) {
        let mut actions = Vec::new();
        for event in self.store.complete(done, now) {
            match event {
                store::Event::Flushed(flushed) => self.core.handle(now, Event::Flushed(flushed), &mut actions),
                store::Event::Failed(error) => outcome.failed = Some(error.to_string()),
                store::Event::CutBack(to) => self.cut_back(now, to, &mut actions),
                _ => {}
            }
        }
        self.settle(now, actions, outcome, config);
    }

    fn cut_back(&mut self, now: Millis, to: PhysicalOffset, actions: &mut Vec<Action>) {
        self.cutting = None;
        self.core.handle(now, Event::Replication(Incoming::Cut { to, term: None }), actions);
        self.adopt(now, actions);
    }

    /// The leader's epochs go to disk, once the log is cut.
    pub fn adopt(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if let Some(epochs) = self.adopting.clone().filter(|_| self.cutting.is_none()) {
            self.core.handle(now, Event::Replication(Incoming::Adopt { epochs, term: None }), actions);
        }
    }

    /// Whether the leader may send.
    pub fn is_ready(&mut self) -> bool {
        let log = &self.log;
        let done = |epochs: &mut Epochs| log.epochs_saved && *log.epochs == *epochs;
        let _adopted = self.adopting.take_if(done);
        self.cutting.is_none() && self.adopting.is_none()
    }

    /// The leader has sent bytes.
    pub fn received(
        &mut self,
        now: Millis,
        (epoch, at): (i32, PhysicalOffset),
        bytes: bytes::Bytes,
        config: &Broker,
        outcome: &mut Outcome,
    ) {
        let mut actions = Vec::new();
        if !self.core.knows_epoch(epoch) {
            self.refused += 1;
            return;
        }
        match self.store.append_raw(at, bytes.clone(), now) {
            Ok(_) => {
                let taken = Incoming::Received { epoch, at, bytes, term: None };
                self.core.handle(now, Event::Replication(taken), &mut actions);
            }
            Err(_) => self.refused += 1,
        }
        self.settle(now, actions, outcome, config);
    }

    /// The leader's log parts from this one.
    pub fn cut(&mut self, now: Millis, to: PhysicalOffset, config: &Broker, outcome: &mut Outcome) {
        if self.core.may_be_cut() && self.store.cut_back(to).is_ok() {
            self.cutting = Some(to);
        } else {
            self.adopting = None;
            self.refused += 1;
        }
        self.settle(now, Vec::new(), outcome, config);
    }

    /// A follower has said where it begins, or how far it is.
    pub fn reported(
        &mut self,
        now: Millis,
        (link, broker): (LinkId, BrokerId),
        (first, end): (bool, PhysicalOffset),
        config: &Broker,
        outcome: &mut Outcome,
    ) {
        // Counting links instead of replicas: each link looks like a replica of its own.
        let counted_as =
            if self.bug == Some(Bug::CountLinks) { BrokerId(1_000 + link.0.cast_signed()) } else { broker };
        let session = SessionId(link.0);
        let incoming = if first {
            let replica = Replica::Broker(counted_as);
            let about = Session { replica, remote: None, since: now, began: end, acknowledged: end, term: None };
            Incoming::Opened { session, about, traffic: Arc::new(Traffic::default()) }
        } else {
            Incoming::Reported { session, end }
        };
        self.event(now, Event::Replication(incoming), config, outcome);
    }

    /// Carries out actions as the actor does, until nothing is left to do now.
    pub fn settle(&mut self, now: Millis, mut actions: Vec<Action>, outcome: &mut Outcome, config: &Broker) {
        for turn in 0.. {
            assert!(turn < 10_000, "a broker that is never done");
            while !actions.is_empty() {
                actions = self.carry_out(now, actions, outcome, config);
            }
            let mut arrivals = Vec::new();
            self.store.follow(&mut arrivals);
            if !arrivals.is_empty() {
                self.core.handle(now, Event::Arrived(arrivals), &mut actions);
            }
            if self.bug == Some(Bug::AnswerBeforeFlush) {
                self.core.handle(now, Event::Flushed(self.store.written()), &mut actions);
            }
            if self.core.waits_to_lead() && self.store.lead() && self.store.flushed() == self.store.written() {
                self.core.led(self.store.written());
            }
            self.core.upkeep(now, 1, &mut actions);
            if actions.is_empty() {
                break;
            }
        }
        outcome.jobs.extend(self.store.jobs(now));
        if let Some(reason) = self.store.poisoned() {
            outcome.failed = Some(reason.to_owned());
        }
        self.log = self.core.log_state(&self.store, self.refused);
        match self.bug {
            Some(Bug::ReportBeforeFlush) => self.log.durable = self.log.end,
            Some(Bug::LetInEarly) => self.log.leads = true,
            Some(Bug::SendNothingNew) => self.log.end = self.log.end.min(PhysicalOffset(40_000)),
            _ => {}
        }
    }

    fn carry_out(&mut self, now: Millis, actions: Vec<Action>, outcome: &mut Outcome, config: &Broker) -> Vec<Action> {
        let mut more = Vec::new();
        let (mut batch, mut thens) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Append { messages, then } => {
                    batch.push(messages);
                    thens.push(then);
                }
                Action::Reply { to, response } => outcome.replies.push((to, response)),
                Action::Persist { file, content } => {
                    let path = config.store.config_dir().join(file.file_name());
                    outcome.files.push(FileWrite { path, content, file: Some(file) });
                }
                Action::SaveEpochs { content } => {
                    let (path, content) = (config.store.epoch_file(), content.into_bytes());
                    outcome.files.push(FileWrite { path, content, file: None });
                }
                Action::CallMember { address, command, timeout_millis, then } => {
                    let to = member_at(&address).unwrap();
                    outcome.calls.push(Call { to, command, timeout_millis, then });
                }
                Action::Follow(upstream) => self.told_to_follow(&upstream, config),
                _ => {}
            }
        }
        if !batch.is_empty() {
            let results = self.store.append(&batch, now);
            for (then, result) in thens.into_iter().zip(results) {
                self.core.appended(now, Duration::ZERO, then, result, &mut more);
            }
        }
        more
    }

    fn told_to_follow(&mut self, upstream: &Upstream, config: &Broker) {
        if config.identity.id == BrokerId::MASTER && *upstream == Upstream::default() {
            self.named_to_leader = self.named.clone();
        }
        self.follow(upstream.ha_address.as_deref().and_then(member_at));
    }

    /// When something is to be done without any event.
    pub fn deadline(&self) -> Millis {
        let core = self.core.next_deadline();
        self.store.next_deadline().map_or(core, |store| store.min(core))
    }
}
