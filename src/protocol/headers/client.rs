//! Clients that come and go, and what a broker asks of them: 34, 35, 38, 40, 220, 221, 307, 309.

use super::header;
use crate::protocol::ids::Millis;

header! {
    /// Answer to 34 HEART_BEAT.
    HeartbeatResponse = "MixAll#IS_SUPPORT_HEART_BEAT_V2, MixAll#IS_SUB_CHANGE" {
        /// Always true here: heartbeats with a fingerprint instead of subscriptions are understood.
        supports_v2: bool => "IS_SUPPORT_HEART_BEAT_V2",
        /// Whether the client has to send its subscriptions again.
        subscriptions_changed: bool => "IS_SUB_CHANGE",
    }
}

header! {
    /// A client leaves (35 UNREGISTER_CLIENT).
    UnregisterClientRequest<'a> = "UnregisterClientRequestHeader" {
        /// Client id.
        client_id: &'a str => "clientID",
        /// Producer group it leaves.
        producer_group: Option<&'a str> => "producerGroup",
        /// Consumer group it leaves.
        consumer_group: Option<&'a str> => "consumerGroup",
    }
}

header! {
    /// A consumer group: 38 GET_CONSUMER_LIST_BY_GROUP, 40 NOTIFY_CONSUMER_IDS_CHANGED, 203 GET_CONSUMER_CONNECTION_LIST.
    ConsumerGroupRequest<'a> = "GetConsumerListByGroupRequestHeader, NotifyConsumerIdsChangedRequestHeader, GetConsumerConnectionListRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
    }
}

header! {
    /// To a consumer: go on at the offsets in the body (220 RESET_CONSUMER_CLIENT_OFFSET).
    ResetClientOffsetRequest<'a> = "ResetOffsetRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Consumer group.
        group: &'a str => "group",
        /// The time that was asked for.
        timestamp: Millis => "timestamp",
        /// Whether offsets may go back.
        is_force: bool => "isForce",
    }
}

header! {
    /// To a consumer: where are you (221 GET_CONSUMER_STATUS_FROM_CLIENT); to a broker: where are they (223).
    ConsumerStatusRequest<'a> = "GetConsumerStatusRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Consumer group.
        group: &'a str => "group",
        /// Only this client.
        client_address: Option<&'a str> => "clientAddr",
    }
}

header! {
    /// State of one consumer (307 GET_CONSUMER_RUNNING_INFO), forwarded by the broker to the client.
    ConsumerRunningInfoRequest<'a> = "GetConsumerRunningInfoRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Client id.
        client_id: &'a str => "clientId",
        /// With a dump of its threads.
        jstack_enable: bool => "jstackEnable" or false,
    }
}

header! {
    /// Let one consumer consume one message (309 CONSUME_MESSAGE_DIRECTLY); the broker adds the record as body and forwards it.
    ConsumeDirectlyRequest<'a> = "ConsumeMessageDirectlyResultRequestHeader" {
        /// Consumer group.
        consumer_group: &'a str => "consumerGroup",
        /// Client id.
        client_id: Option<&'a str> => "clientId",
        /// `offsetMsgId` of the message.
        msg_id: Option<&'a str> => "msgId",
        /// Name of the broker, set by the broker.
        broker_name: Option<&'a str> => "brokerName",
        /// Topic.
        topic: Option<&'a str> => "topic",
        /// System flag of the topic, set by the broker.
        topic_sys_flag: Option<i32> => "topicSysFlag",
        /// System flag of the group, set by the broker.
        group_sys_flag: Option<i32> => "groupSysFlag",
    }
}
