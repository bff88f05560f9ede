//! Brokers as clients of NameServers: one registrar for the whole container (Java: `BrokerOuterAPI`, `BrokerController.registerBrokerAll`).
//!
//! ```text
//! Registrar (handle) --mailbox--> owner task: plan (pure) --calls--> one short task per call --> NameServer
//!                                      ^------- how it ended, connection closed ---------------------'
//! ```
//!
//! Invariants: per NameServer and broker at most one registration, one heartbeat and one question for members are under way, and
//! none waits for another; no NameServer waits for another; a NameServer that forgot us (its connection closed) is told again
//! at once; a broker that is joining its group is registered nowhere. Every body is the full JSON of all topics, as Java 5.5 sends
//! it: increments with a single topic are what Java refuses from a broker it does not know. Must not know: what a broker is.

mod calls;
mod plan;
mod shell;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::ids::{BrokerId, BrokerIdentity, Millis};

pub use shell::Registrar;

/// What a broker tells the NameServers about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Cluster, name and id, as the container knows it; never changes.
    pub identity: BrokerIdentity,
    /// Under which id: a member of a DLedger group has that of its role, 0 while it leads.
    pub id: BrokerId,
    /// `ip:port` for clients.
    pub address: String,
    /// `ip:port` for slaves.
    pub ha_address: String,
    /// Zone, for clients that stay in theirs.
    pub zone: Option<String>,
    /// With `enableSlaveActingMaster`: how it keeps in touch with its group.
    pub group: Option<Membership>,
    /// `registerNameServerPeriod`, kept between 10 and 60 s.
    pub period: Duration,
    /// `registerBrokerTimeoutMills`: how long a NameServer may take to answer.
    pub timeout: Duration,
    /// `forceRegister`: register every period; otherwise ask first whether the NameServer has these topics (322).
    pub force: bool,
    /// All topics with their version.
    pub body: RegisterBrokerBody,
}

/// How a broker keeps in touch with its group through the NameServers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// It does not take part yet: it only asks who is there.
    pub joining: bool,
    /// `brokerHeartbeatInterval`: how often it gives a sign of life between registrations.
    pub heartbeat_every: Duration,
    /// `brokerNotActiveTimeoutMillis`: silence after which NameServers drop it.
    pub not_active_timeout: Duration,
    /// `syncBrokerMemberGroupPeriod`: how often it asks who is there.
    pub member_period: Duration,
    /// `compatibleWithOldNameSrv`: only requests that NameServers before 5.0 know too.
    pub old_name_servers: bool,
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
