//! Pulling: 11 and 361.

use super::header;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};

header! {
    /// Read messages of one queue (11 PULL_MESSAGE, 361 LITE_PULL_MESSAGE).
    PullRequest<'a> = "PullMessageRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Topic.
        topic: &'a str => "topic",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// First message wanted.
        queue_offset: QueueOffset => "queueOffset",
        /// Most messages wanted.
        max_msg_nums: i32 => "maxMsgNums",
        /// Bits of `sys_flag::pull`.
        sys_flag: i32 => "sysFlag",
        /// Progress to keep when bit 0 of `sysFlag` is set.
        commit_offset: QueueOffset => "commitOffset",
        /// How long the broker may hold the request when bit 1 is set.
        suspend_timeout_millis: i64 => "suspendTimeoutMillis",
        /// Filter expression when bit 2 is set.
        subscription: Option<&'a str> => "subscription",
        /// Version of the subscription the client has.
        sub_version: i64 => "subVersion",
        /// TAG or SQL92.
        expression_type: Option<&'a str> => "expressionType",
        /// Most bytes wanted; Java brokers ignore it.
        max_msg_bytes: Option<i32> => "maxMsgBytes",
        /// Who asks: -1 or absent SDK, 0 to 2 kinds of proxy requests.
        request_source: Option<i32> => "requestSource",
        /// The client behind a proxy; spelled as in Java.
        proxy_forward_client_id: Option<&'a str> => "proxyFrowardClientId",
        /// Lite topic (5.5).
        lite_topic: Option<&'a str> => "liteTopic",
    }
}

header! {
    /// Where to read on; the body holds the records.
    PullResponse = "PullMessageResponseHeader" {
        /// Broker id to read from next.
        suggest_which_broker_id: i64 => "suggestWhichBrokerId",
        /// Where to read on.
        next_begin_offset: QueueOffset => "nextBeginOffset",
        /// First message kept.
        min_offset: QueueOffset => "minOffset",
        /// One past the last message.
        max_offset: QueueOffset => "maxOffset",
        /// Difference of static topics' offsets.
        offset_delta: Option<i64> => "offsetDelta",
        /// System flag of the topic.
        topic_sys_flag: Option<i32> => "topicSysFlag",
        /// System flag of the group.
        group_sys_flag: Option<i32> => "groupSysFlag",
        /// Why code 16 was answered.
        forbidden_type: Option<i32> => "forbiddenType",
    }
}

/// Values of [`PullResponse::forbidden_type`] (`ForbiddenType`).
pub mod forbidden_type {
    /// The broker may not be read.
    pub const BROKER: i32 = 1;
    /// The group may not consume.
    pub const GROUP: i32 = 2;
    /// The topic may not be read.
    pub const TOPIC: i32 = 3;
    /// The group may not consume as broadcast.
    pub const BROADCASTING: i32 = 4;
    /// The group may not read this topic.
    pub const SUBSCRIPTION: i32 = 5;
}

impl PullRequest<'_> {
    /// When a pull that is held from `now` on has to be answered.
    #[must_use]
    pub fn hold_until(&self, now: Millis) -> Millis {
        now.plus(self.suspend_timeout_millis.max(0))
    }
}
