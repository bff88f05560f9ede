//! The part a broker plays in its group: joining, serving as master or slave, acting for a master that is gone (Java:
//! `BrokerController.isIsolated`, `BrokerPreOnlineService`, `changeSpecialServiceStatus`).
//!
//! ```text
//!                 enableSlaveActingMaster, totalReplicas > 1
//! start ----------------------------------------------------> joining --(joining.rs)--> online
//!    \-- any other broker ---------------------------------------------------------------^
//!
//! online slave:  plain <--- members without a smaller id / with one ---> acting
//! ```
//!
//! A joining broker is not registered and refuses what would make it differ from the others; it tells and answers where logs are.
//! An acting slave takes no messages either: it gives them out, locks queues, and has what comes due of the delay levels stored by
//! another master (`Action::Escape`). Who acts is no vote: each slave looks at the members its NameServers name, so for a moment there
//! may be two, which costs messages that come twice and loses none.
//!
//! Invariants: a broker that has left joining does not go back; a master never acts; a joining broker delivers nothing; a master that
//! joins lets no follower in, and begins no epoch, before it has what its followers have.

pub(super) mod joining;

use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::epochs::{EpochEntry, EpochEntryCache};
use crate::protocol::codes::{own, request, response};
use crate::protocol::command::Command;
use crate::protocol::ha::Epoch;
use crate::protocol::headers::broker_admin::{EpochCacheResponse, ExchangeHaInfo};
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use crate::protocol::json;
use crate::replication::epochs::Epochs;
use crate::replication::progress::Replica;

use super::action::{Action, AfterCall};
use super::core::Core;
use super::error::Error;
use super::group::{Members, Presence};
use super::state::offsets::ConsumerOffsets;
use super::upstream::Upstream;
use joining::{Joining, Question, Step};

/// Another member has this long to answer (Java: 3 s for 906, 43 and 45).
const ANSWER_MILLIS: u64 = 3_000;

/// Whether a broker of this configuration takes part only after it has joined (Java: `BrokerController` isolates it then).
#[must_use]
pub fn joins(config: &crate::config::Broker) -> bool {
    config.group.acting_master && !config.group.skip_pre_online && config.replication.total > 1
}

/// What a broker knows of its group and of its own part.
#[derive(Debug, Default)]
pub struct Part {
    joining: Option<Joining>,
    /// When joining goes on by itself.
    next_step: Option<Millis>,
    members: Option<Members>,
    /// A master that joins has begun its epoch.
    has_epoch: bool,
    acting: bool,
    presence: Option<Presence>,
}

impl Part {
    /// Of a broker that has just started.
    pub(super) fn new(config: &crate::config::Broker) -> Part {
        Part { joining: joins(config).then(|| Joining::new(config.identity.id)), ..Part::default() }
    }

    /// Whether it takes part only after what [`joining`] does.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.is_some()
    }

    /// Whether it acts for its master.
    pub(super) fn is_acting(&self) -> bool {
        self.acting
    }

    /// Living members, this one counted; `None` as long as no NameServer has named them.
    fn alive(&self, own: BrokerId) -> Option<usize> {
        self.members.as_ref().map(|Members(members)| members.len() + usize::from(!members.contains_key(&own)))
    }

    /// Whether the NameServers know a master.
    fn has_master(&self) -> bool {
        self.members.as_ref().is_some_and(|Members(members)| members.contains_key(&BrokerId::MASTER))
    }
}

impl Core {
    /// Whether it takes part.
    #[must_use]
    pub fn presence(&self) -> Presence {
        match (&self.part.joining, &self.part.presence) {
            (None, _) => Presence::Online,
            (Some(_), Some(presence)) => presence.clone(),
            (Some(_), None) => Presence::Joining { waits_for: "its start".to_owned() },
        }
    }

    /// Whether messages that come due leave their delay levels here: at the master, or at the slave that acts for it.
    pub(super) fn delivers(&self) -> bool {
        !self.part.is_joining() && (!self.is_slave() || self.part.is_acting())
    }

    /// Whether a consumer that finds nothing here can ask the master.
    pub(super) fn master_is_there(&self) -> bool {
        match self.config.group.acting_master {
            true => self.part.has_master(),
            false => self.replicas.following.is_some(),
        }
    }

    /// Living members, this one counted.
    pub(super) fn alive(&self) -> usize {
        self.part.alive(self.config.identity.id).unwrap_or(self.config.replication.total as usize)
    }

    /// The other members, as the NameServers know them.
    pub(super) fn other_members(&self) -> Vec<String> {
        let others = self.part.members.iter().flat_map(|Members(members)| members);
        others.filter(|(id, _)| **id != self.config.identity.id).map(|(_, address)| address.clone()).collect()
    }

    /// The NameServers have said who is there.
    pub(super) fn members_named(&mut self, now: Millis, members: Members, actions: &mut Vec<Action>) {
        let had_master = self.part.has_master();
        self.part.members = Some(members);
        self.review(now);
        if self.is_slave() && !had_master && self.part.has_master() {
            self.master_is_back(actions);
        }
    }

