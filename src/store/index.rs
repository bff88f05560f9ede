//! The index by message key (Java: `IndexService`, `IndexFile`): hash of `topic#key` -> positions in the log.
//!
//! ```text
//! header 40 | slots: newest item of each hash | items: hash i32, position i64, seconds i32, older item i32
//! ```
//!
//! Java maps its 420 MB files and touches two random pages for every key. Here keys gather in memory and a job writes
//! them a batch at a time: items in one write, the slots page by page. Queries look into the file and the gathered keys.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::Error;
use super::open_files::{FileId, OpenFiles};
use crate::config::KeyIndex;
use crate::env::{Disk, File, OpenMode};
use crate::protocol::ids::{Millis, PhysicalOffset};

const HEADER_BYTES: u64 = Header::BYTES as u64;
const SLOT_BYTES: u64 = 4;
const ITEM_BYTES: usize = Item::BYTES;
/// Slots are read and written in pages of this many bytes.
const PAGE_BYTES: u64 = 4096;
/// Keys that may wait in memory: 24 bytes each.
pub(super) const PENDING_KEYS_MAX: usize = 128 * 1024;

/// One key of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `java_hash::index_key_hash`.
    pub(super) hash: i32,
    pub(super) physical: PhysicalOffset,
    pub(super) store_time: Millis,
}

/// The first 40 bytes of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) begin_time: i64,
    pub(super) end_time: i64,
    pub(super) begin_physical: i64,
    pub(super) end_physical: i64,
    pub(super) used_slots: i32,
    /// Number of the next item; item 0 is never used.
    pub(super) count: i32,
}

impl Header {
    pub(super) const BYTES: usize = 40;

    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES as usize] {
        let mut bytes = [0; HEADER_BYTES as usize];
        bytes[..8].copy_from_slice(&self.begin_time.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.end_time.to_be_bytes());
        bytes[16..24].copy_from_slice(&self.begin_physical.to_be_bytes());
        bytes[24..32].copy_from_slice(&self.end_physical.to_be_bytes());
        bytes[32..36].copy_from_slice(&self.used_slots.to_be_bytes());
        bytes[36..].copy_from_slice(&self.count.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; HEADER_BYTES as usize]) -> Header {
        let long = |at: usize| bytes[at..].first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk));
        let int = |at: usize| bytes[at..].first_chunk().map_or(0, |chunk| i32::from_be_bytes(*chunk));
        Header {
            begin_time: long(0),
            end_time: long(8),
            begin_physical: long(16),
            end_physical: long(24),
            used_slots: int(32),
            // Java starts at 1 whatever the file says.
            count: int(36).max(1),
        }
    }

    /// Java: `IndexFile.isTimeMatched`.
    fn overlaps(&self, begin: i64, end: i64) -> bool {
        let inside = |time: i64| time >= self.begin_time && time <= self.end_time;
        begin < self.begin_time && end > self.end_time || inside(begin) || inside(end)
    }
}

/// An item of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) hash: i32,
    pub(super) physical: i64,
    /// Since the header's `begin_time`.
    pub(super) seconds: i32,
    /// The older item of the same slot; 0 ends the chain.
    pub(super) older: i32,
}

impl Item {
    pub(super) const BYTES: usize = 20;

    fn to_bytes(self) -> [u8; ITEM_BYTES] {
        let mut bytes = [0; ITEM_BYTES];
        bytes[..4].copy_from_slice(&self.hash.to_be_bytes());
        bytes[4..12].copy_from_slice(&self.physical.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.seconds.to_be_bytes());
        bytes[16..].copy_from_slice(&self.older.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; ITEM_BYTES]) -> Item {
        let int = |at: usize| bytes[at..].first_chunk().map_or(0, |chunk| i32::from_be_bytes(*chunk));
        let physical = bytes[4..].first_chunk().map_or(0, |chunk| i64::from_be_bytes(*chunk));
        Item { hash: int(0), physical, seconds: int(12), older: int(16) }
    }
}

/// A file with its header as of the last finished write.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexFile {
    /// Its name: local time of its creation, `yyyyMMddHHmmssSSS`.
    pub(super) name: u64,
    pub(super) header: Header,
}

/// All index files of a store.
pub(super) struct Index {
    files: Arc<OpenFiles>,
    dir: PathBuf,
    options: KeyIndex,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By name, that is by age.
    files: Vec<IndexFile>,
    /// Keys that are in no file yet.
    pending: Vec<Key>,
    /// Position of the newest record whose keys are in: keys at or before it are not added again.
    newest: i64,
}

