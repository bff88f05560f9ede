//! Numbers about a broker: 315, 317, 321.

use super::header;
use crate::protocol::ids::QueueId;

header! {
    /// One counter (315 VIEW_BROKER_STATS_DATA).
    BrokerStatsRequest<'a> = "ViewBrokerStatsDataRequestHeader" {
        /// Name of the statistics, such as `TOPIC_PUT_NUMS`.
        stats_name: &'a str => "statsName",
        /// Key within it: a topic, or `topic@group`.
        stats_key: &'a str => "statsKey",
    }
}

header! {
    /// Progress of all groups (317 GET_BROKER_CONSUME_STATS).
    BrokerConsumeStatsRequest = "GetConsumeStatsInBrokerHeader" {
        /// Only ordered topics, or only others.
        is_order: bool => "isOrder",
    }
}

header! {
    /// Entries of a consume queue (321 QUERY_CONSUME_QUEUE).
    ConsumeQueueRequest<'a> = "QueryConsumeQueueRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// First entry; negative counts from the end.
        index: i64 => "index",
        /// Number of entries.
        count: i32 => "count",
        /// Group whose filter is tried on them.
        consumer_group: Option<&'a str> => "consumerGroup",
    }
}
