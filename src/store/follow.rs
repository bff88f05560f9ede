//! Behind the end of the log: confirmed bytes become readable (Java: `ReputMessageService`).
//!
//! ```text
//!        dispatched                confirmed   written
//!            |  chunks kept in memory  |  ........|
//!            +--> queues, index, Arrival
//! ```
//!
//! What was just appended is taken from memory. When that had no room for it, the log is read again, by a job.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::append::Chunk;
use super::consume_queue::{Numbering, Queue};
use super::dispatch::{self, Arrival, Dispatched, Gap};
use super::record::{self, Found};
use super::shared::Shared;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::record::{BodyCrc, RecordView};

/// Bytes of the log kept for dispatch. With SYNC_FLUSH they wait for the sync; at 200 MB/s this is 40 ms of them.
const CHUNK_BYTES_MAX: usize = 8 << 20;
/// Bytes read when the log must be read again.
const READ_BACK_BYTES: usize = 1 << 20;

/// The state of dispatch.
pub(super) struct Follow {
    chunks: VecDeque<Chunk>,
    chunk_bytes: usize,
    dispatched: PhysicalOffset,
    /// Store time of the newest record that was dispatched.
    newest_time: Millis,
    /// A read of the log runs, or is wanted for so many bytes.
    read_back: ReadBack,
    /// Topics deleted while records of theirs were not dispatched yet: those before the position have no queue any more.
    deleted: HashMap<String, PhysicalOffset>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReadBack {
    None,
    Wanted(usize),
    Running,
}

/// Why dispatch cannot go on.
#[derive(Debug)]
pub(super) enum Stuck {
    /// The log does not hold at this position what was written there.
    Damaged { position: PhysicalOffset, reason: String },
    /// Messages are missing in a queue.
    Gap(Gap),
}

/// Who assigned the numbers of the records to dispatch.
#[derive(Clone, Copy, Debug)]
pub(super) enum Numbers {
    /// A master, all of them.
    Followed,
    /// This store, from a position on; a former master before it.
    OwnFrom(PhysicalOffset),
}

impl Numbers {
    fn of(self, position: PhysicalOffset) -> Numbering {
        match self {
            Numbers::Followed => Numbering::Followed,
            Numbers::OwnFrom(start) if position < start => Numbering::Inherited,
            Numbers::OwnFrom(_) => Numbering::Own,
        }
    }
}

/// What dispatch did.
pub(super) struct News<'a> {
    pub(super) arrivals: &'a mut Vec<Arrival>,
    /// Units in memory, more or less than before.
    pub(super) grown: isize,
    /// Queues whose files hold units that are gone.
    pub(super) restarted: Vec<Arc<Queue>>,
}

impl News<'_> {
    fn add(&mut self, dispatched: Dispatched) {
        let Dispatched::Readable(enqueued) = dispatched else { return };
        self.arrivals.push(enqueued.arrival);
        self.grown += enqueued.grown;
        self.restarted.extend(enqueued.restarted);
    }
}

fn ends_behind(record: &RecordView<'_>, position: PhysicalOffset) -> bool {
    record.physical_offset + i64::try_from(record.bytes.len()).unwrap_or(i64::MAX) > position
}

impl Follow {
    pub(super) fn new(dispatched: PhysicalOffset, newest_time: Millis) -> Follow {
        Follow {
            chunks: VecDeque::new(),
            chunk_bytes: 0,
            dispatched,
            newest_time,
            read_back: ReadBack::None,
            deleted: HashMap::new(),
        }
    }

    pub(super) fn dispatched(&self) -> PhysicalOffset {
        self.dispatched
    }

    pub(super) fn newest_time(&self) -> Millis {
        self.newest_time
    }

    /// A log without a byte begins elsewhere.
    pub(super) fn begin_at(&mut self, start: PhysicalOffset) {
        assert!(self.chunks.is_empty() && self.dispatched <= start, "a log without a byte has nothing to dispatch");
        self.dispatched = start;
    }

    /// The log ends here now.
    pub(super) fn cut_back(&mut self, end: PhysicalOffset) {
        assert!(self.read_back != ReadBack::Running, "nobody reads a log that is cut back");
        self.read_back = ReadBack::None;
        self.chunks = VecDeque::new();
        self.chunk_bytes = 0;
        self.dispatched = self.dispatched.min(end);
        self.deleted.values_mut().for_each(|written| *written = end.min(*written));
    }