/// Positions that a query found, and how far the index is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Positions {
    pub(super) found: Vec<PhysicalOffset>,
    pub(super) last_update: Millis,
    pub(super) last_physical: PhysicalOffset,
}

/// What a write did.
pub(super) struct Written {
    /// Keys of the front of the gathered ones that are in files now.
    keys: usize,
    files: Vec<IndexFile>,
    /// Names of the files that were touched.
    pub(super) touched: Vec<u64>,
}

impl Written {
    /// Store time of the newest key in the files.
    pub(super) fn newest_time(&self) -> i64 {
        self.files.last().map_or(0, |file| file.header.end_time)
    }
}

impl Index {
    pub(super) fn new(files: Arc<OpenFiles>, dir: PathBuf, options: KeyIndex) -> Index {
        let state = State { newest: -1, ..State::default() };
        Index { files, dir, options, state: Mutex::new(state) }
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.options.enabled
    }

    pub(super) fn dir(&self) -> &PathBuf {
        &self.dir
    }

    pub(super) fn slots(&self) -> u64 {
        u64::from(self.options.hash_slots)
    }

    /// Length of every file.
    pub(super) fn file_bytes(&self) -> u64 {
        HEADER_BYTES + self.slots() * SLOT_BYTES + u64::from(self.options.entries) * ITEM_BYTES as u64
    }

    pub(super) fn item_at(&self, number: i32) -> u64 {
        HEADER_BYTES + self.slots() * SLOT_BYTES + u64::from(number.unsigned_abs()) * ITEM_BYTES as u64
    }

    /// One more than the number of the last item of a full file.
    pub(super) fn items_max(&self) -> i32 {
        i32::try_from(self.options.entries).unwrap_or(i32::MAX)
    }

    /// Java's `isWriteFull`: the last item has number `entries - 1`.
    fn is_full(&self, header: &Header) -> bool {
        header.count >= self.items_max()
    }

    pub(super) fn open(&self, name: u64, create: bool) -> Result<Arc<dyn File>, Error> {
        let mode = if create { OpenMode::Create { len: self.file_bytes() } } else { OpenMode::Existing };
        self.files.get(FileId::Index(name), &self.path_of(name), mode)
    }

    pub(super) fn path_of(&self, name: u64) -> PathBuf {
        self.dir.join(format!("{name:017}"))
    }

    /// Starts from these files, none of them empty, with no key in memory.
    pub(super) fn set_files(&self, files: Vec<IndexFile>) {
        let newest = files.last().map_or(-1, |file| file.header.end_physical);
        *self.lock() = State { files, pending: Vec::new(), newest };
    }

    /// The files with their headers, by age.
    pub(super) fn files(&self) -> Vec<IndexFile> {
        self.lock().files.clone()
    }

    /// Goes on with these files, and with those gathered keys that point below `end`.
    pub(super) fn cut_back(&self, files: Vec<IndexFile>, end: PhysicalOffset) {
        let mut state = self.lock();
        state.pending.retain(|key| key.physical < end);
        let in_files = files.last().map_or(-1, |file| file.header.end_physical);
        state.newest = state.pending.last().map_or(in_files, |key| key.physical.0);
        state.files = files;
    }

    pub(super) fn close(&self, name: u64) {
        self.files.close(|id| id == FileId::Index(name));
    }

    /// Adds the keys of one record; those of a record that is in already are left out.
    pub(super) fn push(&self, keys: impl Iterator<Item = Key>) {
        let mut state = self.lock();
        let newest = state.newest;
        let before = state.pending.len();
        state.pending.extend(keys.filter(|key| key.physical.0 > newest));
        if state.pending.len() > before
            && let Some(last) = state.pending.last()
        {
            state.newest = last.physical.0;
        }
    }

    pub(super) fn pending(&self) -> usize {
        self.lock().pending.len()
    }

    /// Whether memory has room for the keys of one more record.
    pub(super) fn has_room(&self) -> bool {
        !self.options.enabled || self.pending() < PENDING_KEYS_MAX
    }

    /// Store time of the newest key that is in a file.
    pub(super) fn written_time(&self) -> i64 {
        self.lock().files.last().map_or(0, |file| file.header.end_time)
    }

