//! How far groups have come and where queues begin and end: 14, 15, 30, 31.

use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::command::Command;
use crate::protocol::headers::offset::{
    MaxOffsetRequest, OffsetResponse, QueryConsumerOffsetRequest, QueueRequest, UpdateConsumerOffsetRequest,
};
use crate::protocol::ids::{Millis, QueueOffset};

use super::ok;

impl Core {
    /// QUERY_CONSUMER_OFFSET: the committed offset; 0 for a group that is new to a queue that still has its first message
    /// close at hand; else code 22, and the client follows its `consumeFromWhere`.
    pub(super) fn query_consumer_offset(&self, command: &Command) -> Result<Command, Error> {
        let header = QueryConsumerOffsetRequest::decode(&command.ext)?;
        if let Some(offset) = self.offsets.get(header.topic, header.consumer_group, header.queue_id) {
            return Ok(offset_answer(offset));
        }
        if header.set_zero_if_not_found == Some(false) {
            return Err(not_found("Not found, do not set to zero, maybe this group boot first"));
        }
        let min = self.view.queue_range(header.topic, header.queue_id).min;
        if min.0 <= 0 && self.view.is_recent(header.topic, header.queue_id, QueueOffset(0)) {
            return Ok(offset_answer(QueueOffset(0)));
        }
        Err(not_found("Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first"))
    }

    /// UPDATE_CONSUMER_OFFSET.
    pub(super) fn update_consumer_offset(&mut self, now: Millis, command: &Command) -> Result<Command, Error> {
        let header = UpdateConsumerOffsetRequest::decode(&command.ext)?;
        let group = header.consumer_group;
        self.group_in_use(now, group)?;
        self.known_topic(header.topic)?;
        let counted = self.offsets.commit(now, header.topic, group, header.queue_id, header.commit_offset);
        let remark = (!counted).then(|| "Offset has been previously reset".to_owned());
        Ok(Command { remark, ..ok() })
    }

    /// GET_MAX_OFFSET: the offset the next message of the queue will have.
    pub(super) fn max_offset(&self, command: &Command) -> Result<Command, Error> {
        let header = MaxOffsetRequest::decode(&command.ext)?;
        Ok(offset_answer(self.view.queue_range(header.topic, header.queue_id).max))
    }

    /// GET_MIN_OFFSET: the offset of the oldest message that is still there.
    pub(super) fn min_offset(&self, command: &Command) -> Result<Command, Error> {
        let header = QueueRequest::decode(&command.ext)?;
        Ok(offset_answer(self.view.queue_range(header.topic, header.queue_id).min))
    }
}

fn offset_answer(offset: QueueOffset) -> Command {
    let mut answer = ok();
    OffsetResponse { offset }.encode(&mut answer.ext);
    answer
}

fn not_found(reason: &str) -> Error {
    Error::NotFound { reason: reason.to_owned() }
}
