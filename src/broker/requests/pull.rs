//! PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361).
//!
//! ```text
//! header -> checks -> Action::Pull -> found: the reader answers with `found`
//!                                  -> nothing: `nothing_pulled` -> held (long poll) or answered
//! held -> arrival or deadline -> Action::Pull once more, not held again
//! ```
//! Rules and the order of the checks: Java's `PullMessageProcessor`; reference/remoting.md 5.4.

use std::sync::Arc;

use crate::broker::action::{Action, RequestId};
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::broker::hold::{Advice, Pull, SlaveAdvice};
use crate::protocol::body::group::SubscriptionGroupConfig;
use crate::protocol::body::heartbeat::{MessageModel, SubscriptionData};
use crate::protocol::codes::response;
use crate::protocol::command::{Body, Command};
use crate::protocol::filter::{self, TagFilter};
use crate::protocol::headers::pull::{PullRequest, PullResponse};
use crate::protocol::ids::{BrokerId, Millis, QueueOffset};
use crate::protocol::sys_flag::{self, perm};
use crate::store::{GetStatus, Read};

/// Messages of one pull at most, whatever the client asks for.
const MESSAGES_MAX: i32 = 1024;

/// A pull is not held longer than this, whatever the client asks for.
const HOLD_MILLIS_MAX: i64 = 120_000;

/// Brokers ids in answers: read on from the master.
const MASTER_ID: i64 = BrokerId::MASTER.0;

impl Core {
    /// Checks a pull and has the queue read.
    pub(in crate::broker) fn pull(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = PullRequest::decode(&command.ext)?;
        if !perm::is_readable(i32::from(self.config.requests.permission)) {
            return Err(Error::BrokerNotReadable { broker: self.config.addresses.client.to_string() });
        }
        let (group, settings) = self.group_that_may_consume(now, header.consumer_group)?;
        let (topic, config) = self.known_topic(header.topic)?;
        let (topic, config) = (Arc::clone(topic), Arc::clone(config));
        if !perm::is_readable(config.perm) {
            return Err(Error::TopicNotReadable { topic: topic.to_string() });
        }
        if header.queue_id.0 < 0 || header.queue_id.0 >= config.read_queue_nums {
            let (topic, client) = (topic.to_string(), client.remote.to_string());
            return Err(Error::QueueIllegal { queue: header.queue_id, topic, queues: config.read_queue_nums, client });
        }
        let tags = self.wanted_tags(&header, &group, &settings)?;
        let pull = Box::new(Pull {
            to,
            connection: client.connection,
            group,
            topic,
            queue: header.queue_id,
            from: header.queue_offset,
            messages_max: usize::try_from(header.max_msg_nums.clamp(1, MESSAGES_MAX)).unwrap_or(1),
            tags,
            hold_until: self.hold_until(now, &header),
            topic_sys_flag: config.topic_sys_flag,
            group_sys_flag: settings.group_sys_flag,
            advice: self.advice(&settings),
            received: now,
        });
        if header.sys_flag & sys_flag::pull::COMMIT_OFFSET != 0 && header.commit_offset.0 >= 0 {
            self.offsets.commit(now, &pull.topic, &pull.group, pull.queue, header.commit_offset);
        }
        if let Some(offset) = self.offsets.take_reset(&pull.topic, &pull.group, pull.queue) {
            actions.push(Action::Reply { to, response: self.moved(&pull, offset) });
            return Ok(());
        }
        actions.push(Action::Pull { pull });
        Ok(())
    }

    /// Java's container never sends a consumer to a slave; this one does, as Java's single broker.
    fn advice(&self, settings: &SubscriptionGroupConfig) -> Advice {
        let (recent, old) = match self.config.requests.slave_read {
            true => (settings.broker_id, settings.which_broker_when_consume_slowly),
            false => (MASTER_ID, MASTER_ID),
        };
        let slave = self.is_slave().then(|| SlaveAdvice {
            master_is_there: self.master_is_there(),
            corrects_offsets: self.config.requests.slave_corrects_offsets,
        });
        Advice { recent, old, slave }
    }

    /// The master of this slave is back: whoever waits here is sent to it (Java: `notifyMasterOnline`).
    pub(in crate::broker) fn master_is_back(&mut self, actions: &mut Vec<Action>) {
        let mut pulls = self.holds.release_all(None);
        for pull in &mut pulls {
            pull.hold_until = None;
            if let Some(slave) = &mut pull.advice.slave {
                slave.master_is_there = true;
            }
        }
        self.read_again(pulls, actions);
    }

