//! What a peer is told instead of an answer, and why a NameServer does not start.

use std::path::PathBuf;

use super::table::{KvRefused, Refused};
use crate::protocol::body::register::RegisterError;
use crate::protocol::codes::response;
use crate::protocol::headers::HeaderError;
use crate::protocol::json::JsonError;

/// A request that is refused, with Java's code ([`Error::code`]) and its remark (`Display`).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Java's text.
    #[error(" request type {0} not supported")]
    UnknownCode(i32),
    /// A header field is missing or malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A body cannot be read.
    #[error("the body cannot be read: {0}")]
    Body(#[from] JsonError),
    /// A registration cannot be read.
    #[error("the registration cannot be read: {0}")]
    Registration(#[from] RegisterError),
    /// The body is not what the header says.
    #[error("crc32 not match: the header says {expected}, the body has {found}")]
    Checksum {
        /// The header's.
        expected: i32,
        /// The body's.
        found: i32,
    },
    /// A registration is not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A key-value pair is not taken.
    #[error(transparent)]
    KvRefused(#[from] KvRefused),
    /// No broker serves the topic.
    #[error(
        "No topic route info in name server for the topic: {topic}\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details."
    )]
    NoRoute {
        /// The topic.
        topic: String,
    },
    /// No such key.
    #[error("No config item, Namespace: {namespace} Key: {key}")]
    NoKey {
        /// Namespace.
        namespace: String,
        /// Key.
        key: String,
    },
    /// No such namespace.
    #[error("No config item, Namespace: {namespace}")]
    NoNamespace {
        /// Namespace.
        namespace: String,
    },
    /// A key nobody may change from outside.
    #[error("Can not update config in black list: {key}")]
    BlackListed {
        /// The key.
        key: String,
    },
    /// A key that cannot change while the NameServer runs.
    #[error("{key} {}", if *known { "can only be changed in the configuration file" } else { "is not a key of the NameServer" })]
    FixedKey {
        /// The key.
        key: String,
        /// Whether it exists.
        known: bool,
    },
    /// A value that does not fit its key.
    #[error("{key}: {value:?} is not {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// What was given, cut to 64 characters.
        value: String,
        /// What is expected.
        expected: &'static str,
    },
    /// A properties text that is none.
    #[error("string2Properties error: line {line} is not key=value")]
    NotProperties {
        /// Counted from 1; 0 when it is not UTF-8.
        line: usize,
    },
    /// The key-value configuration could not be written; the change is in force but would not survive a restart.
    #[error("the change is in force, but could not be written to {path}: {reason}")]
    NotWritten {
        /// The file.
        path: String,
        /// The disk's words.
        reason: String,
    },
    /// It is stopping, or its task has failed.
    #[error("the NameServer has stopped")]
    Stopped,
    /// More requests wait than may.
    #[error("the NameServer has {limit} requests waiting, try again later")]
    Busy {
        /// The limit.
        limit: usize,
    },
}

impl Error {
    /// The response code, Java's for the same case.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Error::UnknownCode(_) => response::REQUEST_CODE_NOT_SUPPORTED,
            Error::NoRoute { .. } => response::TOPIC_NOT_EXIST,
            Error::NoKey { .. } | Error::NoNamespace { .. } => response::QUERY_NOT_FOUND,
            Error::BlackListed { .. } => response::NO_PERMISSION,
            Error::Busy { .. } => response::SYSTEM_BUSY,
            Error::Refused(refused) if refused.is_full() => response::SYSTEM_BUSY,
            _ => response::SYSTEM_ERROR,
        }
    }
}

/// Why a NameServer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key-value configuration is there but cannot be read.
    #[error("kvConfigPath {}: {reason}; repair the file, or move it away to start without key-value configuration", path.display())]
    KvConfig {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}
