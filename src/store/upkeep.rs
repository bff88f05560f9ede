//! Work behind the log: memory into files, files made durable, old files deleted. One such job runs at a time.
//!
//! ```text
//!  units in memory --1 s if a queue has many--> files, page cache --60 s or 1 GiB of log--> synced, checkpoint ("settle")
//!  keys in memory --5 s or 64 Ki keys--------->
//!  survey of the disk --10 s--> retention decides --> delete
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::checkpoint::{Checkpoint, Ours};
use super::consume_queue::{Queue, TailsDue};
use super::consume_queues::QueueFile;
use super::cut::CutDone;
use super::index;
use super::job::{Settle, Survey, TailsWritten, Work, WriteTails};
use super::open_files::FileId;
use super::options::millis;
use super::retention;
use super::shared::{Shared, index_file_name};
use super::store::{Event, Store};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Units in memory before dispatch waits for them to be written: 24 bytes each. From half of that on all tails are written,
/// long or not; forty thousand busy queues then have fifty units each.
pub(super) const TAIL_UNITS_MAX: usize = 4 * 1024 * 1024;
/// So often the tails that are worth a write are written.
const TAIL_INTERVAL_MILLIS: i64 = 1_000;
/// Keys stay longer: their slots lie all over a file of 400 MB, and the more of them are written at a time, the more
/// share a page.
const INDEX_INTERVAL_MILLIS: i64 = 5_000;
/// The queues are made durable after so many bytes of log, because recovery reads them all again ...
const SETTLE_BYTES_MIN: i64 = 1 << 30;
/// ... but of many queues only when there are so many bytes for each, because each is a write and a page for the disk ...
const SETTLE_BYTES_PER_QUEUE: i64 = 64 << 10;
/// ... and at the latest then.
const SETTLE_BYTES_MAX: i64 = 4 << 30;
/// Looks at the disk that need no hour of `deleteWhen` after an operator has asked (Java: `MAX_MANUAL_DELETE_FILE_TIMES`).
const SURVEYS_BY_HAND: u32 = 20;

/// What is in memory, written but not durable, or to be deleted.
pub(super) struct Upkeep {
    /// A job that writes or deletes queue and index files runs.
    pub(super) running: bool,
    pub(super) surveying: bool,
    /// Units in memory.
    pub(super) tail_units: usize,
    last_tails: Millis,
    last_index: Millis,
    last_settle: Millis,
    pub(super) last_survey: Option<Millis>,
    /// Surveys left in which expired files go at any hour.
    surveys_by_hand: u32,
    /// An operator wants the queues freed of what points to deleted log files.
    queues_to_clean: bool,
    /// The checkpoint that is on disk.
    checkpoint: Checkpoint,
    pub(super) settle_wanted: bool,
    /// The queues are settled once the log is durable up to here.
    settle_at: Option<PhysicalOffset>,
    pub(super) unsynced_files: BTreeMap<(u64, i64), QueueFile>,
    unsynced_index: BTreeSet<u64>,
    /// Queues whose files hold units that are gone; these must be erased before the checkpoint passes the record that made
    /// them go.
    pub(super) shortened: Vec<Arc<Queue>>,
    /// Those that a job erases; kept until it has succeeded.
    shortening: Vec<Arc<Queue>>,
    pub(super) topics_to_delete: Vec<String>,
    segments_to_delete: Vec<i64>,
    pub(super) creating_segment: bool,
    /// A job looks through records for the numbers of their queues.
    pub(super) counting: bool,
    /// A log file that could not be made ahead: left to the append that needs it.
    pub(super) segment_failed: Option<i64>,
}

