//! The store's one owner: decides what happens, and does the part that does not block.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::append::{Append, Appended, Writer};
use super::cut::Cut;
use super::dispatch::Arrival;
use super::error::{AppendError, Error};
use super::flush::Flush;
use super::follow::{Follow, News, Stuck};
use super::job::{Done, Job, JobDone, Stop, Work, WriteTails};
use super::recovery::Outcome;
use super::role::Role;
use super::shared::Shared;
use super::upkeep::{TAIL_UNITS_MAX, Upkeep};
use super::view::View;
use crate::config::StoreOptions;
use crate::env::{DeviceId, LockGuard};
use crate::protocol::ids::{Millis, PhysicalOffset};

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
    /// The end of the log was cut back to here ([`Store::cut_back`]).
    CutBack(PhysicalOffset),
    /// The store assigns numbers and takes messages from now on ([`Store::lead`]).
    Leading,
    /// The last job is done; nothing may be asked of the store any more.
    Stopped,
}

/// One broker's messages on disk. Owned by one task, which is its only writer.
pub struct Store {
    pub(super) shared: Arc<Shared>,
    device: DeviceId,
    pub(super) writer: Writer,
    pub(super) role: Role,
    pub(super) cut: Option<Cut>,
    pub(super) flush: Flush,
    pub(super) follow: Follow,
    pub(super) upkeep: Upkeep,
    /// Why no writes are taken; stays until the store is opened again.
    poisoned: Option<String>,
    disk_full: Option<String>,
    stopping: bool,
    lock: Option<Box<dyn LockGuard>>,
}

impl Store {
    pub(super) fn new(recovered: Outcome, device: DeviceId, lock: Box<dyn LockGuard>, now: Millis) -> Store {
        let Outcome { shared, end, dispatched, committed, newest_time, checkpoint, unsynced_files, unsynced_index } =
            recovered;
        shared.newest_time.store(newest_time.0, Ordering::Relaxed);
        let mut flush = Flush::new(shared.options.store.flush.clone(), end, now);
        if let Some(committed) = committed {
            flush.belongs_to_group(committed, dispatched);
        }
        Store {
            writer: Writer::new(Arc::clone(&shared), end),
            role: Role::Leading { from: end },
            cut: None,
            flush,
            follow: Follow::new(dispatched, newest_time),
            upkeep: Upkeep::new(&shared, checkpoint, dispatched, now, unsynced_files, unsynced_index),
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
    pub fn append(&mut self, batch: &[Append], now: Millis) -> Vec<Result<Appended, AppendError>> {
        let following = (!self.is_leading()).then_some(AppendError::NotLeading);
        if let Some(refusal) = self.refusal().or(following) {
            return batch.iter().map(|_| Err(refusal.clone())).collect();
        }
        let outcome = self.writer.append(batch, now);
        for chunk in outcome.chunks {
            self.follow.keep(chunk);
        }
        self.flush.appended(self.writer.end());
        self.note_newest(now);
        if let Some(failure) = outcome.failure {
            self.write_failed(&failure);
        }
        outcome.results
    }

    pub(super) fn note_newest(&self, now: Millis) {
        self.shared.newest_time.fetch_max(now.0, Ordering::Relaxed);
    }

    /// A write of the log failed: only a full disk is forgiven.
    pub(super) fn write_failed(&mut self, failure: &Error) -> AppendError {
        let reason = failure.to_string();
        if failure.is_disk_full() {
            return AppendError::DiskFull(reason);
        }
        self.poison(&reason);
        AppendError::Poisoned(reason)
    }

    pub(super) fn refusal(&self) -> Option<AppendError> {
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
        if self.is_cutting() {
            return;
        }
        // After a failure nothing more is shown that may be lost.
        let confirmed = match self.poisoned.is_some() {
            true => self.flush.flushed().min(self.flush.confirmed()),
            false => self.flush.confirmed(),
        };
        let room = TAIL_UNITS_MAX.saturating_sub(self.upkeep.tail_units);
        let mut news = News { arrivals, grown: 0, restarted: Vec::new() };
        let stuck = self.follow.advance(&self.shared, confirmed, room, self.numbers(), &mut news);
        self.upkeep.tail_units = self.upkeep.tail_units.saturating_add_signed(news.grown);
        self.upkeep.shortened.append(&mut news.restarted);
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
        if self.is_cutting() {
            jobs.extend(self.cut_work().map(|work| self.job(work)));
            return jobs;
        }
        jobs.extend(self.count_wanted().map(|work| self.job(work)));
        self.plan_settle(now);
        if let Some((from, to)) = self.flush.due(now) {
            self.flush.started(to, now);
            jobs.push(self.job(Work::SyncLog { from, to }));
        }
        if !self.upkeep.creating_segment
            && !self.stopping
            && let Some(base) = self.file_wanted()
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

    /// The file to make ahead. Where an empty copy begins, its master says.
    fn file_wanted(&self) -> Option<i64> {
        let begins_anywhere = !self.is_leading() && self.written() == self.shared.log.first();
        if begins_anywhere { None } else { self.writer.file_wanted() }
    }

    fn job(&self, work: Work) -> Job {
        let device = matches!(work, Work::SyncLog { .. }).then_some(self.device);
        Job { shared: Arc::clone(&self.shared), device, work }
    }

    /// When [`Store::jobs`] has something to do at the latest, if nothing else happens before.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        if self.poisoned.is_some() || self.stopping {
            return None;
        }
        if self.is_cutting() {
            return self.is_quiet().then_some(Millis(0));
        }
        [self.flush.deadline(), self.survey_deadline(), self.upkeep_deadline()].into_iter().flatten().min()
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
            Done::CleanQueues(result) => {
                self.upkeep.running = false;
                self.forget_deleted_files();
                if let Err(error) = result {
                    tracing::warn!(%error, "cannot delete the files of expired queues");
                }
            }
            Done::DeleteTopics(result) => {
                self.upkeep.running = false;
                self.upkeep.settle_wanted = true;
                if let Err(error) = result {
                    tracing::warn!(%error, "cannot delete the queues of a topic");
                }
            }
            Done::Count(Ok(numbered)) => self.counted(numbered, &mut events),
            Done::Count(Err(error)) => {
                self.upkeep.counting = false;
                self.fail(error, &mut events);
            }
            Done::CutBack(Ok(done)) => self.cut_done(&done, &mut events),
            Done::CutBack(Err(error)) => {
                self.cut = None;
                self.fail(error, &mut events);
            }
            Done::Stop(Ok(())) => events.push(Event::Stopped),
            Done::Stop(Err(error)) => {
                self.fail(error, &mut events);
                events.push(Event::Stopped);
            }
        }
        events
    }

