//! The only door to a broker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::env::mailbox::{Sender, TrySendError, oneshot};
use crate::env::{Panicked, Tasks};
use crate::protocol::ids::BrokerIdentity;
use crate::protocol::raft::MemberId;
use crate::raft;
use crate::remoting::{Connection, Request, Service};
use crate::replication::link::local::Door;

use super::action::Announcement;
use super::error::Error;
use super::group::Presence;
use super::raft::Standing;
use super::snapshot::Snapshot;
use super::stages::Stages;

/// A broker as others see it; a clone is another handle on the same broker.
#[derive(Clone)]
pub struct Handle {
    identity: Arc<BrokerIdentity>,
    mailbox: Sender<Request>,
    control: Sender<Control>,
    refused: Arc<AtomicU64>,
    mailbox_limit: usize,
    stages: Arc<Stages>,
    posts: Sender<raft::Event>,
}

/// A broker that has just been started.
pub struct Started {
    /// The door.
    pub handle: Handle,
    /// The topics to register, again after every change.
    pub announcements: tokio::sync::watch::Receiver<Announcement>,
    /// Whether it takes part in its group yet: only then it is registered.
    pub presence: tokio::sync::watch::Receiver<Presence>,
    /// What a member of a DLedger group is now; `None` for any other broker.
    pub standing: tokio::sync::watch::Receiver<Option<Standing>>,
    /// Where slaves of the same process find its log.
    pub door: Door,
    /// The tasks of its links to the other members of its group; they end with the broker, the port of the log with them.
    pub links: Tasks,
    /// Ends when the broker does.
    pub ended: tokio::task::JoinHandle<Result<Exit, Panicked>>,
}

/// How a broker ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was asked to; everything is on disk.
    Stopped,
    /// It could not go on; the reason.
    Failed(String),
}

/// What the container asks of a broker.
pub(super) enum Control {
    Stop(oneshot::Sender<()>),
    Snapshot(oneshot::Sender<Snapshot>),
    Closed(Connection),
}

impl Handle {
    pub(super) fn new(
        identity: Arc<BrokerIdentity>,
        mailbox: Sender<Request>,
        control: Sender<Control>,
        mailbox_limit: usize,
        (stages, posts): (Arc<Stages>, Sender<raft::Event>),
    ) -> Handle {
        Handle { identity, mailbox, control, refused: Arc::default(), mailbox_limit, stages, posts }
    }

    /// Another member of its DLedger group says something. Without room it is dropped: it will be said again.
    pub fn deliver(&self, from: MemberId, message: raft::Message) {
        let _dropped = self.posts.try_send(raft::Event::Message { from, message });
    }

    /// The process of another member has ended for certain; told in order with its messages.
    pub fn gone(&self, member: MemberId) {
        let _dropped = self.posts.try_send(raft::Event::Gone { member });
    }

    /// Cluster, name and id.
    #[must_use]
    pub fn identity(&self) -> &BrokerIdentity {
        &self.identity
    }

    /// Stops the broker in order: no more requests, held pulls answered, everything written and synced, lock given back.
    /// Returns when that is done, at once when it has ended already.
    pub async fn stop(&self) {
        let (done, stopped) = oneshot::channel();
        if self.control.send(Control::Stop(done)).await.is_ok() {
            // An error means that the broker ended before it answered, which is what was asked for.
            let _ended = stopped.await;
        }
    }

    /// The broker's figures now; `None` when it has ended.
    pub async fn snapshot(&self) -> Option<Snapshot> {
        let (answer, snapshot) = oneshot::channel();
        self.control.send(Control::Snapshot(answer)).await.ok()?;
        snapshot.await.ok()
    }

    /// How long its stages take.
    #[must_use]
    pub fn stages(&self) -> &Stages {
        &self.stages
    }

    /// Requests that wait in the mailbox.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.mailbox_limit.saturating_sub(self.mailbox.capacity())
    }

    /// Requests refused because the mailbox was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl Service for Handle {
    fn request(&self, request: Request) {
        let (request, error) = match self.mailbox.try_send(request) {
            Ok(()) => return,
            Err(TrySendError::Full(request)) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                let reason = format!(
                    "broker {} is busy: its mailbox of {} requests is full, try again",
                    self.identity, self.mailbox_limit
                );
                (request, Error::Busy { reason })
            }
            Err(TrySendError::Closed(request)) => {
                (request, Error::Busy { reason: format!("broker {} is stopping, try another one", self.identity) })
            }
        };
        request.reply.answer(error.to_response());
    }

    fn closed(&self, connection: &Connection) {
        // When even this queue is full the client is forgotten by its missing heartbeats instead.
        let _full = self.control.try_send(Control::Closed(connection.clone()));
    }
}
