//! One broker: a mailbox, one owner task, a pure core, a store.
//!
//! ```text
//! dispatch --Request--> handle --mailbox--> actor --Event--> core (state/, requests/, hold, persist: pure)
//!                                            ^  |                |
//!             readers, I/O pool --results----+  +<---Action------+
//!                                               |
//!                    store.append / follow / jobs, reply slots, connections, config/*.json
//! ```
//!
//! The actor drains its mailbox into one batch: many requests become one write, one sync, one round of replies. Pulls and
//! lookups are read by tasks of their own from the store's view and do not pass through the append lane.
//!
//! Invariants: one task changes the state; every request is answered exactly once; nothing is answered before it is as safe
//! as the flush mode promises; nothing is handed out above the confirmed offset.
//! Must not know: who listens on which port, other brokers, NameServers.

pub mod action;
mod actor;
pub mod config_file;
pub mod core;
pub mod creations;
mod delivery;
pub mod error;
pub mod escape;
pub mod event;
pub mod group;
pub mod handle;
pub mod hold;
mod links;
mod metadata;
mod open;
pub mod persist;
pub mod raft;
mod readers;
pub mod replicas;
pub mod requests;
mod role;
pub mod snapshot;
pub mod stages;
pub mod state;
#[cfg(test)]
mod testing;
mod upstream;

pub use actor::Doors;
pub use escape::Escaped;
pub use group::{Members, Presence};
pub use handle::{Exit, Handle, Started};
pub use links::link_options;
pub use open::{Links, StartError, open, start};
pub use raft::Standing;
pub use snapshot::Snapshot;
pub use upstream::Upstream;
