//! What the core does for [`super::joining`]: the questions, what their answers change, what is refused meanwhile.

use crate::broker::action::{Action, AfterCall};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::group::Presence;
use crate::broker::state::offsets::ConsumerOffsets;
use crate::broker::upstream::Upstream;
use crate::protocol::body::epochs::{EpochEntry, EpochEntryCache};
use crate::protocol::codes::{own, request, response};
use crate::protocol::command::Command;
use crate::protocol::ha::Epoch;
use crate::protocol::headers::broker_admin::{EpochCacheResponse, ExchangeHaInfo};
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use crate::protocol::json;
use crate::replication::epochs::Epochs;
use crate::replication::progress::Replica;

use super::joining::{Joining, Question, Step};

/// Another member has this long to answer (Java: 3 s for 906, 43 and 45).
const ANSWER_MILLIS: u64 = 3_000;

impl Core {
    /// Whether the log is to become this broker's own as soon as it can.
    #[must_use]
    pub fn waits_to_lead(&self) -> bool {
        if let Some(member) = &self.member {
            return member.waits_to_lead();
        }
        !self.part.has_epoch && self.part.joining.as_ref().is_some_and(Joining::is_about_to_lead)
    }

    /// The log takes messages from here on: a new epoch begins.
    pub fn led(&mut self, end: PhysicalOffset) {
        if self.member.is_some() {
            return self.open_epoch(end);
        }
        self.part.has_epoch = true;
        self.lineage.lead(end);
    }

    /// Whether the log may take over another one's epochs. A member that was slow to greet may do so when this master, which could
    /// not wait for it, leads already: what it writes is of its own epoch.
    pub(in crate::broker) fn adopts_epochs(&self) -> bool {
        !self.part.has_epoch
    }

    /// Whether followers may have the log.
    pub(in crate::broker) fn lets_followers_in(&self) -> bool {
        if let Some(member) = &self.member {
            return member.lets_followers_in();
        }
        self.is_slave() || self.part.joining.as_ref().is_none_or(Joining::is_leading)
    }

    /// Whether the log may lose its end to agree with another one: a master fetches what it lacks and gives nothing up.
    #[must_use]
    pub fn may_be_cut(&self) -> bool {
        self.is_slave()
    }

    /// Goes on with joining.
    pub(in crate::broker) fn join(&mut self, now: Millis, actions: &mut Vec<Action>) {
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
    pub(in crate::broker) fn join_deadline(&self) -> Option<Millis> {
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
    pub(in crate::broker) fn joining_answered(
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
                let version = *offsets.version();
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
    pub(in crate::broker) fn follow_master(&self, info: &ExchangeHaInfo<'_>, actions: &mut Vec<Action>) {
        let Some(ha_address) = info.master_ha_address.filter(|address| !address.is_empty()) else { return };
        let address = info.master_address.filter(|address| !address.is_empty()).map(str::to_owned);
        let upstream = Upstream { address, ha_address: Some(ha_address.to_owned()), door: None };
        actions.push(Action::Follow(upstream));
    }

    /// Refuses what a joining broker must not do, because others may know better.
    pub(in crate::broker) fn check_joining(&self, command: &Command) -> Result<(), Error> {
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
