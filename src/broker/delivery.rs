//! Delayed messages that come due go to their real topic (Java: `ScheduleMessageService`).

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::properties::key;
use crate::protocol::record::{BodyCrc, RecordView};
use crate::store::{Append, Appended, NewMessage};

use super::action::{Action, AfterAppend};
use super::core::Core;
use super::event::DelayedUnit;
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
            next = unit.offset + 1;
            // A message that retention has deleted, or that is no message, cannot be delivered and must not stop the level.
            let Some(message) = unit.record.as_ref().and_then(|record| self.due_message(record)) else {
                tracing::warn!(broker = %self.config.identity, level, offset = %unit.offset, "delayed message is gone");
                continue;
            };
            delivering += 1;
            let then = AfterAppend::Delayed { level, offset: unit.offset, topic: Arc::clone(&message.topic) };
            actions.push(Action::Append { messages: Append { messages: smallvec::smallvec![message] }, then });
        }
        self.delays.read_done(level, next, delivering, wait);
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
