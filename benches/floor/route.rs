//! What clients ask besides sending, answered by the library: every topic is here, everything else succeeds.

use bytes::BytesMut;
use mqcontainer::protocol::body::route::{BrokerData, ClusterInfo, QueueData, TopicRouteData};
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::{Command, FLAG_RESPONSE};
use mqcontainer::protocol::{frame, json};

const NAME: &str = "floor";
const CLUSTER: &str = "DefaultCluster";
const QUEUES: i32 = 8;

pub struct Route {
    topic: Vec<u8>,
    cluster: Vec<u8>,
}

impl Route {
    pub fn to(port: u16) -> Route {
        let broker = BrokerData {
            broker_addrs: [(0, format!("127.0.0.1:{port}"))].into(),
            broker_name: NAME.into(),
            cluster: CLUSTER.into(),
            ..BrokerData::default()
        };
        let queues = QueueData {
            broker_name: NAME.into(),
            perm: 6,
            read_queue_nums: QUEUES,
            write_queue_nums: QUEUES,
            topic_sys_flag: 0,
        };
        let topic = TopicRouteData {
            broker_datas: vec![broker.clone()],
            queue_datas: vec![queues],
            ..TopicRouteData::default()
        };
        let cluster = ClusterInfo {
            broker_addr_table: [(NAME.to_owned(), broker)].into(),
            cluster_addr_table: [(CLUSTER.to_owned(), [NAME.to_owned()].into())].into(),
        };
        Route { topic: json::to_java(&topic), cluster: json::to_java(&cluster) }
    }

    /// Empty for a request that wants none.
    #[cold]
    pub fn answer(&self, request: &[u8]) -> Vec<u8> {
        let asked = frame::decode(&mut BytesMut::from(request)).unwrap().unwrap();
        if asked.is_oneway() {
            return Vec::new();
        }
        let body = match asked.code {
            request::GET_ROUTEINFO_BY_TOPIC => self.topic.clone(),
            request::GET_BROKER_CLUSTER_INFO => self.cluster.clone(),
            _ => Vec::new(),
        };
        let Command { opaque, language, version, serialization, .. } = asked;
        let flag = FLAG_RESPONSE;
        let body = body.into();
        let answer = Command { opaque, language, version, serialization, flag, body, ..Command::default() };
        frame::encode_to_bytes(&answer).to_vec()
    }
}