    /// Begins to act, or ends it.
    fn review(&mut self, now: Millis) {
        let own = self.config.identity.id;
        let smaller = |Members(members): &Members| members.keys().any(|id| *id < own);
        let acts = self.config.group.acting_master
            && self.is_slave()
            && !self.part.is_joining()
            && self.part.members.as_ref().is_some_and(|members| !smaller(members));
        if acts == self.part.acting {
            return;
        }
        self.part.acting = acts;
        let broker = &self.config.identity;
        if acts {
            tracing::warn!(%broker, "acts for its master, which the NameServers do not know any more");
            self.resume_delays(now);
        } else {
            tracing::info!(%broker, "acts no more, a broker with a smaller id is there");
        }
    }

    /// The positions of the delay levels come from another broker, whose queues may be longer.
    fn resume_delays(&mut self, now: Millis) {
        let view = &self.view;
        self.delays.resume(now, |queue| {
            let range = view.queue_range(crate::protocol::topic_name::SCHEDULE, queue);
            (range.min, range.max)
        });
    }

    /// Whether the log is to become this broker's own as soon as it can.
    #[must_use]
    pub fn waits_to_lead(&self) -> bool {
        !self.part.has_epoch && self.part.joining.as_ref().is_some_and(Joining::is_about_to_lead)
    }

    /// The log takes messages from here on: a new epoch begins.
    pub fn led(&mut self, end: PhysicalOffset) {
        self.part.has_epoch = true;
        self.lineage.lead(end);
    }

    /// Whether followers may have the log.
    pub(super) fn lets_followers_in(&self) -> bool {
        self.is_slave() || self.part.joining.as_ref().is_none_or(Joining::is_leading)
    }

    /// Whether the log may lose its end to agree with another one: a master fetches what it lacks and gives nothing up.
    #[must_use]
    pub fn may_be_cut(&self) -> bool {
        self.is_slave()
    }

    /// Goes on with joining.
    pub(super) fn join(&mut self, now: Millis, actions: &mut Vec<Action>) {
        let Some(joining) = &mut self.part.joining else { return };
        if joining.is_about_to_lead() && self.part.has_epoch && self.lineage.is_saved() {
            joining.leads();
        }
        let end = self.view.log_range().1;
        let (is_slave, following) = (self.config.identity.id != BrokerId::MASTER, self.replicas.following.is_some());
        let progress = &self.replicas.progress;
        let linked = |member: BrokerId, address: &str| match is_slave {
            true => following,
            false => progress.sessions().any(|(_, session)| match session.replica {
                Replica::Broker(id) => id == member,
                // A Java slave does not say who it is, only where.
                Replica::Host(host) => address.rsplit_once(':').is_some_and(|(at, _)| at == host.to_string()),
            }),
        };
        let presence = match joining.step(now, self.part.members.as_ref(), end, linked) {
            Step::Ask { member, address, question } => {
                self.part.next_step = None;
                let waits_for = format!("an answer of broker {member} at {address}");
                let (command, then) = (self.question(question), AfterCall::Joining { question });
                actions.push(Action::CallMember { address, command, timeout_millis: ANSWER_MILLIS, then });
                Presence::Joining { waits_for }
            }
            Step::Wait { until, waits_for } => {
                self.part.next_step = until;
                Presence::Joining { waits_for }
            }
            Step::Lead => {
                self.part.next_step = None;
                actions.push(Action::Follow(Upstream::default()));
                Presence::Joining { waits_for: "its epoch on disk".to_owned() }
            }
            Step::Online => {
                self.part.joining = None;
                self.part.next_step = None;
                tracing::info!(broker = %self.config.identity, "takes part in its group");
                if !self.is_slave() {
                    self.resume_delays(now);
                }
                self.review(now);
                Presence::Online
            }
        };
        if self.part.presence.as_ref() != Some(&presence) {
            self.part.presence = Some(presence.clone());
            actions.push(Action::Present(presence));
        }
    }

    /// When joining goes on by itself.
    pub(super) fn join_deadline(&self) -> Option<Millis> {
        self.part.next_step
    }

    fn question(&self, question: Question) -> Command {
        let code = match question {
            Question::Log => request::GET_BROKER_EPOCH_CACHE,
            Question::Exchange => request::EXCHANGE_BROKER_HA_INFO,
            Question::DelayOffsets => request::GET_ALL_DELAY_OFFSET,
            Question::ConsumerOffsets => request::GET_ALL_CONSUMER_OFFSET,
        };
        let mut command = Command { code, ..Command::default() };
        if question == Question::Exchange && !self.is_slave() {
            self.encode_ha_info(&mut command);
        }
        command
    }

