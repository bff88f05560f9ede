//! Leader and followers in a world that is hostile and repeats itself: one thread, one queue of events, all chance from a seed.
//!
//! ```text
//! seed -> options (flush, copies, co-location, joining, delays, faults)
//!   heap of (time, number, event) --> member: core + store + links' pure ends --> jobs, files, messages --> heap
//!                                     invariants look at every step
//! phase one: load and faults        phase two: everything heals, the logs must become equal
//! ```
//!
//! The brokers are the product's own: `broker::open`, `Core`, `Store`, `Sender`, `Follower`; only what the actor and the links' tasks
//! do with a runtime is done here. Faults: a machine dies with all its brokers, with or without its page cache; one broker dies
//! and its neighbours go on; ways are cut, in one direction too; links break; a disk fails to sync.
//!
//! Members of a DLedger group have a world of their own (dledger/).
//!
//! In a share of the groups the master joins before it leads: a NameServer names members, they ask each other, and the master follows
//! a slave that has more.
//!
//! `SIM_SEED=n cargo test --test sim seeds -- --nocapture` repeats one seed and tells its story; `SIM_SEEDS=n` (from `SIM_FROM`)
//! runs so many; with `SIM_JOINS=1` all groups join, with `SIM_JOINS=0` none. Seeds that once failed are in `seeds.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bugs;
#[allow(dead_code, reason = "the store uses all of it")]
mod disk;
mod dledger;
mod invariants;
mod load;
mod member;
mod network;
mod seeds;
mod world;
