//! Keys of a group of brokers whose slaves stand in for their master (Java: `BrokerConfig`).

use super::{Key, Kind, millis};

const HOUR: i64 = 3_600_000;

pub(super) const KEYS: &[Key] = &[
    Key::new(
        "enableSlaveActingMaster",
        Kind::Bool,
        "false",
        "Let the living broker with the smallest id act when the master is gone: consumers go on there, delayed messages too. \
         Set it on all brokers of the name, with slaveReadEnable, and supportActingMaster on the NameServers.",
    ),
    Key::new(
        "skipPreOnline",
        Kind::Bool,
        "false",
        "With enableSlaveActingMaster, take part in the group at once instead of first taking over what the others have.",
    ),
    Key::new(
        "enableRemoteEscape",
        Kind::Bool,
        "false",
        "Let an acting slave give delayed messages and those consumers send back to masters of other containers too.",
    ),
    Key::new(
        "lockInStrictMode",
        Kind::Bool,
        "false",
        "Lock queues of ordered consumers on more than half of totalReplicas brokers instead of on one.",
    ),
    Key::new(
        "brokerNotActiveTimeoutMillis",
        millis(1000, HOUR),
        "10000",
        "With enableSlaveActingMaster, silence after which the NameServers drop this broker.",
    ),
    Key::new(
        "syncBrokerMemberGroupPeriod",
        millis(100, HOUR),
        "1000",
        "With enableSlaveActingMaster, how often the NameServers are asked who is there.",
    ),
    Key::new(
        "compatibleWithOldNameSrv",
        Kind::Bool,
        "true",
        "With enableSlaveActingMaster, send heartbeats and questions that NameServers before 5.0 know too.",
    ),
];
