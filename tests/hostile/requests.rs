//! Requests that are wrong: each gets Java's code and a remark that names what is wrong.

use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;

use crate::program::{MESSAGE_MAX, Program};
use crate::support::{Outcome, Peer};

/// One request and its answer.
#[derive(Clone)]
struct Row {
    name: &'static str,
    command: Command,
    code: i32,
    /// Part of the remark.
    remark: &'static str,
}

type Fields<'a> = &'a [(&'a str, &'a str)];

const SEND: Fields =
    &[("a", "g"), ("b", "T"), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", "0"), ("g", "0"), ("h", "0")];

const PULL: Fields = &[
    ("consumerGroup", "g"),
    ("topic", "T"),
    ("queueId", "0"),
    ("queueOffset", "0"),
    ("maxMsgNums", "32"),
    ("sysFlag", "4"),
    ("commitOffset", "0"),
    ("suspendTimeoutMillis", "0"),
    ("subscription", "*"),
    ("subVersion", "0"),
    ("expressionType", "TAG"),
];

const TOPIC: Fields = &[
    ("topic", "T"),
    ("readQueueNums", "4"),
    ("writeQueueNums", "4"),
    ("perm", "6"),
    ("topicFilterType", "SINGLE_TAG"),
];

/// Sends rows to one port and compares the answers.
pub async fn check(program: &Program) -> Outcome<usize> {
    let peer = Peer::new();
    let fast = [Program::fast(&program.open)?, Program::fast(&program.admin)?];
    let missing = program.file("missing.conf").display().to_string();
    let tables = [
        ("a broker", &program.open, [sends(), kinds(), batches(), pulls(), bodies(), topics(), settings()].concat()),
        ("a broker without rights", &program.strict, strict()),
        ("a broker that is not read", &program.mute, vec![pull("pull from it", &[], 16, "brokerPermission")]),
        ("its fast port", &fast[0], vec![row("unknown code", 9999, &[], b"", 3, " request type 9999 not supported")]),
        ("the container", &program.admin, container(&missing)),
        ("the container's fast port", &fast[1], vec![row("unknown code", -1, &[], b"", 3, " request type -1 not")]),
        ("the NameServer", &program.namesrv, name_server()),
    ];
    let (mut count, mut wrong) = (0, String::new());
    for (port, address, rows) in tables {
        for Row { name, command, code, remark } in rows {
            let answer = peer.ask(address, command).await.map_err(|error| format!("{port}: {name}: {error}"))?;
            let found = answer.remark.unwrap_or_default();
            if answer.code != code || !found.contains(remark) {
                wrong += &format!("\n{port}: {name}: {} {found:?} instead of {code} {remark:?}", answer.code);
            }
            count += 1;
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    Ok(count)
}

fn row(name: &'static str, code: i32, fields: Fields, body: &[u8], answer: i32, remark: &'static str) -> Row {
    let mut command = Command { code, body: body.to_vec().into(), ..Command::default() };
    for (field, value) in fields {
        command.ext.set(field, value);
    }
    Row { name, command, code: answer, remark }
}

/// A request whose header is right but for these fields.
fn changed(
    name: &'static str,
    code: i32,
    header: Fields,
    changes: Fields,
    body: &[u8],
    expected: (i32, &'static str),
) -> Row {
    row(name, code, &[header, changes].concat(), body, expected.0, expected.1)
}

fn send(name: &'static str, changes: Fields, code: i32, remark: &'static str) -> Row {
    changed(name, request::SEND_MESSAGE_V2, SEND, changes, b"body", (code, remark))
}

fn pull(name: &'static str, changes: Fields, code: i32, remark: &'static str) -> Row {
    changed(name, request::PULL_MESSAGE, PULL, changes, b"", (code, remark))
}

fn topic(name: &'static str, changes: Fields, code: i32, remark: &'static str) -> Row {
    changed(name, request::UPDATE_AND_CREATE_TOPIC, TOPIC, changes, b"", (code, remark))
}

fn sends() -> Vec<Row> {
    let long = "x".repeat(128);
    let characters = "contains illegal characters";
    vec![
        row("no field", request::SEND_MESSAGE_V2, &[], b"x", 1, "the required field producerGroup is missing"),
        row("long names, none", request::SEND_MESSAGE, &[], b"x", 1, "the required field producerGroup is missing"),
        row("no queue", request::SEND_MESSAGE_V2, &SEND[..4], b"x", 1, "the required field queueId is missing"),
        send("a queue that is no number", &[("e", "seven")], 1, "queueId is \"seven\", expected a 32-bit queue id"),
        send("a queue of 64 bits", &[("e", "4294967296")], 1, "the field queueId"),
        send("a time that is no number", &[("g", "1e3")], 1, "the field bornTimestamp"),
        send("a path", &[("b", "../..")], 29, characters),
        send("an absolute path", &[("b", "/etc/passwd")], 29, characters),
        send("a path with NUL", &[("b", "a\0b")], 29, characters),
        send("a blank topic", &[("b", "  ")], 29, "The specified topic is blank"),
        send("an empty topic", &[("b", "")], 29, "The specified topic is blank"),
        send("a long topic", &[("b", &long)], 29, "longer than topic max length: 127"),
        send("a topic of other letters", &[("b", "тема")], 29, characters),
        send("the schedule topic", &[("b", "SCHEDULE_TOPIC_XXXX")], 16, "is forbidden"),
        send("the half topic", &[("b", "RMQ_SYS_TRANS_HALF_TOPIC")], 16, "is forbidden"),
        send("nothing to inherit from", &[("b", "New"), ("c", "None")], 17, "topic[New] not exist"),
        send("a topic to write to", &[], 0, ""),
        send("a queue out of range", &[("e", "4")], 29, "queueId[4] is illegal, topic[T] has 4 queues"),
        send("the last queue there can be", &[("e", "2147483647")], 29, "queueId[2147483647] is illegal"),
        topic("a topic for nobody to write", &[("topic", "ReadOnly"), ("perm", "4")], 0, ""),
        send("and a message for it", &[("b", "ReadOnly")], 16, "its perm lacks the write bit"),
    ]
}

/// Messages the broker does not serve, and those that are too big.
fn kinds() -> Vec<Row> {
    let properties = format!("KEY\u{1}{}\u{2}", "v".repeat(40_000));
    let big = vec![b'x'; MESSAGE_MAX + 1];
    let too_big = (13, "at most");
    vec![
        send("a transaction", &[("i", "TRAN_MSG\u{1}true\u{2}")], 16, "transaction message is forbidden"),
        send("a delivery time", &[("i", "TIMER_DELIVER_MS\u{1}1\u{2}")], 1, "use a delay level"),
        send("long properties", &[("i", &properties)], 13, "at most 32767"),
        changed("a big body", request::SEND_MESSAGE_V2, SEND, &[], &big, too_big),
    ]
}

fn batches() -> Vec<Row> {
    let message = |total: i32, body: i32, rest: &[u8]| {
        let mut bytes = Vec::new();
        for number in [total, 0, 0, 0, body] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        [&bytes, rest].concat()
    };
    let batch = |name, body: &[u8], expected| {
        let changes: Fields = &[("m", "true")];
        changed(name, request::SEND_BATCH_MESSAGE, SEND, changes, body, expected)
    };
    vec![
        batch("a batch of one", &message(26, 4, b"body\0\0"), (0, "")),
        batch("an empty batch", b"", (13, "the batch is empty")),
        batch("three bytes", b"abc", (13, "message 0 of the batch")),
        batch("a batch cut short", &message(26, 4, b"bo"), (13, "total size 26 with 22 bytes left")),
        batch("a negative length", &message(-1, 4, b"body\0\0"), (13, "total size -1")),
        batch("a length of 2 GiB", &message(i32::MAX, 4, b"body\0\0"), (13, "total size 2147483647")),
        batch("a body of 2 GiB", &message(26, i32::MAX, b"body\0\0"), (13, "body length 2147483647")),
        batch("a negative body", &message(26, -4, b"body\0\0"), (13, "body length -4")),
        batch("long properties", &message(26, 4, b"body\x7f\xff"), (13, "properties length 32767")),
    ]
}

fn pulls() -> Vec<Row> {
    let group_unknown = "the consumer's group info not exist, group: silent";
    vec![
        row("no field", request::PULL_MESSAGE, &[], b"", 1, "the required field consumerGroup is missing"),
        pull("an offset that is no number", &[("queueOffset", "0x10")], 1, "queueOffset is \"0x10\""),
        pull("a topic that is not here", &[("topic", "Nowhere")], 17, "topic[Nowhere] not exist"),
        pull("a path", &[("topic", "../../..")], 17, "not exist"),
        pull("a queue out of range", &[("queueId", "4")], 29, "queueId[4] is illegal, topic[T] has 4 queues"),
        pull("a negative queue", &[("queueId", "-1")], 29, "queueId[-1] is illegal"),
        topic("a topic for nobody to read", &[("topic", "WriteOnly"), ("perm", "2")], 0, ""),
        pull("and a pull of it", &[("topic", "WriteOnly")], 16, "its perm lacks the read bit"),
        pull("no subscription", &[("consumerGroup", "silent"), ("sysFlag", "0")], 24, group_unknown),
        pull("SQL92", &[("expressionType", "SQL92")], 1, "does not support consumer to filter message by SQL92"),
        pull("far too many", &[("maxMsgNums", "2147483647")], 0, ""),
        pull("fewer than none", &[("maxMsgNums", "-2147483648")], 0, ""),
        pull("before the queue", &[("queueOffset", "-9223372036854775808")], 21, "OFFSET_TOO_SMALL"),
        pull("behind the queue", &[("queueOffset", "9223372036854775807")], 21, "OFFSET_OVERFLOW_BADLY"),
    ]
}

/// Bodies that are not what the code needs.
fn bodies() -> Vec<Row> {
    let mut rows = Vec::new();
    for code in [request::HEART_BEAT, request::LOCK_BATCH_MQ, request::UNLOCK_BATCH_MQ, request::CHECK_CLIENT_CONFIG] {
        rows.push(row("no body", code, &[], b"", 1, "cannot be read"));
        rows.push(row("no JSON", code, &[], b"{\"clientID\":", 1, "cannot be read"));
        rows.push(row("no UTF-8", code, &[], b"{\"\xff\xfe\":1}", 1, "cannot be read"));
        rows.push(row("deep JSON", code, &[], &[b'['; 200_000], 1, "cannot be read"));
    }
    let deep = "{\"x\":".repeat(100_000);
    rows.push(row("deep JSON", request::UPDATE_AND_CREATE_TOPIC_LIST, &[], deep.as_bytes(), 1, "cannot be read"));
    rows.push(row("a number", request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], b"7", 1, "cannot be read"));
    rows
}

fn topics() -> Vec<Row> {
    vec![
        row("unknown code", 9999, &[], b"", 3, " request type 9999 not supported"),
        row("negative code", i32::MIN, &[], b"", 3, "not supported"),
        topic("a path", &[("topic", "../../T")], 29, "contains illegal characters"),
        topic("a system topic", &[("topic", "TBW102")], 29, "conflict with system topic"),
        topic("negative queues", &[("readQueueNums", "-1")], 29, "readQueueNums of topic T is -1"),
        topic("2 billion queues", &[("writeQueueNums", "2147483647")], 29, "expected 0 to 65536"),
        topic("a permission that is none", &[("perm", "-5")], 29, "perm of topic T is -5"),
        topic("a filter type that is none", &[("topicFilterType", "ALL")], 29, "topicFilterType is \"ALL\""),
        row("delete a system topic", request::DELETE_TOPIC_IN_BROKER, &[("topic", "TBW102")], b"", 29, "conflict"),
        row("delete a blank topic", request::DELETE_TOPIC_IN_BROKER, &[("topic", " ")], b"", 29, "is blank"),
    ]
}

fn settings() -> Vec<Row> {
    let set = |name, body: &[u8], code, remark| row(name, request::UPDATE_BROKER_CONFIG, &[], body, code, remark);
    vec![
        set("no UTF-8", b"\xff\xfe=1", 1, "cannot be read"),
        set("a key that is none", b"maxMesageSize=1", 29, "maxMessageSize"),
        set("a value that is none", b"brokerPermission=many", 29, "brokerPermission"),
        set("a key of the black list", b"brokerConfigPath=/etc/passwd", 16, "Can not update config in black list."),
        set("a key that is fixed", b"listenPort=11111", 29, "restart the broker"),
    ]
}

fn strict() -> Vec<Row> {
    vec![
        topic("an order topic for the next row", &[("topic", "Ordered"), ("order", "true")], 0, ""),
        send("send to it in order", &[("b", "Ordered")], 16, "its brokerPermission lacks the write bit"),
        pull("an unknown group", &[("consumerGroup", "fresh")], 26, "subscription group [fresh] does not exist"),
        row(
            "an offset of an unknown group",
            request::UPDATE_CONSUMER_OFFSET,
            &[("consumerGroup", "fresh"), ("topic", "T"), ("queueId", "0"), ("commitOffset", "1")],
            b"",
            26,
            "autoCreateSubscriptionGroup=true",
        ),
    ]
}

fn container(missing: &str) -> Vec<Row> {
    let add = |name, path: &str, remark| row(name, request::ADD_BROKER, &[("configPath", path)], b"", 1, remark);
    let set = |name, body: &[u8], code, remark| row(name, request::UPDATE_BROKER_CONFIG, &[], body, code, remark);
    let gone: Fields = &[("brokerName", "gone"), ("brokerClusterName", "DefaultCluster"), ("brokerId", "0")];
    vec![
        row("a message", request::SEND_MESSAGE_V2, SEND, b"body", 3, " request type 310 not supported"),
        row("add without a path", request::ADD_BROKER, &[], b"", 1, "addBroker config path is empty"),
        add("add a file that is not there", missing, "addBroker properties empty"),
        add("add a folder", "/", "addBroker properties empty"),
        row("remove a stranger", request::REMOVE_BROKER, gone, b"", 211, "Broker not exist"),
        row("remove without a name", request::REMOVE_BROKER, &gone[1..], b"", 1, "brokerName is missing"),
        set("no UTF-8", b"\xff\xfe=1", 1, "the body is not UTF-8"),
        set("a key that is none", b"listenPrt=1", 1, "listenPort"),
        set("a key of the black list", b"brokerConfigPaths=x", 16, "Can not update config in black list."),
        set("its own port", b"listenPort=11111", 1, "cannot be changed"),
    ]
}

fn name_server() -> Vec<Row> {
    let broker: Fields = &[
        ("brokerName", "x"),
        ("brokerAddr", "127.0.0.1:1"),
        ("clusterName", "DefaultCluster"),
        ("haServerAddr", "127.0.0.1:2"),
        ("brokerId", "0"),
    ];
    let register = |name, changes: Fields, body: &[u8], remark| {
        changed(name, request::REGISTER_BROKER, broker, changes, body, (1, remark))
    };
    vec![
        row("a message", request::SEND_MESSAGE_V2, SEND, b"body", 3, " request type 310 not supported"),
        row("no topic", request::GET_ROUTEINFO_BY_TOPIC, &[], b"", 1, "the required field topic is missing"),
        row("an unknown topic", request::GET_ROUTEINFO_BY_TOPIC, &[("topic", "../..")], b"", 17, "No topic route info"),
        register("no JSON", &[], b"{\"topicConfigSerializeWrapper\":", "cannot be read"),
        register("deep JSON", &[], &[b'['; 200_000], "cannot be read"),
        register("another checksum", &[("bodyCrc32", "1")], b"{}", "crc32 not match"),
        register("no zlib", &[("compressed", "true")], b"\xff\xff\xff\xff", "cannot be read"),
        row("no namespace", request::PUT_KV_CONFIG, &[], b"", 1, "the required field namespace is missing"),
        row("a black key", request::UPDATE_NAMESRV_CONFIG, &[], b"kvConfigPath=/x", 16, "black list"),
    ]
}
