//! The decisions of a broker, pure: (state, now, event) in, actions out.
//!
//! The only thing the core reads besides its own tables is the store's view, and of it only what is in memory (ends of
//! queues). Everything that may wait is an action whose result comes back as an event.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Broker, FlushDiskType};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::command::Command;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::json;
use crate::protocol::topic_name;
use crate::raft;
use crate::remoting::ConnectionId;
use crate::replication::epochs::Epochs;
use crate::store::{AppendError, Appended, Arrival, View};

use super::action::{Action, AfterAppend, AfterCall, AfterRecord, ConfigFile, RequestId};
use super::config_file::ConfigFileWrites;
use super::creations::Creations;
use super::error::Error;
use super::event::{Event, Pulled};
use super::hold::Holds;
use super::persist::Persistence;
use super::raft::Member;
use super::replicas::Replicas;
use super::requests::tables::{Change, Unconfirmed};
use super::requests::{self, Stored};
use super::role::Part;
use super::state::clients::{Consumers, Producers};
use super::state::copies::Copies;
use super::state::delay::Delays;
use super::state::groups::Groups;
use super::state::lineage::Lineage;
use super::state::locks::Locks;
use super::state::offsets::ConsumerOffsets;
use super::state::stats::{MessageKind, Stats};
use super::state::topics::Topics;
use super::state::unique_ids::UniqueIds;
use super::state::votes::Votes;
use super::state::waiters::{Late, Waiters};

/// Silent clients and expired locks are looked for this often (Java: `ClientHousekeepingService`).
const HOUSEKEEPING_MILLIS: i64 = 10_000;

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The connection.
    pub connection: ConnectionId,
    /// The other end, as messages store it (`bornHost`).
    pub remote: SocketAddr,
}

/// What a broker's files held at start, by [`ConfigFile`].
#[derive(Debug, Default)]
pub struct Loaded {
    /// `topics.json`.
    pub topics: Option<Vec<u8>>,
    /// `subscriptionGroup.json`.
    pub groups: Option<Vec<u8>>,
    /// `consumerOffset.json`.
    pub consumer_offsets: Option<Vec<u8>>,
    /// `delayOffset.json`.
    pub delay_offsets: Option<Vec<u8>>,
    /// The epochs of its log, as they are on disk.
    pub epochs: Epochs,
}

/// A broker's state.
pub struct Core {
    pub(super) config: Arc<Broker>,
    pub(super) view: View,
    pub(super) topics: Topics,
    pub(super) groups: Groups,
    pub(super) offsets: ConsumerOffsets,
    pub(super) producers: Producers,
    pub(super) consumers: Consumers,
    pub(super) locks: Locks,
    pub(super) holds: Holds,
    pub(super) delays: Delays,
    pub(super) stats: Stats,
    pub(super) waiters: Waiters<Stored>,
    pub(super) replicas: Replicas,
    pub(super) part: Part,
    /// Its part in its DLedger group.
    pub(super) member: Option<Member>,
    pub(super) votes: Votes<RequestId>,
    pub(super) copies: Copies<RequestId, Unconfirmed>,
    pub(super) lineage: Lineage,
    pub(super) files: Persistence,
    pub(super) config_file: ConfigFileWrites,
    pub(super) creations: Creations,
    pub(super) unique_ids: UniqueIds,
    pub(super) schedule_topic: Arc<str>,
    pub(super) schedule_group: Arc<str>,
    /// Turns of queues for producers that leave the choice to the broker.
    pub(super) queue_turn: i32,
    pub(super) started: Millis,
    /// The end of the log at the start.
    pub(super) initial_end: PhysicalOffset,
    /// Counts the changes of `config`.
    pub(super) config_version: DataVersion,
    /// Why the store takes no more messages.
    pub(super) failed: Option<String>,
    housekept: Millis,
}

