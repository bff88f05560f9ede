//! The part of a connection that everybody may hold: its handle, what waits to be written, who waits for an answer.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::transport::Transport;
use super::{CallError, CloseReason, Counters, PushError};
use crate::env::mailbox::oneshot;
use crate::protocol::codes::{language, response, version};
use crate::protocol::command::{Command, FLAG_ONEWAY, FLAG_RESPONSE};
use crate::protocol::frame;

/// Identity of a connection, unique while the process lives; never used again after the connection closed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Ord, PartialOrd, Debug)]
pub struct ConnectionId(pub u64);

/// A handle to one connection. Cloning is cheap; a handle does not keep the socket open.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

struct Shared {
    id: ConnectionId,
    peer: SocketAddr,
    /// The address of a PROXY header, set before the first request.
    proxied: OnceLock<SocketAddr>,
    local: SocketAddr,
    transport: Arc<Transport>,
    counters: Arc<Counters>,
    /// Requests handed to the service and not answered yet.
    inflight: AtomicU32,
    signs: Signs,
    outbox: Mutex<Outbox>,
}

/// Signs of life that the connection's task leaves for the sweep; nothing is ordered by them.
#[derive(Debug, Default)]
pub(super) struct Signs {
    /// Grows with every read and write that moved bytes.
    pub(super) progress: AtomicU32,
    /// Grows with every complete frame.
    pub(super) frames: AtomicU32,
    /// Part of a frame has arrived.
    pub(super) in_frame: AtomicBool,
    /// The socket takes no more bytes now.
    pub(super) blocked: AtomicBool,
}

#[derive(Default)]
struct Outbox {
    commands: VecDeque<Command>,
    /// Bytes of `commands` and of what the task has taken and not written yet.
    bytes: usize,
    /// Set once; the task ends with this reason.
    closing: Option<CloseReason>,
    /// No more requests are read; the task ends when all answers are written.
    draining: bool,
    /// The task has ended; nothing is accepted any more.
    closed: bool,
    asleep: Option<Asleep>,
    calls: HashMap<i32, oneshot::Sender<Result<Command, CallError>>>,
    next_opaque: i32,
}

/// A connection's task that waits, and for what besides its socket.
struct Asleep {
    waker: Waker,
    /// New commands to write.
    for_commands: bool,
    /// Room for requests (or, draining, the last answer).
    for_room: bool,
}

/// What the task finds when it looks into the outbox.
pub(super) struct Turn {
    pub(super) commands: VecDeque<Command>,
    pub(super) queued_bytes: usize,
    pub(super) closing: Option<CloseReason>,
    pub(super) draining: bool,
    /// Draining, and nothing is left to answer or to write.
    pub(super) drained: bool,
}

/// Why the task goes to sleep.
#[derive(Clone, Copy)]
pub(super) struct Park {
    pub(super) for_commands: bool,
    pub(super) for_room: bool,
    /// The draining flag the task has acted on.
    pub(super) draining: bool,
    /// Bytes written since the last turn.
    pub(super) written: usize,
}

impl Connection {
    pub(super) fn new(
        peer: SocketAddr,
        local: SocketAddr,
        transport: &Arc<Transport>,
        counters: &Arc<Counters>,
    ) -> Connection {
        Connection {
            shared: Arc::new(Shared {
                id: transport.next_connection_id(),
                peer,
                proxied: OnceLock::new(),
                local,
                transport: Arc::clone(transport),
                counters: Arc::clone(counters),
                inflight: AtomicU32::new(0),
                signs: Signs::default(),
                outbox: Mutex::default(),
            }),
        }
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> ConnectionId {
        self.shared.id
    }

    /// The peer's address: the one of the PROXY header if there was one.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        self.shared.proxied.get().copied().unwrap_or(self.shared.peer)
    }

