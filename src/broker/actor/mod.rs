//! The owner task of a broker: takes events in batches, has the core decide, carries the actions out.
//!
//! ```text
//! wait for one -> drain mailbox and results -> core, event by event
//!   -> all appends in one write -> follow -> replies -> jobs to the I/O pool (jobs.rs) -> wait
//! until it is told to stop or the store fails (ending.rs); what it asks clients for administrators is in calls.rs, other brokers in group.rs,
//! what a member of a DLedger group needs in raft.rs
//! ```
//!
//! Must not decide: what a request means is the core's business, what a disk does the store's.

mod calls;
mod crowd;
mod ending;
mod group;
mod jobs;
mod raft;
mod replication;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::env::mailbox::{Receiver, Sender};
use crate::env::{Env, Job, Share};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;
use crate::protocol::raft::Letter;
use crate::remoting::{Client, Connection, ConnectionId, ReplySlot, Request};
use crate::replication::Incoming;
use crate::replication::following::Leader;
use crate::replication::sender::LogState;
use crate::store::{Append, JobDone, Read, Store};

use self::crowd::Crowd;
pub use self::raft::Doors;
use self::raft::{Followed, LETTERS_MAX, ends_write};
use self::replication::INCOMING_MAX;
use super::action::{Action, AfterAppend, Announcement, Cleaning, RequestId};
use super::core::{self, Core};
use super::escape::Escaped;
use super::event::Event;
use super::group::{Members, Presence};
use super::handle::{Control, Exit};
use super::hold::Pull;
use super::raft::Standing;
use super::readers::Readers;
use super::stages::Stages;
use super::upstream::Upstream;

/// Requests taken out of the mailbox at a time; the bound of one batch of appends.
const BATCH_MAX: usize = 512;

/// The wall clock may jump, so the actor looks at it at least this often.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What readers, the I/O pool and clients report back.
pub(super) enum Inbound {
    /// Something for the core.
    Event(Event),
    /// A pull that found nothing; its reply slot comes back with it.
    NothingPulled { pull: Box<Pull>, read: Read, slot: ReplySlot },
    /// A job of the store has ended.
    Job(JobDone),
    /// A job was lost, because it panicked.
    JobLost,
}

/// Everything an actor starts with.
pub(super) struct Parts {
    pub(super) core: Core,
    pub(super) store: Store,
    pub(super) env: Env,
    pub(super) owner: Arc<str>,
    pub(super) config_folder: PathBuf,
    pub(super) mailbox: Receiver<Request>,
    pub(super) control: Receiver<Control>,
    pub(super) inbound: Receiver<Inbound>,
    /// From the links to other members of the group.
    pub(super) incoming: Receiver<Incoming>,
    /// What those links know of the log.
    pub(super) log: watch::Sender<LogState>,
    pub(super) epoch_file: PathBuf,
    pub(super) results: Sender<Inbound>,
    pub(super) announce: watch::Sender<Announcement>,
    /// Whether the broker takes part in its group.
    pub(super) presence: watch::Sender<Presence>,
    /// Who is there, as the NameServers say.
    pub(super) members: watch::Receiver<Option<Members>>,
    /// Where a slave's master is.
    pub(super) upstream: Arc<watch::Sender<Upstream>>,
    /// Calls other brokers.
    pub(super) client: Client,
    /// Brings messages to other masters.
    pub(super) escapes: Sender<Escaped>,
    /// What other members of a DLedger group say.
    pub(super) posts: Receiver<crate::raft::Event>,
    /// What is said to them.
    pub(super) letters: Sender<Letter>,
    /// Those that live in this process.
    pub(super) doors: watch::Receiver<Doors>,
    /// Whom the log of a member follows.
    pub(super) leader: watch::Sender<Leader>,
    pub(super) standing: watch::Sender<Option<Standing>>,
    pub(super) state_file: PathBuf,
    pub(super) readers: Readers,
    pub(super) share: Share,
    pub(super) stages: Arc<Stages>,
}

pub(super) struct Actor {
    parts: Parts,
    slots: HashMap<RequestId, ReplySlot>,
    connections: HashMap<ConnectionId, Connection>,
    next_request: u64,
    scratch: Scratch,
    crowd: Crowd,
    /// Jobs that the pool did not take yet.
    jobs: VecDeque<Job>,
    /// Jobs and file writes under way.
    under_way: usize,
    failed: Option<String>,
    /// What links know of the log.
    published: LogState,
    /// Frames of a leader that the store did not take.
    refused: u64,
    followed: Followed,
    day: i64,
    day_known: Millis,
}

