//! How long administrators waited for a topic or a group: from their request to its answer, the write of the file included
//! (Java: `AdminBrokerProcessor.updateAndCreateTopic` and its like). What a producer or consumer makes by using it does not
//! count, as in Java. Pure.

use std::collections::BTreeMap;

use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::ids::Millis;

use super::action::{Action, RequestId};
use super::core::Core;

/// Upper bounds of the buckets in milliseconds; a last bucket is above them (Java: `BrokerMetricsManager`).
pub const CREATION_MILLIS_BOUNDS: [u64; 5] = [10, 100, 1_000, 3_000, 5_000];

/// What was to be made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Creation {
    /// One topic (17) or a list of them (18).
    Topic {
        /// Whether it is one of the system's, which is refused; never for a list, as in Java.
        is_system: bool,
    },
    /// One group (200) or a list of them (225).
    Group,
}

/// How long requests of one kind took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreationTimes {
    /// Requests in each bucket of [`CREATION_MILLIS_BOUNDS`] and above, not cumulated.
    pub buckets: [u64; CREATION_MILLIS_BOUNDS.len() + 1],
    /// Sum in milliseconds.
    pub sum_millis: u64,
}

impl CreationTimes {
    fn add(&mut self, millis: u64) {
        self.buckets[CREATION_MILLIS_BOUNDS.partition_point(|bound| *bound < millis)] += 1;
        self.sum_millis += millis;
    }
}

/// The times of all of them, and who still waits.
#[derive(Debug, Default)]
pub struct Creations {
    /// No more than requests in flight.
    asked: BTreeMap<RequestId, (Creation, Millis)>,
    times: BTreeMap<(Creation, bool), CreationTimes>,
}

impl Creations {
    /// A request came.
    pub fn asked(&mut self, now: Millis, to: RequestId, creation: Creation) {
        self.asked.insert(to, (creation, now));
    }

    /// Looks for answers to those requests.
    pub fn answered(&mut self, now: Millis, actions: &[Action]) {
        if self.asked.is_empty() {
            return;
        }
        for action in actions {
            let Action::Reply { to, response } = action else { continue };
            if let Some((creation, since)) = self.asked.remove(to) {
                let times = self.times.entry((creation, response.code == response::SUCCESS)).or_default();
                times.add(now.since(since).max(0).unsigned_abs());
            }
        }
    }

    /// The times so far: what, whether it succeeded, how long.
    pub fn times(&self) -> impl Iterator<Item = (Creation, bool, CreationTimes)> {
        self.times.iter().map(|((creation, succeeded), times)| (*creation, *succeeded, *times))
    }
}

impl Core {
    /// What a request is to make; nothing as a rule.
    pub(super) fn creation(&self, command: &Command) -> Option<Creation> {
        match command.code {
            request::UPDATE_AND_CREATE_TOPIC => {
                let is_system = command.ext.get("topic").is_some_and(|topic| self.is_system_topic(topic));
                Some(Creation::Topic { is_system })
            }
            request::UPDATE_AND_CREATE_TOPIC_LIST => Some(Creation::Topic { is_system: false }),
            request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP | request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST => {
                Some(Creation::Group)
            }
            _ => None,
        }
    }
}
