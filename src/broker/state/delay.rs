//! Delay levels (Java: `ScheduleMessageService`, `delayOffset.json`).
//!
//! ```text
//! SCHEDULE_TOPIC_XXXX, queue level-1:  | delivered and flushed | delivered | being delivered | waits for its time |
//!                                      ^ durable (in the file)             ^ next
//! ```
//!
//! A message is delivered by appending it to its real topic. The file never holds an offset whose copy is not flushed:
//! after a crash a message may come twice, never not at all (Java writes the file ahead of the flush).

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::changes::Changes;
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::json;

/// How long a level waits after a delivery failed before it tries again.
const RETRY_MILLIS: i64 = 1_000;

/// One delay level's progress.
#[derive(Debug, Default)]
struct Level {
    delay_millis: i64,
    /// The first message that was not handed to the log yet.
    next: QueueOffset,
    /// One after the newest message of the queue; kept here because it is asked for after every batch.
    end: QueueOffset,
    /// The first message whose copy may be lost in a crash.
    durable: QueueOffset,
    /// Copies in the log that wait for a flush, in order.
    unflushed: VecDeque<(QueueOffset, PhysicalOffset)>,
    /// When `next` comes due, as far as known.
    due: Millis,
    /// A read or deliveries are under way.
    reading: bool,
    delivering: usize,
    failed: Option<QueueOffset>,
}

impl Level {
    fn idle(&self) -> bool {
        !self.reading && self.delivering == 0
    }

    /// Nothing is under way, and there are messages.
    fn waits(&self) -> bool {
        self.idle() && self.next < self.end
    }

    /// One delivery has ended; after the last one the level goes back to the first that failed.
    fn one_done(&mut self, now: Millis) {
        assert!(self.delivering > 0, "a delivery ends once");
        self.delivering -= 1;
        if self.delivering == 0
            && let Some(first) = self.failed.take()
        {
            self.next = first;
            self.due = now.plus(RETRY_MILLIS);
        }
    }
}

/// The levels of a broker; level numbers start at 1.
#[derive(Debug, Default)]
pub struct Delays {
    levels: Vec<Level>,
    version: DataVersion,
    changes: Changes,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DelayFile {
    data_version: DataVersion,
    offset_table: BTreeMap<String, i64>,
}

/// What to do with the first message of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Deliver it now.
    Now,
    /// Not before this time.
    At(Millis),
}

impl Delays {
    /// Levels with these delays, all at the start of their queues.
    #[must_use]
    pub fn new(delays_millis: &[i64]) -> Delays {
        let level = |delay: &i64| Level { delay_millis: *delay, ..Level::default() };
        Delays { levels: delays_millis.iter().map(level).collect(), ..Delays::default() }
    }

    /// Takes the offsets of the file, moved into what the queues hold: `range(queue)` gives (min, max).
    ///
    /// # Errors
    /// When it is not JSON of Java's form.
    pub fn load(
        &mut self,
        content: Option<&[u8]>,
        range: impl Fn(QueueId) -> (QueueOffset, QueueOffset),
    ) -> Result<(), json::JsonError> {
        let file: DelayFile = content.map(json::from_java).transpose()?.unwrap_or_default();
        self.version = file.data_version;
        for (index, level) in self.levels.iter_mut().enumerate() {
            let stored = file.offset_table.get(&(index + 1).to_string()).copied().unwrap_or(0);
            let (min, max) = range(queue_of(index + 1));
            level.next = QueueOffset(stored).clamp(min, max.max(min));
            level.durable = level.next;
            level.end = max;
        }
        Ok(())
    }

    /// Takes the offsets of the master over. They may be beyond what this slave has of the queues; whoever is promoted loads
    /// them again.
    ///
    /// # Errors
    /// When it is not JSON of Java's form; nothing changes then.
    pub fn adopt(&mut self, content: &[u8]) -> Result<(), json::JsonError> {
        let file: DelayFile = json::from_java(content)?;
        for (index, level) in self.levels.iter_mut().enumerate() {
            let Some(stored) = file.offset_table.get(&(index + 1).to_string()) else { continue };
            self.changes.mark_if(level.durable != QueueOffset(*stored));
            (level.next, level.durable) = (QueueOffset(*stored), QueueOffset(*stored));
        }
        self.changes.mark_if(self.version != file.data_version);
        self.version = file.data_version;
        Ok(())
    }

    /// Takes over how far a slave came that acted for this master: each level goes on where the one that is further ahead is.
    ///
    /// # Errors
    /// When it is not JSON of Java's form; nothing changes then.
    pub fn raise(&mut self, content: &[u8]) -> Result<(), json::JsonError> {
        let file: DelayFile = json::from_java(content)?;
        for (index, level) in self.levels.iter_mut().enumerate() {
            let stored = file.offset_table.get(&(index + 1).to_string()).copied().unwrap_or(0);
            if level.next.0 < stored {
                (level.next, level.durable) = (QueueOffset(stored), QueueOffset(stored));
                self.changes.mark();
            }
        }
        Ok(())
    }

