//! Delayed messages that come due go to their real topic (Java: `ScheduleMessageService`).

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::properties::key;
use crate::protocol::record::{BodyCrc, RecordView};
use crate::store::{Append, Appended, NewMessage};

use super::action::{Action, AfterAppend, AfterEscape};
use super::core::Core;
use super::error::Error;
use super::event::DelayedUnit;
use super::requests;
use super::state::delay::Due;
use super::state::stats::MessageKind;

/// A level whose queue could not be read is read again after this long.
const RETRY_MILLIS: i64 = 1_000;

impl Core {
    /// Units of a level were read: those that are due are appended, the first that is not says when to look again.
    pub(super) fn delayed_read(
        &mut self,
        now: Millis,
        level: usize,
        from: QueueOffset,
        units: Result<Vec<DelayedUnit>, String>,
        actions: &mut Vec<Action>,
    ) {
        let units = match units {
            Ok(units) => units,
            Err(reason) => {
                tracing::warn!(broker = %self.config.identity, level, reason, "delay level not read, will be tried again");
                self.delays.read_done(level, from, 0, Some(now.plus(RETRY_MILLIS)));
                return;
            }
        };
        let mut next = units.first().map_or(from, |unit| unit.offset);
        let mut delivering = 0;
        let mut wait = None;
        for unit in units {
            if let Due::At(due) = self.delays.due(now, level, unit.due) {
                wait = Some(due);
                break;
            }
            if !self.delivers() {
                break;
            }
            next = unit.offset + 1;
            // A message that retention has deleted, or that is no message, cannot be delivered and must not stop the level.
            let Some(message) = unit.record.as_ref().and_then(|record| self.due_message(record)) else {
                tracing::warn!(broker = %self.config.identity, level, offset = %unit.offset, "delayed message is gone");
                continue;
            };
            delivering += 1;
            actions.push(self.deliver(level, unit.offset, message));
        }
        self.delays.read_done(level, next, delivering, wait);
    }

    /// A master stores the message; a slave that acts for it has another master do that.
    fn deliver(&self, level: usize, offset: QueueOffset, message: NewMessage) -> Action {
        if self.is_slave() {
            let then = AfterEscape::Delayed { level, offset };
            return self.escape(message, then);
        }
        let then = AfterAppend::Delayed { level, offset, topic: Arc::clone(&message.topic) };
        Action::Append { messages: Append { messages: smallvec::smallvec![message] }, then }
    }

    /// Has another master store a message.
    pub(super) fn escape(&self, message: NewMessage, then: AfterEscape) -> Action {
        let queues = self.topics.get(&message.topic).map_or(1, |(_, config)| config.write_queue_nums);
        Action::Escape { message: Box::new(message), queues, then }
    }

    /// Another master has stored the message, or none has.
    pub(super) fn escaped(
        &mut self,
        now: Millis,
        then: AfterEscape,
        result: Result<(), String>,
        actions: &mut Vec<Action>,
    ) {
        match (then, result) {
            (AfterEscape::Delayed { level, offset }, Ok(())) => {
                self.stats.group(&self.schedule_topic, &self.schedule_group).get_nums.add(now, 1);
                self.delays.taken(now, level, offset);
            }
            (AfterEscape::Delayed { level, offset }, Err(error)) => {
                tracing::warn!(broker = %self.config.identity, level, %offset, error, "delayed message not delivered yet");
                self.delays.failed(now, level, offset);
            }
            (AfterEscape::SendBack { to, group, topic, dead }, Ok(())) => {
                let counts = self.stats.group(&topic, &group);
                counts.send_back.add(now, 1);
                counts.dead += u64::from(dead);
                actions.push(Action::Reply { to, response: requests::ok() });
            }
            (AfterEscape::SendBack { to, .. }, Err(reason)) => {
                let error = Error::NoMasterNear { broker: self.config.addresses.client.to_string(), reason };
                actions.push(Action::Reply { to, response: error.to_response() });
            }
        }
    }

    /// Counts a delivery as Java does: taken out of the schedule topic by a group of the system, and put into its real topic,
    /// retry topics included (`ScheduleMessageService.PutResultProcess.onSuccess`).
    pub(super) fn count_delivery(&mut self, now: Millis, topic: &Arc<str>, appended: &Appended) {
        // The interned name: a name of its own for every message would keep as many alive.
        let topic = self.topics.get(topic).map_or(topic, |(name, _)| name).clone();
        self.count_put(now, &topic, Some(MessageKind::Delay), appended);
        let out = self.stats.group(&self.schedule_topic, &self.schedule_group);
        out.get_nums.add(now, appended.physical.len() as u64);
        out.get_size.add(now, appended.bytes());
    }

    /// The message as it is delivered. Its properties stay as they are, as in Java: DELAY, REAL_TOPIC and REAL_QID too.
    fn due_message(&self, record: &Bytes) -> Option<NewMessage> {
        let message = RecordView::parse(record, BodyCrc::Trust).ok()?;
        let topic = message.property(key::REAL_TOPIC)?;
        let queue = message.property(key::REAL_QUEUE_ID)?.parse().ok()?;
        Some(NewMessage {
            topic: topic.into(),
            queue: QueueId(queue),
            flag: message.flag,
            sys_flag: message.sys_flag,
            born: message.born_timestamp,
            born_host: message.born_host,
            store_host: self.store_host(),
            reconsume_times: message.reconsume_times,
            prepared_transaction_offset: PhysicalOffset(0),
            properties: record.slice_ref(message.properties),
            body: record.slice_ref(message.body),
        })
    }
}
