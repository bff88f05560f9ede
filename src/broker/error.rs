//! Everything a request can be refused for, with Java's code and a remark that tells an operator what to do.

use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::protocol::headers::HeaderError;
use crate::protocol::headers::pull::{PullResponse, forbidden_type};
use crate::protocol::ids::{PhysicalOffset, QueueId};
use crate::replication::ack::NotEnough;
use crate::store::AppendError;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The header lacks a field.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body is not what the request needs.
    #[error("the body of request code {code} cannot be read: {reason}")]
    Body {
        /// Request code.
        code: i32,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody here knows the code.
    #[error(" request type {code} not supported")]
    CodeUnknown {
        /// Request code.
        code: i32,
    },
    /// A topic name that breaks the rules.
    #[error("{reason}")]
    TopicIllegal {
        /// Which rule.
        reason: String,
    },
    /// A group name that breaks the rules.
    #[error("the group name {group:?} is illegal: 1 to 120 characters of [%|a-zA-Z0-9_-]")]
    GroupIllegal {
        /// The name.
        group: String,
    },
    /// Clients may not send to this topic.
    #[error("Sending message to topic[{topic}] is forbidden.")]
    TopicReserved {
        /// Its name.
        topic: String,
    },
    /// The topic is not here.
    #[error(
        "topic[{topic}] not exist, apply first please! Create it with mqadmin updateTopic, or set autoCreateTopicEnable=true"
    )]
    TopicNotExist {
        /// Its name.
        topic: String,
    },
    /// The table of topics or groups has reached its limit.
    #[error("no more {what} can be created on this broker, the limit is {limit}; delete unused ones with mqadmin")]
    TableFull {
        /// Topics or groups.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// A queue number outside the topic.
    #[error("request queueId[{queue}] is illegal, topic[{topic}] has {queues} queues. Producer or consumer: {client}")]
    QueueIllegal {
        /// The number.
        queue: QueueId,
        /// The topic.
        topic: String,
        /// How many queues it has for this use.
        queues: i32,
        /// Who asked.
        client: String,
    },
    /// The broker does not take messages.
    #[error("the broker[{broker}] sending message is forbidden: its brokerPermission lacks the write bit")]
    BrokerNotWritable {
        /// Its address.
        broker: String,
    },
    /// The topic does not take messages.
    #[error("the topic[{topic}] sending message is forbidden: its perm lacks the write bit")]
    TopicNotWritable {
        /// Its name.
        topic: String,
    },
    /// Only the leader of a DLedger group takes messages and changes of tables; and one that does not know whether it leads does not either.
    #[error(
        "broker {broker} ({member}) does not lead its DLedger group in term {term}, {leader} does: ask the NameServer for the route again"
    )]
    NotLeader {
        /// Its name.
        broker: String,
        /// The member that was asked.
        member: String,
        /// The term it knows.
        term: i32,
        /// Who leads.
        leader: String,
    },
    /// A slave takes messages of its master only.
    #[error(
        "service not available now: this broker is a slave of {broker}, messages are put to the master; the client retries there"
    )]
    SlaveNotWritable {
        /// Its name.
        broker: String,
    },
    /// The broker does not take part in its group yet.
    #[error(
        "service not available now: this broker joins its group and waits for {waits_for}; the client retries elsewhere"
    )]
    Joining {
        /// What it waits for.
        waits_for: String,
    },
    /// No other master took the message.
    #[error("no master available along with {broker}: {reason}")]
    NoMasterNear {
        /// Its address.
        broker: String,
        /// Why.
        reason: String,
    },
    /// A slave that is only a copy.
    #[error("[REJECTREQUEST]this broker is a slave of {broker} and its slaveReadEnable is false: pull from the master")]
    SlaveNotReadable {
        /// Its name.
        broker: String,
    },
    /// The broker does not give messages out.
    #[error("the broker[{broker}] pulling message is forbidden: its brokerPermission lacks the read bit")]
    BrokerNotReadable {
        /// Its address.
        broker: String,
    },
    /// The topic does not give messages out.
    #[error("the topic[{topic}] pulling message is forbidden: its perm lacks the read bit")]
    TopicNotReadable {
        /// Its name.
        topic: String,
    },
    /// The group was switched off.
    #[error("subscription group no permission, {group}: its consumeEnable is false")]
    GroupDisabled {
        /// Its name.
        group: String,
    },
    /// The group may not consume by broadcast.
    #[error("the consumer group[{group}] can not consume by broadcast way: its consumeBroadcastEnable is false")]
    BroadcastForbidden {
        /// Its name.
        group: String,
    },
    /// An operator took the topic from the group.
    #[error("the consumer group[{group}] is forbidden for topic[{topic}]")]
    GroupForbidden {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// The group is not here.
    #[error(
        "subscription group [{group}] does not exist. Create it with mqadmin updateSubGroup, or set autoCreateSubscriptionGroup=true"
    )]
    GroupNotExist {
        /// Its name.
        group: String,
    },
    /// The group has no member here, so nothing is known of what it wants.
    #[error("the consumer's group info not exist, group: {group}; its heartbeat comes first")]
    SubscriptionGroupUnknown {
        /// Its name.
        group: String,
    },
    /// The group does not subscribe to the topic.
    #[error(
        "the consumer's subscription not exist, group: {group}, topic: {topic}; members of a group must subscribe to the same topics"
    )]
    SubscriptionNotExist {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// The client has a newer subscription than its last heartbeat said.
    #[error("the consumer's subscription not latest, group: {group}, topic: {topic}")]
    SubscriptionNotLatest {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
    },
    /// A tag expression that cannot be read.
    #[error("parse the consumer's subscription failed: {reason}")]
    SubscriptionIllegal {
        /// What is wrong with it.
        reason: String,
    },
    /// SQL92 and other expressions.
    #[error("The broker does not support consumer to filter message by {kind}")]
    FilterUnsupported {
        /// The expression type.
        kind: String,
    },
    /// The message breaks a limit.
    #[error("the message is illegal: {reason}")]
    MessageIllegal {
        /// Which limit.
        reason: String,
    },
    /// Transactions are not served.
    #[error("the broker[{broker}] sending transaction message is forbidden")]
    TransactionRejected {
        /// Its address.
        broker: String,
    },
    /// Messages with an exact delivery time are not served.
    #[error("accurate timer message is not enabled, timerWheelEnable is false; use a delay level (property DELAY)")]
    TimerDisabled,
    /// A message was looked up and is not there.
    #[error("look message by offset failed, {offset}")]
    MessageNotFound {
        /// Where it should start.
        offset: PhysicalOffset,
    },
    /// A lookup found nothing.
    #[error("{reason}")]
    NotFound {
        /// What was looked up.
        reason: String,
    },
    /// The store did not take the message.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The store could not be read.
    #[error("the store cannot be read: {reason}")]
    Read {
        /// The error.
        reason: String,
    },
    /// Nobody of this group is connected.
    #[error("{reason}")]
    ConsumerNotOnline {
        /// Which group or client.
        reason: String,
    },
    /// A client did not answer what was forwarded to it.
    #[error("consumer {client} did not answer within {millis} ms")]
    ConsumerTimeout {
        /// The client.
        client: String,
        /// How long the broker waited.
        millis: u64,
    },
    /// Too few followers keep up; nothing was stored.
    #[error(transparent)]
    NotEnoughReplicas(#[from] NotEnough),
    /// Too much is under way already.
    #[error("[OVERLOAD]{reason}")]
    Busy {
        /// Which limit.
        reason: String,
    },
    /// A configuration key that may not be changed, or a value that is wrong.
    #[error("{reason}")]
    ConfigForbidden {
        /// Why.
        reason: String,
    },
    /// A parameter is outside its range.
    #[error("{reason}")]
    InvalidParameter {
        /// Which and why.
        reason: String,
    },
    /// Anything else an operator should read.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
    },
}

