//! Carries the plan out.

use std::sync::Arc;

use super::super::checkpoint::Checkpoint;
use super::super::consume_queue::{Numbering, Queue, TailsDue};
use super::super::consume_queues::QueueFile;
use super::super::dispatch::{self, Dispatched, Gap};
use super::super::error::{Error, ReadError};
use super::super::index;
use super::super::job::{self, WriteTails};
use super::super::log::Patience;
use super::super::options::{Commits, Options};
use super::super::record::{self, Found};
use super::super::shared::{Shared, index_file_name};
use super::super::upkeep::TAIL_UNITS_MAX;
use super::index::load_index;
use super::plan::{self, Evidence, Plan};
use super::{Phase, Progress};
use crate::env::Disk;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::record::BodyCrc;

/// The log is read in pieces of this many bytes; progress is reported after each.
const WINDOW_BYTES: usize = 4 << 20;

/// A store that is ready to run.
pub(in crate::store) struct Outcome {
    pub(in crate::store) shared: Arc<Shared>,
    pub(in crate::store) end: PhysicalOffset,
    /// The queues hold everything below.
    pub(in crate::store) dispatched: PhysicalOffset,
    /// What the group of this log has committed at least.
    pub(in crate::store) committed: Option<PhysicalOffset>,
    pub(in crate::store) newest_time: Millis,
    pub(in crate::store) checkpoint: Checkpoint,
    /// Files that were written and not synced.
    pub(in crate::store) unsynced_files: Vec<QueueFile>,
    pub(in crate::store) unsynced_index: Vec<u64>,
}

/// Recovery while it runs.
struct Recovery<'a> {
    shared: Arc<Shared>,
    disk: &'a dyn Disk,
    evidence: &'a Evidence,
    progress: &'a Progress,
    now: Millis,
    checkpoint: Checkpoint,
    /// Queues that may have units on disk behind their end.
    shortened: Vec<Arc<Queue>>,
    unsynced_files: Vec<QueueFile>,
    unsynced_index: Vec<u64>,
    /// Units in memory.
    tail_units: usize,
    /// What the group of this log has committed, as far as it is known.
    committed: Option<PhysicalOffset>,
    /// The queues hold everything below.
    dispatched: PhysicalOffset,
}

/// How reading the log ended.
enum Stop {
    /// At its end.
    End { position: PhysicalOffset, newest_time: Option<Millis> },
    /// A queue misses messages that are before the start.
    Gap(Gap),
}

pub(super) fn execute(
    options: Options,
    disk: &Arc<dyn Disk>,
    evidence: &Evidence,
    progress: &Progress,
    now: Millis,
) -> Result<Outcome, Error> {
    let shared = Arc::new(Shared::new(options, Arc::clone(disk), evidence.first, evidence.end)?);
    let committed = shared.options.commits.map(|commits| match commits {
        Commits::Unknown => PhysicalOffset(0),
        Commits::InCheckpoint => PhysicalOffset(evidence.checkpoint.confirmed.max(0)),
    });
    let mut recovery = Recovery {
        shared,
        disk: disk.as_ref(),
        evidence,
        progress,
        now,
        checkpoint: evidence.checkpoint,
        shortened: Vec::new(),
        unsynced_files: Vec::new(),
        unsynced_index: Vec::new(),
        tail_units: 0,
        committed,
        dispatched: PhysicalOffset(0),
    };
    let plan = plan::plan(evidence);
    let (end, newest_time) = if plan.empty { recovery.start_empty()? } else { recovery.run(plan)? };
    Ok(Outcome {
        shared: recovery.shared,
        end,
        dispatched: recovery.dispatched,
        committed,
        newest_time,
        checkpoint: recovery.checkpoint,
        unsynced_files: recovery.unsynced_files,
        unsynced_index: recovery.unsynced_index,
    })
}

