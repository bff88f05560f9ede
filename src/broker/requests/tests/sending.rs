//! Sends, send-backs, delays: codes and remarks, and where messages end up.

use std::time::Duration;

use crate::broker::state::series::Series;
use crate::broker::testing::{Bench, command, send_fields, shown};
use crate::protocol::body::stats::KvTable;
use crate::protocol::codes::request::*;
use crate::protocol::command::Command;
use crate::protocol::ids::{QueueId, QueueOffset};
use crate::protocol::json;
use crate::protocol::record::{BodyCrc, RecordView};
use crate::store::Patience;

/// A send with some header fields changed.
fn send(bench: &mut Bench, topic: &str, changes: &[(&str, &str)], body: &str) -> Command {
    let mut fields = send_fields(topic, "0", "");
    fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    fields.extend(changes);
    bench.ask(SEND_MESSAGE_V2, &fields, body)
}

fn end(bench: &Bench, topic: &str, queue: i32) -> i64 {
    bench.core.view.queue_range(topic, QueueId(queue)).max.0
}

/// Properties of the last message of a queue, as (name, value) of those asked for.
fn property(bench: &Bench, topic: &str, queue: i32, name: &str) -> Option<String> {
    let last = QueueOffset(end(bench, topic, queue) - 1);
    let unit = bench.core.view.queue_unit(topic, QueueId(queue), last, Patience::MayBlock).unwrap().unwrap();
    let record = bench.core.view.record_at(unit.physical, Patience::MayBlock).unwrap().unwrap();
    let message = RecordView::parse(&record, BodyCrc::Check).unwrap();
    message.property(name).map(str::to_owned)
}

#[test]
fn sends_are_checked_as_in_java() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    let large = "x".repeat(2049);
    let mut check = |topic: &str, changes: &[(&str, &str)], body: &str, code: i32, remark: &str| {
        let answer = send(&mut bench, topic, changes, body);
        assert_eq!((answer.code, answer.remark.as_deref().unwrap_or_default()), (code, remark), "{topic} {changes:?}");
    };
    check("t", &[], "x", 0, "");
    check(
        "a b",
        &[],
        "x",
        29,
        "The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$",
    );
    check("SCHEDULE_TOPIC_XXXX", &[], "x", 16, "Sending message to topic[SCHEDULE_TOPIC_XXXX] is forbidden.");
    check(
        "t",
        &[("e", "2")],
        "x",
        29,
        "request queueId[2] is illegal, topic[t] has 2 queues. Producer or consumer: 127.0.0.1:40001",
    );
    check(
        "new",
        &[("c", "nothing")],
        "x",
        17,
        "topic[new] not exist, apply first please! Create it with mqadmin updateTopic, or set autoCreateTopicEnable=true",
    );
    check("t", &[], &large, 13, "the message has 2049 bytes, at most 2048 are allowed (maxMessageSize)");
    check(
        "t",
        &[("i", "TRAN_MSG\u{1}true\u{2}")],
        "x",
        16,
        "the broker[127.0.0.1] sending transaction message is forbidden",
    );
    check(
        "t",
        &[("i", "TIMER_DELAY_SEC\u{1}9\u{2}")],
        "x",
        1,
        "accurate timer message is not enabled, timerWheelEnable is false; use a delay level (property DELAY)",
    );
    let malformed =
        r#"SendMessageRequestHeader, SendMessageRequestHeaderV2: the field flag is "x", expected a 32-bit number"#;
    check("t", &[("h", "x")], "x", 1, malformed);
    assert_eq!(end(&bench, "t", 0), 1);
}

#[test]
fn permissions_are_kept() {
    let mut bench = Bench::with("brokerPermission = 4");
    let fields = crate::broker::testing::topic_fields("ordered");
    let ordered: Vec<_> = fields.into_iter().filter(|(name, _)| *name != "order").chain([("order", "true")]).collect();
    assert_eq!(bench.ask(UPDATE_AND_CREATE_TOPIC, &ordered, "").code, 0);
    assert_eq!(send(&mut bench, "ordered", &[], "x").code, 16);
    assert_eq!(send(&mut bench, "drained", &[], "x").code, 0);
    let mut bench = Bench::new();
    let fields: Vec<_> = crate::broker::testing::topic_fields("r")
        .into_iter()
        .filter(|(name, _)| *name != "perm")
        .chain([("perm", "4")])
        .collect();
    assert_eq!(bench.ask(UPDATE_AND_CREATE_TOPIC, &fields, "").code, 0);
    assert_eq!(send(&mut bench, "r", &[], "x").code, 16);
}

