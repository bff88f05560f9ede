//! Types that cannot be wrong: built only from values that passed the table's kinds and bounds and the rules between keys.
//!
//! Nothing mutates them later; a run-time change builds a new [`Broker`] (`super::update`).

mod broker;
mod container;
mod dledger;
mod group;
mod replication;
mod store;

use std::path::PathBuf;

use super::raw::RawEntry;

pub use broker::{Addresses, Broker, BrokerLimits, DelayLevels, Ports, Registration, Requests, Role, Topics};
pub use container::{Container, ContainerLimits, ContainerPorts, Http, Namesrv};
pub use dledger::{Dledger, Peer, member};
pub use group::Group;
pub use replication::Replication;
pub use store::{Flush, FlushDiskType, KeyIndex, Retention, StoreOptions, Transfer};

/// Everything a process of this program does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[container]`.
    pub container: Container,
    /// `[http]`; none when there is no such table.
    pub http: Option<Http>,
    /// `[namesrv]`; none when there is no such table.
    pub namesrv: Option<Namesrv>,
    /// `[[broker]]` in the order of the file, then `brokerConfigPaths`.
    pub brokers: Vec<Broker>,
    /// `[defaults]`, for brokers that come later.
    pub(in crate::config) defaults: Vec<RawEntry>,
    /// What relative paths are relative to.
    pub(in crate::config) current_dir: PathBuf,
}
