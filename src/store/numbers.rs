//! The next number of each queue when a follower becomes leader: the queues know it, except for records that are not
//! dispatched yet, which are looked through.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::consume_queue::Queue;
use super::dispatch;
use super::error::Error;
use super::shared::Shared;
use super::walk::walk;
use crate::protocol::ids::{PhysicalOffset, QueueOffset};

/// The numbers that follow the records up to a position.
pub(super) struct Numbered {
    /// The log ended here.
    pub(super) end: PhysicalOffset,
    queues: Vec<(Arc<Queue>, QueueOffset)>,
}

impl Numbered {
    /// All records up to `end` are in their queues.
    pub(super) fn dispatched(end: PhysicalOffset) -> Numbered {
        Numbered { end, queues: Vec::new() }
    }

    /// All queues assign from here on.
    pub(super) fn assign(self, shared: &Shared) {
        shared.queues.all().iter().for_each(|queue| queue.assign_from_end());
        self.queues.iter().for_each(|(queue, next)| queue.assign_from(*next));
    }
}

/// Looks through the records from `from`, the first that is not dispatched, to the end of the log. Records of `deleted`
/// topics before their positions have no queue.
pub(super) fn count(
    shared: &Shared,
    from: PhysicalOffset,
    to: PhysicalOffset,
    deleted: &HashMap<String, PhysicalOffset>,
) -> Result<Numbered, Error> {
    let mut queues = BTreeMap::new();
    walk(shared, from, to, |record| {
        if deleted.get(record.topic).is_some_and(|written| record.physical_offset < *written) {
            return;
        }
        if let Some(queue) = dispatch::queue_of(shared, record) {
            queues.insert(queue.serial, (queue, record.queue_offset + 1));
        }
    })?;
    Ok(Numbered { end: to, queues: queues.into_values().collect() })
}
