//! Which leader wrote which part of a log, and where two logs part ways. Pure.
//!
//! ```text
//!   leader    1: 0 ----------- 2: 300 ------ 4: 700 ----- end 900
//!   follower  1: 0 ----------- 2: 300 ---------- 3: 800 - end 850
//!   newest epoch both have: 2, with the same start; both hold it up to min(700, 800): the follower cuts back to 700
//! ```
//!
//! Follows Java's `EpochFileCache.findConsistentPoint` and its file; reference/ha.md section 2. Unlike Java's, an epoch that begins
//! where the one before it began replaces it: two elections without a write between them lose no number.

use std::fmt::Write as _;

use crate::protocol::ha::Epoch;
use crate::protocol::ids::PhysicalOffset;

/// The epochs of one log, oldest first; numbers and starts both grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    list: Vec<Epoch>,
}

/// The file does not hold epochs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the epoch file is wrong: {reason}")]
pub struct EpochFileError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Epochs {
    /// Epochs in growing order; those that do not grow are left out.
    #[must_use]
    pub fn new(epochs: impl IntoIterator<Item = Epoch>) -> Epochs {
        let mut list: Vec<Epoch> = Vec::new();
        for epoch in epochs {
            if list.last().is_none_or(|last| last.number < epoch.number && last.start < epoch.start) {
                list.push(epoch);
            }
        }
        Epochs { list }
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn list(&self) -> &[Epoch] {
        &self.list
    }

    /// The newest one.
    #[must_use]
    pub fn newest(&self) -> Option<Epoch> {
        self.list.last().copied()
    }

    /// The newest one that begins before a position.
    #[must_use]
    pub fn newest_before(&self, position: PhysicalOffset) -> Option<Epoch> {
        self.list.iter().rev().find(|epoch| epoch.start < position).copied()
    }

    /// The number of the epoch a byte belongs to.
    #[must_use]
    pub fn number_at(&self, position: PhysicalOffset) -> Option<i32> {
        let after = self.list.partition_point(|epoch| epoch.start <= position);
        after.checked_sub(1).and_then(|index| self.list.get(index)).map(|epoch| epoch.number)
    }

    /// Where the epoch that holds a byte ends, if another one follows it.
    #[must_use]
    pub fn end_after(&self, position: PhysicalOffset) -> Option<PhysicalOffset> {
        let after = self.list.partition_point(|epoch| epoch.start <= position);
        self.list.get(after).map(|epoch| epoch.start)
    }

    /// A new epoch begins at the end of the log.
    pub fn begin(&mut self, epoch: Epoch) {
        while let Some(last) = self.list.last().copied()
            && last.start >= epoch.start
        {
            assert!(last.number < epoch.number, "epochs grow: {last:?} is followed by {epoch:?}");
            self.list.pop();
        }
        assert!(self.list.last().is_none_or(|last| last.number < epoch.number), "epochs grow");
        self.list.push(epoch);
    }

    /// The log was cut: epochs that begin behind its end never were.
    pub fn cut(&mut self, end: PhysicalOffset) {
        self.list.retain(|epoch| epoch.start < end);
    }

    /// Retention moved the beginning: the oldest epoch now begins there.
    pub fn advance(&mut self, first: PhysicalOffset) {
        let gone = self.list.partition_point(|epoch| epoch.start <= first).saturating_sub(1);
        self.list.drain(..gone);
    }

    /// Up to where a follower's log agrees with its leader's; `None` when no epoch says so.
    ///
    /// Without an epoch in common a later leader has rewritten everything from its oldest epoch on: the logs agree before that.
    #[must_use]
    pub fn agreement(
        &self,
        end: PhysicalOffset,
        leader: &Epochs,
        leader_end: PhysicalOffset,
    ) -> Option<PhysicalOffset> {
        let common = self.common(end, leader, leader_end);
        if common.is_some() {
            return common;
        }
        let (own, other) = (self.list.first()?, leader.list.first()?);
        let is_later = self.newest()?.number < other.number;
        (is_later && own.start <= other.start && other.start <= end).then_some(other.start)
    }

    /// As [`Epochs::agreement`] with a leader that the members of a group have elected: it is right whatever the numbers say.
    ///
    /// Without an epoch in common, logs that begin at the same byte differ from there on: after two elections in an empty group the follower may have the
    /// newer number, and what it wrote is committed nowhere. Logs that begin elsewhere say nothing of each other: that member must be removed
    /// and added again.
    #[must_use]
    pub fn agreement_with_elected(
        &self,
        end: PhysicalOffset,
        leader: &Epochs,
        leader_end: PhysicalOffset,
    ) -> Option<PhysicalOffset> {
        let begin = || {
            let (own, other) = (self.list.first()?, leader.list.first()?);
            (own.start == other.start).then_some(own.start)
        };
        self.common(end, leader, leader_end).or_else(begin)
    }

    /// Up to where both hold their newest common epoch.
    fn common(&self, end: PhysicalOffset, leader: &Epochs, leader_end: PhysicalOffset) -> Option<PhysicalOffset> {
        let end_of = |epochs: &Epochs, start, end| epochs.end_after(start).unwrap_or(end);
        let epoch = self.list.iter().rev().find(|epoch| leader.list.contains(epoch))?;
        Some(end_of(self, epoch.start, end).min(end_of(leader, epoch.start, leader_end)))
    }

    /// The content of `epochFileCheckpoint`: number of lines, CRC of them, then `number-start` each.
    #[must_use]
    pub fn to_file(&self) -> String {
        let mut lines = String::new();
        for epoch in &self.list {
            // Writing to a string does not fail.
            let _infallible = writeln!(lines, "{}-{}", epoch.number, epoch.start.0);
        }
        format!("{}\n{}\n{lines}", self.list.len(), crc(&lines))
    }

    /// From that content; Java writes a CRC of 0 for "not checked".
    ///
    /// # Errors
    /// [`EpochFileError`] with the line.
    pub fn from_file(text: &str) -> Result<Epochs, EpochFileError> {
        let wrong = |line, reason| EpochFileError { line, reason };
        let mut lines = text.lines();
        let count: usize = lines.next().and_then(|line| line.parse().ok()).ok_or(wrong(1, "not a number of epochs"))?;
        let stated: u32 = lines.next().and_then(|line| line.parse().ok()).ok_or(wrong(2, "not a CRC"))?;
        let (mut list, mut covered) = (Vec::new(), String::new());
        for (index, line) in lines.enumerate() {
            let epoch = line.split_once('-').and_then(|(number, start)| {
                Some(Epoch { number: number.parse().ok()?, start: PhysicalOffset(start.parse().ok()?) })
            });
            let epoch = epoch.ok_or(wrong(index + 3, "not number-start"))?;
            if list.last().is_some_and(|last: &Epoch| last.number >= epoch.number || last.start >= epoch.start) {
                return Err(wrong(index + 3, "not above the line before"));
            }
            list.push(epoch);
            covered.push_str(line);
            covered.push('\n');
        }
        if list.len() != count {
            return Err(wrong(1, "another number of epochs follows"));
        }
        if stated != 0 && stated != crc(&covered) {
            return Err(wrong(2, "the CRC does not match"));
        }
        Ok(Epochs { list })
    }
}

/// Java's `UtilAll.crc32`: without the highest bit.
fn crc(lines: &str) -> u32 {
    crc32fast::hash(lines.as_bytes()) & 0x7FFF_FFFF
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(list: &[(i32, i64)]) -> Epochs {
        Epochs::new(list.iter().map(|&(number, start)| Epoch { number, start: PhysicalOffset(start) }))
    }

    fn check(follower: &[(i32, i64)], end: i64, leader: &[(i32, i64)], leader_end: i64, agreement: Option<i64>) {
        let found = epochs(follower).agreement(PhysicalOffset(end), &epochs(leader), PhysicalOffset(leader_end));
        assert_eq!(found, agreement.map(PhysicalOffset), "{follower:?} up to {end}, {leader:?} up to {leader_end}");
    }

    #[test]
    fn logs_agree_up_to_the_end_of_their_newest_common_epoch() {
        let leader = [(1, 0), (2, 300), (4, 700)];
        check(&[(1, 0), (2, 300), (3, 800)], 850, &leader, 900, Some(700));
        check(&[(1, 0), (2, 300)], 650, &leader, 900, Some(650));
        check(&leader, 800, &leader, 900, Some(800));
        check(&leader, 950, &leader, 900, Some(900));
        check(&[(1, 0), (3, 200)], 250, &leader, 900, Some(200));
        check(&[(3, 0)], 250, &leader, 900, None);
        check(&[(1, 0)], 250, &[(2, 0)], 900, Some(0));
        check(&[(1, 0), (2, 100)], 250, &[(3, 200), (4, 300)], 900, Some(200));
        check(&[(1, 0)], 150, &[(3, 200)], 900, None);
        check(&[(1, 300)], 350, &[(3, 200)], 900, None);
        check(&[(2, 299)], 350, &leader, 900, None);
        check(&[], 250, &leader, 900, None);
    }

    #[test]
    fn an_elected_leader_is_right_about_a_common_beginning() {
        let check = |follower: &[(i32, i64)], leader: &[(i32, i64)], agreement: Option<i64>| {
            let found =
                epochs(follower).agreement_with_elected(PhysicalOffset(250), &epochs(leader), PhysicalOffset(900));
            assert_eq!(found, agreement.map(PhysicalOffset), "{follower:?}, {leader:?}");
        };
        check(&[(1, 0), (3, 200)], &[(1, 0), (2, 100)], Some(100));
        check(&[(3, 0)], &[(2, 0), (4, 300)], Some(0));
        check(&[(1, 0)], &[(2, 0)], Some(0));
        check(&[(1, 0)], &[(3, 200)], None);
        check(&[], &[(3, 200)], None);
    }

    #[test]
    fn an_epoch_without_a_byte_gives_way() {
        let mut list = epochs(&[(1, 0), (2, 300)]);
        list.begin(Epoch { number: 3, start: PhysicalOffset(300) });
        assert_eq!(list, epochs(&[(1, 0), (3, 300)]));
        list.begin(Epoch { number: 4, start: PhysicalOffset(500) });
        assert_eq!((list.number_at(PhysicalOffset(299)), list.number_at(PhysicalOffset(300))), (Some(1), Some(3)));
        assert_eq!(
            (list.end_after(PhysicalOffset(300)), list.end_after(PhysicalOffset(500))),
            (Some(PhysicalOffset(500)), None)
        );
        list.cut(PhysicalOffset(500));
        assert_eq!(list, epochs(&[(1, 0), (3, 300)]));
        list.advance(PhysicalOffset(300));
        assert_eq!(list, epochs(&[(3, 300)]));
    }

    #[test]
    fn the_file_is_javas() {
        let list = epochs(&[(1, 0), (3, 300)]);
        let text = list.to_file();
        assert_eq!(text, format!("2\n{}\n1-0\n3-300\n", crc("1-0\n3-300\n")));
        assert_eq!(Epochs::from_file(&text), Ok(list.clone()));
        assert_eq!(Epochs::from_file("2\n0\n1-0\n3-300\n"), Ok(list));
        let error = |line, reason| Err(EpochFileError { line, reason });
        assert_eq!(Epochs::from_file("2\n1\n1-0\n3-300\n"), error(2, "the CRC does not match"));
        assert_eq!(Epochs::from_file("3\n0\n1-0\n3-300\n"), error(1, "another number of epochs follows"));
        assert_eq!(Epochs::from_file("2\n0\n1-0\n1-300\n"), error(4, "not above the line before"));
        assert_eq!(Epochs::from_file(""), error(1, "not a number of epochs"));
    }
}
