//! Options of copies on other brokers (Java: `MessageStoreConfig`).

use std::time::Duration;

use crate::config::values::Values;

/// How a broker copies its log, or the log of its master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replication {
    /// `haMasterAddress`, `host:port`: a slave fetches from there, whatever the NameServers say.
    pub master_ha_address: Option<String>,
    /// `haSendHeartbeatInterval`: a connection is not silent for longer.
    pub heartbeat: Duration,
    /// `haHousekeepingInterval`: a connection that was silent this long is closed.
    pub housekeeping: Duration,
    /// `haTransferBatchSize`: most bytes of the log in one frame.
    pub batch_bytes: usize,
    /// `haMaxGapNotInSync`: bytes a slave may be behind and still count as one that keeps up.
    pub max_gap_not_in_sync: i64,
    /// `maxHaTransferByteInSecond` to one slave; none without `haFlowControlEnable`.
    pub flow_limit: Option<u64>,
    /// `slaveTimeout`: a producer waits no longer for slaves (answer FLUSH_SLAVE_TIMEOUT).
    pub slave_timeout: Duration,
    /// `inSyncReplicas`: copies that SYNC_MASTER waits for, its own counted.
    pub in_sync: u32,
    /// `minInSyncReplicas`, at most `in_sync`.
    pub min_in_sync: u32,
    /// `totalReplicas`, at least `in_sync`.
    pub total: u32,
    /// `enableAutoInSyncReplicas`.
    pub auto_in_sync: bool,
}

impl Replication {
    pub(super) fn from_values(values: &Values) -> Replication {
        let master = values.text("haMasterAddress");
        let limit = values.number("maxHaTransferByteInSecond");
        Replication {
            master_ha_address: (!master.is_empty()).then(|| master.to_owned()),
            heartbeat: values.duration("haSendHeartbeatInterval"),
            housekeeping: values.duration("haHousekeepingInterval"),
            batch_bytes: values.number("haTransferBatchSize"),
            max_gap_not_in_sync: values.number("haMaxGapNotInSync"),
            flow_limit: values.bool("haFlowControlEnable").then_some(limit),
            slave_timeout: values.duration("slaveTimeout"),
            in_sync: values.number("inSyncReplicas"),
            min_in_sync: values.number("minInSyncReplicas"),
            total: values.number("totalReplicas"),
            auto_in_sync: values.bool("enableAutoInSyncReplicas"),
        }
    }
}
