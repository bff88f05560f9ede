//! The files of consume queues as they are found: loading at start, and erasing what is no unit.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::consume_queue::{OnDisk, Queue, UNIT_BYTES, Unit};
use super::consume_queues::{Queues, partition_point};
use super::error::{Error, ReadError};
use super::layout;
use super::log::Patience;
use super::open_files::FileId;
use crate::env::{Disk, Entry, File, OpenMode};
use crate::protocol::ids::{PhysicalOffset, QueueId};

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

/// Loading, at start when nobody else looks, and trimming.
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
            if !queue.uses_file(file) {
                self.files.remove(FileId::Queue(queue.serial, file), &path)?;
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