    /// Bytes of the files, as an operator counts them.
    pub(super) fn bytes(&self) -> u64 {
        self.lock().files.len() as u64 * self.file_bytes()
    }

    /// Writes the gathered keys. `name` is the name for a new file, should one be needed.
    pub(super) fn write(&self, disk: &dyn Disk, name: u64) -> Result<Written, Error> {
        let (keys, mut files) = {
            let state = self.lock();
            (state.pending.clone(), state.files.clone())
        };
        let mut written = Written { keys: 0, files: Vec::new(), touched: Vec::new() };
        while written.keys < keys.len() {
            if files.last().is_none_or(|file| self.is_full(&file.header)) {
                files.push(self.next_file(disk, files.last(), name)?);
            }
            let Some(file) = files.last_mut() else { break };
            let room = usize::try_from(self.items_max() - file.header.count).unwrap_or(0);
            let rest = &keys[written.keys..];
            let now = &rest[..rest.len().min(room)];
            let open = self.open(file.name, false)?;
            let path = self.path_of(file.name);
            self.write_keys(open.as_ref(), &mut file.header, now).map_err(Error::io("write", &path))?;
            written.touched.push(file.name);
            written.keys += now.len();
        }
        written.files = files;
        Ok(written)
    }

    fn next_file(&self, disk: &dyn Disk, previous: Option<&IndexFile>, name: u64) -> Result<IndexFile, Error> {
        disk.create_dir(&self.dir).map_err(Error::io("create", &self.dir))?;
        // Two files within a millisecond, or a clock that went back, must not break the order of the names.
        let name = previous.map_or(name, |previous| name.max(previous.name + 1));
        self.open(name, true)?;
        let end = previous.map(|previous| previous.header).unwrap_or_default();
        let header = Header {
            begin_time: end.end_time,
            end_time: end.end_time,
            begin_physical: end.end_physical,
            end_physical: end.end_physical,
            used_slots: 0,
            count: 1,
        };
        Ok(IndexFile { name, header })
    }

