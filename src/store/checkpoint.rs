//! The file `checkpoint` (Java: `StoreCheckpoint`): from where recovery must read the log again.
//!
//! ```text
//!    0 store time of the newest flushed message        24 flushed offset of the master (slaves)
//!    8 store time of the newest flushed queue entry    32 confirmed offset (controller mode)
//!   16 store time of the newest flushed index key      40 log position up to which the queues are flushed (5.5)
//! 4064 ours: "MQC1", CRC, copy of 40, messages in all queues or -1
//! ```
//!
//! Nothing in it is ever ahead of what is durable. Java leaves the bytes after 48 alone and moves 40, so our own mark counts
//! only while its copy agrees: then position 40 is known to be the start of a record, and what the queues must hold is known.

use std::path::Path;

use super::error::Error;
use crate::env::{Disk, OpenMode};
use crate::protocol::ids::{Millis, PhysicalOffset};

/// Java maps one page.
const FILE_BYTES: usize = 4096;
const MARK_AT: usize = 4064;
const MARK_MAGIC: [u8; 4] = *b"MQC1";

/// The content of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) log_time: Millis,
    pub(super) queues_time: Millis,
    pub(super) index_time: Millis,
    pub(super) master_flushed: i64,
    pub(super) confirmed: i64,
    /// All records before it are in flushed consume queues; 0 when unknown.
    pub(super) queues_position: PhysicalOffset,
    /// What we know more; none when Java wrote the file last.
    pub(super) ours: Option<Ours>,
}

/// Our mark: `queues_position` is the start of a record, or the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ours {
    /// Sum of the ends of all consume queues at `queues_position`; unknown when more than that was dispatched already.
    pub(super) messages: Option<i64>,
}

impl Checkpoint {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; FILE_BYTES];
        let fields = [
            self.log_time.0,
            self.queues_time.0,
            self.index_time.0,
            self.master_flushed,
            self.confirmed,
            self.queues_position.0,
        ];
        for (at, field) in fields.into_iter().enumerate() {
            bytes[at * 8..at * 8 + 8].copy_from_slice(&field.to_be_bytes());
        }
        if let Some(ours) = self.ours {
            let messages = ours.messages.unwrap_or(-1);
            let mark = &mut bytes[MARK_AT..];
            mark[8..16].copy_from_slice(&self.queues_position.0.to_be_bytes());
            mark[16..24].copy_from_slice(&messages.to_be_bytes());
            let crc = crc32fast::hash(&mark[8..24]);
            mark[..4].copy_from_slice(&MARK_MAGIC);
            mark[4..8].copy_from_slice(&crc.to_be_bytes());
        }
        bytes
    }

    /// A shorter file reads as if zeros followed; a negative position is none.
    pub(super) fn from_bytes(bytes: &[u8]) -> Checkpoint {
        let long = |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |c| i64::from_be_bytes(*c));
        let position = long(40).max(0);
        let crc = bytes.get(MARK_AT + 8..MARK_AT + 24).map(crc32fast::hash).unwrap_or_default();
        let marked = bytes.get(MARK_AT..MARK_AT + 4) == Some(&MARK_MAGIC[..])
            && bytes.get(MARK_AT + 4..MARK_AT + 8) == Some(&crc.to_be_bytes()[..])
            && long(MARK_AT + 8) == position;
        Checkpoint {
            log_time: Millis(long(0)),
            queues_time: Millis(long(8)),
            index_time: Millis(long(16)),
            master_flushed: long(24),
            confirmed: long(32),
            queues_position: PhysicalOffset(position),
            ours: marked.then(|| Ours { messages: Some(long(MARK_AT + 16)).filter(|messages| *messages >= 0) }),
        }
    }

    /// Queues and log are trusted only below a position from now on. The times are not: they do not say which of two records of
    /// one millisecond is meant, and 0 means the oldest file.
    pub(super) fn lowered(self, position: PhysicalOffset) -> Checkpoint {
        Checkpoint {
            queues_position: self.queues_position.min(position),
            queues_time: Millis(0),
            master_flushed: self.master_flushed.min(position.0),
            confirmed: self.confirmed.min(position.0),
            ours: None,
            ..self
        }
    }

    /// The checkpoint of a store; an empty one when there is none.
    pub(super) fn load(disk: &dyn Disk, path: &Path) -> Result<Checkpoint, Error> {
        if !disk.exists(path) {
            return Ok(Checkpoint::default());
        }
        Ok(Checkpoint::from_bytes(&disk.read(path).map_err(Error::io("read", path))?))
    }

    /// Writes in place, as Java does: one page, and a torn write loses at most our mark.
    pub(super) fn store(self, disk: &dyn Disk, path: &Path) -> Result<(), Error> {
        let is_new = !disk.exists(path);
        let file = disk.open(path, OpenMode::Create { len: FILE_BYTES as u64 }).map_err(Error::io("open", path))?;
        file.write_all_at(0, &self.to_bytes()).map_err(Error::io("write", path))?;
        file.sync().map_err(Error::io("sync", path))?;
        match path.parent() {
            Some(folder) if is_new => disk.sync_dir(folder).map_err(Error::io("sync", folder)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Checkpoint {
        Checkpoint {
            log_time: Millis(1_700_000_000_001),
            queues_time: Millis(1_700_000_000_000),
            index_time: Millis(1_600_000_000_000),
            master_flushed: 7,
            confirmed: 8,
            queues_position: PhysicalOffset(4096),
            ours: Some(Ours { messages: Some(12) }),
        }
    }

    #[test]
    fn reads_what_it_wrote() {
        assert_eq!(Checkpoint::from_bytes(&sample().to_bytes()), sample());
        for ours in [None, Some(Ours { messages: None }), Some(Ours { messages: Some(0) })] {
            let other = Checkpoint { ours, ..sample() };
            assert_eq!(Checkpoint::from_bytes(&other.to_bytes()), other);
        }
    }

    #[test]
    fn the_mark_is_void_after_java_moved_the_position() {
        let mut bytes = sample().to_bytes();
        bytes[40..48].copy_from_slice(&8192i64.to_be_bytes());
        let expected = Checkpoint { queues_position: PhysicalOffset(8192), ours: None, ..sample() };
        assert_eq!(Checkpoint::from_bytes(&bytes), expected);
    }

    #[test]
    fn a_damaged_mark_is_none() {
        let mut bytes = sample().to_bytes();
        bytes[MARK_AT + 20] ^= 1;
        assert_eq!(Checkpoint::from_bytes(&bytes), Checkpoint { ours: None, ..sample() });
    }

    #[test]
    fn short_and_empty_files_read_as_zeros() {
        assert_eq!(Checkpoint::from_bytes(&[]), Checkpoint::default());
        assert_eq!(Checkpoint::from_bytes(&[0xFF; 48]).queues_position, PhysicalOffset(0));
    }
}
