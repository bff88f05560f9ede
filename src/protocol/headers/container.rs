//! The container's own port: 902 and 903.

use super::header;
use crate::protocol::ids::BrokerId;

header! {
    /// Start a broker (902 ADD_BROKER).
    AddBrokerRequest<'a> = "AddBrokerRequestHeader" {
        /// A properties file on the container's host.
        config_path: Option<&'a str> => "configPath",
    }
}

header! {
    /// Stop a broker (903 REMOVE_BROKER).
    RemoveBrokerRequest<'a> = "RemoveBrokerRequestHeader" {
        /// Name.
        broker_name: &'a str => "brokerName",
        /// Cluster.
        broker_cluster_name: &'a str => "brokerClusterName",
        /// Id.
        broker_id: BrokerId => "brokerId",
    }
}
