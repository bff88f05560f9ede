//! What was acknowledged, and whether it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::offset::{MaxOffsetRequest, OffsetResponse};
use mqcontainer::protocol::headers::pull::PullRequest;
use mqcontainer::protocol::ids::{QueueId, QueueOffset};
use mqcontainer::protocol::record::{BodyCrc, records};
use tokio::sync::watch;

use crate::support::{DEADLINE, Outcome, Peer, until};

/// A queue of a broker.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Queue {
    pub broker: usize,
    pub topic: String,
    pub id: i32,
}

/// A message as its producer was told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    pub id: String,
    pub body: Vec<u8>,
}

/// Every acknowledgement of a test, over all kills.
pub struct Journal {
    entries: Mutex<BTreeMap<Queue, BTreeMap<i64, Acknowledged>>>,
    count: watch::Sender<usize>,
    late: watch::Sender<usize>,
}

impl Default for Journal {
    fn default() -> Self {
        Journal { entries: Mutex::default(), count: watch::channel(0).0, late: watch::channel(0).0 }
    }
}

impl Journal {
    /// Writes an acknowledgement down; no place is given twice.
    pub fn acknowledged(&self, queue: Queue, offset: QueueOffset, message: Acknowledged) {
        let mut entries = self.entries.lock().unwrap();
        let earlier = entries.entry(queue.clone()).or_default().insert(offset.0, message.clone());
        assert_eq!(earlier, None, "{queue:?} {offset}: acknowledged twice, now as {message:?}");
        self.count.send_modify(|count| *count += 1);
    }

    /// A request was answered FLUSH_SLAVE_TIMEOUT: its messages are stored, but nothing is promised.
    pub fn not_confirmed(&self) {
        self.late.send_modify(|count| *count += 1);
    }

    /// How many messages were acknowledged.
    pub fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// How many requests were stored without a promise.
    pub fn late(&self) -> usize {
        *self.late.borrow()
    }

    /// What was acknowledged, wherever it is.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        let entries = self.entries.lock().unwrap();
        entries.values().flat_map(BTreeMap::values).map(|message| message.body.clone()).collect()
    }

    /// Waits until so many messages were acknowledged.
    pub async fn wait_for(&self, count: usize) {
        reaches(&self.count, count, "acknowledged").await;
    }

    /// Waits until so many requests were stored without a promise.
    pub async fn wait_for_late(&self, count: usize) {
        reaches(&self.late, count, "answered FLUSH_SLAVE_TIMEOUT").await;
    }

    /// Compares all queues of the brokers at these addresses with the journal; returns how many messages it holds.
    pub async fn check(&self, brokers: &[String]) -> Outcome<usize> {
        let entries = self.entries.lock().unwrap().clone();
        let client = Peer::new();
        let mut seen = BTreeSet::new();
        for (queue, expected) in &entries {
            let broker = &brokers[queue.broker];
            let stored = read_all(&client, broker, queue, expected).await?;
            for (offset, message) in expected {
                assert_eq!(stored.get(offset), Some(message), "{queue:?} {offset}: acknowledged and not there");
            }
            for (offset, message) in stored {
                assert!(seen.insert((queue.broker, message.body)), "{queue:?} {offset}: stored twice");
            }
        }
        Ok(entries.values().map(BTreeMap::len).sum())
    }
}

async fn reaches(counter: &watch::Sender<usize>, wanted: usize, what: &str) {
    let mut counts = counter.subscribe();
    let enough = tokio::time::timeout(DEADLINE, counts.wait_for(|now| *now >= wanted)).await;
    assert!(enough.is_ok(), "{what} within a minute: {}, not {wanted}", *counter.borrow());
}

/// Everything in a queue; panics at a gap.
async fn read_all(
    client: &Peer,
    broker: &str,
    queue: &Queue,
    expected: &BTreeMap<i64, Acknowledged>,
) -> Outcome<BTreeMap<i64, Acknowledged>> {
    let wanted = expected.keys().next_back().map_or(0, |last| last + 1);
    // Queues follow the log; right after a start they may still be on their way.
    until(&format!("{queue:?} has its {wanted} messages"), || async {
        max_offset(client, broker, queue).await.is_ok_and(|max| max >= wanted)
    })
    .await;
    let max = max_offset(client, broker, queue).await?;
    let mut stored = BTreeMap::new();
    while (stored.len() as i64) < max {
        let answer = client.ask(broker, pull(queue, stored.len() as i64)).await?;
        assert_eq!(answer.code, response::SUCCESS, "{queue:?} at {}: {:?}", stored.len(), answer.remark);
        let body = answer.body.to_bytes();
        for record in records(&body, BodyCrc::Check) {
            let record = record?;
            assert_eq!(record.queue_offset.0, stored.len() as i64, "{queue:?}: a gap");
            assert_eq!((record.topic, record.queue_id.0), (queue.topic.as_str(), queue.id));
            let message = Acknowledged { id: record.message_id(), body: record.body.to_vec() };
            stored.insert(record.queue_offset.0, message);
        }
    }
    Ok(stored)
}

async fn max_offset(client: &Peer, broker: &str, queue: &Queue) -> Outcome<i64> {
    let mut command = Command { code: request::GET_MAX_OFFSET, ..Command::default() };
    MaxOffsetRequest { topic: &queue.topic, queue_id: QueueId(queue.id), committed: true }.encode(&mut command.ext);
    let answer = client.call(broker, command).await?;
    Ok(OffsetResponse::decode(&answer.ext)?.offset.0)
}

fn pull(queue: &Queue, from: i64) -> Command {
    const SUBSCRIPTION: i32 = 4;
    let mut command = Command { code: request::PULL_MESSAGE, ..Command::default() };
    PullRequest {
        consumer_group: "crash",
        topic: &queue.topic,
        queue_id: QueueId(queue.id),
        queue_offset: QueueOffset(from),
        max_msg_nums: 32,
        sys_flag: SUBSCRIPTION,
        subscription: Some("*"),
        expression_type: Some("TAG"),
        ..PullRequest::default()
    }
    .encode(&mut command.ext);
    command
}
