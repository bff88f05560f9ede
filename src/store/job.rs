//! Work that may block. The store says what should run, its owner runs it where waiting is allowed and gives the result back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::consume_queue::{Queue, TailsDue};
use super::consume_queues::QueueFile;
use super::cut::{self, CutDone};
use super::error::{Error, ReadError};
use super::index;
use super::log::Patience;
use super::numbers::{self, Numbered};
use super::retention::{self, SegmentAge};
use super::shared::Shared;
use crate::env::{DeviceId, Disk, DiskSpace, LockGuard};
use crate::protocol::ids::{Millis, PhysicalOffset};

use super::append::Chunk;

/// More queue files than this are made durable by one sync of the file system instead of one each.
const FILES_SYNCED_ONE_BY_ONE: usize = 64;

/// One piece of work. Jobs of one store may run at the same time and end in any order.
#[must_use]
pub struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) device: Option<DeviceId>,
    pub(super) work: Work,
}

/// The result of a [`Job`].
#[must_use]
pub struct JobDone {
    pub(super) done: Done,
}

pub(super) enum Work {
    /// Make the log durable from one position to another.
    SyncLog { from: PhysicalOffset, to: PhysicalOffset },
    /// Make a file of the log before it is needed.
    CreateSegment { base: i64 },
    /// Bring memory into the queue and index files.
    WriteTails(WriteTails),
    /// Read the log again for dispatch: memory had no room to keep it.
    ReadBack { from: PhysicalOffset, to: PhysicalOffset, len: usize },
    /// Look at ages of files and space of the disk.
    Survey,
    /// Delete the oldest log files, and what points into them.
    Delete { segments: Vec<i64>, first: PhysicalOffset },
    /// Delete what points into log files that are gone.
    CleanQueues { first: PhysicalOffset },
    /// Delete the queues of topics.
    DeleteTopics { topics: Vec<String> },
    /// Look through records that are not dispatched for the numbers of their queues.
    Count { from: PhysicalOffset, to: PhysicalOffset, deleted: HashMap<String, PhysicalOffset> },
    /// Cut the end of the log back.
    CutBack { to: PhysicalOffset, checkpoint: Checkpoint },
    /// The last job.
    Stop(Stop),
}

pub(super) struct WriteTails {
    /// Which queues' units; none at all when the store has failed, or only keys are to be written.
    pub(super) queues: Option<TailsDue>,
    /// The gathered keys are to be written too: the name for a new index file, should one be needed.
    pub(super) index_name: Option<u64>,
    pub(super) settle: Option<Settle>,
}

/// Sync of everything that was written before, then the checkpoint.
pub(super) struct Settle {
    pub(super) queue_files: Vec<QueueFile>,
    pub(super) index_files: Vec<u64>,
    /// Queues whose files are to be freed of units that are gone.
    pub(super) shortened: Vec<Arc<Queue>>,
    /// `index_time` is filled in when the index is synced.
    pub(super) checkpoint: Checkpoint,
}

pub(super) struct Stop {
    pub(super) sync: (PhysicalOffset, PhysicalOffset),
    pub(super) tails: WriteTails,
    /// All that was written is in the queues: the next start needs no recovery.
    pub(super) clean: bool,
    pub(super) lock: Option<Box<dyn LockGuard>>,
}

pub(super) enum Done {
    SyncLog(Result<(), Error>),
    CreateSegment(Result<i64, Error>),
    WriteTails(TailsWritten),
    ReadBack(Result<Option<Chunk>, Error>),
    Survey(Result<Survey, Error>),
    Delete { deleted: usize, result: Result<(), Error> },
    CleanQueues(Result<(), Error>),
    DeleteTopics(Result<(), Error>),
    Count(Result<Numbered, Error>),
    CutBack(Result<CutDone, Error>),
    Stop(Result<(), Error>),
}

/// What of memory is in files now; a failure leaves the rest in memory.
pub(super) struct TailsWritten {
    /// Units that have left memory.
    pub(super) units: usize,
    /// Files that were written and are not synced yet.
    pub(super) files: Vec<QueueFile>,
    pub(super) index: Option<index::Written>,
    /// The checkpoint that is on disk now.
    pub(super) settled: Option<Checkpoint>,
    pub(super) failure: Option<Error>,
}

pub(super) struct Survey {
    pub(super) segments: Vec<SegmentAge>,
    pub(super) space: DiskSpace,
}

impl Job {
    /// The device whose sync this job is; such jobs of several brokers are best run together.
    #[must_use]
    pub fn device(&self) -> Option<DeviceId> {
        self.device
    }

