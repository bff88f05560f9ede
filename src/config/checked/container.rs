//! Options of the process: the container, its HTTP endpoint and its NameServer.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::values::Values;

/// Options of the container (Java: `BrokerContainerConfig`, `NettyServerConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// `rocketmqHome` or the environment's ROCKETMQ_HOME; nothing is read from there, tools ask for it.
    pub home: Option<PathBuf>,
    /// The admin ports.
    pub ports: ContainerPorts,
    /// `bindAddress` of every port of the process except HTTP and the NameServer.
    pub bind: IpAddr,
    /// `namesrvAddr`: `host:port` of each NameServer; empty means that brokers do not register.
    pub namesrv_addrs: Vec<String>,
    /// `serverChannelMaxIdleTimeSeconds`: a connection without traffic this long is closed.
    pub idle_timeout: Duration,
    /// `serverWorkerThreads`: worker threads of the one runtime.
    pub worker_threads: usize,
    /// `[container.limits]`.
    pub limits: ContainerLimits,
    pub(in crate::config) values: Values,
}

impl Container {
    /// Every implemented key with its effective value, as GET_BROKER_CONFIG (26) shows it.
    #[must_use]
    pub fn effective(&self) -> BTreeMap<String, String> {
        self.values.effective()
    }

    pub(in crate::config) fn from_values(values: Values) -> Container {
        let main: u16 = values.number("listenPort");
        Container {
            home: values.optional_path("rocketmqHome"),
            ports: ContainerPorts { main, fast: main - 2 },
            bind: values.ip("bindAddress"),
            namesrv_addrs: values.list("namesrvAddr"),
            idle_timeout: values.duration("serverChannelMaxIdleTimeSeconds"),
            worker_threads: values.number("serverWorkerThreads"),
            limits: ContainerLimits {
                connections: values.number("limits.connections"),
                inbound_bytes: values.number("limits.inbound_bytes"),
                partial_bytes: values.number("limits.partial_bytes"),
                outbound_bytes: values.number("limits.outbound_bytes"),
                io_threads: values.number("limits.io_threads"),
                outbox_frames: values.number("limits.outbox_frames"),
            },
            values,
        }
    }
}

/// Ports of the container itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerPorts {
    /// `listenPort`.
    pub main: u16,
    /// `listenPort` - 2.
    pub fast: u16,
}

/// `[container.limits]`: bounds of the whole process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerLimits {
    /// Open connections on all ports together.
    pub connections: usize,
    /// Bytes of requests that were read and not answered yet, all brokers together.
    pub inbound_bytes: usize,
    /// Bytes of frames that have not arrived completely, all connections together; at least two of the longest frames.
    pub partial_bytes: usize,
    /// Bytes that wait to be written, all connections together.
    pub outbound_bytes: usize,
    /// Threads of the shared pool for blocking disk work.
    pub io_threads: usize,
    /// Frames that may wait for a slow reader on one connection.
    pub outbox_frames: usize,
}

/// `[http]`: the one endpoint for /metrics, /livez, /readyz and /brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `listen`.
    pub listen: SocketAddr,
    pub(in crate::config) values: Values,
}

impl Http {
    pub(in crate::config) fn from_values(values: Values) -> Http {
        Http { listen: values.endpoint("listen"), values }
    }
}

/// `[namesrv]`: the NameServer inside (Java: `NamesrvConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namesrv {
    /// `bindAddress`, the container's unless given.
    pub bind: IpAddr,
    /// `listenPort`.
    pub port: u16,
    /// `kvConfigPath`: where key-value configuration is kept.
    pub kv_config: PathBuf,
    /// `supportActingMaster`: a slave may be shown as acting master of its group.
    pub support_acting_master: bool,
    /// `notifyMinBrokerIdChanged`: brokers are told when the smallest id of their group changes.
    pub notify_min_broker_id_changed: bool,
    /// `scanNotActiveBrokerInterval`.
    pub scan_interval: Duration,
    /// `returnOrderTopicConfigToBroker`: registration answers carry the order topics.
    pub return_order_topics: bool,
    /// `orderMessageEnable`: routes carry the order configuration of a topic.
    pub order_message: bool,
    /// `deleteTopicWithBrokerRegistration`: a topic missing from a registration is removed.
    pub delete_topic_with_registration: bool,
    pub(in crate::config) values: Values,
}

impl Namesrv {
    /// Every implemented key with its effective value, as GET_NAMESRV_CONFIG (319) shows it.
    #[must_use]
    pub fn effective(&self) -> BTreeMap<String, String> {
        self.values.effective()
    }

    pub(in crate::config) fn from_values(values: Values) -> Namesrv {
        Namesrv {
            bind: values.ip("bindAddress"),
            port: values.number("listenPort"),
            kv_config: values.path("kvConfigPath"),
            support_acting_master: values.bool("supportActingMaster"),
            notify_min_broker_id_changed: values.bool("notifyMinBrokerIdChanged"),
            scan_interval: values.duration("scanNotActiveBrokerInterval"),
            return_order_topics: values.bool("returnOrderTopicConfigToBroker"),
            order_message: values.bool("orderMessageEnable"),
            delete_topic_with_registration: values.bool("deleteTopicWithBrokerRegistration"),
            values,
        }
    }
}