impl Recovery<'_> {
    /// No log: what points into it goes, as in Java.
    fn start_empty(&mut self) -> Result<(PhysicalOffset, Millis), Error> {
        for dir in [self.shared.options.store.consume_queue(), self.shared.options.store.index_dir()] {
            for entry in self.disk.list(&dir).map_err(Error::io("list", &dir))? {
                let path = dir.join(&entry.name);
                let removed = if entry.is_dir { self.disk.remove_dir(&path) } else { self.disk.remove(&path) };
                removed.map_err(Error::io("delete", &path))?;
            }
        }
        self.lower_checkpoint(PhysicalOffset(0))?;
        Ok((PhysicalOffset(0), Millis(0)))
    }

    fn run(&mut self, planned: Plan) -> Result<(PhysicalOffset, Millis), Error> {
        let (mut plan, mut rebuilding) = (planned, planned.start.0 == self.evidence.first);
        loop {
            self.load(&plan)?;
            let stop = if self.is_whole(&plan) { Some(self.read_log(plan.start, rebuilding)?) } else { None };
            match stop {
                Some(Stop::End { position, newest_time }) => {
                    self.finish(plan.start, position)?;
                    // Of a group's log the queues may hold less than the log: the checkpoint must not vouch for the rest.
                    let before = match self.committed {
                        Some(_) => self.checkpoint.queues_time,
                        None => self.checkpoint.log_time,
                    };
                    return Ok((position, newest_time.unwrap_or(before)));
                }
                Some(Stop::Gap(gap)) if rebuilding => {
                    return Err(Error::QueueGap {
                        topic: gap.topic,
                        queue: gap.queue.0,
                        expected: gap.expected,
                        found: gap.found.0,
                    });
                }
                Some(Stop::Gap(gap)) => {
                    tracing::error!(?gap, "consume queue misses messages, queues are built anew from the log");
                }
                None => tracing::error!("consume queues are incomplete, they are built anew from the log"),
            }
            plan = plan::rebuild(self.evidence);
            rebuilding = true;
            // A crash from here on must not trust the queues again.
            self.lower_checkpoint(plan.start)?;
        }
    }

    /// Loads queues and index below the start of the plan.
    fn load(&mut self, plan: &Plan) -> Result<(), Error> {
        let first = PhysicalOffset(self.evidence.first);
        self.shortened = self.shared.queues.load(self.disk, plan.start, first)?;
        self.unsynced_files.clear();
        self.tail_units = 0;
        if self.shared.index.is_enabled() {
            let position = self.evidence.checkpoint.queues_position;
            let durable = if self.evidence.holds(position) { position.max(plan.start) } else { plan.start };
            self.unsynced_index = load_index(&self.shared.index, self.disk, self.evidence.crashed, durable)?;
        }
        Ok(())
    }

    fn is_whole(&self, plan: &Plan) -> bool {
        plan.messages.is_none_or(|expected| expected == self.shared.queues.messages())
    }

    /// Reads and dispatches from a position to the end of the log.
    fn read_log(&mut self, start: PhysicalOffset, fill_gaps: bool) -> Result<Stop, Error> {
        let files_end = PhysicalOffset(self.evidence.end);
        let crc = if self.shared.options.store.check_crc_on_recover { BodyCrc::Check } else { BodyCrc::Trust };
        let (mut position, mut newest_time, mut records) = (start, None, 0);
        let mut window = bytes::Bytes::new();
        self.progress.scan(files_end - start);
        // What a group has not committed stays out of the queues, but not what they have lost.
        let until = self.committed.map_or(files_end, |committed| committed.max(start));
        self.dispatched = start;
        while position < files_end {
            match record::find(&window, position, crc) {
                Found::Record(record) => {
                    if position < until
                        && let Err(gap) = self.dispatch(&record, fill_gaps)?
                    {
                        return Ok(Stop::Gap(gap));
                    }
                    records += 1;
                    let len = record.bytes.len();
                    let next = position + i64::try_from(len).unwrap_or(0);
                    if position < until {
                        self.dispatched = next;
                        newest_time = Some(record.store_timestamp);
                    }
                    position = next;
                    window = window.slice(len..);
                }
                Found::Blank => {
                    let next = PhysicalOffset(self.shared.log.base_of(position) + self.shared.log.segment_bytes());
                    if position < until {
                        self.dispatched = next;
                    }
                    position = next;
                    window = bytes::Bytes::new();
                }
                Found::Incomplete { needed } => {
                    self.progress.scanned(position - start, records);
                    let Some(more) = self.read_window(position, needed)? else { break };
                    window = more;
                }
                Found::Invalid(reason) => {
                    tracing::debug!(%position, %reason, "end of the log");
                    break;
                }
            }
        }
        self.progress.scanned(position - start, records);
        Ok(Stop::End { position, newest_time })
    }

    /// The next bytes; none when the file has fewer than needed.
    fn read_window(&self, position: PhysicalOffset, needed: usize) -> Result<Option<bytes::Bytes>, Error> {
        let files_end = PhysicalOffset(self.evidence.end);
        let read = self.shared.log.read_up_to(position, files_end, needed.max(WINDOW_BYTES), Patience::MayBlock);
        match read {
            Ok(bytes) => Ok(bytes.filter(|bytes| bytes.len() >= needed)),
            Err(ReadError::Failed(error)) => Err(error),
            Err(ReadError::WouldBlock) => Ok(None),
        }
    }

    fn dispatch(
        &mut self,
        record: &crate::protocol::record::RecordView<'_>,
        fill_gaps: bool,
    ) -> Result<Result<(), Gap>, Error> {
        match dispatch::dispatch(&self.shared, record, Numbering::Recovered { fill_gaps }) {
            Ok(Dispatched::Readable(enqueued)) => {
                self.tail_units = self.tail_units.saturating_add_signed(enqueued.grown);
                self.shortened.extend(enqueued.restarted);
            }
            Ok(Dispatched::Hidden) => {}
            Err(gap) => return Ok(Err(gap)),
        }
        if self.tail_units >= TAIL_UNITS_MAX {
            self.write_tails(Some(TailsDue::All))?;
        } else if self.shared.index.pending() >= index::PENDING_KEYS_MAX {
            // A file of the index has room for many times the keys, while forty thousand queues would get a unit or two each.
            self.write_tails(None)?;
        }
        Ok(Ok(()))
    }

    /// Brings memory into the files.
    fn write_tails(&mut self, queues: Option<TailsDue>) -> Result<(), Error> {
        let tails = WriteTails { queues, index_name: Some(index_file_name(self.now)), settle: None };
        let written = tails.run(&self.shared, self.disk);
        self.unsynced_files.extend(written.files);
        if let Some(index) = written.index {
            self.unsynced_index.extend(index.touched.iter().copied());
            self.shared.index.complete(index);
        }
        if queues.is_some() {
            self.tail_units = 0;
        }
        written.failure.map_or(Ok(()), Err)
    }

    /// Makes the found end the end of everything.
    fn finish(&mut self, start: PhysicalOffset, end: PhysicalOffset) -> Result<(), Error> {
        self.progress.enter(Phase::Finishing);
        self.erase_behind(end)?;
        if self.evidence.crashed {
            // A process crash leaves bytes in the page cache that nobody has synced.
            self.write_again(start, end)?;
            job::sync_log(&self.shared, start, end)?;
        }
        self.shared.log.set_written(end);
        self.shared.set_recovered(end, self.dispatched);
        if !self.shortened.is_empty() {
            self.write_tails(Some(TailsDue::All))?;
            self.shortened.sort_unstable_by_key(|queue| queue.serial);
            self.shortened.dedup_by_key(|queue| queue.serial);
            for queue in &self.shortened {
                self.shared.queues.trim(self.disk, queue)?;
            }
        }
        Ok(())
    }

    /// Writes the log's bytes over themselves. After a failed sync the kernel takes pages for clean that never reached the disk; a
    /// broker that ended for that reason starts anew on the same machine, finds them in the page cache, and no sync brings
    /// them to the disk unless they are written once more.
    fn write_again(&self, start: PhysicalOffset, end: PhysicalOffset) -> Result<(), Error> {
        let log = &self.shared.log;
        let mut position = start;
        while position < end {
            let bytes = match log.read_up_to(position, end, WINDOW_BYTES, Patience::MayBlock) {
                Ok(Some(bytes)) if !bytes.is_empty() => bytes,
                Ok(_) | Err(ReadError::WouldBlock) => break,
                Err(ReadError::Failed(error)) => return Err(error),
            };
            let base = log.base_of(position);
            let within = (position.0 - base).unsigned_abs();
            log.open(base)?.write_all_at(within, &bytes).map_err(Error::io("write", &log.path_of(base)))?;
            position = position + i64::try_from(bytes.len()).unwrap_or(0);
        }
        Ok(())
    }

    /// Erases what follows the end of the log: first the checkpoint, then the rest of the file, then later files, newest first.
    fn erase_behind(&mut self, end: PhysicalOffset) -> Result<(), Error> {
        if self.checkpoint.queues_position > end {
            self.lower_checkpoint(end)?;
        }
        let log = &self.shared.log;
        let base = log.base_of(end);
        let file_end = base + log.segment_bytes();
        let later = file_end < self.evidence.end;
        if end.0 < self.evidence.end && (self.evidence.crashed || later || self.is_used(end)) {
            let path = log.path_of(base);
            let file = log.open(base)?;
            let within = (end.0 - base).unsigned_abs();
            let rest = (file_end - end.0).unsigned_abs();
            file.zero(within, rest).map_err(Error::io("erase the end of", &path))?;
            file.sync().map_err(Error::io("sync", &path))?;
        }
        if later {
            let mut newest = self.evidence.end - log.segment_bytes();
            while newest >= file_end {
                let path = log.path_of(newest);
                tracing::info!(path = %path.display(), "log file behind the end of the log deleted");
                self.disk.remove(&path).map_err(Error::io("delete", &path))?;
                newest -= log.segment_bytes();
            }
            let dir = &self.shared.options.store.commit_log;
            self.disk.sync_dir(dir).map_err(Error::io("sync", dir))?;
            self.shared.files.close(|id| matches!(id, super::super::open_files::FileId::Segment(at) if at >= file_end));
        }
        Ok(())
    }

    /// Whether something stands behind the end of the log: it could be taken for a record one day.
    fn is_used(&self, end: PhysicalOffset) -> bool {
        let files_end = PhysicalOffset(self.evidence.end);
        match self.shared.log.read_up_to(end, files_end, 8, Patience::MayBlock) {
            Ok(Some(bytes)) => bytes.iter().any(|byte| *byte != 0),
            _ => true,
        }
    }

    /// Queues and log are trusted only below a position from now on.
    fn lower_checkpoint(&mut self, position: PhysicalOffset) -> Result<(), Error> {
        let old = self.checkpoint;
        self.checkpoint = old.lowered(position);
        if self.checkpoint == old {
            return Ok(());
        }
        self.checkpoint.store(self.disk, &self.shared.options.store.checkpoint())
    }
}
