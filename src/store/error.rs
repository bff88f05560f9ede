//! What can go wrong.

use std::io;
use std::path::{Path, PathBuf};

use crate::protocol::ids::PhysicalOffset;

/// Why a store cannot be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A call of the file system failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Another process, or another broker of this one, has the directory open.
    #[error("{} is locked: another broker uses this store; stop it or give this broker its own storePathRootDir", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file has not the configured length.
    #[error(
        "{} has {actual} bytes, configured are {expected} ({key}); set {key} to what the store was written with, \
         or move the file away if it is a leftover",
        path.display()
    )]
    FileSize {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        actual: u64,
        /// The configured length in bytes.
        expected: u64,
        /// The configuration key that decides the length.
        key: &'static str,
    },
    /// The commit log's files are not one unbroken sequence.
    #[error(
        "{} is missing between the files of the commit log; restore it from a backup, \
         or move all older files away to go on without their messages", path.display()
    )]
    MissingFile {
        /// The file that should be there.
        path: PathBuf,
    },
    /// What the checkpoint says was flushed is not in the commit log any more, and nothing explains it.
    #[error(
        "the consume queue of {topic} queue {queue} has a gap: {expected} expected, the commit log goes on with {found}"
    )]
    QueueGap {
        /// Topic.
        topic: String,
        /// Queue id.
        queue: i32,
        /// The next queue offset by the consume queue.
        expected: i64,
        /// The queue offset of the record.
        found: i64,
    },
}

impl Error {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, path: path.to_owned(), source }
    }

    /// Whether the disk was full: the one failure that may go away by itself.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Error::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// Why messages were not stored. Nothing of the same [`super::Append`] was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The record, or the batch with the space it needs in one file, is too large.
    #[error("the message has {size} bytes, at most {max} are allowed (maxMessageSize)")]
    MessageTooLarge {
        /// Bytes of the body or of the record.
        size: usize,
        /// The limit it broke.
        max: usize,
    },
    /// The properties do not fit into their 16-bit length.
    #[error("the properties have {size} bytes, at most 32767 are allowed")]
    PropertiesTooLarge {
        /// Bytes of the properties.
        size: usize,
    },
    /// The topic cannot be the name of a folder of consume queues.
    #[error("{0}")]
    TopicInvalid(TopicError),
    /// The queue id is negative.
    #[error("queue id {0} is negative")]
    QueueInvalid(i32),
    /// Nothing to append.
    #[error("the batch has no message")]
    Empty,
    /// A write or a sync of the log failed before; the store takes no writes until it is opened again.
    #[error("the store takes no writes since an I/O error, restart the broker: {0}")]
    Poisoned(String),
    /// No space left, or more used than `diskSpaceWarningLevelRatio` allows.
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// The store is stopping.
    #[error("the store is stopping")]
    NotWritable,
    /// The log is a copy of a master's, which alone takes messages.
    #[error("this broker's log is a copy of its master's: send to the master")]
    NotLeading,
    /// Bytes of a master for a store that takes messages itself.
    #[error("this broker takes messages itself and copies no master's log")]
    NotFollowing,
    /// The end of the log is being moved, or a file of it is being made.
    #[error("the end of the log is being prepared, try again")]
    Changing,
    /// A master's bytes do not go on where the copy ends.
    #[error(
        "the master sends from {at}, but the copy ends at {end}: ask it for the bytes from there, or cut the copy back"
    )]
    NotAtEnd {
        /// Where the bytes begin.
        at: PhysicalOffset,
        /// Where they would have to.
        end: PhysicalOffset,
    },
    /// The log cannot be cut back to a position that it does not hold.
    #[error(
        "the log holds {first} to {end}, it cannot be cut back to {to}: give this broker an empty store to copy anew"
    )]
    CutOutside {
        /// Where it should be cut.
        to: PhysicalOffset,
        /// Its beginning.
        first: PhysicalOffset,
        /// Its end.
        end: PhysicalOffset,
    },
    /// A cut would take what the group has committed.
    #[error(
        "the log would be cut back to {to}, but its group has committed everything below {committed}: one of the members has lost \
         committed messages; this one keeps them and stops"
    )]
    CutCommitted {
        /// Where it should be cut.
        to: PhysicalOffset,
        /// What is committed.
        committed: PhysicalOffset,
    },
    /// The first bytes of a copy are not the start of a file of its own size.
    #[error(
        "the master's newest file begins at {at}, which is no multiple of {segment_bytes}: \
         master and slave must have the same mappedFileSizeCommitLog"
    )]
    NotFileStart {
        /// Where the bytes begin.
        at: PhysicalOffset,
        /// Bytes of a log file here.
        segment_bytes: i64,
    },
    /// A master's bytes are not the records of their position.
    #[error("what the master sent for position {position} is no record: {reason}")]
    Damaged {
        /// Start of the bad record.
        position: PhysicalOffset,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why a name from the network must not become a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// No name.
    #[error("the topic is empty")]
    Empty,
    /// Longer than a file name may be.
    #[error("the topic has {size} bytes, at most {max} are allowed")]
    TooLong {
        /// Its length in bytes.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// Not usable as the name of a folder.
    #[error("the topic {0:?} contains a character that is not allowed")]
    Character(String),
}

/// Why a read gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The device would be needed: ask again with [`super::Patience::MayBlock`] where waiting is allowed.
    #[error("the bytes are not in memory")]
    WouldBlock,
    /// The read failed.
    #[error(transparent)]
    Failed(#[from] Error),
}
