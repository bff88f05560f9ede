//! Keys of a broker's store (Java: `MessageStoreConfig`).

use super::{I32_MAX, Key, Kind, bytes, int, millis};
use crate::config::units::TimeUnit;

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

pub(super) const KEYS: &[Key] = &[
    Key::computed(
        "storePathRootDir",
        Kind::Path,
        "$HOME/store",
        "Directory of everything the broker keeps; no two brokers may share it.",
    ),
    Key::computed("storePathCommitLog", Kind::Path, "commitlog under storePathRootDir", "Directory of the commit log."),
    Key::new(
        "mappedFileSizeCommitLog",
        bytes(4 * KIB, I32_MAX),
        "1GiB",
        "Size of one file of the commit log; it cannot be changed once there are files.",
    ),
    Key::new(
        "mappedFileSizeConsumeQueue",
        bytes(20, I32_MAX),
        "6000000",
        "Size of one file of a consume queue, 20 bytes a message; it cannot be changed once there are files.",
    ),
    Key::new(
        "flushDiskType",
        Kind::Words(&["ASYNC_FLUSH", "SYNC_FLUSH"]),
        "ASYNC_FLUSH",
        "Whether a producer is answered before or after its message is on disk.",
    ),
    Key::new("flushIntervalCommitLog", millis(1, HOUR), "500", "With ASYNC_FLUSH, how often the commit log is synced."),
    Key::new(
        "flushCommitLogLeastPages",
        int(0, I32_MAX),
        "4",
        "With ASYNC_FLUSH, fewer new pages of 4 KiB are left for the thorough flush.",
    )
    .reloadable(),
    Key::new(
        "flushCommitLogThoroughInterval",
        millis(1, DAY),
        "10000",
        "With ASYNC_FLUSH, how often everything written to the commit log is synced.",
    )
    .reloadable(),
    Key::new("flushIntervalConsumeQueue", millis(1, HOUR), "1000", "How often the consume queues are synced."),
    Key::new(
        "flushConsumeQueueLeastPages",
        int(0, I32_MAX),
        "2",
        "Fewer new pages of 4 KiB of a consume queue are left for the thorough flush.",
    )
    .reloadable(),
    Key::new(
        "flushConsumeQueueThoroughInterval",
        millis(1, DAY),
        "60000",
        "How often everything written to the consume queues is synced.",
    )
    .reloadable(),
    Key::new(
        "syncFlushTimeout",
        millis(1, HOUR),
        "5000",
        "With SYNC_FLUSH, how long a producer waits for the sync before it is told FLUSH_DISK_TIMEOUT.",
    )
    .reloadable(),
    Key::new("deleteWhen", Kind::HoursOfDay, "04", "Hours of the local day in which expired files are deleted.")
        .reloadable(),
    Key::new(
        "fileReservedTime",
        Kind::Time { unit: TimeUnit::Hours, min: 0, max: 1_000_000 },
        "72",
        "Files expire this long after their last message.",
    )
    .reloadable(),
    Key::new("deleteFileBatchMax", int(1, 1000), "10", "Most files deleted in one round.").reloadable(),
    Key::new("deleteCommitLogFilesInterval", millis(0, HOUR), "100", "Pause between the deletion of two files.")
        .reloadable(),
    Key::new("cleanResourceInterval", millis(100, DAY), "10000", "How often files to delete are looked for."),
    Key::new(
        "destroyMapedFileIntervalForcibly",
        millis(0, DAY),
        "120000",
        "How long a reader may keep a file that is to be deleted.",
    )
    .reloadable(),
    Key::new(
        "diskMaxUsedSpaceRatio",
        int(10, 95),
        "75",
        "Percent of the disk in use above which expired files are deleted at any hour.",
    )
    .reloadable(),
    Key::new(
        "diskSpaceCleanForciblyRatio",
        int(30, 85),
        "85",
        "Percent of the disk in use above which files are deleted before they expire.",
    )
    .reloadable(),
    Key::new(
        "diskSpaceWarningLevelRatio",
        int(35, 90),
        "90",
        "Percent of the disk in use above which writes are refused.",
    )
    .reloadable(),
    Key::new(
        "cleanFileForciblyEnable",
        Kind::Bool,
        "true",
        "Whether files may be deleted before they expire when the disk is full.",
    )
    .reloadable(),
    Key::new("maxMessageSize", bytes(KIB, 16 * MIB), "4MiB", "Largest body of a message; a request is at most 16MiB.")
        .reloadable(),
    Key::new("messageIndexEnable", Kind::Bool, "true", "Keep the index by message key."),
    Key::new(
        "messageIndexSafe",
        Kind::Bool,
        "false",
        "After a crash, drop index files newer than the checkpoint and build them again.",
    ),
    Key::new(
        "maxHashSlotNum",
        int(1, I32_MAX / 4),
        "5000000",
        "Hash slots of one index file; it cannot be changed once there are files.",
    ),
    Key::new(
        "maxIndexNum",
        int(2, I32_MAX / 20),
        "20000000",
        "Entries of one index file; it cannot be changed once there are files.",
    ),
    Key::new("maxMsgsNumBatch", int(1, 10_000), "64", "Most messages that one query by key returns.").reloadable(),
    Key::new("checkCRCOnRecover", Kind::Bool, "true", "Check the CRC of message bodies when the store is recovered."),
    Key::new(
        "maxTransferBytesOnMessageInMemory",
        bytes(KIB, 256 * MIB),
        "256KiB",
        "Most bytes of one pull from the recent part of the log.",
    )
    .reloadable(),
    Key::new(
        "maxTransferCountOnMessageInMemory",
        int(1, 100_000),
        "32",
        "Most messages of one pull from the recent part of the log.",
    )
    .reloadable(),
    Key::new(
        "maxTransferBytesOnMessageInDisk",
        bytes(KIB, 256 * MIB),
        "64KiB",
        "Most bytes of one pull from the old part of the log.",
    )
    .reloadable(),
    Key::new(
        "maxTransferCountOnMessageInDisk",
        int(1, 100_000),
        "8",
        "Most messages of one pull from the old part of the log.",
    )
    .reloadable(),
    Key::new(
        "accessMessageInMemoryMaxRatio",
        int(0, 100),
        "40",
        "Percent of the machine's memory that the recent part of the log may have.",
    )
    .reloadable(),
    Key::new(
        "osPageCacheBusyTimeOutMills",
        millis(1, HOUR),
        "1000",
        "When one append has taken this long, new sends are answered busy.",
    )
    .reloadable(),
    Key::new(
        "messageDelayLevel",
        Kind::Delays,
        "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h",
        "The delay levels, level 1 first.",
    ),
    Key::new(
        "flushDelayOffsetInterval",
        millis(100, HOUR),
        "10000",
        "How often the positions of the delay levels are saved.",
    ),
];
