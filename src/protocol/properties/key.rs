//! Names of properties with a meaning to brokers and clients (`MessageConst` of 5.5.0, without its `PROPERTY_`).

/// Keys for the index, separated by blanks.
pub const KEYS: &str = "KEYS";
/// The tag consumers filter by.
pub const TAGS: &str = "TAGS";
/// "false": answer before the message is on disk.
pub const WAIT_STORE_MSG_OK: &str = "WAIT";
/// Delay level, 1 to 18.
pub const DELAY_TIME_LEVEL: &str = "DELAY";
/// Java: `PROPERTY_RETRY_TOPIC`.
pub const RETRY_TOPIC: &str = "RETRY_TOPIC";
/// Java: `PROPERTY_ORIGIN_GROUP`.
pub const ORIGIN_GROUP: &str = "ORIGIN_GROUP";
/// Where a delayed or prepared message goes in the end.
pub const REAL_TOPIC: &str = "REAL_TOPIC";
/// Queue within [`REAL_TOPIC`].
pub const REAL_QUEUE_ID: &str = "REAL_QID";
/// "true": prepared message of a transaction.
pub const TRANSACTION_PREPARED: &str = "TRAN_MSG";
/// Group to ask about a transaction.
pub const PRODUCER_GROUP: &str = "PGROUP";
/// Java: `PROPERTY_MIN_OFFSET`.
pub const MIN_OFFSET: &str = "MIN_OFFSET";
/// Java: `PROPERTY_MAX_OFFSET`.
pub const MAX_OFFSET: &str = "MAX_OFFSET";
/// Java: `PROPERTY_BUYER_ID`.
pub const BUYER_ID: &str = "BUYER_ID";
/// Java: `PROPERTY_ORIGIN_MESSAGE_ID`.
pub const ORIGIN_MESSAGE_ID: &str = "ORIGIN_MESSAGE_ID";
/// Java: `PROPERTY_TRANSFER_FLAG`.
pub const TRANSFER_FLAG: &str = "TRANSFER_FLAG";
/// Java: `PROPERTY_CORRECTION_FLAG`.
pub const CORRECTION_FLAG: &str = "CORRECTION_FLAG";
/// Java: `PROPERTY_MQ2_FLAG`.
pub const MQ2_FLAG: &str = "MQ2_FLAG";
/// Java: `PROPERTY_RECONSUME_TIME`.
pub const RECONSUME_TIME: &str = "RECONSUME_TIME";
/// Java: `PROPERTY_MSG_REGION`.
pub const MSG_REGION: &str = "MSG_REGION";
/// Java: `PROPERTY_TRACE_SWITCH`.
pub const TRACE_SWITCH: &str = "TRACE_ON";
/// Id made by the client.
pub const UNIQ_KEY: &str = "UNIQ_KEY";
/// Java: `PROPERTY_TRANS_OFFSET`.
pub const TRANS_OFFSET: &str = "TRANS_OFFSET";
/// Java: `PROPERTY_EXTEND_UNIQ_INFO`.
pub const EXTEND_UNIQ_INFO: &str = "EXTEND_UNIQ_INFO";
/// Java: `PROPERTY_MAX_RECONSUME_TIMES`.
pub const MAX_RECONSUME_TIMES: &str = "MAX_RECONSUME_TIMES";
/// Java: `PROPERTY_CONSUME_START_TIMESTAMP`.
pub const CONSUME_START_TIMESTAMP: &str = "CONSUME_START_TIME";
/// Java: `PROPERTY_PRIORITY`.
pub const PRIORITY: &str = "_SYS_MSG_PRIORITY_";
/// Java: `PROPERTY_INNER_NUM`.
pub const INNER_NUM: &str = "INNER_NUM";
/// Java: `PROPERTY_INNER_BASE`.
pub const INNER_BASE: &str = "INNER_BASE";
/// Java: `DUP_INFO`.
pub const DUP_INFO: &str = "DUP_INFO";
/// Java: `PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS`.
pub const CHECK_IMMUNITY_TIME_IN_SECONDS: &str = "CHECK_IMMUNITY_TIME_IN_SECONDS";
/// Java: `PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET`.
pub const TRANSACTION_PREPARED_QUEUE_OFFSET: &str = "TRAN_PREPARED_QUEUE_OFFSET";
/// Java: `PROPERTY_TRANSACTION_ID`.
pub const TRANSACTION_ID: &str = "__transactionId__";
/// Java: `PROPERTY_TRANSACTION_CHECK_TIMES`.
pub const TRANSACTION_CHECK_TIMES: &str = "TRANSACTION_CHECK_TIMES";
/// Java: `PROPERTY_INSTANCE_ID`.
pub const INSTANCE_ID: &str = "INSTANCE_ID";
/// Java: `PROPERTY_CORRELATION_ID`.
pub const CORRELATION_ID: &str = "CORRELATION_ID";
/// Java: `PROPERTY_MESSAGE_REPLY_TO_CLIENT`.
pub const MESSAGE_REPLY_TO_CLIENT: &str = "REPLY_TO_CLIENT";
/// Java: `PROPERTY_MESSAGE_TTL`.
pub const MESSAGE_TTL: &str = "TTL";
/// Java: `PROPERTY_REPLY_MESSAGE_ARRIVE_TIME`.
pub const REPLY_MESSAGE_ARRIVE_TIME: &str = "ARRIVE_TIME";
/// Java: `PROPERTY_PUSH_REPLY_TIME`.
pub const PUSH_REPLY_TIME: &str = "PUSH_REPLY_TIME";
/// Java: `PROPERTY_CLUSTER`.
pub const CLUSTER: &str = "CLUSTER";
/// Java: `PROPERTY_MESSAGE_TYPE`.
pub const MESSAGE_TYPE: &str = "MSG_TYPE";
/// Java: `PROPERTY_POP_CK`.
pub const POP_CK: &str = "POP_CK";
/// Java: `PROPERTY_POP_CK_OFFSET`.
pub const POP_CK_OFFSET: &str = "POP_CK_OFFSET";
/// Java: `PROPERTY_FIRST_POP_TIME`.
pub const FIRST_POP_TIME: &str = "1ST_POP_TIME";
/// Java: `PROPERTY_SHARDING_KEY`.
pub const SHARDING_KEY: &str = "__SHARDINGKEY";
/// Java: `PROPERTY_LITE_TOPIC`.
pub const LITE_TOPIC: &str = "__LITE_TOPIC";
/// Java: `PROPERTY_FORWARD_QUEUE_ID`.
pub const FORWARD_QUEUE_ID: &str = "PROPERTY_FORWARD_QUEUE_ID";
/// Java: `PROPERTY_REDIRECT`.
pub const REDIRECT: &str = "REDIRECT";
/// Java: `PROPERTY_INNER_MULTI_DISPATCH`.
pub const INNER_MULTI_DISPATCH: &str = "INNER_MULTI_DISPATCH";
/// Java: `PROPERTY_INNER_MULTI_QUEUE_OFFSET`.
pub const INNER_MULTI_QUEUE_OFFSET: &str = "INNER_MULTI_QUEUE_OFFSET";
/// Java: `PROPERTY_TRACE_CONTEXT`.
pub const TRACE_CONTEXT: &str = "TRACE_CONTEXT";
/// Java: `PROPERTY_TIMER_DELAY_SEC`.
pub const TIMER_DELAY_SEC: &str = "TIMER_DELAY_SEC";
/// Java: `PROPERTY_TIMER_DELIVER_MS`.
pub const TIMER_DELIVER_MS: &str = "TIMER_DELIVER_MS";
/// Java: `PROPERTY_BORN_HOST`.
pub const BORN_HOST: &str = "__BORNHOST";
/// Java: `PROPERTY_BORN_TIMESTAMP`.
pub const BORN_TIMESTAMP: &str = "BORN_TIMESTAMP";
/// Java: `PROPERTY_TRANSIENT_PREFIX`.
pub const TRANSIENT_PREFIX: &str = "__RMQ.TRANSIENT.";
/// Java: `PROPERTY_TRANSIENT_TOPIC_CONFIG`.
pub const TRANSIENT_TOPIC_CONFIG: &str = "__RMQ.TRANSIENT.TOPIC_SYS_FLAG";
/// Java: `PROPERTY_TRANSIENT_GROUP_CONFIG`.
pub const TRANSIENT_GROUP_CONFIG: &str = "__RMQ.TRANSIENT.GROUP_SYS_FLAG";
/// Java: `PROPERTY_TIMER_ENQUEUE_MS`.
pub const TIMER_ENQUEUE_MS: &str = "TIMER_ENQUEUE_MS";
/// Java: `PROPERTY_TIMER_DEQUEUE_MS`.
pub const TIMER_DEQUEUE_MS: &str = "TIMER_DEQUEUE_MS";
/// Java: `PROPERTY_TIMER_ROLL_TIMES`.
pub const TIMER_ROLL_TIMES: &str = "TIMER_ROLL_TIMES";
/// Java: `PROPERTY_TIMER_OUT_MS`.
pub const TIMER_OUT_MS: &str = "TIMER_OUT_MS";
/// Java: `PROPERTY_TIMER_DEL_UNIQKEY`.
pub const TIMER_DEL_UNIQKEY: &str = "TIMER_DEL_UNIQKEY";
/// Java: `PROPERTY_TIMER_ROLL_LABEL`.
pub const TIMER_ROLL_LABEL: &str = "TIMER_ROLL_LABEL";
/// Java: `PROPERTY_TIMER_DELAY_LEVEL`.
pub const TIMER_DELAY_LEVEL: &str = "TIMER_DELAY_LEVEL";
/// Java: `PROPERTY_TIMER_DELAY_MS`.
pub const TIMER_DELAY_MS: &str = "TIMER_DELAY_MS";
/// CRC-32 of the record, decimal digits in reverse.
pub const CRC32: &str = "__CRC32#";
/// Java: `PROPERTY_DLQ_ORIGIN_TOPIC`.
pub const DLQ_ORIGIN_TOPIC: &str = "DLQ_ORIGIN_TOPIC";
/// Java: `PROPERTY_DLQ_ORIGIN_MESSAGE_ID`.
pub const DLQ_ORIGIN_MESSAGE_ID: &str = "DLQ_ORIGIN_MESSAGE_ID";
/// Between the keys of [`KEYS`].
pub const KEY_SEPARATOR: char = ' ';
