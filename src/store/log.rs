//! The commit log as readers see it: an unbroken row of files of one length.
//!
//! ```text
//!   first                                            written
//!     |  00000000000000000000 | 00000000001073741824 | ...
//!     +-----------------------+----------------------+--+
//!       deleted from the left    appended at the right
//! ```
//!
//! Because there are no holes, two numbers describe it, and readers need no lock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;

use super::error::{Error, ReadError};
use super::layout;
use super::open_files::{FileId, OpenFiles};
use crate::env::{File, OpenMode};
use crate::protocol::ids::PhysicalOffset;

/// No read is longer, whatever a record or a queue entry says: the largest message is far smaller.
pub(super) const READ_BYTES_MAX: usize = 128 << 20;

/// Whether a read may wait for the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// No: for tasks of the runtime. [`ReadError::WouldBlock`] when the bytes are not in the page cache.
    CachedOnly,
    /// Yes: for jobs of the I/O pool.
    MayBlock,
}

/// The readable commit log.
pub(super) struct Log {
    files: Arc<OpenFiles>,
    dir: PathBuf,
    segment_bytes: i64,
    /// Start of the oldest file.
    first: AtomicI64,
    /// End of what has been written.
    written: AtomicI64,
    /// How often the end went back.
    cuts: AtomicU64,
}

impl Log {
    pub(super) fn new(files: Arc<OpenFiles>, dir: PathBuf, segment_bytes: i64, first: i64, written: i64) -> Log {
        assert!(first <= written, "the log begins before it ends");
        let (first, written, cuts) = (AtomicI64::new(first), AtomicI64::new(written), AtomicU64::new(0));
        Log { files, dir, segment_bytes, first, written, cuts }
    }

    /// The oldest byte there is.
    pub(super) fn first(&self) -> PhysicalOffset {
        PhysicalOffset(self.first.load(Ordering::Acquire))
    }

    /// The end of the log.
    pub(super) fn written(&self) -> PhysicalOffset {
        PhysicalOffset(self.written.load(Ordering::Acquire))
    }

    pub(super) fn set_first(&self, first: PhysicalOffset) {
        assert!(first >= self.first(), "retention only moves forward");
        self.first.store(first.0, Ordering::Release);
    }

    pub(super) fn set_written(&self, written: PhysicalOffset) {
        self.written.store(written.0, Ordering::Release);
    }

    /// Readers stop at the new end; what they read behind it meanwhile does not count. Nothing behind it may have changed yet.
    pub(super) fn cut_back(&self, end: PhysicalOffset) {
        self.set_written(end);
        self.cuts.fetch_add(1, Ordering::AcqRel);
    }

    /// How often the end went back: what was read is what stood there only if the number is the same before and after.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Acquire)
    }

    /// Start of the file that holds a byte.
    pub(super) fn base_of(&self, position: PhysicalOffset) -> i64 {
        position.0 - position.0.rem_euclid(self.segment_bytes)
    }

    /// End of the file that holds a byte.
    pub(super) fn file_end(&self, position: PhysicalOffset) -> PhysicalOffset {
        PhysicalOffset(self.base_of(position) + self.segment_bytes)
    }

    /// Where a file is.
    pub(super) fn path_of(&self, base: i64) -> PathBuf {
        self.dir.join(layout::offset_name(base))
    }

    /// Length of one file.
    pub(super) fn segment_bytes(&self) -> i64 {
        self.segment_bytes
    }

    /// Makes the file that starts at `base`, and makes its name and length durable: a crash must not leave a later file
    /// without this one.
    pub(super) fn create(&self, base: i64) -> Result<Arc<dyn File>, Error> {
        let len = u64::try_from(self.segment_bytes).unwrap_or(0);
        let path = self.path_of(base);
        let file = self.files.get(FileId::Segment(base), &path, OpenMode::Create { len })?;
        file.sync().map_err(Error::io("sync", &path))?;
        self.files.sync_dir(&self.dir)?;
        Ok(file)
    }

    /// Opens the file that starts at `base`.
    pub(super) fn open(&self, base: i64) -> Result<Arc<dyn File>, Error> {
        self.files.get(FileId::Segment(base), &self.path_of(base), OpenMode::Existing)
    }

    /// Deletes the file that starts at `base`, durably; a missing one is no error.
    pub(super) fn remove(&self, base: i64) -> Result<(), Error> {
        self.files.remove(FileId::Segment(base), &self.path_of(base))?;
        self.files.sync_dir(&self.dir)
    }

    /// Bytes of one file. None when they are not (or no longer) all in the log.
    pub(super) fn read(
        &self,
        position: PhysicalOffset,
        len: usize,
        patience: Patience,
    ) -> Result<Option<Bytes>, ReadError> {
        let cuts = self.cuts();
        let Ok(wanted) = i64::try_from(len) else { return Ok(None) };
        let base = self.base_of(position);
        let Some(end) = position.0.checked_add(wanted) else { return Ok(None) };
        if position < self.first() || end > self.written().0 || end > base + self.segment_bytes || len > READ_BYTES_MAX
        {
            return Ok(None);
        }
        let file = match (self.files.cached(FileId::Segment(base)), patience) {
            (Some(file), _) => file,
            (None, Patience::CachedOnly) => return Err(ReadError::WouldBlock),
            (None, Patience::MayBlock) => match self.open(base) {
                // Deleted by retention since the look at `first`.
                Err(_) if position < self.first() || self.cuts() != cuts => return Ok(None),
                other => other?,
            },
        };
        let mut buffer = vec![0; len];
        let within = u64::try_from(position.0 - base).unwrap_or(0);
        let read = match patience {
            Patience::MayBlock => file.read_exact_at(within, &mut buffer).map(|()| true),
            Patience::CachedOnly => file.try_read_exact_at(within, &mut buffer),
        };
        if self.cuts() != cuts {
            return Ok(None);
        }
        match read {
            Ok(true) => Ok(Some(buffer.into())),
            Ok(false) => Err(ReadError::WouldBlock),
            Err(error) => Err(Error::io("read", &self.path_of(base))(error).into()),
        }
    }

    /// Bytes from `position` on, as many as there are in its file below `end` and at most `len_max`.
    pub(super) fn read_up_to(
        &self,
        position: PhysicalOffset,
        end: PhysicalOffset,
        len_max: usize,
        patience: Patience,
    ) -> Result<Option<Bytes>, ReadError> {
        let file_end = self.base_of(position) + self.segment_bytes;
        let available = end.0.min(file_end) - position.0;
        let len = usize::try_from(available).unwrap_or(0).min(len_max);
        self.read(position, len, patience)
    }
}
