//! Files, as the store needs them.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// It must exist; read and write.
    Existing,
    /// Opened or made; grown with zeros (sparse) to at least this many bytes.
    Create {
        /// The length in bytes that the file has afterwards, at least.
        len: u64,
    },
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// File name without the folder.
    pub name: String,
    /// Whether it is a folder.
    pub is_dir: bool,
    /// Bytes.
    pub len: u64,
    /// Time of the last change, milliseconds since the Unix epoch (retention goes by it, as in Java).
    pub modified_millis: i64,
}

/// Space of the file system that holds a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// Bytes used, and bytes that may still be: what the file system keeps for itself and for root is neither, as in df and in
    /// Java (`UtilAll.getDiskPartitionSpaceUsedPercent`).
    pub total: u64,
    /// Bytes that a process without privileges may still use.
    pub available: u64,
}

impl DiskSpace {
    /// Used share between 0 and 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for thresholds in percent")]
    pub fn used_ratio(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        1.0 - self.available as f64 / self.total as f64
    }
}

/// Files with the same device share one physical sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(pub u64);

/// Keeps a lock file locked until dropped.
pub trait LockGuard: Send + Sync {}

/// The file system.
///
/// Every call may block; whoever must not wait calls it on [`super::IoPool`]. Errors are the kernel's.
pub trait Disk: Send + Sync {
    /// Opens a file for reading and writing.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Reads a whole small file; refuses files above 256 MiB.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Replaces a file atomically: new content is written beside it, synced, renamed over it, and the folder synced.
    ///
    /// With `keep_previous` the old content stays under that name (Java's `.bak`).
    fn replace(&self, path: &Path, content: &[u8], keep_previous: Option<&Path>) -> io::Result<()>;

    /// Removes a file; a missing file is no error.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder or a folder with all it holds; a missing folder is no error.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// Makes a folder and its parents.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted; a missing folder has none.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Whether something exists there.
    fn exists(&self, path: &Path) -> bool;

    /// Makes names created or removed in a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The file system that holds a folder.
    fn volume(&self, path: &Path) -> io::Result<Arc<dyn Volume>>;

    /// Space of the file system that holds the path.
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;

    /// The device that holds the path.
    fn device(&self, path: &Path) -> io::Result<DeviceId>;

    /// Takes Java's lock on a lock file: POSIX record lock on byte 0, exclusive. `WouldBlock` when somebody holds it.
    ///
    /// POSIX locks do not exclude the same process, so the guard also excludes a second lock of this process.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>>;
}

/// A mounted file system.
pub trait Volume: Send + Sync {
    /// Makes all written bytes and all names of the file system durable (`syncfs`): cheaper than a sync of each of very many
    /// files. Reports what went wrong since the volume was opened (Linux 5.8 and later).
    fn sync(&self) -> io::Result<()>;
}

/// An open file. Positions are bytes from its start.
pub trait File: Send + Sync {
    /// Fills the buffer; an end of file before that is `UnexpectedEof`.
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Like [`File::read_exact_at`] if all of it is in the page cache; `Ok(false)` when the device would be needed.
    fn try_read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool>;

    /// Writes all of the buffer.
    fn write_all_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()>;

    /// Makes all written bytes durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;

    /// Current length in bytes.
    fn size(&self) -> io::Result<u64>;

    /// Makes a range read as zeros and gives its space back where the file system can (used to erase a torn tail).
    fn zero(&self, offset: u64, len: u64) -> io::Result<()>;
}
