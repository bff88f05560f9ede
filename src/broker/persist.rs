//! When the JSON files of a broker are written, pure.
//!
//! Topics and groups are written as soon as they change, offsets at their intervals. One write per file is under way at
//! a time; requests that changed a file are answered when the change is on disk, so that no acknowledged topic is lost.

use std::collections::BTreeMap;

use crate::config::Broker;
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::action::{Action, ConfigFile, RequestId};
use super::core::Core;
use super::error::Error;

/// A write that failed is tried again after this long.
const RETRY_MILLIS: i64 = 1_000;

/// The files' writes.
#[derive(Debug, Default)]
pub struct Persistence {
    files: BTreeMap<ConfigFile, Writing>,
    offsets_saved: Millis,
    delays_saved: Millis,
    retry_at: Option<Millis>,
}

#[derive(Debug, Default)]
struct Writing {
    busy: bool,
    /// The content under way failed or is outdated: write once more.
    again: bool,
    /// Answered when the write under way has ended.
    waiting: Vec<(RequestId, Command)>,
    /// Answered when the write after it has ended.
    next: Vec<(RequestId, Command)>,
}

impl Persistence {
    /// Nothing is being written.
    #[must_use]
    pub fn new(now: Millis) -> Persistence {
        Persistence { offsets_saved: now, delays_saved: now, ..Persistence::default() }
    }

    /// Answers a request when the file's next write is on disk.
    pub fn answer_after(&mut self, file: ConfigFile, to: RequestId, response: Command) {
        self.files.entry(file).or_default().next.push((to, response));
    }

    /// Answers a request when every change of the file so far is on disk; gives the answer back when it is already. `dirty` says
    /// whether there are changes that no write has taken up yet. No write is made for this, so requests that change nothing
    /// cost none. While writes fail nothing waits for them: the failure is in the log, and messages are not its hostages.
    pub fn answer_when_saved(
        &mut self,
        file: ConfigFile,
        dirty: bool,
        to: RequestId,
        response: Command,
    ) -> Option<Command> {
        let writing = self.files.entry(file).or_default();
        if writing.again {
            return Some(response);
        }
        if dirty {
            writing.next.push((to, response));
        } else if writing.busy {
            writing.waiting.push((to, response));
        } else {
            return Some(response);
        }
        None
    }

    /// Whether a write of the file is under way, or is to be tried again.
    #[must_use]
    pub fn is_writing(&self, file: ConfigFile) -> bool {
        self.files.get(&file).is_some_and(|writing| writing.busy || writing.again || !writing.next.is_empty())
    }

    /// A write has ended.
    pub fn persisted(&mut self, now: Millis, file: ConfigFile, result: Result<(), String>, actions: &mut Vec<Action>) {
        let writing = self.files.entry(file).or_default();
        writing.busy = false;
        let waiting = std::mem::take(&mut writing.waiting);
        if let Err(reason) = result {
            tracing::error!(file = file.file_name(), reason, "configuration file not written, will be tried again");
            writing.again = true;
            self.retry_at = Some(now.plus(RETRY_MILLIS));
            let error = Error::Failed { reason: format!("{} not written: {reason}", file.file_name()) };
            actions.extend(waiting.into_iter().map(|(to, _)| Action::Reply { to, response: error.to_response() }));
        } else {
            actions.extend(waiting.into_iter().map(|(to, response)| Action::Reply { to, response }));
        }
    }

    /// When an offset file is due or a failed write is tried again.
    #[must_use]
    pub fn next_deadline(&self, offsets_dirty: bool, delays_dirty: bool, config: &Broker) -> Option<Millis> {
        let offsets = offsets_dirty.then(|| self.offsets_saved.plus(millis(config.consumer_offset_flush_interval)));
        let delays = delays_dirty.then(|| self.delays_saved.plus(millis(config.delay_offset_flush_interval)));
        [offsets, delays, self.retry_at].into_iter().flatten().min()
    }

    /// Whether a write of the file may start, given that its table changed or not.
    fn start(&mut self, file: ConfigFile, dirty: bool) -> bool {
        let writing = self.files.entry(file).or_default();
        if writing.busy || !(dirty || writing.again || !writing.next.is_empty()) {
            return false;
        }
        writing.busy = true;
        writing.again = false;
        writing.waiting = std::mem::take(&mut writing.next);
        true
    }
}

impl Core {
    /// Starts the writes that are due.
    pub(super) fn save(&mut self, now: Millis, actions: &mut Vec<Action>) {
        if self.files.retry_at.is_some_and(|at| now < at) {
            return;
        }
        self.files.retry_at = None;
        self.save_tables(actions);
        let every = millis(self.config.consumer_offset_flush_interval);
        let due = self.offsets.is_dirty() && is_due(now, self.files.offsets_saved, every);
        if self.files.start(ConfigFile::ConsumerOffsets, due) {
            self.files.offsets_saved = now;
            let content = self.offsets.persisting();
            actions.push(Action::Persist { file: ConfigFile::ConsumerOffsets, content });
        }
        let every = millis(self.config.delay_offset_flush_interval);
        let due = self.delays.is_dirty() && is_due(now, self.files.delays_saved, every);
        if self.files.start(ConfigFile::DelayOffsets, due) {
            self.files.delays_saved = now;
            let content = self.delays.persisting(now);
            actions.push(Action::Persist { file: ConfigFile::DelayOffsets, content });
        }
    }

    fn save_tables(&mut self, actions: &mut Vec<Action>) {
        if self.files.start(ConfigFile::Topics, self.topics.is_dirty()) {
            let content = self.topics.persisting();
            actions.push(Action::Persist { file: ConfigFile::Topics, content });
        }
        if self.files.start(ConfigFile::Groups, self.groups.is_dirty()) {
            let content = self.groups.persisting();
            actions.push(Action::Persist { file: ConfigFile::Groups, content });
        }
    }

    /// The last state of every file, written when the broker stops; whatever was under way has ended by then.
    pub(super) fn final_files(&mut self, now: Millis) -> Vec<(ConfigFile, Vec<u8>)> {
        vec![
            (ConfigFile::Topics, self.topics.persisting()),
            (ConfigFile::Groups, self.groups.persisting()),
            (ConfigFile::ConsumerOffsets, self.offsets.persisting()),
            (ConfigFile::DelayOffsets, self.delays.persisting(now)),
        ]
    }
}

fn millis(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Whether `every` milliseconds have passed; a clock that went back counts as passed.
fn is_due(now: Millis, last: Millis, every: i64) -> bool {
    now < last || now.since(last) >= every
}
