//! All consume queues of a store and their files: `consumequeue/TOPIC/QUEUE/00000000000000000000`.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::consume_queue::{Due, OnDisk, Queue, QueueWrite, TailsDue, UNIT_BYTES, Unit};
use super::error::{Error, ReadError};
use super::layout;
use super::log::Patience;
use super::open_files::{FileId, OpenFiles};
use crate::env::{Disk, Entry, File, OpenMode};
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
    files: Arc<OpenFiles>,
    dir: PathBuf,
    /// Units of one file.
    file_units: i64,
    serial: AtomicU64,
    table: RwLock<HashMap<Arc<str>, TopicQueues>>,
    /// Queues with units in memory, and some whose units have left it since.
    dirty: Mutex<Vec<Arc<Queue>>>,
    /// Queues whose tails are worth a write; each is among the dirty ones as well.
    long: Mutex<Vec<Arc<Queue>>>,
}

impl Queues {
    pub(super) fn new(files: Arc<OpenFiles>, dir: PathBuf, file_bytes: u64) -> Queues {
        let file_units = i64::try_from(file_bytes / UNIT_BYTES as u64).unwrap_or(i64::MAX).max(1);
        let serial = AtomicU64::new(0);
        let (table, dirty, long) = (RwLock::default(), Mutex::default(), Mutex::default());
        Queues { files, dir, file_units, serial, table, dirty, long }
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

    /// Forgets a topic's queues and returns them.
    pub(super) fn remove(&self, topic: &str) -> Vec<Arc<Queue>> {
        let removed = self.table.write().unwrap_or_else(PoisonError::into_inner).remove(topic);
        removed.map(|queues| queues.into_values().collect()).unwrap_or_default()
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

    /// The folder of a topic.
    pub(super) fn topic_dir(&self, topic: &str) -> PathBuf {
        self.dir.join(topic)
    }

    /// The folder of a queue.
    pub(super) fn queue_dir(&self, queue: &Queue) -> PathBuf {
        layout::queue_dir(&self.dir, &queue.topic, queue.id.0)
    }

    /// First unit of the file that holds `unit`.
    pub(super) fn file_of(&self, unit: i64) -> i64 {
        unit - unit.rem_euclid(self.file_units)
    }

    fn path_of(&self, queue: &Queue, file: i64) -> PathBuf {
        self.queue_dir(queue).join(layout::offset_name(file * UNIT_BYTES as i64))
    }

    fn file_bytes(&self) -> u64 {
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
                Err(error) => return Err(error),
            }
        }
        units.extend(split.tail);
        Ok(units)
    }

    fn read_file(
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
        let range = queue.range();
        let found = partition_point(range.min.0, range.max.0, |unit| {
            Ok(self.read_one(queue, unit)?.is_none_or(|unit| unit.is_blank() || unit.physical < first))
        })?;
        let physical = if found < range.max.0 { self.read_one(queue, found)? } else { None };
        queue.set_min(found, physical.map_or(i64::MAX, |unit| unit.physical.0));
        self.delete_before(disk, queue, found)
    }

