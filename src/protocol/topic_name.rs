//! Names of topics and groups: what is allowed, what the system keeps for itself (`TopicValidator`, `MixAll`, `NamespaceUtil`).

/// Longest topic.
pub const TOPIC_LENGTH_MAX: usize = 127;
/// Longest group: room for the prefixes of its retry topics.
pub const GROUP_LENGTH_MAX: usize = 120;
/// Longest retry or dead letter topic.
pub const RETRY_TOPIC_LENGTH_MAX: usize = 255;

/// Prefix of a group's retry topic.
pub const RETRY_PREFIX: &str = "%RETRY%";
/// Prefix of a group's dead letter topic.
pub const DLQ_PREFIX: &str = "%DLQ%";
/// Prefix of light queues.
pub const LMQ_PREFIX: &str = "%LMQ%";
/// Prefix of topics of the system.
pub const SYSTEM_PREFIX: &str = "rmq_sys_";
/// The group that takes delayed messages out of the schedule topic, as far as statistics go (`MixAll.SCHEDULE_CONSUMER_GROUP`).
pub const SCHEDULE_GROUP: &str = "SCHEDULE_CONSUMER";
/// Prefix of consumer groups of the system.
pub const SYSTEM_GROUP_PREFIX: &str = "CID_RMQ_SYS_";
/// Prefix of brokers that stand for static topics.
pub const LOGICAL_BROKER_PREFIX: &str = "__syslo__";

/// New topics inherit from this one.
pub const AUTO_CREATE: &str = "TBW102";
/// Delayed messages, one queue per level.
pub const SCHEDULE: &str = "SCHEDULE_TOPIC_XXXX";
/// For benchmarks.
pub const BENCHMARK: &str = "BenchmarkTest";
/// Prepared messages of transactions.
pub const TRANSACTION_HALF: &str = "RMQ_SYS_TRANS_HALF_TOPIC";
/// Ends of transactions.
pub const TRANSACTION_OP_HALF: &str = "RMQ_SYS_TRANS_OP_HALF_TOPIC";
/// [`TRANSACTION_HALF`] of the RocksDB store (5.5).
pub const ROCKSDB_TRANSACTION_HALF: &str = "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC";
/// [`TRANSACTION_OP_HALF`] of the RocksDB store (5.5).
pub const ROCKSDB_TRANSACTION_OP_HALF: &str = "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC";
/// Prepared messages that were checked too often.
pub const TRANSACTION_CHECK_MAX_TIME: &str = "TRANS_CHECK_MAX_TIME_TOPIC";
/// Traces of clients.
pub const TRACE: &str = "RMQ_SYS_TRACE_TOPIC";
/// Self test.
pub const SELF_TEST: &str = "SELF_TEST_TOPIC";
/// Events of moved offsets.
pub const OFFSET_MOVED_EVENT: &str = "OFFSET_MOVED_EVENT";
/// Key of the RocksDB store.
pub const ROCKSDB_OFFSET: &str = "CHECKPOINT_TOPIC";
/// Messages of the timer wheel.
pub const WHEEL_TIMER: &str = "rmq_sys_wheel_timer";
/// Check points of pops, followed by the cluster.
pub const REVIVE_LOG_PREFIX: &str = "rmq_sys_REVIVE_LOG_";
/// Members of a broker group, followed by the broker's name.
pub const SYNC_BROKER_MEMBER_PREFIX: &str = "rmq_sys_SYNC_BROKER_MEMBER_";
/// Replies to requests, after the cluster and an underscore.
pub const REPLY_SUFFIX: &str = "REPLY_TOPIC";

const SYSTEM: [&str; 12] = [
    AUTO_CREATE,
    SCHEDULE,
    BENCHMARK,
    TRANSACTION_HALF,
    ROCKSDB_TRANSACTION_HALF,
    TRACE,
    TRANSACTION_OP_HALF,
    ROCKSDB_TRANSACTION_OP_HALF,
    TRANSACTION_CHECK_MAX_TIME,
    SELF_TEST,
    OFFSET_MOVED_EVENT,
    ROCKSDB_OFFSET,
];

const NOT_TO_SEND: [&str; 8] = [
    SCHEDULE,
    TRANSACTION_HALF,
    ROCKSDB_TRANSACTION_HALF,
    TRANSACTION_OP_HALF,
    ROCKSDB_TRANSACTION_OP_HALF,
    TRANSACTION_CHECK_MAX_TIME,
    SELF_TEST,
    OFFSET_MOVED_EVENT,
];