    pub(super) fn fail(&mut self, error: Error, events: &mut Vec<Event>) {
        self.poison(&error.to_string());
        events.push(Event::Failed(error));
    }

    pub(super) fn set_disk_full(&mut self, reason: Option<String>, events: &mut Vec<Event>) {
        if self.disk_full.is_some() != reason.is_some() {
            events.push(Event::DiskFull(reason.is_some()));
            match &reason {
                Some(reason) => tracing::warn!(reason, "disk full: writes are refused"),
                None => tracing::info!("disk has space again: writes are taken"),
            }
        }
        self.disk_full = reason;
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
            // Units that a job has written are not among these; it counts them itself.
            self.upkeep.tail_units -= queue.delete();
        }
        self.upkeep.unsynced_files.retain(|_, file| !file.queue.is_deleted());
        self.upkeep.topics_to_delete.push(topic.to_owned());
    }

    /// Whether all that was appended is durable and readable, and no job is outstanding but those of upkeep.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        let done = self.flush.flushed() == self.flush.written() && self.follow.dispatched() == self.flush.confirmed();
        // A store that has failed begins no cut any more.
        let cutting = self.cut.is_some_and(|cut| cut == Cut::Running || self.poisoned.is_none());
        let done = done && self.upkeep.topics_to_delete.is_empty();
        self.is_quiet() && !cutting && (done || self.poisoned.is_some())
    }

    /// Whether no job runs, but for one that cuts the log back.
    pub(super) fn is_quiet(&self) -> bool {
        let upkeep = self.upkeep.running || self.upkeep.surveying || self.upkeep.creating_segment;
        !self.flush.is_running() && !self.follow.is_reading() && !self.upkeep.counting && !upkeep
    }

    /// Takes no more writes, and wants everything durable now: run [`Store::jobs`] until [`Store::is_drained`].
    pub fn drain(&mut self) {
        self.stopping = true;
        self.flush.want();
    }

    /// The last job: everything written and synced, checkpoint, `abort` removed (only when all messages that may be shown are in their
    /// queues and nothing failed), lock given back. No other job may be outstanding.
    pub fn stopping(&mut self, now: Millis) -> Job {
        self.stopping = true;
        let healthy = self.poisoned.is_none();
        let clean = healthy && self.follow.dispatched() == self.flush.confirmed();
        let tails =
            if healthy { self.tails(now, clean) } else { WriteTails { queues: None, index_name: None, settle: None } };
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

    /// How far messages may be shown: flushed with SYNC_FLUSH, written with ASYNC_FLUSH, and no further than [`Store::committed`] or what
    /// was shown before when the log belongs to a group.
    #[must_use]
    pub fn confirmed(&self) -> PhysicalOffset {
        self.flush.confirmed()
    }

    /// The group to which this log belongs has committed everything below `to`: it may be shown, and is never cut away. Only what is
    /// written here counts. Without a group ([`super::Options::commits`]) nothing happens.
    pub fn commit(&mut self, to: PhysicalOffset) {
        self.flush.commit(to);
    }

    /// What the group has committed, as far as it is known here; the beginning of a log that belongs to none.
    #[must_use]
    pub fn committed(&self) -> PhysicalOffset {
        self.flush.committed()
    }

    /// Why the store takes no writes, if it failed.
    #[must_use]
    pub fn poisoned(&self) -> Option<&str> {
        self.poisoned.as_deref()
    }
}
