//! Reading messages of a queue (Java: `DefaultMessageStore.getMessage`, `isTheBatchFull`).

use bytes::Bytes;

use super::consume_queue::{Range, Unit};
use super::error::ReadError;
use super::log::Patience;
use super::view::View;
use crate::protocol::ids::{PhysicalOffset, QueueId, QueueOffset};

/// Java reads at least so many bytes, whatever the client says.
const READ_BYTES_MIN: usize = 100;
/// Java: `MAX_PULL_MSG_SIZE`.
const READ_BYTES_MAX: usize = 128 << 20;
/// Java: `maxFilterMessageSize` of 16,000 bytes: units that one read looks at.
const UNITS_MAX: usize = 800;

/// What to read.
pub struct ReadRequest<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Queue.
    pub queue: QueueId,
    /// The first message wanted.
    pub from: QueueOffset,
    /// At most so many messages.
    pub max_messages: usize,
    /// At most so many bytes, except that one message is always given.
    pub max_bytes: usize,
    /// Which tags codes are wanted; none wants all.
    pub filter: Option<&'a (dyn Fn(i64) -> bool + Sync)>,
}

/// Java's `GetMessageStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GetStatus {
    /// Messages.
    Found,
    /// Messages were there, none of them wanted.
    NoMatchedMessage,
    /// Retention is deleting them.
    MessageWasRemoving,
    /// The queue's entry could not be read.
    OffsetFoundNull,
    /// Far behind the end.
    OffsetOverflowBadly,
    /// At the end: nothing new yet.
    OffsetOverflowOne,
    /// Before the beginning.
    OffsetTooSmall,
    /// The queue has never had a message.
    NoMessageInQueue,
}

/// The outcome of a read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What it found.
    pub status: GetStatus,
    /// Where to go on.
    pub next: QueueOffset,
    /// First message of the queue.
    pub min: QueueOffset,
    /// Next message to come.
    pub max: QueueOffset,
    /// Records as stored; neighbours in the log share one buffer.
    pub messages: Vec<Bytes>,
    /// Bytes of them all.
    pub bytes: usize,
    /// The messages lie so far behind the end of the log that a slave should serve them (`suggestPullingFromSlave`).
    pub cold: bool,
}

impl Read {
    fn nothing(status: GetStatus, next: QueueOffset, range: Range) -> Read {
        Read { status, next, min: range.min, max: range.max, messages: Vec::new(), bytes: 0, cold: false }
    }
}

impl View {
    /// Reads messages of one queue.
    ///
    /// # Errors
    /// [`ReadError::WouldBlock`] without patience when the device would be needed; [`ReadError::Failed`] when a read failed.
    pub fn read(&self, request: &ReadRequest<'_>, patience: Patience) -> Result<Read, ReadError> {
        let from = request.from;
        let cuts = self.shared.log.cuts();
        let Some(queue) = self.shared.queues.get(request.topic, request.queue) else {
            return Ok(Read::nothing(GetStatus::NoMessageInQueue, QueueOffset(0), Range::default()));
        };
        let range = queue.range();
        if range.max.0 == 0 {
            return Ok(Read::nothing(GetStatus::NoMessageInQueue, QueueOffset(0), range));
        } else if from < range.min {
            return Ok(Read::nothing(GetStatus::OffsetTooSmall, range.min, range));
        } else if from == range.max {
            return Ok(Read::nothing(GetStatus::OffsetOverflowOne, from, range));
        } else if from > range.max {
            return Ok(Read::nothing(GetStatus::OffsetOverflowBadly, range.max, range));
        }
        // Without a filter every unit is a message, and no more are needed than messages are wanted.
        let units_max =
            if request.filter.is_some() { UNITS_MAX.max(request.max_messages) } else { self.messages_max(request) };
        let units = self.shared.queues.read(&queue, from.0, units_max, patience)?;
        if units.is_empty() {
            // Its file went with retention since the look at the range.
            let range = queue.range();
            return Ok(Read::nothing(GetStatus::OffsetFoundNull, range.min.max(from), range));
        }
        let selection = self.select(request, &units);
        let read = self.load(selection, range, patience)?;
        if self.shared.log.cuts() != cuts {
            // The units may point to where other records stand by now.
            return Ok(Read::nothing(GetStatus::OffsetFoundNull, from, queue.range()));
        }
        Ok(read)
    }

