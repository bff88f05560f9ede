//! The store's one owner: decides what happens, and does the part that does not block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::append::{Append, Appended, Writer};
use super::checkpoint::Checkpoint;
use super::consume_queue::Queue;
use super::dispatch::Arrival;
use super::error::{AppendError, Error};
use super::flush::Flush;
use super::follow::{Follow, Stuck};
use super::index;
use super::job::{Done, Job, JobDone, Settle, Stop, Survey, TailsWritten, Work, WriteTails};
use super::options::millis;
use super::recovery::Outcome;
use super::retention;
use super::shared::{Shared, index_file_name};
use super::view::View;
use crate::config::StoreOptions;
use crate::env::{DeviceId, LockGuard};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Units in memory before dispatch waits for them to be written: 24 bytes each.
pub(super) const TAIL_UNITS_MAX: usize = 256 * 1024;
/// Units and keys stay in memory this long before they are written.
const TAIL_INTERVAL_MILLIS: i64 = 200;
/// The queues are made durable after so many bytes of log, because recovery reads them all again.
const SETTLE_BYTES_MAX: i64 = 256 << 20;

/// Something the broker must know.
#[derive(Debug)]
pub enum Event {
    /// The log is durable up to here.
    Flushed(PhysicalOffset),
    /// An I/O error: the store takes no writes any more. Reads go on.
    Failed(Error),
    /// The disk is too full for writes, or is not any more.
    DiskFull(bool),
    /// Retention deleted files.
    Deleted {
        /// Log files that went.
        segments: usize,
        /// The oldest byte of the log now.
        first: PhysicalOffset,
    },
    /// The last job is done; nothing may be asked of the store any more.
    Stopped,
}

/// One broker's messages on disk. Owned by one task, which is its only writer.
pub struct Store {
    shared: Arc<Shared>,
    device: DeviceId,
    writer: Writer,
    flush: Flush,
    follow: Follow,
    upkeep: Upkeep,
    /// Why no writes are taken; stays until the store is opened again.
    poisoned: Option<String>,
    disk_full: Option<String>,
    stopping: bool,
    lock: Option<Box<dyn LockGuard>>,
}

/// Files behind the log: what is in memory, written but not durable, or to be deleted. One such job runs at a time.
struct Upkeep {
    running: bool,
    surveying: bool,
    /// Units in memory.
    tail_units: usize,
    last_tails: Millis,
    last_settle: Millis,
    last_survey: Option<Millis>,
    checkpoint: Checkpoint,
    settle_wanted: bool,
    unsynced_files: BTreeMap<(u64, i64), Arc<Queue>>,
    unsynced_index: BTreeSet<u64>,
    topics_to_delete: Vec<String>,
    segments_to_delete: Vec<i64>,
    creating_segment: bool,
    /// A log file that could not be made ahead: left to the append that needs it.
    segment_failed: Option<i64>,
}

impl Store {
    pub(super) fn new(recovered: Outcome, device: DeviceId, lock: Box<dyn LockGuard>, now: Millis) -> Store {
        let Outcome { shared, end, newest_time, checkpoint, unsynced_files, unsynced_index } = recovered;
        let by_id = |(queue, file): (Arc<Queue>, i64)| ((queue.serial, file), queue);
        let tail_units = shared.queues.all().iter().map(|queue| queue.tail_len()).sum();
        shared.newest_time.store(newest_time.0, Ordering::Relaxed);
        Store {
            writer: Writer::new(Arc::clone(&shared), end),
            flush: Flush::new(shared.options.store.flush.clone(), end, now),
            follow: Follow::new(end, newest_time),
            upkeep: Upkeep {
                running: false,
                surveying: false,
                tail_units,
                last_tails: now,
                last_settle: now,
                last_survey: None,
                checkpoint,
                // What recovery read again should not be read a second time.
                settle_wanted: checkpoint.queues_position < end,
                unsynced_files: unsynced_files.into_iter().map(by_id).collect(),
                unsynced_index: unsynced_index.into_iter().collect(),
                topics_to_delete: Vec::new(),
                segments_to_delete: Vec::new(),
                creating_segment: false,
                segment_failed: None,
            },
            device,
            shared,
            poisoned: None,
            disk_full: None,
            stopping: false,
            lock: Some(lock),
        }
    }