/// Why a name is refused; the texts are Java's, clients show them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing but blanks.
    #[error("The specified {kind} is blank.")]
    Blank {
        /// "topic" or "group".
        kind: &'static str,
    },
    /// A character outside of `%|a-zA-Z0-9_-`.
    #[error("The specified {kind}: {name}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$")]
    IllegalCharacter {
        /// "topic" or "group".
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Too long.
    #[error("The specified {kind}: {name}, is longer than {kind} max length: {limit}")]
    TooLong {
        /// "topic" or "group".
        kind: &'static str,
        /// The name.
        name: String,
        /// Longest allowed name in characters.
        limit: usize,
    },
}

/// Whether every character may stand in a topic or group.
#[must_use]
pub fn has_legal_characters(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'%' | b'|' | b'-' | b'_'))
}

/// Checks a topic (`TopicValidator.validateTopic`).
///
/// # Errors
/// The name is blank, has an illegal character or is too long.
pub fn check_topic(topic: &str) -> Result<(), NameError> {
    let limit = if is_retry(topic) || is_dlq(topic) { RETRY_TOPIC_LENGTH_MAX } else { TOPIC_LENGTH_MAX };
    check("topic", topic, limit)
}

/// Checks a group (`TopicValidator.validateGroup`).
///
/// # Errors
/// The name is blank, has an illegal character or is too long.
pub fn check_group(group: &str) -> Result<(), NameError> {
    check("group", group, GROUP_LENGTH_MAX)
}

fn check(kind: &'static str, name: &str, limit: usize) -> Result<(), NameError> {
    if name.trim().is_empty() {
        return Err(NameError::Blank { kind });
    }
    if !has_legal_characters(name) {
        let name = name.to_owned();
        return Err(NameError::IllegalCharacter { kind, name });
    }
    if name.len() > limit {
        let name = name.to_owned();
        return Err(NameError::TooLong { kind, name, limit });
    }
    Ok(())
}

/// Whether the topic belongs to the system. A broker adds its cluster's and its own name.
#[must_use]
pub fn is_system(topic: &str) -> bool {
    topic.starts_with(SYSTEM_PREFIX) || SYSTEM.contains(&topic)
}

/// The fixed system topics.
#[must_use]
pub fn system_topics() -> &'static [&'static str] {
    &SYSTEM
}

/// Whether clients may not send to the topic.
#[must_use]
pub fn is_forbidden_to_send(topic: &str) -> bool {
    NOT_TO_SEND.contains(&topic)
}

/// Whether this is a group's retry topic.
#[must_use]
pub fn is_retry(topic: &str) -> bool {
    topic.starts_with(RETRY_PREFIX)
}

/// Whether this is a group's dead letter topic.
#[must_use]
pub fn is_dlq(topic: &str) -> bool {
    topic.starts_with(DLQ_PREFIX)
}

/// Whether this is a light queue.
#[must_use]
pub fn is_lmq(topic: &str) -> bool {
    topic.starts_with(LMQ_PREFIX)
}

/// The retry topic of a group.
#[must_use]
pub fn retry_topic(group: &str) -> String {
    format!("{RETRY_PREFIX}{group}")
}

/// The dead letter topic of a group.
#[must_use]
pub fn dlq_topic(group: &str) -> String {
    format!("{DLQ_PREFIX}{group}")
}

/// The topic replies of a cluster go to.
#[must_use]
pub fn reply_topic(cluster: &str) -> String {
    format!("{cluster}_{REPLY_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, topic: Option<&str>, group: Option<&str>) {
        let text = |result: Result<(), NameError>| result.err().map(|error| error.to_string());
        assert_eq!(text(check_topic(name)).as_deref(), topic, "topic {name}");
        assert_eq!(text(check_group(name)).as_deref(), group, "group {name}");
    }

    #[test]
    fn names_are_checked_as_in_java() {
        check("%RETRY%a|b-C_9", None, None);
        check(" ", Some("The specified topic is blank."), Some("The specified group is blank."));
        check(
            "a b",
            Some("The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
            Some("The specified group: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"),
        );
        let long = "x".repeat(121);
        check(&long, None, Some(&format!("The specified group: {long}, is longer than group max length: 120")));
        let longer = "x".repeat(128);
        assert!(check_topic(&longer).is_err());
        assert!(check_topic(&retry_topic(&longer)).is_ok());
        assert!(check_topic(&dlq_topic(&"x".repeat(251))).is_err());
    }

    #[test]
    fn the_system_keeps_some_topics() {
        assert!(is_system("rmq_sys_anything") && is_system(SCHEDULE) && !is_system("orders"));
        assert!(is_forbidden_to_send(SELF_TEST) && !is_forbidden_to_send(BENCHMARK));
    }
}