    /// Deletes files all of whose units are below `min`; the newest file stays.
    fn delete_before(&self, disk: &dyn Disk, queue: &Queue, min: i64) -> Result<(), Error> {
        let Some(first_file) = queue.first_file() else { return Ok(()) };
        let newest = self.file_of((queue.file_end() - 1).max(0));
        let mut file = first_file;
        while file + self.file_units <= min && file < newest {
            let path = self.path_of(queue, file);
            queue.set_first_file(file + self.file_units);
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

/// The same where the number is likely near `low`: it is looked for in steps that double.
fn partition_point_near<E>(mut low: i64, high: i64, mut before: impl FnMut(i64) -> Result<bool, E>) -> Result<i64, E> {
    let mut step = 1;
    while low < high {
        let probe = (low + step - 1).min(high - 1);
        if !before(probe)? {
            return partition_point(low, probe, before);
        }
        low = probe + 1;
        step *= 2;
    }
    Ok(low)
}

/// Units of one queue while it is loaded, read by pages: of ten thousand topics with few messages each queue costs one read.
/// The files do not stay open, or they would push out each other.
struct Pages<'a> {
    queues: &'a Queues,
    disk: &'a dyn Disk,
    queue: &'a Queue,
    file: Option<(i64, Arc<dyn File>)>,
    /// Number of the first unit of the page.
    first: i64,
    units: Vec<Unit>,
}

/// Units of a page; as many as fit into 4 KiB.
const PAGE_UNITS: i64 = 4096 / UNIT_BYTES as i64;

impl Pages<'_> {
    fn unit(&mut self, at: i64) -> Result<Unit, Error> {
        if usize::try_from(at - self.first).map_or(true, |index| index >= self.units.len()) {
            self.read(at)?;
        }
        Ok(usize::try_from(at - self.first).map_or(Unit::BLANK, |index| self.units[index]))
    }

    /// Reads the page with this unit.
    fn read(&mut self, at: i64) -> Result<(), Error> {
        let file = self.queues.file_of(at);
        let within = (at - file) / PAGE_UNITS * PAGE_UNITS;
        let count = PAGE_UNITS.min(self.queues.file_units - within);
        let path = || self.queues.path_of(self.queue, file);
        let open = match &self.file {
            Some((base, open)) if *base == file => Arc::clone(open),
            _ => self.disk.open(&path(), OpenMode::Existing).map_err(|error| Error::io("open", &path())(error))?,
        };
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0) * UNIT_BYTES];
        let read = open.read_exact_at(within.unsigned_abs() * UNIT_BYTES as u64, &mut bytes);
        read.map_err(|error| Error::io("read", &path())(error))?;
        self.file = Some((file, open));
        self.first = file + within;
        self.units = bytes.as_chunks::<UNIT_BYTES>().0.iter().map(Unit::from_bytes).collect();
        Ok(())
    }
}

/// Loading and trimming: only at start, when nobody else looks.
impl Queues {
    /// Finds all queues. Units that point at or behind `cut` are left out: recovery adds them from the log.
    /// Returns the queues that had such units.
    pub(super) fn load(
        &self,
        disk: &dyn Disk,
        cut: PhysicalOffset,
        first: PhysicalOffset,
    ) -> Result<Vec<Arc<Queue>>, Error> {
        self.clear();
        let mut shortened = Vec::new();
        for topic in disk.list(&self.dir).map_err(Error::io("list", &self.dir))?.iter().filter(|entry| entry.is_dir) {
            let topic_dir = self.dir.join(&topic.name);
            for entry in disk.list(&topic_dir).map_err(Error::io("list", &topic_dir))?.iter().filter(|e| e.is_dir) {
                if let Ok(id) = entry.name.parse() {
                    shortened.extend(self.load_queue(disk, &topic.name, QueueId(id), cut, first)?);
                }
            }
        }
        Ok(shortened)
    }

