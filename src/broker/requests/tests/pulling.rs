//! Pulls, held pulls, offsets, lookups.

use crate::broker::testing::{Bench, command, shown};
use crate::protocol::codes::request::*;
use crate::protocol::command::Command;
use crate::protocol::ids::QueueId;

/// Header of a pull of group `g` with the subscription of its heartbeat.
fn pull_fields<'a>(topic: &'a str, queue: &'a str, from: &'a str, sys_flag: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("consumerGroup", "g"),
        ("topic", topic),
        ("queueId", queue),
        ("queueOffset", from),
        ("maxMsgNums", "32"),
        ("sysFlag", sys_flag),
        ("commitOffset", "1"),
        ("suspendTimeoutMillis", "15000"),
        ("subscription", "a || b"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ]
}

fn changed<'a>(mut fields: Vec<(&'a str, &'a str)>, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    fields.extend(changes);
    fields
}

fn pull(bench: &mut Bench, from: &str, sys_flag: &str) -> Command {
    bench.ask(PULL_MESSAGE, &pull_fields("t", "0", from, sys_flag), "")
}

fn ready() -> Bench {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    bench.beat(1, "g", &["t"]);
    bench
}

#[test]
fn pulls_are_checked_in_javas_order() {
    let mut bench = ready();
    bench.create_topic("u");
    bench.ask(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], r#"{"groupName":"off","consumeEnable":false}"#);
    let mut check = |changes: &[(&str, &str)], code: i32, forbidden: Option<&str>| {
        let answer = bench.ask(PULL_MESSAGE, &changed(pull_fields("t", "0", "0", "0"), changes), "");
        assert_eq!(
            (answer.code, answer.ext.get("forbiddenType")),
            (code, forbidden),
            "{changes:?} {:?}",
            answer.remark
        );
    };
    check(&[], 19, None);
    check(&[("consumerGroup", "off")], 16, Some("2"));
    check(&[("topic", "nothing")], 17, None);
    check(&[("queueId", "2")], 29, None);
    check(&[("queueId", "-1")], 29, None);
    check(&[("consumerGroup", "offline")], 24, None);
    check(&[("topic", "u")], 24, None);
    check(&[("subVersion", "9")], 25, None);
    check(&[("sysFlag", "4"), ("expressionType", "SQL92")], 1, None);
    check(&[("maxMsgNums", "x")], 1, None);
}

#[test]
fn a_topic_taken_from_the_group_is_not_given_out() {
    let mut bench = ready();
    bench.ask(UPDATE_AND_GET_GROUP_FORBIDDEN, &[("group", "g"), ("topic", "t"), ("readable", "false")], "");
    let answer = pull(&mut bench, "0", "0");
    assert_eq!((answer.code, answer.ext.get("forbiddenType")), (16, Some("5")));
    let mut bench = Bench::with("brokerPermission = 2");
    let answer = pull(&mut bench, "0", "0");
    assert_eq!((answer.code, answer.ext.get("forbiddenType")), (16, Some("1")));
}

#[test]
fn offsets_decide_the_code() {
    let mut bench = ready();
    let mut check = |from: &str, code: i32, remark: &str, next: &str| {
        let answer = pull(&mut bench, from, "0");
        let got = (answer.code, answer.remark.as_deref(), answer.ext.get("nextBeginOffset"));
        assert_eq!(got, (code, Some(remark), Some(next)), "{from}");
    };
    check("0", 19, "NO_MESSAGE_IN_QUEUE", "0");
    check("5", 21, "NO_MESSAGE_IN_QUEUE", "0");
    let mut bench = ready();
    bench.produce("t", 0, "one", "");
    bench.produce("t", 0, "two", "TAGS\u{1}a\u{2}");
    let mut check = |from: &str, sys_flag: &str, code: i32, remark: &str, next: &str, messages: bool| {
        let answer = pull(&mut bench, from, sys_flag);
        let got = (answer.code, answer.remark.as_deref(), answer.ext.get("nextBeginOffset"), !answer.body.is_empty());
        assert_eq!(got, (code, Some(remark), Some(next), messages), "{from}");
    };
    check("0", "0", 0, "FOUND", "2", true);
    check("1", "4", 0, "FOUND", "2", true);
    check("2", "0", 19, "OFFSET_OVERFLOW_ONE", "2", false);
    check("3", "0", 21, "OFFSET_OVERFLOW_BADLY", "2", false);
}

#[test]
fn a_pull_waits_for_a_message_it_wants() {
    let mut bench = ready();
    bench.produce("t", 0, "zero", "");
    let id = bench.send(command(PULL_MESSAGE, &pull_fields("t", "0", "1", "6"), ""));
    assert_eq!((bench.answer(id), bench.core.snapshot(bench.now).held_pulls), (None, 1));
    bench.produce("t", 0, "other", "TAGS\u{1}c\u{2}");
    assert_eq!(bench.answer(id), None);
    bench.produce("t", 0, "wanted", "TAGS\u{1}b\u{2}");
    let answer = bench.answer(id).unwrap();
    assert_eq!((answer.code, answer.ext.get("nextBeginOffset")), (0, Some("3")));
    let id = bench.send(command(PULL_MESSAGE, &pull_fields("t", "0", "3", "2"), ""));
    bench.pass(14_999);
    assert_eq!(bench.answer(id), None);
    bench.pass(1);
    assert_eq!(bench.answer(id).unwrap().code, 19);
    let got = bench.core.snapshot(bench.now).outgoing;
    assert_eq!(got.iter().map(|counts| (&*counts.group, counts.messages)).collect::<Vec<_>>(), [("g", 1)]);
}

