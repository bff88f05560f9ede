//! Keys of a broker (Java: `BrokerConfig`), and our own under `limits.`.

use super::{I32_MAX, Key, Kind, MAIN_PORT, PORT, bytes, int, millis};

const MIB: i64 = 1 << 20;
const HOUR: i64 = 3_600_000;

pub(super) const KEYS: &[Key] = &[
    Key::computed("include", Kind::Path, "none", "Java .conf file merged under this table; only in [[broker]]."),
    Key::new("brokerClusterName", Kind::Name, "DefaultCluster", "Cluster the broker belongs to."),
    Key::required("brokerName", Kind::Name, "Name of the broker, shared by a master and its slaves."),
    Key::new("brokerId", int(0, i64::MAX), "0", "0 for a master, more for a slave."),
    Key::new(
        "brokerRole",
        Kind::Words(&["ASYNC_MASTER", "SYNC_MASTER", "SLAVE"]),
        "ASYNC_MASTER",
        "Role of the broker.",
    ),
    Key::new("listenPort", MAIN_PORT, "6888", "Port for clients; listenPort - 2 is the fast port, without pulls."),
    Key::computed("haListenPort", PORT, "listenPort + 1", "Port for slaves."),
    Key::computed(
        "brokerIP1",
        Kind::Ip,
        "the first address of this machine that is not loopback",
        "Address told to clients and stored in every message.",
    ),
    Key::computed("brokerIP2", Kind::Ip, "brokerIP1", "Address told to slaves."),
    Key::new("brokerPermission", int(0, 7), "6", "6 read and write, 4 read only, 2 write only.").reloadable(),
    Key::new("autoCreateTopicEnable", Kind::Bool, "true", "Create an unknown topic when a message is sent to it.")
        .reloadable(),
    Key::new("autoCreateSubscriptionGroup", Kind::Bool, "true", "Create an unknown consumer group when it appears.")
        .reloadable(),
    Key::new("defaultTopicQueueNums", int(1, 65_535), "8", "Most queues of a topic that is created by sending to it.")
        .reloadable(),
    Key::new("clusterTopicEnable", Kind::Bool, "true", "Keep a topic named after the cluster."),
    Key::new("brokerTopicEnable", Kind::Bool, "true", "Keep a topic named after the broker."),
    Key::new("traceTopicEnable", Kind::Bool, "false", "Keep the topic for message traces."),
    Key::new("msgTraceTopicName", Kind::Name, "RMQ_SYS_TRACE_TOPIC", "Name of the topic for message traces."),
    Key::new("traceOn", Kind::Bool, "true", "Tell clients in the answer to a send that they may trace it.")
        .reloadable(),
    Key::new("regionId", Kind::Text, "DefaultRegion", "Region told to clients in the answer to a send.").reloadable(),
    Key::new("rejectTransactionMessage", Kind::Bool, "false", "Refuse transactional messages.").reloadable(),
    Key::new(
        "longPollingEnable",
        Kind::Bool,
        "true",
        "Hold a pull that finds nothing until a message comes or the client's time is over.",
    )
    .reloadable(),
    Key::new("shortPollingTimeMills", millis(1, HOUR), "1000", "How long a pull is held when long polling is off.")
        .reloadable(),
    Key::new(
        "notifyConsumerIdsChangedEnable",
        Kind::Bool,
        "true",
        "Tell the consumers of a group at once when one comes or goes.",
    )
    .reloadable(),
    Key::new("slaveReadEnable", Kind::Bool, "false", "Send consumers that are far behind to a slave.").reloadable(),
    Key::new("flushConsumerOffsetInterval", millis(100, HOUR), "5000", "How often consumer offsets are saved."),
    Key::new(
        "registerNameServerPeriod",
        millis(10_000, 60_000),
        "30000",
        "How often the broker registers at the NameServers.",
    ),
    Key::new("registerBrokerTimeoutMills", millis(100, HOUR), "24000", "How long one registration may take.")
        .reloadable(),
    Key::new("forceRegister", Kind::Bool, "true", "Register each period even when nothing has changed.").reloadable(),
    Key::new(
        "brokerHeartbeatInterval",
        millis(100, HOUR),
        "1000",
        "How often a heartbeat goes to the NameServers between registrations.",
    ),
    Key::new("sendHeartbeatTimeoutMillis", millis(10, HOUR), "1000", "How long one heartbeat may take.").reloadable(),
    Key::new(
        "sendThreadPoolQueueCapacity",
        int(1, I32_MAX),
        "10000",
        "Sends that may wait for the broker; further ones are answered busy.",
    ),
    Key::new(
        "pullThreadPoolQueueCapacity",
        int(1, I32_MAX),
        "100000",
        "Pulls that may wait, held ones included; further ones are answered busy.",
    ),
    Key::new(
        "waitTimeMillsInSendQueue",
        millis(1, HOUR),
        "200",
        "A send that has waited this long is answered busy instead of stored.",
    )
    .reloadable(),
    Key::new(
        "configBlackList",
        Kind::List(';'),
        "configBlackList;brokerConfigPath",
        "Keys that mqadmin updateBrokerConfig may not change; those of the default and rocketmqHome always.",
    ),
    Key::new(
        "limits.inflight_bytes",
        bytes(MIB, 1 << 40),
        "256MiB",
        "Bytes of this broker's requests read and not answered yet; further ones are answered busy.",
    ),
    Key::new(
        "limits.inflight_requests",
        int(1, I32_MAX),
        "10000",
        "This broker's requests read and not answered yet, held pulls not counted; further ones are answered busy.",
    ),
    Key::new("limits.io_weight", int(1, 1000), "1", "Weight of this broker at the shared I/O pool."),
];
