//! Finding single messages: 12 and 33.

use super::header;
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Header field of 12 that asks for a `UNIQ_KEY` instead of one of `KEYS` when it is "true".
pub const UNIQUE_KEY_QUERY: &str = "_UNIQUE_KEY_QUERY";

header! {
    /// Messages by key (12 QUERY_MESSAGE).
    QueryMessageRequest<'a> = "QueryMessageRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Key.
        key: &'a str => "key",
        /// Most messages wanted.
        max_num: i32 => "maxNum",
        /// Earliest store time.
        begin_timestamp: Millis => "beginTimestamp",
        /// Latest store time.
        end_timestamp: Millis => "endTimestamp",
        /// K, U or T (5.5).
        index_type: Option<&'a str> => "indexType",
        /// Where the last page ended (5.5).
        last_key: Option<&'a str> => "lastKey",
        /// Whether `key` is a `UNIQ_KEY`.
        unique_key_query: bool => "_UNIQUE_KEY_QUERY" or false,
    }
}

header! {
    /// How far the index goes; the body holds the records.
    QueryMessageResponse = "QueryMessageResponseHeader" {
        /// Store time of the last indexed message.
        index_last_update_timestamp: Millis => "indexLastUpdateTimestamp",
        /// Where the last indexed message lies.
        index_last_update_offset: PhysicalOffset => "indexLastUpdatePhyoffset",
    }
}

header! {
    /// One message by its place (33 VIEW_MESSAGE_BY_ID).
    ViewMessageRequest<'a> = "ViewMessageRequestHeader" {
        /// Where the message lies in the commit log.
        offset: PhysicalOffset => "offset",
        /// Topic, of clients from 5.x on.
        topic: Option<&'a str> => "topic",
    }
}
