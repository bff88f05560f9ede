//! The store as readers see it: many tasks, at any time, beside the one that writes (Java: `DefaultMessageStore.getMessage`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::consume_queue::{Range, Unit};
use super::dispatch;
use super::error::{Error, ReadError};
use super::log::Patience;
use super::record::{self, Found};
use super::shared::Shared;
use crate::env::DiskSpace;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::java_hash;
use crate::protocol::properties::key;
use crate::protocol::record::{BodyCrc, RecordView};

/// Java: `maxMsgsNumBatch`, the records one query may return.
const QUERY_RECORDS_MAX: usize = 64;
/// Most records are shorter; longer ones cost a second read.
const FIRST_READ_BYTES: usize = 4096;

/// A handle for reading; clones are cheap.
#[derive(Clone)]
pub struct View {
    pub(super) shared: Arc<Shared>,
}

/// Sizes and positions for reports and metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Usage {
    /// The oldest byte of the log.
    pub first: PhysicalOffset,
    /// The end of the log.
    pub written: PhysicalOffset,
    /// How far it is durable.
    pub flushed: PhysicalOffset,
    /// How far messages are readable.
    pub dispatched: PhysicalOffset,
    /// Bytes appended and not yet durable.
    pub flush_behind_bytes: i64,
    /// Bytes appended and not yet readable.
    pub dispatch_behind_bytes: i64,
    /// Bytes of the log that may be read.
    pub log_bytes: i64,
    /// Files of the log.
    pub segments: i64,
    /// Used share of the commit log's disk, 0 to 1, as of the last look.
    pub disk_used_ratio: f64,
    /// Space of that disk; zeros before the first look.
    pub disk: DiskSpace,
    /// Store time of the oldest message, if it could be read at once.
    pub earliest_store_time: Option<Millis>,
    /// Store time of the newest message since start.
    pub newest_store_time: Millis,
    /// Bytes of the index files.
    pub index_bytes: u64,
}

/// Which records have a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyQuery<'a> {
    /// Their topic.
    pub topic: &'a str,
    /// A word of KEYS, a UNIQ_KEY, or with `tag` a tag.
    pub key: &'a str,
    /// `indexType` T of 5.5: look for a tag.
    pub tag: bool,
    /// At most so many; 64 is the limit.
    pub max: usize,
    /// Oldest store time.
    pub begin: Millis,
    /// Newest store time.
    pub end: Millis,
}

/// What a query found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecords {
    /// Records, oldest first.
    pub records: Vec<Bytes>,
    /// Store time of the newest indexed message.
    pub index_last_update_time: Millis,
    /// Position of the newest indexed message.
    pub index_last_update_offset: PhysicalOffset,
}

impl View {
    pub(super) fn new(shared: Arc<Shared>) -> View {
        View { shared }
    }

    /// First and next message of a queue; zeros for a queue that does not exist.
    #[must_use]
    pub fn queue_range(&self, topic: &str, queue: QueueId) -> Range {
        self.shared.queues.get(topic, queue).map(|queue| queue.range()).unwrap_or_default()
    }

    /// Topics that have queues, by name.
    #[must_use]
    pub fn topics(&self) -> Vec<Arc<str>> {
        self.shared.queues.topics()
    }

    /// The record that starts at a position; none when no record does.
    ///
    /// # Errors
    /// [`ReadError::WouldBlock`] without patience, or a failed read.
    pub fn record_at(&self, position: PhysicalOffset, patience: Patience) -> Result<Option<Bytes>, ReadError> {
        let log = &self.shared.log;
        let end = self.shared.dispatched();
        if position.0 < 0 || position >= end {
            return Ok(None);
        }
        let Some(mut bytes) = log.read_up_to(position, end, FIRST_READ_BYTES, patience)? else { return Ok(None) };
        if let Found::Incomplete { needed } = record::find(&bytes, position, BodyCrc::Trust) {
            let Some(whole) = log.read(position, needed, patience)? else { return Ok(None) };
            bytes = whole;
        }
        Ok(match record::find(&bytes, position, BodyCrc::Trust) {
            Found::Record(record) => {
                let len = record.bytes.len();
                Some(bytes.slice(..len))
            }
            _ => None,
        })
    }