/// Lists of one turn, empty between turns: a turn with few requests should not cost more allocations than requests.
#[derive(Default)]
struct Scratch {
    actions: Vec<Action>,
    spare: Vec<Action>,
    appends: Vec<Append>,
    thens: Vec<AfterAppend>,
}

impl Actor {
    pub(super) fn new(parts: Parts) -> Actor {
        let published = parts.log.borrow().clone();
        Actor {
            published,
            refused: 0,
            followed: Followed::default(),
            parts,
            slots: HashMap::new(),
            connections: HashMap::new(),
            next_request: 0,
            scratch: Scratch::default(),
            crowd: Crowd::default(),
            jobs: VecDeque::new(),
            under_way: 0,
            failed: None,
            day: 0,
            day_known: Millis(i64::MIN),
        }
    }

    /// Runs until the broker is stopped or has failed.
    pub(super) async fn run(mut self) -> Exit {
        let mut requests = Vec::with_capacity(BATCH_MAX);
        let mut results = Vec::with_capacity(BATCH_MAX);
        let mut incoming = Vec::new();
        let mut posts = Vec::new();
        self.parts.core.elapse(self.steady());
        self.settle(&mut Vec::new());
        self.members_named();
        // Kept over many turns, because setting a timer costs more than a wake-up too many.
        let mut alarm = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        let mut rings_at = None;
        loop {
            let deadline = self.deadline();
            if rings_at.is_none_or(|at| at > deadline) {
                rings_at = Some(deadline);
                alarm.set(tokio::time::sleep(self.until(deadline)));
            }
            tokio::select! {
                biased;
                Some(control) = self.parts.control.recv() => {
                    if let Control::Stop(done) = control {
                        let exit = self.stop().await;
                        let _gone = done.send(());
                        return exit;
                    }
                    self.control(control);
                }
                _ = self.parts.posts.recv_many(&mut posts, LETTERS_MAX) => {}
                _ = self.parts.inbound.recv_many(&mut results, BATCH_MAX) => {}
                _ = self.parts.mailbox.recv_many(&mut requests, BATCH_MAX) => {}
                _ = self.parts.incoming.recv_many(&mut incoming, INCOMING_MAX) => {}
                Ok(()) = self.parts.members.changed() => self.members_named(),
                Ok(()) = self.parts.doors.changed() => self.follow_again(),
                () = &mut alarm => rings_at = None,
            }
            if !requests.is_empty() && self.crowd.is_dense() {
                crowd::let_others_run().await;
            }
            self.hear(&mut posts);
            self.drain(&mut requests, &mut results, &mut incoming);
            if let Some(reason) = self.failed.take() {
                return self.fail(reason).await;
            }
        }
    }

    fn now(&self) -> Millis {
        Millis(self.parts.env.clock.now_millis())
    }

    fn deadline(&self) -> Millis {
        let deadlines = [self.parts.store.next_deadline(), self.member_deadline(self.now())];
        deadlines.into_iter().flatten().fold(self.parts.core.next_deadline(), Millis::min)
    }

    fn until(&self, deadline: Millis) -> Duration {
        let millis = u64::try_from(deadline.since(self.now())).unwrap_or(0);
        Duration::from_millis(millis).min(SLEEP_MAX)
    }

    /// Takes what else is waiting and applies all of it as one batch.
    fn drain(&mut self, requests: &mut Vec<Request>, results: &mut Vec<Inbound>, incoming: &mut Vec<Incoming>) {
        while requests.len() < BATCH_MAX
            && let Ok(request) = self.parts.mailbox.try_recv()
        {
            requests.push(request);
        }
        while results.len() < BATCH_MAX
            && let Ok(result) = self.parts.inbound.try_recv()
        {
            results.push(result);
        }
        while incoming.len() < INCOMING_MAX
            && let Ok(news) = self.parts.incoming.try_recv()
        {
            incoming.push(news);
        }
        let now = self.now();
        self.parts.core.elapse(self.steady());
        let taken = self.parts.env.clock.monotonic();
        let mut actions = std::mem::take(&mut self.scratch.actions);
        for result in results.drain(..) {
            self.inbound(now, result, &mut actions);
        }
        for news in incoming.drain(..) {
            self.incoming(now, news, &mut actions);
        }
        let stages = Arc::clone(&self.parts.stages);
        let count = requests.len();
        for request in requests.drain(..) {
            if let Some(entered) = request.reply.entered() {
                stages.queue.time(taken.saturating_sub(entered));
            }
            self.request(now, request, &mut actions);
        }
        self.settle(&mut actions);
        self.scratch.actions = actions;
        if count > 0 {
            stages.requests.size(count);
            stages.turn.time(self.parts.env.clock.monotonic().saturating_sub(taken));
        }
    }