    fn group_that_may_consume(
        &mut self,
        now: Millis,
        name: &str,
    ) -> Result<(Arc<str>, Arc<SubscriptionGroupConfig>), Error> {
        let (group, settings) = self.group_in_use(now, name)?;
        if !settings.consume_enable {
            return Err(Error::GroupDisabled { group: name.to_owned() });
        }
        Ok((group, settings))
    }

    /// The tags a pull wants: from its own header, or from the group's last heartbeat.
    fn wanted_tags(
        &self,
        header: &PullRequest<'_>,
        group: &str,
        settings: &SubscriptionGroupConfig,
    ) -> Result<TagFilter, Error> {
        if header.sys_flag & sys_flag::pull::SUBSCRIPTION != 0 {
            let kind = header.expression_type.unwrap_or(filter::TAG);
            if !filter::is_tag_type(Some(kind)) {
                return Err(Error::FilterUnsupported { kind: kind.to_owned() });
            }
            let codes = filter::tag_codes(header.subscription.unwrap_or_default())
                .map_err(|error| Error::SubscriptionIllegal { reason: error.to_string() })?;
            return Ok(codes.map_or(TagFilter::All, TagFilter::codes));
        }
        let known = self.consumers.get(group);
        let known = known.ok_or_else(|| Error::SubscriptionGroupUnknown { group: group.to_owned() })?;
        if !settings.consume_broadcast_enable && known.message_model == MessageModel::Broadcasting {
            return Err(Error::BroadcastForbidden { group: group.to_owned() });
        }
        let (topic, group) = (|| header.topic.to_owned(), || group.to_owned());
        if self.groups.is_reading_forbidden(&settings.group_name, header.topic) {
            return Err(Error::GroupForbidden { group: group(), topic: topic() });
        }
        let subscription = known.subscriptions.get(header.topic);
        let subscription =
            subscription.ok_or_else(|| Error::SubscriptionNotExist { group: group(), topic: topic() })?;
        if subscription.sub_version < header.sub_version {
            return Err(Error::SubscriptionNotLatest { group: group(), topic: topic() });
        }
        filter_of(subscription)
    }

    fn hold_until(&self, now: Millis, header: &PullRequest<'_>) -> Option<Millis> {
        if header.sys_flag & sys_flag::pull::SUSPEND == 0 {
            return None;
        }
        let short = i64::try_from(self.config.requests.short_polling.as_millis()).unwrap_or(HOLD_MILLIS_MAX);
        let wanted = if self.config.requests.long_polling { header.suspend_timeout_millis } else { short };
        Some(now.plus(wanted.clamp(0, HOLD_MILLIS_MAX)))
    }

    /// The queue was read and there was nothing for this pull.
    pub(in crate::broker) fn nothing_pulled(
        &mut self,
        now: Millis,
        mut pull: Box<Pull>,
        read: &Read,
        actions: &mut Vec<Action>,
    ) {
        self.stats.missed.add(now, 1);
        let may_hold = pull.hold_until.is_some() && Reply::to(&pull, read).code == response::PULL_NOT_FOUND;
        if !may_hold {
            actions.push(Action::Reply { to: pull.to, response: answer(&pull, read) });
            return;
        }
        // A message may have come between the read and now; nobody would wake the pull for that one.
        let range = self.view.queue_range(&pull.topic, pull.queue);
        if (range.min.0..range.max.0).contains(&pull.from.0) {
            pull.hold_until = None;
            actions.push(Action::Pull { pull });
            return;
        }
        if let Err(pull) = self.holds.hold(pull) {
            actions.push(Action::Reply { to: pull.to, response: answer(&pull, read) });
        }
    }

    /// Reads again for pulls that a message or their deadline has released.
    pub(in crate::broker) fn read_again(&self, pulls: Vec<Pull>, actions: &mut Vec<Action>) {
        actions.extend(pulls.into_iter().map(|pull| Action::Pull { pull: Box::new(pull) }));
    }

