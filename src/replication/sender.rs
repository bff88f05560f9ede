//! The leader's end of one link: what to send next, what a report means. Pure.
//!
//! ```text
//!            hello, or Java's first report                 reports
//! Greeting ------------------------------> Streaming next --------> acknowledged
//!    |  silent: close                          | step: read and send | heartbeat | wait
//! ```
//!
//! Follows Java's `DefaultHAConnection`; unlike it, nothing is believed: a report above what was sent, one that goes back, or one from
//! behind the end of the log ends the link.

use std::sync::Arc;

use super::epochs::Epochs;
use super::rate::Rate;
use crate::protocol::ha::{Dialect, Report};
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::raft::Term;

/// How a link behaves (`haSendHeartbeatInterval`, `haHousekeepingInterval`, `haTransferBatchSize`, `maxHaTransferByteInSecond`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkOptions {
    /// Milliseconds after which a silent link carries a heartbeat.
    pub heartbeat: i64,
    /// Milliseconds after which a link that heard nothing is closed.
    pub housekeeping: i64,
    /// Most bytes of one frame.
    pub batch: usize,
    /// Bytes per second, if they are limited.
    pub flow_limit: Option<u64>,
}

/// A log as links see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState {
    /// The oldest byte there is.
    pub first: PhysicalOffset,
    /// The end of what is written.
    pub end: PhysicalOffset,
    /// Up to where a follower may acknowledge: written or, with SYNC_FLUSH, flushed.
    pub durable: PhysicalOffset,
    /// Bytes of one file.
    pub segment_bytes: i64,
    /// Who wrote what.
    pub epochs: Arc<Epochs>,
    /// Whether the epochs are on disk.
    pub epochs_saved: bool,
    /// Frames of a leader that could not be appended so far.
    pub refused: u64,
    /// Whether followers are let in: not by a leader that still looks for what only they have.
    pub leads: bool,
    /// The present term, within a DLedger group.
    pub term: Option<Term>,
}

/// Why a link is closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// Nothing was heard for too long.
    #[error("nothing heard for {millis} ms")]
    Silent {
        /// How long.
        millis: i64,
    },
    /// A report of bytes that were never sent, or that goes back.
    #[error("it reports {reported}, between {acknowledged} and {sent} was expected")]
    Report {
        /// What it says it has.
        reported: PhysicalOffset,
        /// What it said before.
        acknowledged: PhysicalOffset,
        /// What was sent.
        sent: PhysicalOffset,
    },
    /// The follower has bytes that this log does not have.
    #[error(
        "its log ends at {follower}, behind this one at {leader}: bytes were lost here or there; \
         empty the store of the one that is wrong"
    )]
    Ahead {
        /// The follower's end.
        follower: PhysicalOffset,
        /// This log's end.
        leader: PhysicalOffset,
    },
    /// Retention deleted what the follower needs next.
    #[error("its log ends at {follower}, this one begins at {first}: empty its store, it begins anew then")]
    Deleted {
        /// The follower's end.
        follower: PhysicalOffset,
        /// This log's beginning.
        first: PhysicalOffset,
    },
    /// The leader sent another part of the log than the next.
    #[error("it sent bytes from {at}, {expected} was expected")]
    Position {
        /// Where the frame begins.
        at: PhysicalOffset,
        /// The end of this log.
        expected: PhysicalOffset,
    },
    /// The two logs have no common epoch.
    #[error("the logs have no epoch in common: empty the store of the slave")]
    NoAgreement,
    /// This side could not append what came.
    #[error("the log did not take what came, see the log")]
    Refused,
    /// The link is of another term than this member or the other one, or of a leader that leads no more.
    #[error("the link is of {}, it is {} now", shown(*.link), shown(*.now))]
    Term {
        /// The term of the link.
        link: Option<Term>,
        /// The present one, or what the other side says.
        now: Option<Term>,
    },
}

