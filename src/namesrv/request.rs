//! Frames to requests: everything that can be said about a request without knowing the table.
//!
//! Runs in the task of the connection, so that the JSON of ten thousand topics delays nobody else's route.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Error;
use super::settings;
use super::table::{Registration, UnitTopics, WritePermission};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::body::route::{QueueData, TopicRouteData};
use crate::protocol::codes::request as code;
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv as header;
use crate::protocol::headers::topic_admin::TopicRequest;
use crate::protocol::json;

/// `MixAll.ZONE_MODE`: the client wants brokers of its own zone.
const ZONE_MODE: &str = "__ZONE_MODE";
/// `MixAll.ZONE_NAME`.
const ZONE_NAME: &str = "__ZONE_NAME";

/// Every request a NameServer answers (`DefaultRequestProcessor`, `ClientRequestProcessor`).
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// 105.
    Route {
        /// The topic.
        topic: String,
        /// Only brokers of this zone, where they have masters.
        zone: Option<String>,
    },
    /// 106.
    Clusters,
    /// What brokers say about themselves.
    Broker(BrokerRequest),
    /// Topics as tools see and change them.
    Topics(TopicsRequest),
    /// Key-value configuration.
    KeyValue(KeyValueRequest),
    /// 318: new values by key.
    UpdateSettings(BTreeMap<String, String>),
    /// 319.
    Settings,
}

/// Requests of brokers.
#[derive(Clone, Debug, PartialEq)]
pub enum BrokerRequest {
    /// 103.
    Register(Box<Registration>),
    /// 104.
    Unregister(BrokerAddress),
    /// 322: the version of the topics the broker has.
    QueryVersion(BrokerAddress, DataVersion),
    /// 904.
    Heartbeat(BrokerAddress),
    /// 901.
    Members {
        /// Repeated in the answer.
        cluster: String,
        /// Broker name.
        name: String,
    },
}

/// Requests about topics.
#[derive(Clone, Debug, PartialEq)]
pub enum TopicsRequest {
    /// 206.
    All,
    /// 224.
    OfCluster(String),
    /// 304.
    System,
    /// 311, 312, 313.
    OfUnits(UnitTopics),
    /// 217.
    Register {
        /// The topic.
        topic: String,
        /// Its queues.
        queues: Vec<QueueData>,
    },
    /// 216.
    Delete {
        /// The topic.
        topic: String,
        /// All clusters when absent.
        cluster: Option<String>,
    },
    /// 205, 327.
    SetWritePermission {
        /// Broker name.
        broker: String,
        /// What to do.
        what: WritePermission,
    },
}

/// Requests about the key-value configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueRequest {
    /// 100.
    Put {
        /// Namespace.
        namespace: String,
        /// Key.
        key: String,
        /// Value.
        value: String,
    },
    /// 101.
    Get {
        /// Namespace.
        namespace: String,
        /// Key.
        key: String,
    },
    /// 102.
    Delete {
        /// Namespace.
        namespace: String,
        /// Key.
        key: String,
    },
    /// 219.
    Namespace(String),
}

/// How a broker is named in 104, 322 and 904.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerAddress {
    /// `clusterName`.
    pub cluster: String,
    /// `brokerName`.
    pub name: String,
    /// `brokerAddr`.
    pub address: String,
}

/// Reads a request.
///
/// # Errors
/// An unknown code, a missing or malformed field, a body that cannot be read or whose checksum is wrong.
pub fn parse(command: &Command) -> Result<Request, Error> {
    match command.code {
        code::GET_ROUTEINFO_BY_TOPIC => parse_route(command),
        code::GET_BROKER_CLUSTER_INFO => Ok(Request::Clusters),
        code::UPDATE_NAMESRV_CONFIG => {
            Ok(Request::UpdateSettings(settings::parse_properties(&command.body.to_bytes())?))
        }
        code::GET_NAMESRV_CONFIG => Ok(Request::Settings),
        code::REGISTER_BROKER
        | code::UNREGISTER_BROKER
        | code::QUERY_DATA_VERSION
        | code::BROKER_HEARTBEAT
        | code::GET_BROKER_MEMBER_GROUP => Ok(Request::Broker(parse_broker(command)?)),
        code::PUT_KV_CONFIG | code::GET_KV_CONFIG | code::DELETE_KV_CONFIG | code::GET_KVLIST_BY_NAMESPACE => {
            Ok(Request::KeyValue(parse_key_value(command)?))
        }
        _ => Ok(Request::Topics(parse_topics(command)?)),
    }
}

fn parse_broker(command: &Command) -> Result<BrokerRequest, Error> {
    let ext = &command.ext;
    Ok(match command.code {
        code::REGISTER_BROKER => BrokerRequest::Register(Box::new(parse_registration(command)?)),
        code::UNREGISTER_BROKER => BrokerRequest::Unregister(broker(command)?),
        code::QUERY_DATA_VERSION => {
            BrokerRequest::QueryVersion(broker(command)?, json::from_java(&command.body.to_bytes())?)
        }
        code::BROKER_HEARTBEAT => {
            let header = header::BrokerHeartbeatRequest::decode(ext)?;
            BrokerRequest::Heartbeat(BrokerAddress {
                cluster: header.cluster_name.to_owned(),
                name: header.broker_name.to_owned(),
                address: header.broker_address.to_owned(),
            })
        }
        code::GET_BROKER_MEMBER_GROUP => {
            let header = header::BrokerMemberGroupRequest::decode(ext)?;
            BrokerRequest::Members { cluster: header.cluster_name.to_owned(), name: header.broker_name.to_owned() }
        }
        unknown => return Err(Error::UnknownCode(unknown)),
    })
}

