//! The follower's end of its link to the leader. Pure.
//!
//! ```text
//!  Parted --connect--> Greeting --welcome: agree, cut back--> Following --frame at the end--> append, report
//!    ^                    |  \--Java's first frame-----------/    |
//!    +---- lost, silent, nonsense: at once, then 0.1 s .. 5 s ----+
//! ```
//!
//! Follows Java's `DefaultHAClient`, but reports at once instead of after 5 s, and comes back at once instead of after 5 s.

use super::epochs::Epochs;
use super::sender::{Closed, LinkOptions, LogState};
use crate::protocol::ha::{Dialect, Head, Hello, Report, Welcome};
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use crate::protocol::raft::Term;

/// The first pause after a second failure in a row, and the longest.
const PAUSE: (i64, i64) = (100, 5_000);

/// The longest within a DLedger group: a leader that was just elected opens in a moment, and nothing is committed before.
const PAUSE_IN_GROUP: i64 = 200;

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Connect to the leader.
    Connect,
    /// Send a report.
    Report(Report),
    /// Nothing until then, unless something happens.
    Wait {
        /// When to ask again.
        until: Millis,
    },
}

/// What a greeting led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// This log must be cut back to here before anything is appended.
    pub cut: Option<PhysicalOffset>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No link; the next attempt is due then.
    Parted { retry: Millis },
    /// Connected, the leader has not said anything.
    Greeting,
    /// Bytes come.
    Following { dialect: Dialect },
}

/// The follower's end of its link.
#[derive(Clone, Debug)]
pub struct Follower {
    options: LinkOptions,
    broker: BrokerId,
    /// That of the link, within a DLedger group.
    term: Option<Term>,
    state: State,
    /// Links lost without a frame between them.
    failures: u32,
    /// Where the next frame must begin; `None` takes the first one wherever it begins.
    next: Option<PhysicalOffset>,
    /// The epoch of the newest frame.
    epoch: i32,
    reported: Option<PhysicalOffset>,
    /// Frames refused by the log when the link was made.
    refused: u64,
    last_sent: Millis,
    last_heard: Millis,
}

impl Follower {
    /// A follower without a link.
    #[must_use]
    pub fn new(options: LinkOptions, broker: BrokerId, now: Millis) -> Follower {
        Follower {
            options,
            broker,
            term: None,
            state: State::Parted { retry: now },
            failures: 0,
            next: None,
            epoch: 0,
            reported: None,
            refused: 0,
            last_sent: now,
            last_heard: now,
        }
    }

    /// Whether bytes come.
    #[must_use]
    pub fn is_following(&self) -> bool {
        matches!(self.state, State::Following { .. })
    }

    /// The leader's address changed: the next attempt is due now.
    pub fn leader_changed(&mut self, now: Millis) {
        self.failures = 0;
        if let State::Parted { retry } = &mut self.state {
            *retry = now;
        }
    }

    /// The next link will be of this term, within a DLedger group.
    pub fn turn_to(&mut self, term: Option<Term>) {
        self.term = term;
    }

    /// A connection stands; what to send first.
    pub fn connected(&mut self, now: Millis, log: &LogState) -> Hello {
        self.state = State::Greeting;
        (self.last_sent, self.last_heard) = (now, now);
        self.reported = None;
        self.refused = log.refused;
        self.next = (log.end.0 > 0).then_some(log.end);
        self.epoch = log.epochs.newest().map_or(0, |epoch| epoch.number);
        Hello { broker: self.broker, end: log.end, term: self.term }
    }

