//! SEND_MESSAGE (10), SEND_MESSAGE_V2 (310), SEND_BATCH_MESSAGE (320).
//!
//! ```text
//! header -> checks (permission, name, topic or its creation, queue) -> message or batch -> Action::Append
//!        -> appended -> answered at once, or when flushed (SYNC_FLUSH and WAIT)
//! ```
//! Rules: Java's `SendMessageProcessor` and `AbstractSendMessageProcessor`; reference/remoting.md 4.6.

use std::sync::Arc;
use std::time::Duration;

use smallvec::{SmallVec, smallvec};

use crate::broker::action::{Action, AfterAppend, RequestId};
use crate::broker::core::{Client, Core};
use crate::broker::error::Error;
use crate::broker::state::stats::MessageKind;
use crate::broker::state::topics::NewTopic;
use crate::broker::state::waiters::Goal;
use crate::protocol::batch;
use crate::protocol::body::topic::TopicConfig;
use crate::protocol::codes::response;
use crate::protocol::command::{Command, ExtFields};
use crate::protocol::headers::send::{SendRequest, SendResponse};
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId};
use crate::protocol::message_id;
use crate::protocol::properties::{self, Directives, key};
use crate::protocol::sys_flag::{self, perm};
use crate::protocol::topic_name;
use crate::store::{Append, Appended, NewMessage};

/// Topics of one byte of length; batches know no others.
const BATCH_TOPIC_BYTES_MAX: usize = 127;

/// Room for what a broker adds to the properties of a message.
const ADDED_PROPERTIES_GUESS: usize = 96;
/// Fields of a send's answer, and bytes of their text.
const ANSWER_GUESS: (usize, usize) = (6, 160);
/// Bytes of one message id of an IPv4 broker, and a comma.
const MESSAGE_ID_GUESS: usize = 33;

/// A send whose messages are with the store.
#[derive(Debug)]
pub struct Sent {
    /// Who waits.
    pub to: RequestId,
    /// The topic as stored.
    pub topic: Arc<str>,
    /// `message_type` of the metrics.
    pub kind: MessageKind,
    /// The queue the producer is told.
    queue: QueueId,
    /// UNIQ_KEY; none for a batch.
    unique_key: Option<String>,
    /// What the answer waits for.
    goal: Goal,
}

impl Core {
    /// Handles a send; the answer follows the append.
    pub(in crate::broker) fn send(
        &mut self,
        now: Millis,
        to: RequestId,
        client: &Client,
        command: &Command,
        actions: &mut Vec<Action>,
    ) -> Result<(), Error> {
        let header = SendRequest::decode(&command.ext)?;
        let (topic, config) = self.check_send(now, &header, client)?;
        let (messages, sent) = if header.batch {
            self.batch(&header, to, client, command, topic, &config)?
        } else {
            self.single(now, &header, to, client, command, topic, &config)?
        };
        actions.push(Action::Append { messages, then: AfterAppend::Send(sent) });
        Ok(())
    }

    /// Permission, name, topic, queue: `AbstractSendMessageProcessor.msgCheck`.
    ///
    /// A brokerPermission without the write bit drains a broker: producers learn it from the route within 30 s, and until
    /// then their sends are taken, except to order topics. A topic without the write bit refuses at once; Java leaves
    /// that to the route too and so stores what a client with an old route, or none, sends to a read-only topic.
    fn check_send(
        &mut self,
        now: Millis,
        header: &SendRequest<'_>,
        client: &Client,
    ) -> Result<(Arc<str>, Arc<TopicConfig>), Error> {
        let is_order_topic = || self.topics.get(header.topic).is_some_and(|(_, config)| config.order);
        if !perm::is_writable(i32::from(self.config.requests.permission)) && is_order_topic() {
            return Err(Error::BrokerNotWritable { broker: self.config.addresses.client.to_string() });
        }
        topic_name::check_topic(header.topic).map_err(|reason| Error::TopicIllegal { reason: reason.to_string() })?;
        if topic_name::is_forbidden_to_send(header.topic) {
            return Err(Error::TopicReserved { topic: header.topic.to_owned() });
        }
        let (topic, config) = self.topic_to_send_to(now, header)?;
        if !perm::is_writable(config.perm) {
            return Err(Error::TopicNotWritable { topic: topic.to_string() });
        }
        let queues = config.write_queue_nums.max(config.read_queue_nums);
        if header.queue_id.0 >= queues {
            let topic = topic.to_string();
            let client = client.remote.to_string();
            return Err(Error::QueueIllegal { queue: header.queue_id, topic, queues, client });
        }
        Ok((topic, config))
    }

