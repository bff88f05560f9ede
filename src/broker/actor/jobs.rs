//! Work for the I/O pool: the store's jobs and the broker's files.
//!
//! Every job reports, whatever becomes of it: its result, or that it was lost because it panicked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Actor, Inbound};
use crate::broker::action::ConfigFile;
use crate::broker::event::Event;
use crate::config::Change;
use crate::env::mailbox::Sender;
use crate::env::{Disk, Job};

impl Actor {
    pub(super) fn persist(&mut self, file: ConfigFile, content: Vec<u8>) {
        let path = self.parts.config_folder.join(file.file_name());
        let backup = path.with_added_extension("bak");
        self.replace(path, content, Some(backup), move |result| Event::Persisted { file, result });
    }

    /// Writes the epochs of the log.
    pub(super) fn save_epochs(&mut self, content: String) {
        let path = self.parts.epoch_file.clone();
        let backup = path.with_added_extension("bak");
        self.replace(path, content.into_bytes(), Some(backup), |result| Event::EpochsSaved { result });
    }

    /// Replaces a file; the one before stays under the name `backup`.
    pub(super) fn replace(
        &mut self,
        path: PathBuf,
        content: Vec<u8>,
        backup: Option<PathBuf>,
        then: impl FnOnce(Result<(), String>) -> Event + Send + 'static,
    ) {
        let (disk, results) = (Arc::clone(&self.parts.env.disk), self.parts.results.clone());
        self.jobs.push_back(Box::new(move || {
            let mut report = Report::to(results);
            let result = disk.replace(&path, &content, backup.as_deref()).map_err(|error| error.to_string());
            report.send(Inbound::Event(then(result)));
        }));
    }

    /// Writes the broker's own properties file.
    pub(super) fn rewrite(&mut self, path: PathBuf, changes: Vec<Change>) {
        let (disk, results) = (Arc::clone(&self.parts.env.disk), self.parts.results.clone());
        self.jobs.push_back(Box::new(move || {
            let mut report = Report::to(results);
            let result = rewrite_file(&*disk, &path, &changes);
            let result = result.map_err(|error| format!("{}: {error}", path.display()));
            report.send(Inbound::Event(Event::ConfigWritten { result }));
        }));
    }

    /// Hands jobs to the pool; what it does not take waits for the next round.
    pub(super) fn submit_jobs(&mut self) {
        while let Some(job) = self.jobs.pop_front() {
            if let Err(refused) = self.parts.share.submit(job) {
                self.jobs.push_front(refused.job);
                return;
            }
            self.under_way += 1;
        }
    }

    /// A job of the store as the pool runs it.
    pub(super) fn pool_job(&self, job: crate::store::Job) -> Job {
        let (disk, results) = (Arc::clone(&self.parts.env.disk), self.parts.results.clone());
        let (clock, stages) = (Arc::clone(&self.parts.env.clock), Arc::clone(&self.parts.stages));
        let ordered = job.device().map(|_| clock.monotonic());
        Box::new(move || {
            let mut report = Report::to(results);
            let done = job.run(&*disk);
            if let Some(ordered) = ordered {
                stages.flush.time(clock.monotonic().saturating_sub(ordered));
            }
            report.send(Inbound::Job(done));
        })
    }
}

/// Reports a job's result, or on drop that there will be none because the job panicked.
struct Report {
    results: Option<Sender<Inbound>>,
}

impl Report {
    fn to(results: Sender<Inbound>) -> Report {
        Report { results: Some(results) }
    }

    fn send(&mut self, inbound: Inbound) {
        if let Some(results) = self.results.take() {
            // The actor waits for its jobs before it ends, so somebody is there.
            let _ended = results.blocking_send(inbound);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.send(Inbound::JobLost);
    }
}

/// Puts changed keys into a properties file, line by line.
fn rewrite_file(disk: &dyn Disk, path: &Path, changes: &[Change]) -> io::Result<()> {
    let text = String::from_utf8_lossy(&disk.read(path)?).into_owned();
    disk.replace(path, crate::config::rewrite(&text, path, changes).as_bytes(), None)
}
