//! Keys of copies on other brokers (Java: `MessageStoreConfig`, `BrokerConfig`).

use super::{Key, Kind, bytes, int, millis};

const KIB: i64 = 1 << 10;
const MIB: i64 = 1 << 20;
const HOUR: i64 = 3_600_000;

pub(super) const KEYS: &[Key] = &[
    Key::new("totalReplicas", int(1, 1000), "1", "Copies of each message, the master's counted."),
    Key::new(
        "inSyncReplicas",
        int(1, 1000),
        "1",
        "Copies that SYNC_MASTER waits for, its own counted, at most totalReplicas; 1 waits for no slave.",
    ),
    Key::new(
        "minInSyncReplicas",
        int(1, 1000),
        "1",
        "Copies below which enableAutoInSyncReplicas does not go, at most inSyncReplicas.",
    ),
    Key::new(
        "enableAutoInSyncReplicas",
        Kind::Bool,
        "false",
        "With enableSlaveActingMaster, wait for fewer copies when fewer slaves keep up, but not below minInSyncReplicas.",
    ),
    Key::new(
        "slaveTimeout",
        millis(1, HOUR),
        "3000",
        "How long SYNC_MASTER waits for its slaves before it answers FLUSH_SLAVE_TIMEOUT.",
    ),
    Key::new(
        "haMasterAddress",
        Kind::Address,
        "",
        "Where a slave finds haListenPort of its master; without it the NameServers tell.",
    ),
    Key::new(
        "haSendHeartbeatInterval",
        millis(10, HOUR),
        "5000",
        "How long a connection between master and slave may be silent before a heartbeat is sent.",
    ),
    Key::new(
        "haHousekeepingInterval",
        millis(10, HOUR),
        "20000",
        "How long a connection between master and slave may be silent before it is closed.",
    ),
    Key::new("haTransferBatchSize", bytes(KIB, 16 * MIB), "32KiB", "Most bytes of the log in one frame to a slave."),
    Key::new(
        "haMaxGapNotInSync",
        bytes(0, 1 << 40),
        "256MiB",
        "A slave that is further behind does not count as one that keeps up.",
    ),
    Key::new("haFlowControlEnable", Kind::Bool, "false", "Limit what one slave is sent to maxHaTransferByteInSecond."),
    Key::new(
        "maxHaTransferByteInSecond",
        bytes(KIB, 1 << 40),
        "100MiB",
        "Most bytes one slave is sent in a second, with haFlowControlEnable.",
    ),
    Key::new(
        "offsetCheckInSlave",
        Kind::Bool,
        "false",
        "Let a slave move a consumer whose offset it does not have; without it only the master does.",
    )
    .reloadable(),
];