    /// Items first, then slots, then the header: whoever reads meanwhile follows a chain whose items are there.
    fn write_keys(&self, file: &dyn File, header: &mut Header, keys: &[Key]) -> std::io::Result<()> {
        let Some(first) = keys.first() else { return Ok(()) };
        let first_item = header.count;
        if header.count <= 1 {
            header.begin_physical = first.physical.0;
            header.begin_time = first.store_time.0;
        }
        let mut pages: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
        let mut items = Vec::with_capacity(keys.len() * ITEM_BYTES);
        for key in keys {
            let slot = SlotPlace::new(key.hash, self.slots());
            let page = match pages.entry(slot.page) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let len = (self.slots() * SLOT_BYTES - slot.page * PAGE_BYTES).min(PAGE_BYTES);
                    let mut page = vec![0; usize::try_from(len).unwrap_or(0)];
                    file.read_exact_at(HEADER_BYTES + slot.page * PAGE_BYTES, &mut page)?;
                    entry.insert(page)
                }
            };
            let cell = &mut page[slot.at..slot.at + SLOT_BYTES as usize];
            let stored = cell.first_chunk().map_or(0, |chunk| i32::from_be_bytes(*chunk));
            let older = if stored > 0 && stored < header.count { stored } else { 0 };
            let seconds = ((key.store_time.0 - header.begin_time) / 1000).clamp(0, i64::from(i32::MAX));
            let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
            items.extend_from_slice(&Item { hash: key.hash, physical: key.physical.0, seconds, older }.to_bytes());
            cell.copy_from_slice(&header.count.to_be_bytes());
            header.used_slots += i32::from(older == 0);
            header.count += 1;
            header.end_physical = key.physical.0;
            header.end_time = key.store_time.0;
        }
        file.write_all_at(self.item_at(first_item), &items)?;
        for (page, bytes) in pages {
            file.write_all_at(HEADER_BYTES + page * PAGE_BYTES, &bytes)?;
        }
        file.write_all_at(0, &header.to_bytes())
    }

    /// The write is done: its keys leave memory.
    pub(super) fn complete(&self, written: Written) {
        let mut state = self.lock();
        state.pending.drain(..written.keys);
        if state.pending.is_empty() {
            state.pending = Vec::new();
        }
        state.files = written.files;
    }

    /// Syncs one file.
    pub(super) fn sync(&self, name: u64) -> Result<(), Error> {
        self.open(name, false)?.sync().map_err(Error::io("sync", &self.path_of(name)))
    }

    /// Deletes files that only point below `first`; the newest stays.
    pub(super) fn delete_before(&self, disk: &dyn Disk, first: PhysicalOffset) -> Result<(), Error> {
        let expired: Vec<u64> = {
            let mut state = self.lock();
            let older = state.files.len().saturating_sub(1);
            let count = state.files[..older].iter().take_while(|file| file.header.end_physical < first.0).count();
            state.files.drain(..count).map(|file| file.name).collect()
        };
        for name in expired {
            self.close(name);
            disk.remove(&self.path_of(name)).map_err(Error::io("delete", &self.path_of(name)))?;
        }
        Ok(())
    }

    /// Positions of records with this key hash, newest first, at most `max` (Java: `IndexService.queryOffset`).
    pub(super) fn query(&self, hash: i32, max: usize, begin: Millis, end: Millis) -> Result<Positions, Error> {
        let (files, mut positions) = {
            let state = self.lock();
            (state.files.clone(), state.query_pending(hash, max, begin, end))
        };
        for file in files.iter().rev() {
            if positions.found.len() >= max {
                break;
            }
            if file.header.overlaps(begin.0, end.0) {
                let open = self.open(file.name, false)?;
                let path = self.path_of(file.name);
                let walk = self.walk(open.as_ref(), &file.header, hash, (begin.0, end.0), max, &mut positions.found);
                walk.map_err(Error::io("read", &path))?;
            }
            if file.header.begin_time < begin.0 {
                break;
            }
        }
        Ok(positions)
    }

    /// Follows one slot's chain, newest item first (Java: `IndexFile.selectPhyOffset`).
    fn walk(
        &self,
        file: &dyn File,
        header: &Header,
        hash: i32,
        (begin, end): (i64, i64),
        max: usize,
        found: &mut Vec<PhysicalOffset>,
    ) -> std::io::Result<()> {
        let mut cell = [0; SLOT_BYTES as usize];
        let slot = SlotPlace::new(hash, self.slots());
        file.read_exact_at(HEADER_BYTES + slot.page * PAGE_BYTES + slot.at as u64, &mut cell)?;
        let mut number = i32::from_be_bytes(cell);
        while number > 0 && number < self.items_max() && found.len() < max {
            let mut bytes = [0; ITEM_BYTES];
            file.read_exact_at(self.item_at(number), &mut bytes)?;
            let item = Item::from_bytes(&bytes);
            let time = header.begin_time + i64::from(item.seconds) * 1000;
            let position = PhysicalOffset(item.physical);
            if item.seconds < 0 {
                break;
            }
            // A key that was written meanwhile is among the gathered ones too.
            if item.hash == hash && time >= begin && time <= end && !found.contains(&position) {
                found.push(position);
            }
            // Items point to older ones; anything else would be a circle.
            if item.older >= number || time < begin {
                break;
            }
            number = item.older;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn query_pending(&self, hash: i32, max: usize, begin: Millis, end: Millis) -> Positions {
        let matches = |key: &&Key| key.hash == hash && key.store_time >= begin && key.store_time <= end;
        let mut found: Vec<_> = self.pending.iter().rev().filter(matches).map(|key| key.physical).collect();
        found.dedup();
        found.truncate(max);
        let file = self.files.last().map(|file| (file.header.end_time, file.header.end_physical));
        let newest = self.pending.last().map(|key| (key.store_time.0, key.physical.0)).or(file);
        let (last_update, last_physical) = newest.unwrap_or_default();
        Positions { found, last_update: Millis(last_update), last_physical: PhysicalOffset(last_physical) }
    }
}

/// Where a hash has its slot.
pub(super) struct SlotPlace {
    pub(super) page: u64,
    pub(super) at: usize,
}

impl SlotPlace {
    pub(super) fn new(hash: i32, slots: u64) -> SlotPlace {
        let byte = u64::from(hash.unsigned_abs()) % slots.max(1) * SLOT_BYTES;
        SlotPlace { page: byte / PAGE_BYTES, at: usize::try_from(byte % PAGE_BYTES).unwrap_or(0) }
    }

    /// Its number among all slots.
    pub(super) fn number(&self) -> usize {
        (usize::try_from(self.page * PAGE_BYTES).unwrap_or(0) + self.at) / SLOT_BYTES as usize
    }
}
