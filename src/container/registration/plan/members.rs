//! Who is in a group: what each NameServer said last, and what they say together.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::Members;

/// One NameServer asked for one group again and again (Java: `syncBrokerMemberGroup`).
#[derive(Debug)]
pub(super) struct Poll {
    due: Duration,
    under_way: bool,
    failing: bool,
    /// The newest answer; a NameServer that fails has none.
    answer: Option<Members>,
}

impl Poll {
    pub fn new(now: Duration) -> Poll {
        Poll { due: now, under_way: false, failing: false, answer: None }
    }

    /// When to ask next; none while an answer is awaited.
    pub fn wakes(&self) -> Option<Duration> {
        (!self.under_way).then_some(self.due)
    }

    /// Whether to ask now; an answer is awaited from then on.
    pub fn take_due(&mut self, period: Duration, now: Duration) -> bool {
        let asks = !self.under_way && self.due <= now;
        if asks {
            self.under_way = true;
            self.due = now + period;
        }
        asks
    }

    /// Something has changed: asks without waiting for the period, once more when an answer that may be older is awaited.
    pub fn hurry(&mut self, now: Duration) {
        self.due = now;
    }

    /// An answer, or none. Returns whether this is the first failure after a success, or at all.
    pub fn ended(&mut self, answer: Option<Members>) -> bool {
        let first_failure = answer.is_none() && !self.failing;
        self.under_way = false;
        self.failing = answer.is_none();
        self.answer = answer;
        first_failure
    }

    pub fn answer(&self) -> Option<&Members> {
        self.answer.as_ref()
    }
}

/// The union, so that a member is gone only when every NameServer that answers has dropped it; `None` without any answer. Where two
/// NameServers know one id under two addresses the first counts, until both have heard of the newer one.
pub(super) fn union<'a>(answers: impl Iterator<Item = &'a Members>) -> Option<Members> {
    answers.fold(None, |union: Option<Members>, Members(members)| {
        let mut together: BTreeMap<_, _> = union.map(|Members(known)| known).unwrap_or_default();
        for (id, address) in members {
            together.entry(*id).or_insert_with(|| address.clone());
        }
        Some(Members(together))
    })
}