    fn topic_to_send_to(
        &mut self,
        now: Millis,
        header: &SendRequest<'_>,
    ) -> Result<(Arc<str>, Arc<TopicConfig>), Error> {
        if let Some((name, config)) = self.topics.get(header.topic) {
            return Ok((Arc::clone(name), Arc::clone(config)));
        }
        let is_retry = topic_name::is_retry(header.topic);
        let sys_flag = match (header.unit_mode, is_retry) {
            (false, _) => 0,
            (true, false) => sys_flag::topic::UNIT,
            (true, true) => sys_flag::topic::UNIT_SUB,
        };
        let wanted = NewTopic {
            topic: header.topic,
            default_topic: header.default_topic,
            queues: header.default_topic_queue_nums,
            sys_flag,
        };
        if let Some(name) = self.topics.create_from_default(now, &wanted, self.config.topics.auto_create) {
            tracing::info!(broker = %self.config.identity, topic = %name, "topic created by a send");
        } else if is_retry {
            self.topics.ensure(now, header.topic, 1, false, sys_flag);
        }
        let (name, config) = self.known_topic(header.topic)?;
        Ok((Arc::clone(name), Arc::clone(config)))
    }

    fn single(
        &mut self,
        now: Millis,
        header: &SendRequest<'_>,
        to: RequestId,
        client: &Client,
        command: &Command,
        topic: Arc<str>,
        config: &TopicConfig,
    ) -> Result<(Append, Sent), Error> {
        let given = header.properties.unwrap_or_default();
        let directives = Directives::of(given);
        self.check_kind(&directives)?;
        let asked = if header.queue_id.0 < 0 { self.next_queue(config.write_queue_nums) } else { header.queue_id };
        let mut properties = String::with_capacity(given.len() + ADDED_PROPERTIES_GUESS);
        properties.push_str(given);
        let dead = self.redirect_retry(now, header, command, &mut properties)?;
        let delay_level = if dead.is_some() { 0 } else { directives.delay_level };
        let (mut topic, mut queue) = dead.unwrap_or((topic, asked));
        let unique_key = self.complete_properties(now, &directives, &mut properties);
        let kind = message_kind(&directives, delay_level);
        let goal = self.goal(directives.waits_for_store)?;
        self.delay(delay_level, &mut topic, &mut queue, &mut properties);
        let message = NewMessage {
            topic: Arc::clone(&topic),
            queue,
            flag: header.flag,
            sys_flag: sys_flag_of(header, config),
            born: header.born_timestamp,
            born_host: client.remote,
            store_host: self.store_host(),
            reconsume_times: header.reconsume_times.unwrap_or(0),
            prepared_transaction_offset: PhysicalOffset(0),
            properties: properties.into(),
            body: command.body.to_bytes(),
        };
        let sent = Sent { to, topic, kind, queue: asked, unique_key: Some(unique_key), goal };
        Ok((Append { messages: smallvec![message] }, sent))
    }

