//! A disk that misbehaves in one folder while it is told to.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use mqcontainer::env::{DeviceId, Disk, DiskSpace, Entry, File, LockGuard, OpenMode, SystemDisk, Volume};

/// What the disk does wrong.
#[derive(Default)]
pub struct Faults {
    /// Syncs fail.
    pub syncs_fail: AtomicBool,
    /// Files are not replaced.
    pub replaces_fail: AtomicBool,
    /// Writes panic.
    pub writes_panic: AtomicBool,
    /// Locking waits.
    stuck: Mutex<bool>,
    moved: Condvar,
}

impl Faults {
    /// Locking waits from now on, or no longer.
    pub fn set_stuck(&self, stuck: bool) {
        *self.stuck.lock().unwrap() = stuck;
        self.moved.notify_all();
    }

    fn wait(&self) {
        drop(self.moved.wait_while(self.stuck.lock().unwrap(), |stuck| *stuck).unwrap());
    }
}

pub struct FaultyDisk {
    pub folder: PathBuf,
    pub faults: Arc<Faults>,
}

struct FaultyFile {
    file: Arc<dyn File>,
    faults: Arc<Faults>,
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let file = SystemDisk.open(path, mode)?;
        if !path.starts_with(&self.folder) {
            return Ok(file);
        }
        Ok(Arc::new(FaultyFile { file, faults: Arc::clone(&self.faults) }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        SystemDisk.read(path)
    }

    fn replace(&self, path: &Path, content: &[u8], keep_previous: Option<&Path>) -> io::Result<()> {
        if path.starts_with(&self.folder) && self.faults.replaces_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("injected by the test"));
        }
        SystemDisk.replace(path, content, keep_previous)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove_dir(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        SystemDisk.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        SystemDisk.list(path)
    }

    fn exists(&self, path: &Path) -> bool {
        SystemDisk.exists(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        SystemDisk.sync_dir(path)
    }

    fn volume(&self, path: &Path) -> io::Result<Arc<dyn Volume>> {
        SystemDisk.volume(path)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        SystemDisk.space(path)
    }

    fn device(&self, path: &Path) -> io::Result<DeviceId> {
        SystemDisk.device(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        if path.starts_with(&self.folder) {
            self.faults.wait();
        }
        SystemDisk.lock(path)
    }
}

impl File for FaultyFile {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(offset, buffer)
    }

    fn try_read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.file.try_read_exact_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        assert!(!self.faults.writes_panic.load(Ordering::SeqCst), "injected panic");
        self.file.write_all_at(offset, buffer)
    }

    fn sync(&self) -> io::Result<()> {
        if self.faults.syncs_fail.load(Ordering::SeqCst) {
            Err(io::Error::other("injected by the test"))
        } else {
            self.file.sync()
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        self.file.zero(offset, len)
    }
}
