//! How the brokers of one name know of each other and stand in for their master (Java: `BrokerConfig`).

use std::time::Duration;

use crate::config::values::Values;

/// A broker's part in its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// `enableSlaveActingMaster`: the living broker with the smallest id does what only one may do.
    pub acting_master: bool,
    /// `skipPreOnline`: take part at once instead of first taking over what the others have.
    pub skip_pre_online: bool,
    /// `enableRemoteEscape`: an acting slave may give messages to masters outside of this container.
    pub remote_escape: bool,
    /// `lockInStrictMode`: a queue is locked when more than half of `totalReplicas` have locked it.
    pub strict_lock: bool,
    /// `brokerNotActiveTimeoutMillis`: silence after which NameServers drop the broker.
    pub not_active_timeout: Duration,
    /// `syncBrokerMemberGroupPeriod`: how often NameServers are asked for the members.
    pub member_period: Duration,
    /// `compatibleWithOldNameSrv`: heartbeats and questions that NameServers before 5.0 know too.
    pub old_name_servers: bool,
}

impl Group {
    pub(super) fn from_values(values: &Values) -> Group {
        Group {
            acting_master: values.bool("enableSlaveActingMaster"),
            skip_pre_online: values.bool("skipPreOnline"),
            remote_escape: values.bool("enableRemoteEscape"),
            strict_lock: values.bool("lockInStrictMode"),
            not_active_timeout: values.duration("brokerNotActiveTimeoutMillis"),
            member_period: values.duration("syncBrokerMemberGroupPeriod"),
            old_name_servers: values.bool("compatibleWithOldNameSrv"),
        }
    }
}
