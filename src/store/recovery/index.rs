//! Loading the index (Java: `IndexService.load`).
//!
//! Java deletes every file that is newer than the last full one after a crash, and with it the keys of messages that recovery
//! does not read again. Here the newest file is cut back to what is known to be durable: its items are in the order of the
//! log, and the slots follow from the items.

use std::path::Path;

use super::super::error::Error;
use super::super::index::{Header, Index, IndexFile, Item, SlotPlace};
use crate::env::{Disk, File};
use crate::protocol::ids::PhysicalOffset;

/// Items read at a time.
const ITEMS_PER_READ: i32 = 64 * 1024;

/// Loads the files. After a crash, keys of records at or behind `durable` are dropped: they are read from the log again.
/// Returns the files that were changed.
pub(super) fn load_index(
    index: &Index,
    disk: &dyn Disk,
    crashed: bool,
    durable: PhysicalOffset,
) -> Result<Vec<u64>, Error> {
    let dir = index.dir();
    let entries = disk.list(dir).map_err(Error::io("list", dir))?;
    let is_name = |name: &str| name.len() == 17 && name.bytes().all(|byte| byte.is_ascii_digit());
    let mut files: Vec<IndexFile> = Vec::new();
    let mut changed = Vec::new();
    // From the newest to the oldest: one that holds durable keys was begun after all older ones were complete and durable.
    for entry in entries.iter().rev().filter(|entry| !entry.is_dir && is_name(&entry.name)) {
        let path = dir.join(&entry.name);
        let name = entry.name.parse().unwrap_or(0);
        if entry.len != index.file_bytes() {
            // Made with other sizes, or never finished: an index may be lost, a wrong one must not be read.
            tracing::warn!(path = %path.display(), bytes = entry.len, expected = index.file_bytes(), "index file deleted");
            remove(index, disk, name, &path)?;
            continue;
        }
        let file = index.open(name, false)?;
        let mut bytes = [0; Header::BYTES];
        file.read_exact_at(0, &mut bytes).map_err(Error::io("read", &path))?;
        let mut header = Header::from_bytes(&bytes);
        if crashed && files.is_empty() {
            header = cut(index, file.as_ref(), header, durable).map_err(Error::io("cut back", &path))?;
            changed.push(name);
        }
        if header.count <= 1 {
            remove(index, disk, name, &path)?;
            changed.retain(|other| *other != name);
        } else {
            files.push(IndexFile { name, header });
        }
    }
    files.reverse();
    index.set_files(files);
    Ok(changed)
}

/// Cuts the files of a running store back: keys of records at or behind `end` go. Returns the files that were changed and
/// those that were deleted.
pub(in crate::store) fn cut_index(
    index: &Index,
    disk: &dyn Disk,
    end: PhysicalOffset,
) -> Result<(Vec<u64>, Vec<u64>), Error> {
    let mut files = index.files();
    let (mut changed, mut deleted) = (Vec::new(), Vec::new());
    while let Some(last) = files.pop_if(|last| last.header.end_physical >= end.0) {
        let path = index.path_of(last.name);
        let file = index.open(last.name, false)?;
        let header = cut(index, file.as_ref(), last.header, end).map_err(Error::io("cut back", &path))?;
        if header.count > 1 {
            changed.push(last.name);
            files.push(IndexFile { header, ..last });
            break;
        }
        remove(index, disk, last.name, &path)?;
        deleted.push(last.name);
    }
    if !deleted.is_empty() {
        disk.sync_dir(index.dir()).map_err(Error::io("sync", index.dir()))?;
    }
    index.cut_back(files, end);
    Ok((changed, deleted))
}

fn remove(index: &Index, disk: &dyn Disk, name: u64, path: &Path) -> Result<(), Error> {
    disk.remove(path).map_err(Error::io("delete", path))?;
    index.close(name);
    Ok(())
}

/// Keeps the items of records before `durable` and builds the slots anew.
fn cut(index: &Index, file: &dyn File, old: Header, durable: PhysicalOffset) -> std::io::Result<Header> {
    let slots = usize::try_from(index.slots()).unwrap_or(0);
    let mut newest_of_slot = vec![0i32; slots];
    let mut header = Header { used_slots: 0, count: 1, ..old };
    let mut last = old.begin_physical;
    'items: while header.count < index.items_max() {
        let wanted = ITEMS_PER_READ.min(index.items_max() - header.count);
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0) * Item::BYTES];
        file.read_exact_at(index.item_at(header.count), &mut bytes)?;
        for bytes in bytes.as_chunks::<{ Item::BYTES }>().0 {
            let item = Item::from_bytes(bytes);
            let in_order = item.physical >= last && item.physical < durable.0;
            if !in_order || item.hash < 0 || item.seconds < 0 || *bytes == [0; Item::BYTES] {
                break 'items;
            }
            let slot = SlotPlace::new(item.hash, index.slots()).number();
            header.used_slots += i32::from(newest_of_slot[slot] == 0);
            newest_of_slot[slot] = header.count;
            header.count += 1;
            last = item.physical;
            header.end_physical = item.physical;
            // The item keeps whole seconds; its message may be up to one younger.
            header.end_time = old.end_time.min(header.begin_time + i64::from(item.seconds) * 1000 + 999);
        }
    }
    if header.count > 1 {
        let slots: Vec<u8> = newest_of_slot.iter().flat_map(|number| number.to_be_bytes()).collect();
        file.write_all_at(Header::BYTES as u64, &slots)?;
        file.write_all_at(0, &header.to_bytes())?;
        // Items of an earlier life would be taken for good ones once the log has grown past what they point to. The next settle
        // makes this durable before the checkpoint moves.
        let rest = index.item_at(header.count);
        file.zero(rest, index.file_bytes() - rest)?;
    }
    Ok(header)
}