    /// The leader is one of ours.
    ///
    /// # Errors
    /// Why this log cannot follow that leader.
    pub fn welcomed(&mut self, now: Millis, welcome: &Welcome, log: &LogState) -> Result<Agreed, Closed> {
        self.last_heard = now;
        let theirs = welcome.reign.map(|reign| reign.term);
        if theirs != self.term {
            return Err(Closed::Term { link: self.term, now: theirs });
        }
        self.state = State::Following { dialect: Dialect::Ours };
        if log.end.0 == 0 {
            return Ok(Agreed { cut: None });
        }
        let leader = Epochs::new(welcome.epochs.iter().copied());
        let agreement = match self.term {
            Some(_) => log.epochs.agreement_with_elected(log.end, &leader, welcome.end),
            None => log.epochs.agreement(log.end, &leader, welcome.end),
        };
        let agreement = match agreement {
            Some(agreement) => agreement,
            // A log that a Java master wrote has no epochs; as in Java its bytes are believed.
            None if log.epochs.list().is_empty() && log.end <= welcome.end => log.end,
            None => return Err(Closed::NoAgreement),
        };
        self.next = Some(agreement);
        Ok(Agreed { cut: (agreement < log.end).then_some(agreement) })
    }

    /// The leader answered in Java's dialect: it took the greeting for the first report.
    pub fn answered_in_java(&mut self, now: Millis, log: &LogState) {
        self.last_heard = now;
        self.state = State::Following { dialect: Dialect::Java };
        self.reported = Some(log.end);
    }

    /// A frame begins.
    ///
    /// # Errors
    /// Why the link must be closed.
    pub fn frame(&mut self, now: Millis, head: &Head) -> Result<(), Closed> {
        self.last_heard = now;
        if let Some(expected) = self.next
            && head.at != expected
        {
            return Err(Closed::Position { at: head.at, expected });
        }
        self.failures = 0;
        if head.length > 0 {
            self.next = Some(head.at + i64::try_from(head.length).unwrap_or(0));
            self.epoch = head.epoch;
        }
        Ok(())
    }

    /// What to do now.
    ///
    /// # Errors
    /// Why the link must be closed.
    pub fn step(&mut self, now: Millis, log: &LogState) -> Result<Step, Closed> {
        let dialect = match self.state {
            // The greeting is a report to a Java leader, so it must not promise what a power failure may take.
            State::Parted { .. } if log.durable < log.end => return Ok(Step::Wait { until: now.plus(PAUSE.1) }),
            State::Parted { retry } if now >= retry || retry.since(now) > PAUSE.1 => return Ok(Step::Connect),
            State::Parted { retry } => return Ok(Step::Wait { until: retry }),
            State::Greeting => None,
            State::Following { dialect } => Some(dialect),
        };
        // Of what this member has now, nothing may be told to a leader of before: it may be another one's.
        if log.term != self.term {
            return Err(Closed::Term { link: self.term, now: log.term });
        }
        if log.refused != self.refused {
            return Err(Closed::Refused);
        }
        let silent = now.since(self.last_heard);
        if silent >= self.options.housekeeping {
            return Err(Closed::Silent { millis: silent });
        }
        let deadline = self.last_heard.plus(self.options.housekeeping);
        if dialect.is_none() {
            return Ok(Step::Wait { until: deadline });
        }
        let heartbeat = self.last_sent.plus(self.options.heartbeat);
        // What was cut away is not reported any more, what is not appended yet neither.
        let end = self.next.map_or(log.durable, |next| log.durable.min(next));
        if self.reported.is_none_or(|reported| reported < end) || now >= heartbeat || now < self.last_sent {
            let end = self.reported.map_or(end, |reported| reported.max(end));
            (self.reported, self.last_sent) = (Some(end), now);
            return Ok(Step::Report(Report { epoch: self.epoch, end }));
        }
        Ok(Step::Wait { until: heartbeat.min(deadline) })
    }

    fn pause_max(&self) -> i64 {
        if self.term.is_some() { PAUSE_IN_GROUP } else { PAUSE.1 }
    }

