//! Sending: 10, 310, 320, giving back (36), recall (370).

use super::header;
use crate::protocol::command::ExtFields;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};

header! {
    /// A message or a batch (10 SEND_MESSAGE with long names; 310 SEND_MESSAGE_V2 and 320 SEND_BATCH_MESSAGE with one letter each).
    ///
    /// Both spellings are read, whatever the code: no long name is one letter.
    SendRequest<'a> = "SendMessageRequestHeader, SendMessageRequestHeaderV2" {
        /// Group of the producer.
        producer_group: &'a str => "producerGroup" | "a",
        /// Topic.
        topic: &'a str => "topic" | "b",
        /// Topic whose settings a new topic inherits (TBW102).
        default_topic: &'a str => "defaultTopic" | "c",
        /// Queues of a new topic.
        default_topic_queue_nums: i32 => "defaultTopicQueueNums" | "d",
        /// Queue; negative lets the broker choose.
        queue_id: QueueId => "queueId" | "e",
        /// Bits of `sys_flag`.
        sys_flag: i32 => "sysFlag" | "f",
        /// When the client made the message.
        born_timestamp: Millis => "bornTimestamp" | "g",
        /// The user's flag, kept with the message.
        flag: i32 => "flag" | "h",
        /// Properties text (`properties`).
        properties: Option<&'a str> => "properties" | "i",
        /// How often a consumer has given the message back.
        reconsume_times: Option<i32> => "reconsumeTimes" | "j",
        /// Unit mode, unused by brokers of today.
        unit_mode: bool => "unitMode" | "k" or false,
        /// When to stop retrying.
        max_reconsume_times: Option<i32> => "maxReconsumeTimes" | "l",
        /// Whether the body is a batch (`batch`).
        batch: bool => "batch" | "m" or false,
        /// The broker the client means (5.x, short form only).
        broker_name: Option<&'a str> => "bname" | "n",
    }
}

impl SendRequest<'_> {
    /// Sets the fields under the one-letter names of 310 and 320.
    pub fn encode_v2(&self, ext: &mut ExtFields) {
        ext.set("a", self.producer_group);
        ext.set("b", self.topic);
        ext.set("c", self.default_topic);
        ext.set("d", self.default_topic_queue_nums);
        ext.set("e", self.queue_id);
        ext.set("f", self.sys_flag);
        ext.set("g", self.born_timestamp);
        ext.set("h", self.flag);
        ext.set_some("i", self.properties);
        ext.set_some("j", self.reconsume_times);
        ext.set("k", self.unit_mode);
        ext.set_some("l", self.max_reconsume_times);
        ext.set("m", self.batch);
        ext.set_some("n", self.broker_name);
    }
}

header! {
    /// Where a message went. `MSG_REGION` and `TRACE_ON` are set beside it.
    SendResponse<'a> = "SendMessageResponseHeader" {
        /// `offsetMsgId`, for a batch joined by commas.
        msg_id: &'a str => "msgId",
        /// Queue.
        queue_id: QueueId => "queueId",
        /// Queue offset, of the first message of a batch.
        queue_offset: QueueOffset => "queueOffset",
        /// `UNIQ_KEY` of the message.
        transaction_id: Option<&'a str> => "transactionId",
        /// `UNIQ_KEY` of a batch stored as one record.
        batch_uniq_id: Option<&'a str> => "batchUniqId",
        /// Handle to recall a timed message.
        recall_handle: Option<&'a str> => "recallHandle",
    }
}

header! {
    /// A consumer gives a message back for a retry (36 CONSUMER_SEND_MSG_BACK).
    SendBackRequest<'a> = "ConsumerSendMsgBackRequestHeader" {
        /// Where the message lies in the commit log.
        offset: PhysicalOffset => "offset",
        /// Consumer group.
        group: &'a str => "group",
        /// 0 lets the broker choose, negative means the dead letter queue.
        delay_level: i32 => "delayLevel",
        /// Id of the first message.
        origin_msg_id: Option<&'a str> => "originMsgId",
        /// Topic of the first message.
        origin_topic: Option<&'a str> => "originTopic",
        /// Unit mode.
        unit_mode: bool => "unitMode" or false,
        /// When to stop retrying; of clients from 3.4.9 on.
        max_reconsume_times: Option<i32> => "maxReconsumeTimes",
    }
}

header! {
    /// Take a timed message back (370 RECALL_MESSAGE).
    RecallRequest<'a> = "RecallMessageRequestHeader" {
        /// Group of the producer.
        producer_group: Option<&'a str> => "producerGroup",
        /// Topic.
        topic: &'a str => "topic",
        /// From the send response.
        recall_handle: &'a str => "recallHandle",
    }
}

header! {
    /// Answer to 370.
    RecallResponse<'a> = "RecallMessageResponseHeader" {
        /// `UNIQ_KEY` of the recalled message.
        msg_id: &'a str => "msgId",
    }
}
