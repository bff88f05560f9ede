//! Options of one broker's store (Java: `MessageStoreConfig`).

use std::path::PathBuf;
use std::time::Duration;

use crate::config::values::Values;

/// Bytes of one consume queue entry; file sizes are rounded up to a multiple of it, as Java does.
const CONSUME_QUEUE_ENTRY: u64 = 20;

/// Where and how one broker stores its messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// `storePathRootDir`: everything but the commit log lives under it.
    pub root: PathBuf,
    /// `storePathCommitLog`, `<root>/commitlog` unless given.
    pub commit_log: PathBuf,
    /// `mappedFileSizeCommitLog` in bytes.
    pub commit_log_file_bytes: u64,
    /// `mappedFileSizeConsumeQueue` in bytes, a multiple of 20.
    pub consume_queue_file_bytes: u64,
    /// `maxMessageSize`: limit of a message body in bytes.
    pub max_message_bytes: usize,
    /// `checkCRCOnRecover`: recovery verifies the CRC of every body it scans.
    pub check_crc_on_recover: bool,
    /// When written bytes are synced.
    pub flush: Flush,
    /// When old files are deleted.
    pub retention: Retention,
    /// The index by message key.
    pub index: KeyIndex,
    /// How much one pull may carry.
    pub transfer: Transfer,
}

impl StoreOptions {
    /// `<root>/consumequeue`: Java 5.5.0 has no key for it.
    #[must_use]
    pub fn consume_queue(&self) -> PathBuf {
        self.root.join("consumequeue")
    }

    /// `<root>/index`.
    #[must_use]
    pub fn index_dir(&self) -> PathBuf {
        self.root.join("index")
    }

    /// `<root>/config`: topics, subscription groups, offsets.
    #[must_use]
    pub fn config_dir(&self) -> PathBuf {
        self.root.join("config")
    }

    /// `<root>/checkpoint`.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoint")
    }

    /// `<root>/epochFileCheckpoint` (Java: `storePathEpochFile`): who wrote which part of the log.
    #[must_use]
    pub fn epoch_file(&self) -> PathBuf {
        self.root.join("epochFileCheckpoint")
    }

    /// `<root>/abort`: there while the broker runs, left behind by a crash.
    #[must_use]
    pub fn abort(&self) -> PathBuf {
        self.root.join("abort")
    }

    /// `<root>/lock`: one process at a time.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(in crate::config) fn from_values(values: &Values) -> StoreOptions {
        let root = values.path("storePathRootDir");
        let commit_log = values.optional_path("storePathCommitLog").unwrap_or_else(|| root.join("commitlog"));
        StoreOptions {
            commit_log,
            root,
            commit_log_file_bytes: values.number("mappedFileSizeCommitLog"),
            consume_queue_file_bytes: values
                .number::<u64>("mappedFileSizeConsumeQueue")
                .next_multiple_of(CONSUME_QUEUE_ENTRY),
            max_message_bytes: values.number("maxMessageSize"),
            check_crc_on_recover: values.bool("checkCRCOnRecover"),
            flush: Flush::from_values(values),
            retention: Retention::from_values(values),
            index: KeyIndex {
                enabled: values.bool("messageIndexEnable"),
                safe: values.bool("messageIndexSafe"),
                hash_slots: values.number("maxHashSlotNum"),
                entries: values.number("maxIndexNum"),
            },
            transfer: Transfer {
                memory_bytes: values.number("maxTransferBytesOnMessageInMemory"),
                memory_messages: values.number("maxTransferCountOnMessageInMemory"),
                disk_bytes: values.number("maxTransferBytesOnMessageInDisk"),
                disk_messages: values.number("maxTransferCountOnMessageInDisk"),
                memory_percent: values.number("accessMessageInMemoryMaxRatio"),
            },
        }
    }
}

/// `flushDiskType`: whether a producer waits for the sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlushDiskType {
    /// Answered after the write; synced on a timer.
    Async,
    /// Answered after the sync.
    Sync,
}