    /// The answer to a held pull that ends without having been read again.
    pub(in crate::broker) fn nothing_new(&self, pull: &Pull) -> Command {
        self.empty_answer(pull, response::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE", pull.from)
    }

    /// An operator has moved the group: the client goes on from there.
    pub(super) fn moved(&self, pull: &Pull, next: QueueOffset) -> Command {
        self.empty_answer(pull, response::PULL_OFFSET_MOVED, "OFFSET_RESET", next)
    }

    fn empty_answer(&self, pull: &Pull, code: i32, status: &str, next: QueueOffset) -> Command {
        let range = self.view.queue_range(&pull.topic, pull.queue);
        let mut answer = Command { code, remark: Some(status.to_owned()), ..Command::default() };
        let reply = Reply { code, suggest: pull.advice.recent, next };
        reply.header(pull, range.min, range.max).encode(&mut answer.ext);
        answer
    }
}

/// The tags of a subscription of a heartbeat.
fn filter_of(subscription: &SubscriptionData) -> Result<TagFilter, Error> {
    if !filter::is_tag_type(Some(&subscription.expression_type)) {
        return Err(Error::FilterUnsupported { kind: subscription.expression_type.clone() });
    }
    if subscription.class_filter_mode || filter::is_all(&subscription.sub_string) {
        return Ok(TagFilter::All);
    }
    Ok(TagFilter::codes(subscription.code_set.iter().map(|code| i64::from(*code))))
}

/// The answer to a pull after its queue was read, messages and all.
#[must_use]
pub fn answer(pull: &Pull, read: &Read) -> Command {
    let reply = Reply::to(pull, read);
    let mut answer = Command {
        code: reply.code,
        remark: Some(status_name(read.status).to_owned()),
        body: if read.messages.is_empty() { Body::Empty } else { Body::Many(read.messages.clone()) },
        ..Command::default()
    };
    reply.header(pull, read.min, read.max).encode(&mut answer.ext);
    answer
}

/// What a consumer is told besides messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reply {
    code: i32,
    suggest: i64,
    next: QueueOffset,
}

impl Reply {
    /// `PullMessageProcessor.composeResponseHeader`, `DefaultPullMessageResultHandler` and `nextOffsetCorrection`: a slave that
    /// has nothing sends the consumer to its master as long as there is one, and it does not move consumers.
    fn to(pull: &Pull, read: &Read) -> Reply {
        let Advice { recent, old, slave } = pull.advice;
        let code = code_of(read.status, pull.from);
        let mut reply = Reply { code, suggest: if read.cold { old } else { recent }, next: read.next };
        let Some(slave) = slave else { return reply };
        let found = read.status == GetStatus::Found;
        let has_skipped = matches!(read.status, GetStatus::NoMatchedMessage | GetStatus::MessageWasRemoving);
        if !slave.corrects_offsets && !found && !has_skipped {
            reply.next = pull.from;
        }
        if slave.master_is_there && !read.cold {
            reply.suggest = MASTER_ID;
            reply.code = if found { code } else { response::PULL_RETRY_IMMEDIATELY };
        }
        if reply.code == response::PULL_OFFSET_MOVED && !slave.corrects_offsets {
            // Java retries at once here too, which without a master turns into a loop; the consumer waits for a message.
            reply.suggest = recent;
            reply.code =
                if slave.master_is_there { response::PULL_RETRY_IMMEDIATELY } else { response::PULL_NOT_FOUND };
        }
        reply
    }

    fn header(self, pull: &Pull, min: QueueOffset, max: QueueOffset) -> PullResponse {
        PullResponse {
            suggest_which_broker_id: self.suggest,
            next_begin_offset: self.next,
            min_offset: min,
            max_offset: max,
            topic_sys_flag: Some(pull.topic_sys_flag),
            group_sys_flag: Some(pull.group_sys_flag),
            ..PullResponse::default()
        }
    }
}

/// The remark of an answer: the name of Java's `GetMessageStatus`.
fn status_name(status: GetStatus) -> &'static str {
    match status {
        GetStatus::Found => "FOUND",
        GetStatus::NoMatchedMessage => "NO_MATCHED_MESSAGE",
        GetStatus::MessageWasRemoving => "MESSAGE_WAS_REMOVING",
        GetStatus::OffsetFoundNull => "OFFSET_FOUND_NULL",
        GetStatus::OffsetOverflowBadly => "OFFSET_OVERFLOW_BADLY",
        GetStatus::OffsetOverflowOne => "OFFSET_OVERFLOW_ONE",
        GetStatus::OffsetTooSmall => "OFFSET_TOO_SMALL",
        GetStatus::NoMessageInQueue => "NO_MESSAGE_IN_QUEUE",
    }
}

