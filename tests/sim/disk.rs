//! A disk in memory that does what real ones do at the worst moment.
//!
//! ```text
//!  write --> current (what this process reads)         sync --> durable (what survives)
//!            crash(Power): each unsynced sector and name survives or not, by chance
//!            crash(Process): everything survives, locks do not
//! ```
//!
//! Sectors of 512 bytes are atomic. A failed sync leaves the sectors it covered to chance for ever, as Linux does, and the next
//! sync of the file succeeds without them. All chance comes from one seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use mqcontainer::env::{DeviceId, Disk, DiskSpace, Entry, File, LockGuard, OpenMode, Volume};

const SECTOR: usize = 512;

/// Numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True in `percent` of all cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What ends a life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// kill -9: the page cache stays.
    Process,
    /// The machine loses what was not synced.
    Power,
}

#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

struct State {
    chance: Chance,
    /// Counts lives: handles of an earlier life do nothing.
    life: u64,
    inodes: BTreeMap<u64, Inode>,
    next_inode: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    now_millis: i64,
    capacity_sectors: usize,
    used_sectors: usize,
    /// Used space that is reported, 0 to 1; the real one when none.
    used_ratio: Option<f64>,
    syncs_to_fail: usize,
    writes_to_fail: usize,
    syncs: u64,
    volume_syncs: u64,
    volume_syncs_to_fail: usize,
}

#[derive(Clone, Default)]
struct Inode {
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors whose current content is not durable.
    dirty: BTreeSet<usize>,
    /// Sectors that hold data, for counting space.
    used: BTreeSet<usize>,
    modified_millis: i64,
}

impl SimDisk {
    pub fn new(seed: u64) -> SimDisk {
        let state = State {
            chance: Chance::new(seed ^ 0xD15C),
            life: 0,
            inodes: BTreeMap::new(),
            next_inode: 0,
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            dirs: BTreeSet::new(),
            locks: BTreeSet::new(),
            now_millis: 1_700_000_000_000,
            capacity_sectors: usize::MAX,
            used_sectors: 0,
            used_ratio: None,
            syncs_to_fail: 0,
            writes_to_fail: 0,
            syncs: 0,
            volume_syncs: 0,
            volume_syncs_to_fail: 0,
        };
        SimDisk { state: Arc::new(Mutex::new(state)) }
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Ends the life of every handle and lock.
    pub fn crash(&self, crash: Crash) {
        let mut state = self.lock_state();
        state.life += 1;
        state.locks.clear();
        if crash == Crash::Power {
            state.lose_unsynced();
        }
    }

    /// The next syncs fail.
    pub fn fail_syncs(&self, count: usize) {
        self.lock_state().syncs_to_fail = count;
    }

    /// The next syncs of the whole file system fail.
    pub fn fail_volume_syncs(&self, count: usize) {
        self.lock_state().volume_syncs_to_fail = count;
    }

    /// Syncs of the whole file system so far.
    pub fn volume_syncs(&self) -> u64 {
        self.lock_state().volume_syncs
    }

    /// What a file would hold after a loss of power that takes everything it can.
    pub fn durable(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        state.durable_names.get(path).map(|inode| state.inodes[inode].durable.clone())
    }

    /// The next writes fail with an I/O error, after some of their bytes.
    pub fn fail_writes(&self, count: usize) {
        self.lock_state().writes_to_fail = count;
    }

    /// Space for so many more bytes.
    pub fn limit_space(&self, more_bytes: Option<usize>) {
        let mut state = self.lock_state();
        let used = state.used_sectors;
        state.capacity_sectors = more_bytes.map_or(usize::MAX, |bytes| used + bytes / SECTOR);
    }

    /// Reports this share as used.
    pub fn report_used(&self, ratio: Option<f64>) {
        self.lock_state().used_ratio = ratio;
    }

    /// The time that changed files get.
    pub fn set_now(&self, millis: i64) {
        self.lock_state().now_millis = millis;
    }

    /// Syncs so far.
    pub fn syncs(&self) -> u64 {
        self.lock_state().syncs
    }

    /// Flips one bit, durably.
    pub fn flip_bit(&self, path: &Path, offset: usize, bit: u8) {
        let mut state = self.lock_state();
        let inode = state.names[path];
        let inode = state.inodes.get_mut(&inode).unwrap();
        inode.current[offset] ^= 1 << bit;
        if let Some(byte) = inode.durable.get_mut(offset) {
            *byte ^= 1 << bit;
        }
    }

    /// The content of a file as this process sees it.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock_state();
        state.names.get(path).map(|inode| state.inodes[inode].current.clone())
    }

    /// All files, sorted.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock_state().names.keys().cloned().collect()
    }
}

