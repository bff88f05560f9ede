//! One request and the duty to answer it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use crate::env::mailbox::oneshot;
use crate::protocol::codes::{language, response, version};
use crate::protocol::command::{Command, FLAG_RESPONSE, Serialization};

/// Who answers the requests of a port.
pub trait Service: Send + Sync + 'static {
    /// Takes one request. Called on the connection's task, in the order of arrival: it must not block, and it may answer at
    /// once or later from anywhere. A panic closes this connection only.
    fn request(&self, request: Request);

    /// The connection has ended; called once, after its last request.
    fn closed(&self, connection: &Connection);
}

/// A request as it came from a peer.
#[derive(Debug)]
pub struct Request {
    /// The frame.
    pub command: Command,
    /// Where its answer goes.
    pub reply: ReplySlot,
    /// Where it came from.
    pub connection: Connection,
}

/// Something that counts requests until they are answered (`dispatch::Admission`).
pub trait Gate: Send + Sync {
    /// A request that was let in has been answered.
    fn leave(&self, ticket: &Ticket, left: Left);
}

/// What a gate remembers of a request it let in; the slot carries it and looks at none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The gate's own number of what the request competes with.
    pub lane: usize,
    /// The length of the request's frame in bytes.
    pub bytes: usize,
    /// The request's code.
    pub code: i32,
    /// Monotonic time when it was let in.
    pub entered: Duration,
}

/// How a request left its gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The answer's code.
    pub response: i32,
    /// Nobody wanted the answer.
    pub oneway: bool,
    /// The slot was dropped, nobody answered.
    pub given_up: bool,
    /// The answer waited for something to happen, see [`ReplySlot::suspend`].
    pub suspended: bool,
}

/// Answers its request exactly once: by [`answer`](ReplySlot::answer), or, if it is dropped before, with code 1, so that
/// no client waits for nothing.
#[must_use = "dropping the slot answers with an error"]
pub struct ReplySlot {
    opaque: i32,
    serialization: Serialization,
    oneway: bool,
    suspended: bool,
    bytes: usize,
    /// Taken when answered.
    target: Option<Target>,
    gate: Option<(Arc<dyn Gate>, Ticket)>,
}

enum Target {
    Connection(Connection),
    /// A caller in this process.
    Local(oneshot::Sender<Command>),
}

impl ReplySlot {
    /// `bytes` is the length of the request's frame; it is given back when the slot is answered.
    pub(super) fn new(connection: Connection, request: &Command, bytes: usize) -> ReplySlot {
        connection.request_begins(bytes);
        ReplySlot::to(Target::Connection(connection), request, bytes)
    }

    /// A slot for a request made inside this process: the answer arrives at the receiver.
    pub fn local(request: &Command) -> (ReplySlot, oneshot::Receiver<Command>) {
        let (sender, receiver) = oneshot::channel();
        (ReplySlot::to(Target::Local(sender), request, 0), receiver)
    }

    fn to(target: Target, request: &Command, bytes: usize) -> ReplySlot {
        ReplySlot {
            opaque: request.opaque,
            serialization: request.serialization,
            oneway: request.is_oneway(),
            suspended: false,
            bytes,
            target: Some(target),
            gate: None,
        }
    }

    /// Answers. Opaque, response flag, header codec, version and language are set here; a oneway request's answer is dropped.
    pub fn answer(mut self, response: Command) {
        self.finish(response, false);
    }

    /// The answer waits for something to happen (a held long poll), so that its latency is told apart from others
    /// (Java: `RemotingCommand.setSuspended`).
    pub fn suspend(&mut self) {
        self.suspended = true;
    }

    /// Whether the client wants no answer, so that none needs to be built.
    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.oneway
    }

    /// Length of the request's frame in bytes.
    #[must_use]
    pub fn request_bytes(&self) -> usize {
        self.bytes
    }

    /// When the request passed its gate; none when it passed none.
    #[must_use]
    pub fn entered(&self) -> Option<Duration> {
        self.gate.as_ref().map(|(_, ticket)| ticket.entered)
    }

    /// Lets `gate` know when the request is answered. A slot passes one gate.
    pub fn pass(&mut self, gate: Arc<dyn Gate>, ticket: Ticket) {
        assert!(self.gate.is_none(), "a request passes one gate");
        self.gate = Some((gate, ticket));
    }

    fn finish(&mut self, mut response: Command, given_up: bool) {
        let Some(target) = self.target.take() else {
            return;
        };
        if let Some((gate, ticket)) = self.gate.take() {
            let (oneway, suspended) = (self.oneway, self.suspended);
            gate.leave(&ticket, Left { response: response.code, oneway, given_up, suspended });
        }
        response.opaque = self.opaque;
        response.flag = FLAG_RESPONSE;
        response.serialization = self.serialization;
        response.version = version::OURS;
        response.language = language::RUST;
        match target {
            Target::Connection(connection) => connection.request_ends(self.bytes, (!self.oneway).then_some(response)),
            Target::Local(sender) => {
                // A caller that went away needs no answer.
                let _ = sender.send(response);
            }
        }
    }
}

impl Drop for ReplySlot {
    fn drop(&mut self) {
        if self.target.is_some() {
            let remark = "the request was given up before it was answered, whoever worked on it is stopping or has failed; try again";
            let code = response::SYSTEM_ERROR;
            self.finish(Command { code, remark: Some(remark.to_owned()), ..Command::default() }, true);
        }
    }
}

impl fmt::Debug for ReplySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySlot").field("opaque", &self.opaque).field("oneway", &self.oneway).finish_non_exhaustive()
    }
}
