//! From files to a running store (Java: `DefaultMessageStore.load`, `CommitLog.recoverNormally`, `recoverAbnormally`).
//!
//! ```text
//! scan: files, checkpoint --> plan: where to read the log from --> execute: queues loaded below that point,
//!                                    ^                              log read and dispatched again from there
//!                                    +------- queues incomplete ----+--> end found, what follows it erased
//! ```
//!
//! Invariants: below the start of the plan all queues are whole; what lies behind the end of the log is erased, durably,
//! before anything is appended, so that no later crash can bring it back; the checkpoint is lowered before bytes go.

mod execute;
mod index;
mod plan;
mod scan;

pub(super) use execute::Outcome;
pub(super) use index::cut_index;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use super::error::Error;
use super::options::Options;
use super::store::Store;
use crate::env::{Disk, LockGuard};
use crate::protocol::ids::Millis;

/// How far opening is; read by others meanwhile.
#[derive(Debug, Default)]
pub struct Progress {
    phase: AtomicU8,
    bytes_done: AtomicU64,
    bytes_total: AtomicU64,
    records: AtomicU64,
}

/// What opening is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not begun.
    Waiting,
    /// Looking at files, loading queues and index.
    Loading,
    /// Reading the log.
    Scanning,
    /// Erasing what follows the log's end, writing queues, syncing.
    Finishing,
    /// Open.
    Done,
}

impl Progress {
    /// What is being done.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Waiting,
            1 => Phase::Loading,
            2 => Phase::Scanning,
            3 => Phase::Finishing,
            _ => Phase::Done,
        }
    }

    /// Bytes of the log read, of those to read at most.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.bytes_done.load(Ordering::Relaxed), self.bytes_total.load(Ordering::Relaxed))
    }

    /// Records found.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
    }

    fn scan(&self, total: i64) {
        self.enter(Phase::Scanning);
        self.bytes_done.store(0, Ordering::Relaxed);
        self.records.store(0, Ordering::Relaxed);
        self.bytes_total.store(total.unsigned_abs(), Ordering::Relaxed);
    }

    fn scanned(&self, bytes: i64, records: u64) {
        self.bytes_done.store(bytes.unsigned_abs(), Ordering::Relaxed);
        self.records.store(records, Ordering::Relaxed);
    }
}

impl Store {
    /// Opens a store: locks its directory, loads it, recovers what a crash left. Blocks, for long after a crash.
    ///
    /// # Errors
    /// The directory is locked, a file has a wrong length or is missing, or a call of the file system failed.
    pub fn open(options: Options, disk: Arc<dyn Disk>, now: Millis, progress: &Progress) -> Result<Store, Error> {
        progress.enter(Phase::Loading);
        let store = &options.store;
        for dir in [&store.root, &store.commit_log, &store.consume_queue()] {
            disk.create_dir(dir).map_err(Error::io("create", dir))?;
        }
        let lock = lock(&options, disk.as_ref())?;
        let device = disk.device(&store.commit_log).map_err(Error::io("look at", &store.commit_log))?;
        let evidence = scan::scan(&options, &disk)?;
        mark_running(&options, disk.as_ref())?;
        let recovered = execute::execute(options, &disk, &evidence, progress, now)?;
        progress.enter(Phase::Done);
        Ok(Store::new(recovered, device, lock, now))
    }
}

fn lock(options: &Options, disk: &dyn Disk) -> Result<Box<dyn LockGuard>, Error> {
    let path = options.store.lock();
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::Locked { path: path.clone() },
        _ => Error::io("lock", &path)(error),
    })
}

/// Java's mark of a running broker: a file `abort` with the process id.
fn mark_running(options: &Options, disk: &dyn Disk) -> Result<(), Error> {
    let path = options.store.abort();
    disk.replace(&path, std::process::id().to_string().as_bytes(), None).map_err(Error::io("write", &path))
}
