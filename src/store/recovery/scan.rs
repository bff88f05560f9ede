//! What is on disk. Changes nothing but this: an empty newest log file, left by a crash between making and sizing it, goes.

use std::sync::Arc;

use super::super::checkpoint::Checkpoint;
use super::super::error::Error;
use super::super::layout;
use super::super::options::Options;
use super::super::record::{self, Found};
use super::super::shared::Shared;
use super::super::view::store_time_of;
use super::plan::{AtCheckpoint, Evidence};
use crate::env::{Disk, OpenMode};
use crate::protocol::ids::PhysicalOffset;
use crate::protocol::record::BodyCrc;

/// Bytes that hold the fixed part of any record.
const HEAD_BYTES: usize = 91;

pub(super) fn scan(options: &Options, shared_disk: &Arc<dyn Disk>) -> Result<Evidence, Error> {
    let disk = shared_disk.as_ref();
    let store = &options.store;
    let segments = segments(options, disk)?;
    let checkpoint = Checkpoint::load(disk, &store.checkpoint())?;
    let queues = disk.list(&store.consume_queue()).map_err(Error::io("list", &store.consume_queue()))?;
    let mut evidence = Evidence {
        crashed: disk.exists(&store.abort()),
        first: segments.first().copied().unwrap_or(0),
        end: segments.last().map_or(0, |last| last + options.segment_bytes()),
        segment_bytes: options.segment_bytes(),
        at_checkpoint: AtCheckpoint::Outside,
        segment_times: Vec::new(),
        newest_unit: None,
        has_queues: queues.iter().any(|entry| entry.is_dir),
        checkpoint,
    };
    let position = checkpoint.queues_position;
    if position.0 > 0 && evidence.holds(position) {
        evidence.at_checkpoint = at_checkpoint(options, disk, position)?;
    } else if !evidence.crashed && evidence.has_queues {
        evidence.newest_unit = newest_unit(options, shared_disk, evidence.first)?;
    } else {
        for base in segments {
            let head = head(options, disk, PhysicalOffset(base))?;
            evidence.segment_times.push((base, store_time_of(&head)));
        }
    }
    Ok(evidence)
}

/// Starts of the log files, which must be one unbroken row of files of the configured length.
fn segments(options: &Options, disk: &dyn Disk) -> Result<Vec<i64>, Error> {
    let dir = &options.store.commit_log;
    let mut entries = disk.list(dir).map_err(Error::io("list", dir))?;
    entries.retain(|entry| !entry.is_dir && layout::parse_offset_name(&entry.name).is_some());
    if let Some(newest) = entries.pop_if(|newest| newest.len == 0) {
        let path = dir.join(newest.name);
        disk.remove(&path).map_err(Error::io("delete", &path))?;
    }
    let mut segments: Vec<i64> = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.len != options.store.commit_log_file_bytes {
            return Err(Error::FileSize {
                path: dir.join(entry.name),
                actual: entry.len,
                expected: options.store.commit_log_file_bytes,
                key: "mappedFileSizeCommitLog",
            });
        }
        let base = layout::parse_offset_name(&entry.name).unwrap_or(0);
        if let Some(last) = segments.last()
            && last + options.segment_bytes() != base
        {
            return Err(Error::MissingFile { path: dir.join(layout::offset_name(last + options.segment_bytes())) });
        }
        segments.push(base);
    }
    Ok(segments)
}

/// The newest position in any queue.
fn newest_unit(options: &Options, disk: &Arc<dyn Disk>, first: i64) -> Result<Option<PhysicalOffset>, Error> {
    let shared = Shared::new(options.clone(), Arc::clone(disk), first, first)?;
    shared.queues.load(disk.as_ref(), PhysicalOffset(i64::MAX), PhysicalOffset(first))?;
    shared.queues.newest_physical()
}

/// What stands where the checkpoint points to.
fn at_checkpoint(options: &Options, disk: &dyn Disk, position: PhysicalOffset) -> Result<AtCheckpoint, Error> {
    let head = head(options, disk, position)?;
    Ok(match record::find(&head, position, BodyCrc::Trust) {
        Found::Record(_) | Found::Blank => AtCheckpoint::Record,
        // The head alone is enough to see that the record knows its place.
        Found::Incomplete { .. } if head.get(28..36) == Some(&position.0.to_be_bytes()[..]) => AtCheckpoint::Record,
        _ => AtCheckpoint::Unknown,
    })
}

/// The first bytes from a position on, within its file; fewer at the end of it.
fn head(options: &Options, disk: &dyn Disk, position: PhysicalOffset) -> Result<Vec<u8>, Error> {
    let segment = options.segment_bytes();
    let within = position.0.rem_euclid(segment);
    let base = position.0 - within;
    let path = options.store.commit_log.join(layout::offset_name(base));
    if !disk.exists(&path) {
        return Ok(Vec::new());
    }
    let file = disk.open(&path, OpenMode::Existing).map_err(Error::io("open", &path))?;
    let len = usize::try_from(segment - within).unwrap_or(HEAD_BYTES).min(HEAD_BYTES);
    let mut bytes = vec![0; len];
    file.read_exact_at(within.unsigned_abs(), &mut bytes).map_err(Error::io("read", &path))?;
    Ok(bytes)
}
