//! What the store must be told.

use std::time::Duration;

use crate::config::{DelayLevels, StoreOptions};

/// Files a store keeps open at a time, unless told otherwise: a container of eight stores stays below the usual 1024.
const OPEN_FILES_MAX: usize = 96;
/// Physical memory that is assumed when the shell does not say how much there is.
const PHYSICAL_MEMORY_BYTES: u64 = 4 << 30;

/// Everything that decides how a store behaves; never changes after [`super::Store::open`].
#[derive(Clone, Debug)]
pub struct Options {
    /// Paths, sizes, flush, retention, index and transfer limits.
    pub store: StoreOptions,
    /// `messageDelayLevel`: due times of the delay topic's consume queues.
    pub delay_levels: DelayLevels,
    /// Bytes of physical memory: how far behind the end of the log a message still counts as cached.
    pub physical_memory_bytes: u64,
    /// Files of this store that may be open at a time.
    pub open_files_max: usize,
    /// For the log of a group that commits what it holds: nothing above what is committed is dispatched, not even by recovery, but for what
    /// was shown before.
    pub commits: Option<Commits>,
}

/// What is known of the commit offset of a group's log when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commits {
    /// Nothing: the directory is that of a master, a slave, or is new.
    Unknown,
    /// It was a member's before, which left in the checkpoint what it knew.
    InCheckpoint,
}

impl Options {
    /// Options with this program's own limits at their defaults.
    #[must_use]
    pub fn new(store: StoreOptions, delay_levels: DelayLevels) -> Options {
        Options {
            store,
            delay_levels,
            physical_memory_bytes: PHYSICAL_MEMORY_BYTES,
            open_files_max: OPEN_FILES_MAX,
            commits: None,
        }
    }

    /// Bytes behind the end of the log that count as in memory (Java: `estimateInMemByCommitOffset`).
    pub(super) fn hot_bytes(&self) -> i64 {
        let percent = u64::from(self.store.transfer.memory_percent);
        i64::try_from(self.physical_memory_bytes / 100 * percent).unwrap_or(i64::MAX)
    }

    /// Bytes of one commit log file.
    pub(super) fn segment_bytes(&self) -> i64 {
        i64::try_from(self.store.commit_log_file_bytes).unwrap_or(i64::MAX)
    }
}

/// A configured duration as the store counts time.
pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