    fn request(&mut self, now: Millis, request: Request, actions: &mut Vec<Action>) {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.crowd.saw(request.connection.id());
        let client = core::Client { connection: request.connection.id(), remote: request.connection.remote() };
        self.connections.entry(client.connection).or_insert(request.connection);
        self.slots.insert(id, request.reply);
        self.parts.core.handle(now, Event::Request { id, client, command: request.command }, actions);
    }

    fn inbound(&mut self, now: Millis, inbound: Inbound, actions: &mut Vec<Action>) {
        match inbound {
            Inbound::Event(event) => {
                if ends_write(&event) {
                    self.under_way -= 1;
                }
                self.parts.core.handle(now, event, actions);
            }
            Inbound::NothingPulled { pull, read, mut slot } => {
                slot.suspend();
                self.slots.insert(pull.to, slot);
                self.parts.core.handle(now, Event::NothingPulled { pull, read }, actions);
            }
            Inbound::Job(done) => {
                self.under_way -= 1;
                for event in self.parts.store.complete(done, now) {
                    self.store_event(now, event, actions);
                }
            }
            Inbound::JobLost => {
                self.under_way -= 1;
                self.failed = Some("a job of the store panicked, see the log".to_owned());
            }
        }
    }

    fn store_event(&mut self, now: Millis, event: crate::store::Event, actions: &mut Vec<Action>) {
        match event {
            crate::store::Event::Flushed(flushed) => self.parts.core.handle(now, Event::Flushed(flushed), actions),
            crate::store::Event::Failed(error) => {
                let reason = error.to_string();
                tracing::error!(broker = %self.parts.owner, reason, "the store has failed");
                self.parts.core.handle(now, Event::StoreFailed { reason: reason.clone() }, actions);
                self.failed = Some(reason);
            }
            crate::store::Event::CutBack(to) => {
                tracing::warn!(broker = %self.parts.owner, %to, "the log was cut back to what the leader has");
                self.parts.core.handle(now, Event::Replication(Incoming::Cut { to, term: None }), actions);
            }
            event => tracing::info!(broker = %self.parts.owner, ?event, "store"),
        }
    }

    /// Carries out actions until none is left, then what time and the store want.
    fn settle(&mut self, actions: &mut Vec<Action>) {
        let now = self.now();
        self.parts.core.elapse(self.steady());
        self.carry_out(now, actions);
        self.follow(now, actions);
        self.carry_out(now, actions);
        let day = self.day(now);
        self.lead();
        self.parts.core.upkeep(now, day, actions);
        self.carry_out(now, actions);
        // The upkeep may just have decided it; its epoch is to be saved now.
        if self.lead() {
            self.parts.core.upkeep(now, day, actions);
            self.carry_out(now, actions);
        }
        self.follow(now, actions);
        self.carry_out(now, actions);
        for job in self.parts.store.jobs(now) {
            self.jobs.push_back(self.pool_job(job));
        }
        self.submit_jobs();
        self.publish();
        self.tell_standing();
    }

    fn carry_out(&mut self, now: Millis, actions: &mut Vec<Action>) {
        while !actions.is_empty() {
            let mut current = std::mem::replace(actions, std::mem::take(&mut self.scratch.spare));
            let mut batch = std::mem::take(&mut self.scratch.appends);
            let mut thens = std::mem::take(&mut self.scratch.thens);
            for action in current.drain(..) {
                match action {
                    Action::Append { messages, then } => {
                        batch.push(messages);
                        thens.push(then);
                    }
                    action => self.act(action),
                }
            }
            self.scratch.spare = current;
            if !batch.is_empty() {
                self.append(now, &batch, &mut thens, actions);
                batch.clear();
            }
            (self.scratch.appends, self.scratch.thens) = (batch, thens);
        }
    }

    fn append(&mut self, now: Millis, batch: &[Append], thens: &mut Vec<AfterAppend>, actions: &mut Vec<Action>) {
        let began = self.parts.env.clock.monotonic();
        let results = self.parts.store.append(batch, now);
        let took = self.parts.env.clock.monotonic().saturating_sub(began);
        self.parts.stages.append.time(took);
        self.parts.stages.appends.size(results.len());
        assert_eq!(results.len(), thens.len(), "one result for each append");
        for (then, result) in thens.drain(..).zip(results) {
            self.parts.core.appended(now, took, then, result, actions);
        }
    }

