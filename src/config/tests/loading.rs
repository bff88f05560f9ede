//! `container.toml` and the files it names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{lines, load, machine};
use crate::config::{BUILT_IN, Broker, Config, FlushDiskType, Ports, Replication, Role, summary};

/// In the style of the files that come with Java, with what users add to them.
const STOCK: &str = "\
# A broker of the default cluster
brokerClusterName = DefaultCluster
brokerName = broker-b
brokerId = 0
deleteWhen = 04
fileReservedTime = 48
brokerRole = ASYNC_MASTER
flushDiskType = SYNC_FLUSH
listenPort=20911
storePathRootDir=/data/b
storePathConsumeQueue=/data/b/consumequeue
namesrvAddr=10.0.0.1:9876;10.0.0.2:9876
sendMessageThreadPoolNums=16
";

/// Reads `text` beside `broker-b.conf` and compares what the user sees.
fn check(text: &str, expected: &[&str]) {
    let outside = machine(&[("broker-b.conf", STOCK)], &[("HOME", "/home/mq")]);
    assert_eq!(lines(load(text, &outside)), expected, "{text}");
}

fn config(text: &str) -> Config {
    let outside = machine(&[("broker-b.conf", STOCK)], &[("HOME", "/home/mq")]);
    match load(text, &outside) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}"),
    }
}

fn broker(keys: &str) -> Broker {
    config(&format!("[[broker]]\nbrokerName = \"a\"\n{keys}")).brokers.remove(0)
}

#[test]
fn the_built_in_configuration_is_right() {
    let expected = "\
container   127.0.0.1:10811 and 10809
namesrv     127.0.0.1:9876
http        127.0.0.1:5557
registers   at 127.0.0.1:9876

BROKER      CLUSTER         ROLE          ADDRESS          FAST   HA     FLUSH  STORE
broker-a-0  DefaultCluster  SYNC_MASTER   127.0.0.1:10911  10909  10912  async  data/broker-a-0
broker-b-0  DefaultCluster  ASYNC_MASTER  127.0.0.1:20911  20909  20912  async  data/broker-b-0
";
    assert_eq!(summary(&config(BUILT_IN)), expected);
    check(BUILT_IN, &[]);
}

#[test]
fn a_stock_java_file_works_as_it_is() {
    let text = "[[broker]]\ninclude = \"broker-b.conf\"\nfileReservedTime = \"3d\"";
    check(
        text,
        &[
            "warning: broker-b.conf:11: storePathConsumeQueue: Java ignores this key: consume queues are always in \
             consumequeue under storePathRootDir",
            "warning: broker-b.conf:12: namesrvAddr: known to Java, not implemented here",
            "warning: broker-b.conf:13: sendMessageThreadPoolNums: known to Java, not implemented here",
        ],
    );
    let broker = config(text).brokers.remove(0);
    assert_eq!(broker.identity.to_string(), "DefaultCluster_broker-b_0");
    assert_eq!(broker.role, Role::AsyncMaster);
    assert_eq!(broker.ports, Ports { main: 20911, fast: 20909, ha: 20912 });
    assert_eq!(broker.store.flush.disk, FlushDiskType::Sync);
    assert_eq!(broker.store.commit_log, PathBuf::from("/data/b/commitlog"));
    assert_eq!(broker.store.retention.delete_when, [4]);
    assert_eq!(broker.store.retention.file_reserved, Duration::from_hours(72));
    assert_eq!(broker.origin, Some(PathBuf::from("broker-b.conf")));
}

#[test]
fn weaker_layers_are_overruled() {
    let values = |text: &str, names: [&str; 2]| {
        let effective = config(text).brokers.remove(0).effective();
        names.map(|name| effective[name].clone())
    };
    let names = ["fileReservedTime", "regionId"];
    assert_eq!(values("[[broker]]\nbrokerName = \"a\"", names), ["72", "DefaultRegion"]);
    let defaults = "[defaults]\nfileReservedTime = 1\nregionId = \"r\"\n[[broker]]\n";
    assert_eq!(values(&format!("{defaults}brokerName = \"a\""), names), ["1", "r"]);
    assert_eq!(values(&format!("{defaults}include = \"broker-b.conf\""), names), ["48", "r"]);
    let own = format!("{defaults}include = \"broker-b.conf\"\nfileReservedTime = 2");
    assert_eq!(values(&own, names), ["2", "r"]);
}