    fn load_queue(
        &self,
        disk: &dyn Disk,
        topic: &str,
        id: QueueId,
        cut: PhysicalOffset,
        first: PhysicalOffset,
    ) -> Result<Option<Arc<Queue>>, Error> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let name = table.get_key_value(topic).map_or_else(|| Arc::from(topic), |(name, _)| Arc::clone(name));
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        // Read through a queue object without state, so that reading has one path.
        let bare = Queue::new(Arc::clone(&name), id, serial);
        let (found, shortened) = self.find_units(disk, &bare, cut, first)?;
        let queue = Arc::new(Queue::loaded(Arc::clone(&name), id, serial, found));
        table.entry(name).or_default().insert(id, Arc::clone(&queue));
        Ok(shortened.then_some(queue))
    }

    fn find_units(
        &self,
        disk: &dyn Disk,
        queue: &Queue,
        cut: PhysicalOffset,
        first: PhysicalOffset,
    ) -> Result<(OnDisk, bool), Error> {
        let files = self.files_of(disk, queue)?;
        let mut pages = Pages { queues: self, disk, queue, file: None, first: 0, units: Vec::new() };
        let good = |unit: Unit| unit.is_written() && unit.physical < cut;
        let mut used = files.len();
        // Of files that were never durable any may have survived a power failure, so gaps between them mean nothing.
        while used > 0 && !good(pages.unit(files[used - 1])?) {
            used -= 1;
        }
        let Some(newest) = used.checked_sub(1).map(|index| files[index]) else {
            let nothing = OnDisk { first_file: None, end: 0, min: 0, min_physical: i64::MAX };
            return Ok((nothing, !files.is_empty()));
        };
        let oldest = self.unbroken_row(queue, &files[..used]);
        let end = partition_point_near(newest, newest + self.file_units, |at| pages.unit(at).map(good))?;
        let before = |unit: Unit| unit.is_blank() || unit.physical < first;
        let min = partition_point_near(oldest, end, |at| pages.unit(at).map(before))?;
        let min_physical = if min < end { pages.unit(min)?.physical.0 } else { i64::MAX };
        let more = used < files.len() || (end < newest + self.file_units && pages.unit(end)?.is_written());
        Ok((OnDisk { first_file: Some(oldest), end, min, min_physical }, more))
    }

    /// First file of the newest unbroken row that ends with the last of these files.
    fn unbroken_row(&self, queue: &Queue, files: &[i64]) -> i64 {
        let gap = files.windows(2).rposition(|pair| pair[0] + self.file_units != pair[1]);
        if let Some(gap) = gap {
            let unit = files[gap] + self.file_units;
            tracing::warn!(topic = %queue.topic, queue = queue.id.0, unit, "consume queue file missing, older ones ignored");
        }
        files[gap.map_or(0, |gap| gap + 1)]
    }

    /// First units of the files of a queue, in order.
    fn files_of(&self, disk: &dyn Disk, queue: &Queue) -> Result<Vec<i64>, Error> {
        let mut files: Vec<i64> = Vec::new();
        for (bytes, entry) in self.entries_of(disk, queue)? {
            if entry.len != self.file_bytes() {
                return Err(Error::FileSize {
                    path: self.queue_dir(queue).join(entry.name),
                    actual: entry.len,
                    expected: self.file_bytes(),
                    key: "mappedFileSizeConsumeQueue",
                });
            }
            files.push(bytes / UNIT_BYTES as i64);
        }
        Ok(files)
    }

    /// The files with their offsets, by offset. An empty file was made and lost its length in a crash: nothing in it or behind
    /// it was ever durable, so these go, and the log fills them again.
    fn entries_of(&self, disk: &dyn Disk, queue: &Queue) -> Result<Vec<(i64, Entry)>, Error> {
        let dir = self.queue_dir(queue);
        let entries = disk.list(&dir).map_err(Error::io("list", &dir))?;
        let offset = |entry: Entry| layout::parse_offset_name(&entry.name).map(|offset| (offset, entry));
        let mut files: Vec<_> = entries.into_iter().filter(|entry| !entry.is_dir).filter_map(offset).collect();
        files.sort_unstable_by_key(|(offset, _)| *offset);
        let whole = files.iter().position(|(_, entry)| entry.len == 0).unwrap_or(files.len());
        for (_, entry) in files.drain(whole..).rev() {
            let path = dir.join(entry.name);
            disk.remove(&path).map_err(Error::io("delete", &path))?;
        }
        Ok(files)
    }

    /// Erases everything on disk that is not a unit of the queue, so that neither Java nor a later start takes it for one.
    pub(super) fn trim(&self, disk: &dyn Disk, queue: &Queue) -> Result<(), Error> {
        let dir = self.queue_dir(queue);
        let end = queue.file_end();
        let mut removed = false;
        for (bytes, entry) in self.entries_of(disk, queue)? {
            let file = bytes / UNIT_BYTES as i64;
            let path = dir.join(&entry.name);
            let used = queue.first_file().is_some_and(|first| first <= file) && file < end;
            if !used {
                self.files.close(|id| id == FileId::Queue(queue.serial, file));
                disk.remove(&path).map_err(Error::io("delete", &path))?;
                removed = true;
            } else if end < file + self.file_units && self.is_used(queue, file, end - file)? {
                let open = self.files.get(FileId::Queue(queue.serial, file), &path, OpenMode::Existing)?;
                let from = (end - file).unsigned_abs() * UNIT_BYTES as u64;
                open.zero(from, self.file_bytes() - from).map_err(Error::io("erase", &path))?;
                open.sync().map_err(Error::io("sync", &path))?;
            }
        }
        if removed { disk.sync_dir(&dir).map_err(Error::io("sync", &dir)) } else { Ok(()) }
    }

    /// Whether anything stands at this place of a file.
    fn is_used(&self, queue: &Queue, file: i64, at: i64) -> Result<bool, Error> {
        match self.read_file(queue, file, at, 1, Patience::MayBlock) {
            Ok(units) => Ok(units.first().is_some_and(|unit| unit.to_bytes() != [0; UNIT_BYTES])),
            Err(ReadError::Failed(error)) => Err(error),
            Err(ReadError::WouldBlock) => Ok(true),
        }
    }
}