fn shown(term: Option<Term>) -> String {
    term.map_or_else(|| "no term".to_owned(), |term| format!("term {term}"))
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read so many bytes at most, and send them.
    Send {
        /// Their epoch.
        epoch: i32,
        /// Where they begin.
        at: PhysicalOffset,
        /// At most so many.
        max: usize,
    },
    /// Send a heartbeat.
    Heartbeat {
        /// The epoch of the next byte.
        epoch: i32,
        /// Where the next frame will begin.
        at: PhysicalOffset,
    },
    /// Nothing until then, unless something happens.
    Wait {
        /// When to ask again.
        until: Millis,
    },
}

/// The leader's end of one link.
#[derive(Clone, Debug)]
pub struct Sender {
    options: LinkOptions,
    dialect: Dialect,
    term: Option<Term>,
    /// Where the next frame begins; `None` before the follower has said.
    next: Option<PhysicalOffset>,
    acknowledged: PhysicalOffset,
    last_sent: Millis,
    last_heard: Millis,
    rate: Rate,
}

impl Sender {
    /// A link that has just opened, within a DLedger group in this term.
    #[must_use]
    pub fn new(options: LinkOptions, dialect: Dialect, term: Option<Term>, now: Millis) -> Sender {
        Sender {
            options,
            dialect,
            term,
            next: None,
            acknowledged: PhysicalOffset(0),
            last_sent: now,
            last_heard: now,
            rate: Rate::default(),
        }
    }

    /// Where the next frame begins.
    #[must_use]
    pub fn next(&self) -> Option<PhysicalOffset> {
        self.next
    }

