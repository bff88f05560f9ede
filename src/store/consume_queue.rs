//! One consume queue: where the messages of one queue stand in the log, 20 bytes each (Java: `ConsumeQueue`).
//!
//! ```text
//!   min                 file_end            max
//!    |   units in files    |   units in memory (tail)   |
//!    +---------------------+----------------------------+
//! ```
//!
//! A unit leaves the tail only after it is in the file, so a reader who sees `file_end` under the lock finds every unit
//! on one side or the other and may read the file without the lock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::ids::{PhysicalOffset, QueueId, QueueOffset};

/// Bytes of one unit.
pub(super) const UNIT_BYTES: usize = 20;

/// Units that may be filled with blanks when the log itself jumps; a longer jump starts the queue anew.
const GAP_UNITS_MAX: i64 = 1 << 20;

/// A tail of so many units is long: worth a write of its own. A shorter one waits until the queues are settled, for nothing
/// needs it in the file before.
const TAIL_UNITS_LONG: usize = 64;

/// One entry of a consume queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where the record starts.
    pub physical: PhysicalOffset,
    /// Bytes of the record.
    pub size: i32,
    /// Java's hash of the tags, 0 without tags; for the delay topic the time in milliseconds when it is due.
    pub tags_code: i64,
}

impl Unit {
    /// Fills the units before the first one of a queue that does not start at 0.
    pub(super) const BLANK: Unit = Unit { physical: PhysicalOffset(0), size: i32::MAX, tags_code: 0 };

    /// Whether it stands for no message.
    pub(super) fn is_blank(&self) -> bool {
        *self == Unit::BLANK
    }

    /// Whether somebody wrote it: the space after the last unit is zero.
    pub(super) fn is_written(&self) -> bool {
        self.physical.0 >= 0 && self.size > 0
    }

    pub(super) fn to_bytes(self) -> [u8; UNIT_BYTES] {
        let mut bytes = [0; UNIT_BYTES];
        bytes[..8].copy_from_slice(&self.physical.0.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.size.to_be_bytes());
        bytes[12..].copy_from_slice(&self.tags_code.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8; UNIT_BYTES]) -> Unit {
        let (mut physical, mut size, mut tags_code) = ([0; 8], [0; 4], [0; 8]);
        physical.copy_from_slice(&bytes[..8]);
        size.copy_from_slice(&bytes[8..12]);
        tags_code.copy_from_slice(&bytes[12..]);
        Unit {
            physical: PhysicalOffset(i64::from_be_bytes(physical)),
            size: i32::from_be_bytes(size),
            tags_code: i64::from_be_bytes(tags_code),
        }
    }
}

/// What a queue holds: `min` is the first readable message, `max` the next one to come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// The oldest message whose record is still in the log.
    pub min: QueueOffset,
    /// One after the newest.
    pub max: QueueOffset,
}

/// A consume queue.
pub(super) struct Queue {
    pub(super) topic: Arc<str>,
    pub(super) id: QueueId,
    /// Names its files among the open ones; a queue made anew after its topic was deleted has another number.
    pub(super) serial: u64,
    state: Mutex<State>,
}

/// Kept small: ten thousand topics have forty thousand of these.
#[derive(Debug)]
struct State {
    min: i64,
    /// Where the record of `min` starts; tells whether retention can have moved `min`.
    min_physical: i64,
    file_end: i64,
    tail: VecDeque<Unit>,
    /// First unit of the oldest file; none when there is no file yet.
    first_file: Option<i64>,
    /// The offset for the next message that is appended to the log, at or above `max`.
    next: i64,
    /// Its topic was deleted; jobs that still hold it must leave its files alone.
    deleted: bool,
    /// How often its end went back: what was taken of the queue before must not be put into effect.
    cuts: u32,
    /// It is on the list of queues with units in memory.
    is_dirty: bool,
    /// It is on the list of queues with long tails.
    is_long: bool,
}

