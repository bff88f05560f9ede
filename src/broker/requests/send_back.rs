//! CONSUMER_SEND_MSG_BACK (36): a consumer gives a message back; it comes again through %RETRY%group after a delay, or
//! goes to %DLQ%group when it was tried too often (Java: `AbstractSendMessageProcessor.consumerSendMsgBack`).

use std::sync::Arc;

use bytes::Bytes;

use crate::broker::action::{Action, AfterAppend, AfterEscape, AfterRecord, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendBackRequest;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId};
use crate::protocol::properties::{self, key};
use crate::protocol::record::{BodyCrc, RecordView};
use crate::protocol::sys_flag::{self, perm};
use crate::protocol::topic_name;
use crate::store::{Append, NewMessage};

use super::lookup::TOPICS_FULL;

/// Delay level of the first retry when the client leaves it to the broker (10 s with Java's levels).
const FIRST_RETRY_LEVEL: i32 = 3;

/// A send-back whose message is being looked up.
#[derive(Debug)]
pub struct SendBack {
    to: RequestId,
    at: PhysicalOffset,
    group: Arc<str>,
    retry_topic: Arc<str>,
    retry_queue: QueueId,
    delay_level: i32,
    tries_max: i32,
}

impl SendBack {
    /// Who waits.
    pub(in crate::broker) fn to(&self) -> RequestId {
        self.to
    }

    /// The delay level after so many tries: the client's, or each time the next one.
    fn level_after(&self, tried: i32) -> i32 {
        if self.delay_level == 0 { FIRST_RETRY_LEVEL.saturating_add(tried) } else { self.delay_level }
    }
}

impl Core {
    /// Checks a send-back and looks the message up.
    pub(in crate::broker) fn send_back(
        &mut self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = SendBackRequest::decode(&command.ext)?;
        let (group, settings) = self.group_in_use(now, header.group)?;
        if !perm::is_writable(i32::from(self.config.requests.permission)) {
            return Err(Error::BrokerNotWritable { broker: self.config.addresses.client.to_string() });
        }
        if settings.retry_queue_nums <= 0 {
            actions.push(Action::Reply { to, response: super::ok() });
            return Ok(());
        }
        let retry_topic = self.retry_topic(now, &group, settings.retry_queue_nums, header.unit_mode)?;
        self.queue_turn = self.queue_turn.wrapping_add(1) & i32::MAX;
        let send_back = SendBack {
            to,
            at: header.offset,
            group,
            retry_topic,
            retry_queue: QueueId(self.queue_turn % settings.retry_queue_nums),
            delay_level: header.delay_level,
            tries_max: super::reconsume_times_max(command, header.max_reconsume_times, &settings),
        };
        actions.push(Action::ReadRecord { at: header.offset, then: AfterRecord::SendBack(Box::new(send_back)) });
        Ok(())
    }

    /// The retry topic of a group. A slave makes no topic: the master that takes the message does.
    fn retry_topic(&mut self, now: Millis, group: &str, queues: i32, unit_mode: bool) -> Result<Arc<str>, Error> {
        let name = topic_name::retry_topic(group);
        if self.is_slave() {
            return Ok(name.into());
        }
        let sys_flag = if unit_mode { sys_flag::topic::UNIT_SUB } else { 0 };
        let (retry_topic, config) = self.topics.ensure(now, &name, queues, false, sys_flag).ok_or(TOPICS_FULL)?;
        if !perm::is_writable(config.perm) {
            return Err(Error::TopicNotWritable { topic: name });
        }
        Ok(retry_topic)
    }

    /// The message was found; its copy goes to the retry or the dead letter topic.
    pub(in crate::broker) fn send_back_found(
        &mut self,
        now: Millis,
        send_back: &SendBack,
        record: Option<Bytes>,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let missing = || Error::MessageNotFound { offset: send_back.at };
        let record = record.ok_or_else(missing)?;
        let message = RecordView::parse(&record, BodyCrc::Trust).map_err(|_| missing())?;
        let mut properties = message.properties_text().into_owned();
        if properties::get(&properties, key::RETRY_TOPIC).is_none() {
            properties::set(&mut properties, key::RETRY_TOPIC, message.topic);
        }
        if properties::get(&properties, key::ORIGIN_MESSAGE_ID).is_none_or(|id| id.trim().is_empty()) {
            let id = message.message_id();
            properties::set(&mut properties, key::ORIGIN_MESSAGE_ID, &id);
        }
        let original: Arc<str> = properties::get(&properties, key::RETRY_TOPIC).unwrap_or_default().into();
        let dead = message.reconsume_times >= send_back.tries_max || send_back.delay_level < 0;
        let (mut topic, mut queue, level) = if dead {
            properties::remove(&mut properties, key::DELAY_TIME_LEVEL);
            (self.dead_letter_of(now, &send_back.group)?, QueueId(0), 0)
        } else {
            let level = send_back.level_after(message.reconsume_times);
            properties::set(&mut properties, key::DELAY_TIME_LEVEL, &level.to_string());
            (Arc::clone(&send_back.retry_topic), send_back.retry_queue, level)
        };
        self.delay(level, &mut topic, &mut queue, &mut properties);
        let copy = NewMessage {
            topic,
            queue,
            flag: message.flag,
            sys_flag: message.sys_flag,
            born: message.born_timestamp,
            born_host: message.born_host,
            store_host: self.store_host(),
            reconsume_times: message.reconsume_times.saturating_add(1),
            prepared_transaction_offset: PhysicalOffset(0),
            properties: properties.into(),
            body: record.slice_ref(message.body),
        };
        let (to, group) = (send_back.to, Arc::clone(&send_back.group));
        if self.is_slave() {
            actions.push(self.escape(copy, AfterEscape::SendBack { to, group, topic: original, dead }));
            return Ok(());
        }
        let then = AfterAppend::SendBack { to, group, topic: original, dead, goal: self.goal(true)? };
        actions.push(Action::Append { messages: Append { messages: smallvec::smallvec![copy] }, then });
        Ok(())
    }

    /// The dead letter topic of a group; a slave makes none, as above.
    fn dead_letter_of(&mut self, now: Millis, group: &str) -> Result<Arc<str>, Error> {
        if self.is_slave() {
            return Ok(topic_name::dlq_topic(group).into());
        }
        self.dead_letter_topic(now, group)
    }
}