#[test]
fn names_are_filled_in() {
    let text = "\
[defaults]
brokerClusterName = \"c\"
storePathRootDir = \"/d/${brokerClusterName}/${brokerName}-${brokerId}\"
[[broker]]
brokerName = \"a\"
[[broker]]
brokerName = \"b\"
listenPort = 20911
";
    let roots: Vec<_> = config(text).brokers.into_iter().map(|broker| broker.store.root).collect();
    assert_eq!(roots, [PathBuf::from("/d/c/a-0"), PathBuf::from("/d/c/b-0")]);
    check(
        "[[broker]]\nbrokerName = \"a\"\nstorePathRootDir = \"${user.home}/store\"",
        &["container.toml:3: storePathRootDir = \"${user.home}/store\": only ${brokerName}, ${brokerId} and \
           ${brokerClusterName} are filled in"],
    );
}

#[test]
fn defaults_that_follow_from_others() {
    let broker = broker("brokerIP1 = \"10.1.1.1\"\nmappedFileSizeConsumeQueue = 21");
    assert_eq!(broker.addresses.ha.to_string(), "10.1.1.1");
    assert_eq!(broker.store.root, PathBuf::from("/home/mq/store"));
    assert_eq!(broker.store.consume_queue_file_bytes, 40, "a whole number of entries");
    let config = config("[[broker]]\nbrokerName = \"a\"");
    assert_eq!(config.container.worker_threads, 2);
    assert_eq!(config.brokers[0].addresses.client.to_string(), "10.0.0.7");
    assert_eq!(config.brokers[0].ports.main, 6888, "Java's default in a container");
}

#[test]
fn name_servers_come_from_the_file_the_environment_or_inside() {
    let with = |text: &str, vars: &[(&str, &str)]| match load(text, &machine(&[], vars)) {
        Ok((config, _)) => config.container.namesrv_addrs.join(" "),
        Err(errors) => errors.to_string(),
    };
    let env = [("NAMESRV_ADDR", "e:1;f:2")];
    assert_eq!(with("[container]\nnamesrvAddr = [\"a:1\", \"b:2\"]\n[namesrv]", &env), "a:1 b:2");
    assert_eq!(with("[container]\nnamesrvAddr = \"a:1; b:2;\"\n[namesrv]", &env), "a:1 b:2");
    assert_eq!(with("[container]\nnamesrvAddr = \"\"\n[namesrv]", &env), "");
    assert_eq!(with("[namesrv]", &env), "e:1 f:2");
    assert_eq!(with("[namesrv]\nbindAddress = \"10.0.0.9\"", &[]), "10.0.0.9:9876");
    assert_eq!(with("[namesrv]\nlistenPort = 9000", &[]), "127.0.0.1:9000");
    assert_eq!(with("[[broker]]\nbrokerName = \"a\"", &[]), "");
    assert_eq!(
        with("[namesrv]", &[("NAMESRV_ADDR", "nowhere")]),
        "environment variable NAMESRV_ADDR = nowhere: expected list of host:port, or one text separated by ;"
    );
}

#[test]
fn a_java_container_file_is_a_configuration_too() {
    let text = "listenPort=10000\nnamesrvAddr=n:9876\nbrokerConfigPaths=b.conf:c.conf\nserverSelectorThreads=3\n";
    let files = [("/etc/mq/b.conf", "brokerName=b"), ("/etc/mq/c.conf", "brokerName=c\nlistenPort=7000")];
    let outside = machine(&files, &[]);
    let result = Config::load(Path::new("/etc/mq/container.conf"), text.as_bytes(), &outside);
    let expected = ["/etc/mq/c.conf:1: /work/store is storePathRootDir of c and the same as /work/store, which is \
         storePathRootDir of b at /etc/mq/b.conf:1"];
    assert_eq!(lines(result), expected, "Java starts both on one directory");
}

#[test]
fn unknown_names_are_errors_with_the_nearest_name() {
    check(
        "[container]\nlistenport = 1\n[brokers]\n[http]\n[[broker]]\nbrokerName = \"a\"\nbrokerIp1 = \"::1\"\n\
         limits.inflight_byte = 1\nkvConfigPath = 1\nwhatever = 1\nmaxMessagesSize = 1\n",
        &[
            "container.toml:2: unknown key listenport in [container], did you mean listenPort?",
            "container.toml:3: unknown table or key brokers, did you mean broker?",
            "container.toml:7: unknown key brokerIp1 in [[broker]], did you mean brokerIP1?",
            "container.toml:8: unknown key limits.inflight_byte in [[broker]], did you mean limits.inflight_bytes?",
            "container.toml:9: unknown key kvConfigPath in [[broker]], it belongs in [namesrv]",
            "container.toml:10: unknown key whatever in [[broker]]",
            "container.toml:11: unknown key maxMessagesSize in [[broker]], did you mean maxMessageSize?",
        ],
    );
}

