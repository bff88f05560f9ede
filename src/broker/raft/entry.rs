//! What the core does for [`super::Member`]: Raft's actions become the broker's, the broker's news become Raft's events.

use std::sync::Arc;

use smallvec::smallvec;

use super::{COMMIT_MILLIS, MARKER_TOPIC, Member, PENDING_MAX, Stage, Standing, changes};
use crate::broker::action::{Action, AfterAppend};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::requests::Stored;
use crate::broker::requests::tables::Change;
use crate::config::{Broker, Dledger, FlushDiskType, Role};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::ha::Epoch;
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset, QueueId};
use crate::protocol::raft::{LogEnd, MemberId, Term};
use crate::protocol::topic_name;
use crate::raft::{self, Event};
use crate::replication::progress::{Replica, SessionId};
use crate::store::{Append, AppendError, Appended, NewMessage};

/// So often a leader looks at what its configuration wants.
const WISHES_MILLIS: i64 = 1_000;

/// A member with no more bytes to fetch may become leader for its `preferredLeaderId`: a few tenths of a second of a busy link.
const NEAR_BYTES: i64 = 16 << 20;

/// The id of a member that does not lead (Java: `DLedgerRoleChangeHandler`).
#[must_use]
pub fn follower_id(member: MemberId) -> BrokerId {
    BrokerId(i64::from(member.0) + 1)
}

/// The configuration of a broker as it begins: a member of a DLedger group begins as a follower.
#[must_use]
pub fn as_follower(config: &Arc<Broker>) -> Arc<Broker> {
    match &config.dledger {
        None => Arc::clone(config),
        Some(dledger) => as_role(config, Role::Slave, follower_id(MemberId(dledger.me))),
    }
}

fn as_role(config: &Broker, role: Role, id: BrokerId) -> Arc<Broker> {
    let mut config = config.clone();
    config.role = role;
    config.identity.id = id;
    Arc::new(config)
}

impl Core {
    /// Takes part in a DLedger group from now on.
    pub fn take_part(&mut self, member: Member) {
        self.member = Some(member);
    }

    /// Its part in its DLedger group.
    #[must_use]
    pub fn in_group(&self) -> Option<&Member> {
        self.member.as_ref()
    }

    /// What is configured of its group.
    #[must_use]
    pub fn dledger_config(&self) -> Option<&Dledger> {
        self.config.dledger.as_ref()
    }

    /// Voters of its group.
    pub(in crate::broker) fn voters(&self) -> usize {
        self.member.as_ref().map_or(0, |member| member.raft.membership().voters.len())
    }

    /// What the container is told of a member.
    #[must_use]
    pub fn standing(&self) -> Option<Standing> {
        self.member.as_ref().map(Member::standing)
    }

    /// The time by a clock that never goes back. Everything that follows happens then.
    pub fn elapse(&mut self, now: Millis) {
        if let Some(member) = &mut self.member {
            member.now = member.now.max(now);
        }
    }

    /// When Raft has something to do, by that clock.
    #[must_use]
    pub fn member_deadline(&self) -> Option<Millis> {
        let member = self.member.as_ref()?;
        let wishes = if member.leads() { member.wishes_at } else { Millis(i64::MAX) };
        Some(member.raft.next_deadline().min(wishes))
    }

    /// Something has happened to the member.
    pub(in crate::broker) fn raft_event(&mut self, now: Millis, event: Event, actions: &mut Vec<Action>) {
        let log = self.log_end();
        let Some(member) = &mut self.member else { return };
        if let Event::Broken { reason } = &event {
            tracing::warn!(broker = %self.config.identity, member = %member.me, reason, "takes no part in its group any more");
        }
        let mut wanted = Vec::new();
        member.raft.handle(member.now, event, log, &mut wanted);
        self.obey(now, wanted, actions);
    }

    /// What time has brought, and what became of the way to the lead.
    pub(in crate::broker) fn keep_member(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let log = self.log_end();
        let Some(member) = &mut self.member else { return };
        let mut wanted = Vec::new();
        member.raft.upkeep(member.now, log, &mut wanted);
        self.obey(now, wanted, actions);
        self.mark_epoch(now, actions);
        self.tell_durable(now, actions);
        self.wish(now, actions);
    }

