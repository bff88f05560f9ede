//! Sockets <-> frames, both directions.
//!
//! ```text
//!            ┌ driver: one task per connection ───────────────────┐
//!  socket ──>│ inbound: bytes -> frames, many per read            │──> Service::request(Request { command, reply, connection })
//!  socket <──│ outbound: one vectored write for all that is ready │<── ReplySlot::answer, Connection::push, Connection::call
//!            └────────────────────────────────────────────────────┘
//!   listener ─ accepts, sweeps and drains its open_set of connections       client ─ the same for outgoing ones
//!   transport ─ limits and budgets of the whole process
//! ```
//!
//! Invariants:
//! - Every request handed out is answered exactly once or its connection is closed; every call ends.
//! - A connection that waits holds no buffer. What it holds else is counted: requests without answer, parts of frames,
//!   bytes to be written, each against a limit per connection or process, each with a reaction (wait, refuse, close).
//! - A peer that sends nonsense, drips, or does not read loses its own connection and nothing else.
//!
//! Follows Java's `NettyRemotingServer`, `NettyRemotingClient` and `NettyRemotingAbstract`.
//! Must not know: what a code means (it only answers code 1 for a request that was given up), brokers, NameServers.

use std::time::Duration;

mod budget;
mod client;
mod connection;
mod counters;
mod driver;
mod inbound;
mod limits;
mod listener;
mod open_set;
mod outbound;
mod proxy_header;
mod request;
mod transport;

pub use client::Client;
pub use connection::{Connection, ConnectionId};
pub use counters::{CloseReason, Counters};
pub use limits::Limits;
pub use listener::{BACKLOG, Listener, bind};
pub use request::{Gate, Left, ReplySlot, Request, Service, Ticket};
pub use transport::Transport;

use std::net::SocketAddr;

/// Why a command could not be handed to a connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The connection is closed.
    #[error("the connection is closed ({})", .0.label())]
    Closed(CloseReason),
    /// The peer does not read fast enough.
    #[error("{frames} frames of {bytes} bytes wait for {remote} to read")]
    Full {
        /// The peer.
        remote: SocketAddr,
        /// Frames waiting.
        frames: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// No frame can carry it.
    #[error("a command of {length} bytes is longer than a frame may be")]
    TooLong {
        /// Its bytes, about.
        length: usize,
    },
}

/// Why a call got no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// It could not be sent.
    #[error(transparent)]
    Push(#[from] PushError),
    /// The connection ended before the answer came; the peer may have done what was asked.
    #[error("the connection was closed ({}) before the answer came", .0.label())]
    Closed(CloseReason),
    /// No answer in time; the peer may have done what was asked.
    #[error("no answer from {remote} within {timeout:?}")]
    Timeout {
        /// The peer.
        remote: SocketAddr,
        /// How long was waited.
        timeout: Duration,
    },
    /// Too many calls wait for this peer.
    #[error("{limit} calls wait for {remote} already")]
    TooManyCalls {
        /// The peer.
        remote: SocketAddr,
        /// [`Limits::calls_per_connection`].
        limit: usize,
    },
    /// There is no connection.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// As it was given.
        address: String,
        /// What the operating system says.
        reason: String,
    },
}
