//! What a broker does before it takes part in its group (Java: `BrokerPreOnlineService`). Pure.
//!
//! ```text
//! master: for each other member, by id:  1007 "what is in your log?" -> more than here: fetch it -> next
//!         then lead: a new epoch begins where the log ends, and followers are let in
//!         for each other member, by id:  906 "follow me" -> its link stands -> its delay offsets, its consumer offsets -> next
//! slave:  906 to the master, "where is your log?" -> the link stands -> online
//! nobody else, or a slave without a master: online at once
//! any failure: again after a second, with the members of that moment
//! ```
//!
//! While the master was away its slave has let consumers go on and has delivered delayed messages: a master that came back with its
//! own old offsets would have all of that done twice. And a master that has lost power with ASYNC_FLUSH has less of its log than the
//! slaves which have acknowledged it: were they to follow at once, they would be cut back, and what producers were told is stored
//! would be gone. So it follows them first. Java has no such step: there the logs differ from then on.

use std::collections::BTreeSet;

use crate::broker::group::Members;
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};

/// A failed attempt is made again after this long.
const RETRY_MILLIS: i64 = 1_000;
/// A member that was told where the log is has this long to connect; a Java slave looks every 5 s.
const LINK_MILLIS: i64 = 10_000;

/// A question to another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// 1007: a master asks how long the log is.
    Log,
    /// 906: a master tells a slave where it is, a slave asks its master.
    Exchange,
    /// 45.
    DelayOffsets,
    /// 43.
    ConsumerOffsets,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask a member; [`Joining::answered`] follows.
    Ask {
        /// Its id.
        member: BrokerId,
        /// Where it is.
        address: String,
        /// What.
        question: Question,
    },
    /// Wait for an event, or until then.
    Wait {
        /// When to look again; `None` when only an event helps.
        until: Option<Millis>,
        /// What for.
        waits_for: String,
    },
    /// Begin an epoch of its own; [`Joining::leads`] follows.
    Lead,
    /// Take part.
    Online,
}

/// How far it is with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Log,
    /// The log grows to `until`; it had `end` at `since`.
    CatchUp {
        until: PhysicalOffset,
        end: PhysicalOffset,
        since: Millis,
    },
    Exchange,
    Link {
        since: Millis,
    },
    DelayOffsets,
    ConsumerOffsets,
}

/// The way of one broker into its group.
#[derive(Debug)]
pub struct Joining {
    own: BrokerId,
    /// Members whose log is not longer.
    compared: BTreeSet<BrokerId>,
    /// Whether it has begun an epoch, or is about to; a slave never does.
    leading: Option<bool>,
    /// Members whose offsets are here.
    done: BTreeSet<BrokerId>,
    current: Option<(BrokerId, Stage)>,
    asking: bool,
    retry_at: Millis,
    failure: Option<String>,
}

impl Joining {
    /// The first step of the broker with this id.
    #[must_use]
    pub fn new(own: BrokerId) -> Joining {
        let retry_at = Millis(i64::MIN);
        let (compared, done) = (BTreeSet::new(), BTreeSet::new());
        Joining { own, compared, leading: None, done, current: None, asking: false, retry_at, failure: None }
    }