#[test]
fn an_unknown_topic_is_made_after_tbw102() {
    let mut bench = Bench::new();
    let answer = send(&mut bench, "new", &[], "x");
    assert_eq!((answer.code, answer.ext.get("queueOffset")), (0, Some("0")));
    let (_, topic) = bench.core.topics.get("new").unwrap();
    assert_eq!((topic.write_queue_nums, topic.read_queue_nums, topic.perm), (4, 4, 6));
    let mut bench = Bench::with("autoCreateTopicEnable = false");
    assert_eq!(send(&mut bench, "new", &[], "x").code, 17);
}

#[test]
fn the_broker_adds_what_clients_rely_on() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    let answer = send(&mut bench, "t", &[("i", "KEYS\u{1}k\u{2}POP_CK\u{1}x\u{2}")], "x");
    assert_eq!(answer.ext.get("msgId"), Some("7F00000100002A9F0000000000000000"));
    assert_eq!((answer.ext.get("MSG_REGION"), answer.ext.get("TRACE_ON")), (Some("DefaultRegion"), Some("true")));
    let names = ["KEYS", "MSG_REGION", "TRACE_ON", "CLUSTER", "POP_CK"];
    let values = names.map(|name| property(&bench, "t", 0, name).unwrap_or_default());
    assert_eq!(values, ["k", "DefaultRegion", "true", "c", ""]);
    assert_eq!(property(&bench, "t", 0, "UNIQ_KEY").as_deref(), answer.ext.get("transactionId"));
}

#[test]
fn sync_flush_answers_after_the_sync() {
    let mut bench = Bench::with("flushDiskType = \"SYNC_FLUSH\"");
    bench.create_topic("t");
    assert_eq!(send(&mut bench, "t", &[], "x").code, 0);
    bench.jobs_run = false;
    let waits = bench.send(command(SEND_MESSAGE_V2, &send_fields("t", "0", ""), "x"));
    let hurries = bench.send(command(SEND_MESSAGE_V2, &send_fields("t", "0", "WAIT\u{1}false\u{2}"), "x"));
    assert_eq!((bench.answer(waits), bench.answer(hurries).unwrap().code), (None, 0));
    bench.pass(5_000);
    assert_eq!(bench.answer(waits).unwrap().code, 10);
}

#[test]
fn delayed_messages_come_when_they_are_due() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    assert_eq!(send(&mut bench, "t", &[("i", "DELAY\u{1}2\u{2}")], "x").code, 0);
    assert_eq!((end(&bench, "t", 0), end(&bench, "SCHEDULE_TOPIC_XXXX", 1)), (0, 1));
    bench.pass(4_999);
    assert_eq!(end(&bench, "t", 0), 0);
    bench.pass(1);
    assert_eq!(end(&bench, "t", 0), 1);
    assert_eq!(property(&bench, "t", 0, "REAL_TOPIC").as_deref(), Some("t"));
}

/// Messages and bytes under a name of Java's statistics.
fn counted(bench: &mut Bench, name: &str, key: &str) -> u64 {
    bench.core.stats.find(name, key).map_or(0, Series::total)
}

#[test]
fn a_delivered_message_counts_for_its_real_topic() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    assert_eq!(send(&mut bench, "t", &[("i", "DELAY\u{1}2\u{2}")], "x").code, 0);
    let names = ["TOPIC_PUT_NUMS", "TOPIC_PUT_SIZE"];
    let of_topic = |bench: &mut Bench, topic: &str| names.map(|name| counted(bench, name, topic));
    let record = of_topic(&mut bench, "SCHEDULE_TOPIC_XXXX")[1];
    assert_eq!(record, bench.core.view.usage().log_bytes.unsigned_abs(), "the whole record counts");
    assert_eq!((of_topic(&mut bench, "t"), counted(&mut bench, "BROKER_PUT_NUMS", "c")), ([0, 0], 1));
    bench.pass(5_000);
    let copy = bench.core.view.usage().log_bytes.unsigned_abs() - record;
    assert_eq!((of_topic(&mut bench, "t"), counted(&mut bench, "BROKER_PUT_NUMS", "c")), ([1, copy], 2));
    let taken = ["GROUP_GET_NUMS", "GROUP_GET_SIZE"]
        .map(|name| counted(&mut bench, name, "SCHEDULE_TOPIC_XXXX@SCHEDULE_CONSUMER"));
    assert_eq!(taken, [1, copy]);
    let snapshot = bench.core.snapshot(bench.now);
    let incoming: Vec<_> = snapshot
        .incoming
        .iter()
        .map(|counts| (&*counts.topic, counts.kind.as_str(), counts.is_system, counts.messages, counts.sizes.sum))
        .collect();
    assert_eq!(incoming, [("SCHEDULE_TOPIC_XXXX", "delay", true, 1, record), ("t", "delay", false, 1, copy)]);
}

