//! Options of one broker (Java: `BrokerConfig`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::dledger::{Dledger, Peer};
use super::group::Group;
use super::replication::Replication;
use super::store::StoreOptions;
use crate::config::values::Values;
use crate::protocol::ids::{BrokerId, BrokerIdentity};

/// One broker of the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Cluster, name and id; of a member of a DLedger group the number of its `dLegerSelfId` (Java: `getBrokerIdentity`).
    pub identity: BrokerIdentity,
    /// `brokerRole`.
    pub role: Role,
    /// Its three ports.
    pub ports: Ports,
    /// What it tells others about where it is.
    pub addresses: Addresses,
    /// Its store.
    pub store: StoreOptions,
    /// How it copies its log, or that of its master.
    pub replication: Replication,
    /// Its part in its group.
    pub group: Group,
    /// Its part in its DLedger group; none for a broker whose role is configured.
    pub dledger: Option<Dledger>,
    /// Topics and groups that come into being by themselves.
    pub topics: Topics,
    /// How requests are admitted and answered.
    pub requests: Requests,
    /// `messageDelayLevel`.
    pub delay_levels: DelayLevels,
    /// `flushDelayOffsetInterval`: how often the positions of the delay levels are saved.
    pub delay_offset_flush_interval: Duration,
    /// `flushConsumerOffsetInterval`: how often consumer offsets are saved.
    pub consumer_offset_flush_interval: Duration,
    /// How it keeps itself known at the NameServers.
    pub registration: Registration,
    /// `[broker.limits]`.
    pub limits: BrokerLimits,
    /// The `.conf` it came from (`include`, `brokerConfigPaths`, ADD_BROKER); none when all of it is in the TOML.
    pub origin: Option<PathBuf>,
    pub(in crate::config) values: Values,
}

impl Broker {
    /// Every implemented key with its effective value, as GET_BROKER_CONFIG (26) shows it.
    #[must_use]
    pub fn effective(&self) -> BTreeMap<String, String> {
        self.values.effective()
    }

    /// Whoever builds one also runs `config::rules` over it and drops it when they object.
    pub(in crate::config) fn from_values(values: Values, origin: Option<PathBuf>) -> Broker {
        let main: u16 = values.number("listenPort");
        let dledger = Dledger::from_values(&values);
        let member = dledger.as_ref().map(|member| BrokerId(member.me.into()));
        let members_port = dledger.as_ref().and_then(Dledger::own).map(Peer::port);
        Broker {
            identity: BrokerIdentity {
                cluster: values.text("brokerClusterName").to_owned(),
                name: values.text("brokerName").to_owned(),
                id: member.unwrap_or_else(|| BrokerId(values.number("brokerId"))),
            },
            role: match values.text("brokerRole") {
                _ if dledger.is_some() => Role::Dledger,
                "SLAVE" => Role::Slave,
                "SYNC_MASTER" => Role::SyncMaster,
                _ => Role::AsyncMaster,
            },
            ports: Ports { main, fast: main - 2, ha: members_port.unwrap_or_else(|| values.number("haListenPort")) },
            addresses: Addresses { client: values.ip("brokerIP1"), ha: values.ip("brokerIP2") },
            store: StoreOptions::from_values(&values),
            replication: Replication::from_values(&values),
            group: Group::from_values(&values),
            dledger,
            topics: Topics::from_values(&values),
            requests: Requests::from_values(&values),
            delay_levels: values.delay_levels("messageDelayLevel"),
            delay_offset_flush_interval: values.duration("flushDelayOffsetInterval"),
            consumer_offset_flush_interval: values.duration("flushConsumerOffsetInterval"),
            registration: Registration {
                period: values.duration("registerNameServerPeriod"),
                timeout: values.duration("registerBrokerTimeoutMills"),
                force: values.bool("forceRegister"),
                heartbeat_interval: values.duration("brokerHeartbeatInterval"),
                heartbeat_timeout: values.duration("sendHeartbeatTimeoutMillis"),
            },
            limits: BrokerLimits {
                inflight_bytes: values.number("limits.inflight_bytes"),
                inflight_requests: values.number("limits.inflight_requests"),
                io_weight: values.number("limits.io_weight"),
            },
            origin,
            values,
        }
    }
}

/// `brokerRole`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// ASYNC_MASTER: producers do not wait for slaves.
    AsyncMaster,
    /// SYNC_MASTER: producers wait for `inSyncReplicas`.
    SyncMaster,
    /// SLAVE: a copy of the master of its name; its id is greater than 0.
    Slave,
    /// A member of a DLedger group, which knows its role only when it runs: SYNC_MASTER while it leads, else SLAVE.
    Dledger,
}

impl Role {
    /// Java's word; `DLEDGER` for a member whose role is not known.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::AsyncMaster => "ASYNC_MASTER",
            Role::SyncMaster => "SYNC_MASTER",
            Role::Slave => "SLAVE",
            Role::Dledger => "DLEDGER",
        }
    }
}

/// The ports of one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// `listenPort`.
    pub main: u16,
    /// `listenPort` - 2: the "fast" port (Java fixes the distance, clients compute it; Java answers no pulls there, this program does).
    pub fast: u16,
    /// `haListenPort`, `listenPort` + 1 unless given; of a member of a DLedger group the port of its own entry in `dLegerPeers`.
    pub ha: u16,
}