    /// What the broker adds to every message and takes away; returns the message's unique key.
    fn complete_properties(&mut self, now: Millis, given: &Directives<'_>, properties: &mut String) -> String {
        if given.has_broker_properties {
            Directives::OF_BROKERS.iter().for_each(|name| properties::remove(properties, name));
        }
        properties::append(properties, key::MSG_REGION, &self.config.requests.region_id);
        properties::append(properties, key::TRACE_SWITCH, if self.config.requests.trace_on { "true" } else { "false" });
        properties::append(properties, key::CLUSTER, &self.config.identity.cluster);
        match given.unique_key {
            Some(unique) => unique.to_owned(),
            None => {
                let unique = self.unique_ids.next(now);
                properties::append(properties, key::UNIQ_KEY, &unique);
                unique
            }
        }
    }

    /// What this broker does not serve is refused, never stored as something else.
    fn check_kind(&self, given: &Directives<'_>) -> Result<(), Error> {
        if given.prepares_transaction {
            return Err(Error::TransactionRejected { broker: self.config.addresses.client.to_string() });
        }
        // With a delay level the exact time is ignored, as in Java.
        if given.delay_level <= 0 && given.timed {
            return Err(Error::TimerDisabled);
        }
        Ok(())
    }

    /// A message a consumer sends to its retry topic goes to the dead letter topic when it was tried too often, or when
    /// its group consumes in order (`SendMessageProcessor.handleRetryAndDLQ`): that topic and its queue.
    fn redirect_retry(
        &mut self,
        now: Millis,
        header: &SendRequest<'_>,
        command: &Command,
        properties: &mut String,
    ) -> Result<Option<(Arc<str>, QueueId)>, Error> {
        let Some(group) = header.topic.strip_prefix(topic_name::RETRY_PREFIX) else { return Ok(None) };
        let (group, settings) = self.group_in_use(now, group)?;
        let tries_max = super::reconsume_times_max(command, header.max_reconsume_times, &settings);
        let tried = header.reconsume_times.unwrap_or(0);
        if tried <= tries_max && !self.locks.any_live(now, &group) {
            return Ok(None);
        }
        properties::set(properties, key::DELAY_TIME_LEVEL, "-1");
        let original: Arc<str> = properties::get(properties, key::RETRY_TOPIC).unwrap_or(header.topic).into();
        self.stats.group(&original, &group).dead += 1;
        Ok(Some((self.dead_letter_topic(now, &group)?, QueueId(0))))
    }

    /// A delay level moves a message to the schedule topic (`HookUtils.transformDelayLevelMessage`).
    pub(in crate::broker) fn delay(
        &self,
        level: i32,
        topic: &mut Arc<str>,
        queue: &mut QueueId,
        properties: &mut String,
    ) {
        let Ok(level @ 1..) = usize::try_from(level) else { return };
        let level = level.min(self.delays.count());
        properties::set(properties, key::DELAY_TIME_LEVEL, &level.to_string());
        properties::set(properties, key::REAL_TOPIC, topic);
        properties::set(properties, key::REAL_QUEUE_ID, &queue.to_string());
        *topic = Arc::clone(&self.schedule_topic);
        *queue = crate::broker::state::delay::queue_of(level);
    }

    fn batch(
        &mut self,
        header: &SendRequest<'_>,
        to: RequestId,
        client: &Client,
        command: &Command,
        topic: Arc<str>,
        config: &TopicConfig,
    ) -> Result<(Append, Sent), Error> {
        if topic.len() > BATCH_TOPIC_BYTES_MAX {
            let reason = format!("message topic length over {BATCH_TOPIC_BYTES_MAX}: {}", topic.len());
            return Err(Error::MessageIllegal { reason });
        }
        if topic_name::is_retry(&topic) {
            return Err(Error::MessageIllegal { reason: "batch request does not support retry group".to_owned() });
        }
        let queue = if header.queue_id.0 < 0 { self.next_queue(config.write_queue_nums) } else { header.queue_id };
        let body = command.body.to_bytes();
        let sys_flag = sys_flag_of(header, config);
        let mut messages = SmallVec::new();
        for element in batch::messages(&body) {
            let element = element.map_err(|error| Error::MessageIllegal { reason: error.to_string() })?;
            messages.push(NewMessage {
                topic: Arc::clone(&topic),
                queue,
                flag: element.flag,
                sys_flag,
                born: header.born_timestamp,
                born_host: client.remote,
                store_host: self.store_host(),
                reconsume_times: header.reconsume_times.unwrap_or(0),
                prepared_transaction_offset: PhysicalOffset(0),
                properties: body.slice_ref(element.properties),
                body: body.slice_ref(element.body),
            });
        }
        if messages.is_empty() {
            return Err(Error::MessageIllegal { reason: "the batch is empty".to_owned() });
        }
        let shared = header.properties.unwrap_or_default();
        let goal = self.goal(Directives::of(shared).waits_for_store)?;
        let kind = MessageKind::Normal;
        let sent = Sent { to, topic, kind, queue, unique_key: None, goal };
        Ok((Append { messages }, sent))
    }

