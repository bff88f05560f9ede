//! Producers that write down what they were told.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use mqcontainer::protocol::batch::{self, BatchMessage};
use mqcontainer::protocol::body::topic::TopicConfig;
use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::send::{SendRequest, SendResponse};
use mqcontainer::protocol::headers::topic_admin::{CreateTopicRequest, TopicRequest};
use mqcontainer::protocol::ids::{Millis, QueueId};
use mqcontainer::protocol::json;
use tokio::task::JoinHandle;

use crate::draws::Draws;
use crate::journal::{Acknowledged, Journal, Queue};
use crate::support::{Outcome, Peer};

/// Producers at a time, each with a connection of its own to one of the brokers.
const PRODUCERS: u64 = 6;
pub const TOPICS: usize = 3;
pub const QUEUES: usize = 4;

/// A running load.
pub struct Load {
    producers: Vec<JoinHandle<()>>,
}

impl Load {
    /// Producers that go on until the brokers at these addresses die under them.
    pub fn start(brokers: &[String], journal: &Arc<Journal>, seed: u64) -> Load {
        let producer = |number: u64| {
            let broker = (number % brokers.len() as u64) as usize;
            let (address, journal) = (brokers[broker].clone(), Arc::clone(journal));
            let producer = Producer { broker, address, journal, name: format!("{seed:x}-{number}"), sent: 0 };
            tokio::spawn(producer.run(Draws::from_seed(seed ^ number)))
        };
        Load { producers: (0..PRODUCERS).map(producer).collect() }
    }

    /// Waits for the producers; the program must be dead. What they were not told of counts for nothing.
    pub async fn stop(self) {
        for producer in self.producers {
            producer.await.unwrap();
        }
    }
}

struct Producer {
    broker: usize,
    address: String,
    journal: Arc<Journal>,
    name: String,
    sent: usize,
}

impl Producer {
    async fn run(mut self, mut draws: Draws) {
        let client = Peer::new();
        loop {
            let queue = Queue {
                broker: self.broker,
                topic: topic(draws.between(0, TOPICS - 1)),
                id: draws.between(0, QUEUES - 1) as i32,
            };
            let count = if draws.between(0, 3) == 0 { draws.between(2, 6) } else { 1 };
            let bodies: Vec<Vec<u8>> = (0..count).map(|_| self.body(&mut draws)).collect();
            // Any error means that the program is gone.
            let Ok(answer) = client.ask(&self.address, send(&queue, &bodies)).await else { return };
            if answer.code == response::FLUSH_SLAVE_TIMEOUT {
                self.journal.not_confirmed();
                continue;
            }
            assert_eq!(answer.code, response::SUCCESS, "{:?}", answer.remark);
            let told = SendResponse::decode(&answer.ext).unwrap();
            let ids: Vec<&str> = told.msg_id.split(',').collect();
            assert_eq!(ids.len(), bodies.len());
            for (number, (id, body)) in ids.iter().zip(bodies).enumerate() {
                let message = Acknowledged { id: (*id).to_owned(), body };
                self.journal.acknowledged(queue.clone(), told.queue_offset + number as i64, message);
            }
        }
    }

    /// A body that no other message has, of a few bytes or of some pages.
    fn body(&mut self, draws: &mut Draws) -> Vec<u8> {
        self.sent += 1;
        let mut body = format!("{}-{}-", self.name, self.sent).into_bytes();
        let padding = if draws.between(0, 9) == 0 { draws.between(4_000, 40_000) } else { draws.between(0, 300) };
        body.resize(body.len() + padding, draws.next() as u8);
        body
    }
}

/// The topics of the load.
pub fn topic(number: usize) -> String {
    format!("crash-{number}")
}

fn send(queue: &Queue, bodies: &[Vec<u8>]) -> Command {
    let batch = bodies.len() > 1;
    let code = if batch { request::SEND_BATCH_MESSAGE } else { request::SEND_MESSAGE_V2 };
    let mut command = Command { code, ..Command::default() };
    header(&queue.topic, queue.id, None, batch).encode_v2(&mut command.ext);
    command.body = if batch {
        let mut encoded = BytesMut::new();
        for body in bodies {
            batch::encode(&BatchMessage { flag: 0, body, properties: b"" }, &mut encoded).unwrap();
        }
        encoded.freeze().into()
    } else {
        Bytes::copy_from_slice(&bodies[0]).into()
    };
    command
}

fn header<'a>(topic: &'a str, queue: i32, properties: Option<&'a str>, batch: bool) -> SendRequest<'a> {
    SendRequest {
        producer_group: "crash",
        topic,
        default_topic: "TBW102",
        default_topic_queue_nums: QUEUES as i32,
        queue_id: QueueId(queue),
        born_timestamp: Millis(1),
        properties,
        batch,
        ..SendRequest::default()
    }
}

/// Creates a topic as mqadmin does.
pub async fn create_topic(client: &Peer, broker: &str, topic: &str, queues: i32) -> Outcome<()> {
    let mut command = Command { code: request::UPDATE_AND_CREATE_TOPIC, ..Command::default() };
    CreateTopicRequest {
        topic,
        default_topic: Some("TBW102"),
        read_queue_nums: queues,
        write_queue_nums: queues,
        perm: 6,
        topic_filter_type: "SINGLE_TAG",
        ..CreateTopicRequest::default()
    }
    .encode(&mut command.ext);
    client.call(broker, command).await?;
    Ok(())
}

/// How many queues a topic has.
pub async fn queues_of(client: &Peer, broker: &str, topic: &str) -> Outcome<i32> {
    let mut command = Command { code: request::GET_TOPIC_CONFIG, ..Command::default() };
    TopicRequest { topic }.encode(&mut command.ext);
    let answer = client.call(broker, command).await?;
    let config: TopicConfig = json::from_java(&answer.body.to_bytes())?;
    Ok(config.write_queue_nums)
}

/// Sends a message with delay level 1 to queue 0.
pub async fn send_delayed(client: &Peer, broker: &str, topic: &str, body: &str) -> Outcome<()> {
    let mut command = Command { code: request::SEND_MESSAGE_V2, ..Command::default() };
    header(topic, 0, Some("DELAY\u{1}1\u{2}"), false).encode_v2(&mut command.ext);
    command.body = Bytes::copy_from_slice(body.as_bytes()).into();
    client.call(broker, command).await?;
    Ok(())
}
