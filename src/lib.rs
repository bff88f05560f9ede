//! `mqcontainer`: many RocketMQ brokers in one process.
//!
//! The way of one message, and the order of the modules below:
//!
//! ```text
//! socket -> remoting (bytes -> frames, many per read)
//!        -> dispatch (local port -> broker; admission; answers exactly once)
//!        -> broker (mailbox -> one owner task -> pure core)
//!        -> store (one write for a whole batch) -> flush (who may be answered now)
//!        -> remoting (one vectored write for all replies of a batch)
//! behind it: store::follow (commit log -> consume queue, index; wakes long polls)
//! ```
//!
//! `protocol`, the broker core and every decision of the store are pure: state, time and event in, actions out.
//! Clock, disk, chance and spawning come through [`mod@env`] and nowhere else. ARCHITECTURE.md has the table of who may know whom.

pub mod container;

pub mod remoting;

pub mod dispatch;

pub mod broker;

pub mod store;

pub mod replication;

pub mod raft;

pub mod namesrv;

pub mod protocol;

pub mod config;

pub mod env;

pub mod observe;

pub mod bench;