    /// What to do now; `end` is that of the log, `linked` whether the log flows between this broker and that member.
    pub fn step(
        &mut self,
        now: Millis,
        members: Option<&Members>,
        end: PhysicalOffset,
        linked: impl Fn(BrokerId, &str) -> bool,
    ) -> Step {
        let Some(members) = members else { return self.wait(None, "a NameServer that says who is in the group") };
        if let Some((member, Stage::CatchUp { until, .. })) = self.current
            && end >= until
        {
            self.compared.insert(member);
            self.current = None;
        }
        let Some((member, address)) = self.next(members) else { return self.nobody_left() };
        let named = format!("broker {member} at {address}");
        if self.asking {
            return self.wait(None, &format!("an answer of {named}"));
        }
        if now < self.retry_at {
            return self.wait(Some(self.retry_at), &named);
        }
        let first = if self.compares() { Stage::Log } else { Stage::Exchange };
        let stage = self.current.filter(|(current, _)| *current == member).map_or(first, |(_, stage)| stage);
        let stage = match stage {
            Stage::CatchUp { until, end: before, since } if end > before || now.since(since) < LINK_MILLIS => {
                let since = if end > before { now } else { since };
                self.current = Some((member, Stage::CatchUp { until, end, since }));
                let what = format!("what {named} has and this log has not, {} bytes", until - end);
                return self.wait(Some(since.plus(LINK_MILLIS)), &what);
            }
            Stage::CatchUp { .. } => {
                self.fail(now, format!("the log does not grow for {} s", LINK_MILLIS / 1_000));
                return self.wait(Some(self.retry_at), &named);
            }
            Stage::Link { .. } if linked(member, address) => match self.own {
                BrokerId::MASTER => Stage::DelayOffsets,
                _ => return Step::Online,
            },
            Stage::Link { since } if now.since(since) >= LINK_MILLIS => {
                self.fail(now, format!("the log does not flow after {} s", LINK_MILLIS / 1_000));
                return self.wait(Some(self.retry_at), &named);
            }
            Stage::Link { since } => {
                let what = format!("the log to flow between this broker and {named}");
                return self.wait(Some(since.plus(LINK_MILLIS)), &what);
            }
            stage => stage,
        };
        self.current = Some((member, stage));
        self.asking = true;
        let question = match stage {
            Stage::Log | Stage::CatchUp { .. } => Question::Log,
            Stage::DelayOffsets => Question::DelayOffsets,
            Stage::ConsumerOffsets => Question::ConsumerOffsets,
            Stage::Exchange | Stage::Link { .. } => Question::Exchange,
        };
        Step::Ask { member, address: address.to_owned(), question }
    }

    /// The member has answered, or not; [`Question::Log`] with the end of its log when this one is to grow to there.
    pub fn answered(&mut self, now: Millis, result: Result<Option<PhysicalOffset>, String>) {
        self.asking = false;
        let Some((member, stage)) = self.current else { return };
        match (result, stage) {
            (Err(reason), _) => self.fail(now, reason),
            (Ok(Some(until)), Stage::Log) => {
                self.current = Some((member, Stage::CatchUp { until, end: PhysicalOffset(-1), since: now }));
            }
            (Ok(_), Stage::Log | Stage::CatchUp { .. }) => {
                self.compared.insert(member);
                self.current = None;
                self.failure = None;
            }
            (Ok(_), Stage::Exchange | Stage::Link { .. }) => {
                self.current = Some((member, Stage::Link { since: now }));
            }
            (Ok(_), Stage::DelayOffsets) => self.current = Some((member, Stage::ConsumerOffsets)),
            (Ok(_), Stage::ConsumerOffsets) => {
                self.done.insert(member);
                self.current = None;
                self.failure = None;
            }
        }
    }

    /// Its epoch is on disk, and the log takes messages.
    pub fn leads(&mut self) {
        self.leading = Some(true);
    }

    /// Whether it has said [`Step::Lead`], and [`Joining::leads`] is still to come.
    #[must_use]
    pub fn is_about_to_lead(&self) -> bool {
        self.leading == Some(false)
    }

