//! All consume queues of a store and their files: `consumequeue/TOPIC/QUEUE/00000000000000000000`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::consume_queue::{Due, Queue, QueueWrite, TailsDue, UNIT_BYTES, Unit};
use super::error::{Error, ReadError};
use super::layout;
use super::log::Patience;
use super::open_files::{FileId, OpenFiles};
use crate::env::{Disk, OpenMode};
use crate::protocol::ids::{PhysicalOffset, QueueId};

/// A file that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TouchedFile {
    /// Its first unit.
    pub(super) unit: i64,
    /// It was made by this write: its folder must be synced, too.
    pub(super) is_new: bool,
}

/// A written file of some queue.
#[derive(Clone)]
pub(super) struct QueueFile {
    pub(super) queue: Arc<Queue>,
    pub(super) file: TouchedFile,
}

/// The queues of one topic.
type TopicQueues = BTreeMap<QueueId, Arc<Queue>>;

/// The queues by topic and id; readers find theirs without waiting for anything but another look-up.
pub(super) struct Queues {
    pub(super) files: Arc<OpenFiles>,
    pub(super) dir: PathBuf,
    /// Units of one file.
    pub(super) file_units: i64,
    pub(super) serial: AtomicU64,
    pub(super) table: RwLock<HashMap<Arc<str>, TopicQueues>>,
    /// Queues with units in memory, and some whose units have left it since.
    dirty: Mutex<Vec<Arc<Queue>>>,
    /// Queues whose tails are worth a write; each is among the dirty ones as well.
    long: Mutex<Vec<Arc<Queue>>>,
    /// Topics whose folders are to be deleted: until then their new queues stay in memory, or they would be deleted, too.
    doomed: Mutex<BTreeSet<String>>,
}

impl Queues {
    pub(super) fn new(files: Arc<OpenFiles>, dir: PathBuf, file_bytes: u64) -> Queues {
        let file_units = i64::try_from(file_bytes / UNIT_BYTES as u64).unwrap_or(i64::MAX).max(1);
        let serial = AtomicU64::new(0);
        let (table, dirty, long, doomed) = (RwLock::default(), Mutex::default(), Mutex::default(), Mutex::default());
        Queues { files, dir, file_units, serial, table, dirty, long, doomed }
    }