impl State {
    fn lose_unsynced(&mut self) {
        // Some crashes lose everything unsynced, some little: both shapes must be survived.
        let survive_percent = [0, 20, 50, 90][usize::try_from(self.chance.below(4)).unwrap()];
        let paths: BTreeSet<PathBuf> = self.names.keys().chain(self.durable_names.keys()).cloned().collect();
        let mut survivors = BTreeMap::new();
        for path in paths {
            let (current, durable) = (self.names.get(&path).copied(), self.durable_names.get(&path).copied());
            let kept = if current == durable || self.chance.percent(survive_percent) { current } else { durable };
            if let Some(inode) = kept {
                survivors.insert(path, inode);
            }
        }
        self.names = survivors.clone();
        self.durable_names = survivors;
        for inode in self.inodes.values_mut() {
            // The length of a file that was never synced may be anything between what it was and is.
            if inode.current.len() != inode.durable.len() {
                let grown = inode.dirty.is_empty() || self.chance.percent(50);
                let len = if grown { inode.current.len() } else { inode.durable.len() };
                inode.durable.resize(len, 0);
            }
            for sector in std::mem::take(&mut inode.dirty) {
                let range = sector * SECTOR..((sector + 1) * SECTOR).min(inode.durable.len()).min(inode.current.len());
                if !range.is_empty() && self.chance.percent(survive_percent) {
                    inode.durable[range.clone()].copy_from_slice(&inode.current[range]);
                }
            }
            inode.current = inode.durable.clone();
        }
    }