    /// Bytes of one log file.
    #[must_use]
    pub fn segment_bytes(&self) -> i64 {
        self.shared.log.segment_bytes()
    }

    /// The oldest byte of the log and its end.
    #[must_use]
    pub fn log_range(&self) -> (PhysicalOffset, PhysicalOffset) {
        let written = self.shared.log.written();
        (self.shared.log.first().min(written), written)
    }

    /// How far the log is durable.
    #[must_use]
    pub fn flushed(&self) -> PhysicalOffset {
        self.shared.flushed()
    }

    /// Where the copy of a slave without a byte begins: the start of the newest file, as in Java
    /// (`DefaultHAConnection.WriteSocketService`).
    #[must_use]
    pub fn log_start_for_empty_slave(&self) -> PhysicalOffset {
        PhysicalOffset(self.shared.log.base_of(self.shared.log.written()))
    }

    /// The log from a position on as it lies on disk, for a slave: at most `max` bytes, all of one file, none of them behind
    /// the end of the log. None at the end, and where the log is not (any more).
    ///
    /// # Errors
    /// As [`View::record_at`].
    pub fn log_bytes(&self, from: PhysicalOffset, max: usize, patience: Patience) -> Result<Option<Bytes>, ReadError> {
        let log = &self.shared.log;
        let (first, written) = self.log_range();
        if max == 0 || from < first || from >= written {
            return Ok(None);
        }
        log.read_up_to(from, written, max, patience)
    }

    /// One entry of a consume queue; none when there is no such message any more or yet.
    ///
    /// # Errors
    /// As [`View::record_at`].
    pub fn queue_unit(
        &self,
        topic: &str,
        queue: QueueId,
        offset: QueueOffset,
        patience: Patience,
    ) -> Result<Option<Unit>, ReadError> {
        let Some(queue) = self.shared.queues.get(topic, queue) else { return Ok(None) };
        let range = queue.range();
        if offset < range.min || offset >= range.max {
            return Ok(None);
        }
        let units = self.shared.queues.read(&queue, offset.0, 1, patience)?;
        Ok(units.first().copied().filter(|unit| !unit.is_blank()))
    }

    /// Whether a message lies so close to the end of the log that it counts as in memory (Java:
    /// `checkInMemByConsumeOffset`).
    #[must_use]
    pub fn is_recent(&self, topic: &str, queue: QueueId, offset: QueueOffset) -> bool {
        let unit = self.queue_unit(topic, queue, offset, Patience::CachedOnly);
        let Ok(Some(unit)) = unit else { return false };
        self.shared.dispatched() - unit.physical <= self.shared.options.hot_bytes()
    }

    /// When a message was stored (Java: `getMessageStoreTimeStamp`).
    ///
    /// # Errors
    /// As [`View::record_at`].
    pub fn store_time(
        &self,
        topic: &str,
        queue: QueueId,
        offset: QueueOffset,
        patience: Patience,
    ) -> Result<Option<Millis>, ReadError> {
        match self.queue_unit(topic, queue, offset, patience)? {
            Some(unit) => self.time_of(&unit, patience),
            None => Ok(None),
        }
    }

    /// The store time of the record a unit points to.
    pub(super) fn time_of(&self, unit: &Unit, patience: Patience) -> Result<Option<Millis>, ReadError> {
        // Both hosts may be IPv6: the store time ends at byte 76 at the latest.
        let len = usize::try_from(unit.size).unwrap_or(0).min(76);
        let Some(bytes) = self.shared.log.read(unit.physical, len, patience)? else { return Ok(None) };
        Ok(store_time_of(&bytes))
    }

