//! What a broker does before it takes part in its group (Java: `BrokerPreOnlineService`). Pure.
//!
//! ```text
//! master: for each other member, by id:  906 "follow me" -> its link stands -> its delay offsets, its consumer offsets -> next
//! slave:  906 to the master, "where is your log?" -> the link stands -> online
//! nobody else, or a slave without a master: online at once
//! any failure: again after a second, with the members of that moment
//! ```
//!
//! While the master was away its slave has let consumers go on and has delivered delayed messages: a master that came back with its
//! own old offsets would have all of that done twice.

use std::collections::BTreeSet;

use crate::broker::group::Members;
use crate::protocol::ids::{BrokerId, Millis};

/// A failed attempt is made again after this long.
const RETRY_MILLIS: i64 = 1_000;
/// A member that was told where the log is has this long to connect; a Java slave looks every 5 s.
const LINK_MILLIS: i64 = 10_000;

/// A question to another member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
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
    /// Take part.
    Online,
}

/// How far it is with one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Exchange,
    Link { since: Millis },
    DelayOffsets,
    ConsumerOffsets,
}

/// The way of one broker into its group.
#[derive(Debug)]
pub struct Joining {
    own: BrokerId,
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
        Joining { own, done: BTreeSet::new(), current: None, asking: false, retry_at: Millis(i64::MIN), failure: None }
    }

    /// What to do now; `linked` is whether the log flows between this broker and that member.
    pub fn step(&mut self, now: Millis, members: Option<&Members>, linked: impl Fn(BrokerId, &str) -> bool) -> Step {
        let Some(members) = members else { return self.wait(None, "a NameServer that says who is in the group") };
        let Some((member, address)) = self.next(members) else { return Step::Online };
        let named = format!("broker {member} at {address}");
        if self.asking {
            return self.wait(None, &format!("an answer of {named}"));
        }
        if now < self.retry_at {
            return self.wait(Some(self.retry_at), &named);
        }
        let stage = self.current.filter(|(current, _)| *current == member).map_or(Stage::Exchange, |(_, stage)| stage);
        let stage = match stage {
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
            Stage::DelayOffsets => Question::DelayOffsets,
            Stage::ConsumerOffsets => Question::ConsumerOffsets,
            Stage::Exchange | Stage::Link { .. } => Question::Exchange,
        };
        Step::Ask { member, address: address.to_owned(), question }
    }

    /// The member has answered, or not.
    pub fn answered(&mut self, now: Millis, result: Result<(), String>) {
        self.asking = false;
        let Some((member, stage)) = self.current else { return };
        match (result, stage) {
            (Err(reason), _) => self.fail(now, reason),
            (Ok(()), Stage::Exchange | Stage::Link { .. }) => {
                self.current = Some((member, Stage::Link { since: now }));
            }
            (Ok(()), Stage::DelayOffsets) => self.current = Some((member, Stage::ConsumerOffsets)),
            (Ok(()), Stage::ConsumerOffsets) => {
                self.done.insert(member);
                self.current = None;
                self.failure = None;
            }
        }
    }

    /// Whom to turn to: a master to each of the others, a slave to its master.
    fn next<'a>(&self, members: &'a Members) -> Option<(BrokerId, &'a str)> {
        let mut others = members.0.iter().filter(|(id, _)| **id != self.own && !self.done.contains(id));
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
        Members(&'static [i64]),
        Linked(&'static [i64]),
        Answer,
        Failure,
    }

    use Event::{Answer, At, Failure, Linked, Members as Known};

    /// After each event the steps until it waits, shown shortly.
    fn check(own: i64, events: &[(Event, &str)]) {
        let mut joining = Joining::new(BrokerId(own));
        let (mut now, mut known, mut links) = (Millis(0), None, &[][..]);
        for (event, expected) in events {
            match event {
                At(at) => now = Millis(*at),
                Known(ids) => known = Some(members(ids)),
                Linked(ids) => links = ids,
                Answer => joining.answered(now, Ok(())),
                Failure => joining.answered(now, Err("refused".to_owned())),
            }
            let step = joining.step(now, known.as_ref(), |id, _| links.contains(&id.0));
            let shown = match step {
                Step::Ask { member, address, question } => format!("{question:?} {member} {address}"),
                Step::Wait { until, waits_for } => format!("{} {waits_for}", until.map_or(-1, |until| until.0)),
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
                (Known(&[0, 1, 2]), "Exchange 1 h1"),
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
        check(0, &[(Known(&[]), "online")]);
        // Its own registration of before.
        check(0, &[(Known(&[0]), "online")]);
    }
}
