//! Keys of `[container]`, `[http]` and `[namesrv]` (Java: `BrokerContainerConfig`, `NettyServerConfig`, `NamesrvConfig`).

use super::{I32_MAX, Key, Kind, MAIN_PORT, PORT, bytes, int, millis};
use crate::config::units::TimeUnit;

const MIB: i64 = 1 << 20;

pub(super) const CONTAINER: &[Key] = &[
    Key::new(
        "listenPort",
        MAIN_PORT,
        "10811",
        "Admin port of the container (mqadmin addBroker, removeBroker, getBrokerConfig); listenPort - 2 answers the same.",
    ),
    Key::computed(
        "namesrvAddr",
        Kind::Addresses,
        "NAMESRV_ADDR of the environment, else the NameServer inside, else none",
        "NameServers at which every broker registers; replaces namesrvAddr of the single brokers, as in Java's container.",
    )
    .reloadable(),
    Key::new(
        "bindAddress",
        Kind::Ip,
        "0.0.0.0",
        "Address on which the ports of the container and of its brokers listen.",
    ),
    Key::new(
        "brokerConfigPaths",
        Kind::List(':'),
        "",
        "Java .conf files, one broker each, besides the [[broker]] tables.",
    ),
    Key::new(
        "configBlackList",
        Kind::List(';'),
        "configBlackList;brokerConfigPaths",
        "Keys of this table that mqadmin updateBrokerConfig may not change; those of the default and rocketmqHome always.",
    ),
    Key::new(
        "serverChannelMaxIdleTimeSeconds",
        Kind::Time {
            unit: TimeUnit::Seconds,
            min: 1,
            max: 86_400,
        },
        "120",
        "A connection without traffic for this long is closed.",
    ),
    Key::computed(
        "serverWorkerThreads",
        int(1, 1024),
        "the number of processors, at most 8",
        "Worker threads of the one runtime that serves all brokers.",
    ),
    Key::computed(
        "rocketmqHome",
        Kind::Path,
        "ROCKETMQ_HOME of the environment, else none",
        "Shown to tools that ask for it; nothing is read from there.",
    ),
    Key::new(
        "limits.connections",
        int(1, 1_000_000),
        "20000",
        "Open connections on all ports together; further ones are closed at once.",
    ),
    Key::new(
        "limits.inbound_bytes",
        bytes(16 * MIB, 1 << 40),
        "512MiB",
        "Bytes of requests read and not answered yet, all brokers together; connections are not read beyond it.",
    ),
    Key::new(
        "limits.partial_bytes",
        bytes(32 * MIB, 1 << 40),
        "128MiB",
        "Bytes of frames that have not arrived completely, all connections together: beyond it frames above 64 KiB wait, and above \
         half of it frames that take longer than 5 s are closed. Every connection may hold one read of 64 KiB beyond it, in \
         which a shorter frame has begun.",
    ),
    Key::new(
        "limits.outbound_bytes",
        bytes(16 * MIB, 1 << 40),
        "256MiB",
        "Bytes that wait for slow readers, all connections together; beyond it connections that do not read are closed.",
    ),
    Key::new(
        "limits.io_threads",
        int(1, 256),
        "4",
        "Threads of the shared pool for disk work that may block.",
    ),
    Key::new(
        "limits.outbox_frames",
        int(1, I32_MAX),
        "1024",
        "Answers that may wait for a slow reader on one connection; it is not read beyond that.",
    ),
];

pub(super) const HTTP: &[Key] = &[Key::new(
    "listen",
    Kind::Endpoint,
    "127.0.0.1:5557",
    "Address of /metrics, /livez, /readyz and /brokers, one endpoint for the whole process.",
)];

pub(super) const NAMESRV: &[Key] = &[
    Key::new("listenPort", PORT, "9876", "Port of the NameServer inside."),
    Key::computed("bindAddress", Kind::Ip, "bindAddress of [container]", "Address on which the NameServer listens."),
    Key::computed(
        "kvConfigPath",
        Kind::Path,
        "$HOME/namesrv/kvConfig.json",
        "File of the key-value configuration (mqadmin updateKvConfig, order topics).",
    ),
    Key::new(
        "supportActingMaster",
        Kind::Bool,
        "false",
        "Show the slave with the smallest id as acting master of a group without master.",
    ),
    Key::new(
        "notifyMinBrokerIdChanged",
        Kind::Bool,
        "false",
        "Tell the brokers of a group when its smallest broker id changes.",
    ),
    Key::new(
        "scanNotActiveBrokerInterval",
        millis(10, 3_600_000),
        "5000",
        "How often brokers whose heartbeats have stopped are looked for.",
    ),
    Key::new(
        "returnOrderTopicConfigToBroker",
        Kind::Bool,
        "true",
        "Answer registrations with the configuration of ordered topics.",
    ),
    Key::new("orderMessageEnable", Kind::Bool, "false", "Put the configuration of ordered topics into routes."),
    Key::new(
        "deleteTopicWithBrokerRegistration",
        Kind::Bool,
        "false",
        "Remove a topic that a broker's registration no longer lists.",
    ),
    Key::new(
        "configBlackList",
        Kind::List(';'),
        "configBlackList;configStorePath;kvConfigPath",
        "Keys of this table that mqadmin updateNamesrvConfig may not change; those of the default and rocketmqHome always.",
    ),
];