#[test]
fn puts_take_as_long_as_the_write_of_their_batch() {
    let shown = |lines: &str| {
        let mut bench = Bench::with(lines);
        bench.create_topic("t");
        bench.append_takes = Duration::from_millis(60);
        bench.jobs_run = false;
        let fields = send_fields("t", "0", "DELAY\u{1}1\u{2}");
        bench.send(command(SEND_MESSAGE_V2, &fields, "x"));
        bench.jobs_run = true;
        bench.pass(7);
        bench.pass(1_000);
        let answer = bench.ask(GET_BROKER_RUNTIME_INFO, &[], "");
        let table = json::from_java::<KvTable>(&answer.body.to_bytes()).unwrap().table;
        (table["putMessageDistributeTime"][..52].to_owned(), table["putMessageEntireTimeMax"].clone())
    };
    // The message and its delivery; with SYNC_FLUSH the producer waits for a sync that comes 7 ms later.
    let asynchronous = shown("");
    assert_eq!(asynchronous, ("[<=0ms]:0 [0~10ms]:0 [10~50ms]:0 [50~100ms]:2 [100~2".to_owned(), "60".to_owned()));
    let synchronous = shown("flushDiskType = \"SYNC_FLUSH\"");
    assert_eq!(synchronous, ("[<=0ms]:0 [0~10ms]:1 [10~50ms]:0 [50~100ms]:1 [100~2".to_owned(), "60".to_owned()));
}

/// Gives the message at `offset` back.
fn send_back(bench: &mut Bench, offset: &str, level: &str, max: &str) -> Command {
    let fields =
        [("offset", offset), ("group", "g"), ("delayLevel", level), ("originTopic", "t"), ("maxReconsumeTimes", max)];
    bench.ask(CONSUMER_SEND_MSG_BACK, &fields, "")
}

#[test]
fn a_message_given_back_is_retried_or_buried() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    send(&mut bench, "t", &[], "x");
    assert_eq!(send_back(&mut bench, "0", "0", "16").code, 0);
    assert_eq!(end(&bench, "SCHEDULE_TOPIC_XXXX", 2), 1, "level 3 for the first retry");
    bench.pass(10_000);
    assert_eq!(end(&bench, "%RETRY%g", 0), 1);
    let names = ["RETRY_TOPIC", "REAL_TOPIC"].map(|name| property(&bench, "%RETRY%g", 0, name).unwrap_or_default());
    assert_eq!(names, ["t", "%RETRY%g"]);
    assert_eq!(send_back(&mut bench, "0", "-1", "16").code, 0);
    assert_eq!(send_back(&mut bench, "0", "0", "0").code, 0);
    assert_eq!(end(&bench, "%DLQ%g", 0), 2);
    assert_eq!(shown(&send_back(&mut bench, "7", "0", "16")).0, 1);
    let stats = bench.ask(VIEW_BROKER_STATS_DATA, &[("statsName", "SNDBCK_PUT_NUMS"), ("statsKey", "t@g")], "");
    assert_eq!(stats.code, 0);
    let snapshot = bench.core.snapshot(bench.now);
    let of_group: Vec<_> =
        snapshot.outgoing.iter().map(|counts| (&*counts.topic, counts.sent_back, counts.dead)).collect();
    assert_eq!(of_group, [("SCHEDULE_TOPIC_XXXX", 0, 0), ("t", 3, 2)]);
    let kinds: Vec<_> = snapshot.incoming.iter().map(|counts| (&*counts.topic, counts.kind.as_str())).collect();
    assert_eq!(kinds, [("%RETRY%g", "delay"), ("t", "normal")], "what was delivered to the retry topic, as in Java");
}

#[test]
fn batches_are_taken_apart() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    let mut body = Vec::new();
    for text in ["one", "two"] {
        let size = i32::try_from(4 * 4 + 4 + text.len() + 2).unwrap();
        for number in [size, 0, 0, 0, i32::try_from(text.len()).unwrap()] {
            body.extend_from_slice(&number.to_be_bytes());
        }
        body.extend_from_slice(text.as_bytes());
        body.extend_from_slice(&0_i16.to_be_bytes());
    }
    let mut fields = send_fields("t", "1", "");
    fields.retain(|(name, _)| *name != "m");
    fields.push(("m", "true"));
    let id = bench.send(command(SEND_BATCH_MESSAGE, &fields, body));
    let answer = bench.answer(id).unwrap();
    assert_eq!((answer.code, answer.ext.get("queueOffset")), (0, Some("0")));
    assert_eq!(answer.ext.get("msgId").map(|ids| ids.split(',').count()), Some(2));
    assert_eq!(end(&bench, "t", 1), 2);
    let id = bench.send(command(SEND_BATCH_MESSAGE, &fields, "nonsense"));
    assert_eq!(bench.answer(id).unwrap().code, 13);
    let snapshot = bench.core.snapshot(bench.now);
    let counts: Vec<_> = snapshot
        .incoming
        .iter()
        .map(|counts| (&*counts.topic, counts.kind.as_str(), counts.messages, counts.sizes.count()))
        .collect();
    assert_eq!(counts, [("t", "normal", 2, 1)]);
}