/// What recovery found of a queue on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OnDisk {
    /// First unit of the oldest file.
    pub(super) first_file: Option<i64>,
    /// One after the last good unit.
    pub(super) end: i64,
    /// First unit that points into the log.
    pub(super) min: i64,
    /// Its record's position; the log's end when there is none.
    pub(super) min_physical: i64,
}

/// Units to write into a queue's files.
pub(super) struct QueueWrite {
    pub(super) queue: Arc<Queue>,
    /// Queue offset of the first unit.
    pub(super) from: i64,
    pub(super) units: Vec<Unit>,
    /// The queue has no file yet: units before `from` in its file must become blanks.
    pub(super) fresh: bool,
    /// As of the look at the queue.
    cuts: u32,
}

/// Which tails are to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TailsDue {
    All,
    /// Those that are worth a write: of ten thousand topics with a message now and then, none.
    Long,
}

/// The lists a queue must be put on, for it is not on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// Queues with units in memory.
    pub(super) dirty: bool,
    /// Queues with long tails.
    pub(super) long: bool,
}

/// Where the numbers of records come from, and so what a number means that does not follow the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// This store assigned them: none is missing and none comes twice.
    Own,
    /// A master did: its log is what there is.
    Followed,
    /// A former master did; behind its records this store assigns numbers already.
    Inherited,
    /// Recovery reads what there is; with `fill_gaps` nothing before it can be found any more.
    Recovered {
        /// Missing units become blanks.
        fill_gaps: bool,
    },
}

/// What became of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// It stands at the end.
    Appended,
    /// The queue had older units than its number says: the topic was deleted and made anew; they are gone now, except that
    /// the files still hold them.
    Restarted,
    /// The unit's number does not follow: units are missing, or would come twice. Nothing was changed.
    Gap {
        /// The number that would have followed.
        expected: i64,
    },
}

/// What a push did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Push {
    pub(super) pushed: Pushed,
    pub(super) due: Due,
    /// Units in memory, more or less than before.
    pub(super) grown: isize,
}

impl Queue {
    /// A queue without messages.
    pub(super) fn new(topic: Arc<str>, id: QueueId, serial: u64) -> Queue {
        Self::loaded(topic, id, serial, OnDisk { first_file: None, end: 0, min: 0, min_physical: i64::MAX })
    }

    /// A queue as recovery found it.
    pub(super) fn loaded(topic: Arc<str>, id: QueueId, serial: u64, found: OnDisk) -> Queue {
        assert!(found.min <= found.end, "a queue begins before it ends");
        let state = State {
            min: found.min,
            min_physical: found.min_physical,
            file_end: found.end,
            tail: VecDeque::new(),
            first_file: found.first_file,
            next: found.end,
            deleted: false,
            cuts: 0,
            is_dirty: false,
            is_long: false,
        };
        Queue { topic, id, serial, state: Mutex::new(state) }
    }

    pub(super) fn range(&self) -> Range {
        let state = self.lock();
        Range { min: QueueOffset(state.min), max: QueueOffset(state.max()) }
    }

    /// The offset for the next message of the log; moves on.
    pub(super) fn assign(&self) -> QueueOffset {
        let mut state = self.lock();
        state.next += 1;
        QueueOffset(state.next - 1)
    }

    /// Takes back the newest assignment: its message was not written.
    pub(super) fn unassign(&self, offset: QueueOffset) {
        let mut state = self.lock();
        assert_eq!(state.next, offset.0 + 1, "offsets are taken back newest first");
        state.next = offset.0;
    }

    /// Adds the unit of message number `offset`.
    pub(super) fn push(&self, offset: QueueOffset, unit: Unit, numbering: Numbering) -> Push {
        let mut state = self.lock();
        let before = state.tail.len();
        let pushed = state.make_room(offset.0, numbering);
        if matches!(pushed, Pushed::Gap { .. }) {
            return Push { pushed, due: Due::default(), grown: 0 };
        }
        if state.min == state.max() {
            state.min_physical = unit.physical.0;
        }
        state.tail.push_back(unit);
        match numbering {
            Numbering::Followed | Numbering::Recovered { .. } => state.next = state.max(),
            Numbering::Own => assert!(state.next >= state.max(), "numbers are assigned before they are dispatched"),
            // A restart that is not dispatched yet may be what is counted from.
            Numbering::Inherited => {}
        }
        let grown = state.tail.len().cast_signed() - before.cast_signed();
        Push { pushed, due: state.mark(), grown }
    }