    /// A word for logs and metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.work {
            Work::SyncLog { .. } => "sync log",
            Work::CreateSegment { .. } => "create log file",
            Work::WriteTails(_) => "write queues",
            Work::ReadBack { .. } => "read log",
            Work::Survey => "survey disk",
            Work::Delete { .. } => "delete files",
            Work::CleanQueues { .. } => "clean queues",
            Work::DeleteTopics { .. } => "delete topics",
            Work::Count { .. } => "count queues",
            Work::CutBack { .. } => "cut log back",
            Work::Stop(_) => "stop",
        }
    }

    /// Does the work; may block for long.
    pub fn run(self, disk: &dyn Disk) -> JobDone {
        let shared = self.shared.as_ref();
        let done = match self.work {
            Work::SyncLog { from, to } => Done::SyncLog(sync_log(shared, from, to)),
            Work::CreateSegment { base } => Done::CreateSegment(shared.log.create(base).map(|_| base)),
            Work::WriteTails(tails) => Done::WriteTails(tails.run(shared, disk)),
            Work::ReadBack { from, to, len } => Done::ReadBack(read_back(shared, from, to, len)),
            Work::Survey => Done::Survey(survey(shared, disk)),
            Work::Delete { segments, first } => {
                let mut deleted = 0;
                let result = delete(shared, disk, &segments, first, &mut deleted);
                Done::Delete { deleted, result }
            }
            Work::CleanQueues { first } => Done::CleanQueues(clean_queues(shared, disk, first)),
            Work::DeleteTopics { topics } => Done::DeleteTopics(delete_topics(shared, disk, &topics)),
            Work::Count { from, to, deleted } => Done::Count(numbers::count(shared, from, to, &deleted)),
            Work::CutBack { to, checkpoint } => Done::CutBack(cut::cut_back(shared, disk, to, checkpoint)),
            Work::Stop(stop) => Done::Stop(stop.run(shared, disk)),
        };
        JobDone { done }
    }
}

pub(super) fn sync_log(shared: &Shared, from: PhysicalOffset, to: PhysicalOffset) -> Result<(), Error> {
    let log = &shared.log;
    let mut base = log.base_of(from);
    while base < to.0 {
        log.open(base)?.sync().map_err(Error::io("sync", &log.path_of(base)))?;
        base += log.segment_bytes();
    }
    Ok(())
}

impl WriteTails {
    pub(super) fn run(self, shared: &Shared, disk: &dyn Disk) -> TailsWritten {
        let mut written = TailsWritten { units: 0, files: Vec::new(), index: None, settled: None, failure: None };
        written.failure = self.try_run(shared, disk, &mut written).err();
        written
    }

    fn try_run(self, shared: &Shared, disk: &dyn Disk, written: &mut TailsWritten) -> Result<(), Error> {
        if let Some(due) = self.queues {
            write_queues(shared, disk, due, written)?;
        }
        if let Some(name) = self.index_name
            && shared.index.pending() > 0
        {
            written.index = Some(shared.index.write(disk, name)?);
        }
        let Some(mut settle) = self.settle else { return Ok(()) };
        settle.queue_files.extend(written.files.iter().cloned());
        settle.index_files.extend(written.index.iter().flat_map(|index| index.touched.iter().copied()));
        written.settled = Some(settle.run(shared, disk, written.index.as_ref())?);
        written.files = Vec::new();
        Ok(())
    }
}

/// The units leave memory here and not in the owner's task, which forty thousand queues would hold up.
fn write_queues(shared: &Shared, disk: &dyn Disk, due: TailsDue, written: &mut TailsWritten) -> Result<(), Error> {
    let queues = shared.queues.take_due(due);
    for (index, queue) in queues.iter().enumerate() {
        if shared.queues.is_doomed(&queue.topic) {
            shared.queues.list(queue, queue.mark_again(due));
            continue;
        }
        let Some(write) = queue.unwritten(due) else { continue };
        match shared.queues.write(disk, &write) {
            Ok(files) => {
                written.units += queue.written(&write, files.first().map_or(0, |file| file.unit));
                written.files.extend(files.into_iter().map(|file| QueueFile { queue: Arc::clone(queue), file }));
            }
            Err(error) => {
                // Those behind it were taken from the list, too.
                queues[index..].iter().for_each(|queue| shared.queues.list(queue, queue.mark_again(due)));
                return Err(error);
            }
        }
    }
    Ok(())
}

