//! Messages in, places in the log out (Java: `CommitLog.asyncPutMessage`, `MessageExtEncoder`).
//!
//! ```text
//! batch of Appends -> offsets assigned, records encoded -> one write per file -> Appended
//!                                                            | failed: offsets taken back, bytes erased
//! ```
//!
//! The write goes to the page cache and is made in the caller's task: a prototype measured that a hop to another thread
//! costs more than the write itself.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::consume_queue::Queue;
use super::error::{AppendError, Error};
use super::layout;
use super::raw::Piece;
use super::shared::Shared;
use crate::env::File;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::properties;
use crate::protocol::record::{self, BLANK_SIZE, NewRecord};
use crate::protocol::sys_flag;

/// Bytes a record may have beyond `maxMessageSize`: head, topic and properties (Java: `MessageExtEncoder`).
const RECORD_OVERHEAD_MAX: usize = 64 * 1024;

/// A message to store.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Topic; checked for use as a folder name, nothing else.
    pub topic: Arc<str>,
    /// Queue, not negative.
    pub queue: QueueId,
    /// The user's flag.
    pub flag: i32,
    /// Bits of `protocol::sys_flag`; the IPv6 bits are set here.
    pub sys_flag: i32,
    /// When the client made it.
    pub born: Millis,
    /// The client's address.
    pub born_host: SocketAddr,
    /// This broker's address.
    pub store_host: SocketAddr,
    /// How often a consumer gave it back.
    pub reconsume_times: i32,
    /// Where the half message of a committed transaction lies, else 0.
    pub prepared_transaction_offset: PhysicalOffset,
    /// Properties as they will be stored.
    pub properties: Bytes,
    /// The body.
    pub body: Bytes,
}

impl NewMessage {
    fn as_record(&self) -> NewRecord<'_> {
        NewRecord {
            topic: &self.topic,
            queue_id: self.queue,
            flag: self.flag,
            sys_flag: self.sys_flag,
            born_timestamp: self.born,
            born_host: self.born_host,
            store_host: self.store_host,
            reconsume_times: self.reconsume_times,
            prepared_transaction_offset: self.prepared_transaction_offset,
            body: &self.body,
            properties: &self.properties,
        }
    }

    /// Half and rolled back messages have number 0 and no place in a queue.
    fn has_place(&self) -> bool {
        let transaction = sys_flag::transaction(self.sys_flag);
        transaction != sys_flag::TRANSACTION_PREPARED && transaction != sys_flag::TRANSACTION_ROLLBACK
    }
}

/// What is stored together or not at all: one message, or a client's batch.
#[derive(Clone, Debug)]
pub struct Append {
    /// Messages; those of one queue get consecutive numbers, all lie in one file.
    pub messages: SmallVec<[NewMessage; 1]>,
}

/// Where an [`Append`] went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Number of the first message in its queue.
    pub queue_offset: QueueOffset,
    /// Where each record starts.
    pub physical: SmallVec<[PhysicalOffset; 1]>,
    /// End of the last record: durable once the log is flushed up to here.
    pub end: PhysicalOffset,
    /// Store time of all its records.
    pub store_time: Millis,
}

impl Appended {
    /// Bytes of its records, which lie together in one file (Java: `wroteBytes`).
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let start = self.physical.first().copied().unwrap_or(self.end);
        (self.end - start).unsigned_abs()
    }
}

/// Bytes that were just written, for dispatch.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) start: PhysicalOffset,
    pub(super) bytes: Bytes,
}

/// What a batch became.
pub(super) struct Outcome {
    pub(super) results: Vec<Result<Appended, AppendError>>,
    /// What was written, in order.
    pub(super) chunks: Vec<Chunk>,
    /// Why not everything was.
    pub(super) failure: Option<Error>,
}

/// The end of the log: the only place that writes it.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// The file that is written, with its start.
    file: Option<(i64, Arc<dyn File>)>,
    buffer: BytesMut,
    end: PhysicalOffset,
    /// A failed write may have left bytes here; they must go before anything is written again.
    leftover: Option<(PhysicalOffset, usize)>,
    /// Start of the newest file that is known to be there.
    prepared: Option<i64>,
}

