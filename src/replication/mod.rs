//! One replication engine for every way to choose a leader.
//!
//! ```text
//!          leader                                              follower
//!  store view --> sender (pure) --frames-->  link  --frames--> follower (pure) --> store.append_raw
//!  progress   <-- reported      <--reports--       <--reports--  what is appended, or flushed
//!     |
//!     +--> ack: held by enough replicas --> producers are answered
//! ```
//!
//! The log is a row of bytes with a list of [`epochs`]. A follower fetches from its end, after it has cut back to the newest
//! epoch it has in common with its leader, appends, and reports its end. Which leader, and when bytes count as confirmed, is for
//! others to say: configuration here, later a Controller or Raft.
//!
//! Within a DLedger group a link belongs to one term, which both ends have greeted with: it ends when one of them is in another, and what
//! it still carries counts for nothing.
//!
//! Invariants: a follower appends only at its end; it reports only what it has appended and, with SYNC_FLUSH, synced, of an
//! epoch that is on disk; a report acknowledges only what was sent on that link; a replica counts once.
//! Must not know: brokers, requests, topics.

pub mod ack;
pub mod epochs;
pub mod follower;
pub mod following;
pub mod leading;
pub mod link;
pub mod progress;
pub mod rate;
pub mod sender;

use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::ha::{Dialect, Reign};
use crate::protocol::ids::PhysicalOffset;
use crate::protocol::raft::Term;

use epochs::Epochs;
use leading::Traffic;
use progress::{Session, SessionId};

/// What links tell the broker they belong to.
#[derive(Debug)]
pub enum Incoming {
    /// A follower has said where it begins.
    Opened {
        /// Its link.
        session: SessionId,
        /// Who it is.
        about: Session,
        /// What the link carries.
        traffic: Arc<Traffic>,
    },
    /// A follower has everything below `end`.
    Reported {
        /// Its link.
        session: SessionId,
        /// Checked against what was sent.
        end: PhysicalOffset,
    },
    /// A follower's link is gone.
    Closed {
        /// Which.
        session: SessionId,
    },
    /// The leader is found.
    Following {
        /// Where.
        leader: String,
        /// How it speaks.
        dialect: Dialect,
        /// What the leader of a DLedger group has said of itself.
        reign: Option<Reign>,
    },
    /// The leader's log has these epochs: they must be on disk before its bytes come.
    Adopt {
        /// All of them; none of a Java leader.
        epochs: Epochs,
        /// The term of the link, within a DLedger group.
        term: Option<Term>,
    },
    /// The log must be cut back before the leader's bytes can be appended.
    Cut {
        /// Its new end.
        to: PhysicalOffset,
        /// The term of the link, within a DLedger group.
        term: Option<Term>,
    },
    /// The leader lives and has nothing to send.
    Heard,
    /// Bytes of the leader's log.
    Received {
        /// Who wrote them; 0 when the leader does not say.
        epoch: i32,
        /// Where they belong.
        at: PhysicalOffset,
        /// The bytes.
        bytes: Bytes,
        /// The term of the link, within a DLedger group.
        term: Option<Term>,
    },
    /// The link to the leader is gone, or could not be made.
    Parted {
        /// The leader.
        leader: String,
        /// Why.
        reason: String,
    },
}