/// When written bytes are synced (Java: `CommitLog.FlushRealTimeService`, `GroupCommitService`, `FlushConsumeQueueService`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flush {
    /// `flushDiskType`.
    pub disk: FlushDiskType,
    /// `flushIntervalCommitLog`.
    pub commit_log_interval: Duration,
    /// `flushCommitLogLeastPages` of 4 KiB: fewer are left for the thorough flush.
    pub commit_log_least_pages: u32,
    /// `flushCommitLogThoroughInterval`: everything is flushed this often.
    pub commit_log_thorough_interval: Duration,
    /// `flushIntervalConsumeQueue`.
    pub consume_queue_interval: Duration,
    /// `flushConsumeQueueLeastPages` of 4 KiB.
    pub consume_queue_least_pages: u32,
    /// `flushConsumeQueueThoroughInterval`.
    pub consume_queue_thorough_interval: Duration,
    /// `syncFlushTimeout`: a producer waits no longer for a sync (answer FLUSH_DISK_TIMEOUT).
    pub sync_timeout: Duration,
}

impl Flush {
    fn from_values(values: &Values) -> Flush {
        Flush {
            disk: match values.text("flushDiskType") {
                "SYNC_FLUSH" => FlushDiskType::Sync,
                _ => FlushDiskType::Async,
            },
            commit_log_interval: values.duration("flushIntervalCommitLog"),
            commit_log_least_pages: values.number("flushCommitLogLeastPages"),
            commit_log_thorough_interval: values.duration("flushCommitLogThoroughInterval"),
            consume_queue_interval: values.duration("flushIntervalConsumeQueue"),
            consume_queue_least_pages: values.number("flushConsumeQueueLeastPages"),
            consume_queue_thorough_interval: values.duration("flushConsumeQueueThoroughInterval"),
            sync_timeout: values.duration("syncFlushTimeout"),
        }
    }
}

/// When old files are deleted (Java: `DefaultMessageStore.CleanCommitLogService`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `deleteWhen`: hours of the local day (0 to 23) in which expired files are deleted.
    pub delete_when: Vec<u8>,
    /// `fileReservedTime`: a file expires this long after its last write.
    pub file_reserved: Duration,
    /// `deleteFileBatchMax`: files deleted in one round.
    pub delete_file_batch_max: u32,
    /// `deleteCommitLogFilesInterval`: pause between two files of a round.
    pub delete_pause: Duration,
    /// `cleanResourceInterval`: pause between two rounds.
    pub clean_interval: Duration,
    /// `destroyMapedFileIntervalForcibly`: a reader may keep a deleted file this long.
    pub destroy_forcibly_after: Duration,
    /// `diskMaxUsedSpaceRatio` in percent: above it expired files go at any hour.
    pub disk_max_used_percent: u8,
    /// `diskSpaceCleanForciblyRatio` in percent: above it files go before they expire.
    pub disk_clean_forcibly_percent: u8,
    /// `diskSpaceWarningLevelRatio` in percent: above it writes are refused.
    pub disk_warning_percent: u8,
    /// `cleanFileForciblyEnable`: whether files may go before they expire.
    pub clean_forcibly: bool,
}

impl Retention {
    fn from_values(values: &Values) -> Retention {
        Retention {
            delete_when: values.hours_of_day("deleteWhen"),
            file_reserved: values.duration("fileReservedTime"),
            delete_file_batch_max: values.number("deleteFileBatchMax"),
            delete_pause: values.duration("deleteCommitLogFilesInterval"),
            clean_interval: values.duration("cleanResourceInterval"),
            destroy_forcibly_after: values.duration("destroyMapedFileIntervalForcibly"),
            disk_max_used_percent: values.number("diskMaxUsedSpaceRatio"),
            disk_clean_forcibly_percent: values.number("diskSpaceCleanForciblyRatio"),
            disk_warning_percent: values.number("diskSpaceWarningLevelRatio"),
            clean_forcibly: values.bool("cleanFileForciblyEnable"),
        }
    }
}

/// The index by message key (Java: `IndexService`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyIndex {
    /// `messageIndexEnable`.
    pub enabled: bool,
    /// `messageIndexSafe`: recovery does not trust index files newer than the checkpoint.
    pub safe: bool,
    /// `maxHashSlotNum` of one file.
    pub hash_slots: u32,
    /// `maxIndexNum` of one file.
    pub entries: u32,
}

/// How much one pull may carry (Java: `DefaultMessageStore.isTheBatchFull`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// `maxTransferBytesOnMessageInMemory`.
    pub memory_bytes: u64,
    /// `maxTransferCountOnMessageInMemory`.
    pub memory_messages: u32,
    /// `maxTransferBytesOnMessageInDisk`.
    pub disk_bytes: u64,
    /// `maxTransferCountOnMessageInDisk`.
    pub disk_messages: u32,
    /// `accessMessageInMemoryMaxRatio`: percent of physical memory behind the end of the log that counts as in memory.
    pub memory_percent: u8,
}