    /// The local address of the socket.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.shared.local
    }

    /// Whether the connection has ended; it may end right after a `false`.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let outbox = self.outbox();
        outbox.closed || outbox.closing.is_some()
    }

    /// Sends a request that wants no answer (Java: `invokeOneway`). Never blocks; the opaque and the oneway flag are set here.
    ///
    /// # Errors
    /// When the connection is closed or its outbox has no room; the command is dropped then.
    pub fn push(&self, mut command: Command) -> Result<(), PushError> {
        command.flag = FLAG_ONEWAY;
        stamp_request(&mut command);
        let mut outbox = self.outbox();
        self.check_room(&outbox, &command)?;
        command.opaque = outbox.next_opaque();
        self.enqueue_and_wake(outbox, command);
        Ok(())
    }

    /// Sends a request and waits for its answer (Java: `invokeSync`). The opaque is set here; dropping the future forgets the answer.
    ///
    /// # Errors
    /// See [`CallError`]; every call ends, at the latest after `timeout`.
    pub async fn call(&self, mut command: Command, timeout: Duration) -> Result<Command, CallError> {
        command.flag = 0;
        stamp_request(&mut command);
        let (sender, receiver) = oneshot::channel();
        let opaque = self.send_request(command, sender)?;
        let _forget = ForgetCall { connection: self, opaque };
        match tokio::time::timeout(timeout, receiver).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(CallError::Closed(CloseReason::Panicked)),
            Err(_) => Err(CallError::Timeout { remote: self.remote(), timeout }),
        }
    }

    /// Closes the connection; answers that are not written yet are lost.
    pub fn close(&self, reason: &'static str) {
        tracing::info!(remote = %self.remote(), local = %self.local(), reason, "connection closed by its owner");
        self.close_for(CloseReason::Asked);
    }

    fn send_request(
        &self,
        mut command: Command,
        sender: oneshot::Sender<Result<Command, CallError>>,
    ) -> Result<i32, CallError> {
        let mut outbox = self.outbox();
        self.check_room(&outbox, &command)?;
        let limit = self.shared.transport.limits().calls_per_connection;
        if outbox.calls.len() >= limit {
            return Err(CallError::TooManyCalls { remote: self.remote(), limit });
        }
        let mut opaque = outbox.next_opaque();
        while outbox.calls.contains_key(&opaque) {
            opaque = outbox.next_opaque();
        }
        command.opaque = opaque;
        outbox.calls.insert(opaque, sender);
        self.enqueue_and_wake(outbox, command);
        Ok(opaque)
    }

    fn check_room(&self, outbox: &Outbox, command: &Command) -> Result<(), PushError> {
        let limits = self.shared.transport.limits();
        if outbox.closed {
            return Err(PushError::Closed(outbox.closing.unwrap_or(CloseReason::Peer)));
        }
        if let Some(reason) = outbox.closing {
            return Err(PushError::Closed(reason));
        }
        let length = frame_length_max(command);
        if length > frame::MAX_FRAME {
            return Err(PushError::TooLong { length });
        }
        if outbox.commands.len() >= limits.outbox_frames || outbox.bytes >= limits.outbox_bytes {
            return Err(PushError::Full { remote: self.remote(), frames: outbox.commands.len(), bytes: outbox.bytes });
        }
        Ok(())
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.shared.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes after unlocking: the woken task needs the lock at once.
    fn enqueue_and_wake(&self, mut outbox: MutexGuard<'_, Outbox>, command: Command) {
        let bytes = weight(&command);
        outbox.bytes += bytes;
        self.shared.transport.outbound.take(bytes);
        outbox.commands.push_back(command);
        let waker = outbox.wake_if(|asleep| asleep.for_commands);
        drop(outbox);
        wake(waker);
    }
}

/// For the connection's task, the sweep and reply slots.
impl Connection {
    pub(super) fn signs(&self) -> &Signs {
        &self.shared.signs
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    pub(super) fn transport(&self) -> &Arc<Transport> {
        &self.shared.transport
    }

    /// Takes the address of a PROXY header; only the first one counts.
    pub(super) fn set_proxied(&self, source: SocketAddr) {
        let _ = self.shared.proxied.set(source);
    }

    fn inflight(&self) -> u32 {
        self.shared.inflight.load(Ordering::SeqCst)
    }

    pub(super) fn has_room(&self) -> bool {
        self.inflight() < self.shared.transport.limits().inflight_per_connection
    }

    pub(super) fn request_begins(&self, bytes: usize) {
        self.shared.inflight.fetch_add(1, Ordering::SeqCst);
        self.shared.transport.requests.take(bytes);
    }

    /// Ends a request with its answer (`None`: oneway). The request stops being in flight under the lock that enqueues its
    /// answer, so a draining task never sees neither of them.
    pub(super) fn request_ends(&self, bytes: usize, answer: Option<Command>) {
        self.shared.transport.requests.give_back(bytes);
        let mut outbox = self.outbox();
        let before = self.shared.inflight.fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "a request ended that had not begun");
        match answer {
            Some(answer) if !outbox.closed => {
                if self.is_slow_peer(&outbox) {
                    outbox.closing.get_or_insert(CloseReason::SlowPeer);
                }
                self.enqueue_and_wake(outbox, fitting(answer));
            }
            _ => {
                let waker = outbox.wake_if(|asleep| asleep.for_room);
                drop(outbox);
                wake(waker);
            }
        }
    }

    /// An answer cannot be refused as a push is, so a peer that does not take its answers is closed.
    fn is_slow_peer(&self, outbox: &Outbox) -> bool {
        let transport = &self.shared.transport;
        let limits = transport.limits();
        let blocked = self.shared.signs.blocked.load(Ordering::Relaxed);
        outbox.bytes > limits.outbox_bytes
            || (blocked && outbox.bytes > limits.outbox_pause_bytes && transport.outbound.is_spent())
    }

    /// Hands an answer to the call that waits for it; `false` when none does (it came too late).
    pub(super) fn answer_call(&self, answer: Command) -> bool {
        let waiting = self.outbox().calls.remove(&answer.opaque);
        waiting.is_some_and(|sender| sender.send(Ok(answer)).is_ok())
    }