    /// Begins to deliver from positions that another broker has named, moved into what the queues hold here: `range(queue)`
    /// gives (min, max).
    pub fn resume(&mut self, now: Millis, range: impl Fn(QueueId) -> (QueueOffset, QueueOffset)) {
        for (index, level) in self.levels.iter_mut().enumerate() {
            let (min, max) = range(queue_of(index + 1));
            level.next = level.next.clamp(min, max.max(min));
            level.durable = level.durable.min(level.next);
            level.end = max;
            level.due = now;
        }
    }

    /// Goes back to what is safe: the copies behind it may be lost with the leadership in which they were made, or were never this
    /// broker's. What is being read or delivered still comes to its end.
    pub fn restart(&mut self) {
        for level in &mut self.levels {
            level.unflushed.clear();
            if level.idle() {
                level.next = level.durable;
            }
        }
    }

    /// Whether nothing is being read or delivered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.levels.iter().all(Level::idle)
    }

    /// Another master has stored the message at `offset`: nothing of it waits for a flush here.
    pub fn taken(&mut self, now: Millis, level: usize, offset: QueueOffset) {
        self.delivered(now, level, offset, PhysicalOffset(0));
        self.flushed(PhysicalOffset(0));
    }

    /// The file's content.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let table = self.levels.iter().enumerate().filter(|(_, level)| level.durable.0 > 0);
        json::to_java(&DelayFile {
            data_version: self.version,
            offset_table: table.map(|(index, level)| ((index + 1).to_string(), level.durable.0)).collect(),
        })
    }

    /// Whether something changed since the last [`Delays::persisting`].
    #[must_use]
    pub fn is_dirty(&self) -> bool {
        self.changes.is_dirty()
    }

    /// Changes since the start.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.count()
    }

    /// The content is about to be written.
    pub fn persisting(&mut self, now: Millis) -> Vec<u8> {
        self.changes.saving();
        self.version.next(now, 0);
        self.to_json()
    }

    /// How many levels there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.levels.len()
    }

    /// The delay of a level in milliseconds.
    #[must_use]
    pub fn delay_millis(&self, level: usize) -> Option<i64> {
        self.levels.get(level.checked_sub(1)?).map(|level| level.delay_millis)
    }

    /// Up to where each level was delivered (`scheduleMessageOffset_N`): (level, delivered).
    pub fn progress(&self) -> impl Iterator<Item = (usize, QueueOffset)> {
        self.levels.iter().enumerate().map(|(index, level)| (index + 1, level.next))
    }

    /// The levels that should read their queue now: (level, first offset).
    pub fn poll(&mut self, now: Millis) -> Vec<(usize, QueueOffset)> {
        let mut reads = Vec::new();
        for (index, level) in self.levels.iter_mut().enumerate() {
            if level.waits() && level.due <= now {
                level.reading = true;
                reads.push((index + 1, level.next));
            }
        }
        reads
    }

    /// A message was put into a level's queue; without others before it, it comes due after the level's delay.
    pub fn arrived(&mut self, queue: QueueId, offset: QueueOffset, due: Millis) {
        let Some(level) = self.level_mut(level_of(queue)) else { return };
        level.end = level.end.max(offset + 1);
        if level.idle() && offset == level.next {
            level.due = due;
        }
    }

    /// When some level has something to do: the earliest due time of the idle levels that have messages.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.levels.iter().filter(|level| level.waits()).map(|level| level.due).min()
    }

    /// Whether a message with this due time (the tags code of its unit) is delivered now.
    ///
    /// A time further away than the level's delay comes from a clock that went back, or from levels that were longer
    /// once; it counts as due, as in Java.
    #[must_use]
    pub fn due(&self, now: Millis, level: usize, due: Millis) -> Due {
        let delay = self.delay_millis(level).unwrap_or(0);
        if due <= now || due > now.plus(delay) { Due::Now } else { Due::At(due) }
    }

    /// A read has ended: everything below `next` was handed to the log or skipped, `due` is the time of the one at `next`.
    pub fn read_done(&mut self, level: usize, next: QueueOffset, delivering: usize, due: Option<Millis>) {
        let Some(level) = self.level_mut(level) else { return };
        assert!(level.reading, "a read of a level ends once");
        level.reading = false;
        level.next = next;
        level.delivering += delivering;
        level.due = due.unwrap_or_default();
        if level.delivering == 0 && level.unflushed.is_empty() && level.durable < next {
            // Units without a readable record were skipped; nothing of theirs waits for a flush.
            level.durable = next;
            self.changes.mark();
        }
    }

    /// The copy of the message at `offset` is in the log up to `end`.
    pub fn delivered(&mut self, now: Millis, level: usize, offset: QueueOffset, end: PhysicalOffset) {
        let Some(level) = self.level_mut(level) else { return };
        if level.failed.is_none() {
            level.unflushed.push_back((offset + 1, end));
        }
        level.one_done(now);
    }

    /// The copy of the message at `offset` could not be written; the level goes back to it after a second.
    pub fn failed(&mut self, now: Millis, level: usize, offset: QueueOffset) {
        let Some(level) = self.level_mut(level) else { return };
        level.failed = Some(level.failed.map_or(offset, |failed| failed.min(offset)));
        level.one_done(now);
    }

    /// Copies below `flushed` are safe.
    pub fn flushed(&mut self, flushed: PhysicalOffset) {
        for level in &mut self.levels {
            while let Some((next, end)) = level.unflushed.front()
                && *end <= flushed
            {
                level.durable = *next;
                self.changes.mark();
                level.unflushed.pop_front();
            }
        }
    }

    fn level_mut(&mut self, level: usize) -> Option<&mut Level> {
        self.levels.get_mut(level.checked_sub(1)?)
    }
}