impl Core {
    /// The core of a broker whose store is open; `seed` makes its unique ids differ from those of its last run.
    ///
    /// # Errors
    /// When a configuration file is not JSON of Java's form.
    pub fn new(
        config: Arc<Broker>,
        view: View,
        loaded: &Loaded,
        now: Millis,
        seed: u64,
    ) -> Result<Core, (ConfigFile, json::JsonError)> {
        let in_file = |file: ConfigFile| move |error| (file, error);
        let topics = Topics::load(loaded.topics.as_deref(), &config, now).map_err(in_file(ConfigFile::Topics))?;
        let groups = Groups::load(loaded.groups.as_deref(), now).map_err(in_file(ConfigFile::Groups))?;
        let offsets = loaded.consumer_offsets.as_deref().map(ConsumerOffsets::from_json).transpose();
        let offsets = offsets.map_err(in_file(ConfigFile::ConsumerOffsets))?.unwrap_or_default();
        let levels: Vec<i64> =
            config.delay_levels.0.iter().map(|delay| i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)).collect();
        let mut delays = Delays::new(&levels);
        let range = |queue| {
            let range = view.queue_range(topic_name::SCHEDULE, queue);
            (range.min, range.max)
        };
        delays.load(loaded.delay_offsets.as_deref(), range).map_err(in_file(ConfigFile::DelayOffsets))?;
        let unique_ids = UniqueIds::new(config.addresses.client, seed);
        let initial_end = view.log_range().1;
        Ok(Core {
            view,
            topics,
            groups,
            offsets,
            producers: Producers::default(),
            consumers: Consumers::default(),
            locks: Locks::default(),
            holds: Holds::default(),
            delays,
            stats: Stats::default(),
            waiters: Waiters::default(),
            replicas: Replicas::default(),
            part: Part::new(&config),
            member: None,
            votes: Votes::default(),
            copies: Copies::default(),
            lineage: Lineage::new(loaded.epochs.clone()),
            files: Persistence::new(now),
            config_file: ConfigFileWrites::default(),
            creations: Creations::default(),
            unique_ids,
            schedule_topic: topic_name::SCHEDULE.into(),
            schedule_group: topic_name::SCHEDULE_GROUP.into(),
            queue_turn: 0,
            started: now,
            initial_end,
            config_version: DataVersion::new(now),
            failed: None,
            housekept: now,
            config,
        })
    }

    /// Applies one event.
    pub fn handle(&mut self, now: Millis, event: Event, actions: &mut Vec<Action>) {
        let before = actions.len();
        match event {
            Event::Request { id, client, command } => self.request(now, id, &client, &command, actions),
            Event::Closed(connection) => self.connection_closed(connection, actions),
            Event::Pulled(pulled) => self.pulled(now, &pulled),
            Event::NothingPulled { pull, read } => self.nothing_pulled(now, pull, &read, actions),
            Event::RecordRead { then, record } => self.record_read(now, then, record, actions),
            Event::DelayedRead { level, from, units } => self.delayed_read(now, level, from, units, actions),
            Event::OffsetsFound { search, offsets } => self.offsets_found(now, &search, offsets, actions),
            Event::Flushed(flushed) => self.flushed(now, flushed, actions),
            Event::Arrived(arrivals) => self.arrived(now, arrivals, actions),
            Event::Persisted { file, result } => self.files.persisted(now, file, result, actions),
            Event::ConfigWritten { result } => self.config_file.written(result, actions),
            Event::Replication(incoming) => self.replication(now, incoming, actions),
            Event::EpochsSaved { result } => self.epochs_saved(now, result),
            Event::Raft(event) => self.raft_event(now, event, actions),
            Event::StoreFailed { reason } => self.store_failed(now, &reason, actions),
            Event::Fetched(fetched) => self.adopt(now, fetched, actions),
            Event::Members(members) => self.members_named(now, members, actions),
            Event::Called { then, answer } => self.called(now, then, answer, actions),
            Event::Escaped { then, result } => self.escaped(now, then, result, actions),
            Event::Stopping => self.stopping(now, actions),
        }
        self.creations.answered(now, &actions[before..]);
    }

    /// The result of an append; `took` is how long the write of its batch lasted.
    pub fn appended(
        &mut self,
        now: Millis,
        took: Duration,
        then: AfterAppend,
        result: Result<Appended, AppendError>,
        actions: &mut Vec<Action>,
    ) {
        let result = match then {
            AfterAppend::Marker { .. } => result.map_err(Error::Append),
            _ => self.as_led(result),
        };
        match then {
            AfterAppend::Marker { term } => self.marked(now, term, result, actions),
            AfterAppend::Send(sent) => self.sent(now, took, &sent, result, actions),
            AfterAppend::SendBack { to, group, topic, dead, goal } => match result {
                Ok(appended) => {
                    let counts = self.stats.group(&topic, &group);
                    counts.send_back.add(now, 1);
                    counts.dead += u64::from(dead);
                    if goal.is_reached_at_once() {
                        self.stats.put_took(took);
                    }
                    self.answer_at_goal(now, goal, appended.end, (to, requests::ok()), actions);
                }
                Err(error) => actions.push(Action::Reply { to, response: error.to_response() }),
            },
            AfterAppend::Delayed { level, offset, topic } => match result {
                Ok(appended) => {
                    self.stats.put_took(took);
                    self.count_delivery(now, &topic, &appended);
                    self.delays.delivered(now, level, offset, appended.end);
                }
                Err(error) => {
                    tracing::warn!(broker = %self.config.identity, level, %offset, %error, "delayed message not delivered yet");
                    self.delays.failed(now, level, offset);
                }
            },
        }
    }

    /// Runs after every batch of events: what time has brought, what must be saved or announced. `day` is the number of
    /// the local day.
    pub fn upkeep(&mut self, now: Millis, day: i64, actions: &mut Vec<Action>) {
        for (late, Stored { to, response, since }) in self.waiters.expired(now) {
            self.stats.put_lasted(now.since(since));
            let response = match late {
                Late::Flush => requests::flush_timed_out(response),
                Late::Replicas => requests::replicas_timed_out(response),
                Late::Commit => requests::commit_timed_out(response),
            };
            actions.push(Action::Reply { to, response });
        }
        let expired = self.holds.expired(now);
        self.read_again(expired, actions);
        self.join(now, actions);
        self.keep_member(now, actions);
        if self.delivers() {
            let polls = self.delays.poll(now);
            actions.extend(polls.into_iter().map(|(level, from)| Action::ReadDelayed { level, from }));
        }
        self.stats.upkeep(now, day);
        if now.since(self.housekept) >= HOUSEKEEPING_MILLIS || now < self.housekept {
            self.housekept = now;
            self.housekeeping(now, actions);
        }
        self.save(now, actions);
        self.tell_copies(now, actions);
        if let Some(content) = self.lineage.take_unsaved(now) {
            actions.push(Action::SaveEpochs { content });
        }
        if self.topics.take_unannounced() {
            actions.push(Action::Announce);
        }
    }

    /// When [`Core::upkeep`] has something to do next, without any event.
    #[must_use]
    pub fn next_deadline(&self) -> Millis {
        let deadlines = [
            Some(self.housekept.plus(HOUSEKEEPING_MILLIS)),
            Some(self.stats.next_deadline()),
            self.holds.next_deadline(),
            self.waiters.next_deadline(),
            self.lineage.next_deadline(),
            self.files.next_deadline(self.offsets.is_dirty(), self.delays.is_dirty(), &self.config),
            self.delays.next_deadline().filter(|_| self.delivers()),
            self.join_deadline(),
            self.copies.next_deadline(self.revisions()),
        ];
        deadlines.into_iter().flatten().min().unwrap_or(self.housekept)
    }

    /// Whether this broker copies another one: it takes no messages, delivers none that are delayed, and its topics and groups are its
    /// master's.
    pub(super) fn is_slave(&self) -> bool {
        self.config.role == crate::config::Role::Slave
    }

    /// What NameServers are to know of the topics.
    #[must_use]
    pub fn announcement(&self) -> super::action::Announcement {
        let permission = i32::from(self.config.requests.permission);
        super::action::Announcement {
            identity: self.config.identity.clone(),
            role: self.config.role,
            peers: self.config.dledger.as_ref().map(|dledger| dledger.peers.clone()).unwrap_or_default(),
            topics: Arc::new(self.topics.announcement(permission)),
        }
    }

    /// Counts a put of one or more messages of a topic; without a kind it is left out of the metrics by message type.
    pub(super) fn count_put(&mut self, now: Millis, topic: &Arc<str>, kind: Option<MessageKind>, appended: &Appended) {
        let (messages, bytes) = (appended.physical.len() as u64, appended.bytes());
        self.stats.topic(topic).put(now, kind, messages, bytes);
        self.stats.put.add(now, messages);
        self.stats.put_bytes += bytes;
    }

    /// Where messages say they are stored: the broker's own address, not the container's.
    pub(super) fn store_host(&self) -> SocketAddr {
        SocketAddr::new(self.config.addresses.client, self.config.ports.main)
    }

    pub(super) fn flush_disk_type(&self) -> FlushDiskType {
        self.config.store.flush.disk
    }

    pub(super) fn waits_for_flush(&self) -> bool {
        self.flush_disk_type() == FlushDiskType::Sync
    }

    pub(super) fn sync_flush_timeout_millis(&self) -> i64 {
        i64::try_from(self.config.store.flush.sync_timeout.as_millis()).unwrap_or(i64::MAX)
    }

    fn connection_closed(&mut self, connection: ConnectionId, actions: &mut Vec<Action>) {
        self.producers.closed(connection);
        let changed = self.consumers.closed(connection);
        self.notify(&changed, actions);
        for pull in self.holds.forget(connection) {
            // Nobody reads this; it gives the reply slot back.
            actions.push(Action::Reply { to: pull.to, response: requests::ok() });
        }
    }

    fn pulled(&mut self, now: Millis, pulled: &Pulled) {
        let messages = pulled.messages as u64;
        let counts = self.stats.group(&pulled.topic, &pulled.group);
        counts.get_nums.add(now, messages);
        counts.get_size.add(now, pulled.bytes as u64);
        self.stats.got.add(now, messages);
        self.stats.found.add(now, 1);
        self.offsets.pulled(&pulled.topic, &pulled.group, pulled.queue, pulled.next);
    }

    fn record_read(
        &mut self,
        now: Millis,
        then: AfterRecord,
        record: Result<Option<bytes::Bytes>, String>,
        actions: &mut Vec<Action>,
    ) {
        let (to, outcome) = match then {
            AfterRecord::SendBack(send_back) => {
                let outcome = record
                    .map_err(|reason| Error::Read { reason })
                    .and_then(|record| self.send_back_found(now, &send_back, record, actions));
                (send_back.to(), outcome)
            }
            AfterRecord::ConsumeDirectly { to, client, command } => {
                (to, self.consume_directly_found(to, client, *command, record, actions))
            }
        };
        if let Err(error) = outcome {
            actions.push(Action::Reply { to, response: error.to_response() });
        }
    }

    /// Another member has answered.
    fn called(&mut self, now: Millis, then: AfterCall, answer: Result<Command, String>, actions: &mut Vec<Action>) {
        match then {
            AfterCall::Joining { question } => self.joining_answered(now, question, answer, actions),
            AfterCall::Lock { to } => self.voted(to, answer, actions),
            AfterCall::Nothing => {}
        }
    }

    fn flushed(&mut self, now: Millis, flushed: PhysicalOffset, actions: &mut Vec<Action>) {
        for Stored { to, response, since } in self.waiters.flushed(flushed) {
            self.stats.put_lasted(now.since(since));
            self.answer_when_copied(now, Change::Message, to, response, actions);
        }
        if self.member.is_none() {
            self.delays.flushed(flushed);
        }
    }

    fn arrived(&mut self, now: Millis, arrivals: Vec<Arrival>, actions: &mut Vec<Action>) {
        let leads_group = self.member.as_ref().is_some_and(Member::leads);
        for arrival in arrivals {
            if leads_group {
                self.know_topic(now, &arrival.topic, arrival.queue);
            }
            if arrival.topic == self.schedule_topic {
                self.delays.arrived(arrival.queue, arrival.queue_offset, Millis(arrival.tags_code));
            }
            if !self.holds.is_empty() {
                let woken = self.holds.wake(&arrival.topic, arrival.queue, arrival.queue_offset, arrival.tags_code);
                self.read_again(woken, actions);
            }
        }
    }

    fn epochs_saved(&mut self, now: Millis, result: Result<(), String>) {
        if let Err(reason) = &result {
            tracing::error!(broker = %self.config.identity, reason, "epochs not written, will be tried again");
        }
        self.lineage.written(now, result.is_ok());
    }

    /// Nobody is left waiting for a flush that will not come.
    fn store_failed(&mut self, now: Millis, reason: &str, actions: &mut Vec<Action>) {
        self.failed = Some(reason.to_owned());
        self.raft_event(now, raft::Event::Broken { reason: reason.to_owned() }, actions);
        for Stored { to, .. } in self.waiters.drain() {
            let error = Error::Append(AppendError::Poisoned(reason.to_owned()));
            actions.push(Action::Reply { to, response: error.to_response() });
        }
    }

    fn stopping(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.raft_event(now, raft::Event::Broken { reason: "the broker stops".to_owned() }, actions);
        self.release_waiting(actions);
    }

    /// Answers those who wait for slaves, for tables and for messages.
    pub(super) fn release_waiting(&mut self, actions: &mut Vec<Action>) {
        let (watches, unconfirmed) = self.copies.drain();
        actions.extend(watches.into_iter().map(|to| Action::Reply { to, response: requests::ok() }));
        for (to, change, response) in unconfirmed {
            self.answer_when_safe(change, to, response, actions);
        }
        for pull in self.holds.release_all(None) {
            actions.push(Action::Reply { to: pull.to, response: self.nothing_new(&pull) });
        }
    }

    fn housekeeping(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let mut silent = self.producers.expire(now);
        let (changed, consumers) = self.consumers.expire(now);
        self.notify(&changed, actions);
        silent.extend(consumers);
        silent.sort_unstable();
        silent.dedup();
        let reason = "no heartbeat for 120 s";
        actions.extend(silent.into_iter().map(|connection| Action::Disconnect { connection, reason }));
        self.locks.expire(now);
    }
}