    /// Topics whose records before a position have no queue.
    pub(super) fn deleted(&self) -> &HashMap<String, PhysicalOffset> {
        &self.deleted
    }

    /// Keeps what was appended; without room for it, it will be read from the log.
    pub(super) fn keep(&mut self, chunk: Chunk) {
        if self.chunk_bytes + chunk.bytes.len() <= CHUNK_BYTES_MAX {
            self.chunk_bytes += chunk.bytes.len();
            self.chunks.push_back(chunk);
        }
    }

    /// Records of the topic that are already written get no queue.
    pub(super) fn forget_topic(&mut self, topic: &str, written: PhysicalOffset) {
        if self.dispatched < written {
            self.deleted.insert(topic.to_owned(), written);
        }
    }

    /// Dispatches up to `confirmed`, at most `room` records.
    pub(super) fn advance(
        &mut self,
        shared: &Shared,
        confirmed: PhysicalOffset,
        mut room: usize,
        numbers: Numbers,
        news: &mut News<'_>,
    ) -> Result<(), Stuck> {
        while self.dispatched < confirmed && room > 0 && shared.index.has_room() {
            let Some(bytes) = self.bytes_at_dispatched() else { break };
            let position = self.dispatched;
            match record::find(&bytes, position, BodyCrc::Trust) {
                // Memory may hold what is not confirmed yet.
                Found::Record(record) if ends_behind(&record, confirmed) => break,
                Found::Record(record) => {
                    if !self.is_deleted(record.topic) {
                        news.add(dispatch::dispatch(shared, &record, numbers.of(position)).map_err(Stuck::Gap)?);
                    }
                    self.newest_time = record.store_timestamp;
                    self.dispatched = position + i64::try_from(record.bytes.len()).unwrap_or(0);
                    room -= 1;
                }
                Found::Blank if shared.log.file_end(position) > confirmed => break,
                Found::Blank => {
                    self.dispatched = shared.log.file_end(position);
                }
                Found::Incomplete { needed } if i64::try_from(needed).is_ok_and(|len| position + len <= confirmed) => {
                    // Only a piece that was read back ends within a record.
                    self.drop_first();
                    self.want(needed);
                    break;
                }
                Found::Incomplete { .. } => {
                    let reason = "the record goes beyond the end of the log".to_owned();
                    return Err(Stuck::Damaged { position, reason });
                }
                Found::Invalid(reason) => return Err(Stuck::Damaged { position, reason: reason.to_string() }),
            }
        }
        if self.dispatched >= confirmed && self.chunks.is_empty() {
            // Idle stores keep nothing.
            self.chunks = VecDeque::new();
        }
        self.deleted.retain(|_, written| self.dispatched < *written);
        Ok(())
    }

    fn is_deleted(&self, topic: &str) -> bool {
        !self.deleted.is_empty() && self.deleted.get(topic).is_some_and(|written| self.dispatched < *written)
    }

    /// The bytes from `dispatched` on that are in memory.
    fn bytes_at_dispatched(&mut self) -> Option<bytes::Bytes> {
        loop {
            let Some(first) = self.chunks.front() else {
                self.want(READ_BACK_BYTES);
                return None;
            };
            let skip = self.dispatched - first.start;
            if skip < 0 {
                self.want(READ_BACK_BYTES);
                return None;
            }
            match usize::try_from(skip) {
                Ok(skip) if skip < first.bytes.len() => return Some(first.bytes.slice(skip..)),
                _ => self.drop_first(),
            }
        }
    }

    fn drop_first(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            self.chunk_bytes -= chunk.bytes.len();
        }
    }

    fn want(&mut self, len: usize) {
        if self.read_back == ReadBack::None {
            self.read_back = ReadBack::Wanted(len.max(READ_BACK_BYTES));
        }
    }

    /// The read to do now.
    pub(super) fn start_read_back(&mut self) -> Option<(PhysicalOffset, usize)> {
        let ReadBack::Wanted(len) = self.read_back else { return None };
        self.read_back = ReadBack::Running;
        Some((self.dispatched, len))
    }

    /// The read is done.
    pub(super) fn finish_read_back(&mut self, chunk: Option<Chunk>) {
        self.read_back = ReadBack::None;
        if let Some(chunk) = chunk
            && chunk.start == self.dispatched
        {
            self.chunk_bytes += chunk.bytes.len();
            self.chunks.push_front(chunk);
        }
    }

    pub(super) fn is_reading(&self) -> bool {
        self.read_back == ReadBack::Running
    }
}