    /// What other tasks read from.
    #[must_use]
    pub fn view(&self) -> View {
        View::new(Arc::clone(&self.shared))
    }

    /// Stores messages: gives them their places, and writes them to the page cache with one write per log file.
    ///
    /// One result per [`Append`], in order. With SYNC_FLUSH a producer is answered when [`Event::Flushed`] has reached
    /// [`Appended::end`].
    pub fn append(&mut self, batch: Vec<Append>, now: Millis) -> Vec<Result<Appended, AppendError>> {
        if let Some(refusal) = self.refusal() {
            return batch.iter().map(|_| Err(refusal.clone())).collect();
        }
        let outcome = self.writer.append(&batch, now);
        for chunk in outcome.chunks {
            self.follow.keep(chunk);
        }
        self.flush.appended(self.writer.end());
        self.shared.newest_time.fetch_max(now.0, Ordering::Relaxed);
        if let Some(failure) = outcome.failure
            && !failure.is_disk_full()
        {
            self.poison(&failure.to_string());
        }
        outcome.results
    }

    fn refusal(&self) -> Option<AppendError> {
        if let Some(reason) = &self.poisoned {
            return Some(AppendError::Poisoned(reason.clone()));
        }
        if self.stopping {
            return Some(AppendError::NotWritable);
        }
        self.disk_full.clone().map(AppendError::DiskFull)
    }

    fn poison(&mut self, reason: &str) {
        if self.poisoned.is_none() {
            tracing::error!(reason, "store takes no writes any more");
            self.poisoned = Some(reason.to_owned());
        }
    }

    /// Makes confirmed messages readable, as far as memory has room for their units.
    pub fn follow(&mut self, arrivals: &mut Vec<Arrival>) {
        // After a failure nothing more is shown that may be lost.
        let confirmed = if self.poisoned.is_some() { self.flush.flushed() } else { self.flush.confirmed() };
        let room_index = (index::PENDING_KEYS_MAX - self.shared.index.pending().min(index::PENDING_KEYS_MAX)) / 4;
        let room = TAIL_UNITS_MAX.saturating_sub(self.upkeep.tail_units).min(room_index);
        let before = arrivals.len();
        let stuck = self.follow.advance(&self.shared, confirmed, room, arrivals);
        self.upkeep.tail_units += arrivals.len() - before;
        self.shared.dispatched.store(self.follow.dispatched().0, Ordering::Release);
        assert!(self.follow.dispatched() <= self.flush.confirmed(), "nothing is dispatched above confirmed");
        match stuck {
            Ok(()) => {}
            Err(Stuck::Damaged { position, reason }) => {
                self.poison(&format!("the log cannot be read back at {position}: {reason}"));
            }
            Err(Stuck::Gap(gap)) => self.poison(&format!(
                "queue {} of {} should go on with message {}, but the log has {}",
                gap.queue, gap.topic, gap.expected, gap.found
            )),
        }
    }

    /// What should run now. Each job runs once; its result goes to [`Store::complete`].
    pub fn jobs(&mut self, now: Millis) -> Vec<Job> {
        let mut jobs = Vec::new();
        if self.poisoned.is_some() || self.stopping && self.lock.is_none() {
            return jobs;
        }
        if self.settle_due(now) && self.flush.flushed() < self.follow.dispatched() {
            self.flush.want();
        }
        if let Some((from, to)) = self.flush.due(now) {
            self.flush.started(to, now);
            jobs.push(self.job(Work::SyncLog { from, to }));
        }
        if !self.upkeep.creating_segment
            && !self.stopping
            && let Some(base) = self.writer.file_wanted()
            && self.upkeep.segment_failed != Some(base)
        {
            self.upkeep.creating_segment = true;
            self.upkeep.segment_failed = Some(base);
            jobs.push(self.job(Work::CreateSegment { base }));
        }
        if let Some((from, len)) = self.follow.start_read_back() {
            let to = self.flush.confirmed();
            jobs.push(self.job(Work::ReadBack { from, to, len }));
        }
        if !self.stopping && self.survey_deadline().is_some_and(|at| now >= at) {
            self.upkeep.surveying = true;
            self.upkeep.last_survey = Some(now);
            jobs.push(self.job(Work::Survey));
        }
        if let Some(work) = self.upkeep_work(now) {
            self.upkeep.running = true;
            jobs.push(self.job(work));
        }
        jobs
    }