/// Records of one file that are encoded and not yet written.
#[derive(Default)]
struct Draft {
    /// Index of each [`Append`] in the results.
    members: Vec<usize>,
    /// Assigned numbers, to be taken back should the write fail.
    assigned: Vec<(Arc<Queue>, QueueOffset)>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, end: PhysicalOffset) -> Writer {
        // Recovery leaves the file that holds the end, if there is one, and no later file.
        let base = shared.log.base_of(end);
        let prepared = if base < end.0 { Some(base) } else { None };
        Writer { shared, file: None, buffer: BytesMut::new(), end, leftover: None, prepared }
    }

    /// The end of the log.
    pub(super) fn end(&self) -> PhysicalOffset {
        self.end
    }

    /// The file to make before it is needed: the one of the end, or from the middle of a file on the next.
    pub(super) fn file_wanted(&self) -> Option<i64> {
        let base = self.shared.log.base_of(self.end);
        let is_there = |base| self.prepared.is_some_and(|prepared| prepared >= base);
        let next = base + self.shared.log.segment_bytes();
        match is_there(base) {
            false => Some(base),
            true if self.end.0 - base > self.shared.log.segment_bytes() / 2 && !is_there(next) => Some(next),
            true => None,
        }
    }

    /// A file was made.
    pub(super) fn prepared(&mut self, base: i64) {
        self.prepared = self.prepared.max(Some(base));
    }

    /// Stores a batch.
    pub(super) fn append(&mut self, batch: &[Append], now: Millis) -> Outcome {
        let mut outcome = Outcome { results: Vec::with_capacity(batch.len()), chunks: Vec::new(), failure: None };
        outcome.failure = self.erase_leftover().err();
        let records = batch.iter().flat_map(|append| &append.messages);
        self.buffer.reserve(records.map(|message| record::size_of(&message.as_record())).sum());
        let mut draft = Draft::default();
        for append in batch {
            let size = match self.check(append) {
                Ok(size) => size,
                Err(error) => {
                    outcome.results.push(Err(error));
                    continue;
                }
            };
            if outcome.failure.is_none() && !self.fits(size) {
                self.end_file();
                self.write(&mut draft, &mut outcome, true);
            }
            if outcome.failure.is_some() {
                // The true reason is filled in below, for all that were not written.
                outcome.results.push(Err(AppendError::NotWritable));
                continue;
            }
            draft.members.push(outcome.results.len());
            let appended = self.encode(append, now, &mut draft);
            outcome.results.push(Ok(appended));
        }
        self.write(&mut draft, &mut outcome, false);
        if let Some(failure) = &outcome.failure {
            let reason = failure.to_string();
            let reason =
                if failure.is_disk_full() { AppendError::DiskFull(reason) } else { AppendError::Poisoned(reason) };
            let refused = |result: &&mut Result<_, _>| matches!(result, Err(AppendError::NotWritable));
            outcome.results.iter_mut().filter(refused).for_each(|result| *result = Err(reason.clone()));
        }
        outcome
    }

    /// Bytes of all records of an append, if it may be stored.
    fn check(&self, append: &Append) -> Result<usize, AppendError> {
        let body_max = self.shared.settings().max_message_bytes;
        let mut size = 0;
        for message in &append.messages {
            layout::check_topic(&message.topic).map_err(AppendError::TopicInvalid)?;
            if message.queue.0 < 0 {
                return Err(AppendError::QueueInvalid(message.queue.0));
            }
            if message.properties.len() > properties::LENGTH_MAX {
                return Err(AppendError::PropertiesTooLarge { size: message.properties.len() });
            }
            if message.body.len() > body_max {
                return Err(AppendError::MessageTooLarge { size: message.body.len(), max: body_max });
            }
            let record = record::size_of(&message.as_record());
            if record > body_max + RECORD_OVERHEAD_MAX {
                return Err(AppendError::MessageTooLarge { size: record, max: body_max + RECORD_OVERHEAD_MAX });
            }
            size += record;
        }
        let file = usize::try_from(self.shared.log.segment_bytes()).unwrap_or(usize::MAX);
        match size {
            0 => Err(AppendError::Empty),
            _ if size + BLANK_SIZE > file => Err(AppendError::MessageTooLarge { size, max: file - BLANK_SIZE }),
            _ => Ok(size),
        }
    }

    /// Where the next byte goes.
    fn position(&self) -> PhysicalOffset {
        self.end + i64::try_from(self.buffer.len()).unwrap_or(0)
    }

    fn remaining(&self) -> i64 {
        let position = self.position();
        // Right after a full file the position is the start of one that is still empty.
        self.shared.log.base_of(position) + self.shared.log.segment_bytes() - position.0
    }

    /// Whether a record fits, with the blank that must follow the last one.
    fn fits(&self, size: usize) -> bool {
        i64::try_from(size + BLANK_SIZE).is_ok_and(|size| size <= self.remaining())
    }

    fn end_file(&mut self) {
        let remaining = i32::try_from(self.remaining()).unwrap_or(i32::MAX);
        self.buffer.extend_from_slice(&record::blank(remaining));
    }

    fn encode(&mut self, append: &Append, now: Millis, draft: &mut Draft) -> Appended {
        let mut physical = SmallVec::with_capacity(append.messages.len());
        let mut first = QueueOffset(0);
        for message in &append.messages {
            let mut offset = QueueOffset(0);
            if message.has_place() {
                let queue = self.shared.queues.get_or_create(&message.topic, message.queue);
                offset = queue.assign();
                draft.assigned.push((queue, offset));
            }
            if physical.is_empty() {
                first = offset;
            }
            let position = self.position();
            let start = self.buffer.len();
            let encoded = record::encode(&message.as_record(), &mut self.buffer);
            assert!(encoded.is_ok(), "the lengths were checked");
            record::patch(&mut self.buffer[start..], offset, position, now);
            physical.push(position);
        }
        Appended { queue_offset: first, physical, end: self.position(), store_time: now }
    }

    /// Writes the draft; with `rolls` the file is full and the log goes on in the next one.
    fn write(&mut self, draft: &mut Draft, outcome: &mut Outcome, rolls: bool) {
        if self.buffer.is_empty() {
            return;
        }
        let start = self.end;
        let bytes = self.buffer.split().freeze();
        match self.extend(&bytes, rolls) {
            Ok(()) => {
                outcome.chunks.push(Chunk { start, bytes });
                draft.assigned.clear();
            }
            Err(error) => {
                draft.assigned.drain(..).rev().for_each(|(queue, offset)| queue.unassign(offset));
                draft.members.iter().for_each(|member| outcome.results[*member] = Err(AppendError::NotWritable));
                outcome.failure = Some(error);
            }
        }
        draft.members.clear();
    }

    /// Writes at the end of the log, which moves on only when all of it was written; with `rolls` to the next file.
    fn extend(&mut self, bytes: &[u8], rolls: bool) -> Result<(), Error> {
        let start = self.end;
        if let Err(error) = self.write_bytes(start, bytes) {
            self.leftover = Some((start, bytes.len()));
            // Tried at once; while it does not work, nothing is written.
            if let Err(error) = self.erase_leftover() {
                tracing::warn!(%error, "bytes of a failed write are still in the log file");
            }
            return Err(error);
        }
        let base = self.shared.log.base_of(start);
        let written = start + i64::try_from(bytes.len()).unwrap_or(0);
        self.end = if rolls { PhysicalOffset(base + self.shared.log.segment_bytes()) } else { written };
        self.shared.log.set_written(self.end);
        Ok(())
    }

    /// Writes records of a master.
    pub(super) fn append_piece(&mut self, piece: &Piece) -> Result<(), Error> {
        assert_eq!(piece.start, self.end, "a copy has no holes");
        self.erase_leftover()?;
        self.extend(&piece.bytes, piece.ends_file)
    }

    /// The log was cut back; what stood behind its end is erased.
    pub(super) fn cut_back(&mut self, end: PhysicalOffset) {
        *self = Writer::new(Arc::clone(&self.shared), end);
    }

    /// A log without a byte begins at the start of another file. One that was made for its old beginning goes, or it would
    /// stand before a hole.
    pub(super) fn begin_at(&mut self, start: PhysicalOffset) -> Result<(), Error> {
        self.erase_leftover()?;
        self.shared.log.remove(self.shared.log.base_of(self.end))?;
        self.shared.log.set_first(start);
        self.shared.log.set_written(start);
        self.end = start;
        self.file = None;
        self.prepared = None;
        Ok(())
    }

    fn write_bytes(&mut self, start: PhysicalOffset, bytes: &[u8]) -> Result<(), Error> {
        let base = self.shared.log.base_of(start);
        let file = self.file_at(base)?;
        let within = (start.0 - base).unsigned_abs();
        file.write_all_at(within, bytes).map_err(|error| Error::io("write", &self.shared.log.path_of(base))(error))
    }

    fn file_at(&mut self, base: i64) -> Result<Arc<dyn File>, Error> {
        if let Some((open, file)) = &self.file
            && *open == base
        {
            return Ok(Arc::clone(file));
        }
        let is_there = self.prepared.is_some_and(|prepared| prepared >= base);
        let file = if is_there { self.shared.log.open(base)? } else { self.shared.log.create(base)? };
        self.prepared(base);
        self.file = Some((base, Arc::clone(&file)));
        Ok(file)
    }

    /// A failed write may have stored complete records that nobody was told of; after a crash they would come to life
    /// among later ones.
    fn erase_leftover(&mut self) -> Result<(), Error> {
        let Some((start, len)) = self.leftover else { return Ok(()) };
        let base = self.shared.log.base_of(start);
        let file = self.file_at(base)?;
        let within = (start.0 - base).unsigned_abs();
        file.zero(within, len as u64).map_err(Error::io("erase", &self.shared.log.path_of(base)))?;
        self.leftover = None;
        Ok(())
    }
}
