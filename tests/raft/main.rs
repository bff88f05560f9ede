//! Groups of one to five members of the Raft core, and spare ones, in a world that is hostile and repeats itself.
//!
//! ```text
//! seed -> options (members, flush, delays, losses, clocks, faults)
//!   heap of (time, number, happening) --> member: core + abstract log + disk --> messages, links, saves, syncs --> heap
//!                                          invariants look at every action
//! phase one: writes, faults, changes of members, transfers        phase two: everything heals, the group must be whole
//! ```
//!
//! The core is the product's own, and so are the epochs by which links find where two logs part. A log is a row of records, each with its
//! term and a tag that no other record has. Disks lose what was not synced, messages are lost, doubled, late and out of order, ways are cut in
//! one direction, clocks run up to 4 % wrong, processes stop for a while, die, and lose power.
//!
//! `RAFT_SEED=n cargo test --test raft seeds -- --nocapture` repeats one seed and tells its story; `RAFT_SEEDS=n` (from `RAFT_FROM`) runs so
//! many; `RAFT_BUG=Name` plants one mistake only. docs/raft.md is the page.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod bugs;
mod chance;
mod coverage;
mod invariants;
mod log;
mod member;
mod network;
mod oracle;
mod scenarios;
mod seeds;
mod world;
