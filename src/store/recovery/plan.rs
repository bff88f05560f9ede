//! Where to read the log from. Pure.

use super::super::checkpoint::Checkpoint;
use crate::protocol::ids::{Millis, PhysicalOffset};

/// What the scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The file `abort` was there.
    pub(super) crashed: bool,
    /// Start of the oldest log file.
    pub(super) first: i64,
    /// End of the newest; equal to `first` when there is none.
    pub(super) end: i64,
    /// Length of each.
    pub(super) segment_bytes: i64,
    pub(super) checkpoint: Checkpoint,
    pub(super) at_checkpoint: AtCheckpoint,
    /// Start and store time of the first record of each log file; looked at only when the checkpoint has no usable position.
    pub(super) segment_times: Vec<(i64, Option<Millis>)>,
    /// The newest position in any queue; looked at only after a clean stop that left no position in the checkpoint, as Java
    /// 5.5 does when it ran for less than a minute.
    pub(super) newest_unit: Option<PhysicalOffset>,
    /// There is at least one folder of queues.
    pub(super) has_queues: bool,
}

impl Evidence {
    /// Whether a position lies in the log files; their end counts.
    pub(super) fn holds(&self, position: PhysicalOffset) -> bool {
        self.first <= position.0 && position.0 <= self.end
    }
}

/// What stands at the checkpoint's position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtCheckpoint {
    /// The position is 0, or not in the log.
    Outside,
    /// A record, which says that it belongs there, or the blank at the end of a file.
    Record,
    /// Anything else: zeros behind the log's end, or the middle of a record.
    Unknown,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The log is read from here, and units that point at or behind it are taken from there.
    pub(super) start: PhysicalOffset,
    /// What all queues together must hold below `start`; a queue's folder may have been lost.
    pub(super) messages: Option<i64>,
    /// There is no log: queues and index point nowhere and go.
    pub(super) empty: bool,
}

/// Chooses the newest position below which all queues are known to be whole.
///
/// Java goes back to the start of a file, because it has to find the first record there. A position that is known to be a
/// record's start saves reading up to a gibibyte again.
pub(super) fn plan(evidence: &Evidence) -> Plan {
    let position = evidence.checkpoint.queues_position;
    let from = |start: i64| Plan { start: PhysicalOffset(start), messages: None, empty: false };
    if evidence.first == evidence.end {
        return Plan { empty: true, ..from(evidence.first) };
    }
    if !evidence.has_queues {
        return from(evidence.first);
    }
    match (evidence.at_checkpoint, evidence.checkpoint.ours) {
        // Our own mark says that the position is the start of a record or the end of the log.
        (AtCheckpoint::Record | AtCheckpoint::Unknown, Some(ours)) => {
            Plan { messages: ours.messages, ..from(position.0) }
        }
        (AtCheckpoint::Record, None) => from(position.0),
        (AtCheckpoint::Unknown, None) => from(segment_before(evidence, position)),
        (AtCheckpoint::Outside, _) => match evidence.newest_unit {
            Some(newest) => from(segment_before(evidence, newest + 1)),
            None => from(by_time(evidence)),
        },
    }
}

/// Everything from the oldest file on.
pub(super) fn rebuild(evidence: &Evidence) -> Plan {
    Plan { start: PhysicalOffset(evidence.first), messages: None, empty: false }
}

/// The file that holds the byte before a position.
fn segment_before(evidence: &Evidence, position: PhysicalOffset) -> i64 {
    let before = (position.0 - 1).max(evidence.first);
    before - before.rem_euclid(evidence.segment_bytes)
}

/// Java before 5.5 knows only times: the newest file that begins with a message whose queue entry is flushed.
fn by_time(evidence: &Evidence) -> i64 {
    let flushed = evidence.checkpoint.queues_time;
    let old_enough = |(_, time): &&(i64, Option<Millis>)| time.is_some_and(|time| time <= flushed);
    let newest = evidence.segment_times.iter().rev().find(old_enough);
    newest.map_or(evidence.first, |(base, _)| *base)
}

#[cfg(test)]
mod tests {
    use super::super::super::checkpoint::Ours;
    use super::*;

    /// Three files of 100 bytes, the oldest of which starts at 100.
    fn evidence(position: i64, messages: Option<i64>, at_checkpoint: AtCheckpoint) -> Evidence {
        let queues_position = PhysicalOffset(position);
        let ours = messages.map(|messages| Ours { messages: Some(messages) });
        let checkpoint = Checkpoint { queues_position, ours, queues_time: Millis(50), ..Checkpoint::default() };
        Evidence {
            crashed: true,
            first: 100,
            end: 400,
            segment_bytes: 100,
            checkpoint,
            at_checkpoint,
            segment_times: vec![(100, Some(Millis(40))), (200, Some(Millis(50))), (300, Some(Millis(51)))],
            newest_unit: None,
            has_queues: true,
        }
    }

    fn check(evidence: &Evidence, start: i64, messages: Option<i64>) {
        assert_eq!(plan(evidence), Plan { start: PhysicalOffset(start), messages, empty: false }, "{evidence:?}");
    }

    #[test]
    fn a_position_that_is_a_record_or_carries_our_mark_is_exact() {
        check(&evidence(250, None, AtCheckpoint::Record), 250, None);
        check(&evidence(250, Some(7), AtCheckpoint::Record), 250, Some(7));
        check(&evidence(250, Some(7), AtCheckpoint::Unknown), 250, Some(7));
    }

    #[test]
    fn any_other_position_means_its_file() {
        check(&evidence(250, None, AtCheckpoint::Unknown), 200, None);
        check(&evidence(200, None, AtCheckpoint::Unknown), 100, None);
        check(&evidence(400, None, AtCheckpoint::Unknown), 300, None);
        check(&evidence(100, None, AtCheckpoint::Unknown), 100, None);
    }

    #[test]
    fn without_a_position_the_time_decides() {
        check(&evidence(0, None, AtCheckpoint::Outside), 200, None);
        let mut torn = evidence(0, None, AtCheckpoint::Outside);
        torn.segment_times = vec![(100, Some(Millis(60))), (200, None), (300, None)];
        check(&torn, 100, None);
    }

    #[test]
    fn after_a_clean_stop_the_queues_themselves_say_how_far_they_are() {
        let mut clean = evidence(0, None, AtCheckpoint::Outside);
        clean.newest_unit = Some(PhysicalOffset(300));
        check(&clean, 300, None);
        clean.newest_unit = Some(PhysicalOffset(299));
        check(&clean, 200, None);
    }

    #[test]
    fn without_queues_everything_is_read_again() {
        let bare = Evidence { has_queues: false, ..evidence(250, Some(7), AtCheckpoint::Record) };
        check(&bare, 100, None);
    }

    #[test]
    fn without_a_log_there_is_nothing() {
        let empty = Evidence { first: 0, end: 0, ..evidence(250, None, AtCheckpoint::Outside) };
        assert_eq!(plan(&empty), Plan { start: PhysicalOffset(0), messages: None, empty: true });
    }
}