impl Settle {
    fn run(mut self, shared: &Shared, disk: &dyn Disk, index: Option<&index::Written>) -> Result<Checkpoint, Error> {
        let id = |written: &QueueFile| (written.queue.serial, written.file.unit);
        for queue in &self.shortened {
            shared.queues.trim(disk, queue)?;
        }
        self.queue_files.retain(|written| written.queue.uses_file(written.file.unit));
        // Of two entries for one file the one that knows it to be new comes first.
        self.queue_files.sort_unstable_by_key(|written| (id(written), !written.file.is_new));
        self.queue_files.dedup_by_key(|written| id(written));
        self.index_files.sort_unstable();
        self.index_files.dedup();
        if self.queue_files.len() > FILES_SYNCED_ONE_BY_ONE {
            let root = &shared.options.store.root;
            shared.volume.sync().map_err(Error::io("sync the file system of", root))?;
        } else {
            self.sync_files(shared, disk)?;
        }
        let index_time = index.map_or_else(|| shared.index.written_time(), index::Written::newest_time);
        self.checkpoint.index_time = Millis(index_time);
        self.checkpoint.store(disk, &shared.options.store.checkpoint())?;
        Ok(self.checkpoint)
    }

    fn sync_files(&self, shared: &Shared, disk: &dyn Disk) -> Result<(), Error> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for written in &self.queue_files {
            shared.queues.sync(&written.queue, written.file.unit)?;
            if written.file.is_new {
                // The folders of the queue, of its topic, and of all topics may be new as well.
                folders.extend(shared.queues.queue_dir(&written.queue).ancestors().take(3).map(PathBuf::from));
            }
        }
        for name in &self.index_files {
            shared.index.sync(*name)?;
        }
        if !self.index_files.is_empty() {
            folders.push(shared.index.dir().clone());
        }
        folders.sort_unstable();
        folders.dedup();
        for folder in &folders {
            disk.sync_dir(folder).map_err(Error::io("sync", folder))?;
        }
        Ok(())
    }
}

fn read_back(shared: &Shared, from: PhysicalOffset, to: PhysicalOffset, len: usize) -> Result<Option<Chunk>, Error> {
    match shared.log.read_up_to(from, to, len, Patience::MayBlock) {
        Ok(bytes) => Ok(bytes.map(|bytes| Chunk { start: from, bytes })),
        Err(ReadError::Failed(error)) => Err(error),
        Err(ReadError::WouldBlock) => Ok(None),
    }
}

fn survey(shared: &Shared, disk: &dyn Disk) -> Result<Survey, Error> {
    let dir = &shared.options.store.commit_log;
    let space = disk.space(dir).map_err(Error::io("measure", dir))?;
    let entries = disk.list(dir).map_err(Error::io("list", dir))?;
    Ok(Survey { segments: retention::ages(&entries), space })
}

/// Deletes log files oldest first, then what points into them.
fn delete(
    shared: &Shared,
    disk: &dyn Disk,
    segments: &[i64],
    first: PhysicalOffset,
    deleted: &mut usize,
) -> Result<(), Error> {
    for base in segments {
        let path = shared.log.path_of(*base);
        disk.remove(&path).map_err(Error::io("delete", &path))?;
        *deleted += 1;
    }
    for queue in shared.queues.all() {
        if queue.needs_new_min(first) {
            shared.queues.advance_min(disk, &queue, first)?;
        }
    }
    shared.index.delete_before(disk, first)
}

fn clean_queues(shared: &Shared, disk: &dyn Disk, first: PhysicalOffset) -> Result<(), Error> {
    for queue in shared.queues.all() {
        // A queue that knows its beginning since its start may still have files from before.
        shared.queues.advance_min(disk, &queue, first)?;
    }
    shared.index.delete_before(disk, first)
}

fn delete_topics(shared: &Shared, disk: &dyn Disk, topics: &[String]) -> Result<(), Error> {
    for topic in topics {
        shared.queues.delete_files(disk, topic)?;
    }
    Ok(())
}

impl Stop {
    fn run(self, shared: &Shared, disk: &dyn Disk) -> Result<(), Error> {
        sync_log(shared, self.sync.0, self.sync.1)?;
        if let Some(failure) = self.tails.run(shared, disk).failure {
            return Err(failure);
        }
        if self.clean {
            let abort = shared.options.store.abort();
            disk.remove(&abort).map_err(Error::io("delete", &abort))?;
            let root = &shared.options.store.root;
            disk.sync_dir(root).map_err(Error::io("sync", root))?;
        }
        drop(self.lock);
        Ok(())
    }
}
