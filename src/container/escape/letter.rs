//! An escaped message as a producer would send it.

use bytes::Bytes;

use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::send::SendRequest;
use crate::protocol::ids::{BrokerIdentity, Millis, QueueId};
use crate::protocol::properties::{self, key};
use crate::protocol::{sys_flag, topic_name};
use crate::store::NewMessage;

/// What makes a master deliver a message later.
const LATER: [&str; 4] = [key::DELAY_TIME_LEVEL, key::TIMER_DELIVER_MS, key::TIMER_DELAY_SEC, key::TIMER_DELAY_MS];

/// A message ready to be sent to any master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    /// Its topic.
    pub topic: String,
    /// Its queue where it comes from.
    pub queue: QueueId,
    producer_group: String,
    queues: i32,
    sys_flag: i32,
    born: Millis,
    flag: i32,
    properties: String,
    is_dead: bool,
    reconsume_times: i32,
    body: Bytes,
}

impl Letter {
    /// Of a message as its broker would have stored it; `queues` are the topic's there.
    ///
    /// One for the schedule topic, which takes no sends, goes to its real topic with its delay. Any other has served its delay
    /// already, although its properties still name it. A dead one goes to the retry topic of its group, tried once too often: so the
    /// master makes the dead letter topic as it makes its own.
    pub fn new(message: &NewMessage, own: &BrokerIdentity, queues: i32) -> Letter {
        let mut properties = String::from_utf8_lossy(&message.properties).into_owned();
        let (mut topic, mut queue) = (message.topic.to_string(), message.queue);
        if topic == topic_name::SCHEDULE {
            topic = properties::get(&properties, key::REAL_TOPIC).map_or(topic, str::to_owned);
            queue =
                properties::get(&properties, key::REAL_QUEUE_ID).and_then(|id| id.parse().ok()).map_or(queue, QueueId);
        } else {
            LATER.iter().for_each(|name| properties::remove(&mut properties, name));
        }
        let dead = topic.strip_prefix(topic_name::DLQ_PREFIX).map(topic_name::retry_topic);
        let is_dead = dead.is_some();
        topic = dead.unwrap_or(topic);
        // The answer is to say that the message is as safe as that master keeps it: the escape counts as delivered then.
        properties::remove(&mut properties, key::WAIT_STORE_MSG_OK);
        let inner_group = || format!("InnerProducerGroup_{}_{}", own.name, own.id);
        let producer_group = properties::get(&properties, key::PRODUCER_GROUP).map_or_else(inner_group, str::to_owned);
        Letter {
            topic,
            queue,
            producer_group,
            queues,
            // How long its hosts are is for the record that holds them; the new one has others.
            sys_flag: message.sys_flag & !(sys_flag::BORN_HOST_V6 | sys_flag::STORE_HOST_V6),
            born: message.born,
            flag: message.flag,
            properties,
            is_dead,
            reconsume_times: message.reconsume_times,
            body: message.body.clone(),
        }
    }

    /// 310 for this queue; a negative one lets the master choose.
    pub fn command(&self, queue: QueueId) -> Command {
        let mut command =
            Command { code: request::SEND_MESSAGE_V2, body: self.body.clone().into(), ..Command::default() };
        // Whether a retry message is one too many was decided when it was given back, with the limit of the consumer that did;
        // the group's own limit may be lower and would make a dead letter of it.
        let tries = self.reconsume_times.saturating_sub(i32::from(self.is_dead));
        let max_reconsume_times = topic_name::is_retry(&self.topic).then_some(tries);
        let header = SendRequest {
            producer_group: &self.producer_group,
            topic: &self.topic,
            default_topic: topic_name::AUTO_CREATE,
            default_topic_queue_nums: self.queues,
            queue_id: queue,
            sys_flag: self.sys_flag,
            born_timestamp: self.born,
            flag: self.flag,
            properties: Some(&self.properties),
            reconsume_times: Some(self.reconsume_times),
            unit_mode: false,
            max_reconsume_times,
            batch: false,
            broker_name: None,
        };
        header.encode_v2(&mut command.ext);
        command
    }
}
