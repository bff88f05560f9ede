//! Lookups that only read the store: 12, 29, 32, 33.
//!
//! The core checks the request and makes a [`Query`]; a reader runs it against the store's view, first with what is in
//! the page cache, else on the I/O pool, and answers. Nothing is decided afterwards.

use std::sync::Arc;

use crate::broker::action::{Action, RequestId};
use crate::broker::core::Core;
use crate::broker::error::Error;
use crate::protocol::codes::request;
use crate::protocol::command::{Body, Command};
use crate::protocol::headers::offset::{
    Boundary, EarliestStoreTimeResponse, OffsetResponse, QueueRequest, SearchOffsetRequest,
};
use crate::protocol::headers::query::{QueryMessageRequest, QueryMessageResponse, ViewMessageRequest};
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId};
use crate::store::{KeyQuery, Patience, ReadError, View};

use super::ok;

/// Messages a query for a unique key returns at most (Java: `defaultQueryMaxNum`).
const UNIQUE_KEY_MESSAGES_MAX: usize = 32;

/// `indexType` of a query by tag.
const TAG_INDEX: &str = "T";

/// A QUERY_MESSAGE that is ready to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLookup {
    topic: Arc<str>,
    key: Arc<str>,
    /// By tag instead of by key (`indexType` T, since 5.5).
    tag: bool,
    messages_max: usize,
    begin: Millis,
    end: Millis,
}

/// A lookup that is ready to run.
#[derive(Clone, Debug, PartialEq)]
pub enum Query {
    /// VIEW_MESSAGE_BY_ID.
    Message {
        /// Where it starts.
        at: PhysicalOffset,
    },
    /// QUERY_MESSAGE.
    Key(KeyLookup),
    /// SEARCH_OFFSET_BY_TIMESTAMP.
    OffsetByTime {
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: QueueId,
        /// The time.
        time: Millis,
        /// Which of several messages of that time.
        boundary: Boundary,
    },
    /// GET_EARLIEST_MSG_STORETIME.
    EarliestStoreTime {
        /// The topic.
        topic: Arc<str>,
        /// The queue.
        queue: QueueId,
    },
    /// A statistics request that needs store times of messages.
    Stats(super::stats_admin::StatsQuery),
}

impl Core {
    /// Checks a lookup and has it run.
    pub(super) fn query(&self, to: RequestId, command: &Command, actions: &mut Vec<Action>) -> Result<(), Error> {
        let ext = &command.ext;
        let query = match command.code {
            request::VIEW_MESSAGE_BY_ID => Query::Message { at: ViewMessageRequest::decode(ext)?.offset },
            request::QUERY_MESSAGE => Query::Key(self.key_query(&QueryMessageRequest::decode(ext)?)),
            request::SEARCH_OFFSET_BY_TIMESTAMP => {
                let header = SearchOffsetRequest::decode(ext)?;
                Query::OffsetByTime {
                    topic: header.topic.into(),
                    queue: header.queue_id,
                    time: header.timestamp,
                    boundary: header.boundary.unwrap_or_default(),
                }
            }
            request::GET_EARLIEST_MSG_STORETIME => {
                let header = QueueRequest::decode(ext)?;
                Query::EarliestStoreTime { topic: header.topic.into(), queue: header.queue_id }
            }
            code => return Err(Error::CodeUnknown { code }),
        };
        actions.push(Action::Query { to, query: Box::new(query) });
        Ok(())
    }

    fn key_query(&self, header: &QueryMessageRequest<'_>) -> KeyLookup {
        let limit = usize::try_from(self.config.requests.query_messages).unwrap_or(usize::MAX);
        let asked = usize::try_from(header.max_num).unwrap_or(0);
        let messages_max = if header.unique_key_query { UNIQUE_KEY_MESSAGES_MAX } else { asked };
        KeyLookup {
            topic: header.topic.into(),
            key: header.key.into(),
            tag: header.index_type == Some(TAG_INDEX),
            messages_max: messages_max.min(limit),
            begin: header.begin_timestamp,
            end: header.end_timestamp,
        }
    }
}

impl Query {
    /// Looks up and answers.
    ///
    /// # Errors
    /// [`ReadError::WouldBlock`] when the page cache does not hold what is needed and `patience` forbids to wait; the
    /// caller runs the query again where it may.
    pub fn run(&self, view: &View, patience: Patience) -> Result<Command, ReadError> {
        match self {
            Query::Message { at } => Ok(match view.record_at(*at, patience)? {
                Some(record) => Command { body: record.into(), ..ok() },
                None => Error::Failed { reason: format!("can not find message by the offset, {at}") }.to_response(),
            }),
            Query::Key(query) => by_key(view, query, patience),
            Query::OffsetByTime { topic, queue, time, boundary } => {
                let offset = view.offset_by_time(topic, *queue, *time, *boundary, patience)?;
                let mut answer = ok();
                OffsetResponse { offset }.encode(&mut answer.ext);
                Ok(answer)
            }
            Query::EarliestStoreTime { topic, queue } => {
                let first = view.queue_range(topic, *queue).min;
                let timestamp = view.store_time(topic, *queue, first, patience)?.unwrap_or(Millis(-1));
                let mut answer = ok();
                EarliestStoreTimeResponse { timestamp }.encode(&mut answer.ext);
                Ok(answer)
            }
            Query::Stats(query) => query.run(view, patience),
        }
    }
}

fn by_key(view: &View, lookup: &KeyLookup, patience: Patience) -> Result<Command, ReadError> {
    if patience == Patience::CachedOnly {
        // An index is spread over its file; somewhere the device will be needed.
        return Err(ReadError::WouldBlock);
    }
    let KeyLookup { topic, key, tag, messages_max, begin, end } = lookup;
    let query = KeyQuery { topic, key, tag: *tag, max: *messages_max, begin: *begin, end: *end };
    let found = view.query_key(&query)?;
    let mut answer = if found.records.is_empty() {
        let reason = "can not find message, maybe time range not correct".to_owned();
        Error::NotFound { reason }.to_response()
    } else {
        Command { body: Body::Many(found.records), ..ok() }
    };
    QueryMessageResponse {
        index_last_update_timestamp: found.index_last_update_time,
        index_last_update_offset: found.index_last_update_offset,
    }
    .encode(&mut answer.ext);
    Ok(answer)
}