    /// The link is gone, or could not be made.
    pub fn lost(&mut self, now: Millis) {
        let pause = match self.failures {
            0 => 0,
            failures => PAUSE.0.saturating_mul(1 << (failures - 1).min(16)).min(self.pause_max()),
        };
        self.failures += 1;
        self.state = State::Parted { retry: now.plus(pause) };
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::ha::{Epoch, Reign};

    const OPTIONS: LinkOptions = LinkOptions { heartbeat: 5_000, housekeeping: 20_000, batch: 100, flow_limit: None };

    fn epochs(list: &[(i32, i64)]) -> Vec<Epoch> {
        list.iter().map(|&(number, start)| Epoch { number, start: PhysicalOffset(start) }).collect()
    }

    fn log(end: i64, durable: i64, list: &[(i32, i64)]) -> LogState {
        LogState {
            first: PhysicalOffset(0),
            end: PhysicalOffset(end),
            durable: PhysicalOffset(durable),
            segment_bytes: 1_000,
            epochs: Arc::new(Epochs::new(epochs(list))),
            epochs_saved: true,
            refused: 0,
            leads: true,
            term: None,
        }
    }

    fn follower(log: &LogState) -> Follower {
        let mut follower = Follower::new(OPTIONS, BrokerId(1), Millis(0));
        assert_eq!(follower.step(Millis(0), log), Ok(Step::Connect));
        let hello = Hello { broker: BrokerId(1), end: log.end, term: log.term };
        follower.turn_to(log.term);
        assert_eq!(follower.connected(Millis(0), log), hello);
        follower
    }

    fn report(epoch: i32, end: i64) -> Step {
        Step::Report(Report { epoch, end: PhysicalOffset(end) })
    }

    fn head(epoch: i32, at: i64, length: usize) -> Head {
        Head { epoch, at: PhysicalOffset(at), length }
    }

    fn check_welcome(
        own: &[(i32, i64)],
        end: i64,
        leader: &[(i32, i64)],
        leader_end: i64,
        expected: Result<Option<i64>, Closed>,
    ) {
        let log = log(end, end, own);
        let welcome = Welcome { end: PhysicalOffset(leader_end), epochs: epochs(leader), reign: None };
        let agreed = follower(&log).welcomed(Millis(0), &welcome, &log);
        assert_eq!(agreed.map(|agreed| agreed.cut), expected.map(|cut| cut.map(PhysicalOffset)), "{own:?} {end}");
    }

    #[test]
    fn a_greeting_cuts_back_to_the_newest_common_epoch() {
        let leader = [(1, 0), (3, 500)];
        check_welcome(&[(1, 0)], 450, &leader, 900, Ok(None));
        check_welcome(&[(1, 0)], 600, &leader, 900, Ok(Some(500)));
        check_welcome(&[(1, 0), (2, 400)], 600, &leader, 900, Ok(Some(400)));
        check_welcome(&[(2, 0)], 600, &leader, 900, Err(Closed::NoAgreement));
        check_welcome(&[(1, 0)], 600, &[(2, 0)], 900, Ok(Some(0)));
        check_welcome(&[], 0, &leader, 900, Ok(None));
        check_welcome(&[], 600, &leader, 900, Ok(None));
        check_welcome(&[], 901, &leader, 900, Err(Closed::NoAgreement));
    }

    #[test]
    fn only_what_is_appended_and_durable_is_reported() {
        let start = log(100, 100, &[(1, 0)]);
        let mut follower = follower(&start);
        assert_eq!(follower.step(Millis(1), &start), Ok(Step::Wait { until: Millis(20_000) }));
        let welcome = Welcome { end: PhysicalOffset(300), epochs: epochs(&[(1, 0)]), reign: None };
        follower.welcomed(Millis(1), &welcome, &start).unwrap();
        assert_eq!(follower.step(Millis(1), &start), Ok(report(1, 100)));
        follower.frame(Millis(2), &head(1, 100, 50)).unwrap();
        assert_eq!(follower.step(Millis(2), &start), Ok(Step::Wait { until: Millis(5_001) }));
        assert_eq!(follower.step(Millis(2), &log(150, 100, &[(1, 0)])), Ok(Step::Wait { until: Millis(5_001) }));
        assert_eq!(follower.step(Millis(3), &log(150, 150, &[(1, 0)])), Ok(report(1, 150)));
        assert_eq!(follower.step(Millis(5_003), &log(150, 150, &[(1, 0)])), Ok(report(1, 150)));
        let expected = Closed::Position { at: PhysicalOffset(200), expected: PhysicalOffset(150) };
        assert_eq!(follower.frame(Millis(5_004), &head(1, 200, 50)), Err(expected));
        let refused = LogState { refused: 1, ..log(150, 150, &[(1, 0)]) };
        assert_eq!(follower.step(Millis(5_004), &refused), Err(Closed::Refused));
        assert_eq!(follower.step(Millis(25_004), &start), Err(Closed::Silent { millis: 20_000 }));
    }

    #[test]
    fn a_link_of_a_group_ends_with_its_term() {
        let of = |term: i32| LogState { term: Some(Term(term)), ..log(100, 100, &[(1, 0)]) };
        let welcome = |term: Option<i32>| Welcome {
            end: PhysicalOffset(300),
            epochs: epochs(&[(1, 0)]),
            reign: term.map(|term| Reign { term: Term(term), requests: ([127, 0, 0, 1], 10_911).into() }),
        };
        let ended = |now: Option<i32>| Closed::Term { link: Some(Term(3)), now: now.map(Term) };
        for other in [None, Some(2), Some(4)] {
            assert_eq!(follower(&of(3)).welcomed(Millis(1), &welcome(other), &of(3)), Err(ended(other)));
        }
        let mut follower = follower(&of(3));
        follower.welcomed(Millis(1), &welcome(Some(3)), &of(3)).unwrap();
        assert_eq!(follower.step(Millis(1), &of(3)), Ok(report(1, 100)));
        assert_eq!(follower.step(Millis(2), &LogState { end: PhysicalOffset(150), ..of(4) }), Err(ended(Some(4))));
    }

    #[test]
    fn nothing_is_promised_that_is_not_on_disk() {
        let mut follower = Follower::new(OPTIONS, BrokerId(1), Millis(0));
        assert_eq!(follower.step(Millis(0), &log(100, 90, &[(1, 0)])), Ok(Step::Wait { until: Millis(5_000) }));
        assert_eq!(follower.step(Millis(0), &log(100, 100, &[(1, 0)])), Ok(Step::Connect));
    }

    #[test]
    fn a_java_leader_has_the_greeting_for_a_report() {
        let empty = log(0, 0, &[]);
        let mut follower = follower(&empty);
        follower.answered_in_java(Millis(1), &empty);
        follower.frame(Millis(1), &head(0, 2_000, 30)).unwrap();
        assert_eq!(follower.step(Millis(1), &empty), Ok(Step::Wait { until: Millis(5_000) }));
        assert_eq!(follower.step(Millis(1), &log(2_030, 2_030, &[])), Ok(report(0, 2_030)));
    }

    #[test]
    fn a_lost_link_is_made_again_at_once_then_after_growing_pauses() {
        let log = log(0, 0, &[]);
        let mut follower = follower(&log);
        let mut waits = Vec::new();
        for _ in 0..8 {
            follower.lost(Millis(0));
            waits.push(match follower.step(Millis(0), &log) {
                Ok(Step::Wait { until }) => until.0,
                _ => 0,
            });
        }
        assert_eq!(waits, [0, 100, 200, 400, 800, 1_600, 3_200, 5_000]);
        follower.leader_changed(Millis(7));
        assert_eq!(follower.step(Millis(7), &log), Ok(Step::Connect));
        follower.connected(Millis(7), &log);
        follower.answered_in_java(Millis(7), &log);
        follower.frame(Millis(7), &head(0, 0, 0)).unwrap();
        follower.lost(Millis(7));
        assert_eq!(follower.step(Millis(7), &log), Ok(Step::Connect));
    }
}