    fn create_unnamed(&mut self) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(inode, Inode { modified_millis: self.now_millis, ..Inode::default() });
        inode
    }

    fn create(&mut self, path: &Path) -> u64 {
        let inode = self.create_unnamed();
        self.names.insert(path.to_owned(), inode);
        inode
    }

    fn write(&mut self, inode: u64, offset: usize, bytes: &[u8]) -> io::Result<()> {
        let mut allowed = bytes.len();
        let mut outcome = Ok(());
        if self.writes_to_fail > 0 {
            self.writes_to_fail -= 1;
            allowed = usize::try_from(self.chance.below(bytes.len() as u64 + 1)).unwrap();
            outcome = Err(io::Error::from_raw_os_error(5));
        }
        let (capacity, now) = (self.capacity_sectors, self.now_millis);
        let Some(inode) = self.inodes.get_mut(&inode) else { return Err(io::ErrorKind::NotFound.into()) };
        for sector in offset / SECTOR..(offset + allowed).div_ceil(SECTOR) {
            if !inode.used.contains(&sector) {
                if self.used_sectors >= capacity {
                    allowed = (sector * SECTOR).saturating_sub(offset);
                    outcome = Err(io::ErrorKind::StorageFull.into());
                    break;
                }
                self.used_sectors += 1;
                inode.used.insert(sector);
            }
        }
        if inode.current.len() < offset + allowed {
            inode.current.resize(offset + allowed, 0);
        }
        inode.current[offset..offset + allowed].copy_from_slice(&bytes[..allowed]);
        inode.dirty.extend(offset / SECTOR..(offset + allowed).div_ceil(SECTOR));
        inode.modified_millis = now;
        outcome
    }

    fn sync(&mut self, inode: u64) -> io::Result<()> {
        self.syncs += 1;
        let fails = self.syncs_to_fail > 0;
        self.syncs_to_fail -= usize::from(fails);
        let Some(inode) = self.inodes.get_mut(&inode) else { return Ok(()) };
        let dirty = std::mem::take(&mut inode.dirty);
        inode.durable.resize(inode.current.len(), 0);
        if fails {
            return Err(io::Error::from_raw_os_error(5));
        }
        for sector in dirty {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(inode.current.len());
            inode.durable[range.clone()].copy_from_slice(&inode.current[range]);
        }
        Ok(())
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.lock_state();
        let inode = match (state.names.get(path), mode) {
            (Some(inode), _) => *inode,
            (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Create { .. }) => {
                let parent = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
                if !state.dirs.contains(parent) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                state.create(path)
            }
        };
        if let OpenMode::Create { len } = mode {
            let file = state.inodes.get_mut(&inode).unwrap();
            let len = usize::try_from(len).unwrap();
            if file.current.len() < len {
                file.current.resize(len, 0);
            }
        }
        Ok(Arc::new(SimFile { state: Arc::clone(&self.state), life: state.life, inode }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.content(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn replace(&self, path: &Path, content: &[u8], keep_previous: Option<&Path>) -> io::Result<()> {
        let mut state = self.lock_state();
        // Whole and durable before it has the name, as on a real disk.
        let inode = state.create_unnamed();
        state.write(inode, 0, content)?;
        state.sync(inode)?;
        if let (Some(previous), Some(inode)) = (keep_previous, state.names.get(path).copied()) {
            state.names.insert(previous.to_owned(), inode);
            state.durable_names.insert(previous.to_owned(), inode);
        }
        state.names.insert(path.to_owned(), inode);
        state.durable_names.insert(path.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.lock_state().names.remove(path);
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.names.retain(|name, _| !name.starts_with(path));
        state.dirs.retain(|name| !name.starts_with(path));
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        state.dirs.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let state = self.lock_state();
        let name_of = |child: &Path| child.file_name().unwrap().to_str().unwrap().to_owned();
        let files = state.names.iter().filter(|(name, _)| name.parent() == Some(path)).map(|(name, inode)| {
            let inode = &state.inodes[inode];
            let len = inode.current.len() as u64;
            Entry { name: name_of(name), is_dir: false, len, modified_millis: inode.modified_millis }
        });
        let dirs = state.dirs.iter().filter(|name| name.parent() == Some(path));
        let dirs = dirs.map(|name| Entry { name: name_of(name), is_dir: true, len: 0, modified_millis: 0 });
        let mut entries: Vec<Entry> = files.chain(dirs).collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> bool {
        let state = self.lock_state();
        state.names.contains_key(path) || state.dirs.contains(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        let here = |name: &PathBuf| name.parent() == Some(path);
        let current: Vec<_> = state.names.iter().filter(|(name, _)| here(name)).map(|(n, i)| (n.clone(), *i)).collect();
        state.durable_names.retain(|name, _| !here(name));
        state.durable_names.extend(current);
        Ok(())
    }

    fn volume(&self, _path: &Path) -> io::Result<Arc<dyn Volume>> {
        Ok(Arc::new(SimVolume { state: Arc::clone(&self.state), life: self.lock_state().life }))
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a ratio")]
    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        let state = self.lock_state();
        let total = 1 << 40;
        let available = state.used_ratio.map_or(total, |ratio| (total as f64 * (1.0 - ratio)) as u64);
        Ok(DiskSpace { total, available })
    }

    fn device(&self, _path: &Path) -> io::Result<DeviceId> {
        Ok(DeviceId(1))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn LockGuard>> {
        let mut state = self.lock_state();
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { state: Arc::downgrade(&self.state), life: state.life, path: path.to_owned() }))
    }
}

struct SimLock {
    state: Weak<Mutex<State>>,
    life: u64,
    path: PathBuf,
}

impl LockGuard for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Some(state) = self.state.upgrade() {
            let mut state = state.lock().unwrap();
            if state.life == self.life {
                state.locks.remove(&self.path);
            }
        }
    }
}

struct SimVolume {
    state: Arc<Mutex<State>>,
    life: u64,
}

impl Volume for SimVolume {
    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        if state.life != self.life {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.volume_syncs += 1;
        if state.volume_syncs_to_fail > 0 {
            state.volume_syncs_to_fail -= 1;
            return Err(io::Error::from_raw_os_error(5));
        }
        let inodes: Vec<u64> = state.inodes.keys().copied().collect();
        inodes.into_iter().try_for_each(|inode| state.sync(inode))?;
        state.durable_names = state.names.clone();
        Ok(())
    }
}

struct SimFile {
    state: Arc<Mutex<State>>,
    life: u64,
    inode: u64,
}

impl SimFile {
    /// The disk, for handles of this life.
    fn state(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state.lock().unwrap();
        if state.life == self.life { Ok(state) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
}

impl File for SimFile {
    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.state()?;
        let content = &state.inodes[&self.inode].current;
        let start = usize::try_from(offset).unwrap();
        let found = content.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(found);
        Ok(())
    }

    fn try_read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<bool> {
        self.read_exact_at(offset, buffer).map(|()| true)
    }

    fn write_all_at(&self, offset: u64, buffer: &[u8]) -> io::Result<()> {
        self.state()?.write(self.inode, usize::try_from(offset).unwrap(), buffer)
    }

    fn sync(&self) -> io::Result<()> {
        self.state()?.sync(self.inode)
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state()?.inodes[&self.inode].current.len() as u64)
    }

    fn zero(&self, offset: u64, len: u64) -> io::Result<()> {
        let mut state = self.state()?;
        let (start, len) = (usize::try_from(offset).unwrap(), usize::try_from(len).unwrap());
        let inode = state.inodes.get_mut(&self.inode).unwrap();
        let end = (start + len).min(inode.current.len());
        if start < end {
            inode.current[start..end].fill(0);
            inode.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
            let before = inode.used.len();
            inode.used.retain(|sector| sector * SECTOR < start || (sector + 1) * SECTOR > end);
            let freed = before - inode.used.len();
            state.used_sectors -= freed;
        }
        Ok(())
    }
}
