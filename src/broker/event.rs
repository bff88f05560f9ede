//! What the core is told.

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::command::Command;
use crate::protocol::ids::{Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::remoting::ConnectionId;
use crate::replication::Incoming;
use crate::store::{Arrival, Read};

use super::action::{AfterCall, AfterEscape, AfterRecord, ConfigFile, OffsetSearch, RequestId};
use super::core::Client;
use super::group::Members;
use super::hold::Pull;
use super::metadata::Fetched;

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// A request came.
    Request {
        /// The number under which it is to be answered.
        id: RequestId,
        /// Who sent it.
        client: Client,
        /// The request.
        command: Command,
    },
    /// A connection has ended.
    Closed(ConnectionId),
    /// A reader answered a pull with messages.
    Pulled(Pulled),
    /// A reader found nothing for a pull.
    NothingPulled {
        /// The pull.
        pull: Box<Pull>,
        /// What the store said.
        read: Read,
    },
    /// A record was read, or is not there.
    RecordRead {
        /// What it was read for.
        then: AfterRecord,
        /// The record, or why it could not be read.
        record: Result<Option<Bytes>, String>,
    },
    /// Units of a delay level were read.
    DelayedRead {
        /// Delay level, from 1.
        level: usize,
        /// The first offset asked for.
        from: QueueOffset,
        /// The units from there on, or why they could not be read.
        units: Result<Vec<DelayedUnit>, String>,
    },
    /// Offsets of a time were found, or not.
    OffsetsFound {
        /// The search.
        search: Box<OffsetSearch>,
        /// The offset of each queue.
        offsets: Result<Vec<(QueueId, QueueOffset)>, String>,
    },
    /// Everything below is on disk.
    Flushed(PhysicalOffset),
    /// Messages can be read that could not before.
    Arrived(Vec<Arrival>),
    /// A configuration file was written, or not.
    Persisted {
        /// Which.
        file: ConfigFile,
        /// Why not.
        result: Result<(), String>,
    },
    /// The broker's own properties file was written, or not.
    ConfigWritten {
        /// Why not.
        result: Result<(), String>,
    },
    /// News of a link to another member of the group.
    Replication(Incoming),
    /// The epoch file was written, or not.
    EpochsSaved {
        /// Why not.
        result: Result<(), String>,
    },
    /// What a member of a DLedger group hears, or was written for it.
    Raft(crate::raft::Event),
    /// The store will take no more messages.
    StoreFailed {
        /// Why.
        reason: String,
    },
    /// A table of this slave's master.
    Fetched(Fetched),
    /// The NameServers have said who is in the group.
    Members(Members),
    /// Another member of the group has answered, or not.
    Called {
        /// What it was asked for.
        then: AfterCall,
        /// The answer, or why there is none.
        answer: Result<Command, String>,
    },
    /// Another master has stored a message, or none has.
    Escaped {
        /// What it was for.
        then: AfterEscape,
        /// Why not.
        result: Result<(), String>,
    },
    /// The broker stops: whoever waits is answered now.
    Stopping,
}

/// A pull that was answered with messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The topic.
    pub topic: Arc<str>,
    /// The group.
    pub group: Arc<str>,
    /// The queue.
    pub queue: QueueId,
    /// Where the next pull goes on.
    pub next: QueueOffset,
    /// Messages.
    pub messages: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// A message that waits in a delay level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayedUnit {
    /// Its place in the level's queue.
    pub offset: QueueOffset,
    /// When it comes due, as the consume queue says.
    pub due: Millis,
    /// The message; none when the log has it no more.
    pub record: Option<Bytes>,
}