    pub(super) fn get(&self, topic: &str, queue: QueueId) -> Option<Arc<Queue>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(topic)?.get(&queue).cloned()
    }

    /// Topics that have queues, by name.
    pub(super) fn topics(&self) -> Vec<Arc<str>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut topics: Vec<_> = table.keys().cloned().collect();
        topics.sort_unstable();
        topics
    }

    /// The queue, made if there is none. The name must have passed `layout::check_topic`.
    pub(super) fn get_or_create(&self, topic: &str, queue: QueueId) -> Arc<Queue> {
        if let Some(found) = self.get(topic, queue) {
            return found;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let name = table.get_key_value(topic).map_or_else(|| Arc::from(topic), |(name, _)| Arc::clone(name));
        let queues = table.entry(Arc::clone(&name)).or_default();
        let serial = || self.serial.fetch_add(1, Ordering::Relaxed);
        Arc::clone(queues.entry(queue).or_insert_with(|| Arc::new(Queue::new(name, queue, serial()))))
    }

    /// Forgets a topic's queues and returns them; [`Queues::delete_files`] must follow.
    pub(super) fn remove(&self, topic: &str) -> Vec<Arc<Queue>> {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned());
        let removed = self.table.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
        removed.map(|queues| queues.into_values().collect()).unwrap_or_default()
    }

    /// Deletes the files of a topic that was removed.
    pub(super) fn delete_files(&self, disk: &dyn Disk, topic: &str) -> Result<(), Error> {
        let dir = self.dir.join(topic);
        let removed = disk.remove_dir(&dir).map_err(Error::io("delete", &dir));
        // Also after a failure: no queue may be left out of a checkpoint for ever.
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).remove(topic);
        removed
    }

    /// Whether a topic's files are still to be deleted.
    pub(super) fn is_doomed(&self, topic: &str) -> bool {
        self.doomed.lock().unwrap_or_else(PoisonError::into_inner).contains(topic)
    }

    /// Puts a queue on the lists that it has to be on since units were added.
    pub(super) fn list(&self, queue: &Arc<Queue>, due: Due) {
        if due.dirty {
            self.dirty.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(queue));
        }
        if due.long {
            self.long.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(queue));
        }
    }

    /// Takes the queues whose units are to be written; [`Queue::unwritten`] must be asked of each.
    pub(super) fn take_due(&self, due: TailsDue) -> Vec<Arc<Queue>> {
        let list = match due {
            TailsDue::All => &self.dirty,
            TailsDue::Long => &self.long,
        };
        std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// At least the number of queues with units in memory.
    pub(super) fn dirty_max(&self) -> i64 {
        let dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        i64::try_from(dirty.len()).unwrap_or(i64::MAX)
    }

    /// Whether a tail is worth a write.
    pub(super) fn has_long(&self) -> bool {
        !self.long.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Units that are not in files, of all queues.
    pub(super) fn units_in_memory(&self) -> usize {
        let dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
        dirty.iter().map(|queue| queue.tail_len()).sum()
    }

    /// Numbers of messages that queues have counted, added up.
    pub(super) fn messages(&self) -> i64 {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.values().flat_map(BTreeMap::values).map(|queue| queue.range().max.0).sum()
    }

    /// Forgets all queues.
    pub(super) fn clear(&self) {
        self.dirty.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.long.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.table.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// All queues, by topic and id.
    pub(super) fn all(&self) -> Vec<Arc<Queue>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut topics: Vec<_> = table.iter().collect();
        topics.sort_unstable_by(|a, b| a.0.cmp(b.0));
        topics.into_iter().flat_map(|(_, queues)| queues.values().cloned()).collect()
    }

    /// The folder of a queue.
    pub(super) fn queue_dir(&self, queue: &Queue) -> PathBuf {
        layout::queue_dir(&self.dir, &queue.topic, queue.id.0)
    }

    /// First unit of the file that holds `unit`.
    pub(super) fn file_of(&self, unit: i64) -> i64 {
        unit - unit.rem_euclid(self.file_units)
    }

    pub(super) fn path_of(&self, queue: &Queue, file: i64) -> PathBuf {
        self.queue_dir(queue).join(layout::offset_name(file * UNIT_BYTES as i64))
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_units.unsigned_abs() * UNIT_BYTES as u64
    }

    /// Units from `from` on, at most `count`; fewer at the end of the queue, none below its beginning.
    pub(super) fn read(
        &self,
        queue: &Queue,
        from: i64,
        count: usize,
        patience: Patience,
    ) -> Result<Vec<Unit>, ReadError> {
        let split = queue.split(from, count);
        let mut units = Vec::with_capacity(split.in_files + split.tail.len());
        while units.len() < split.in_files {
            let at = from + i64::try_from(units.len()).unwrap_or(0);
            let file = self.file_of(at);
            let in_file = usize::try_from(file + self.file_units - at).unwrap_or(0);
            let wanted = (split.in_files - units.len()).min(in_file);
            match self.read_file(queue, file, at - file, wanted, patience) {
                Ok(more) => units.extend(more),
                // Retention deleted the file since the look at the queue.
                Err(ReadError::Failed(_)) if queue.first_file().is_some_and(|first| first > file) => return Ok(vec![]),
                Err(ReadError::Failed(_)) if queue.cuts() != split.cuts => return Ok(vec![]),
                Err(error) => return Err(error),
            }
        }
        if split.in_files > 0 && queue.cuts() != split.cuts {
            // The files may hold other units by now.
            return Ok(vec![]);
        }
        units.extend(split.tail);
        Ok(units)
    }

    pub(super) fn read_file(
        &self,
        queue: &Queue,
        file: i64,
        at: i64,
        count: usize,
        patience: Patience,
    ) -> Result<Vec<Unit>, ReadError> {
        let id = FileId::Queue(queue.serial, file);
        let open = match (self.files.cached(id), patience) {
            (Some(open), _) => open,
            (None, Patience::CachedOnly) => return Err(ReadError::WouldBlock),
            (None, Patience::MayBlock) => self.files.get(id, &self.path_of(queue, file), OpenMode::Existing)?,
        };
        let mut bytes = vec![0; count * UNIT_BYTES];
        let within = at.unsigned_abs() * UNIT_BYTES as u64;
        let read = match patience {
            Patience::MayBlock => open.read_exact_at(within, &mut bytes).map(|()| true),
            Patience::CachedOnly => open.try_read_exact_at(within, &mut bytes),
        };
        match read {
            Ok(true) => Ok(bytes.as_chunks::<UNIT_BYTES>().0.iter().map(Unit::from_bytes).collect()),
            Ok(false) => Err(ReadError::WouldBlock),
            Err(error) => Err(Error::io("read", &self.path_of(queue, file))(error).into()),
        }
    }

    /// Writes units into the files; returns the files touched, for a later sync.
    pub(super) fn write(&self, disk: &dyn Disk, write: &QueueWrite) -> Result<Vec<TouchedFile>, Error> {
        let mut touched = Vec::new();
        let mut at = write.from;
        let mut rest = write.units.as_slice();
        if write.fresh {
            let dir = self.queue_dir(&write.queue);
            disk.create_dir(&dir).map_err(Error::io("create", &dir))?;
        }
        while !rest.is_empty() {
            let file = self.file_of(at);
            let in_file = usize::try_from(file + self.file_units - at).unwrap_or(0);
            let (now, later) = rest.split_at(rest.len().min(in_file));
            let path = self.path_of(&write.queue, file);
            let mode = OpenMode::Create { len: self.file_bytes() };
            let open = self.files.get(FileId::Queue(write.queue.serial, file), &path, mode)?;
            let blanks = if write.fresh && at == write.from { at - file } else { 0 };
            let mut bytes = Vec::with_capacity((usize::try_from(blanks).unwrap_or(0) + now.len()) * UNIT_BYTES);
            (0..blanks).for_each(|_| bytes.extend_from_slice(&Unit::BLANK.to_bytes()));
            now.iter().for_each(|unit| bytes.extend_from_slice(&unit.to_bytes()));
            let within = (at - blanks - file).unsigned_abs() * UNIT_BYTES as u64;
            open.write_all_at(within, &bytes).map_err(Error::io("write", &path))?;
            touched.push(TouchedFile { unit: file, is_new: at - blanks == file });
            at += i64::try_from(now.len()).unwrap_or(0);
            rest = later;
        }
        Ok(touched)
    }

    /// Syncs one file.
    pub(super) fn sync(&self, queue: &Queue, file: i64) -> Result<(), Error> {
        let path = self.path_of(queue, file);
        let open = self.files.get(FileId::Queue(queue.serial, file), &path, OpenMode::Existing)?;
        open.sync().map_err(Error::io("sync", &path))
    }

    /// The largest position that any queue points to.
    pub(super) fn newest_physical(&self) -> Result<Option<PhysicalOffset>, Error> {
        let mut newest = None;
        for queue in self.all() {
            let last = self.read_one(&queue, queue.range().max.0 - 1)?;
            newest = newest.max(last.filter(|unit| !unit.is_blank()).map(|unit| unit.physical));
        }
        Ok(newest)
    }

    /// Moves the beginning of a queue to its first unit that points at or behind `first`, and deletes files before it.
    pub(super) fn advance_min(&self, disk: &dyn Disk, queue: &Queue, first: PhysicalOffset) -> Result<(), Error> {
        let cuts = queue.cuts();
        let range = queue.range();
        let found = partition_point(range.min.0, range.max.0, |unit| {
            Ok(self.read_one(queue, unit)?.is_none_or(|unit| unit.is_blank() || unit.physical < first))
        })?;
        let physical = if found < range.max.0 { self.read_one(queue, found)? } else { None };
        queue.set_min(found, physical.map_or(i64::MAX, |unit| unit.physical.0), cuts);
        self.delete_before(disk, queue, found, cuts)
    }

    /// The number of the first unit that points at or behind `end`; none when the queue has no such unit.
    pub(super) fn first_behind(&self, queue: &Queue, end: PhysicalOffset) -> Result<Option<i64>, Error> {
        let range = queue.range();
        let is_before =
            |unit| Ok(self.read_one(queue, unit)?.is_none_or(|unit| unit.is_blank() || unit.physical < end));
        if range.min == range.max || is_before(range.max.0 - 1)? {
            return Ok(None);
        }
        partition_point(range.min.0, range.max.0, is_before).map(Some)
    }

    /// Deletes files all of whose units are below `min`; the newest file stays.
    fn delete_before(&self, disk: &dyn Disk, queue: &Queue, min: i64, cuts: u32) -> Result<(), Error> {
        let Some(first_file) = queue.first_file() else { return Ok(()) };
        let newest = self.file_of((queue.file_end() - 1).max(0));
        let mut file = first_file;
        while file + self.file_units <= min && file < newest {
            let path = self.path_of(queue, file);
            if !queue.set_first_file(file + self.file_units, cuts) {
                break;
            }
            self.files.close(|id| id == FileId::Queue(queue.serial, file));
            disk.remove(&path).map_err(Error::io("delete", &path))?;
            file += self.file_units;
        }
        Ok(())
    }

    fn read_one(&self, queue: &Queue, unit: i64) -> Result<Option<Unit>, Error> {
        match self.read(queue, unit, 1, Patience::MayBlock) {
            Ok(units) => Ok(units.first().copied()),
            Err(ReadError::Failed(error)) => Err(error),
            Err(ReadError::WouldBlock) => Ok(None),
        }
    }
}

/// First number in `low..high` for which `before` does not hold; it holds for all smaller ones.
pub(super) fn partition_point<E>(
    mut low: i64,
    mut high: i64,
    mut before: impl FnMut(i64) -> Result<bool, E>,
) -> Result<i64, E> {
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