    fn obey(&mut self, now: Millis, wanted: Vec<raft::Action>, actions: &mut Vec<Action>) {
        for action in wanted {
            match action {
                raft::Action::Lead { term } => self.promote(now, term, actions),
                raft::Action::Follow { term, leader } => self.follow_in(now, term, leader, actions),
                raft::Action::Save { hard } => actions.push(Action::SaveState { hard }),
                raft::Action::Send { to, message } => actions.push(Action::Post { to, message }),
                raft::Action::Commit { end } => self.committed(now, end, actions),
                raft::Action::Members { membership } => {
                    tracing::info!(broker = %self.config.identity, ?membership, "the members of the group have changed");
                }
            }
        }
    }

    /// The end of the log as an election compares it.
    fn log_end(&self) -> LogEnd {
        let end = self.view.log_range().1;
        let newest = PhysicalOffset(end.0 - 1);
        let epoch = if end.0 > 0 { self.lineage.epochs().number_at(newest).unwrap_or(0) } else { 0 };
        LogEnd { epoch: Term(epoch), end }
    }

    fn promote(&mut self, now: Millis, term: Term, actions: &mut Vec<Action>) {
        self.step_down(now, actions);
        let Some(member) = &mut self.member else { return };
        member.stage = Stage::Promoting { term };
        member.elections += 1;
        tracing::info!(broker = %self.config.identity, member = %member.me, %term, "elected");
        actions.push(Action::FollowMember { term, leader: None, requests: None });
    }

    fn follow_in(&mut self, now: Millis, term: Term, leader: Option<MemberId>, actions: &mut Vec<Action>) {
        self.step_down(now, actions);
        let Some(member) = &mut self.member else { return };
        member.stage = Stage::Following { term, leader };
        tracing::info!(broker = %self.config.identity, member = %member.me, %term, leader = ?leader.map(|leader| leader.to_string()), "follows");
        self.replicas.following = None;
        actions.push(Action::FollowMember { term, leader, requests: None });
    }

    /// Leads no more: whoever waits is told, and nothing of this time is given out as if it were the group's.
    fn step_down(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let Some(member) = &self.member else { return };
        let (stage, me) = (member.stage, member.me);
        if matches!(stage, Stage::Following { .. }) {
            return;
        }
        // Also from a promotion that was not finished: the log takes a leader's bytes again.
        actions.push(Action::FollowLog);
        for Stored { to, since, .. } in self.waiters.drain() {
            self.stats.put_lasted(now.since(since));
            actions.push(Action::Reply { to, response: self.not_leader().to_response() });
        }
        if !matches!(stage, Stage::Leading { .. }) {
            return;
        }
        tracing::warn!(broker = %self.config.identity, member = %me, term = %stage.term(), "leads no more");
        self.release_waiting(actions);
        self.locks.clear();
        self.delays.restart();
        self.config = as_role(&self.config, Role::Slave, follower_id(me));
        actions.push(Action::Announce);
    }

    /// The log takes messages from here on: the epoch of the term begins.
    pub(in crate::broker) fn open_epoch(&mut self, end: PhysicalOffset) {
        let Some(member) = &mut self.member else { return };
        let Stage::Promoting { term } = member.stage else { return };
        self.lineage.begin(Epoch { number: term.0, start: end });
        member.stage = Stage::Opening { term, start: end };
    }

    /// The epoch is on disk: its first record follows.
    fn mark_epoch(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let store_host = self.store_host();
        let Some(member) = &mut self.member else { return };
        let Stage::Opening { term, start } = member.stage else { return };
        if !self.lineage.is_saved() {
            return;
        }
        member.stage = Stage::Marking { term, start };
        let message = NewMessage {
            topic: MARKER_TOPIC.into(),
            queue: QueueId(0),
            flag: 0,
            sys_flag: 0,
            born: now,
            born_host: store_host,
            store_host,
            reconsume_times: 0,
            prepared_transaction_offset: PhysicalOffset(0),
            properties: bytes::Bytes::new(),
            body: format!("term {term} of {}: {} leads", member.group, member.me).into_bytes().into(),
        };
        let messages = Append { messages: smallvec![message] };
        actions.push(Action::Append { messages, then: AfterAppend::Marker { term } });
    }