impl Upkeep {
    /// After recovery up to `end`, which wrote some files and did not sync them.
    pub(super) fn new(
        shared: &Shared,
        checkpoint: Checkpoint,
        end: PhysicalOffset,
        now: Millis,
        unsynced_files: Vec<QueueFile>,
        unsynced_index: Vec<u64>,
    ) -> Upkeep {
        let tail_units = shared.queues.units_in_memory();
        let rebuilt = tail_units > 0 || !unsynced_files.is_empty();
        let mut upkeep = Upkeep {
            running: false,
            surveying: false,
            tail_units,
            last_tails: now,
            last_index: now,
            last_settle: now,
            last_survey: None,
            surveys_by_hand: 0,
            queues_to_clean: false,
            checkpoint,
            // What recovery read again should not be read a second time; queues that somebody deleted are read again although the
            // checkpoint says that they are durable.
            settle_wanted: checkpoint.queues_position < end || rebuilt,
            settle_at: None,
            unsynced_files: BTreeMap::new(),
            unsynced_index: unsynced_index.into_iter().collect(),
            shortened: Vec::new(),
            shortening: Vec::new(),
            topics_to_delete: Vec::new(),
            segments_to_delete: Vec::new(),
            creating_segment: false,
            counting: false,
            segment_failed: None,
        };
        upkeep.note_unsynced(unsynced_files.into_iter());
        upkeep
    }

    fn shortening(&mut self) -> Vec<Arc<Queue>> {
        self.shortening.append(&mut self.shortened);
        self.shortening.sort_unstable_by_key(|queue| queue.serial);
        self.shortening.dedup_by_key(|queue| queue.serial);
        self.shortening.retain(|queue| !queue.is_deleted());
        self.shortening.clone()
    }

    /// The log ends before what was settled or written.
    pub(super) fn cut_back(&mut self, done: &CutDone) {
        self.checkpoint = done.checkpoint;
        self.tail_units -= done.units;
        self.settle_at = None;
        self.settle_wanted = true;
        self.unsynced_files.retain(|(_, unit), file| file.queue.uses_file(*unit));
        self.unsynced_index.retain(|name| !done.index_deleted.contains(name));
        self.unsynced_index.extend(&done.index_changed);
        self.segment_failed = None;
    }

    /// The checkpoint that is on disk.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        self.checkpoint
    }

    /// Files that were written; whether one of them is new must not be forgotten before its folder is synced.
    fn note_unsynced(&mut self, files: impl Iterator<Item = QueueFile>) {
        for written in files {
            let known = self.unsynced_files.entry((written.queue.serial, written.file.unit));
            let file = known.or_insert_with(|| written.clone());
            file.file.is_new |= written.file.is_new;
        }
    }
}

impl Store {
    /// Deletes expired log files now and during the next looks at the disk, whatever the hour (code 329). What is not expired
    /// stays, as with retention itself.
    pub fn delete_expired(&mut self) {
        self.upkeep.surveys_by_hand = SURVEYS_BY_HAND;
        self.upkeep.last_survey = None;
    }

    /// Deletes the queue and index files all of whose entries point to deleted log files (code 306); retention does so only
    /// when it deletes log files itself. Unlike Java's, the newest file of a queue stays: without it the queue would count from
    /// 0 again, below the offsets of its consumers.
    pub fn clean_queues(&mut self) {
        self.upkeep.queues_to_clean = true;
    }

    /// The one job of upkeep that is due: deletions before writes, so that a topic made anew is not deleted again.
    pub(super) fn upkeep_work(&mut self, now: Millis) -> Option<Work> {
        if self.upkeep.running {
            return None;
        }
        if !self.upkeep.topics_to_delete.is_empty() {
            return Some(Work::DeleteTopics { topics: std::mem::take(&mut self.upkeep.topics_to_delete) });
        }
        if !self.upkeep.segments_to_delete.is_empty() {
            let segments = std::mem::take(&mut self.upkeep.segments_to_delete);
            return Some(Work::Delete { segments, first: self.shared.log.first() });
        }
        if std::mem::take(&mut self.upkeep.queues_to_clean) {
            return Some(Work::CleanQueues { first: self.shared.log.first() });
        }
        let settle = self.upkeep.settle_at.is_some_and(|target| self.flush.flushed() >= target);
        if settle || self.tails_due(now) {
            self.upkeep.last_tails = now;
            return Some(Work::WriteTails(self.tails(now, settle)));
        }
        None
    }

