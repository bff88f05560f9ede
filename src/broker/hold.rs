//! Pulls that found nothing and wait for a message (Java: `PullRequestHoldService`).
//!
//! ```text
//! nothing found --hold--> by queue --arrival with a wanted tag--> read again, not held a second time
//!                                  --deadline-------------------> read again, not held a second time
//!                                  --connection closed----------> forgotten
//! ```
//!
//! The number of held pulls is limited; one more is answered at once, and the client asks again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::protocol::filter::TagFilter;
use crate::protocol::ids::{Millis, QueueId, QueueOffset};
use crate::remoting::ConnectionId;

use super::action::RequestId;

/// Held pulls per broker.
pub const HELD_MAX: usize = 100_000;

/// A checked pull, with all that its answer needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pull {
    /// Who waits.
    pub to: RequestId,
    /// Whose request it is.
    pub connection: ConnectionId,
    /// The consumer group.
    pub group: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The queue.
    pub queue: QueueId,
    /// The first offset wanted.
    pub from: QueueOffset,
    /// At most this many messages.
    pub messages_max: usize,
    /// The tags wanted.
    pub tags: TagFilter,
    /// Until when it may wait for a message; `None` once it may not (any more).
    pub hold_until: Option<Millis>,
    /// `topicSysFlag` of the answer.
    pub topic_sys_flag: i32,
    /// `groupSysFlag` of the answer.
    pub group_sys_flag: i32,
    /// Where the consumer is told to read on.
    pub advice: Advice,
    /// When the request came.
    pub received: Millis,
}

/// Where a consumer is told to read on (`suggestWhichBrokerId`), and how a slave answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Advice {
    /// The broker for what is recent: 0, or with `slaveReadEnable` the group's `brokerId`.
    pub recent: i64,
    /// The broker for what is old: 0, or with `slaveReadEnable` the group's `whichBrokerWhenConsumeSlowly`.
    pub old: i64,
    /// Set by a slave.
    pub slave: Option<SlaveAdvice>,
}

/// How a slave answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlaveAdvice {
    /// Its master is there: whoever finds nothing here asks the master.
    pub master_is_there: bool,
    /// `offsetCheckInSlave`: it moves consumers whose offset it does not have; else only the master does.
    pub corrects_offsets: bool,
}

/// All held pulls of a broker.
#[derive(Debug, Default)]
pub struct Holds {
    held: BTreeMap<RequestId, Pull>,
    by_queue: HashMap<(Arc<str>, QueueId), Vec<RequestId>>,
    by_deadline: BTreeSet<(Millis, RequestId)>,
}

impl Holds {
    /// Holds a pull until its `hold_until`; gives it back when the limit is reached or it may not wait.
    ///
    /// # Errors
    /// The pull itself, to be answered now.
    pub fn hold(&mut self, pull: Box<Pull>) -> Result<(), Box<Pull>> {
        let Some(deadline) = pull.hold_until else { return Err(pull) };
        if self.held.len() >= HELD_MAX {
            return Err(pull);
        }
        self.by_queue.entry((Arc::clone(&pull.topic), pull.queue)).or_default().push(pull.to);
        self.by_deadline.insert((deadline, pull.to));
        self.held.insert(pull.to, *pull);
        Ok(())
    }

