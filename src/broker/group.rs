//! Who is alive in a broker's group (Java: `BrokerMemberGroup`), and whether the broker itself takes part yet.

use std::collections::BTreeMap;

use crate::protocol::ids::BrokerId;

/// The members that the NameServers know, the broker itself included when it is registered: id and `ip:port` for requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members(pub BTreeMap<BrokerId, String>);

/// Whether a broker takes part in its group (Java: `isIsolated`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not registered and serves no client: it makes sure first that it has what the others have.
    Joining {
        /// What it waits for, for /readyz and the log.
        waits_for: String,
    },
    /// It is registered and serves.
    Online,
}
