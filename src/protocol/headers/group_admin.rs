//! Groups and their progress: 201, 204, 207, 208, 222, 308, 314, 343, 345, 352, 353. (203 and 223 stand in `client`.)

use super::header;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};

header! {
    /// Delete a group (207 DELETE_SUBSCRIPTIONGROUP).
    DeleteGroupRequest<'a> = "DeleteSubscriptionGroupRequestHeader" {
        /// Consumer group.
        group_name: &'a str => "groupName",
        /// And its progress.
        clean_offset: bool => "cleanOffset" or false,
    }
}

header! {
    /// All groups, in pages from 5.3 on (201 GET_ALL_SUBSCRIPTIONGROUP_CONFIG); no field at all means everything.
    AllGroupConfigRequest<'a> = "GetAllSubscriptionGroupRequestHeader" {
        /// First group of the page, counted from 0.
        group_seq: Option<i32> => "groupSeq",
        /// Version of the first page, as JSON.
        data_version: Option<&'a str> => "dataVersion",
        /// Groups per page.
        max_group_num: Option<i32> => "maxGroupNum",
    }
}

header! {
    /// Answer to 201 when a page was asked for.
    AllGroupConfigResponse = "GetAllSubscriptionGroupResponseHeader" {
        /// Groups in all pages.
        total_group_num: Option<i32> => "totalGroupNum",
    }
}

header! {
    /// A group: 343 QUERY_TOPICS_BY_CONSUMER, 352 GET_SUBSCRIPTIONGROUP_CONFIG.
    GroupRequest<'a> = "QueryTopicsByConsumerRequestHeader, GetSubscriptionGroupConfigRequestHeader" {
        /// Consumer group.
        group: &'a str => "group",
    }
}

header! {
    /// How far a group has come (208 GET_CONSUME_STATS).
    ConsumeStatsRequest<'a> = "GetConsumeStatsRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Only this topic.
        topic: Option<&'a str> => "topic",
        /// Only these topics, separated by `;`.
        topic_list: Option<&'a str> => "topicList",
    }
}

header! {
    /// Producers of a group (204 GET_PRODUCER_CONNECTION_LIST).
    ProducerGroupRequest<'a> = "GetProducerConnectionListRequestHeader" {
        /// Producer group.
        producer_group: &'a str => "producerGroup",
    }
}

header! {
    /// Set the progress of a group (222 INVOKE_BROKER_TO_RESET_OFFSET).
    ResetOffsetRequest<'a> = "ResetOffsetRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Consumer group.
        group: &'a str => "group",
        /// Only this queue; absent or -1 means all.
        queue_id: Option<QueueId> => "queueId",
        /// To this offset; absent or -1 means by time.
        offset: Option<QueueOffset> => "offset",
        /// To the first message from this time on; -1 means the end.
        timestamp: Millis => "timestamp",
        /// Whether offsets may go back.
        is_force: bool => "isForce",
    }
}

header! {
    /// Subscription of a group to a topic (345 QUERY_SUBSCRIPTION_BY_CONSUMER).
    QuerySubscriptionRequest<'a> = "QuerySubscriptionByConsumerRequestHeader" {
        /// Consumer group.
        group: &'a str => "group",
        /// Topic.
        topic: Option<&'a str> => "topic",
    }
}

header! {
    /// Smallest offsets of other groups (308 QUERY_CORRECTION_OFFSET).
    CorrectionOffsetRequest<'a> = "QueryCorrectionOffsetHeader" {
        /// Groups, separated by `,`.
        filter_groups: Option<&'a str> => "filterGroups",
        /// Group to compare with.
        compare_group: &'a str => "compareGroup",
        /// Topic.
        topic: &'a str => "topic",
    }
}

header! {
    /// Copy the progress of a group (314 CLONE_GROUP_OFFSET).
    CloneGroupOffsetRequest<'a> = "CloneGroupOffsetRequestHeader" {
        /// From this group.
        src_group: &'a str => "srcGroup",
        /// To this group.
        dest_group: &'a str => "destGroup",
        /// Only this topic.
        topic: Option<&'a str> => "topic",
        /// Whether the group is offline; unused by brokers.
        offline: bool => "offline" or false,
    }
}

header! {
    /// Forbid or allow a group to read a topic (353 UPDATE_AND_GET_GROUP_FORBIDDEN).
    GroupForbiddenRequest<'a> = "UpdateGroupForbiddenRequestHeader" {
        /// Consumer group.
        group: &'a str => "group",
        /// Topic.
        topic: &'a str => "topic",
        /// New value; absent only asks.
        readable: Option<bool> => "readable",
    }
}