    fn tails_due(&self, now: Millis) -> bool {
        let waited = is_over(now, self.upkeep.last_tails, TAIL_INTERVAL_MILLIS);
        waited && self.shared.queues.has_long() || self.is_crowded() || self.index_due(now)
    }

    fn is_crowded(&self) -> bool {
        self.upkeep.tail_units >= TAIL_UNITS_MAX / 2
    }

    fn index_due(&self, now: Millis) -> bool {
        let keys = self.shared.index.pending();
        let crowded = keys >= index::PENDING_KEYS_MAX / 2;
        keys > 0 && (crowded || is_over(now, self.upkeep.last_index, INDEX_INTERVAL_MILLIS))
    }

    fn settle_due(&self, now: Millis) -> bool {
        let unsettled = self.follow.dispatched() - self.upkeep.checkpoint.queues_position;
        let interval = millis(self.shared.settings().flush.consume_queue_thorough_interval);
        let due = self.is_much(unsettled) || is_over(now, self.upkeep.last_settle, interval);
        self.upkeep.settle_wanted || unsettled > 0 && due
    }

    fn is_much(&self, unsettled: i64) -> bool {
        let by_queues = || self.shared.queues.dirty_max().saturating_mul(SETTLE_BYTES_PER_QUEUE);
        unsettled >= SETTLE_BYTES_MAX || unsettled >= SETTLE_BYTES_MIN && unsettled >= by_queues()
    }

    /// The log must be durable as far as it is dispatched now before the checkpoint may say so. What is dispatched while that
    /// sync runs does not count, or a busy store would never come to it.
    pub(super) fn plan_settle(&mut self, now: Millis) {
        if self.upkeep.settle_at.is_none() && self.settle_due(now) {
            self.upkeep.settle_at = Some(self.follow.dispatched());
        }
        if self.upkeep.settle_at.is_some_and(|target| self.flush.flushed() < target) {
            self.flush.want();
        }
    }

    /// When [`Store::upkeep_work`] has something to do, as far as time decides.
    pub(super) fn upkeep_deadline(&self) -> Option<Millis> {
        if self.upkeep.running {
            return None;
        }
        let tails = self.shared.queues.has_long().then(|| self.upkeep.last_tails.plus(TAIL_INTERVAL_MILLIS));
        let keys = self.shared.index.pending() > 0;
        let index = keys.then(|| self.upkeep.last_index.plus(INDEX_INTERVAL_MILLIS));
        let unsettled = self.follow.dispatched() > self.upkeep.checkpoint.queues_position;
        let interval = millis(self.shared.settings().flush.consume_queue_thorough_interval);
        let settle = unsettled.then(|| self.upkeep.last_settle.plus(interval));
        [tails, index, settle].into_iter().flatten().min()
    }

    /// Takes what is in memory, and with `settle` all that is to be synced.
    pub(super) fn tails(&mut self, now: Millis, settle: bool) -> WriteTails {
        let all = settle || self.is_crowded();
        let queues = Some(if all { TailsDue::All } else { TailsDue::Long });
        // A checkpoint that leaves keys out would lose them in a crash.
        let index_name = (settle || self.index_due(now)).then(|| index_file_name(now));
        if index_name.is_some() {
            self.upkeep.last_index = now;
        }
        let settle = settle.then(|| {
            self.upkeep.last_settle = now;
            self.upkeep.settle_wanted = false;
            self.upkeep.settle_at = None;
            Settle {
                // Copies: should the job fail, all of them are still to be synced.
                queue_files: self.upkeep.unsynced_files.values().cloned().collect(),
                index_files: self.upkeep.unsynced_index.iter().copied().collect(),
                shortened: self.upkeep.shortening(),
                checkpoint: self.checkpoint(),
            }
        });
        WriteTails { queues, index_name, settle }
    }