    /// The marker is in the log, or not: without it nothing can ever be committed here.
    pub(in crate::broker) fn marked(
        &mut self,
        now: Millis,
        marked: Term,
        result: Result<Appended, Error>,
        actions: &mut Vec<Action>,
    ) {
        let Some(member) = &mut self.member else { return };
        let Stage::Marking { term, start } = member.stage else { return };
        if term != marked {
            return;
        }
        let end = match result {
            Ok(appended) => appended.end,
            Err(error) => {
                let reason = format!("the first record of term {term} was not stored: {error}");
                self.raft_event(now, Event::Broken { reason: reason.clone() }, actions);
                return actions.push(Action::Fail { reason });
            }
        };
        (member.stage, member.wishes_at) = (Stage::Leading { term }, member.now.plus(WISHES_MILLIS));
        self.lead_group(now, actions);
        self.raft_event(now, Event::Opened { term, start, end }, actions);
        let durable = self.durable();
        if let Some(member) = &mut self.member {
            member.durable = durable;
        }
        self.raft_event(now, Event::Durable { end: durable }, actions);
    }

    /// A master from now on, with the tables that the members have agreed on.
    fn lead_group(&mut self, now: Millis, actions: &mut Vec<Action>) {
        self.config = as_role(&self.config, Role::SyncMaster, BrokerId::MASTER);
        tracing::info!(broker = %self.config.identity, term = ?self.member.as_ref().map(Member::term), "leads its group");
        for (topic, queues) in self.view.topics_with_queues() {
            let highest = queues.into_iter().max().unwrap_or_default();
            self.know_topic(now, &topic, highest);
        }
        self.delays.restart();
        self.resume_delays(now);
        actions.push(Action::Announce);
    }

    /// A topic that the log knows and the tables do not: its leader is gone before anybody copied it.
    pub(in crate::broker) fn know_topic(&mut self, now: Millis, topic: &str, highest: QueueId) {
        if self.topics.get(topic).is_some() || topic_name::is_system(topic) || topic == MARKER_TOPIC {
            return;
        }
        let queues = (highest.0 + 1).max(i32::try_from(self.config.topics.default_queues).unwrap_or(i32::MAX));
        if self.topics.ensure(now, topic, queues, false, 0).is_some() {
            tracing::warn!(broker = %self.config.identity, topic, queues, "topic made again from its messages");
        }
    }

    fn durable(&self) -> PhysicalOffset {
        match self.flush_disk_type() {
            FlushDiskType::Sync => self.view.flushed(),
            FlushDiskType::Async => self.view.log_range().1,
        }
    }

    fn tell_durable(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let end = self.durable();
        let Some(member) = &mut self.member else { return };
        if member.leads() && member.durable != end {
            member.durable = end;
            self.raft_event(now, Event::Durable { end }, actions);
        }
    }

    /// A follower's link has said something.
    pub(in crate::broker) fn matched(&mut self, now: Millis, session: SessionId, actions: &mut Vec<Action>) {
        // A link that was made anew says what is true now, whatever the one before it still brings.
        let newest = self.replicas.progress.newest_of(session).filter(|(newest, _)| *newest == session);
        let Some((_, session)) = newest else { return };
        let (Replica::Broker(BrokerId(id)), Some(term)) = (session.replica, session.term) else { return };
        let Ok(member) = u32::try_from(id - 1) else { return };
        let event = Event::Matched { member: MemberId(member), term, end: session.acknowledged };
        self.raft_event(now, event, actions);
    }

    /// The own log is that of the leader of this term, up to its end.
    pub(in crate::broker) fn verified(&mut self, now: Millis, link: Option<Term>, actions: &mut Vec<Action>) {
        let end = self.view.log_range().1;
        let (Some(member), Some(term)) = (&self.member, link) else { return };
        let event = Event::Matched { member: member.me, term, end };
        self.raft_event(now, event, actions);
    }

    /// Whether what a link brings belongs into the log: a link of the present term, within a DLedger group.
    #[must_use]
    pub fn follows_in(&self, link: Option<Term>) -> bool {
        match (&self.member, link) {
            (None, None) => true,
            (Some(member), Some(term)) => member.follows_in(term),
            _ => false,
        }
    }

