//! From a record of the log to its unit, its keys and the news of its arrival (Java: `CommitLogDispatcherBuildConsumeQueue`,
//! `CommitLogDispatcherBuildIndex`). The running store and recovery use the same code.

use std::sync::Arc;

use super::consume_queue::{Numbering, Pushed, Queue, Unit};
use super::index::Key;
use super::layout;
use super::options::millis;
use super::shared::Shared;
use crate::config::DelayLevels;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::protocol::java_hash;
use crate::protocol::properties::{self, key};
use crate::protocol::record::RecordView;
use crate::protocol::sys_flag;

/// The topic of delayed messages; its units carry the due time instead of a tags code.
const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";
/// Between topic and tag in the index (5.5).
const TAG_INDEX: &str = "T";

/// A message became readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its topic.
    pub topic: Arc<str>,
    /// Its queue.
    pub queue: QueueId,
    /// Its number in the queue.
    pub queue_offset: QueueOffset,
    /// Java's hash of its tags.
    pub tags_code: i64,
    /// When it was appended.
    pub store_time: Millis,
    /// Bytes of its record.
    pub size: i32,
}

/// A record's queue misses messages before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) topic: String,
    pub(super) queue: QueueId,
    pub(super) expected: i64,
    pub(super) found: QueueOffset,
}

/// What became of a record.
pub(super) enum Dispatched {
    /// It stands in its queue.
    Readable(Enqueued),
    /// It has no place in a queue (half or rolled back message, or a topic that cannot be a folder).
    Hidden,
}

/// A record in its queue.
pub(super) struct Enqueued {
    pub(super) arrival: Arrival,
    /// Units in memory, more or less than before.
    pub(super) grown: isize,
    /// The queue lost units that its files still hold: its topic was deleted and made anew.
    pub(super) restarted: Option<Arc<Queue>>,
}

/// The queue a record has its number in; none for half and rolled back messages.
pub(super) fn queue_of(shared: &Shared, record: &RecordView<'_>) -> Option<Arc<Queue>> {
    let transaction = sys_flag::transaction(record.sys_flag);
    let hidden = transaction == sys_flag::TRANSACTION_ROLLBACK || transaction == sys_flag::TRANSACTION_PREPARED;
    let has_place = !hidden && layout::check_topic(record.topic).is_ok();
    has_place.then(|| shared.queues.get_or_create(record.topic, record.queue_id))
}

/// Adds a record to its queue and to the index.
pub(super) fn dispatch(shared: &Shared, record: &RecordView<'_>, numbering: Numbering) -> Result<Dispatched, Gap> {
    let labels = Labels::of(record);
    let dispatched = match queue_of(shared, record) {
        Some(queue) => Dispatched::Readable(enqueue(shared, &queue, record, &labels, numbering)?),
        None => Dispatched::Hidden,
    };
    let rolled_back = sys_flag::transaction(record.sys_flag) == sys_flag::TRANSACTION_ROLLBACK;
    if shared.index.is_enabled() && !rolled_back {
        shared.index.push(keys(record, &labels));
    }
    Ok(dispatched)
}

fn enqueue(
    shared: &Shared,
    queue: &Arc<Queue>,
    record: &RecordView<'_>,
    labels: &Labels<'_>,
    numbering: Numbering,
) -> Result<Enqueued, Gap> {
    // A record is at most a commit log file long.
    let size = i32::try_from(record.bytes.len()).unwrap_or(i32::MAX);
    let tags_code = tags_code(record, labels, &shared.options.delay_levels);
    let unit = Unit { physical: record.physical_offset, size, tags_code };
    let arrival = Arrival {
        topic: Arc::clone(&queue.topic),
        queue: record.queue_id,
        queue_offset: record.queue_offset,
        tags_code,
        store_time: record.store_timestamp,
        size,
    };
    let push = queue.push(record.queue_offset, unit, numbering);
    shared.queues.list(queue, push.due);
    let restarted = match push.pushed {
        Pushed::Appended => None,
        Pushed::Restarted => Some(Arc::clone(queue)),
        Pushed::Gap { expected } => {
            let topic = record.topic.to_owned();
            return Err(Gap { topic, queue: record.queue_id, expected, found: record.queue_offset });
        }
    };
    Ok(Enqueued { arrival, grown: push.grown, restarted })
}

/// The properties dispatch looks at, found in one pass; of equal names the last one counts.
#[derive(Default)]
struct Labels<'r> {
    unique_key: Option<&'r str>,
    keys: Option<&'r str>,
    tags: Option<&'r str>,
    delay_level: Option<&'r str>,
}

impl<'r> Labels<'r> {
    fn of(record: &RecordView<'r>) -> Labels<'r> {
        const UNIQUE_KEY: &[u8] = key::UNIQ_KEY.as_bytes();
        const KEYS: &[u8] = key::KEYS.as_bytes();
        const TAGS: &[u8] = key::TAGS.as_bytes();
        const DELAY_LEVEL: &[u8] = key::DELAY_TIME_LEVEL.as_bytes();
        let mut labels = Labels::default();
        for (name, value) in properties::pairs(record.properties) {
            let label = match name {
                UNIQUE_KEY => &mut labels.unique_key,
                KEYS => &mut labels.keys,
                TAGS => &mut labels.tags,
                DELAY_LEVEL => &mut labels.delay_level,
                _ => continue,
            };
            *label = std::str::from_utf8(value).ok();
        }
        labels
    }
}

/// The hash of the tags; for a delayed message the time when it is due.
fn tags_code(record: &RecordView<'_>, labels: &Labels<'_>, levels: &DelayLevels) -> i64 {
    if record.topic == SCHEDULE_TOPIC
        && let Some(level) = labels.delay_level.and_then(|level| level.parse().ok())
        && let Some(delay) = levels.delay(level)
    {
        return record.store_timestamp.0.saturating_add(millis(delay));
    }
    java_hash::tags_code(labels.tags)
}

/// The keys of a record: its id, each word of KEYS, and since 5.5 its tag.
fn keys(record: &RecordView<'_>, labels: &Labels<'_>) -> impl Iterator<Item = Key> {
    let words = labels.keys.unwrap_or_default().split(' ').filter(|word| !word.is_empty());
    let hashes = labels.unique_key.into_iter().chain(words);
    let hashes = hashes.map(|word| java_hash::index_key_hash(record.topic, word));
    let tag = labels.tags.map(|tag| tag_hash(record.topic, tag));
    hashes.chain(tag).map(|hash| Key { hash, physical: record.physical_offset, store_time: record.store_timestamp })
}

/// The index hash of `topic#T#tag`.
pub(super) fn tag_hash(topic: &str, tag: &str) -> i32 {
    java_hash::index_key_hash_of(topic, [TAG_INDEX, "#", tag])
}
