//! The broker itself and its peers: 26, 905, 906, 908, 1007.

use super::header;
use crate::protocol::ids::{BrokerId, PhysicalOffset};

header! {
    /// Answer to 26 GET_BROKER_CONFIG; the body holds the properties.
    BrokerConfigResponse<'a> = "GetBrokerConfigResponseHeader" {
        /// `DataVersion` as JSON.
        version: &'a str => "version",
    }
}

header! {
    /// From a NameServer: the smallest broker id of a name changed (905 NOTIFY_MIN_BROKER_ID_CHANGE).
    MinBrokerIdChange<'a> = "NotifyMinBrokerIdChangeRequestHeader" {
        /// Smallest id now.
        min_broker_id: Option<BrokerId> => "minBrokerId",
        /// Name of the brokers.
        broker_name: Option<&'a str> => "brokerName",
        /// Address of the smallest id.
        min_broker_address: Option<&'a str> => "minBrokerAddr",
        /// Address of the broker that left.
        offline_broker_address: Option<&'a str> => "offlineBrokerAddr",
        /// HA address of the smallest id.
        ha_broker_address: Option<&'a str> => "haBrokerAddr",
    }
}

header! {
    /// Master and slave tell each other where they are (906 EXCHANGE_BROKER_HA_INFO), in both directions.
    ExchangeHaInfo<'a> = "ExchangeHAInfoRequestHeader, ExchangeHAInfoResponseHeader" {
        /// HA address of the master.
        master_ha_address: Option<&'a str> => "masterHaAddress",
        /// How far the master's log is on disk.
        master_flush_offset: Option<PhysicalOffset> => "masterFlushOffset",
        /// Address of the master.
        master_address: Option<&'a str> => "masterAddress",
    }
}

header! {
    /// Answer to 1007 GET_BROKER_EPOCH_CACHE, of ours alone: Java's has no header.
    EpochCacheResponse<'a> = "GetBrokerEpochCacheResponseHeader" {
        /// Where the log can be fetched.
        ha_server_address: Option<&'a str> => "haServerAddr",
    }
}

header! {
    /// Forget how far the master's log was on disk (908 RESET_MASTER_FLUSH_OFFSET).
    ResetMasterFlushOffsetRequest = "ResetMasterFlushOffsetHeader" {
        /// New value.
        master_flush_offset: PhysicalOffset => "masterFlushOffset",
    }
}