#[test]
fn bad_values_name_what_is_expected() {
    check(
        "[[broker]]\nbrokerName = \"a b\"\nbrokerRole = \"MASTER\"\nlistenPort = 2\nbrokerIP1 = \"host\"\n\
         deleteWhen = \"24\"\nmaxMessageSize = \"1GiB\"\nfileReservedTime = \"90m\"\nautoCreateTopicEnable = \"yes\"\n\
         messageDelayLevel = \"1s 2x\"\ntraceOn = 1.5\n",
        &[
            "container.toml:2: brokerName = \"a b\": expected name of letters, digits and _-.|%, at most 127 characters",
            "container.toml:3: brokerRole = \"MASTER\": expected one of ASYNC_MASTER, SYNC_MASTER, SLAVE",
            "container.toml:4: listenPort = 2: expected number, 3 to 65534",
            "container.toml:5: brokerIP1 = \"host\": expected IP address",
            "container.toml:6: deleteWhen = \"24\": expected hours of the day, 00 to 23, separated by ;",
            "container.toml:7: maxMessageSize = \"1GiB\": expected bytes, 1KiB to 16MiB",
            "container.toml:8: fileReservedTime = \"90m\": expected time in h, 0h to 1000000h",
            "container.toml:9: autoCreateTopicEnable = \"yes\": expected true or false",
            "container.toml:10: messageDelayLevel = \"1s 2x\": expected delays such as \"1s 5m 2h\", separated by spaces",
            "container.toml:11: traceOn = 1.5: expected true or false",
        ],
    );
}

#[test]
fn forms_of_the_file() {
    check("", &["container.toml: nothing to run: add a [[broker]] or a [namesrv] table"]);
    check(
        "[namesrv]\n[broker]\nbrokerName = \"a\"",
        &["container.toml:2: broker must be written as [[broker]], once for each broker"],
    );
    check(
        "namesrv = 9876\n[[broker]]",
        &[
            "container.toml:1: namesrv must be written as a table in square brackets",
            "container.toml:2: brokerName is missing in [[broker]]",
        ],
    );
    check(
        "[namesrv]\n[defaults]\ndeleteWhen = 24\ninclude = \"x.conf\"",
        &[
            "container.toml:3: deleteWhen = 24: expected hours of the day, 00 to 23, separated by ;",
            "container.toml:4: include must be written as a key of a [[broker]] table",
        ],
    );
    check(
        "[container]\nbrokerConfigPaths = \"none.conf\"\n[[broker]]\ninclude = \"x.conf\"\n[[broker]]\ninclude = 1",
        &[
            "container.toml:2: none.conf: no such file",
            "container.toml:4: x.conf: no such file",
            "container.toml:6: include = 1: expected path",
        ],
    );
    check("[[broker]]\nbrokerName = \n", &["container.toml:2: string values must be quoted, expected literal string"]);
}

#[test]
fn roles_ids_and_replicas_must_fit() {
    let check = |keys: &str, expected: &[&str]| check(&format!("[[broker]]\nbrokerName = \"a\"\n{keys}"), expected);
    check("brokerRole = \"SYNC_MASTER\"", &[]);
    check("brokerId = 1", &["container.toml:3: brokerRole = ASYNC_MASTER with brokerId = 1: the id of a master is 0"]);
    check(
        "brokerRole = \"SLAVE\"",
        &["container.toml:1: brokerRole = SLAVE with brokerId = 0: the id of a slave is greater than 0"],
    );
    check("brokerRole = \"SLAVE\"\nbrokerId = 1\nhaMasterAddress = \"10.0.0.8:10912\"", &[]);
    check(
        "brokerRole = \"SYNC_MASTER\"\nbrokerId = 2",
        &["container.toml:4: brokerRole = SYNC_MASTER with brokerId = 2: the id of a master is 0"],
    );
    check("haMasterAddress = \"master\"", &["container.toml:3: haMasterAddress = \"master\": expected host:port"]);
    check(
        "brokerRole = \"SLAVE\"\nbrokerId = 1\nenableSlaveActingMaster = true",
        &[
            "warning: container.toml:5: enableSlaveActingMaster: without slaveReadEnable an acting slave refuses the consumers \
           sent to it",
        ],
    );
    check("inSyncReplicas = 2", &["container.toml:3: inSyncReplicas = 2 is more than totalReplicas = 1"]);
    check("totalReplicas = 3\ninSyncReplicas = 2\nminInSyncReplicas = 2", &[]);
    check(
        "totalReplicas = 3\ninSyncReplicas = 2\nminInSyncReplicas = 3",
        &["container.toml:5: minInSyncReplicas = 3 is more than inSyncReplicas = 2"],
    );
    check("enableDLegerCommitLog = false\nstoreType = \"default\"", &[]);
    check(
        "storeType = \"defaultRocksDB\"",
        &["container.toml:3: storeType = \"defaultRocksDB\": only Java's default file layout can be read and written"],
    );
    check(
        "storePathRootDir = \"/s\"\nstorePathCommitLog = \"/s/config/log\"",
        &["container.toml:4: storePathCommitLog = /s/config/log holds other files of storePathRootDir = /s"],
    );
    check(
        "storePathCommitLog = \"/d1/log,/d2/log\"",
        &[
            "container.toml:3: storePathCommitLog = /d1/log,/d2/log: several directories for one commit log are not supported",
        ],
    );
}

