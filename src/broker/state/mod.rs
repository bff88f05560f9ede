//! What a broker knows, pure: tables with their rules, each with the JSON file that keeps it where it outlives a restart.
//!
//! ```text
//! topics, groups, offsets, delay   kept in config/*.json
//! clients, locks, stats, waiters   gone with the process, clients bring them again
//! ```
//!
//! Must not know: requests, sockets, the store.

pub mod changes;
pub mod clients;
pub mod copies;
pub mod delay;
pub mod groups;
pub mod lineage;
pub mod locks;
pub mod offsets;
pub mod series;
pub mod stats;
pub mod topics;
pub mod unique_ids;
pub mod votes;
pub mod waiters;
