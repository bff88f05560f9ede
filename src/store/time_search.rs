//! From a time to a message (Java: `ConsumeQueue.getOffsetInQueueByTime`, `binarySearchInQueueByTime`).

use super::consume_queues::partition_point;
use super::error::ReadError;
use super::log::Patience;
use super::view::View;
use crate::protocol::headers::offset::Boundary;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};

impl View {
    /// The message of a queue for a time. Store times grow with the queue, except where the clock was set back.
    ///
    /// One difference to Java: where that returns the start of a file whose first messages are deleted already, this returns
    /// the first message there is.
    ///
    /// # Errors
    /// As [`View::record_at`].
    pub fn offset_by_time(
        &self,
        topic: &str,
        queue: QueueId,
        time: Millis,
        boundary: Boundary,
        patience: Patience,
    ) -> Result<QueueOffset, ReadError> {
        let Some(queue) = self.shared.queues.get(topic, queue) else { return Ok(QueueOffset(0)) };
        let range = queue.range();
        // What is deleted was stored before everything that is there.
        let stored = |offset: i64| -> Result<Option<Millis>, ReadError> {
            match self.shared.queues.read(&queue, offset, 1, patience)?.first() {
                Some(unit) if !unit.is_blank() => self.time_of(unit, patience),
                _ => Ok(None),
            }
        };
        let (min, max) = (range.min.0, range.max.0);
        let found = match boundary {
            Boundary::Lower => partition_point(min, max, |at| stored(at).map(|t| t.is_none_or(|t| t < time)))?,
            Boundary::Upper => {
                let after = partition_point(min, max, |at| stored(at).map(|t| t.is_none_or(|t| t <= time)))?;
                if after > min || min == max { (after - 1).max(0) } else { 0 }
            }
        };
        Ok(QueueOffset(found))
    }
}
