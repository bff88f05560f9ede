//! Who may take a message, in which order, and what an answer means.

use crate::protocol::body::route::{QueueData, TopicRouteData};
use crate::protocol::codes::response;
use crate::protocol::ids::{BrokerId, BrokerIdentity};
use crate::protocol::sys_flag::perm;

/// A master that may take a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its broker name.
    pub name: String,
    /// `ip:port`.
    pub address: String,
    /// Its write queues of the topic, when known.
    pub queues: Option<i32>,
}

/// The masters of a topic's route that take messages: of the same cluster, not of the own name. A stand-in shown as master has no
/// queue to write and is left out. `is_topics_own` is false for the route of another topic that stands in for it.
pub(super) fn of_route(route: TopicRouteData, own: &BrokerIdentity, is_topics_own: bool) -> Vec<Candidate> {
    let TopicRouteData { broker_datas, queue_datas, .. } = route;
    let writable = |name: &str| {
        let is_writable =
            |data: &&QueueData| data.broker_name == name && perm::is_writable(data.perm) && data.write_queue_nums > 0;
        queue_datas.iter().find(is_writable).map(|data| data.write_queue_nums)
    };
    let others = broker_datas.into_iter().filter(|data| data.cluster == own.cluster && data.broker_name != own.name);
    let candidate = |mut data: crate::protocol::body::route::BrokerData| {
        let queues = writable(&data.broker_name)?;
        let address = data.broker_addrs.remove(&BrokerId::MASTER.0)?;
        Some(Candidate { name: data.broker_name, address, queues: is_topics_own.then_some(queues) })
    };
    others.filter_map(candidate).collect()
}

/// All of them, another one first each turn.
pub(super) fn in_turn(mut candidates: Vec<Candidate>, turn: usize) -> Vec<Candidate> {
    if let Some(first) = turn.checked_rem(candidates.len()) {
        candidates.rotate_left(first);
    }
    candidates
}

/// What an answer to a send means here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The message is in that master's log. Not yet on its disk or its slaves (10, 11, 12) counts too: sending it again would
    /// make it come twice.
    Stored,
    /// Refused, perhaps for its queue, which that master need not have.
    PerhapsQueue,
    /// Not there.
    Refused,
}

/// What `AbstractSendMessageProcessor.msgCheck` says of a queue id that is too large is also said of much else: 29, before Java 5 it was 1.
pub(super) fn verdict(code: i32) -> Verdict {
    match code {
        response::SUCCESS
        | response::FLUSH_DISK_TIMEOUT
        | response::SLAVE_NOT_AVAILABLE
        | response::FLUSH_SLAVE_TIMEOUT => Verdict::Stored,
        response::INVALID_PARAMETER | response::SYSTEM_ERROR => Verdict::PerhapsQueue,
        _ => Verdict::Refused,
    }
}
