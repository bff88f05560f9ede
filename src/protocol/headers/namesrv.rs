//! NameServer: 100-105, 205, 216, 219, 224, 322, 327, 901, 904. (217 takes `topic_admin::TopicRequest`.)

use super::header;
use crate::protocol::ids::{BrokerId, PhysicalOffset};

header! {
    /// Route of a topic (105 GET_ROUTEINFO_BY_TOPIC).
    RouteRequest<'a> = "GetRouteInfoRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Whether broker ids have to be quoted; this NameServer always quotes them.
        accept_standard_json_only: Option<bool> => "acceptStandardJsonOnly",
    }
}

header! {
    /// A broker and all its topics (103 REGISTER_BROKER).
    RegisterBrokerRequest<'a> = "RegisterBrokerRequestHeader" {
        /// Name.
        broker_name: &'a str => "brokerName",
        /// Address for clients.
        broker_address: &'a str => "brokerAddr",
        /// Cluster.
        cluster_name: &'a str => "clusterName",
        /// Address for slaves.
        ha_server_address: &'a str => "haServerAddr",
        /// Id.
        broker_id: BrokerId => "brokerId",
        /// After how long without a sign of life the broker is dropped.
        heartbeat_timeout_millis: Option<i64> => "heartbeatTimeoutMillis",
        /// Whether a slave may act as master; absent from brokers before 5.0.
        enable_acting_master: Option<bool> => "enableActingMaster",
        /// Whether the body is compressed.
        compressed: bool => "compressed" or false,
        /// CRC-32 of the body as sent, & 0x7FFFFFFF; 0 is not checked.
        body_crc32: i32 => "bodyCrc32" or 0,
        /// Zone of the broker.
        zone_name: Option<&'a str> => "__ZONE_NAME",
    }
}

header! {
    /// Answer to 103, set for slaves only; the body is a `KvTable` of ordered topics.
    RegisterBrokerResponse<'a> = "RegisterBrokerResponseHeader" {
        /// HA address of the master.
        ha_server_address: Option<&'a str> => "haServerAddr",
        /// Address of the master.
        master_address: Option<&'a str> => "masterAddr",
    }
}

header! {
    /// One broker: 104 UNREGISTER_BROKER, 322 QUERY_DATA_VERSION.
    BrokerRequest<'a> = "UnRegisterBrokerRequestHeader, QueryDataVersionRequestHeader" {
        /// Name.
        broker_name: &'a str => "brokerName",
        /// Address for clients.
        broker_address: &'a str => "brokerAddr",
        /// Cluster.
        cluster_name: &'a str => "clusterName",
        /// Id.
        broker_id: BrokerId => "brokerId",
    }
}

header! {
    /// Answer to 322.
    QueryDataVersionResponse = "QueryDataVersionResponseHeader" {
        /// Whether the broker has to register in full.
        changed: bool => "changed",
    }
}

header! {
    /// A sign of life (904 BROKER_HEARTBEAT), one way.
    BrokerHeartbeatRequest<'a> = "BrokerHeartbeatRequestHeader" {
        /// Cluster.
        cluster_name: &'a str => "clusterName",
        /// Address for clients.
        broker_address: &'a str => "brokerAddr",
        /// Name.
        broker_name: &'a str => "brokerName",
        /// Id.
        broker_id: Option<BrokerId> => "brokerId",
        /// Epoch of the broker's log, to a controller.
        epoch: Option<i32> => "epoch",
        /// End of the broker's log, to a controller.
        max_offset: Option<PhysicalOffset> => "maxOffset",
        /// Confirmed end of the broker's log, to a controller.
        confirm_offset: Option<PhysicalOffset> => "confirmOffset",
        /// After how long without a sign of life the broker is dropped; spelled as in Java.
        heartbeat_timeout_millis: Option<i64> => "heartbeatTimeoutMills",
        /// Priority in elections, to a controller.
        election_priority: Option<i32> => "electionPriority",
    }
}

header! {
    /// Brokers of one name (901 GET_BROKER_MEMBER_GROUP).
    BrokerMemberGroupRequest<'a> = "GetBrokerMemberGroupRequestHeader" {
        /// Cluster.
        cluster_name: &'a str => "clusterName",
        /// Name.
        broker_name: &'a str => "brokerName",
    }
}

header! {
    /// Forget a topic (216 DELETE_TOPIC_IN_NAMESRV).
    DeleteTopicRequest<'a> = "DeleteTopicFromNamesrvRequestHeader" {
        /// Topic.
        topic: &'a str => "topic",
        /// Only in this cluster.
        cluster_name: Option<&'a str> => "clusterName",
    }
}

header! {
    /// A name of brokers: 205 WIPE_WRITE_PERM_OF_BROKER, 327 ADD_WRITE_PERM_OF_BROKER.
    BrokerNameRequest<'a> = "WipeWritePermOfBrokerRequestHeader, AddWritePermOfBrokerRequestHeader" {
        /// Name.
        broker_name: &'a str => "brokerName",
    }
}

header! {
    /// Answer to 205.
    WipeWritePermResponse = "WipeWritePermOfBrokerResponseHeader" {
        /// Topics changed.
        wipe_topic_count: i32 => "wipeTopicCount",
    }
}

header! {
    /// Answer to 327.
    AddWritePermResponse = "AddWritePermOfBrokerResponseHeader" {
        /// Topics changed.
        add_topic_count: i32 => "addTopicCount",
    }
}

header! {
    /// Set a value (100 PUT_KV_CONFIG).
    PutKvRequest<'a> = "PutKVConfigRequestHeader" {
        /// Namespace.
        namespace: &'a str => "namespace",
        /// Key.
        key: &'a str => "key",
        /// Value.
        value: &'a str => "value",
    }
}

header! {
    /// A key: 101 GET_KV_CONFIG, 102 DELETE_KV_CONFIG.
    KvRequest<'a> = "GetKVConfigRequestHeader, DeleteKVConfigRequestHeader" {
        /// Namespace.
        namespace: &'a str => "namespace",
        /// Key.
        key: &'a str => "key",
    }
}

header! {
    /// Answer to 101.
    KvResponse<'a> = "GetKVConfigResponseHeader" {
        /// Value.
        value: Option<&'a str> => "value",
    }
}

header! {
    /// All keys of a namespace (219 GET_KVLIST_BY_NAMESPACE).
    KvListRequest<'a> = "GetKVListByNamespaceRequestHeader" {
        /// Namespace.
        namespace: &'a str => "namespace",
    }
}

header! {
    /// Topics of a cluster (224 GET_TOPICS_BY_CLUSTER).
    TopicsByClusterRequest<'a> = "GetTopicsByClusterRequestHeader" {
        /// Cluster.
        cluster: &'a str => "cluster",
    }
}
