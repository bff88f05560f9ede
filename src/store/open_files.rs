//! The files a store has open: a bounded number, the least recently used is closed first.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
use crate::env::{Disk, File, OpenMode};

/// Which file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FileId {
    /// The commit log file that starts at this byte.
    Segment(i64),
    /// The consume queue file of a queue (by serial number) that starts at this byte.
    Queue(u64, i64),
    /// The index file with this name.
    Index(u64),
}

/// Open files by id.
pub(super) struct OpenFiles {
    disk: Arc<dyn Disk>,
    limit: usize,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    files: HashMap<FileId, Slot>,
    /// Counts uses; the slot with the smallest number was used longest ago.
    uses: u64,
    /// Counts calls of `close`.
    closes: u64,
}

struct Slot {
    file: Arc<dyn File>,
    used: u64,
}

impl OpenFiles {
    pub(super) fn new(disk: Arc<dyn Disk>, limit: usize) -> OpenFiles {
        OpenFiles { disk, limit: limit.max(8), table: Mutex::default() }
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_dir(&self, dir: &Path) -> Result<(), Error> {
        self.disk.sync_dir(dir).map_err(Error::io("sync", dir))
    }

    /// Closes and deletes a file; a missing one is no error.
    pub(super) fn remove(&self, id: FileId, path: &Path) -> Result<(), Error> {
        self.disk.remove(path).map_err(Error::io("delete", path))?;
        self.close(|open| open == id);
        Ok(())
    }

    /// The file if it is open.
    pub(super) fn cached(&self, id: FileId) -> Option<Arc<dyn File>> {
        let mut table = self.lock();
        table.uses += 1;
        let uses = table.uses;
        let slot = table.files.get_mut(&id)?;
        slot.used = uses;
        Some(Arc::clone(&slot.file))
    }

    /// The file, opened if need be.
    pub(super) fn get(&self, id: FileId, path: &Path, mode: OpenMode) -> Result<Arc<dyn File>, Error> {
        if let Some(file) = self.cached(id) {
            return Ok(file);
        }
        let closes = self.lock().closes;
        // Opened outside the lock; when two tasks open the same file, both handles are good and the later one stays.
        let file = self.disk.open(path, mode).map_err(Error::io("open", path))?;
        let mut table = self.lock();
        if table.closes != closes {
            // It may have been deleted since: a file made anew under its name must not be taken for it.
            return Ok(file);
        }
        table.uses += 1;
        let used = table.uses;
        table.files.insert(id, Slot { file: Arc::clone(&file), used });
        if table.files.len() > self.limit {
            table.close_oldest(self.limit);
        }
        Ok(file)
    }

    /// Closes files that will never be made again, or that were just deleted; who reads them keeps his handle.
    pub(super) fn close(&self, gone: impl Fn(FileId) -> bool) {
        let mut table = self.lock();
        table.closes += 1;
        table.files.retain(|id, _| !gone(*id));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// Closes an eighth at a time, so that the search for the oldest is paid once per many opens.
    fn close_oldest(&mut self, limit: usize) {
        let mut ages: Vec<u64> = self.files.values().map(|slot| slot.used).collect();
        let excess = ages.len() - limit + limit / 8;
        let (_, oldest_kept, _) = ages.select_nth_unstable(excess);
        let oldest_kept = *oldest_kept;
        self.files.retain(|_, slot| slot.used >= oldest_kept);
    }
}