    /// The group has everything below.
    fn committed(&mut self, now: Millis, end: PhysicalOffset, actions: &mut Vec<Action>) {
        actions.push(Action::Commit { end });
        for Stored { to, response, since } in self.waiters.committed(end) {
            self.stats.put_lasted(now.since(since));
            self.answer_when_copied(now, Change::Message, to, response, actions);
        }
        self.delays.flushed(end);
    }

    /// When a message's producer is told, at the latest.
    pub(in crate::broker) fn commit_deadline(now: Millis) -> Millis {
        now.plus(COMMIT_MILLIS)
    }

    /// A message that was appended while this member led, and is not its to answer for now, is as good as not appended.
    pub(in crate::broker) fn as_led(&self, result: Result<Appended, AppendError>) -> Result<Appended, Error> {
        match &self.member {
            Some(member) if !member.leads() => Err(self.not_leader()),
            _ => result.map_err(Error::Append),
        }
    }

    /// Refuses what only a leader may do that is sure to be the only one.
    pub(in crate::broker) fn check_member(&self, command: &Command) -> Result<(), Error> {
        let Some(member) = &self.member else { return Ok(()) };
        let is_message = matches!(
            command.code,
            request::SEND_MESSAGE
                | request::SEND_MESSAGE_V2
                | request::SEND_BATCH_MESSAGE
                | request::CONSUMER_SEND_MSG_BACK
        );
        let is_table = matches!(
            command.code,
            request::UPDATE_AND_CREATE_TOPIC
                | request::UPDATE_AND_CREATE_TOPIC_LIST
                | request::DELETE_TOPIC_IN_BROKER
                | request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
                | request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST
                | request::DELETE_SUBSCRIPTIONGROUP
                | request::LOCK_BATCH_MQ
        );
        if !is_message && !is_table {
            return Ok(());
        }
        if !(member.leads() && member.raft.may_accept_writes(member.now)) {
            return Err(self.not_leader());
        }
        if is_message && self.waiters.len() >= PENDING_MAX {
            let reason = format!("{PENDING_MAX} messages wait to be committed by the group, try again");
            return Err(Error::Busy { reason });
        }
        Ok(())
    }

    /// Who leads instead, as far as known.
    pub(in crate::broker) fn not_leader(&self) -> Error {
        let standing = self.standing();
        Error::NotLeader {
            broker: self.config.identity.name.clone(),
            member: self.member.as_ref().map(|member| member.me.to_string()).unwrap_or_default(),
            term: standing.map_or(0, |standing| standing.term.0),
            leader: standing
                .and_then(|standing| standing.leader)
                .map_or_else(|| "nobody that is known".to_owned(), |leader| leader.to_string()),
        }
    }

    /// What the configuration wants: another leader, other learners.
    fn wish(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let end = self.view.log_range().1;
        let (Some(member), Some(config)) = (&mut self.member, &self.config.dledger) else { return };
        if !member.leads() || member.now < member.wishes_at {
            return;
        }
        member.wishes_at = member.now.plus(WISHES_MILLIS);
        let learner = changes::learners_step(member.raft.membership(), config)
            .filter(|change| member.raft.may_change(*change).is_ok())
            .map(|change| Event::Change { change });
        let near = PhysicalOffset(end.0 - NEAR_BYTES);
        let wish = learner.or_else(|| changes::preferred(&member.raft, member.now, member.me, config, near));
        if let Some(event) = wish {
            tracing::info!(broker = %self.config.identity, ?event, "as the configuration wants");
            self.raft_event(now, event, actions);
        }
    }

    /// Other voters in `dLegerPeers`: the leader takes one step, or says why not. Elsewhere only the addresses change.
    pub(in crate::broker) fn change_voters(
        &mut self,
        now: Millis,
        config: Option<&Dledger>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let (Some(member), Some(config)) = (&self.member, config) else { return Ok(()) };
        if !member.leads() {
            return Ok(());
        }
        let refused = |reason: String| Error::ConfigForbidden { reason: format!("dLegerPeers: {reason}") };
        let Some(change) = changes::voters_step(member.raft.membership(), config).map_err(refused)? else {
            return Ok(());
        };
        member.raft.may_change(change).map_err(|error| refused(error.to_string()))?;
        tracing::info!(broker = %self.config.identity, ?change, "an operator changes the members of the group");
        self.raft_event(now, Event::Change { change }, actions);
        Ok(())
    }
}
