//! Progress of consumers and ends of queues: 14, 15, 29, 30, 31, 32.

use super::{FieldValue, header};
use crate::protocol::command::ExtFields;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};

header! {
    /// Progress of a group in a queue (14 QUERY_CONSUMER_OFFSET).
    QueryConsumerOffsetRequest<'a> = "QueryConsumerOffsetRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// `Some(false)`: answer 22 rather than guess 0.
        set_zero_if_not_found: Option<bool> => "setZeroIfNotFound",
    }
}

header! {
    /// An offset: answer to 14, 29, 30 and 31.
    OffsetResponse = "QueryConsumerOffsetResponseHeader, SearchOffsetResponseHeader, GetMaxOffsetResponseHeader, GetMinOffsetResponseHeader" {
        /// Queue offset.
        offset: QueueOffset => "offset",
    }
}

header! {
    /// Keep the progress of a group in a queue (15 UPDATE_CONSUMER_OFFSET), usually one way.
    UpdateConsumerOffsetRequest<'a> = "UpdateConsumerOffsetRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// First message not consumed yet.
        commit_offset: QueueOffset => "commitOffset",
    }
}

/// Which message of those with the same store time is meant (`BoundaryType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Boundary {
    /// The first one stored at or after the time; one after the last message when there is none.
    #[default]
    Lower,
    /// The last one stored at or before it; 0 when there is none.
    Upper,
}

impl<'a> FieldValue<'a> for Boundary {
    const EXPECTED: &'static str = "lower or upper";
    /// As Java: whatever is not "upper" in any case is lower.
    fn read(text: &'a str) -> Option<Self> {
        Some(if text.eq_ignore_ascii_case("upper") { Boundary::Upper } else { Boundary::Lower })
    }
    fn write(&self, name: &'static str, ext: &mut ExtFields) {
        ext.set(
            name,
            match self {
                Boundary::Lower => "LOWER",
                Boundary::Upper => "UPPER",
            },
        );
    }
}

header! {
    /// The message stored at a time (29 SEARCH_OFFSET_BY_TIMESTAMP).
    SearchOffsetRequest<'a> = "SearchOffsetRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// Store time.
        timestamp: Millis => "timestamp",
        /// Which of equals; lower when absent.
        boundary: Option<Boundary> => "boundaryType",
        /// Lite topic (5.5).
        lite_topic: Option<&'a str> => "liteTopic",
    }
}

header! {
    /// One past the last message (30 GET_MAX_OFFSET).
    MaxOffsetRequest<'a> = "GetMaxOffsetRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// Whether only confirmed messages count.
        committed: bool => "committed" or true,
    }
}

header! {
    /// The first message kept (31 GET_MIN_OFFSET) or its store time (32 GET_EARLIEST_MSG_STORETIME).
    QueueRequest<'a> = "GetMinOffsetRequestHeader, GetEarliestMsgStoretimeRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
    }
}

header! {
    /// Answer to 32.
    EarliestStoreTimeResponse = "GetEarliestMsgStoretimeResponseHeader" {
        /// Store time of the first message kept; -1 when there is none.
        timestamp: Millis => "timestamp",
    }
}