/// What a broker tells others about where it is; IP addresses because they are stored in every message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// `brokerIP1`: for clients, and the store host of its messages.
    pub client: IpAddr,
    /// `brokerIP2`: for slaves.
    pub ha: IpAddr,
}

/// Topics and groups that come into being by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topics {
    /// `autoCreateTopicEnable`: sending to an unknown topic creates it after TBW102.
    pub auto_create: bool,
    /// `autoCreateSubscriptionGroup`.
    pub auto_create_group: bool,
    /// `defaultTopicQueueNums` of such a topic.
    pub default_queues: u32,
    /// `clusterTopicEnable`: a topic named after the cluster.
    pub cluster_topic: bool,
    /// `brokerTopicEnable`: a topic named after the broker.
    pub broker_topic: bool,
    /// `traceTopicEnable`: whether the trace topic is created.
    pub trace_topic: bool,
    /// `msgTraceTopicName`.
    pub trace_topic_name: String,
}

impl Topics {
    fn from_values(values: &Values) -> Topics {
        Topics {
            auto_create: values.bool("autoCreateTopicEnable"),
            auto_create_group: values.bool("autoCreateSubscriptionGroup"),
            default_queues: values.number("defaultTopicQueueNums"),
            cluster_topic: values.bool("clusterTopicEnable"),
            broker_topic: values.bool("brokerTopicEnable"),
            trace_topic: values.bool("traceTopicEnable"),
            trace_topic_name: values.text("msgTraceTopicName").to_owned(),
        }
    }
}

/// How requests are admitted and answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// `brokerPermission`: bits 4 read, 2 write.
    pub permission: u8,
    /// `sendThreadPoolQueueCapacity`: sends that may wait in the mailbox.
    pub send_queue: usize,
    /// `pullThreadPoolQueueCapacity`: pulls that may wait, held long polls included.
    pub pull_queue: usize,
    /// `waitTimeMillsInSendQueue`: an older send is answered busy instead of stored.
    pub send_wait: Duration,
    /// `osPageCacheBusyTimeOutMills`: a longer append in progress makes new sends be answered busy.
    pub page_cache_busy: Duration,
    /// `maxMsgsNumBatch`: messages one query may return.
    pub query_messages: u32,
    /// `rejectTransactionMessage`.
    pub reject_transaction: bool,
    /// `longPollingEnable`.
    pub long_polling: bool,
    /// `shortPollingTimeMills`: how long a pull is held when long polling is off.
    pub short_polling: Duration,
    /// `notifyConsumerIdsChangedEnable`.
    pub notify_consumer_ids_changed: bool,
    /// `slaveReadEnable`: consumers far behind are sent to a slave.
    pub slave_read: bool,
    /// `offsetCheckInSlave`: a slave moves consumers whose offset it does not have.
    pub slave_corrects_offsets: bool,
    /// `traceOn`: answers of sends tell clients that they may trace.
    pub trace_on: bool,
    /// `regionId` in answers of sends.
    pub region_id: String,
}

impl Requests {
    fn from_values(values: &Values) -> Requests {
        Requests {
            permission: values.number("brokerPermission"),
            send_queue: values.number("sendThreadPoolQueueCapacity"),
            pull_queue: values.number("pullThreadPoolQueueCapacity"),
            send_wait: values.duration("waitTimeMillsInSendQueue"),
            page_cache_busy: values.duration("osPageCacheBusyTimeOutMills"),
            query_messages: values.number("maxMsgsNumBatch"),
            reject_transaction: values.bool("rejectTransactionMessage"),
            long_polling: values.bool("longPollingEnable"),
            short_polling: values.duration("shortPollingTimeMills"),
            notify_consumer_ids_changed: values.bool("notifyConsumerIdsChangedEnable"),
            slave_read: values.bool("slaveReadEnable"),
            slave_corrects_offsets: values.bool("offsetCheckInSlave"),
            trace_on: values.bool("traceOn"),
            region_id: values.text("regionId").to_owned(),
        }
    }
}

/// `messageDelayLevel`: level 1 is the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelayLevels(pub Vec<Duration>);

impl DelayLevels {
    /// The highest level.
    #[must_use]
    pub fn max(&self) -> usize {
        self.0.len()
    }

    /// The delay of `level`, counted from 1; levels above the highest mean the highest, as in Java.
    /// None for level 0 and below: no delay.
    #[must_use]
    pub fn delay(&self, level: i32) -> Option<Duration> {
        let index = usize::try_from(level).ok()?.checked_sub(1)?;
        self.0.get(index).or(self.0.last()).copied()
    }
}

/// How a broker keeps itself known at the NameServers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// `registerNameServerPeriod`.
    pub period: Duration,
    /// `registerBrokerTimeoutMills` of one registration.
    pub timeout: Duration,
    /// `forceRegister`: register each period even when nothing changed.
    pub force: bool,
    /// `brokerHeartbeatInterval`.
    pub heartbeat_interval: Duration,
    /// `sendHeartbeatTimeoutMillis`.
    pub heartbeat_timeout: Duration,
}

/// `[broker.limits]`: one broker's share of the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerLimits {
    /// Bytes of its requests that were read and not answered yet.
    pub inflight_bytes: usize,
    /// Its requests that were read and not answered yet, held long polls not counted.
    pub inflight_requests: usize,
    /// Its weight at the shared I/O pool.
    pub io_weight: u32,
}