    /// The checkpoint that holds once everything dispatched so far is durable.
    fn checkpoint(&self) -> Checkpoint {
        // With ASYNC_FLUSH messages are dispatched before they are durable; both positions are starts of records.
        let position = self.follow.dispatched().min(self.flush.flushed());
        let whole = position == self.follow.dispatched();
        let messages = || self.shared.queues.messages();
        // Of a log that was a group's and is none's now the old word stays: it has not lost what it had then.
        let confirmed = match self.shared.options.commits {
            Some(_) => self.flush.committed().min(self.flush.flushed()).0,
            None => self.upkeep.checkpoint.confirmed,
        };
        Checkpoint {
            confirmed,
            log_time: self.follow.newest_time(),
            queues_time: self.follow.newest_time(),
            queues_position: position,
            ours: Some(Ours { messages: whole.then(messages) }),
            ..self.upkeep.checkpoint
        }
    }

    pub(super) fn survey_deadline(&self) -> Option<Millis> {
        if self.upkeep.surveying || !self.upkeep.segments_to_delete.is_empty() {
            return None;
        }
        let interval = millis(self.shared.settings().retention.clean_interval);
        Some(self.upkeep.last_survey.map_or(Millis(0), |last| last.plus(interval)))
    }

    pub(super) fn tails_written(&mut self, written: TailsWritten, events: &mut Vec<Event>) {
        self.upkeep.running = false;
        self.upkeep.tail_units -= written.units;
        self.upkeep.note_unsynced(written.files.into_iter().filter(|file| !file.queue.is_deleted()));
        if let Some(index) = written.index {
            self.upkeep.unsynced_index.extend(index.touched.iter().copied());
            self.shared.index.complete(index);
        }
        if let Some(checkpoint) = written.settled {
            self.upkeep.checkpoint = checkpoint;
            self.upkeep.unsynced_files.clear();
            self.upkeep.unsynced_index.clear();
            self.upkeep.shortening.clear();
        }
        match written.failure {
            None => {}
            // The units stay in memory and are written when there is space again.
            Some(error) if error.is_disk_full() => {
                self.set_disk_full(Some(error.to_string()), events);
            }
            Some(error) => self.fail(error, events),
        }
    }

    pub(super) fn surveyed(&mut self, survey: &Survey, now: Millis, events: &mut Vec<Event>) {
        self.shared.set_disk(survey.space);
        let settings = self.shared.settings();
        let retention = &settings.retention;
        let used = survey.space.total.saturating_sub(survey.space.available);
        let written = self.shared.log.base_of(self.flush.flushed().min(self.follow.dispatched()));
        let by_hand = self.upkeep.surveys_by_hand > 0;
        self.upkeep.surveys_by_hand = self.upkeep.surveys_by_hand.saturating_sub(1);
        let space = (used, survey.space.total);
        // A copy may have begun elsewhere since the look.
        let first = self.shared.log.first();
        let segments: Vec<_> = survey.segments.iter().copied().filter(|segment| segment.base >= first.0).collect();
        let decision = retention::decide(retention, &segments, written, space, now, by_hand);
        let limit = retention.disk_warning_percent;
        let full =
            decision.disk_full.then(|| format!("more than {limit} % of it is used (diskSpaceWarningLevelRatio)"));
        self.set_disk_full(full, events);
        if let Some(last) = decision.delete.last() {
            let first = PhysicalOffset(last + self.shared.log.segment_bytes());
            // Readers stop at the new beginning before the first file goes.
            self.shared.log.set_first(first);
            self.shared.files.close(|id| matches!(id, FileId::Segment(base) if base < first.0));
            self.upkeep.segments_to_delete = decision.delete;
        }
    }

    /// Files that are gone need no sync.
    pub(super) fn forget_deleted_files(&mut self) {
        self.upkeep.unsynced_files.retain(|(_, unit), file| file.queue.first_file().is_none_or(|first| first <= *unit));
    }
}

/// Whether an interval has passed, or the clock went back.
fn is_over(now: Millis, since: Millis, interval: i64) -> bool {
    !(0..interval).contains(&now.since(since))
}
