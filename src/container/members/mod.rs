//! How the members of DLedger groups speak to each other: within the container directly, between two containers over one stream for all groups.
//!
//! ```text
//!  broker --Letter--\                                                          /--> broker of this process (deliver, gone)
//!  broker --Letter---+--> owner task: plan (pure) -- who is where -------------+
//!  a member's port --connection--> greeting --\                               \--> stream (writer) --> other container
//!  dial -------------------------> greeting ---+--> stream (reader): roster, letters, lost --> owner task
//! ```
//!
//! - A stream begins with a greeting that names the container's process, then a roster of the members in it, and the roster again whenever
//!   it changes. So a container that knows the address of one member learns of all of them, and one stream carries all groups.
//! - Who dials: whoever misses a member, at once and then with pauses of up to a second. Of two streams between two containers the one dialed by
//!   that with the lower number stays; of two dialed by the same side the newer. Both sides decide alike.
//! - A member has ended for certain when its container says so, when another process has its place, or when its stream was closed and its port
//!   refuses: only then the others are told ([`Member::gone`]), after everything it has said.
//! - Letters are dropped where a queue is full or nobody knows the way: Raft says everything again.
//!
//! Invariants: one task decides, so that nothing overtakes; letters are taken only from a container that has said its sender is in it, for a member
//! that is here and has the sender among its peers; everything from the network is bounded (frames, rosters, streams), and what is not the
//! protocol ends that connection and nothing else; a stream that is silent for two seconds is closed.
//! Must not know: terms, votes, logs.

mod door;
mod owner;
mod plan;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::config::Peer;
use crate::env::mailbox::{self, Receiver, Sender};
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::raft::{Letter, MemberId, Message};
use crate::replication::link::local::Door;

use door::Port;
use owner::{Event, Owner};

/// Letters of brokers that may wait for the owner task; a broker that finds no place drops its letter.
const LETTERS_WAITING_MAX: usize = 4_096;

/// News of streams and members that may wait for the owner task; whoever brings them waits.
const EVENTS_WAITING_MAX: usize = 256;

/// Connections for the log that may wait for a member's broker.
const HANDED_MAX: usize = 16;

/// Where connections go that are no streams of containers.
pub(super) type Hand = Sender<(TcpStream, SocketAddr)>;

/// Such a place, and where its connections come out.
pub(super) fn hand() -> (Hand, Receiver<(TcpStream, SocketAddr)>) {
    mailbox::bounded(HANDED_MAX)
}

/// A member in this process, as those who bring it letters see it. Neither call waits; what has no place is dropped.
pub(super) trait Member: Send + Sync {
    /// Another member says something.
    fn deliver(&self, from: MemberId, message: Message);

    /// Another member has ended for certain; everything it has said was delivered before.
    fn gone(&self, member: MemberId);
}

/// Which member of which group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seat {
    /// `dLegerGroup`.
    pub(super) group: Arc<str>,
    /// Its number.
    pub(super) member: MemberId,
}

/// What the transport has done, for metrics.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// Streams to other containers now.
    pub(super) streams: AtomicU64,
    /// Letters given to members of this process, whether they came from one or over a stream.
    pub(super) delivered: AtomicU64,
    /// Letters given to streams.
    pub(super) sent: AtomicU64,
    /// Letters without a way, or beyond a limit, or from where they cannot come from.
    pub(super) dropped: AtomicU64,
}

/// The doors of the members in this process, by group.
type Doors = BTreeMap<Arc<str>, BTreeMap<MemberId, Door>>;

/// The transport of one container; clones are the same.
#[derive(Clone)]
pub(super) struct Members {
    letters: Sender<Letter>,
    events: Sender<Event>,
    doors: Arc<watch::Sender<Doors>>,
    counters: Arc<Counters>,
    tasks: Tasks,
}

impl Members {
    /// A transport without members; it does nothing until the first one comes.
    pub(super) fn start(env: &Env) -> Members {
        let (letters, written) = mailbox::bounded(LETTERS_WAITING_MAX);
        let (events, arrivals) = mailbox::bounded(EVENTS_WAITING_MAX);
        let env = Env { tasks: env.tasks.child(), ..env.clone() };
        let counters = Arc::new(Counters::default());
        Owner::start(&env, (written, arrivals), events.clone(), Arc::clone(&counters));
        Members { letters, events, doors: Arc::default(), counters, tasks: env.tasks }
    }

    /// Where brokers put their letters.
    pub(super) fn letters(&self) -> Sender<Letter> {
        self.letters.clone()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Accepts on the port of a member until `tasks` end: streams of containers are kept, all other connections go to `hand`.
    ///
    /// A member accepts when it has come: whoever dials one that is still opening its store waits for a greeting.
    pub(super) fn listen(&self, owner: &Arc<str>, listener: TcpListener, tasks: &Tasks, hand: Hand) {
        let port = Port { owner: Arc::clone(owner), tasks: tasks.clone(), events: self.events.clone(), hand };
        drop(tasks.spawn(TaskKind::Listener, owner, port.run(listener)));
    }

    /// A member has started.
    pub(super) async fn came(&self, seat: &Seat, peers: Vec<Peer>, member: Arc<dyn Member>, door: &Door) {
        self.doors.send_modify(|doors| {
            doors.entry(Arc::clone(&seat.group)).or_default().insert(seat.member, door.clone());
        });
        self.tell(Event::Came { seat: seat.clone(), peers, member }).await;
    }

    /// The peers of a member have changed.
    pub(super) async fn changed(&self, seat: &Seat, peers: Vec<Peer>) {
        self.tell(Event::Changed { seat: seat.clone(), peers }).await;
    }

    /// A member has ended: nothing of it runs any more.
    pub(super) async fn ended(&self, seat: &Seat) {
        self.doors.send_modify(|doors| {
            if let Some(group) = doors.get_mut(&seat.group) {
                group.remove(&seat.member);
            }
            doors.retain(|_, members| !members.is_empty());
        });
        self.tell(Event::Ended { seat: seat.clone() }).await;
    }

    /// Signals whenever a door opens or closes.
    pub(super) fn doors(&self) -> watch::Receiver<Doors> {
        self.doors.subscribe()
    }

    /// The doors of the other members of a group in this process.
    pub(super) fn others(&self, seat: &Seat) -> BTreeMap<MemberId, Door> {
        let mut others = self.doors.borrow().get(&seat.group).cloned().unwrap_or_default();
        others.remove(&seat.member);
        others
    }

    /// Closes all streams; letters go nowhere from now on.
    pub(super) async fn stop(&self) {
        self.tasks.cancel();
        self.tasks.ended().await;
    }

    async fn tell(&self, event: Event) {
        if self.events.send(event).await.is_err() {
            tracing::debug!("the members' transport has stopped");
        }
    }
}

impl Counters {
    fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