    fn job(&self, work: Work) -> Job {
        let device = matches!(work, Work::SyncLog { .. }).then_some(self.device);
        Job { shared: Arc::clone(&self.shared), device, work }
    }

    /// The one job of upkeep that is due: deletions before writes, so that a topic made anew is not deleted again.
    fn upkeep_work(&mut self, now: Millis) -> Option<Work> {
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
        let settle = self.settle_due(now) && self.flush.flushed() >= self.follow.dispatched();
        if settle || self.tails_due(now) {
            self.upkeep.last_tails = now;
            return Some(Work::WriteTails(self.tails(now, settle)));
        }
        None
    }

    fn has_tails(&self) -> bool {
        self.upkeep.tail_units > 0 || self.shared.index.pending() > 0
    }

    fn tails_due(&self, now: Millis) -> bool {
        let crowded =
            self.upkeep.tail_units >= TAIL_UNITS_MAX / 2 || self.shared.index.pending() >= index::PENDING_KEYS_MAX / 2;
        let waited = now.since(self.upkeep.last_tails);
        self.has_tails() && (crowded || !(0..TAIL_INTERVAL_MILLIS).contains(&waited))
    }

    fn settle_due(&self, now: Millis) -> bool {
        let unsettled = self.follow.dispatched() - self.upkeep.checkpoint.queues_position;
        let waited = now.since(self.upkeep.last_settle);
        let interval = millis(self.shared.settings().flush.consume_queue_thorough_interval);
        let due = unsettled >= SETTLE_BYTES_MAX || !(0..interval).contains(&waited);
        self.upkeep.settle_wanted || unsettled > 0 && due
    }

    /// Takes what is in memory, and with `settle` all that is to be synced.
    fn tails(&mut self, now: Millis, settle: bool) -> WriteTails {
        let all = if self.upkeep.tail_units > 0 || settle { self.shared.queues.all() } else { Vec::new() };
        let queues = all.iter().filter_map(Queue::unwritten).collect();
        let settle = settle.then(|| {
            self.upkeep.last_settle = now;
            self.upkeep.settle_wanted = false;
            let files = self.upkeep.unsynced_files.iter();
            Settle {
                queue_files: files.map(|((_, file), queue)| (Arc::clone(queue), *file)).collect(),
                index_files: self.upkeep.unsynced_index.iter().copied().collect(),
                checkpoint: self.checkpoint(&all),
            }
        });
        WriteTails { queues, index_name: index_file_name(now), settle }
    }

    /// The checkpoint that holds once everything dispatched so far is durable.
    fn checkpoint(&self, queues: &[Arc<Queue>]) -> Checkpoint {
        let position = self.follow.dispatched().min(self.flush.flushed());
        let whole = position == self.follow.dispatched();
        Checkpoint {
            log_time: self.follow.newest_time(),
            queues_time: self.follow.newest_time(),
            queues_position: position,
            messages: whole.then(|| queues.iter().map(|queue| queue.range().max.0).sum()),
            ..self.upkeep.checkpoint
        }
    }

    fn survey_deadline(&self) -> Option<Millis> {
        if self.upkeep.surveying || !self.upkeep.segments_to_delete.is_empty() {
            return None;
        }
        let interval = millis(self.shared.settings().retention.clean_interval);
        Some(self.upkeep.last_survey.map_or(Millis(0), |last| last.plus(interval)))
    }