    fn messages_max(&self, request: &ReadRequest<'_>) -> usize {
        let settings = self.shared.settings();
        let transfer = &settings.transfer;
        request.max_messages.min(transfer.memory_messages.max(transfer.disk_messages) as usize).max(1)
    }

    /// Picks units until the batch is full.
    fn select(&self, request: &ReadRequest<'_>, units: &[Unit]) -> Selection {
        let end = self.shared.log.written();
        let hot = self.shared.options.hot_bytes();
        let bytes_max = request.max_bytes.clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        let mut selection = Selection { units: Vec::new(), bytes: 0, next: request.from, cold: false };
        for unit in units {
            let size = usize::try_from(unit.size).unwrap_or(0);
            let is_hot = end - unit.physical <= hot;
            if self.is_full(&selection, size, is_hot, request.max_messages, bytes_max) {
                break;
            }
            selection.next = selection.next + 1;
            selection.cold = !is_hot;
            if unit.is_blank() || request.filter.is_some_and(|wanted| !wanted(unit.tags_code)) {
                continue;
            }
            selection.bytes += size;
            selection.units.push(*unit);
        }
        selection
    }

    /// Java: `isTheBatchFull`; the first message always fits.
    fn is_full(&self, selection: &Selection, size: usize, is_hot: bool, messages_max: usize, bytes_max: usize) -> bool {
        if selection.units.is_empty() {
            return false;
        }
        let settings = self.shared.settings();
        let transfer = &settings.transfer;
        let (bytes, messages) = if is_hot {
            (transfer.memory_bytes, transfer.memory_messages)
        } else {
            (transfer.disk_bytes, transfer.disk_messages)
        };
        let bytes_max = bytes_max.min(usize::try_from(bytes).unwrap_or(usize::MAX));
        let messages_max = messages_max.min(messages as usize);
        selection.units.len() + 1 > messages_max || selection.bytes + size > bytes_max
    }

    /// Reads the records; neighbours in the log with one read.
    fn load(&self, selection: Selection, range: Range, patience: Patience) -> Result<Read, ReadError> {
        let mut read = Read::nothing(GetStatus::NoMatchedMessage, selection.next, range);
        read.cold = selection.cold;
        let mut rest = selection.units.as_slice();
        while let Some((run, len)) = neighbours(rest, self.shared.log.segment_bytes()) {
            let start = run.first().map_or(PhysicalOffset(0), |unit| unit.physical);
            match self.shared.log.read(start, len, patience)? {
                Some(bytes) => {
                    read.messages.extend(run.iter().map(|unit| {
                        let at = usize::try_from(unit.physical - start).unwrap_or(0);
                        bytes.slice(at..at + usize::try_from(unit.size).unwrap_or(0))
                    }));
                    read.bytes += len;
                }
                // Retention was faster.
                None if read.messages.is_empty() => read.status = GetStatus::MessageWasRemoving,
                None => {}
            }
            rest = &rest[run.len()..];
        }
        if !read.messages.is_empty() {
            read.status = GetStatus::Found;
        }
        Ok(read)
    }
}

/// Units to load.
struct Selection {
    units: Vec<Unit>,
    bytes: usize,
    next: QueueOffset,
    cold: bool,
}

/// The first units whose records lie side by side in one file, and their bytes.
fn neighbours(units: &[Unit], segment_bytes: i64) -> Option<(&[Unit], usize)> {
    let first = units.first()?;
    let file_end = first.physical.0 - first.physical.0.rem_euclid(segment_bytes) + segment_bytes;
    let mut end = first.physical + i64::from(first.size);
    let mut count = 1;
    for unit in &units[1..] {
        if unit.physical != end || (unit.physical + i64::from(unit.size)).0 > file_end {
            break;
        }
        end = unit.physical + i64::from(unit.size);
        count += 1;
    }
    Some((&units[..count], usize::try_from(end - first.physical).ok()?))
}