    /// Numbers are assigned from here on: a master's records up to `offset` are in the log, not all of them in the queue.
    pub(super) fn assign_from(&self, offset: QueueOffset) {
        self.lock().next = offset.0;
    }

    /// The same when all of them are in the queue.
    pub(super) fn assign_from_end(&self) {
        let mut state = self.lock();
        state.next = state.max();
    }

    /// The log was cut back: forgets the units from `offset` on and returns how many of them were in memory.
    pub(super) fn cut_back(&self, offset: i64) -> usize {
        let mut state = self.lock();
        let before = state.tail.len();
        state.cut(offset);
        state.next = state.max();
        before - state.tail.len()
    }

    /// How often the end went back.
    pub(super) fn cuts(&self) -> u32 {
        self.lock().cuts
    }

    /// Whether units of the file that starts with `unit` are in the queue.
    pub(super) fn uses_file(&self, unit: i64) -> bool {
        let state = self.lock();
        state.first_file.is_some_and(|first| first <= unit) && unit < state.file_end
    }

    /// The lists to put the queue on that was taken from one for nothing: a write before its own failed.
    pub(super) fn mark_again(&self, taken: TailsDue) -> Due {
        let mut state = self.lock();
        match taken {
            TailsDue::All => state.is_dirty = false,
            TailsDue::Long => state.is_long = false,
        }
        state.mark()
    }

    /// The units of the tail, for writing them into the file, if there are any and they are due. The queue was taken from the
    /// list and is put there again by the next unit.
    pub(super) fn unwritten(self: &Arc<Self>, due: TailsDue) -> Option<QueueWrite> {
        let mut state = self.lock();
        let wanted = match due {
            TailsDue::All => {
                state.is_dirty = false;
                1
            }
            TailsDue::Long => {
                state.is_long = false;
                TAIL_UNITS_LONG
            }
        };
        if state.tail.len() < wanted {
            return None;
        }
        Some(QueueWrite {
            queue: Arc::clone(self),
            from: state.file_end,
            units: state.tail.iter().copied().collect(),
            fresh: state.first_file.is_none(),
            cuts: state.cuts,
        })
    }

    /// The units are in files, the first of which starts with unit `file_base`. Returns how many have left memory by this: none
    /// of a queue that was deleted or cut meanwhile.
    pub(super) fn written(&self, write: &QueueWrite, file_base: i64) -> usize {
        let mut state = self.lock();
        if state.deleted || state.cuts != write.cuts {
            return 0;
        }
        let units = write.units.len();
        assert!(units <= state.tail.len(), "only units of the tail are written");
        state.tail.drain(..units);
        state.file_end += i64::try_from(units).unwrap_or(0);
        state.first_file.get_or_insert(file_base);
        if state.tail.is_empty() {
            // An idle queue keeps no buffer.
            state.tail = VecDeque::new();
        }
        units
    }

    /// Its topic was deleted; returns the number of units that memory held for it.
    pub(super) fn delete(&self) -> usize {
        let mut state = self.lock();
        state.deleted = true;
        let units = state.tail.len();
        state.file_end += i64::try_from(units).unwrap_or(0);
        state.tail = VecDeque::new();
        units
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.lock().deleted
    }

    /// Number of units in memory.
    pub(super) fn tail_len(&self) -> usize {
        self.lock().tail.len()
    }

    /// The units from `from` on that are in memory, at most `count`, and how many units to read from the files before.
    pub(super) fn split(&self, from: i64, count: usize) -> Split {
        let state = self.lock();
        let in_files = usize::try_from(state.file_end - from).unwrap_or(0).min(count);
        let skip = usize::try_from(from - state.file_end).unwrap_or(0);
        let tail = state.tail.iter().skip(skip).take(count - in_files).copied().collect();
        let valid = from >= state.first_file.unwrap_or(state.file_end);
        let (in_files, tail) = if valid { (in_files, tail) } else { (0, Vec::new()) };
        Split { in_files, tail, cuts: state.cuts }
    }