#[test]
fn ports_must_not_collide() {
    check(
        "[container]\nlistenPort = 10911\n[http]\nlisten = \"127.0.0.1:9876\"\n[namesrv]\nlistenPort = 9876\n\
         [defaults]\nstorePathRootDir = \"/d/${brokerName}\"\n\
         [[broker]]\nbrokerName = \"a\"\nlistenPort = 10913\n\
         [[broker]]\nbrokerName = \"b\"\nlistenPort = 20911\nhaListenPort = 20909\n",
        &[
            "container.toml:4: port 9876 is listen of [http] and already listenPort of [namesrv] at container.toml:6",
            "container.toml:11: port 10911 is listenPort - 2 of a and already listenPort of [container] at container.toml:2",
            "container.toml:15: port 20909 is haListenPort of b and already listenPort - 2 of b at container.toml:14",
        ],
    );
    check("[container]\nbindAddress = \"127.0.0.1\"\n[namesrv]\nbindAddress = \"127.0.0.2\"\nlistenPort = 10811", &[]);
}

#[test]
fn brokers_must_not_share_identity_or_directories() {
    check(
        "[[broker]]\nbrokerName = \"a\"\nstorePathRootDir = \"d/a\"\n\
         [[broker]]\nbrokerName = \"a\"\nlistenPort = 20911\nstorePathRootDir = \"d/b\"\n\
         [[broker]]\nbrokerName = \"c\"\nlistenPort = 30911\nstorePathRootDir = \"/work/d/./x/../a/c\"\n\
         [[broker]]\nbrokerName = \"d\"\nlistenPort = 40911\nstorePathRootDir = \"/d\"\nstorePathCommitLog = \"/work/d/b\"\n",
        &[
            "container.toml:5: broker DefaultCluster_a_0 is already defined at container.toml:2",
            "container.toml:11: /work/d/a/c is storePathRootDir of c and inside /work/d/a, which is storePathRootDir of a \
             at container.toml:3",
            "container.toml:16: /work/d/b is storePathCommitLog of d and the same as /work/d/b, which is \
             storePathRootDir of a at container.toml:7",
        ],
    );
}

#[test]
fn one_name_belongs_to_one_cluster() {
    check(
        "[defaults]\nbrokerName = \"a\"\nstorePathRootDir = \"/d/${brokerClusterName}\"\n\
         [[broker]]\nbrokerClusterName = \"x\"\n[[broker]]\nbrokerClusterName = \"y\"\nlistenPort = 7000",
        &["container.toml:2: brokerName = a is taken in x too: NameServers know brokers by name and id only"],
    );
}

#[test]
fn addresses_that_nobody_can_reach() {
    check(
        "[[broker]]\nbrokerName = \"a\"\nbrokerIP1 = \"0.0.0.0\"\nbrokerIP2 = \"::1\"",
        &[
            "container.toml:3: brokerIP1 = 0.0.0.0: others cannot connect to it; where to listen is bindAddress of [container]",
        ],
    );
    check(
        "[container]\nbindAddress = \"127.0.0.1\"\n[[broker]]\nbrokerName = \"a\"",
        &[
            "warning: container.toml:3: brokerIP1: clients elsewhere are told this address, but bindAddress of [container] \
         is loopback",
        ],
    );
}

