//! Every code once, as tools and brokers send it.

use mqcontainer::namesrv::{Rules, Settings};
use mqcontainer::protocol::codes::request as code;
use mqcontainer::protocol::command::Command;

use crate::harness::{World, request, topics};

const BROKER: [(&str, &str); 4] = [("brokerName", "a"), ("brokerAddr", "h:1"), ("clusterName", "c"), ("brokerId", "0")];

fn register() -> Command {
    let mut command = request(code::REGISTER_BROKER, &BROKER);
    command.ext.set("haServerAddr", "h:2");
    Command { body: topics(1, &["T", "U"]).encode().into(), ..command }
}

/// Sends the requests in order to a NameServer of its own and compares all answers.
async fn check(settings: Settings, conversation: &[(Command, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let server = world.name_server(home.path(), 0, settings).await;
    let mut answers = Vec::new();
    for (command, _) in conversation {
        answers.push(world.ask(&server, command.clone()).await);
    }
    assert_eq!(answers, conversation.iter().map(|(_, expected)| (*expected).to_owned()).collect::<Vec<_>>());
    server.stop().await;
}

const ROUTE: &str = "0 | {\"brokerDatas\":[{\"brokerAddrs\":{\"0\":\"h:1\"},\"brokerName\":\"a\",\"cluster\":\"c\",\"enableActingMaster\":false}],\"filterServerTable\":{},\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":4,\"topicSysFlag\":0,\"writeQueueNums\":4}]}";
const NO_ROUTE: &str = "17 | No topic route info in name server for the topic: T";

#[tokio::test]
async fn brokers_register_ask_beat_and_leave() {
    let route = || request(code::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
    let version = |counter| Command {
        body: format!("{{\"counter\":{counter},\"stateVersion\":0,\"timestamp\":0}}").into_bytes().into(),
        ..request(code::QUERY_DATA_VERSION, &BROKER)
    };
    let members = request(code::GET_BROKER_MEMBER_GROUP, &[("clusterName", "c"), ("brokerName", "a")]);
    let zone = [("topic", "T"), ("__ZONE_MODE", "true"), ("__ZONE_NAME", "z")];
    let elsewhere = request(code::GET_ROUTEINFO_BY_TOPIC, &zone);
    let mut damaged = register();
    damaged.ext.set("bodyCrc32", 1);
    let mut nameless = register();
    nameless.ext = request(0, &BROKER[1..]).ext;
    check(
        Settings::default(),
        &[
            (route(), NO_ROUTE),
            (version(1), "0 | changed=true"),
            (register(), "0"),
            (route(), ROUTE),
            (elsewhere, "0 | {\"brokerDatas\":[],\"filterServerTable\":{},\"queueDatas\":[]}"),
            (version(1), "0 | changed=false | {\"counter\":1,\"stateVersion\":0,\"timestamp\":0}"),
            (version(2), "0 | changed=true | {\"counter\":1,\"stateVersion\":0,\"timestamp\":0}"),
            (request(code::BROKER_HEARTBEAT, &BROKER), "0"),
            (
                members,
                "0 | {\"brokerMemberGroup\":{\"brokerAddrs\":{\"0\":\"h:1\"},\"brokerName\":\"a\",\"cluster\":\"c\"}}",
            ),
            (request(code::UNREGISTER_BROKER, &BROKER), "0"),
            (route(), NO_ROUTE),
            (nameless, "1 | RegisterBrokerRequestHeader: the required field brokerName is missing"),
            (request(99_999, &[]), "3 |  request type 99999 not supported"),
        ],
    )
    .await;
    let crc = "1 | crc32 not match: the header says 1, the body has ";
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let server = world.name_server(home.path(), 0, Settings::default()).await;
    let answer = world.ask(&server, damaged).await;
    assert!(answer.starts_with(crc), "{answer}");
    let garbage = Command { body: b"{\"topicConfigSerializeWrapper\":[".to_vec().into(), ..register() };
    let answer = world.ask(&server, garbage).await;
    assert!(answer.starts_with("1 | the registration cannot be read"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn tools_list_and_change_topics() {
    let names = |list: &str| format!("0 | {{\"topicList\":[{list}]}}");
    let (both, none, one) = (names("\"T\",\"U\""), names(""), names("\"U\""));
    let single = Command {
        body: b"{\"queueDatas\":[{\"brokerName\":\"a\",\"perm\":6,\"readQueueNums\":4,\"writeQueueNums\":4,\"topicSysFlag\":3}]}"
            .to_vec()
            .into(),
        ..request(code::REGISTER_TOPIC_IN_NAMESRV, &[("topic", "S")])
    };
    check(
        Settings::default(),
        &[
            (register(), "0"),
            (request(code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[]), &both),
            (request(code::GET_TOPICS_BY_CLUSTER, &[("cluster", "c")]), &both),
            (request(code::GET_TOPICS_BY_CLUSTER, &[("cluster", "d")]), &none),
            (
                request(code::GET_SYSTEM_TOPIC_LIST_FROM_NS, &[]),
                "0 | {\"brokerAddr\":\"h:1\",\"topicList\":[\"a\",\"c\"]}",
            ),
            (
                request(code::GET_BROKER_CLUSTER_INFO, &[]),
                "0 | {\"brokerAddrTable\":{\"a\":{\"brokerAddrs\":{\"0\":\"h:1\"},\"brokerName\":\"a\",\"cluster\":\"c\",\"enableActingMaster\":false}},\"clusterAddrTable\":{\"c\":[\"a\"]}}",
            ),
            (request(code::WIPE_WRITE_PERM_OF_BROKER, &[("brokerName", "a")]), "0 | wipeTopicCount=2"),
            (request(code::ADD_WRITE_PERM_OF_BROKER, &[("brokerName", "a")]), "0 | addTopicCount=2"),
            (request(code::DELETE_TOPIC_IN_NAMESRV, &[("topic", "T"), ("clusterName", "c")]), "0"),
            (request(code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[]), &one),
            (single, "0"),
            (request(code::GET_UNIT_TOPIC_LIST, &[]), "0 | {\"topicList\":[\"S\"]}"),
            (request(code::GET_HAS_UNIT_SUB_TOPIC_LIST, &[]), "0 | {\"topicList\":[\"S\"]}"),
            (request(code::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST, &[]), &none),
        ],
    )
    .await;
}

#[tokio::test]
async fn settings_are_read_and_changed() {
    let update = |text: &'static str| Command {
        body: text.as_bytes().to_vec().into(),
        ..request(code::UPDATE_NAMESRV_CONFIG, &[])
    };
    let shown = [("listenPort", "9876"), ("orderMessageEnable", "false")];
    let settings = Settings {
        shown: shown.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        black_list: vec!["orderMessage".into()],
        ..Settings::default()
    };
    let put = request(code::PUT_KV_CONFIG, &[("namespace", "ORDER_TOPIC_CONFIG"), ("key", "T"), ("value", "a:4")]);
    let route = || request(code::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
    let ordered = ROUTE.replace("\"queueDatas\"", "\"orderTopicConf\":\"a:4\",\"queueDatas\"");
    check(
        settings,
        &[
            (register(), "0"),
            (put, "0"),
            (route(), ROUTE),
            (request(code::GET_NAMESRV_CONFIG, &[]), "0 | listenPort=9876\norderMessageEnable=false\n"),
            (update("orderMessageEnable=true\n"), "0"),
            (request(code::GET_NAMESRV_CONFIG, &[]), "0 | listenPort=9876\norderMessageEnable=true\n"),
            (route(), &ordered),
            (update("kvConfigPath=/etc/passwd"), "16 | Can not update config in black list: kvConfigPath"),
            (update("listenPort=1"), "1 | listenPort can only be changed in the configuration file"),
            (update("nonsense=1"), "1 | nonsense is not a key of the NameServer"),
            (update("orderMessageEnable=yes"), "1 | orderMessageEnable: \"yes\" is not true or false"),
            (update("nonsense"), "1 | string2Properties error: line 1 is not key=value"),
            (register(), "0 | {\"table\":{\"T\":\"a:4\"}}"),
        ],
    )
    .await;
}

#[tokio::test]
async fn key_values_survive_a_restart_and_damage_is_reported() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let put = |key: &str| request(code::PUT_KV_CONFIG, &[("namespace", "n"), ("key", key), ("value", "v")]);
    let get = |key: &str| request(code::GET_KV_CONFIG, &[("namespace", "n"), ("key", key)]);
    let server = world.name_server(home.path(), 0, Settings::default()).await;
    let answers = [
        world.ask(&server, put("k")).await,
        world.ask(&server, put("gone")).await,
        world.ask(&server, request(code::DELETE_KV_CONFIG, &[("namespace", "n"), ("key", "gone")])).await,
        world.ask(&server, put("")).await,
    ];
    assert_eq!(answers, ["0", "0", "0", "1 | namespace or key is null"]);
    server.stop().await;
    let file = std::path::Path::new("kvConfig.json");
    assert_eq!(std::fs::read_to_string(home.path().join(file)).unwrap(), "{\"configTable\":{\"n\":{\"k\":\"v\"}}}");

    let server = world.name_server(home.path(), 0, Settings::default()).await;
    let answers = [
        world.ask(&server, get("k")).await,
        world.ask(&server, get("gone")).await,
        world.ask(&server, request(code::GET_KVLIST_BY_NAMESPACE, &[("namespace", "n")])).await,
        world.ask(&server, request(code::GET_KVLIST_BY_NAMESPACE, &[("namespace", "m")])).await,
    ];
    assert_eq!(
        answers,
        [
            "0 | value=v",
            "22 | No config item, Namespace: n Key: gone",
            "0 | {\"table\":{\"k\":\"v\"}}",
            "22 | No config item, Namespace: m",
        ]
    );
    server.stop().await;

    std::fs::write(home.path().join(file), "{\"configTable\":").unwrap();
    let options = mqcontainer::namesrv::Options {
        kv_config: home.path().join(file),
        settings: Settings::default(),
        limits: mqcontainer::namesrv::Limits::default(),
    };
    let error = mqcontainer::namesrv::start(options, &world.env, &world.transport).await.err().unwrap().to_string();
    assert!(error.contains("kvConfig.json") && error.contains("repair the file"), "{error}");
}

#[tokio::test]
async fn a_change_that_cannot_be_written_is_not_called_a_success() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    // A folder where the file belongs.
    let server = world.name_server(home.path(), 0, Settings::default()).await;
    std::fs::create_dir_all(home.path().join("kvConfig.json/in-the-way")).unwrap();
    let put = request(code::PUT_KV_CONFIG, &[("namespace", "n"), ("key", "k"), ("value", "v")]);
    let answer = world.ask(&server, put).await;
    assert!(answer.starts_with("1 | the change is in force, but could not be written to "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn members_are_told_about_their_new_lowest_id() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new();
    let rules = Rules { support_acting_master: true, notify_min_broker_id_changed: true, ..Rules::default() };
    let server = world.name_server(home.path(), 0, Settings { rules, ..Settings::default() }).await;
    let slave = Slave::start(&world);
    let mut master = register();
    master.ext.set("enableActingMaster", true);
    assert_eq!(world.ask(&server, master).await, "0");
    let mut second = register();
    second.ext.set("enableActingMaster", true);
    second.ext.set("brokerId", 1);
    second.ext.set("brokerAddr", slave.address);
    assert_eq!(world.ask(&server, second).await, "0 | haServerAddr=h:2 masterAddr=h:1");
    assert_eq!(world.ask(&server, request(code::UNREGISTER_BROKER, &BROKER)).await, "0");
    let push = slave.next().await;
    let fields = ["minBrokerId", "brokerName", "minBrokerAddr", "offlineBrokerAddr", "haBrokerAddr"];
    let told = fields.map(|field| push.ext.get(field).map(str::to_owned));
    let own = Some(slave.address.to_string());
    assert_eq!(
        (push.code, push.is_oneway(), told),
        (code::NOTIFY_MIN_BROKER_ID_CHANGE, true, [Some("1".into()), Some("a".into()), own, Some("h:1".into()), None],)
    );
    server.stop().await;
}

/// A port that keeps what it is sent.
struct Slave {
    address: std::net::SocketAddr,
    pushes: tokio::sync::Mutex<mqcontainer::env::mailbox::Receiver<Command>>,
}

struct Keep(mqcontainer::env::mailbox::Sender<Command>);

impl mqcontainer::remoting::Service for Keep {
    fn request(&self, request: mqcontainer::remoting::Request) {
        self.0.try_send(request.command).unwrap();
    }
    fn closed(&self, _connection: &mqcontainer::remoting::Connection) {}
}

impl Slave {
    fn start(world: &World) -> Slave {
        let (sender, receiver) = mqcontainer::env::mailbox::bounded(16);
        let listener = mqcontainer::remoting::bind(([127, 0, 0, 1], 0).into(), 16).unwrap();
        let address = listener.local_addr();
        listener.serve(&"slave".into(), std::sync::Arc::new(Keep(sender)), &world.transport, &world.env.tasks);
        Slave { address, pushes: tokio::sync::Mutex::new(receiver) }
    }

    async fn next(&self) -> Command {
        let mut pushes = self.pushes.lock().await;
        tokio::time::timeout(crate::harness::DEADLINE, pushes.recv()).await.unwrap().unwrap()
    }
}