    pub(super) fn close_for(&self, reason: CloseReason) {
        let mut outbox = self.outbox();
        outbox.closing.get_or_insert(reason);
        let waker = outbox.wake_if(|_| true);
        drop(outbox);
        wake(waker);
    }

    pub(super) fn drain(&self) {
        let mut outbox = self.outbox();
        outbox.draining = true;
        let waker = outbox.wake_if(|_| true);
        drop(outbox);
        wake(waker);
    }

    /// The task takes what there is to write, and gives back the bytes it has written since the last turn.
    pub(super) fn turn(&self, written: usize, take: bool) -> Turn {
        let mut outbox = self.outbox();
        self.give_back_written(&mut outbox, written);
        outbox.asleep = None;
        Turn {
            commands: if take { std::mem::take(&mut outbox.commands) } else { VecDeque::new() },
            queued_bytes: outbox.bytes,
            closing: outbox.closing,
            draining: outbox.draining,
            drained: self.is_drained(&outbox),
        }
    }

    /// The task goes to sleep unless something it would be woken for has happened since its turn.
    pub(super) fn park(&self, waker: &Waker, park: Park) -> bool {
        let mut outbox = self.outbox();
        self.give_back_written(&mut outbox, park.written);
        let ready = outbox.closing.is_some()
            || outbox.draining != park.draining
            || (park.for_commands && !outbox.commands.is_empty())
            || (park.for_room && !park.draining && self.has_room())
            || self.is_drained(&outbox);
        if ready {
            return false;
        }
        outbox.asleep = Some(Asleep {
            waker: waker.clone(),
            for_commands: park.for_commands,
            for_room: park.for_room || park.draining,
        });
        true
    }

    fn is_drained(&self, outbox: &Outbox) -> bool {
        outbox.draining && self.inflight() == 0 && outbox.bytes == 0
    }

    fn give_back_written(&self, outbox: &mut Outbox, written: usize) {
        if written > 0 {
            outbox.bytes -= written;
            self.shared.transport.outbound.give_back(written);
        }
    }

    /// The task has ended: everything that waits is told so. Returns the reason that counts.
    pub(super) fn finish(&self, reason: CloseReason) -> CloseReason {
        let (reason, calls, commands, bytes) = {
            let mut outbox = self.outbox();
            outbox.closed = true;
            outbox.asleep = None;
            let reason = *outbox.closing.get_or_insert(reason);
            let calls = std::mem::take(&mut outbox.calls);
            let commands = std::mem::take(&mut outbox.commands);
            (reason, calls, commands, std::mem::take(&mut outbox.bytes))
        };
        self.shared.transport.outbound.give_back(bytes);
        drop(commands);
        for sender in calls.into_values() {
            // A caller that has gone away in this moment needs no answer.
            let _ = sender.send(Err(CallError::Closed(reason)));
        }
        reason
    }
}

impl Outbox {
    /// Own requests only; responses carry the peer's number. Wraps as Java's `AtomicInteger`.
    fn next_opaque(&mut self) -> i32 {
        self.next_opaque = self.next_opaque.wrapping_add(1);
        self.next_opaque
    }

    fn wake_if(&mut self, wanted: impl FnOnce(&Asleep) -> bool) -> Option<Waker> {
        if self.asleep.as_ref().is_some_and(wanted) || (self.closing.is_some() && self.asleep.is_some()) {
            self.asleep.take().map(|asleep| asleep.waker)
        } else {
            None
        }
    }
}

/// Removes the waiter of a call whose future ends or is dropped.
struct ForgetCall<'c> {
    connection: &'c Connection,
    opaque: i32,
}

impl Drop for ForgetCall<'_> {
    fn drop(&mut self) {
        self.connection.outbox().calls.remove(&self.opaque);
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn stamp_request(command: &mut Command) {
    if command.version == 0 {
        command.version = version::OURS;
        command.language = language::RUST;
    }
}

/// Upper bound of a command's frame: JSON may write one byte of text as six.
fn frame_length_max(command: &Command) -> usize {
    let body = command.body.len();
    body + (weight(command) - body).saturating_mul(6)
}

/// Bytes a command counts for while it waits; a little more than its frame.
pub(super) fn weight(command: &Command) -> usize {
    const FIXED: usize = 160;
    let texts: usize = command.ext.iter().map(|(name, value)| name.len() + value.len() + 8).sum();
    FIXED + texts + command.remark.as_ref().map_or(0, String::len) + command.body.len()
}

/// The answer itself, or, when no frame can carry it, one that says so.
fn fitting(answer: Command) -> Command {
    let length = frame_length_max(&answer);
    if length <= frame::MAX_FRAME {
        return answer;
    }
    Command {
        code: response::SYSTEM_ERROR,
        language: answer.language,
        version: answer.version,
        opaque: answer.opaque,
        flag: FLAG_RESPONSE,
        remark: Some(format!(
            "the answer of {length} bytes is longer than a frame may be ({} bytes), ask for less",
            frame::MAX_FRAME
        )),
        serialization: answer.serialization,
        ..Command::default()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({}, {} -> {})", self.id().0, self.remote(), self.local())
    }
}
