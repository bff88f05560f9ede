//! `container.toml` and stock Java `.conf` files in, options that cannot be wrong out.
//!
//! ```text
//! container.toml --raw--------+
//!                             +--> values: defaults of the table < [defaults] < include < [[broker]]
//! broker-b.conf --properties--+        | kinds and bounds of keys/, ${brokerName} filled in
//!                                      v
//!                     rules between keys (role, ports, paths) --> checked: Config, Broker, StoreOptions
//!                                      ^
//!          mqadmin updateBrokerConfig --update
//! ```
//!
//! Invariants: every key stands once, in `keys/`, and the defaults, `check`, `container.toml` and docs/configuration.md
//! follow that table; every problem is reported, with file and line, not only the first; nothing here changes after
//! it was built. Pure: files, environment and addresses come in through [`Outside`].
//! Must not know: who uses an option.

mod checked;
mod document;
mod error;
pub mod keys;
mod kinds;
mod load;
mod outside;
mod properties;
mod raw;
mod resolve;
mod rules;
mod summary;
pub mod units;
mod update;
mod values;

pub use checked::{
    Addresses, Broker, BrokerLimits, Config, Container, ContainerLimits, ContainerPorts, DelayLevels, Dledger, Flush,
    FlushDiskType, Group, Http, KeyIndex, Namesrv, Peer, Ports, Registration, Replication, Requests, Retention, Role,
    StoreOptions, Topics, Transfer,
};
pub use document::document;
pub use error::{Error, Errors, PathCollision, Place, Warning, Warnings};
pub use outside::{Outside, ReadFile, Variable};
pub use properties::properties_text;
pub use summary::summary;
pub use update::{Change, rewrite};

/// The configuration used when there is no `container.toml`: a NameServer and two brokers on loopback.
pub const BUILT_IN: &str = include_str!("../../container.toml");

/// How messages name [`BUILT_IN`].
pub const BUILT_IN_NAME: &str = "built-in container.toml";

#[cfg(test)]
mod tests;