    /// The messages of a send are in the log, or not.
    pub(in crate::broker) fn sent(
        &mut self,
        now: Millis,
        took: Duration,
        sent: &Sent,
        result: Result<Appended, Error>,
        actions: &mut Vec<Action>,
    ) {
        let to = sent.to;
        let appended = match result {
            Ok(appended) => appended,
            Err(error) => {
                self.stats.put_failed += 1;
                actions.push(Action::Reply { to, response: error.to_response() });
                return;
            }
        };
        // As in Java, what goes to a retry or dead letter topic at once has no part in `rocketmq_messages_in_total`.
        let again = topic_name::is_retry(&sent.topic) || topic_name::is_dlq(&sent.topic);
        self.count_put(now, &sent.topic, Some(sent.kind).filter(|_| !again), &appended);
        let response = self.send_response(sent, &appended);
        if sent.goal.is_reached_at_once() {
            self.stats.put_took(took);
        }
        self.answer_at_goal(now, sent.goal, appended.end, (to, response), actions);
    }

    fn send_response(&self, sent: &Sent, appended: &Appended) -> Command {
        let host = self.store_host();
        let mut ids = String::with_capacity(appended.physical.len() * MESSAGE_ID_GUESS);
        for offset in &appended.physical {
            if !ids.is_empty() {
                ids.push(',');
            }
            message_id::encode_into(host, *offset, &mut ids);
        }
        let (fields, bytes) = ANSWER_GUESS;
        let ext = ExtFields::with_capacity(fields, bytes + ids.len());
        let mut answer = Command { code: response::SUCCESS, ext, ..Command::default() };
        SendResponse {
            msg_id: &ids,
            queue_id: sent.queue,
            queue_offset: appended.queue_offset,
            transaction_id: sent.unique_key.as_deref(),
            ..SendResponse::default()
        }
        .encode(&mut answer.ext);
        answer.ext.set_text(key::MSG_REGION, &self.config.requests.region_id);
        answer.ext.set_text(key::TRACE_SWITCH, if self.config.requests.trace_on { "true" } else { "false" });
        answer
    }

    /// A queue for a producer that leaves the choice to the broker: each in turn, so that the core needs no chance.
    fn next_queue(&mut self, queues: i32) -> QueueId {
        self.queue_turn = self.queue_turn.wrapping_add(1) & i32::MAX;
        QueueId(self.queue_turn % queues.max(1))
    }
}

fn sys_flag_of(header: &SendRequest<'_>, config: &TopicConfig) -> i32 {
    let multi_tag = config.topic_filter_type == crate::protocol::body::topic::TopicFilterType::MultiTag;
    header.sys_flag | if multi_tag { sys_flag::MULTI_TAGS } else { 0 }
}

fn message_kind(given: &Directives<'_>, delay_level: i32) -> MessageKind {
    if given.ordered {
        MessageKind::Fifo
    } else if delay_level > 0 {
        MessageKind::Delay
    } else {
        MessageKind::Normal
    }
}