    /// When the follower's silence ends the link.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        self.last_heard.plus(self.options.housekeeping)
    }

    /// A report came; returns up to where the follower holds the log.
    ///
    /// # Errors
    /// Why the link must be closed.
    pub fn reported(&mut self, now: Millis, report: Report, log: &LogState) -> Result<PhysicalOffset, Closed> {
        self.check_term(log)?;
        self.last_heard = now;
        let end = report.end;
        if let Some(sent) = self.next {
            if end < self.acknowledged || end > sent {
                return Err(Closed::Report { reported: end, acknowledged: self.acknowledged, sent });
            }
            self.acknowledged = end;
            return Ok(end);
        }
        self.next = Some(self.begin(end, log)?);
        self.acknowledged = end;
        Ok(end)
    }

    /// A leader that was deposed lets go of its followers, and one that leads again in another term agrees with them anew.
    fn check_term(&self, log: &LogState) -> Result<(), Closed> {
        let is_deposed = self.term.is_some() && !log.leads;
        match is_deposed || log.term != self.term {
            true => Err(Closed::Term { link: self.term, now: log.term }),
            false => Ok(()),
        }
    }

    fn begin(&self, end: PhysicalOffset, log: &LogState) -> Result<PhysicalOffset, Closed> {
        if end.0 == 0 {
            // Java sends an empty slave only the newest file; one of ours gets all there is.
            return Ok(match self.dialect {
                Dialect::Java => PhysicalOffset(log.end.0 - log.end.0 % log.segment_bytes).max(log.first),
                Dialect::Ours => log.first,
            });
        }
        if end > log.end || end.0 < 0 {
            return Err(Closed::Ahead { follower: end, leader: log.end });
        }
        if end < log.first {
            return Err(Closed::Deleted { follower: end, first: log.first });
        }
        Ok(end)
    }

    /// What to do now.
    ///
    /// # Errors
    /// Why the link must be closed.
    pub fn step(&mut self, now: Millis, log: &LogState) -> Result<Step, Closed> {
        self.check_term(log)?;
        let silent = now.since(self.last_heard);
        if silent >= self.options.housekeeping {
            return Err(Closed::Silent { millis: silent });
        }
        let deadline = self.deadline();
        let Some(next) = self.next else { return Ok(Step::Wait { until: deadline }) };
        if next < log.first {
            return Err(Closed::Deleted { follower: next, first: log.first });
        }
        if next > log.end {
            return Err(Closed::Ahead { follower: next, leader: log.end });
        }
        let epoch = log.epochs.number_at(next).unwrap_or(0);
        let allowed = self.allowed(now);
        if next < log.end && allowed > 0 {
            let epoch_end = log.epochs.end_after(next).unwrap_or(log.end).min(log.end);
            let file_end = next.0 - next.0 % log.segment_bytes + log.segment_bytes;
            let available = usize::try_from(epoch_end.0.min(file_end) - next.0).unwrap_or(0);
            return Ok(Step::Send { epoch, at: next, max: available.min(allowed).min(self.options.batch) });
        }
        let heartbeat = self.last_sent.plus(self.options.heartbeat);
        if now >= heartbeat || now < self.last_sent {
            return Ok(Step::Heartbeat { epoch, at: next });
        }
        let mut until = heartbeat.min(deadline);
        if next < log.end {
            until = until.min(self.rate.next_second());
        }
        Ok(Step::Wait { until })
    }

    /// Bytes that may go out in the second that is running.
    fn allowed(&mut self, now: Millis) -> usize {
        let Some(limit) = self.options.flow_limit else { return usize::MAX };
        usize::try_from(limit.saturating_sub(self.rate.running(now))).unwrap_or(usize::MAX)
    }

    /// A frame with so many bytes goes out; a heartbeat has none.
    pub fn sent(&mut self, now: Millis, bytes: usize) {
        self.last_sent = now;
        self.rate.add(now, bytes);
        if let Some(next) = &mut self.next {
            *next = *next + i64::try_from(bytes).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ha::Epoch;

    const OPTIONS: LinkOptions = LinkOptions { heartbeat: 5_000, housekeeping: 20_000, batch: 100, flow_limit: None };

    fn log(first: i64, end: i64) -> LogState {
        let epoch = |number, start| Epoch { number, start: PhysicalOffset(start) };
        LogState {
            first: PhysicalOffset(first),
            end: PhysicalOffset(end),
            durable: PhysicalOffset(end),
            segment_bytes: 1_000,
            epochs: Arc::new(Epochs::new([epoch(1, 0), epoch(3, 2_150)])),
            epochs_saved: true,
            refused: 0,
            leads: true,
            term: None,
        }
    }

    fn report(end: i64) -> Report {
        Report { epoch: 0, end: PhysicalOffset(end) }
    }

    fn send(epoch: i32, at: i64, max: usize) -> Step {
        Step::Send { epoch, at: PhysicalOffset(at), max }
    }

    fn check_begin(dialect: Dialect, end: i64, expected: Result<i64, Closed>) {
        let mut sender = Sender::new(OPTIONS, dialect, None, Millis(0));
        let begun = sender.reported(Millis(0), report(end), &log(1_000, 2_300));
        let got = begun.map(|_| sender.next().map_or(-1, |next| next.0));
        assert_eq!(got, expected, "{dialect:?} {end}");
    }

    #[test]
    fn a_link_begins_where_the_follower_ends() {
        let (first, leader) = (PhysicalOffset(1_000), PhysicalOffset(2_300));
        check_begin(Dialect::Java, 1_500, Ok(1_500));
        check_begin(Dialect::Java, 0, Ok(2_000));
        check_begin(Dialect::Ours, 0, Ok(1_000));
        check_begin(Dialect::Ours, 2_300, Ok(2_300));
        check_begin(Dialect::Java, 999, Err(Closed::Deleted { follower: PhysicalOffset(999), first }));
        for end in [2_301, i64::MAX, i64::from_be_bytes(*b"GET / HT")] {
            check_begin(Dialect::Java, end, Err(Closed::Ahead { follower: PhysicalOffset(end), leader }));
        }
    }

    #[test]
    fn frames_end_with_their_batch_their_epoch_and_their_file() {
        let mut sender = Sender::new(OPTIONS, Dialect::Ours, None, Millis(0));
        let log = log(1_000, 2_300);
        assert_eq!(sender.step(Millis(0), &log), Ok(Step::Wait { until: Millis(20_000) }));
        assert_eq!(sender.reported(Millis(0), report(1_880), &log), Ok(PhysicalOffset(1_880)));
        for (step, bytes) in [
            (send(1, 1_880, 100), 100),
            (send(1, 1_980, 20), 20),
            (send(1, 2_000, 100), 90),
            (send(1, 2_090, 60), 60),
            (send(3, 2_150, 100), 100),
            (send(3, 2_250, 50), 50),
        ] {
            assert_eq!(sender.step(Millis(1), &log), Ok(step));
            sender.sent(Millis(1), bytes);
        }
        assert_eq!(sender.step(Millis(1), &log), Ok(Step::Wait { until: Millis(5_001) }));
        assert_eq!(sender.step(Millis(5_001), &log), Ok(Step::Heartbeat { epoch: 3, at: PhysicalOffset(2_300) }));
        sender.sent(Millis(5_001), 0);
        assert_eq!(sender.step(Millis(5_001), &log), Ok(Step::Wait { until: Millis(10_001) }));
        assert_eq!(sender.step(Millis(20_000), &log), Err(Closed::Silent { millis: 20_000 }));
    }

    #[test]
    fn nonsense_acknowledges_nothing() {
        let log = log(1_000, 2_300);
        for nonsense in [1_899, 1_951, 2_300, -1, i64::MIN] {
            let mut sender = Sender::new(OPTIONS, Dialect::Java, None, Millis(0));
            sender.reported(Millis(0), report(1_880), &log).unwrap();
            sender.sent(Millis(0), 70);
            assert_eq!(sender.reported(Millis(1), report(1_900), &log), Ok(PhysicalOffset(1_900)));
            let expected = Closed::Report {
                reported: PhysicalOffset(nonsense),
                acknowledged: PhysicalOffset(1_900),
                sent: PhysicalOffset(1_950),
            };
            assert_eq!(sender.reported(Millis(1), report(nonsense), &log), Err(expected));
        }
    }

    #[test]
    fn a_link_of_a_group_ends_with_its_term() {
        let check = |leads: bool, now: i32, expected: Result<(), Closed>| {
            let mut sender = Sender::new(OPTIONS, Dialect::Ours, Some(Term(3)), Millis(0));
            let log = LogState { leads, term: Some(Term(now)), ..log(1_000, 2_300) };
            assert_eq!(sender.step(Millis(0), &log).map(drop), expected);
            assert_eq!(sender.reported(Millis(0), report(1_880), &log).map(drop), expected);
        };
        let ended = |now| Err(Closed::Term { link: Some(Term(3)), now: Some(Term(now)) });
        check(true, 3, Ok(()));
        check(false, 3, ended(3));
        check(true, 4, ended(4));
    }

    #[test]
    fn a_limited_link_waits_for_the_next_second() {
        let options = LinkOptions { flow_limit: Some(150), ..OPTIONS };
        let mut sender = Sender::new(options, Dialect::Ours, None, Millis(0));
        let log = log(0, 900);
        sender.reported(Millis(0), report(100), &log).unwrap();
        assert_eq!(sender.step(Millis(10), &log), Ok(send(1, 100, 100)));
        sender.sent(Millis(10), 100);
        assert_eq!(sender.step(Millis(10), &log), Ok(send(1, 200, 50)));
        sender.sent(Millis(10), 50);
        assert_eq!(sender.step(Millis(20), &log), Ok(Step::Wait { until: Millis(1_000) }));
        assert_eq!(sender.step(Millis(1_000), &log), Ok(send(1, 250, 100)));
    }
}
