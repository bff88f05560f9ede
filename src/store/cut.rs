//! Cutting the end of the log back: a follower has records that its new master has not (Java:
//! `DefaultMessageStore.truncateFiles`, which only moves positions in memory, so that a crash brings the records back).
//!
//! ```text
//! readers stop at the cut -> checkpoint lowered -> zeros from the cut on, synced -> later files deleted, newest first
//!                         -> queue files erased, synced -> index cut
//! ```
//!
//! The checkpoint goes first: were the zeros there and the checkpoint still behind them, recovery would begin behind the hole.
//! A crash before the zeros leaves the log as it was; one after them leaves it cut, and recovery does the rest.

use std::sync::Arc;

use super::checkpoint::{Checkpoint, Ours};
use super::consume_queue::Queue;
use super::error::{AppendError, Error, ReadError};
use super::job::Work;
use super::layout;
use super::log::Patience;
use super::open_files::FileId;
use super::record::{self, Found};
use super::recovery::cut_index;
use super::shared::Shared;
use super::store::{Event, Store};
use super::walk::walk;
use crate::env::Disk;
use crate::protocol::ids::PhysicalOffset;
use crate::protocol::record::BodyCrc;

/// A cut that is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// It waits for the jobs that run.
    Wanted(PhysicalOffset),
    Running,
}

/// What a cut did.
pub(super) struct CutDone {
    /// The log ends here.
    pub(super) end: PhysicalOffset,
    /// The checkpoint that is on disk.
    pub(super) checkpoint: Checkpoint,
    /// Units that have left memory.
    pub(super) units: usize,
    /// Index files that were shortened and are not synced.
    pub(super) index_changed: Vec<u64>,
    pub(super) index_deleted: Vec<u64>,
}

impl Store {
    /// Cuts the end of a copy back to `to`, or to the start of the record that holds `to`: records, their places in queues
    /// and their keys are gone, durably. A job does it, after those that run; [`Event::CutBack`] says where the log ends.
    /// Until then no bytes are taken and nothing is dispatched.
    ///
    /// # Errors
    /// The store does not follow a master, has failed or is stopping, another cut is not done, `to` is not in the log, or a group has
    /// committed what would go.
    pub fn cut_back(&mut self, to: PhysicalOffset) -> Result<(), AppendError> {
        if let Some(reason) = self.poisoned() {
            return Err(AppendError::Poisoned(reason.to_owned()));
        }
        if self.is_leading() {
            return Err(AppendError::NotFollowing);
        }
        if self.is_cutting() {
            return Err(AppendError::Changing);
        }
        let (first, end) = (self.shared.log.first(), self.written());
        if to < first || to > end {
            return Err(AppendError::CutOutside { to, first, end });
        }
        let committed = self.committed();
        if to < committed {
            return Err(AppendError::CutCommitted { to, committed });
        }
        self.restart_stream();
        self.cut = Some(Cut::Wanted(to));
        Ok(())
    }

    pub(super) fn is_cutting(&self) -> bool {
        self.cut.is_some()
    }

    /// The cut, once it is alone; no other job starts before it is done.
    pub(super) fn cut_work(&mut self) -> Option<Work> {
        let Some(Cut::Wanted(to)) = self.cut else { return None };
        if !self.is_quiet() {
            return None;
        }
        self.cut = Some(Cut::Running);
        Some(Work::CutBack { to, checkpoint: self.upkeep.checkpoint() })
    }

    /// The cut is done: the owner's positions follow.
    pub(super) fn cut_done(&mut self, done: &CutDone, events: &mut Vec<Event>) {
        self.cut = None;
        self.writer.cut_back(done.end);
        self.flush.cut_back(done.end);
        self.follow.cut_back(done.end);
        self.upkeep.cut_back(done);
        self.restart_stream();
        events.push(Event::CutBack(done.end));
    }
}

/// Does the cut; nobody else writes to the store meanwhile.
pub(super) fn cut_back(
    shared: &Shared,
    disk: &dyn Disk,
    to: PhysicalOffset,
    checkpoint: Checkpoint,
) -> Result<CutDone, Error> {
    let end = boundary(shared, to)?;
    shared.cut_back(end);
    let (units, shortened) = cut_queues(shared, end)?;
    let checkpoint = lower(shared, disk, end, checkpoint)?;
    erase_behind(shared, disk, end)?;
    for queue in &shortened {
        shared.queues.trim(disk, queue)?;
    }
    let (index_changed, index_deleted) = cut_index(&shared.index, disk, end)?;
    Ok(CutDone { end, checkpoint, units, index_changed, index_deleted })
}

/// The newest start of a record at or before `to`.
fn boundary(shared: &Shared, to: PhysicalOffset) -> Result<PhysicalOffset, Error> {
    let written = shared.log.written();
    // A record that knows its place saves reading its file.
    let head = match shared.log.read_up_to(to, written, 1 << 20, Patience::MayBlock) {
        Ok(head) => head.unwrap_or_default(),
        Err(ReadError::Failed(error)) => return Err(error),
        Err(ReadError::WouldBlock) => bytes::Bytes::new(),
    };
    if to == written || matches!(record::find(&head, to, BodyCrc::Check), Found::Record(_)) {
        return Ok(to);
    }
    walk(shared, PhysicalOffset(shared.log.base_of(to)), to, |_| {})
}

/// Cuts the queues in memory. Returns how many units that had, and the queues that are shorter now.
fn cut_queues(shared: &Shared, end: PhysicalOffset) -> Result<(usize, Vec<Arc<Queue>>), Error> {
    let (mut units, mut shortened) = (0, Vec::new());
    for queue in shared.queues.all() {
        if let Some(offset) = shared.queues.first_behind(&queue, end)? {
            units += queue.cut_back(offset);
            shortened.push(queue);
        }
    }
    Ok((units, shortened))
}

/// All records before the end that the checkpoint vouched for are in the queues still.
fn lower(shared: &Shared, disk: &dyn Disk, end: PhysicalOffset, checkpoint: Checkpoint) -> Result<Checkpoint, Error> {
    if checkpoint.queues_position <= end {
        return Ok(checkpoint);
    }
    let lowered = Checkpoint { ours: Some(Ours { messages: None }), ..checkpoint.lowered(end) };
    lowered.store(disk, &shared.options.store.checkpoint())?;
    Ok(lowered)
}

/// Erases the log behind its end.
fn erase_behind(shared: &Shared, disk: &dyn Disk, end: PhysicalOffset) -> Result<(), Error> {
    let (log, dir) = (&shared.log, &shared.options.store.commit_log);
    let base = log.base_of(end);
    let entries = disk.list(dir).map_err(Error::io("list", dir))?;
    let mut later: Vec<i64> = entries.iter().filter_map(|entry| layout::parse_offset_name(&entry.name)).collect();
    later.retain(|file| *file >= base);
    later.sort_unstable();
    if later.first() == Some(&base) {
        let path = log.path_of(base);
        let file = log.open(base)?;
        let within = (end.0 - base).unsigned_abs();
        let rest = log.segment_bytes().unsigned_abs() - within;
        file.zero(within, rest).map_err(Error::io("erase the end of", &path))?;
        file.sync().map_err(Error::io("sync", &path))?;
        later.remove(0);
    }
    for file in later.iter().rev() {
        shared.files.remove(FileId::Segment(*file), &log.path_of(*file))?;
    }
    disk.sync_dir(dir).map_err(Error::io("sync", dir))
}
