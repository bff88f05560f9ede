//! What the core wants done. The actor carries actions out in the order they were given.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Broker, Change, Role};
use crate::protocol::command::Command;
use crate::protocol::ids::{BrokerIdentity, Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::protocol::raft::{MemberId, Message, Term};
use crate::raft::Hard;
use crate::remoting::ConnectionId;
use crate::store::{Append, NewMessage};

use super::group::Presence;
use super::hold::Pull;
use super::requests::query::Query;
use super::role::joining::Question;
use super::state::waiters::Goal;
use super::upstream::Upstream;

/// A request that still waits for its answer. The actor keeps the reply slot under this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One thing to be done by the actor.
#[derive(Debug)]
pub enum Action {
    /// Answer a request; exactly one answer per request.
    Reply {
        /// Who waits.
        to: RequestId,
        /// The answer; opaque and flags are the reply slot's to set.
        response: Command,
    },
    /// Append messages; all appends of a batch become one write. Comes back through `Core::appended`.
    Append {
        /// The messages, one or a client's batch.
        messages: Append,
        /// What to do with the result.
        then: AfterAppend,
    },
    /// Read a queue for a pull. Found messages are answered by the reader; anything else comes back as
    /// `Event::NothingPulled`.
    Pull {
        /// The pull with all that its answer needs.
        pull: Box<Pull>,
    },
    /// Read the store and answer, with nothing for the core to decide afterwards.
    Query {
        /// Who waits.
        to: RequestId,
        /// What to look up.
        query: Box<Query>,
    },
    /// Read one record; comes back as `Event::RecordRead`.
    ReadRecord {
        /// Where it starts.
        at: PhysicalOffset,
        /// What it is for.
        then: AfterRecord,
    },
    /// Read the next units of a delay level's queue; comes back as `Event::DelayedRead`.
    ReadDelayed {
        /// Delay level, from 1.
        level: usize,
        /// The first unit to read.
        from: QueueOffset,
    },
    /// Find the offsets of a time in several queues; comes back as `Event::OffsetsFound`.
    FindOffsets {
        /// The search.
        search: Box<OffsetSearch>,
    },
    /// Send a request that expects no answer to a client.
    Push {
        /// The client's connection.
        to: ConnectionId,
        /// The request.
        command: Command,
    },
    /// Send a request to a client and relay its answer.
    Call {
        /// The client's connection.
        to: ConnectionId,
        /// The request.
        command: Command,
        /// Who waits for the client's answer.
        then: RequestId,
    },
    /// Ask several clients how far they have come, and answer with what `requests::forward::progress_of` makes of it.
    CallAll {
        /// Client ids and their connections; at least one.
        clients: Vec<(Arc<str>, ConnectionId)>,
        /// The request, the same for all.
        command: Command,
        /// Who waits.
        then: RequestId,
    },
    /// Write a configuration file atomically; comes back as `Event::Persisted`.
    Persist {
        /// Which one.
        file: ConfigFile,
        /// Its whole content.
        content: Vec<u8>,
    },
    /// Write the epochs of the log; comes back as `Event::EpochsSaved`.
    SaveEpochs {
        /// The whole file.
        content: String,
    },
    /// Write what a member of a DLedger group must not forget; comes back as `raft::Event::Saved` or `SaveFailed`.
    SaveState {
        /// All of it.
        hard: Hard,
    },
    /// Say something to another member of the DLedger group; it may be lost.
    Post {
        /// To whom.
        to: MemberId,
        /// What.
        message: Message,
    },
    /// The log follows that member in that term, or nobody; links of other terms are dropped.
    FollowMember {
        /// The term.
        term: Term,
        /// Its leader.
        leader: Option<MemberId>,
        /// Where the leader takes requests, once it has said so.
        requests: Option<SocketAddr>,
    },
    /// The log takes a leader's bytes from now on, instead of messages.
    FollowLog,
    /// The DLedger group has committed everything below.
    Commit {
        /// The end.
        end: PhysicalOffset,
    },
    /// This broker cannot go on.
    Fail {
        /// Why.
        reason: String,
    },
    /// The consume queues of a deleted topic go.
    DeleteTopic {
        /// Its name.
        topic: Arc<str>,
    },
    /// Files of the store that are due go now.
    Clean(Cleaning),
    /// The topics changed: tell the NameServers.
    Announce,
    /// The broker takes part in its group, or waits for something else before it does.
    Present(Presence),
    /// A slave's master is here.
    Follow(Upstream),
    /// Ask another broker of the group; comes back as `Event::Called`.
    CallMember {
        /// `ip:port`.
        address: String,
        /// The request.
        command: Command,
        /// How long it may take, the connection included.
        timeout_millis: u64,
        /// What it is for.
        then: AfterCall,
    },
    /// Have another master store a message that this slave may not; comes back as `Event::Escaped`.
    Escape {
        /// The message.
        message: Box<NewMessage>,
        /// Write queues of its topic here.
        queues: i32,
        /// What to do with the result.
        then: AfterEscape,
    },
    /// The configuration changed at run time: the store takes over what concerns it.
    Reconfigure {
        /// The new configuration.
        config: Arc<Broker>,
    },
    /// The broker's own properties file is to hold changed keys (code 25); its other lines stay. Comes back as
    /// `Event::ConfigWritten`.
    RewriteConfig {
        /// The file.
        path: PathBuf,
        /// The keys.
        changes: Vec<Change>,
    },
    /// Close a client's connection that has not been heard of for too long.
    Disconnect {
        /// The connection.
        connection: ConnectionId,
        /// Why, for the log.
        reason: &'static str,
    },
}

/// What an operator has cleaned up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleaning {
    /// Expired files of the log, whatever the hour.
    Log,
    /// Files of queues and index that point to deleted files of the log.
    Queues,
}