    fn follow(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let mut arrivals = Vec::new();
        self.parts.store.follow(&mut arrivals);
        if !arrivals.is_empty() {
            self.parts.core.handle(now, Event::Arrived(arrivals), actions);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Reply { to, response } => self.reply(to, response),
            Action::Pull { pull } => {
                if let Some(slot) = self.slots.remove(&pull.to) {
                    self.parts.readers.pull(pull, slot);
                }
            }
            Action::Query { to, query } => {
                if let Some(slot) = self.slots.remove(&to) {
                    self.parts.readers.query(query, slot);
                }
            }
            Action::ReadRecord { at, then } => self.parts.readers.record(at, then),
            Action::ReadDelayed { level, from } => self.parts.readers.delayed(level, from),
            Action::FindOffsets { search } => self.parts.readers.find_offsets(search),
            Action::Push { to, command } => self.push(to, command),
            Action::Call { to, command, then } => self.call(to, command, then),
            Action::CallAll { clients, command, then } => self.call_all(clients, &command, then),
            Action::Persist { file, content } => self.persist(file, content),
            Action::SaveEpochs { content } => self.save_epochs(content),
            Action::DeleteTopic { topic } => self.parts.store.delete_topic(&topic),
            Action::Clean(Cleaning::Log) => self.parts.store.delete_expired(),
            Action::Clean(Cleaning::Queues) => self.parts.store.clean_queues(),
            Action::Announce => self.announce(),
            Action::Present(presence) => drop(self.parts.presence.send_replace(presence)),
            Action::Follow(upstream) => self.follow_leader(upstream),
            Action::FollowMember { term, leader, requests } => self.follow_member(term, leader, requests),
            Action::FollowLog => self.parts.store.follow_master(),
            Action::Commit { end } => self.parts.store.commit(end),
            Action::SaveState { hard } => self.save_state(hard),
            Action::Post { to, message } => self.post(to, message),
            Action::Fail { reason } => self.failed = Some(reason),
            Action::CallMember { address, command, timeout_millis, then } => {
                self.call_member(address, command, timeout_millis, then);
            }
            Action::Escape { message, queues, then } => self.escape(*message, queues, then),
            Action::Reconfigure { config } => self.parts.store.reconfigure(&config.store),
            Action::RewriteConfig { path, changes } => self.rewrite(path, changes),
            Action::Disconnect { connection, reason } => {
                if let Some(connection) = self.connections.get(&connection) {
                    connection.close(reason);
                }
            }
            Action::Append { .. } => unreachable!("appends are gathered before"),
        }
    }

    fn reply(&mut self, to: RequestId, response: Command) {
        let slot = self.slots.remove(&to);
        debug_assert!(slot.is_some(), "a request is answered once");
        if let Some(slot) = slot {
            slot.answer(response);
        }
    }

    fn push(&mut self, to: ConnectionId, command: Command) {
        let Some(connection) = self.connections.get(&to) else { return };
        if let Err(error) = connection.push(command) {
            tracing::debug!(broker = %self.parts.owner, client = %connection.remote(), %error, "notification not sent");
        }
    }

    fn announce(&mut self) {
        let announcement = self.parts.core.announcement();
        self.parts.announce.send_replace(announcement);
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Stop(_) => unreachable!("a stop ends the loop"),
            Control::Snapshot(answer) => {
                let snapshot = self.parts.core.snapshot(self.now());
                let _gone = answer.send(snapshot);
            }
            Control::Closed(connection) => {
                let mut actions = Vec::new();
                let now = self.now();
                self.connections.remove(&connection.id());
                self.parts.core.handle(now, Event::Closed(connection.id()), &mut actions);
                self.settle(&mut actions);
            }
        }
    }

    /// The NameServers have said who is in the group.
    fn members_named(&mut self) {
        let Some(members) = self.parts.members.borrow_and_update().clone() else { return };
        let (now, mut actions) = (self.now(), Vec::new());
        self.parts.core.handle(now, Event::Members(members), &mut actions);
        self.settle(&mut actions);
    }

    fn day(&mut self, now: Millis) -> i64 {
        if now.since(self.day_known).abs() >= 1_000 || self.day == 0 {
            self.day_known = now;
            self.day = crate::env::local_day(now.0);
        }
        self.day
    }
}