/// The queue of a level.
#[must_use]
pub fn queue_of(level: usize) -> QueueId {
    QueueId(i32::try_from(level).unwrap_or(i32::MAX) - 1)
}

/// The level of a queue; 0 for a queue that belongs to none.
#[must_use]
pub fn level_of(queue: QueueId) -> usize {
    usize::try_from(i64::from(queue.0) + 1).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: QueueOffset = QueueOffset(3);

    fn delays(stored: &str) -> Delays {
        let mut delays = Delays::new(&[1_000, 5_000]);
        delays.load(Some(stored.as_bytes()), |_| (QueueOffset(0), END)).unwrap();
        delays
    }

    fn durable(delays: &Delays) -> Vec<i64> {
        delays.levels.iter().map(|level| level.durable.0).collect()
    }

    #[test]
    fn reads_java_and_stays_within_the_queue() {
        let delays = delays(r#"{"dataVersion":{"counter":2,"stateVersion":0,"timestamp":3},"offsetTable":{1:2,2:99}}"#);
        assert_eq!(durable(&delays), [2, 3]);
    }

    #[test]
    fn the_file_waits_for_the_flush() {
        let mut delays = delays("{}");
        assert_eq!(delays.poll(Millis(0)), [(1, QueueOffset(0)), (2, QueueOffset(0))]);
        assert_eq!(delays.poll(Millis(0)), []);
        delays.read_done(1, QueueOffset(2), 2, Some(Millis(900)));
        delays.delivered(Millis(50), 1, QueueOffset(0), PhysicalOffset(100));
        delays.delivered(Millis(50), 1, QueueOffset(1), PhysicalOffset(200));
        assert_eq!((durable(&delays), delays.is_dirty()), (vec![0, 0], false));
        delays.flushed(PhysicalOffset(150));
        assert_eq!((durable(&delays), delays.is_dirty()), (vec![1, 0], true));
        delays.flushed(PhysicalOffset(200));
        assert_eq!(durable(&delays), [2, 0]);
        assert_eq!(delays.next_deadline(), Some(Millis(900)));
    }

    #[test]
    fn a_failed_delivery_goes_back() {
        let mut delays = delays("{}");
        delays.poll(Millis(0));
        delays.read_done(1, QueueOffset(3), 3, None);
        delays.delivered(Millis(50), 1, QueueOffset(0), PhysicalOffset(100));
        delays.failed(Millis(50), 1, QueueOffset(1));
        delays.failed(Millis(50), 1, QueueOffset(2));
        delays.read_done(2, QueueOffset(0), 0, Some(Millis(9_000)));
        assert_eq!(delays.next_deadline(), Some(Millis(1_050)));
        assert_eq!(delays.poll(Millis(1_050)), [(1, QueueOffset(1))]);
    }

    #[test]
    fn a_time_beyond_the_delay_counts_as_due() {
        let delays = delays("{}");
        let got = [99, 100, 101, 1_100, 1_101].map(|due| delays.due(Millis(100), 1, Millis(due)));
        assert_eq!(got, [Due::Now, Due::Now, Due::At(Millis(101)), Due::At(Millis(1_100)), Due::Now]);
    }

    #[test]
    fn an_arrival_at_the_head_sets_the_due_time() {
        let mut delays = delays(r#"{"offsetTable":{"1":3}}"#);
        delays.arrived(QueueId(0), QueueOffset(3), Millis(1_000));
        delays.arrived(QueueId(0), QueueOffset(4), Millis(1_500));
        assert_eq!(delays.poll(Millis(0)), [(2, QueueOffset(0))]);
        assert_eq!(delays.next_deadline(), Some(Millis(1_000)));
    }
}