    /// Whether followers may be let in: what they have and this log has not is here.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        self.leading == Some(true)
    }

    /// Whether it still compares logs.
    fn compares(&self) -> bool {
        self.own == BrokerId::MASTER && self.leading.is_none()
    }

    fn nobody_left(&mut self) -> Step {
        if self.own != BrokerId::MASTER || self.leading == Some(true) {
            return Step::Online;
        }
        if self.leading.is_none() {
            self.leading = Some(false);
            return Step::Lead;
        }
        self.wait(None, "its epoch on disk")
    }

    /// Whom to turn to: a master to each of the others, a slave to its master.
    fn next<'a>(&self, members: &'a Members) -> Option<(BrokerId, &'a str)> {
        if self.leading == Some(false) {
            return None;
        }
        let behind = if self.compares() { &self.compared } else { &self.done };
        let mut others = members.0.iter().filter(|(id, _)| **id != self.own && !behind.contains(id));
        let found = match self.own {
            BrokerId::MASTER => others.next(),
            _ => others.find(|(id, _)| **id == BrokerId::MASTER),
        };
        found.map(|(id, address)| (*id, address.as_str()))
    }

    fn fail(&mut self, now: Millis, reason: String) {
        self.current = None;
        self.retry_at = now.plus(RETRY_MILLIS);
        self.failure = Some(reason);
    }

    fn wait(&self, until: Option<Millis>, what: &str) -> Step {
        let failure = self.failure.as_deref().map(|failure| format!(" ({failure})")).unwrap_or_default();
        Step::Wait { until, waits_for: format!("{what}{failure}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(ids: &[i64]) -> Members {
        Members(ids.iter().map(|id| (BrokerId(*id), format!("h{id}"))).collect())
    }

    /// One event and what follows from it.
    enum Event {
        At(i64),
        /// The log has grown to there.
        End(i64),
        /// 1007 was answered: the member's log ends there.
        Longer(i64),
        Leads,
        Members(&'static [i64]),
        Linked(&'static [i64]),
        Answer,
        Failure,
    }

    use Event::{Answer, At, End, Failure, Leads, Linked, Longer, Members as Known};

    /// After each event the steps until it waits, shown shortly.
    fn check(own: i64, events: &[(Event, &str)]) {
        let mut joining = Joining::new(BrokerId(own));
        let (mut now, mut known, mut links, mut log) = (Millis(0), None, &[][..], PhysicalOffset(100));
        for (event, expected) in events {
            match event {
                At(at) => now = Millis(*at),
                Known(ids) => known = Some(members(ids)),
                Linked(ids) => links = ids,
                Answer => joining.answered(now, Ok(None)),
                Longer(end) => joining.answered(now, Ok(Some(PhysicalOffset(*end)))),
                End(end) => log = PhysicalOffset(*end),
                Leads => joining.leads(),
                Failure => joining.answered(now, Err("refused".to_owned())),
            }
            let step = joining.step(now, known.as_ref(), log, |id, _| links.contains(&id.0));
            let shown = match step {
                Step::Ask { member, address, question } => format!("{question:?} {member} {address}"),
                Step::Wait { until, waits_for } => format!("{} {waits_for}", until.map_or(-1, |until| until.0)),
                Step::Lead => "lead".to_owned(),
                Step::Online => "online".to_owned(),
            };
            assert_eq!(shown, *expected);
        }
    }

    #[test]
    fn a_master_takes_over_what_each_slave_has() {
        check(
            0,
            &[
                (At(0), "-1 a NameServer that says who is in the group"),
                (Known(&[0, 1, 2]), "Log 1 h1"),
                (Answer, "Log 2 h2"),
                (Answer, "lead"),
                (At(0), "-1 its epoch on disk"),
                (Leads, "Exchange 1 h1"),
                (At(1), "-1 an answer of broker 1 at h1"),
                (Answer, "10001 the log to flow between this broker and broker 1 at h1"),
                (Linked(&[1]), "DelayOffsets 1 h1"),
                (Answer, "ConsumerOffsets 1 h1"),
                (Answer, "Exchange 2 h2"),
                (Failure, "1001 broker 2 at h2 (refused)"),
                (At(1_001), "Exchange 2 h2"),
                // It has died meanwhile.
                (Known(&[1]), "online"),
            ],
        );
    }

    #[test]
    fn a_slave_waits_for_its_master_alone() {
        check(
            2,
            &[
                (Known(&[0, 1]), "Exchange 0 h0"),
                (Answer, "10000 the log to flow between this broker and broker 0 at h0"),
                (At(10_000), "11000 broker 0 at h0 (the log does not flow after 10 s)"),
                (At(11_000), "Exchange 0 h0"),
                (
                    Answer,
                    "21000 the log to flow between this broker and broker 0 at h0 (the log does not flow after 10 s)",
                ),
                (Linked(&[0]), "online"),
            ],
        );
        check(2, &[(Known(&[1]), "online")]);
    }

    #[test]
    fn nobody_to_wait_for() {
        check(0, &[(Known(&[]), "lead"), (Leads, "online")]);
        // Its own registration of before.
        check(0, &[(Known(&[0]), "lead"), (Leads, "online")]);
    }

    #[test]
    fn a_master_fetches_what_only_its_slaves_have() {
        check(
            0,
            &[
                (Known(&[1, 2]), "Log 1 h1"),
                (Longer(300), "10000 what broker 1 at h1 has and this log has not, 200 bytes"),
                (At(9_000), "10000 what broker 1 at h1 has and this log has not, 200 bytes"),
                (End(200), "19000 what broker 1 at h1 has and this log has not, 100 bytes"),
                (At(19_000), "20000 broker 1 at h1 (the log does not grow for 10 s)"),
                (At(20_000), "Log 1 h1"),
                (
                    Longer(300),
                    "30000 what broker 1 at h1 has and this log has not, 100 bytes (the log does not grow for 10 s)",
                ),
                (End(300), "Log 2 h2"),
                (Answer, "lead"),
                (Leads, "Exchange 1 h1"),
            ],
        );
    }
}
