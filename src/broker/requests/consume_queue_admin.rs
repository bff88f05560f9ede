//! QUERY_CONSUME_QUEUE (321): units of a consume queue as they are stored.

use crate::broker::action::{Action, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::body::consume_queue::{ConsumeQueueData, ConsumeQueueUnits};
use crate::protocol::command::Command;
use crate::protocol::headers::stats_admin::ConsumeQueueRequest;
use crate::protocol::ids::{QueueId, QueueOffset};
use crate::store::{Patience, ReadError, View};

use super::ok_json;
use super::stats_admin::StatsQuery;

/// Units of one answer at most, whatever is asked for.
const UNITS_MAX: i64 = 10_000;

/// The units to be read, and all of the answer but them.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitsQuery {
    topic: String,
    queue: QueueId,
    first: QueueOffset,
    count: i64,
    body: ConsumeQueueUnits,
}

impl Core {
    /// QUERY_CONSUME_QUEUE.
    pub(super) fn consume_queue(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumeQueueRequest::decode(&command.ext)?;
        let (topic, queue) = (header.topic, header.queue_id);
        let known = self.topics.get(topic).map(|(_, config)| config.read_queue_nums.max(config.write_queue_nums));
        if !known.is_some_and(|queues| (0..queues).contains(&queue.0)) {
            return Err(Error::Failed { reason: format!("{queue}@{topic} is not exist!") });
        }
        let range = self.view.queue_range(topic, queue);
        let mut body = ConsumeQueueUnits {
            max_queue_index: range.max.0,
            min_queue_index: range.min.0,
            ..ConsumeQueueUnits::default()
        };
        if let Some(group) = header.consumer_group {
            let subscription = self.consumers.get(group).and_then(|group| group.subscriptions.get(topic));
            body.subscription_data = subscription.cloned();
            let offline = || format!("{group}@{topic} is not online!");
            body.filter_data = Some(if subscription.is_some() { "null".to_owned() } else { offline() });
        }
        let first = if header.index < 0 { range.max.0.saturating_add(header.index) } else { header.index };
        let first = QueueOffset(first).max(range.min);
        let count = i64::from(header.count).min(UNITS_MAX).min(range.max.0 - first.0).max(0);
        let query = UnitsQuery { topic: topic.to_owned(), queue, first, count, body };
        self.read_times(to, StatsQuery::Units(query), actions);
        Ok(())
    }
}

impl UnitsQuery {
    /// Reads the units and answers.
    pub(super) fn run(&self, view: &View, patience: Patience) -> Result<Command, ReadError> {
        let mut body = self.body.clone();
        for number in 0..self.count {
            let Some(unit) = view.queue_unit(&self.topic, self.queue, self.first + number, patience)? else { break };
            body.queue_data.push(ConsumeQueueData {
                physic_offset: unit.physical.0,
                physic_size: unit.size,
                tags_code: unit.tags_code,
            });
        }
        Ok(ok_json(&body))
    }
}
