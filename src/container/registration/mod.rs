//! Brokers as clients of NameServers: one registrar for the whole container (Java: `BrokerOuterAPI`, `BrokerController.registerBrokerAll`).
//!
//! ```text
//! Registrar (handle) --mailbox--> owner task: plan (pure) --calls--> one short task per call --> NameServer
//!                                      ^------- how it ended, connection closed ---------------------'
//! ```
//!
//! Invariants: at most one request per NameServer and broker is under way; no NameServer waits for another; a NameServer that
//! forgot us (its connection closed) is told again at once. Every body is the full JSON of all topics, as Java 5.5 sends
//! it: increments with a single topic are what Java refuses from a broker it does not know. Must not know: what a broker is.

mod calls;
mod plan;
mod shell;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::ids::{BrokerIdentity, Millis};

pub use shell::Registrar;

/// What a broker tells the NameServers about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Cluster, name and id.
    pub identity: BrokerIdentity,
    /// `ip:port` for clients.
    pub address: String,
    /// `ip:port` for slaves.
    pub ha_address: String,
    /// Zone, for clients that stay in theirs.
    pub zone: Option<String>,
    /// `enableSlaveActingMaster`.
    pub acting_master: bool,
    /// Heartbeats between registrations; only sent when `acting_master` is on, as in Java.
    pub heartbeat: Option<Heartbeat>,
    /// `registerNameServerPeriod`, kept between 10 and 60 s.
    pub period: Duration,
    /// `registerBrokerTimeoutMills`: how long a NameServer may take to answer.
    pub timeout: Duration,
    /// `forceRegister`: register every period; otherwise ask first whether the NameServer has these topics (322).
    pub force: bool,
    /// All topics with their version.
    pub body: RegisterBrokerBody,
}

/// Signs of life between registrations (904).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// `brokerHeartbeatInterval`.
    pub every: Duration,
    /// `brokerNotActiveTimeoutMillis`: silence after which NameServers drop the broker.
    pub timeout: Duration,
}

/// How a NameServer is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServerStatus {
    /// As configured.
    pub address: String,
    /// Whether the last request was answered; `None` before the first.
    pub reachable: Option<bool>,
    /// When a request was last answered with success.
    pub last_success: Option<Millis>,
    /// When and why one last failed.
    pub last_error: Option<(Millis, String)>,
    /// The brokers registered there.
    pub registered: Vec<BrokerIdentity>,
}