    /// Records by key, newest 64 at most.
    ///
    /// Unlike Java, which returns whatever shares the key's hash, only records that have the key are returned.
    ///
    /// # Errors
    /// A failed read. May block: for the I/O pool.
    pub fn query_key(&self, query: &KeyQuery<'_>) -> Result<KeyRecords, Error> {
        let hash = match query.tag {
            true => dispatch::tag_hash(query.topic, query.key),
            false => java_hash::index_key_hash(query.topic, query.key),
        };
        let max = query.max.min(QUERY_RECORDS_MAX);
        let mut positions = self.shared.index.query(hash, max, query.begin, query.end)?;
        positions.found.sort_unstable();
        let mut records = Vec::with_capacity(positions.found.len());
        for position in positions.found {
            let record = match self.record_at(position, Patience::MayBlock) {
                Ok(Some(record)) => record,
                Ok(None) | Err(ReadError::WouldBlock) => continue,
                Err(ReadError::Failed(error)) => return Err(error),
            };
            let matches = match record::find(&record, position, BodyCrc::Trust) {
                Found::Record(view) => has_key(&view, query),
                _ => false,
            };
            if matches {
                records.push(record);
            }
        }
        Ok(KeyRecords {
            records,
            index_last_update_time: positions.last_update,
            index_last_update_offset: positions.last_physical,
        })
    }

    /// Topics with the ids of their queues, sorted.
    #[must_use]
    pub fn topics_with_queues(&self) -> Vec<(Arc<str>, Vec<QueueId>)> {
        let mut topics: Vec<(Arc<str>, Vec<QueueId>)> = Vec::new();
        for queue in self.shared.queues.all() {
            match topics.last_mut() {
                Some((topic, ids)) if *topic == queue.topic => ids.push(queue.id),
                _ => topics.push((Arc::clone(&queue.topic), vec![queue.id])),
            }
        }
        topics
    }

    /// Sizes and positions as of now.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let log = &self.shared.log;
        // Read in the order in which they grow, so that no difference is negative.
        let dispatched = self.shared.dispatched();
        let flushed = self.shared.flushed();
        let written = log.written();
        let first = log.first();
        let segments = (written.0 - first.0 + log.segment_bytes() - 1) / log.segment_bytes();
        let disk = self.shared.disk();
        let oldest = log.read_up_to(first, written, 76, Patience::CachedOnly).ok().flatten();
        Usage {
            first,
            written,
            flushed,
            dispatched,
            flush_behind_bytes: (written - flushed).max(0),
            dispatch_behind_bytes: (written - dispatched).max(0),
            log_bytes: (written - first).max(0),
            segments,
            disk_used_ratio: disk.used_ratio(),
            disk,
            earliest_store_time: oldest.as_deref().and_then(store_time_of),
            newest_store_time: Millis(self.shared.newest_time.load(Ordering::Relaxed)),
            index_bytes: self.shared.index.bytes(),
        }
    }
}

/// STORETIMESTAMP of the record whose first 76 bytes these are.
pub(super) fn store_time_of(bytes: &[u8]) -> Option<Millis> {
    // SYSFLAG says whether the born host before it has 8 or 20 bytes.
    let v6 = bytes.get(39)? & 0x10 != 0;
    let at = if v6 { 68 } else { 56 };
    let time = i64::from_be_bytes(*bytes.get(at..)?.first_chunk()?);
    (time > 0).then_some(Millis(time))
}

fn has_key(record: &RecordView<'_>, query: &KeyQuery<'_>) -> bool {
    if record.topic != query.topic {
        return false;
    }
    if query.tag {
        return record.property(key::TAGS) == Some(query.key);
    }
    let mut words = record.property(key::KEYS).unwrap_or_default().split(' ');
    record.property(key::UNIQ_KEY) == Some(query.key) || words.any(|word| word == query.key)
}
