//! How one broker stands with one NameServer. Three kinds of requests, none of which waits for another:
//!
//! ```text
//! registered or not:  register, query, unregister     one under way
//! signs of life:      heartbeat                       one under way: sent, or waiting for a connection
//! who else is there:  members                         one under way
//! ```
//!
//! So a registration that hangs at a slow NameServer costs no heartbeat, and the broker is not dropped meanwhile.

use std::sync::Arc;
use std::time::Duration;

use super::members::Poll;
use super::{Broker, Outcome, Registrant, What};
use crate::container::registration::Membership;
use crate::protocol::ids::BrokerId;

/// First pause after a failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// Longest pause between two tries; Java waits for its next period, 30 s.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Bounds of `registerNameServerPeriod` (`BrokerController.startRegisterService`).
const PERIOD_MIN: Duration = Duration::from_secs(10);
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// A slave whose NameServer knows no master asks it again after this long; Java waits for its next period.
const SEEK_PERIOD: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Standing {
    /// The revision it has; `None` when it has none that we know of.
    pub registered: Option<u64>,
    /// It took a registration over the connection of today, and may have kept it even if a later one failed.
    pub known: bool,
    /// Which registration, query or unregistration is under way, with the revision it carries.
    pub under_way: Option<(What, u64)>,
    /// When to register or query next.
    pub due: Duration,
    pub failures: u32,
    /// The broker is leaving; what to unregister.
    pub leaving: Option<Arc<Registrant>>,
    /// Who is in the broker's group.
    pub poll: Poll,
    heartbeat_due: Duration,
    beating: bool,
    /// It is a slave, and this NameServer knows no master of its name.
    masterless: bool,
}

impl Standing {
    pub fn new(now: Duration) -> Standing {
        Standing {
            registered: None,
            known: false,
            under_way: None,
            due: now,
            failures: 0,
            leaving: None,
            poll: Poll::new(now),
            heartbeat_due: now,
            beating: false,
            masterless: false,
        }
    }

    /// The NameServer has forgotten the broker with its connection.
    pub fn forgotten(&mut self, now: Duration) {
        self.registered = None;
        self.known = false;
        self.hurry(now);
    }

    /// Registers or queries now; a NameServer that fails keeps its pause: a busy broker must not turn it into a storm.
    pub fn hurry(&mut self, now: Duration) {
        if self.failures == 0 {
            self.due = now;
        }
    }

    /// What is to be sent now; each is under way until it has ended. `broker` is `None` when it was removed.
    pub fn take_due(&mut self, broker: Option<&Broker>, now: Duration) -> impl Iterator<Item = What> + use<> {
        let call = self.next_call(broker, now);
        if let Some(what) = call {
            self.under_way = Some((what, broker.map_or(0, |broker| broker.revision)));
        }
        let group = broker.and_then(Broker::group);
        let beat = group.filter(|group| self.heartbeat_wakes(group).is_some_and(|due| due <= now)).map(|group| {
            self.beating = true;
            self.heartbeat_due = now + group.heartbeat_every;
            What::Heartbeat
        });
        let asks = group.is_some_and(|group| self.poll.take_due(group.member_period, now));
        [call, beat, asks.then_some(What::Members)].into_iter().flatten()
    }

    fn next_call(&self, broker: Option<&Broker>, now: Duration) -> Option<What> {
        if self.under_way.is_some() {
            return None;
        }
        if self.leaving.is_some() {
            return Some(What::Unregister);
        }
        let broker = broker.filter(|broker| !broker.is_joining() && self.due <= now)?;
        let current = self.registered == Some(broker.revision);
        // Only a registration is answered with the master.
        let asks = !broker.registrant.registration.force && !self.masterless;
        Some(if current && asks { What::Query } else { What::Register })
    }

    fn heartbeat_wakes(&self, group: &Membership) -> Option<Duration> {
        (!group.joining && self.known && !self.beating && self.leaving.is_none()).then_some(self.heartbeat_due)
    }

    /// When something is due next, if nothing happens before.
    pub fn wakes(&self, broker: &Broker) -> Option<Duration> {
        let group = broker.group();
        let call = (self.under_way.is_none() && !broker.is_joining()).then_some(self.due);
        let heartbeat = group.and_then(|group| self.heartbeat_wakes(group));
        let question = group.and_then(|_| self.poll.wakes());
        [call, heartbeat, question].into_iter().flatten().min()
    }

    /// A request has ended; the revision it carried, 0 for those that carry none. `None` when it was not under way.
    pub fn ended(&mut self, what: What) -> Option<u64> {
        match what {
            What::Heartbeat => std::mem::take(&mut self.beating).then_some(0),
            What::Members => Some(0),
            What::Register | What::Query | What::Unregister => self.under_way.take().map(|(_, revision)| revision),
        }
    }

    /// What came of a registration, a query or a heartbeat.
    pub fn apply(&mut self, what: What, revision: u64, outcome: &Outcome, broker: &Broker, now: Duration) {
        if what == What::Register {
            let is_slave = broker.registrant.registration.id != BrokerId::MASTER;
            self.masterless = is_slave && *outcome == Outcome::Done;
        }
        let period = match self.masterless {
            true => SEEK_PERIOD,
            false => broker.registrant.registration.period.clamp(PERIOD_MIN, PERIOD_MAX),
        };
        let next = if revision == broker.revision { now + period } else { now };
        match (what, outcome) {
            (What::Heartbeat, Outcome::Done) => {}
            (_, Outcome::Done | Outcome::Master(_) | Outcome::Members(_)) => {
                if let Some(group) = broker.group().filter(|_| !self.known) {
                    self.heartbeat_due = now + group.heartbeat_every;
                }
                self.registered = Some(revision);
                self.known = true;
                self.failures = 0;
                self.due = next;
            }
            (_, Outcome::Changed(false)) => {
                self.failures = 0;
                self.due = next;
            }
            (_, Outcome::Changed(true)) => {
                self.registered = None;
                self.due = now;
            }
            (_, Outcome::Refused(_) | Outcome::Unreachable(_)) => {
                self.registered = None;
                self.known &= what != What::Heartbeat;
                let pause = RETRY_MIN.saturating_mul(1 << self.failures.min(8)).min(RETRY_MAX);
                self.failures = self.failures.saturating_add(1);
                self.due = now + pause;
            }
        }
    }
}