/// `PullMessageProcessor.composeResponseHeader`: the code of each outcome of a read.
fn code_of(status: GetStatus, asked: QueueOffset) -> i32 {
    match status {
        GetStatus::Found => response::SUCCESS,
        GetStatus::NoMatchedMessage | GetStatus::MessageWasRemoving => response::PULL_RETRY_IMMEDIATELY,
        GetStatus::NoMessageInQueue if asked.0 == 0 => response::PULL_NOT_FOUND,
        GetStatus::OffsetFoundNull | GetStatus::OffsetOverflowOne => response::PULL_NOT_FOUND,
        GetStatus::NoMessageInQueue | GetStatus::OffsetOverflowBadly | GetStatus::OffsetTooSmall => {
            response::PULL_OFFSET_MOVED
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::testing::Bench;
    use crate::protocol::ids::QueueId;

    const BACK: Option<SlaveAdvice> = Some(SlaveAdvice { master_is_there: true, corrects_offsets: false });
    const ALONE: Option<SlaveAdvice> = Some(SlaveAdvice { master_is_there: false, corrects_offsets: false });
    const CORRECTS: Option<SlaveAdvice> = Some(SlaveAdvice { master_is_there: false, corrects_offsets: true });

    /// Code, suggested broker and next offset of a pull from 5, with `slaveReadEnable` of a group that has the ids 0 and 2, after
    /// a read that would go on at 9.
    fn check(slave: Option<SlaveAdvice>, status: GetStatus, cold: bool, expected: (i32, i64, i64)) {
        let pull = Pull {
            to: RequestId(1),
            connection: crate::remoting::ConnectionId(1),
            group: "g".into(),
            topic: "t".into(),
            queue: QueueId(0),
            from: QueueOffset(5),
            messages_max: 1,
            tags: TagFilter::All,
            hold_until: None,
            topic_sys_flag: 0,
            group_sys_flag: 0,
            advice: Advice { recent: 0, old: 2, slave },
            received: Millis(0),
        };
        let range = (QueueOffset(0), QueueOffset(9));
        let (min, max, next) = (range.0, range.1, range.1);
        let read = Read { status, next, min, max, messages: Vec::new(), bytes: 0, cold };
        let reply = Reply::to(&pull, &read);
        assert_eq!((reply.code, reply.suggest, reply.next.0), expected, "{slave:?} {status:?} {cold}");
    }

    #[test]
    fn a_master_sends_who_reads_old_messages_to_a_slave() {
        check(None, GetStatus::Found, false, (0, 0, 9));
        check(None, GetStatus::Found, true, (0, 2, 9));
        check(None, GetStatus::OffsetOverflowOne, false, (19, 0, 9));
    }

    #[test]
    fn a_slave_sends_who_finds_nothing_to_its_master_while_there_is_one() {
        check(BACK, GetStatus::Found, false, (0, 0, 9));
        check(BACK, GetStatus::Found, true, (0, 2, 9));
        check(BACK, GetStatus::OffsetOverflowOne, false, (20, 0, 5));
        check(BACK, GetStatus::OffsetOverflowBadly, false, (20, 0, 5));
        check(BACK, GetStatus::NoMatchedMessage, false, (20, 0, 9));
        check(ALONE, GetStatus::Found, false, (0, 0, 9));
        check(ALONE, GetStatus::OffsetOverflowOne, false, (19, 0, 5));
        check(ALONE, GetStatus::OffsetTooSmall, false, (19, 0, 5));
        check(ALONE, GetStatus::NoMatchedMessage, false, (20, 0, 9));
        check(CORRECTS, GetStatus::OffsetTooSmall, false, (21, 0, 9));
    }

    #[test]
    fn advice_follows_the_configuration() {
        let check = |lines: &str, expected: (i64, i64, bool)| {
            let advice = Bench::with(lines).core.advice(&SubscriptionGroupConfig::default());
            assert_eq!((advice.recent, advice.old, advice.slave.is_some()), expected);
        };
        check("", (0, 0, false));
        check("slaveReadEnable = true", (0, 1, false));
        check("slaveReadEnable = true\nbrokerRole = \"SLAVE\"\nbrokerId = 1", (0, 1, true));
    }
}