fn parse_topics(command: &Command) -> Result<TopicsRequest, Error> {
    let ext = &command.ext;
    Ok(match command.code {
        code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => TopicsRequest::All,
        code::GET_SYSTEM_TOPIC_LIST_FROM_NS => TopicsRequest::System,
        code::GET_UNIT_TOPIC_LIST => TopicsRequest::OfUnits(UnitTopics::Unit),
        code::GET_HAS_UNIT_SUB_TOPIC_LIST => TopicsRequest::OfUnits(UnitTopics::Subscribed),
        code::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST => TopicsRequest::OfUnits(UnitTopics::SubscribedOutside),
        code::GET_TOPICS_BY_CLUSTER => {
            TopicsRequest::OfCluster(header::TopicsByClusterRequest::decode(ext)?.cluster.to_owned())
        }
        code::REGISTER_TOPIC_IN_NAMESRV => {
            let topic = TopicRequest::decode(ext)?.topic.to_owned();
            let route: TopicRouteData = json::from_java(&command.body.to_bytes())?;
            TopicsRequest::Register { topic, queues: route.queue_datas }
        }
        code::DELETE_TOPIC_IN_NAMESRV => {
            let header = header::DeleteTopicRequest::decode(ext)?;
            let cluster = header.cluster_name.filter(|name| !name.is_empty()).map(str::to_owned);
            TopicsRequest::Delete { topic: header.topic.to_owned(), cluster }
        }
        code::WIPE_WRITE_PERM_OF_BROKER => write_permission(command, WritePermission::Wipe)?,
        code::ADD_WRITE_PERM_OF_BROKER => write_permission(command, WritePermission::Add)?,
        unknown => return Err(Error::UnknownCode(unknown)),
    })
}

fn parse_key_value(command: &Command) -> Result<KeyValueRequest, Error> {
    let ext = &command.ext;
    if command.code == code::PUT_KV_CONFIG {
        let header = header::PutKvRequest::decode(ext)?;
        return Ok(KeyValueRequest::Put {
            namespace: header.namespace.to_owned(),
            key: header.key.to_owned(),
            value: header.value.to_owned(),
        });
    }
    if command.code == code::GET_KVLIST_BY_NAMESPACE {
        return Ok(KeyValueRequest::Namespace(header::KvListRequest::decode(ext)?.namespace.to_owned()));
    }
    let header = header::KvRequest::decode(ext)?;
    let (namespace, key) = (header.namespace.to_owned(), header.key.to_owned());
    match command.code {
        code::GET_KV_CONFIG => Ok(KeyValueRequest::Get { namespace, key }),
        code::DELETE_KV_CONFIG => Ok(KeyValueRequest::Delete { namespace, key }),
        unknown => Err(Error::UnknownCode(unknown)),
    }
}

fn parse_route(command: &Command) -> Result<Request, Error> {
    let topic = header::RouteRequest::decode(&command.ext)?.topic.to_owned();
    let zone_mode = command.ext.get(ZONE_MODE).is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
    let zone = command.ext.get(ZONE_NAME).filter(|name| zone_mode && !name.trim().is_empty());
    Ok(Request::Route { topic, zone: zone.map(str::to_owned) })
}

fn broker(command: &Command) -> Result<BrokerAddress, Error> {
    let header = header::BrokerRequest::decode(&command.ext)?;
    Ok(BrokerAddress {
        cluster: header.cluster_name.to_owned(),
        name: header.broker_name.to_owned(),
        address: header.broker_address.to_owned(),
    })
}

fn write_permission(command: &Command, what: WritePermission) -> Result<TopicsRequest, Error> {
    let broker = header::BrokerNameRequest::decode(&command.ext)?.broker_name.to_owned();
    Ok(TopicsRequest::SetWritePermission { broker, what })
}

fn parse_registration(command: &Command) -> Result<Registration, Error> {
    let header = header::RegisterBrokerRequest::decode(&command.ext)?;
    let bytes = command.body.to_bytes();
    let crc = checksum(&bytes);
    if header.body_crc32 != 0 && header.body_crc32 != crc {
        return Err(Error::Checksum { expected: header.body_crc32, found: crc });
    }
    let body = RegisterBrokerBody::decode(&bytes, header.compressed, command.version)?;
    let topics = body.topic_config_serialize_wrapper;
    let timeout = header.heartbeat_timeout_millis;
    Ok(Registration {
        cluster: header.cluster_name.to_owned(),
        name: header.broker_name.to_owned(),
        id: header.broker_id,
        address: header.broker_address.to_owned(),
        ha_address: header.ha_server_address.to_owned(),
        zone: header.zone_name.map(str::to_owned),
        heartbeat_timeout: timeout.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0))),
        acting_master: header.enable_acting_master,
        version: topics.data_version,
        topics: topics.topic_config_table,
        mappings: topics.topic_queue_mapping_info_map,
        filter_servers: body.filter_server_list,
    })
}

/// Java's `UtilAll.crc32`: CRC-32 without its highest bit.
#[expect(clippy::cast_possible_wrap, reason = "the highest bit is cleared")]
fn checksum(bytes: &[u8]) -> i32 {
    (crc32fast::hash(bytes) & 0x7FFF_FFFF) as i32
}