impl Error {
    /// Java's response code.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Error::Header(_)
            | Error::Body { .. }
            | Error::Failed { .. }
            | Error::Read { .. }
            | Error::NoMasterNear { .. } => response::SYSTEM_ERROR,
            Error::MessageNotFound { .. } | Error::FilterUnsupported { .. } => response::SYSTEM_ERROR,
            Error::TimerDisabled | Error::TableFull { .. } | Error::NotEnoughReplicas(_) => response::SYSTEM_ERROR,
            Error::CodeUnknown { .. } => response::REQUEST_CODE_NOT_SUPPORTED,
            Error::Busy { .. } | Error::SlaveNotReadable { .. } => response::SYSTEM_BUSY,
            Error::SlaveNotWritable { .. } | Error::NotLeader { .. } | Error::Joining { .. } => {
                response::SERVICE_NOT_AVAILABLE
            }
            Error::TopicIllegal { .. } | Error::GroupIllegal { .. } => response::INVALID_PARAMETER,
            Error::QueueIllegal { .. } | Error::InvalidParameter { .. } => response::INVALID_PARAMETER,
            Error::TopicReserved { .. }
            | Error::BrokerNotWritable { .. }
            | Error::TopicNotWritable { .. }
            | Error::BrokerNotReadable { .. }
            | Error::TopicNotReadable { .. }
            | Error::GroupDisabled { .. }
            | Error::BroadcastForbidden { .. }
            | Error::GroupForbidden { .. }
            | Error::TransactionRejected { .. }
            | Error::ConfigForbidden { .. } => response::NO_PERMISSION,
            Error::TopicNotExist { .. } => response::TOPIC_NOT_EXIST,
            Error::GroupNotExist { .. } => response::SUBSCRIPTION_GROUP_NOT_EXIST,
            Error::SubscriptionGroupUnknown { .. } | Error::SubscriptionNotExist { .. } => {
                response::SUBSCRIPTION_NOT_EXIST
            }
            Error::SubscriptionNotLatest { .. } => response::SUBSCRIPTION_NOT_LATEST,
            Error::SubscriptionIllegal { .. } => response::SUBSCRIPTION_PARSE_FAILED,
            Error::MessageIllegal { .. } => response::MESSAGE_ILLEGAL,
            Error::NotFound { .. } => response::QUERY_NOT_FOUND,
            Error::ConsumerNotOnline { .. } => response::CONSUMER_NOT_ONLINE,
            Error::ConsumerTimeout { .. } => response::CONSUME_MSG_TIMEOUT,
            Error::Append(error) => append_code(error),
        }
    }

    /// The answer to a refused request.
    #[must_use]
    pub fn to_response(&self) -> Command {
        let mut answer = Command { code: self.code(), remark: Some(self.to_string()), ..Command::default() };
        let forbidden = match self {
            Error::BrokerNotReadable { .. } => forbidden_type::BROKER,
            Error::GroupDisabled { .. } => forbidden_type::GROUP,
            Error::TopicNotReadable { .. } => forbidden_type::TOPIC,
            Error::BroadcastForbidden { .. } => forbidden_type::BROADCASTING,
            Error::GroupForbidden { .. } => forbidden_type::SUBSCRIPTION,
            _ => return answer,
        };
        PullResponse { forbidden_type: Some(forbidden), ..PullResponse::default() }.encode(&mut answer.ext);
        answer
    }
}

/// `SendMessageProcessor.handlePutMessageResult`: which code a refused append has.
fn append_code(error: &AppendError) -> i32 {
    match error {
        AppendError::MessageTooLarge { .. } | AppendError::PropertiesTooLarge { .. } => response::MESSAGE_ILLEGAL,
        AppendError::Empty => response::MESSAGE_ILLEGAL,
        AppendError::TopicInvalid(_) | AppendError::QueueInvalid(_) => response::INVALID_PARAMETER,
        AppendError::Poisoned(_) | AppendError::DiskFull(_) | AppendError::NotWritable => {
            response::SERVICE_NOT_AVAILABLE
        }
        AppendError::NotLeading | AppendError::Changing => response::SERVICE_NOT_AVAILABLE,
        // No client sends these bytes.
        AppendError::NotFollowing
        | AppendError::NotAtEnd { .. }
        | AppendError::NotFileStart { .. }
        | AppendError::CutOutside { .. }
        | AppendError::CutCommitted { .. }
        | AppendError::Damaged { .. } => response::SYSTEM_ERROR,
    }
}