    /// When [`Store::jobs`] has something to do at the latest, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.poisoned.is_some() || self.stopping {
            return None;
        }
        let tails =
            (!self.upkeep.running && self.has_tails()).then(|| self.upkeep.last_tails.plus(TAIL_INTERVAL_MILLIS));
        let unsettled = self.follow.dispatched() > self.upkeep.checkpoint.queues_position;
        let interval = millis(self.shared.settings().flush.consume_queue_thorough_interval);
        let settle = (!self.upkeep.running && unsettled).then(|| self.upkeep.last_settle.plus(interval));
        [self.flush.deadline(), self.survey_deadline(), tails, settle].into_iter().flatten().min()
    }

    /// Takes the result of a job.
    pub fn complete(&mut self, job: JobDone, now: Millis) -> Vec<Event> {
        let mut events = Vec::new();
        match job.done {
            Done::SyncLog(Ok(())) => {
                let upto = self.flush.synced();
                self.shared.flushed.store(upto.0, Ordering::Release);
                events.push(Event::Flushed(upto));
            }
            Done::SyncLog(Err(error)) => {
                self.flush.failed();
                self.fail(error, &mut events);
            }
            Done::CreateSegment(result) => {
                self.upkeep.creating_segment = false;
                match result {
                    Ok(base) => self.writer.prepared(base),
                    // The append that needs the file tries again, and says why it cannot.
                    Err(error) => tracing::warn!(%error, "cannot make the next log file"),
                }
            }
            Done::ReadBack(Ok(chunk)) => self.follow.finish_read_back(chunk),
            Done::ReadBack(Err(error)) => {
                self.follow.finish_read_back(None);
                self.fail(error, &mut events);
            }
            Done::WriteTails(written) => self.tails_written(written, &mut events),
            Done::Survey(result) => {
                self.upkeep.surveying = false;
                match result {
                    Ok(survey) => self.surveyed(&survey, now, &mut events),
                    // The disk does not answer: writes will find out whether it is gone.
                    Err(error) => tracing::warn!(%error, "cannot look at the disk"),
                }
            }
            Done::Delete { deleted, result } => {
                self.upkeep.running = false;
                self.forget_deleted_files();
                events.push(Event::Deleted { segments: deleted, first: self.shared.log.first() });
                if let Err(error) = result {
                    self.fail(error, &mut events);
                }
            }
            Done::DeleteTopics(result) => {
                self.upkeep.running = false;
                self.upkeep.settle_wanted = true;
                if let Err(error) = result {
                    tracing::warn!(%error, "cannot delete the queues of a topic");
                }
            }
            Done::Stop(Ok(())) => events.push(Event::Stopped),
            Done::Stop(Err(error)) => {
                self.fail(error, &mut events);
                events.push(Event::Stopped);
            }
        }
        events
    }

    fn fail(&mut self, error: Error, events: &mut Vec<Event>) {
        self.poison(&error.to_string());
        events.push(Event::Failed(error));
    }

    fn tails_written(&mut self, written: TailsWritten, events: &mut Vec<Event>) {
        self.upkeep.running = false;
        for (queue, units, files) in written.queues.into_iter().filter(|(queue, ..)| !queue.is_deleted()) {
            queue.written(units, files.first().map_or(0, |file| *file));
            self.upkeep.tail_units -= units;
            self.upkeep.unsynced_files.extend(files.iter().map(|file| ((queue.serial, *file), Arc::clone(&queue))));
        }
        if let Some(index) = written.index {
            self.upkeep.unsynced_index.extend(index.touched.iter().copied());
            self.shared.index.complete(index);
        }
        if let Some(checkpoint) = written.settled {
            self.upkeep.checkpoint = checkpoint;
            self.upkeep.unsynced_files.clear();
            self.upkeep.unsynced_index.clear();
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

    fn set_disk_full(&mut self, reason: Option<String>, events: &mut Vec<Event>) {
        if self.disk_full.is_some() != reason.is_some() {
            events.push(Event::DiskFull(reason.is_some()));
            match &reason {
                Some(reason) => tracing::warn!(reason, "disk full: writes are refused"),
                None => tracing::info!("disk has space again: writes are taken"),
            }
        }
        self.disk_full = reason;
    }

    fn surveyed(&mut self, survey: &Survey, now: Millis, events: &mut Vec<Event>) {
        self.shared.set_disk(survey.space);
        let settings = self.shared.settings();
        let retention = &settings.retention;
        let used = survey.space.total.saturating_sub(survey.space.available);
        let written = self.shared.log.base_of(self.flush.flushed().min(self.follow.dispatched()));
        let decision = retention::decide(retention, &survey.segments, written, (used, survey.space.total), now);
        let limit = retention.disk_warning_percent;
        let full =
            decision.disk_full.then(|| format!("more than {limit} % of it is used (diskSpaceWarningLevelRatio)"));
        self.set_disk_full(full, events);
        if let Some(last) = decision.delete.last() {
            let first = PhysicalOffset(last + self.shared.log.segment_bytes());
            // Readers stop at the new beginning before the first file goes.
            self.shared.log.set_first(first);
            self.shared.files.close(|id| matches!(id, super::open_files::FileId::Segment(base) if base < first.0));
            self.upkeep.segments_to_delete = decision.delete;
        }
    }

    /// Files that are gone need no sync.
    fn forget_deleted_files(&mut self) {
        self.upkeep.unsynced_files.retain(|(_, file), queue| queue.first_file().is_none_or(|first| first <= *file));
    }

    /// Takes over the options that may change while the store is open: limits, intervals and retention. Paths and file
    /// sizes stay those of the start, whatever `settings` says.
    pub fn reconfigure(&mut self, settings: &StoreOptions) {
        self.shared.set_settings(settings.clone());
        self.flush.reconfigure(settings.flush.clone());
    }

    /// Forgets a topic's queues; its records stay in the log until retention.
    pub fn delete_topic(&mut self, topic: &str) {
        if super::layout::check_topic(topic).is_err() {
            return;
        }
        self.follow.forget_topic(topic, self.flush.written());
        let removed = self.shared.queues.remove(topic);
        for queue in &removed {
            // A job that writes units of it now is not counted when it is done.
            self.upkeep.tail_units -= queue.delete();
        }
        self.upkeep.unsynced_files.retain(|_, queue| !queue.is_deleted());
        self.upkeep.topics_to_delete.push(topic.to_owned());
    }

    /// Whether all that was appended is durable and readable, and no job is outstanding but those of upkeep.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let upkeep = self.upkeep.running || self.upkeep.surveying || self.upkeep.creating_segment;
        let idle = !self.flush.is_running() && !self.follow.is_reading() && !upkeep;
        let done = self.flush.flushed() == self.flush.written() && self.follow.dispatched() == self.flush.written();
        idle && (done || self.poisoned.is_some())
    }

    /// Takes no more writes, and wants everything durable now: run [`Store::jobs`] until [`Store::is_drained`].
    pub fn drain(&mut self) {
        self.stopping = true;
        self.flush.want();
    }

    /// The last job: everything written and synced, checkpoint, `abort` removed (only when all messages are in their
    /// queues and nothing failed), lock given back. No other job may be outstanding.
    pub fn stopping(&mut self, now: Millis) -> Job {
        self.stopping = true;
        let healthy = self.poisoned.is_none();
        let clean = healthy && self.follow.dispatched() == self.flush.written();
        let tails = if healthy {
            self.tails(now, clean)
        } else {
            WriteTails { queues: Vec::new(), index_name: 0, settle: None }
        };
        let sync = if healthy { (self.flush.flushed(), self.flush.written()) } else { Default::default() };
        let stop = Stop { sync, tails, clean, lock: self.lock.take() };
        self.job(Work::Stop(stop))
    }

    /// End of the log.
    #[must_use]
    pub fn written(&self) -> PhysicalOffset {
        self.flush.written()
    }

    /// How far the log is durable; at most [`Store::written`].
    #[must_use]
    pub fn flushed(&self) -> PhysicalOffset {
        self.flush.flushed()
    }

    /// How far messages may be shown: flushed with SYNC_FLUSH, written with ASYNC_FLUSH.
    #[must_use]
    pub fn confirmed(&self) -> PhysicalOffset {
        self.flush.confirmed()
    }

    /// Why the store takes no writes, if it failed.
    #[must_use]
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }
}
