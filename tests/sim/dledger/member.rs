//! A member of the group: its core and store as the actor owns them, the ends of its links as their tasks do.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mqcontainer::broker::action::{Action, RequestId};
use mqcontainer::broker::core::{Client, Core};
use mqcontainer::broker::event::Event;
use mqcontainer::config::{Broker, Config, Outside};
use mqcontainer::env::Disk;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::ids::{Millis, PhysicalOffset};
use mqcontainer::protocol::raft::{MemberId, Message, Term};
use mqcontainer::raft;
use mqcontainer::remoting::ConnectionId;
use mqcontainer::replication::Incoming;
use mqcontainer::replication::epochs::Epochs;
use mqcontainer::replication::follower::Follower;
use mqcontainer::replication::sender::{LogState, Sender};
use mqcontainer::store::{self, Job, Progress, Store};

use super::Bug;
use crate::disk::SimDisk;

/// Small files, so that a run crosses several.
const SEGMENT: u64 = 16 * 1024;

/// A file that the I/O pool is to write, and what is told then.
pub struct FileWrite {
    pub path: PathBuf,
    pub content: Vec<u8>,
    pub then: Box<dyn FnOnce(Result<(), String>) -> Event>,
}

/// What a turn leaves to the world.
#[derive(Default)]
pub struct Outcome {
    pub replies: Vec<(RequestId, Command)>,
    pub jobs: Vec<Job>,
    pub files: Vec<FileWrite>,
    pub letters: Vec<(MemberId, Message)>,
    pub failed: Option<String>,
}

/// What its link waits for before bytes may come.
pub struct Agreeing {
    pub cut: Option<PhysicalOffset>,
    pub epochs: Epochs,
    pub term: Option<Term>,
    pub refused: u64,
    pub adopting: bool,
}

/// A member that lives.
pub struct Life {
    pub number: u64,
    pub core: Core,
    pub store: Store,
    pub log: LogState,
    refused: u64,
    requests: u64,
    pub follower: Follower,
    pub link: Option<u64>,
    pub agreeing: Option<Agreeing>,
    /// Whom its log follows, in which term.
    pub target: (Option<Term>, Option<usize>),
    /// The target of the link that stands.
    pub linked: (Option<Term>, Option<usize>),
    /// The leader's ends of its links; whether the follower has said where it begins.
    pub senders: BTreeMap<u64, (Sender, Option<Term>, bool)>,
    bug: Option<Bug>,
}