#[test]
fn a_moved_group_learns_with_its_waiting_pull() {
    let mut bench = ready();
    bench.produce("t", 0, "one", "");
    let id = bench.send(command(PULL_MESSAGE, &pull_fields("t", "0", "1", "2"), ""));
    let fields =
        [("topic", "t"), ("group", "g"), ("queueId", "0"), ("offset", "0"), ("timestamp", "-1"), ("isForce", "true")];
    assert_eq!(bench.ask(INVOKE_BROKER_TO_RESET_OFFSET, &fields, "").code, 0);
    let answer = bench.answer(id).unwrap();
    assert_eq!((answer.code, answer.ext.get("nextBeginOffset")), (21, Some("0")));
    let commit = [("consumerGroup", "g"), ("topic", "t"), ("queueId", "0"), ("commitOffset", "1")];
    assert_eq!(bench.ask(UPDATE_CONSUMER_OFFSET, &commit, "").remark, None, "commits count again");
}

#[test]
fn a_deleted_topic_answers_its_pulls() {
    let mut bench = ready();
    let id = bench.send(command(PULL_MESSAGE, &pull_fields("t", "0", "0", "2"), ""));
    assert_eq!(bench.answer(id), None);
    assert_eq!(bench.ask(DELETE_TOPIC_IN_BROKER, &[("topic", "t")], "").code, 0);
    assert_eq!(bench.answer(id).unwrap().code, 19);
}

#[test]
fn offsets_are_committed_and_asked_for() {
    let mut bench = ready();
    bench.produce("t", 0, "one", "");
    let queue = |group, topic| [("consumerGroup", group), ("topic", topic), ("queueId", "0")];
    let mut check = |code: i32, fields: &[(&str, &str)], expected: (i32, Option<&str>)| {
        let answer = bench.ask(code, fields, "");
        assert_eq!((answer.code, answer.ext.get("offset")), expected, "{code} {fields:?} {:?}", answer.remark);
    };
    check(QUERY_CONSUMER_OFFSET, &queue("g", "t"), (0, Some("0")));
    check(QUERY_CONSUMER_OFFSET, &[&queue("g", "t")[..], &[("setZeroIfNotFound", "false")]].concat(), (22, None));
    check(UPDATE_CONSUMER_OFFSET, &[&queue("g", "t")[..], &[("commitOffset", "7")]].concat(), (0, None));
    check(QUERY_CONSUMER_OFFSET, &queue("g", "t"), (0, Some("7")));
    check(UPDATE_CONSUMER_OFFSET, &[&queue("g", "u")[..], &[("commitOffset", "7")]].concat(), (17, None));
    check(QUERY_CONSUMER_OFFSET, &queue("new", "u"), (22, None));
    check(GET_MAX_OFFSET, &[("topic", "t"), ("queueId", "0")], (0, Some("1")));
    check(GET_MIN_OFFSET, &[("topic", "t"), ("queueId", "0")], (0, Some("0")));
}

#[test]
fn a_pull_commits_on_the_way() {
    let mut bench = ready();
    bench.produce("t", 0, "one", "");
    pull(&mut bench, "0", "1");
    assert_eq!(bench.core.offsets.get("t", "g", QueueId(0)).map(|offset| offset.0), Some(1));
}

#[test]
fn messages_are_found_by_place_key_and_time() {
    let mut bench = ready();
    bench.produce("t", 0, "one", "KEYS\u{1}k1 k2\u{2}");
    bench.pass(1_000);
    bench.produce("t", 0, "two", "KEYS\u{1}k2\u{2}");
    bench.pass(1_000);
    let time = (bench.now.0 - 1_000).to_string();
    let by_time = bench.ask(SEARCH_OFFSET_BY_TIMESTAMP, &[("topic", "t"), ("queueId", "0"), ("timestamp", &time)], "");
    assert_eq!(by_time.ext.get("offset"), Some("1"));
    assert_eq!(bench.ask(VIEW_MESSAGE_BY_ID, &[("offset", "0")], "").code, 0);
    assert_eq!(bench.ask(VIEW_MESSAGE_BY_ID, &[("offset", "5")], "").code, 1);
    let late = (bench.now.0 + 1).to_string();
    let key = |key| {
        [("topic", "t"), ("key", key), ("maxNum", "32"), ("beginTimestamp", "0"), ("endTimestamp", late.as_str())]
    };
    let lengths: Vec<_> =
        ["k1", "k2"].map(|name| bench.ask(QUERY_MESSAGE, &key(name), "").body.pieces().len()).to_vec();
    assert_eq!(lengths, [1, 2]);
    assert_eq!(shown(&bench.ask(QUERY_MESSAGE, &key("k3"), "")).0, 22);
}
