//! What the owner of a store, its jobs and its readers have in common.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chrono::{Local, TimeZone};

use super::consume_queues::Queues;
use super::error::Error;
use super::index::Index;
use super::log::Log;
use super::open_files::OpenFiles;
use super::options::Options;
use crate::config::StoreOptions;
use crate::env::{Disk, DiskSpace, Volume};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// The parts that many tasks use at a time.
pub(super) struct Shared {
    pub(super) options: Options,
    /// The options that may change at run time; `options.store` are those of the start.
    settings: RwLock<Arc<StoreOptions>>,
    pub(super) files: Arc<OpenFiles>,
    /// The file system of the store.
    pub(super) volume: Arc<dyn Volume>,
    pub(super) log: Log,
    pub(super) queues: Queues,
    pub(super) index: Index,
    /// Copies of the owner's positions, for reports.
    pub(super) flushed: AtomicI64,
    pub(super) dispatched: AtomicI64,
    /// Store time of the newest appended record.
    pub(super) newest_time: AtomicI64,
    /// Space of the commit log's file system in bytes, as of the last look.
    disk_total: AtomicU64,
    disk_available: AtomicU64,
}

impl Shared {
    /// A store whose files hold the bytes from `first` to `end`.
    pub(super) fn new(options: Options, disk: Arc<dyn Disk>, first: i64, end: i64) -> Result<Shared, Error> {
        let root = &options.store.root;
        let volume = disk.volume(root).map_err(Error::io("open", root))?;
        let files = Arc::new(OpenFiles::new(disk, options.open_files_max));
        let store = &options.store;
        let log = Log::new(Arc::clone(&files), store.commit_log.clone(), options.segment_bytes(), first, end);
        let queues = Queues::new(Arc::clone(&files), store.consume_queue(), store.consume_queue_file_bytes);
        let index = Index::new(Arc::clone(&files), store.index_dir(), store.index.clone());
        let settings = RwLock::new(Arc::new(options.store.clone()));
        Ok(Shared {
            settings,
            files,
            volume,
            log,
            queues,
            index,
            flushed: AtomicI64::new(end),
            dispatched: AtomicI64::new(end),
            newest_time: AtomicI64::new(0),
            disk_total: AtomicU64::new(0),
            disk_available: AtomicU64::new(0),
            options,
        })
    }

    /// The options as they are now.
    pub(super) fn settings(&self) -> Arc<StoreOptions> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_settings(&self, settings: StoreOptions) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub(super) fn dispatched(&self) -> PhysicalOffset {
        PhysicalOffset(self.dispatched.load(Ordering::Acquire))
    }

    pub(super) fn flushed(&self) -> PhysicalOffset {
        PhysicalOffset(self.flushed.load(Ordering::Acquire))
    }

    /// The log ends here now: first for its readers.
    pub(super) fn cut_back(&self, end: PhysicalOffset) {
        self.log.cut_back(end);
        self.flushed.fetch_min(end.0, Ordering::AcqRel);
        self.dispatched.fetch_min(end.0, Ordering::AcqRel);
    }

    /// Recovery found the end of the log, and has dispatched so much of it.
    pub(super) fn set_recovered(&self, end: PhysicalOffset, dispatched: PhysicalOffset) {
        self.flushed.store(end.0, Ordering::Release);
        self.dispatched.store(dispatched.0, Ordering::Release);
    }

    pub(super) fn disk(&self) -> DiskSpace {
        DiskSpace {
            total: self.disk_total.load(Ordering::Relaxed),
            available: self.disk_available.load(Ordering::Relaxed),
        }
    }

    pub(super) fn set_disk(&self, space: DiskSpace) {
        self.disk_total.store(space.total, Ordering::Relaxed);
        self.disk_available.store(space.available, Ordering::Relaxed);
    }
}

/// The name of an index file made now: local time, `yyyyMMddHHmmssSSS`, as a number.
pub(super) fn index_file_name(now: Millis) -> u64 {
    let local = Local.timestamp_millis_opt(now.0).earliest();
    local.and_then(|time| time.format("%Y%m%d%H%M%S%3f").to_string().parse().ok()).unwrap_or(0)
}