/// The configuration of a member of group `g`.
pub fn config(me: u32, lines: &str) -> Arc<Broker> {
    let text = format!(
        "[[broker]]\nbrokerName = \"g\"\nlistenPort = {}\nbrokerIP1 = \"127.0.0.1\"\nenableDLegerCommitLog = true\n\
         dLegerSelfId = \"n{me}\"\ndLegerPeers = \"n0-127.0.0.1:40000;n1-127.0.0.1:40001;n2-127.0.0.1:40002\"\n\
         storePathRootDir = \"/g-{me}\"\nmaxMessageSize = 4096\nraft.unsafe_raft = true\n\
         raft.heartbeat_millis = 50\nraft.election_timeout_millis = [300, 600]\n{lines}\n",
        10_911 + 10 * me
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

impl Life {
    /// Opens store, tables and promises; `steady` is the time by a clock of its own.
    pub fn open(
        config: &Arc<Broker>,
        disk: &SimDisk,
        (number, bug): (u64, Option<Bug>),
        (now, steady): (Millis, Millis),
        seed: u64,
    ) -> Result<Life, String> {
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let opened = mqcontainer::broker::open(config, &shared, (now, steady), seed, &Progress::default());
        let (store, core) = opened.map_err(|error| error.to_string())?;
        let log = core.log_state(&store, 0);
        let options = mqcontainer::broker::link_options(config);
        let id = core.announcement().identity.id;
        Ok(Life {
            number,
            core,
            store,
            log,
            refused: 0,
            requests: 0,
            follower: Follower::new(options, id, now),
            link: None,
            agreeing: None,
            target: (None, None),
            linked: (None, None),
            senders: BTreeMap::new(),
            bug,
        })
    }

    pub fn request(&mut self, now: Millis, command: Command, outcome: &mut Outcome) -> RequestId {
        let id = RequestId(self.requests);
        self.requests += 1;
        let client = Client { connection: ConnectionId(1), remote: SocketAddr::from(([127, 0, 0, 1], 40_001)) };
        self.event(now, Event::Request { id, client, command }, outcome);
        id
    }

    pub fn event(&mut self, now: Millis, event: Event, outcome: &mut Outcome) {
        let mut actions = Vec::new();
        self.core.handle(now, event, &mut actions);
        self.settle(now, actions, outcome);
    }

    pub fn job_done(&mut self, now: Millis, done: store::JobDone, outcome: &mut Outcome) {
        let mut actions = Vec::new();
        for event in self.store.complete(done, now) {
            match event {
                store::Event::Flushed(flushed) => self.core.handle(now, Event::Flushed(flushed), &mut actions),
                store::Event::Failed(error) => outcome.failed = Some(error.to_string()),
                store::Event::CutBack(to) => {
                    self.core.handle(now, Event::Replication(Incoming::Cut { to, term: None }), &mut actions);
                }
                _ => {}
            }
        }
        self.settle(now, actions, outcome);
    }

    /// What a link brings, as the actor takes it.
    pub fn incoming(&mut self, now: Millis, incoming: Incoming, outcome: &mut Outcome) {
        let mut actions = Vec::new();
        match incoming {
            Incoming::Received { term, .. } | Incoming::Cut { term, .. } if !self.core.follows_in(term) => {}
            Incoming::Received { epoch, at, bytes, term } => {
                let is_taken = self.core.knows_epoch(epoch) && self.store.append_raw(at, bytes.clone(), now).is_ok();
                match is_taken {
                    true => {
                        let taken = Incoming::Received { epoch, at, bytes, term };
                        self.core.handle(now, Event::Replication(taken), &mut actions);
                    }
                    false => self.refused += 1,
                }
            }
            Incoming::Cut { to, .. } => {
                if let Err(error) = self.store.cut_back(to) {
                    if let store::AppendError::CutCommitted { .. } = error {
                        outcome.failed = Some(error.to_string());
                    }
                    self.refused += 1;
                }
            }
            incoming => self.core.handle(now, Event::Replication(incoming), &mut actions),
        }
        self.settle(now, actions, outcome);
    }

    /// Carries out actions as the actor does, until nothing is left to do now.
    pub fn settle(&mut self, now: Millis, mut actions: Vec<Action>, outcome: &mut Outcome) {
        for turn in 0.. {
            assert!(turn < 10_000, "a broker that is never done");
            while !actions.is_empty() {
                actions = self.carry_out(now, actions, outcome);
            }
            let mut arrivals = Vec::new();
            self.store.follow(&mut arrivals);
            if !arrivals.is_empty() {
                self.core.handle(now, Event::Arrived(arrivals), &mut actions);
            }
            if self.core.waits_to_lead() && self.store.lead() {
                self.core.led(self.store.written());
            }
            self.core.upkeep(now, 1, &mut actions);
            if actions.is_empty() {
                break;
            }
        }
        if self.bug == Some(Bug::CommitAll) {
            self.store.commit(self.store.written());
        }
        outcome.jobs.extend(self.store.jobs(now));
        if let Some(reason) = self.store.poisoned() {
            outcome.failed = Some(reason.to_owned());
        }
        self.log = self.core.log_state(&self.store, self.refused);
    }

    fn carry_out(&mut self, now: Millis, actions: Vec<Action>, outcome: &mut Outcome) -> Vec<Action> {
        let mut more = Vec::new();
        let (mut batch, mut thens) = (Vec::new(), Vec::new());
        let root = self.store_root();
        for action in actions {
            match action {
                Action::Append { messages, then } => {
                    batch.push(messages);
                    thens.push(then);
                }
                Action::Reply { to, response } => outcome.replies.push((to, response)),
                Action::Persist { file, content } => outcome.files.push(FileWrite {
                    path: root.join("config").join(file.file_name()),
                    content,
                    then: Box::new(move |result| Event::Persisted { file, result }),
                }),
                Action::SaveEpochs { content } => outcome.files.push(FileWrite {
                    path: root.join("epochFileCheckpoint"),
                    content: content.into_bytes(),
                    then: Box::new(|result| Event::EpochsSaved { result }),
                }),
                Action::SaveState { hard } => outcome.files.push(FileWrite {
                    path: root.join("raftState"),
                    content: hard.to_file().into_bytes(),
                    then: Box::new(|result| {
                        Event::Raft(match result {
                            Ok(()) => raft::Event::Saved { hard },
                            Err(reason) => raft::Event::SaveFailed { reason },
                        })
                    }),
                }),
                Action::Post { to, message } => outcome.letters.push((to, message)),
                Action::FollowMember { term, leader, .. } => {
                    self.target = (Some(term), leader.map(|leader| leader.0 as usize));
                }
                Action::FollowLog => self.store.follow_master(),
                Action::Commit { end } => self.store.commit(end),
                Action::Fail { reason } => outcome.failed = Some(reason),
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

    fn store_root(&self) -> PathBuf {
        let me = self.core.in_group().map_or(0, |member| member.me().0);
        PathBuf::from(format!("/g-{me}"))
    }
}