    /// A member has answered a question of joining.
    pub(super) fn joining_answered(
        &mut self,
        now: Millis,
        question: Question,
        answer: Result<Command, String>,
        actions: &mut Vec<Action>,
    ) {
        let answer = answer.and_then(|answer| match answer.code {
            response::SUCCESS => Ok(answer),
            // A Java slave whose master no controller chooses has nothing to say of its log.
            _ if question == Question::Log => Ok(Command::default()),
            code => Err(format!("code {code}: {}", answer.remark.as_deref().unwrap_or("no remark"))),
        });
        let taken = answer.and_then(|answer| self.take_answer(now, question, &answer, actions));
        if let Some(joining) = &mut self.part.joining {
            joining.answered(now, taken);
        }
    }

    fn take_answer(
        &mut self,
        now: Millis,
        question: Question,
        answer: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<Option<PhysicalOffset>, String> {
        match question {
            Question::Log => return self.longer_log(answer, actions),
            Question::Exchange if self.is_slave() => {
                let info = ExchangeHaInfo::decode(&answer.ext).map_err(|error| error.to_string())?;
                self.follow_master(&info, actions);
            }
            Question::Exchange => {}
            Question::DelayOffsets => {
                self.delays.raise(&answer.body.to_bytes()).map_err(|error| error.to_string())?;
                self.resume_delays(now);
            }
            Question::ConsumerOffsets => {
                let offsets = ConsumerOffsets::from_json(&answer.body.to_bytes()).map_err(|error| error.to_string())?;
                let topics = &self.topics;
                let version: DataVersion = *offsets.version();
                let raised = self.offsets.raise(now, offsets, |topic| topics.get(topic).is_some());
                tracing::info!(broker = %self.config.identity, raised, ?version, "took consumer offsets of a slave over");
            }
        }
        Ok(None)
    }

    /// A member has said whose bytes are in its log. When they are those of this one and more, this one follows it to there.
    fn longer_log(&self, answer: &Command, actions: &mut Vec<Action>) -> Result<Option<PhysicalOffset>, String> {
        let Some(ha_address) = EpochCacheResponse::decode(&answer.ext).ok().and_then(|header| header.ha_server_address)
        else {
            return Ok(None);
        };
        let cache: EpochEntryCache = json::from_java(&answer.body.to_bytes()).map_err(|error| error.to_string())?;
        let epoch = |entry: &EpochEntry| Epoch { number: entry.epoch, start: PhysicalOffset(entry.start_offset) };
        let theirs = Epochs::new(cache.epoch_list.iter().map(epoch));
        let (own, end, other) = (self.lineage.epochs(), self.view.log_range().1, PhysicalOffset(cache.max_offset));
        let newest = |epochs: &Epochs| epochs.newest().map_or(0, |epoch| epoch.number);
        if (newest(&theirs), other) <= (newest(own), end) {
            return Ok(None);
        }
        let agreement = match end.0 == 0 || own.list().is_empty() {
            true => Some(end),
            false => own.agreement(end, &theirs, other),
        };
        if agreement != Some(end) || other <= end {
            tracing::warn!(broker = %self.config.identity, member = cache.broker_id, %end, %other,
                "a slave has other bytes than this master: it will be cut back");
            return Ok(None);
        }
        tracing::warn!(broker = %self.config.identity, member = cache.broker_id, %end, %other,
            "a slave has more of the log than this master, which fetches it");
        let upstream = Upstream { address: None, ha_address: Some(ha_address.to_owned()), door: None };
        actions.push(Action::Follow(upstream));
        Ok(Some(other))
    }

    /// The master has said where it is; a member that named nothing has no place to follow.
    pub(super) fn follow_master(&self, info: &ExchangeHaInfo<'_>, actions: &mut Vec<Action>) {
        let Some(ha_address) = info.master_ha_address.filter(|address| !address.is_empty()) else { return };
        let address = info.master_address.filter(|address| !address.is_empty()).map(str::to_owned);
        let upstream = Upstream { address, ha_address: Some(ha_address.to_owned()), door: None };
        actions.push(Action::Follow(upstream));
    }

    /// Refuses what a joining broker must not do, because others may know better.
    pub(super) fn check_joining(&self, command: &Command) -> Result<(), Error> {
        let Presence::Joining { waits_for } = self.presence() else { return Ok(()) };
        let is_masters_alone = matches!(
            command.code,
            request::GET_ALL_TOPIC_CONFIG
                | request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG
                | request::GET_ALL_CONSUMER_OFFSET
                | request::GET_ALL_DELAY_OFFSET
                | own::WATCH_TABLES
        );
        let refused = matches!(
            command.code,
            request::SEND_MESSAGE
                | request::SEND_MESSAGE_V2
                | request::SEND_BATCH_MESSAGE
                | request::PULL_MESSAGE
                | request::LITE_PULL_MESSAGE
                | request::CONSUMER_SEND_MSG_BACK
                | request::QUERY_CONSUMER_OFFSET
                | request::UPDATE_CONSUMER_OFFSET
                | request::LOCK_BATCH_MQ
                | request::UNLOCK_BATCH_MQ
        );
        if refused || is_masters_alone && !self.is_slave() {
            return Err(Error::Joining { waits_for });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