/// What an append was for.
#[derive(Debug)]
pub enum AfterAppend {
    /// A producer waits.
    Send(super::requests::send::Sent),
    /// A consumer gave a message back.
    SendBack {
        /// Who waits.
        to: RequestId,
        /// Its group.
        group: Arc<str>,
        /// The topic the message first had.
        topic: Arc<str>,
        /// Whether it went to the dead letter queue.
        dead: bool,
        /// What the answer waits for.
        goal: Goal,
    },
    /// A delayed message came due.
    Delayed {
        /// Delay level, from 1.
        level: usize,
        /// Its place in the level's queue.
        offset: QueueOffset,
        /// The topic it was delivered to.
        topic: Arc<str>,
    },
    /// The first record of a term in a DLedger group.
    Marker {
        /// The term.
        term: Term,
    },
}

/// What another member of the group was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AfterCall {
    /// This broker joins its group.
    Joining {
        /// The question.
        question: Question,
    },
    /// A client locks queues on more than half of the group.
    Lock {
        /// Who waits.
        to: RequestId,
    },
    /// Whatever comes of it.
    Nothing,
}

/// What a message was given to another master for.
#[derive(Debug)]
pub enum AfterEscape {
    /// A delayed message came due.
    Delayed {
        /// Delay level, from 1.
        level: usize,
        /// Its place in the level's queue.
        offset: QueueOffset,
    },
    /// A consumer gave a message back.
    SendBack {
        /// Who waits.
        to: RequestId,
        /// Its group.
        group: Arc<str>,
        /// The topic the message first had.
        topic: Arc<str>,
        /// Whether it goes to the dead letter queue.
        dead: bool,
    },
}

/// What a record was read for.
#[derive(Debug)]
pub enum AfterRecord {
    /// CONSUMER_SEND_MSG_BACK.
    SendBack(Box<super::requests::send_back::SendBack>),
    /// CONSUME_MESSAGE_DIRECTLY: the record goes to a client as body.
    ConsumeDirectly {
        /// Who waits.
        to: RequestId,
        /// The client.
        client: ConnectionId,
        /// The request to forward, without its body.
        command: Box<Command>,
    },
}

/// A search for the offsets of one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetSearch {
    /// Who waits.
    pub to: RequestId,
    /// The group whose offsets will be reset.
    pub group: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The queues.
    pub queues: Vec<QueueId>,
    /// The time; `None` means the end of each queue.
    pub time: Option<Millis>,
}

/// The JSON files of a broker's `config` folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigFile {
    /// `topics.json`.
    Topics,
    /// `subscriptionGroup.json`.
    Groups,
    /// `consumerOffset.json`.
    ConsumerOffsets,
    /// `delayOffset.json`.
    DelayOffsets,
}

impl ConfigFile {
    /// All of them, in the order they are loaded.
    pub const ALL: [ConfigFile; 4] =
        [ConfigFile::Topics, ConfigFile::Groups, ConfigFile::ConsumerOffsets, ConfigFile::DelayOffsets];

    /// The name under `storePathRootDir/config` (Java: `BrokerPathConfigHelper`).
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            ConfigFile::Topics => "topics.json",
            ConfigFile::Groups => "subscriptionGroup.json",
            ConfigFile::ConsumerOffsets => "consumerOffset.json",
            ConfigFile::DelayOffsets => "delayOffset.json",
        }
    }
}

/// What the rest of the container learns of a broker's topics.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// Who announces; of a member of a DLedger group the id of its present role.
    pub identity: BrokerIdentity,
    /// What it is now.
    pub role: Role,
    /// Where a member of a DLedger group finds the others; empty for any other broker.
    pub peers: Vec<crate::config::Peer>,
    /// The topics to register.
    pub topics: Arc<crate::protocol::body::topic::TopicConfigTable>,
}
