//! Figures about topics, groups and clients: 202, 203, 204, 208, 303, 315, 317, 321, 328 (Java: `AdminBrokerProcessor`).
//!
//! What is in memory is filled in by the core. Store times of messages are read from the log afterwards, by [`StatsQuery`].

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::action::{Action, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::broker::state::clients::{Member, Members};
use crate::broker::state::stats::name;
use crate::protocol::body::MessageQueue;
use crate::protocol::body::connection::{
    Connection, ConsumerConnection, ProducerConnection, ProducerInfo, ProducerTable,
};
use crate::protocol::body::progress::{ConsumeStats, ConsumeStatsList, OffsetWrapper};
use crate::protocol::body::stats::KvTable;
use crate::protocol::body::topic::{ConsumeTimeSpan, QueueTimeSpan, TopicOffset, TopicStatsTable};
use crate::protocol::command::Command;
use crate::protocol::headers::client::ConsumerGroupRequest;
use crate::protocol::headers::group_admin::{ConsumeStatsRequest, ProducerGroupRequest};
use crate::protocol::headers::stats_admin::{BrokerConsumeStatsRequest, BrokerStatsRequest};
use crate::protocol::headers::topic_admin::{ConsumeTimeSpanRequest, TopicRequest};
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::protocol::record::{BodyCrc, RecordView};
use crate::store::{Patience, ReadError, View};

use super::consume_queue_admin::UnitsQuery;
use super::ok_json;
use super::query::Query;

/// A body that lacks the store times of messages.
#[derive(Clone, Debug, PartialEq)]
pub enum StatsQuery {
    /// GET_TOPIC_STATS_INFO: the time of each queue's last message.
    Topic(TopicStatsTable),
    /// GET_CONSUME_STATS: the time of the message consumed last in each queue.
    Group(ConsumeStats),
    /// GET_BROKER_CONSUME_STATS: the same for every group.
    Groups(ConsumeStatsList),
    /// QUERY_CONSUME_TIME_SPAN.
    TimeSpan {
        /// When it was asked.
        now: Millis,
        /// Each queue with its range and the offset of the group, -1 for none.
        queues: Vec<(MessageQueue, TopicOffset, QueueOffset)>,
    },
    /// QUERY_CONSUME_QUEUE.
    Units(UnitsQuery),
    /// GET_BROKER_RUNTIME_INFO: the time of the oldest message.
    Runtime(KvTable),
}

impl StatsQuery {
    /// Reads the times and answers.
    ///
    /// # Errors
    /// [`ReadError::WouldBlock`] when the page cache does not hold what is needed and `patience` forbids to wait.
    pub fn run(&self, view: &View, patience: Patience) -> Result<Command, ReadError> {
        match self {
            StatsQuery::Topic(body) => {
                let mut body = body.clone();
                for (queue, offset) in &mut body.offset_table {
                    let time = time_at(view, queue, offset.max_offset - 1, patience)?;
                    offset.last_update_timestamp = time.unwrap_or(0);
                }
                Ok(ok_json(&body))
            }
            StatsQuery::Group(body) => {
                let mut body = body.clone();
                add_times(view, &mut body, patience)?;
                Ok(ok_json(&body))
            }
            StatsQuery::Groups(body) => {
                let mut body = body.clone();
                for stats in body.consume_stats_list.iter_mut().flat_map(BTreeMap::values_mut).flatten() {
                    add_times(view, stats, patience)?;
                }
                Ok(ok_json(&body))
            }
            StatsQuery::TimeSpan { now, queues } => {
                let span = |(queue, range, consumed): &(MessageQueue, TopicOffset, QueueOffset)| {
                    time_span(view, *now, queue, *range, *consumed, patience)
                };
                let spans: Result<Vec<_>, ReadError> = queues.iter().map(span).collect();
                Ok(ok_json(&ConsumeTimeSpan { consume_time_span_set: spans? }))
            }
            StatsQuery::Units(query) => query.run(view, patience),
            StatsQuery::Runtime(body) => {
                let mut body = body.clone();
                let earliest = earliest_time(view, patience)?.unwrap_or(Millis(-1));
                body.table.insert("earliestMessageTimeStamp".to_owned(), earliest.to_string());
                Ok(ok_json(&body))
            }
        }
    }
}

/// The store time of the oldest message.
fn earliest_time(view: &View, patience: Patience) -> Result<Option<Millis>, ReadError> {
    let usage = view.usage();
    if usage.earliest_store_time.is_some() || usage.first == usage.written {
        return Ok(usage.earliest_store_time);
    }
    let record = view.record_at(usage.first, patience)?;
    Ok(record.and_then(|record| Some(RecordView::parse(&record, BodyCrc::Trust).ok()?.store_timestamp)))
}

/// The time of the message consumed last in each queue; 0 when none was or it is gone.
fn add_times(view: &View, stats: &mut ConsumeStats, patience: Patience) -> Result<(), ReadError> {
    for (queue, offset) in &mut stats.offset_table {
        let time = time_at(view, queue, offset.consumer_offset - 1, patience)?;
        offset.last_timestamp = time.unwrap_or(0);
    }
    Ok(())
}

fn time_at(view: &View, queue: &MessageQueue, offset: i64, patience: Patience) -> Result<Option<i64>, ReadError> {
    if offset < 0 {
        return Ok(None);
    }
    let time = view.store_time(&queue.topic, QueueId(queue.queue_id), QueueOffset(offset), patience)?;
    Ok(time.map(|time| time.0))
}

fn time_span(
    view: &View,
    now: Millis,
    queue: &MessageQueue,
    range: TopicOffset,
    consumed: QueueOffset,
    patience: Patience,
) -> Result<QueueTimeSpan, ReadError> {
    let time = |offset| time_at(view, queue, offset, patience).map(|time| time.unwrap_or(-1));
    let min_time_stamp = time(range.min_offset)?;
    let mut span = QueueTimeSpan {
        consume_time_stamp: if consumed.0 > 0 { time(consumed.0 - 1)? } else { min_time_stamp },
        delay_time: 0,
        max_time_stamp: time(range.max_offset - 1)?,
        message_queue: queue.clone(),
        min_time_stamp,
    };
    if consumed.0 < range.max_offset {
        let next = time_at(view, queue, consumed.0.max(range.min_offset), patience)?;
        span.delay_time = next.map_or(0, |next| now.0.saturating_sub(next));
    }
    Ok(span)
}

impl Core {
    /// GET_TOPIC_STATS_INFO.
    pub(super) fn topic_stats(&self, to: RequestId, command: &Command, actions: &mut Vec<Action>) -> Result<(), Error> {
        let topic = TopicRequest::decode(&command.ext)?.topic;
        let (_, config) = self.known_topic(topic)?;
        let queues = config.write_queue_nums.max(config.read_queue_nums);
        let body = TopicStatsTable {
            offset_table: (0..queues).map(|queue| (self.queue(topic, queue), self.range(topic, queue))).collect(),
            topic_put_tps: self.tps_per_minute(name::TOPIC_PUT_NUMS, topic),
        };
        self.read_times(to, StatsQuery::Topic(body), actions);
        Ok(())
    }

    /// GET_CONSUME_STATS: the topics asked for, or all that the group has consumed of and, if it is online, subscribes to.
    pub(super) fn consume_stats(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumeStatsRequest::decode(&command.ext)?;
        let group = header.consumer_group;
        let mut body = ConsumeStats::default();
        for topic in self.topics_to_report(&header) {
            if let Some((_, config)) = self.topics.get(&topic) {
                self.add_progress(&mut body, group, &topic, config.read_queue_nums);
            }
        }
        self.read_times(to, StatsQuery::Group(body), actions);
        Ok(())
    }

    fn topics_to_report(&self, header: &ConsumeStatsRequest<'_>) -> BTreeSet<String> {
        let group = header.consumer_group;
        let listed = header.topic_list.unwrap_or_default().split(';').map(str::trim).filter(|topic| !topic.is_empty());
        let listed: BTreeSet<String> = listed.map(str::to_owned).collect();
        if !listed.is_empty() {
            return listed;
        }
        let candidates: BTreeSet<String> = match header.topic.filter(|topic| !topic.trim().is_empty()) {
            Some(topic) => BTreeSet::from([topic.to_owned()]),
            None => self.offsets.topics_of(group).map(ToString::to_string).collect(),
        };
        candidates.into_iter().filter(|topic| self.may_consume(group, topic)).collect()
    }

    /// GET_BROKER_CONSUME_STATS: progress of every group, of all topics or only of ordered ones.
    pub(super) fn consume_stats_of_all(
        &self,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = BrokerConsumeStatsRequest::decode(&command.ext)?;
        let mut body = ConsumeStatsList { broker_addr: self.store_host().to_string(), ..ConsumeStatsList::default() };
        for (group, _) in self.groups.iter() {
            let mut per_topic = Vec::new();
            for topic in self.offsets.topics_of(group) {
                let Some((_, config)) = self.topics.get(topic) else { continue };
                if header.is_order && !config.order || !self.may_consume(group, topic) {
                    continue;
                }
                let mut stats = ConsumeStats::default();
                self.add_progress(&mut stats, group, topic, config.write_queue_nums);
                for offset in stats.offset_table.values() {
                    body.total_diff += offset.broker_offset - offset.consumer_offset;
                    body.total_inflight_diff += offset.pull_offset - offset.consumer_offset;
                }
                per_topic.push(stats);
            }
            body.consume_stats_list.push(BTreeMap::from([(group.to_string(), per_topic)]));
        }
        self.read_times(to, StatsQuery::Groups(body), actions);
        Ok(())
    }

    fn add_progress(&self, stats: &mut ConsumeStats, group: &str, topic: &str, queues: i32) {
        for queue in 0..queues {
            let committed = self.offsets.get(topic, group, QueueId(queue)).unwrap_or_default();
            let pulled = self.offsets.pull_position(topic, group, QueueId(queue)).unwrap_or_default();
            let progress = OffsetWrapper {
                broker_offset: self.view.queue_range(topic, QueueId(queue)).max.0,
                consumer_offset: committed.0,
                last_timestamp: 0,
                pull_offset: pulled.max(committed).0,
            };
            stats.offset_table.insert(self.queue(topic, queue), progress);
        }
        stats.consume_tps += self.tps_per_minute(name::GROUP_GET_NUMS, &format!("{topic}@{group}"));
    }

    /// QUERY_CONSUME_TIME_SPAN.
    pub(super) fn consume_time_span(
        &self,
        now: Millis,
        to: RequestId,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = ConsumeTimeSpanRequest::decode(&command.ext)?;
        let topic = header.topic;
        let (_, config) = self.known_topic(topic)?;
        let queues = (0..config.write_queue_nums).map(|queue| {
            let consumed = self.offsets.get(topic, header.group, QueueId(queue)).unwrap_or(QueueOffset(-1));
            (self.queue(topic, queue), self.range(topic, queue), consumed)
        });
        self.read_times(to, StatsQuery::TimeSpan { now, queues: queues.collect() }, actions);
        Ok(())
    }

    /// VIEW_BROKER_STATS_DATA: one counter with its three windows.
    pub(super) fn broker_stats(&self, command: &Command) -> Result<Command, Error> {
        let header = BrokerStatsRequest::decode(&command.ext)?;
        let (series, key) = (header.stats_name, header.stats_key);
        let found = self.stats.find(series, key);
        let found = found.ok_or_else(|| Error::Failed { reason: format!("The stats <{series}> <{key}> not exist") })?;
        Ok(ok_json(&found.read()))
    }

    /// GET_CONSUMER_CONNECTION_LIST.
    pub(super) fn consumer_connection(&self, command: &Command) -> Result<Command, Error> {
        let name = ConsumerGroupRequest::decode(&command.ext)?.consumer_group;
        let group = self
            .consumers
            .get(name)
            .ok_or_else(|| Error::ConsumerNotOnline { reason: format!("the consumer group[{name}] not online") })?;
        Ok(ok_json(&ConsumerConnection {
            connection_set: connections(&group.members),
            consume_from_where: group.consume_from_where,
            consume_type: group.consume_type,
            message_model: group.message_model,
            subscription_table: group.subscriptions.clone(),
        }))
    }

    /// GET_PRODUCER_CONNECTION_LIST.
    pub(super) fn producer_connection(&self, command: &Command) -> Result<Command, Error> {
        let name = ProducerGroupRequest::decode(&command.ext)?.producer_group;
        let members = self.producers.members(name);
        let members =
            members.ok_or_else(|| Error::Failed { reason: format!("the producer group[{name}] not exist") })?;
        Ok(ok_json(&ProducerConnection { connection_set: connections(members) }))
    }

    /// GET_ALL_PRODUCER_INFO.
    pub(super) fn producer_table(&self) -> Command {
        let info = |member: &Member| ProducerInfo {
            client_id: member.client_id.to_string(),
            language: member.language,
            last_update_timestamp: member.heard.0,
            remote_ip: member.remote.to_string(),
            version: member.version,
        };
        let groups = self.producers.iter();
        let data = groups.map(|(group, members)| (group.to_owned(), members.values().map(info).collect()));
        ok_json(&ProducerTable { data: data.collect() })
    }

    /// A queue of this broker as bodies name it.
    pub(super) fn queue(&self, topic: &str, queue: i32) -> MessageQueue {
        MessageQueue { broker_name: self.config.identity.name.clone(), queue_id: queue, topic: topic.to_owned() }
    }

    fn range(&self, topic: &str, queue: i32) -> TopicOffset {
        let range = self.view.queue_range(topic, QueueId(queue));
        TopicOffset { last_update_timestamp: 0, max_offset: range.max.0, min_offset: range.min.0 }
    }

    fn tps_per_minute(&self, series: &str, key: &str) -> f64 {
        self.stats.find(series, key).map_or(0.0, |series| series.read().stats_minute.tps)
    }

    /// Has the times read that `query` lacks.
    pub(super) fn read_times(&self, to: RequestId, query: StatsQuery, actions: &mut Vec<Action>) {
        actions.push(Action::Query { to, query: Box::new(Query::Stats(query)) });
    }
}

fn connections(members: &Members) -> Vec<Connection> {
    let connection = |member: &Member| Connection {
        client_addr: member.remote.to_string(),
        client_id: member.client_id.to_string(),
        language: member.language,
        version: member.version,
    };
    members.values().map(connection).collect()
}
