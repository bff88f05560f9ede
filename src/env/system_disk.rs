//! The real file system.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use rustix::fs::{FallocateFlags, FlockOperation};

use super::disk::{DeviceId, Disk, DiskSpace, Entry, File, LockGuard, OpenMode, Volume};

/// A small file is at most this long; what is longer was not written by a broker.
const SMALL_FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Files of this machine.
#[derive(Debug, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true);
        if let OpenMode::Create { .. } = mode {
            options.create(true);
        }
        let file = options.open(path)?;
        if let OpenMode::Create { len } = mode
            && file.metadata()?.len() < len
        {
            file.set_len(len)?;
        }
        Ok(Arc::new(SystemFile { file }))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        let len = file.metadata()?.len();
        if len > SMALL_FILE_BYTES_MAX {
            let message =
                format!("{}: {len} bytes, more than the {SMALL_FILE_BYTES_MAX} of a small file", path.display());
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
        }
        let mut content = Vec::new();
        file.take(SMALL_FILE_BYTES_MAX).read_to_end(&mut content)?;
        Ok(content)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn replace(&self, path: &Path, content: &[u8], keep_previous: Option<&Path>) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let fresh = sibling(path, ".new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        if let Some(previous) = keep_previous
            && path.exists()
        {
            // A hard link, not a rename: at no moment is there no file under the real name.
            let link = sibling(previous, ".new");
            self.remove(&link)?;
            fs::hard_link(path, &link)?;
            fs::rename(&link, previous)?;
        }
        fs::rename(&fresh, path)?;
        self.sync_dir(folder)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let folder = match fs::read_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut entries = Vec::new();
        for entry in folder {
            let entry = entry?;
            // Removed between the listing and the look at it: then it is not there.
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            // Names that are not UTF-8 are nobody's of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
            entries.push(Entry {
                name,
                is_dir: metadata.is_dir(),
                len: metadata.len(),
                modified_millis: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn volume(&self, path: &Path) -> io::Result<Arc<dyn Volume>> {
        Ok(Arc::new(SystemVolume { folder: fs::File::open(path)? }))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let stat = rustix::fs::statvfs(path)?;
        let (used, available) = (stat.f_blocks.saturating_sub(stat.f_bfree), stat.f_bavail);
        Ok(DiskSpace { total: (used + available) * stat.f_frsize, available: available * stat.f_frsize })
    }

    fn device(&self, path: &Path) -> io::Result<DeviceId> {
        Ok(DeviceId(fs::metadata(path)?.dev()))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let held_here = HeldHere::take(path)?;
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN => io::Error::from(io::ErrorKind::WouldBlock),
            other => other.into(),
        })?;
        if file.metadata()?.len() == 0 {
            file.write_all(b"lock")?;
        }
        Ok(Box::new(SystemLock { _file: file.into(), _held_here: held_here }))
    }
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

struct SystemFile {
    file: fs::File,
}

impl File for SystemFile {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn try_read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        let wanted = buffer.len();
        let read = rustix::io::preadv2(
            &self.file,
            &mut [io::IoSliceMut::new(buffer)],
            offset,
            rustix::io::ReadWriteFlags::NOWAIT,
        );
        match read {
            // A short read means that the rest is not cached; the caller asks again where waiting is allowed.
            Ok(read) => Ok(read == wanted),
            Err(rustix::io::Errno::AGAIN) => Ok(false),
            // File systems without NOWAIT: every read counts as one that may wait.
            Err(rustix::io::Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    fn write_all_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.file.write_all_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        // A hole, not ZERO_RANGE: that would take up the disk space of a whole sparse file.
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, offset, len) {
            Ok(()) => Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL) => self.write_zeros(offset, len),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl SystemFile {
    /// For file systems without holes: writes only where something stands.
    fn write_zeros(&self, offset: u64, len: u64) -> io::Result<()> {
        let zeros = [0u8; 64 * 1024];
        let mut found = [0u8; 64 * 1024];
        let len = len.min(self.size()?.saturating_sub(offset));
        let mut done = 0;
        while done < len {
            let step = (len - done).min(zeros.len() as u64);
            let piece = usize::try_from(step).unwrap_or(zeros.len());
            self.file.read_exact_at(&mut found[..piece], offset + done)?;
            if found[..piece] != zeros[..piece] {
                self.file.write_all_at(&zeros[..piece], offset + done)?;
            }
            done += step;
        }
        Ok(())
    }
}

struct SystemVolume {
    folder: fs::File,
}

impl Volume for SystemVolume {
    fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(&self.folder)?)
    }
}

struct SystemLock {
    /// Closing the file gives the POSIX lock back; dropped before the entry below.
    _file: OwnedFd,
    _held_here: HeldHere,
}

impl LockGuard for SystemLock {}

/// The lock files that this process holds, since POSIX locks do not exclude their own process.
static HELD: LazyLock<Mutex<BTreeSet<PathBuf>>> = LazyLock::new(Mutex::default);

struct HeldHere {
    path: PathBuf,
}

impl HeldHere {
    fn take(path: &Path) -> io::Result<HeldHere> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?.canonicalize()?;
        let path = folder.join(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if !held.insert(path.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(HeldHere { path })
    }
}

impl Drop for HeldHere {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}
