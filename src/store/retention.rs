//! Which log files go (Java: `DefaultMessageStore.CleanCommitLogService`). Pure.

use chrono::{Local, TimeZone, Timelike};

use super::layout;
use super::options::millis;
use crate::config::Retention;
use crate::env::Entry;
use crate::protocol::ids::Millis;

/// A log file as retention sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentAge {
    /// Its first byte.
    pub(super) base: i64,
    /// Its last change.
    pub(super) modified: Millis,
    /// Its length in bytes.
    pub(super) bytes: u64,
}

/// The log files among the entries of the commit log's folder, oldest first.
pub(super) fn ages(entries: &[Entry]) -> Vec<SegmentAge> {
    let age = |entry: &Entry| {
        let base = layout::parse_offset_name(&entry.name)?;
        Some(SegmentAge { base, modified: Millis(entry.modified_millis), bytes: entry.len })
    };
    let mut ages: Vec<_> = entries.iter().filter(|entry| !entry.is_dir).filter_map(age).collect();
    ages.sort_unstable_by_key(|segment| segment.base);
    ages
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// Files to delete, oldest first.
    pub(super) delete: Vec<i64>,
    /// Writes are refused until the disk is emptier.
    pub(super) disk_full: bool,
}

/// Decides by the ages of the files, the hour of the local day and the used share of the disk (0 to 1). `by_hand` stands for
/// the hour when an operator asks (code 329).
///
/// `open` is the start of the file that is being written: it and later ones never go. Lengths do not tell which that is, for a file
/// that is being made is seen with a length of 0. Unlike Java, which deletes a full round of ten, a disk above
/// `diskSpaceCleanForciblyRatio` costs only as many unexpired files as bring it below.
pub(super) fn decide(
    options: &Retention,
    segments: &[SegmentAge],
    open: i64,
    (used_bytes, total_bytes): (u64, u64),
    now: Millis,
    by_hand: bool,
) -> Decision {
    let percent = |limit: u8| u128::from(total_bytes) * u128::from(limit);
    let above = |used: u64, limit: u8| u128::from(used) * 100 > percent(limit);
    let by_time = by_hand || hour_of(now).is_some_and(|hour| options.delete_when.contains(&hour));
    let by_space = above(used_bytes, options.disk_max_used_percent);
    let mut decision = Decision { delete: Vec::new(), disk_full: above(used_bytes, options.disk_warning_percent) };
    let mut used = used_bytes;
    let deletable = segments.iter().filter(|segment| segment.base < open);
    for segment in deletable.take(options.delete_file_batch_max as usize) {
        let expired = now.since(segment.modified) > millis(options.file_reserved);
        let forced = options.clean_forcibly && above(used, options.disk_clean_forcibly_percent);
        if !(forced || expired && (by_time || by_space)) {
            break;
        }
        decision.delete.push(segment.base);
        used = used.saturating_sub(segment.bytes);
    }
    decision
}

/// The hour of the local day.
fn hour_of(now: Millis) -> Option<u8> {
    let hour = Local.timestamp_millis_opt(now.0).earliest()?.hour();
    u8::try_from(hour).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn options(delete_when: Vec<u8>) -> Retention {
        Retention {
            delete_when,
            file_reserved: Duration::from_secs(72 * 3600),
            delete_file_batch_max: 3,
            delete_pause: Duration::from_millis(100),
            clean_interval: Duration::from_secs(10),
            destroy_forcibly_after: Duration::from_secs(120),
            disk_max_used_percent: 75,
            disk_clean_forcibly_percent: 85,
            disk_warning_percent: 90,
            clean_forcibly: true,
        }
    }

    /// Six files of 100 bytes, the oldest three older than 72 hours; the newest is being written.
    fn segments(now: i64) -> Vec<SegmentAge> {
        let ages = [100, 90, 80, 70, 60, 0];
        let segment = |(number, age): (usize, &i64)| SegmentAge {
            base: i64::try_from(number).unwrap() * 100,
            modified: Millis(now - age * HOUR),
            bytes: 100,
        };
        ages.iter().enumerate().map(segment).collect()
    }

    fn check(at_hour: bool, used_percent: u64, expected: &[i64], disk_full: bool) {
        check_asked(false, at_hour, used_percent, expected, disk_full);
    }

    fn check_asked(by_hand: bool, at_hour: bool, used_percent: u64, expected: &[i64], disk_full: bool) {
        let now = Millis(1_700_000_000_000);
        let hour = hour_of(now).unwrap();
        let options = options(vec![if at_hour { hour } else { (hour + 1) % 24 }]);
        let space = (used_percent * 100, 10_000);
        let decision = decide(&options, &segments(now.0), 500, space, now, by_hand);
        assert_eq!(decision, Decision { delete: expected.to_vec(), disk_full }, "hour {at_hour}, {used_percent} %");
    }

    #[test]
    fn expired_files_go_at_the_hour_or_when_space_is_short() {
        check(false, 50, &[], false);
        check(true, 50, &[0, 100, 200], false);
        check(false, 75, &[], false);
        check(false, 76, &[0, 100, 200], false);
        check_asked(true, false, 50, &[0, 100, 200], false);
    }

    #[test]
    fn above_the_forced_ratio_as_many_go_as_are_needed() {
        // Six of 100 bytes on a disk of 10,000: each is one percent.
        let now = Millis(1_700_000_000_000);
        let fresh: Vec<_> = segments(now.0).into_iter().map(|s| SegmentAge { modified: now, ..s }).collect();
        let decide = |used| decide(&options(vec![]), &fresh, 500, (used, 10_000), now, false);
        assert_eq!(decide(8_500), Decision { delete: vec![], disk_full: false });
        assert_eq!(decide(8_550), Decision { delete: vec![0], disk_full: false });
        assert_eq!(decide(8_650), Decision { delete: vec![0, 100], disk_full: false });
        assert_eq!(decide(9_001), Decision { delete: vec![0, 100, 200], disk_full: true });
    }

    #[test]
    fn the_file_being_written_stays() {
        let now = Millis(1_700_000_000_000);
        let old: Vec<_> =
            segments(now.0).into_iter().map(|s| SegmentAge { modified: Millis(0), ..s }).skip(4).collect();
        let decide =
            |segments: &[SegmentAge], open| decide(&options(vec![]), segments, open, (9_900, 10_000), now, false);
        assert_eq!(decide(&old, 500), Decision { delete: vec![400], disk_full: true });
        // The first file of an empty log, seen while it is made: it was deleted, and every send failed.
        let made: Vec<_> = [0, 100].map(|base| SegmentAge { base, modified: now, bytes: 0 }).into();
        assert_eq!(decide(&made[..1], 0), Decision { delete: vec![], disk_full: true });
        assert_eq!(decide(&made, 100), Decision { delete: vec![0], disk_full: true });
    }
}