    /// Whether `min` may point below `first`, the oldest byte of the log.
    pub(super) fn needs_new_min(&self, first: PhysicalOffset) -> bool {
        let state = self.lock();
        state.min < state.max() && state.min_physical < first.0
    }

    /// Retention moved the beginning; never backwards, and not of a queue that was cut since the look at it.
    pub(super) fn set_min(&self, min: i64, min_physical: i64, cuts: u32) {
        let mut state = self.lock();
        if state.cuts != cuts {
            return;
        }
        if min > state.min {
            assert!(min <= state.max(), "a queue begins before it ends");
            state.min = min;
        }
        // Messages that came meanwhile are behind `min`, but where the first of them is was not looked at: look next time.
        let looked_at_all = state.min == state.max() || min_physical != i64::MAX;
        state.min_physical = if looked_at_all { min_physical } else { 0 };
    }

    /// One after the last unit that is in a file.
    pub(super) fn file_end(&self) -> i64 {
        self.lock().file_end
    }

    pub(super) fn first_file(&self) -> Option<i64> {
        self.lock().first_file
    }

    /// Retention is about to delete the files before this one; not of a queue that was cut since the look at it.
    pub(super) fn set_first_file(&self, unit: i64, cuts: u32) -> bool {
        let mut state = self.lock();
        if state.cuts == cuts {
            state.first_file = Some(unit);
        }
        state.cuts == cuts
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a range of units is.
pub(super) struct Split {
    pub(super) in_files: usize,
    pub(super) tail: Vec<Unit>,
    /// As of the look at the queue: what the files hold counts only while it is the same.
    pub(super) cuts: u32,
}

impl State {
    fn mark(&mut self) -> Due {
        let dirty = !self.tail.is_empty() && !std::mem::replace(&mut self.is_dirty, true);
        let long = self.tail.len() >= TAIL_UNITS_LONG && !std::mem::replace(&mut self.is_long, true);
        Due { dirty, long }
    }

    fn max(&self) -> i64 {
        self.file_end + i64::try_from(self.tail.len()).unwrap_or(0)
    }

    /// Makes `offset` the number of the next unit, as far as the numbering allows.
    fn make_room(&mut self, offset: i64, numbering: Numbering) -> Pushed {
        let expected = self.max();
        if offset == expected {
            return Pushed::Appended;
        }
        if offset > expected && self.min == expected {
            // Nothing readable before it: a queue may start anywhere, its older messages were deleted.
            let had_units = self.first_file.is_some() || !self.tail.is_empty();
            self.restart(offset);
            return if had_units { Pushed::Restarted } else { Pushed::Appended };
        }
        match numbering {
            Numbering::Own => return Pushed::Gap { expected },
            Numbering::Recovered { fill_gaps: false } if offset > expected => return Pushed::Gap { expected },
            _ => {}
        }
        let missing = offset - expected;
        if missing < 0 {
            self.cut(offset);
            Pushed::Restarted
        } else if missing <= GAP_UNITS_MAX {
            self.tail.extend((0..missing).map(|_| Unit::BLANK));
            Pushed::Appended
        } else {
            self.restart(offset);
            Pushed::Restarted
        }
    }

    /// Forgets all units; the next one has number `offset`.
    fn restart(&mut self, offset: i64) {
        self.tail.clear();
        self.min = offset;
        self.file_end = offset;
        self.first_file = None;
        self.cuts = self.cuts.wrapping_add(1);
    }

    /// Forgets the units from `offset` on.
    fn cut(&mut self, offset: i64) {
        let keep = usize::try_from(offset - self.file_end).unwrap_or(0);
        self.tail.truncate(keep);
        self.file_end = self.file_end.min(offset);
        self.min = self.min.min(offset);
        if self.first_file.is_some_and(|first| first > offset) {
            self.first_file = None;
        }
        self.cuts = self.cuts.wrapping_add(1);
    }
}