#[test]
fn an_unknown_key_does_not_hide_a_collision() {
    check(
        "[container]\nlistenPort = 7000\n[[broker]]\nbrokerName = \"a\"\nbrokerID = 1\nlistenPort = 7000",
        &[
            "container.toml:5: unknown key brokerID in [[broker]], did you mean brokerId?",
            "container.toml:6: port 7000 is listenPort of a and already listenPort of [container] at container.toml:2",
            "container.toml:6: port 6998 is listenPort - 2 of a and already listenPort - 2 of [container] at container.toml:2",
        ],
    );
}

#[test]
fn a_file_that_is_not_utf_8() {
    let errors = Config::load(Path::new("container.toml"), b"[http]\n# \xd6\n", &machine(&[], &[]));
    assert_eq!(lines(errors), ["container.toml:2: not UTF-8"]);
}

#[test]
fn one_key_is_warned_about_once() {
    check(
        "[defaults]\ntimerWheelEnable = false\nstorePathRootDir = \"/d/${brokerName}\"\n\
         [[broker]]\nbrokerName = \"a\"\n[[broker]]\nbrokerName = \"b\"\nlistenPort = 7000\ntimerWheelEnable = true",
        &["warning: container.toml:2: timerWheelEnable: known to Java, not implemented here (and 1 more)"],
    );
}

#[test]
fn a_broker_is_added_from_a_file_and_checked_against_the_running_ones() {
    let text = "[defaults]\nregionId = \"r\"\n[[broker]]\nbrokerName = \"a\"\nlistenPort = 20910\nstorePathRootDir = \"/data\"";
    let outside = machine(&[("broker-b.conf", STOCK), ("bad.conf", "brokerId=x")], &[]);
    let (config, _) = load(text, &outside).expect("right");
    let (new, warnings) = config.broker_from_conf(Path::new("broker-b.conf"), &outside).expect("right");
    assert_eq!((new.requests.region_id.as_str(), warnings.0.len()), ("r", 3));
    let clashes = config.check_neighbours(&config.brokers, &new).expect_err("clashes");
    assert_eq!(
        clashes.to_string().lines().collect::<Vec<_>>(),
        [
            "broker-b.conf:9: port 20911 is listenPort of b and already haListenPort of a at container.toml:5"
                .replace("of b and", "of broker-b and"),
            "broker-b.conf:10: /data/b is storePathRootDir of broker-b and inside /data, which is storePathRootDir of a \
             at container.toml:6"
                .to_owned(),
        ]
    );
    assert_eq!(config.check_neighbours([], &new), Ok(()));
    let errors = |path| config.broker_from_conf(Path::new(path), &outside).map(|_| ()).map_err(|e| e.to_string());
    assert_eq!(errors("none.conf"), Err("none.conf: no such file".into()));
    assert_eq!(
        errors("bad.conf"),
        Err("bad.conf:1: brokerName is missing in [[broker]]\n\
             bad.conf:1: brokerId = \"x\": expected number, 0 to 9223372036854775807"
            .into())
    );
}

#[test]
fn delay_levels() {
    let levels = broker("messageDelayLevel = \"1s 5m  2h\"").delay_levels;
    let delay = |level| levels.delay(level).map(|delay| delay.as_secs());
    let found: BTreeMap<i32, Option<u64>> = [-1, 0, 1, 2, 3, 4].map(|level| (level, delay(level))).into();
    let expected = [(-1, None), (0, None), (1, Some(1)), (2, Some(300)), (3, Some(7200)), (4, Some(7200))];
    assert_eq!(found, expected.into());
    assert_eq!(levels.max(), 3);
}

#[test]
fn copies_on_other_brokers() {
    let java = Replication {
        master_ha_address: None,
        heartbeat: Duration::from_secs(5),
        housekeeping: Duration::from_secs(20),
        batch_bytes: 32 << 10,
        max_gap_not_in_sync: 256 << 20,
        flow_limit: None,
        slave_timeout: Duration::from_secs(3),
        in_sync: 1,
        min_in_sync: 1,
        total: 1,
        auto_in_sync: false,
    };
    assert_eq!(broker("").replication, java);
    let slave = broker(
        "brokerRole = \"SLAVE\"\nbrokerId = 2\ntotalReplicas = 3\ninSyncReplicas = 2\nhaMasterAddress = \"m:10912\"\n\
         haFlowControlEnable = true\nenableAutoInSyncReplicas = true",
    );
    assert_eq!(slave.role, Role::Slave);
    let expected = Replication {
        master_ha_address: Some("m:10912".into()),
        flow_limit: Some(100 << 20),
        in_sync: 2,
        total: 3,
        auto_in_sync: true,
        ..java
    };
    assert_eq!(slave.replication, expected);
}
