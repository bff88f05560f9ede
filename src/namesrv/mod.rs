//! The NameServer: who serves which topic, and where (Java: module `namesrv`).
//!
//! ```text
//! frame --request (pure, connection's task)--> mailbox --> owner task: core (pure) --> answer
//!                                                             |  table: brokers, topics, routes
//! connection closed, scan timer ------------------------------+  key-value configuration, settings
//!                                                             |
//!                                     kvConfig.json on the I/O pool; pushes (905) to brokers
//! ```
//!
//! Invariants: one task owns the state, so a decision and what follows from it are one step; a change of the key-value
//! configuration is answered when it is on disk; every request is answered once. Must not know: brokers of this container,
//! the store.

mod core;
mod error;
mod push;
mod request;
mod service;
mod settings;
mod table;

pub use error::{Error, StartError};
pub use service::{Handle, Numbers, Options, start};
pub use settings::Settings;
pub use table::{Limits, Rules};
