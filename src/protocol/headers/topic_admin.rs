//! Topics: 17, 21, 202, 215, 300, 303, 305, 351.

use super::header;

header! {
    /// Create or change a topic (17 UPDATE_AND_CREATE_TOPIC).
    CreateTopicRequest<'a> = "CreateTopicRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Topic to inherit from; sent by every client, unused by brokers.
        default_topic: Option<&'a str> => "defaultTopic",
        /// Queues to read.
        read_queue_nums: i32 => "readQueueNums",
        /// Queues to write.
        write_queue_nums: i32 => "writeQueueNums",
        /// Bits 4 read, 2 write, 1 inherit.
        perm: i32 => "perm",
        /// SINGLE_TAG or MULTI_TAG.
        topic_filter_type: &'a str => "topicFilterType",
        /// System flag.
        topic_sys_flag: Option<i32> => "topicSysFlag",
        /// Ordered topic.
        order: bool => "order" or false,
        /// Changes of attributes: `+name=value,-name`.
        attributes: Option<&'a str> => "attributes",
        /// Past the checks of names.
        force: bool => "force" or false,
    }
}

header! {
    /// A topic: 202 GET_TOPIC_STATS_INFO, 215 DELETE_TOPIC_IN_BROKER, 300 QUERY_TOPIC_CONSUME_BY_WHO, 217 REGISTER_TOPIC_IN_NAMESRV.
    TopicRequest<'a> = "GetTopicStatsInfoRequestHeader, DeleteTopicRequestHeader, QueryTopicConsumeByWhoRequestHeader, RegisterTopicRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
    }
}

header! {
    /// All topics, in pages from 5.3 on (21 GET_ALL_TOPIC_CONFIG); no field at all means everything.
    AllTopicConfigRequest<'a> = "GetAllTopicConfigRequestHeader" {
        /// First topic of the page, counted from 0.
        topic_seq: Option<i32> => "topicSeq",
        /// Version of the first page, as JSON.
        data_version: Option<&'a str> => "dataVersion",
        /// Topics per page.
        max_topic_num: Option<i32> => "maxTopicNum",
    }
}

header! {
    /// Answer to 21 when a page was asked for.
    AllTopicConfigResponse = "GetAllTopicConfigResponseHeader" {
        /// Topics in all pages.
        total_topic_num: Option<i32> => "totalTopicNum",
    }
}

header! {
    /// One topic's settings (351 GET_TOPIC_CONFIG).
    TopicConfigRequest<'a> = "GetTopicConfigRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Whether static topics are mapped.
        logical: Option<bool> => "lo",
    }
}

header! {
    /// Delay of a group in a topic (303 QUERY_CONSUME_TIME_SPAN).
    ConsumeTimeSpanRequest<'a> = "QueryConsumeTimeSpanRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Consumer group.
        group: &'a str => "group",
    }
}