    /// The pulls that a new message wakes: those of its queue that want its tag.
    pub fn wake(&mut self, topic: &Arc<str>, queue: QueueId, offset: QueueOffset, tags_code: i64) -> Vec<Pull> {
        let Some(waiting) = self.by_queue.get(&(Arc::clone(topic), queue)) else { return Vec::new() };
        let wanted =
            |id: &&RequestId| self.held.get(id).is_some_and(|pull| offset >= pull.from && pull.tags.matches(tags_code));
        let ids: Vec<RequestId> = waiting.iter().filter(wanted).copied().collect();
        ids.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// The pulls whose time is over.
    pub fn expired(&mut self, now: Millis) -> Vec<Pull> {
        let late: Vec<RequestId> =
            self.by_deadline.iter().take_while(|(deadline, _)| *deadline <= now).map(|(_, id)| *id).collect();
        late.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// Forgets the pulls of a closed connection; returns them so that their reply slots can go too.
    pub fn forget(&mut self, connection: ConnectionId) -> Vec<Pull> {
        let gone: Vec<RequestId> =
            self.held.values().filter(|pull| pull.connection == connection).map(|pull| pull.to).collect();
        gone.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// Releases every pull of a topic (it was deleted) or all of them (the broker stops).
    pub fn release_all(&mut self, topic: Option<&str>) -> Vec<Pull> {
        let ids: Vec<RequestId> = self
            .held
            .values()
            .filter(|pull| topic.is_none_or(|topic| *topic == *pull.topic))
            .map(|pull| pull.to)
            .collect();
        ids.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// Releases the pulls of a group that an operator has moved.
    pub fn release_group(&mut self, topic: &str, group: &str) -> Vec<Pull> {
        let of_group = |pull: &&Pull| *pull.topic == *topic && *pull.group == *group;
        let ids: Vec<RequestId> = self.held.values().filter(of_group).map(|pull| pull.to).collect();
        ids.into_iter().filter_map(|id| self.release(id)).collect()
    }

    /// When the next pull has waited long enough.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// How many are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    fn release(&mut self, id: RequestId) -> Option<Pull> {
        let mut pull = self.held.remove(&id)?;
        let deadline = pull.hold_until.take()?;
        self.by_deadline.remove(&(deadline, id));
        let key = (Arc::clone(&pull.topic), pull.queue);
        if let Some(waiting) = self.by_queue.get_mut(&key) {
            waiting.retain(|other| *other != id);
            if waiting.is_empty() {
                self.by_queue.remove(&key);
            }
        }
        Some(pull)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(id: u64, topic: &str, from: i64, tags: TagFilter, until: i64) -> Box<Pull> {
        Box::new(Pull {
            to: RequestId(id),
            connection: ConnectionId(id % 2),
            group: "g".into(),
            topic: topic.into(),
            queue: QueueId(0),
            from: QueueOffset(from),
            messages_max: 32,
            tags,
            hold_until: Some(Millis(until)),
            topic_sys_flag: 0,
            group_sys_flag: 0,
            advice: Advice::default(),
            received: Millis(0),
        })
    }

    fn ids(pulls: Vec<Pull>) -> Vec<u64> {
        assert!(pulls.iter().all(|pull| pull.hold_until.is_none()), "a woken pull is not held again");
        pulls.iter().map(|pull| pull.to.0).collect()
    }

    fn four() -> Holds {
        let mut holds = Holds::default();
        for pull in [
            pull(1, "t", 5, TagFilter::All, 30),
            pull(2, "t", 5, TagFilter::codes([7]), 20),
            pull(3, "t", 9, TagFilter::All, 10),
            pull(4, "u", 0, TagFilter::All, 40),
        ] {
            holds.hold(pull).unwrap();
        }
        holds
    }

    #[test]
    fn an_arrival_wakes_who_wants_it() {
        let mut holds = four();
        let topic: Arc<str> = "t".into();
        assert_eq!(ids(holds.wake(&topic, QueueId(1), QueueOffset(9), 7)), [] as [u64; 0]);
        assert_eq!(ids(holds.wake(&topic, QueueId(0), QueueOffset(5), 8)), [1]);
        assert_eq!(ids(holds.wake(&topic, QueueId(0), QueueOffset(9), 7)), [2, 3]);
        assert_eq!(holds.len(), 1);
        assert_eq!(holds.by_queue.len(), 1);
    }

    #[test]
    fn deadlines_closures_and_deletions_release() {
        let mut holds = four();
        assert_eq!(holds.next_deadline(), Some(Millis(10)));
        assert_eq!(ids(holds.expired(Millis(20))), [3, 2]);
        assert_eq!(ids(holds.forget(ConnectionId(0))), [4]);
        assert_eq!(ids(holds.release_all(Some("u"))), [] as [u64; 0]);
        assert_eq!(ids(holds.release_all(None)), [1]);
        assert!(holds.is_empty() && holds.by_queue.is_empty() && holds.by_deadline.is_empty());
    }
}
