//! Administrators' requests: topics, groups, statistics, the broker, forwarding.

use crate::broker::action::{Action, ConfigFile};
use crate::broker::creations::{Creation, CreationTimes};
use crate::broker::requests::forward::progress_of;
use crate::broker::testing::{Bench, START, command, shown, topic_fields};
use crate::protocol::body::progress::{ConsumeStats, OffsetWrapper};
use crate::protocol::body::stats::KvTable;
use crate::protocol::body::topic::TopicStatsTable;
use crate::protocol::codes::request::*;
use crate::protocol::command::Command;
use crate::protocol::ids::{QueueId, QueueOffset};
use crate::protocol::json;

/// Code and remark of a request without body.
fn check(bench: &mut Bench, code: i32, fields: &[(&str, &str)], expected: (i32, &str)) {
    let (got, remark, _) = shown(&bench.ask(code, fields, ""));
    assert_eq!((got, remark.as_str()), expected, "{code} {fields:?}");
}

/// The body of a request that succeeds.
fn body(bench: &mut Bench, code: i32, fields: &[(&str, &str)]) -> String {
    let (got, remark, body) = shown(&bench.ask(code, fields, ""));
    assert_eq!(got, 0, "{remark}");
    body
}

fn topic_with<'a>(topic: &'a str, changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut fields = topic_fields(topic);
    fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    fields.extend(changes);
    fields
}

#[test]
fn topics_are_checked_as_in_java() {
    let mut bench = Bench::new();
    let mut check = |topic: &str, changes: &[(&str, &str)], code: i32, remark: &str| {
        check(&mut bench, UPDATE_AND_CREATE_TOPIC, &topic_with(topic, changes), (code, remark));
    };
    check("t", &[], 0, "");
    check("t", &[("attributes", "+message.type=FIFO")], 0, "");
    check("", &[], 29, "The specified topic is blank.");
    check("a b", &[], 29, "The specified topic: a b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$");
    check("TBW102", &[], 29, "The topic[TBW102] is conflict with system topic.");
    check("c", &[], 29, "The topic[c] is conflict with system topic.");
    check("t", &[("readQueueNums", "-1")], 29, "readQueueNums of topic t is -1, expected 0 to 65536");
    check("t", &[("writeQueueNums", "65537")], 29, "writeQueueNums of topic t is 65537, expected 0 to 65536");
    check("t", &[("perm", "16")], 29, "perm of topic t is 16, expected a sum of 4 read, 2 write, 1 inherit");
    check("t", &[("topicFilterType", "X")], 29, r#"topicFilterType is "X", expected SINGLE_TAG or MULTI_TAG"#);
    check("u", &[("attributes", "+colour=red")], 1, "unsupported key: colour");
    check("t", &[("perm", "x")], 1, r#"CreateTopicRequestHeader: the field perm is "x", expected a 32-bit number"#);
    assert!(bench.core.topics.get("u").is_none());
    let expected = r#"{"attributes":{"message.type":"FIFO"},"order":false,"perm":6,"readQueueNums":2,"topicFilterType":"SINGLE_TAG","topicName":"t","topicSysFlag":0,"writeQueueNums":2}"#;
    assert_eq!(body(&mut bench, GET_TOPIC_CONFIG, &[("topic", "t")]), expected);
}

#[test]
fn a_list_of_topics_is_taken_whole_or_not() {
    let mut bench = Bench::new();
    let bad = r#"{"topicConfigList":[{"topicName":"a"},{"topicName":"TBW102"}]}"#;
    assert_eq!(bench.ask(UPDATE_AND_CREATE_TOPIC_LIST, &[], bad).code, 29);
    assert!(bench.core.topics.get("a").is_none());
    let good = r#"{"topicConfigList":[{"topicName":"a"},{"topicName":"b2","attributes":{"+message.type":"DELAY"}}]}"#;
    assert_eq!(bench.ask(UPDATE_AND_CREATE_TOPIC_LIST, &[], good).code, 0);
    assert_eq!(bench.core.topics.get("b2").unwrap().1.attributes["message.type"], "DELAY");
    assert_eq!(bench.ask(UPDATE_AND_CREATE_TOPIC_LIST, &[], "nonsense").code, 1);
}

#[test]
fn a_change_is_acknowledged_when_it_is_on_disk() {
    let mut bench = Bench::new();
    bench.disk_works = false;
    let answer = bench.ask(UPDATE_AND_CREATE_TOPIC, &topic_fields("t"), "");
    assert_eq!(shown(&answer), (1, "topics.json not written: no space".to_owned(), String::new()));
    bench.disk_works = true;
    bench.written.clear();
    let retried = bench.send(command(UPDATE_AND_CREATE_TOPIC, &topic_fields("t"), ""));
    assert_eq!(bench.answer(retried), None, "the retry is not due yet");
    bench.pass(1_000);
    assert_eq!(bench.answer(retried).unwrap().code, 0);
    assert_eq!(bench.written, [ConfigFile::Topics]);
    assert!(bench.outside.iter().any(|action| matches!(action, Action::Announce)));
    bench.create_topic("t");
    assert_eq!(bench.written, [ConfigFile::Topics], "nothing changed, nothing is written");
}

#[test]
fn creations_are_timed_until_they_are_on_disk() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    bench.ask(UPDATE_AND_CREATE_TOPIC, &topic_fields("TBW102"), "");
    bench.ask(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], r#"{"groupName":"a b"}"#);
    bench.disk_works = false;
    bench.ask(UPDATE_AND_CREATE_TOPIC_LIST, &[], r#"{"topicConfigList":[{"topicName":"u"}]}"#);
    bench.disk_works = true;
    let late = bench.send(command(UPDATE_AND_CREATE_TOPIC, &topic_fields("v"), ""));
    bench.pass(1_001);
    assert_eq!(bench.answer(late).unwrap().code, 0);
    let quick = |buckets| CreationTimes { buckets, sum_millis: 0 };
    let topic = |is_system| Creation::Topic { is_system };
    let expected = [
        (topic(false), false, quick([1, 0, 0, 0, 0, 0])),
        (topic(false), true, CreationTimes { buckets: [1, 0, 0, 1, 0, 0], sum_millis: 1_001 }),
        (topic(true), false, quick([1, 0, 0, 0, 0, 0])),
        (Creation::Group, false, quick([1, 0, 0, 0, 0, 0])),
        (Creation::Group, true, quick([1, 0, 0, 0, 0, 0])),
    ];
    assert_eq!(bench.core.snapshot(bench.now).creations, expected);
}

#[test]
fn a_deleted_topic_leaves_nothing() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    bench.produce("t", 0, "one", "");
    bench.commit("t", "g", 1);
    assert_eq!(body(&mut bench, QUERY_TOPIC_CONSUME_BY_WHO, &[("topic", "t")]), r#"{"groupList":["g"]}"#);
    check(&mut bench, DELETE_TOPIC_IN_BROKER, &[("topic", " ")], (29, "The specified topic is blank."));
    check(&mut bench, DELETE_TOPIC_IN_BROKER, &[("topic", "b")], (29, "The topic[b] is conflict with system topic."));
    check(&mut bench, DELETE_TOPIC_IN_BROKER, &[("topic", "t")], (0, ""));
    check(&mut bench, DELETE_TOPIC_IN_BROKER, &[("topic", "t")], (0, ""));
    assert_eq!(body(&mut bench, QUERY_TOPIC_CONSUME_BY_WHO, &[("topic", "t")]), r#"{"groupList":[]}"#);
    assert_eq!(bench.ask(GET_TOPIC_STATS_INFO, &[("topic", "t")], "").code, 17);
    assert_eq!(bench.core.view.queue_range("t", QueueId(0)).max, QueueOffset(0));
    assert_eq!(bench.ask(VIEW_BROKER_STATS_DATA, &[("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "t")], "").code, 1);
}

#[test]
fn tables_come_whole_or_in_pages() {
    let mut bench = Bench::new();
    for number in 0..10 {
        bench.create_topic(&format!("t{number}"));
    }
    let total = bench.core.topics.len();
    let version = String::from_utf8(json::to_java(bench.core.topics.version())).unwrap();
    let mut check = |fields: &[(&str, &str)], expected: usize| {
        let answer = bench.ask(GET_ALL_TOPIC_CONFIG, fields, "");
        let table: crate::protocol::body::topic::TopicConfigAndMapping =
            json::from_java(&answer.body.to_bytes()).unwrap();
        let counts = (table.topic_config_table.len(), answer.ext.get("totalTopicNum").map(str::to_owned));
        assert_eq!(counts, (expected, Some(total.to_string())), "{fields:?}");
    };
    check(&[], total);
    check(&[("topicSeq", "0"), ("maxTopicNum", "4"), ("dataVersion", "")], 4);
    check(&[("topicSeq", "4"), ("maxTopicNum", "4"), ("dataVersion", &version)], 4);
    check(&[("topicSeq", "4"), ("maxTopicNum", "100"), ("dataVersion", &version)], total - 4);
    let all_but_one = (total - 1).to_string();
    check(&[("topicSeq", "0"), ("maxTopicNum", &all_but_one), ("dataVersion", "")], total);
    check(&[("topicSeq", "9"), ("maxTopicNum", "100"), ("dataVersion", "{}")], total);
}

#[test]
fn groups_are_checked_shown_and_deleted() {
    let mut bench = Bench::new();
    let put = |bench: &mut Bench, body: &str| bench.ask(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], body);
    assert_eq!(put(&mut bench, r#"{"groupName":"g","retryMaxTimes":3}"#).code, 0);
    assert_eq!(put(&mut bench, r#"{"groupName":"a b"}"#).code, 29);
    assert_eq!(put(&mut bench, r#"{"groupName":"h","retryQueueNums":-1}"#).code, 29);
    assert_eq!(put(&mut bench, r#"{"groupName":"h","attributes":{"+a":"b"}}"#).code, 1);
    let list = r#"{"groupConfigList":[{"groupName":"i"},{"groupName":""}]}"#;
    assert_eq!(bench.ask(UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, &[], list).code, 29);
    for absent in ["h", "i"] {
        let code = bench.ask(GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", absent)], "").code;
        assert_eq!((code, bench.core.groups.get(absent)), (26, None), "asking does not create");
    }
    assert!(body(&mut bench, GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", "g")]).contains(r#""retryMaxTimes":3"#));
    bench.create_topic("t");
    bench.commit("t", "g", 1);
    check(&mut bench, DELETE_SUBSCRIPTIONGROUP, &[("groupName", "g")], (0, ""));
    assert_eq!(
        body(&mut bench, QUERY_TOPICS_BY_CONSUMER, &[("group", "g")]),
        r#"{"brokerAddr":"127.0.0.1:10911","topicList":["t"]}"#
    );
    check(&mut bench, DELETE_SUBSCRIPTIONGROUP, &[("groupName", "g"), ("cleanOffset", "true")], (0, ""));
    assert!(body(&mut bench, QUERY_TOPICS_BY_CONSUMER, &[("group", "g")]).ends_with(r#""topicList":[]}"#));
}

#[test]
fn a_topic_can_be_taken_from_a_group() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    let mut check = |readable: &[(&str, &str)], expected: &str| {
        let fields = [&[("group", "g"), ("topic", "t")], readable].concat();
        assert_eq!(body(&mut bench, UPDATE_AND_GET_GROUP_FORBIDDEN, &fields), expected);
    };
    let shows = |readable: bool| format!(r#"{{"group":"g","readable":{readable},"topic":"t"}}"#);
    check(&[], &shows(true));
    check(&[("readable", "false")], &shows(false));
    check(&[], &shows(false));
    check(&[("readable", "true")], &shows(true));
    assert!(bench.core.groups.to_table().forbidden_table.is_empty());
}

#[test]
fn progress_is_told_with_times() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    for body in ["one", "two", "three"] {
        bench.now = bench.now.plus(1_000);
        bench.produce("t", 0, body, "");
    }
    bench.commit("t", "g", 2);
    let answer = bench.ask(GET_CONSUME_STATS, &[("consumerGroup", "g")], "");
    let stats: ConsumeStats = json::from_java(&answer.body.to_bytes()).unwrap();
    let progress: Vec<_> = stats.offset_table.iter().map(|(queue, offset)| (queue.queue_id, *offset)).collect();
    let first = OffsetWrapper { broker_offset: 3, consumer_offset: 2, last_timestamp: START.0 + 2_000, pull_offset: 2 };
    assert_eq!(progress, [(0, first), (1, OffsetWrapper::default())]);
    let answer = bench.ask(GET_TOPIC_STATS_INFO, &[("topic", "t")], "");
    let stats: TopicStatsTable = json::from_java(&answer.body.to_bytes()).unwrap();
    let ends: Vec<_> =
        stats.offset_table.values().map(|end| (end.min_offset, end.max_offset, end.last_update_timestamp)).collect();
    assert_eq!(ends, [(0, 3, START.0 + 3_000), (0, 0, 0)]);
    let all = body(&mut bench, GET_BROKER_CONSUME_STATS, &[("isOrder", "false")]);
    assert!(all.contains(r#""totalDiff":1"#), "{all}");
    let span = body(&mut bench, QUERY_CONSUME_TIME_SPAN, &[("topic", "t"), ("group", "g")]);
    assert!(span.contains(&format!(r#""consumeTimeStamp":{}"#, START.0 + 2_000)), "{span}");
}

#[test]
fn offsets_are_copied_and_compared() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.commit("t", "g", 2);
    bench.commit("t", "h", 5);
    check(&mut bench, CLONE_GROUP_OFFSET, &[("srcGroup", "g"), ("destGroup", "i")], (0, ""));
    assert_eq!(bench.core.offsets.get("t", "i", QueueId(0)), Some(QueueOffset(2)));
    let ask = |bench: &mut Bench, filtered: &str, compared: &str| {
        body(bench, QUERY_CORRECTION_OFFSET, &[("topic", "t"), ("filterGroups", filtered), ("compareGroup", compared)])
    };
    assert_eq!(ask(&mut bench, "g,i", "x"), r#"{"correctionOffsets":{"0":5}}"#);
    assert_eq!(ask(&mut bench, "g,i", "g"), format!(r#"{{"correctionOffsets":{{"0":{}}}}}"#, i64::MAX));
    assert_eq!(ask(&mut bench, "", "h"), r#"{"correctionOffsets":{"0":2}}"#);
    assert_eq!(bench.core.offsets.get("t", "g", QueueId(0)), Some(QueueOffset(2)), "asking deletes nothing");
}

#[test]
fn units_of_a_queue_are_shown() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.produce("t", 1, "one", "");
    let fields = [("topic", "t"), ("queueId", "1"), ("index", "-1"), ("count", "5"), ("consumerGroup", "g")];
    let shown = body(&mut bench, QUERY_CONSUME_QUEUE, &fields);
    assert!(
        shown.starts_with(
            r#"{"filterData":"g@t is not online!","maxQueueIndex":1,"minQueueIndex":0,"queueData":[{"physicOffset":0,"#
        ),
        "{shown}"
    );
    let fields = [("topic", "t"), ("queueId", "2"), ("index", "0"), ("count", "5")];
    check(&mut bench, QUERY_CONSUME_QUEUE, &fields, (1, "2@t is not exist!"));
}

#[test]
fn runtime_info_has_every_key_tools_read() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.produce("t", 0, "one", "");
    bench.pass(10_000);
    let answer = bench.ask(GET_BROKER_RUNTIME_INFO, &[], "");
    let table = json::from_java::<KvTable>(&answer.body.to_bytes()).unwrap().table;
    let expected = [
        ("brokerActive", "true"),
        ("brokerVersionDesc", "V5_5_0"),
        ("runtime", "[ 0 days, 0 hours, 0 minutes, 10 seconds ]"),
        ("msgPutTotalTodayNow", "1"),
        ("msgGetTotalTodayNow", "0"),
        ("putTps", "0.1 0.1 0.1"),
        ("getTotalTps", "0.0 0.0 0.0"),
        ("getTransferredTps", "0.0 0.0 0.0"),
        ("earliestMessageTimeStamp", "1700000000000"),
        ("commitLogMinOffset", "0"),
        ("dispatchBehindBytes", "0"),
        ("sendThreadPoolQueueHeadWaitTimeMills", "0"),
        ("timerEnqueueTps", "0.0"),
    ];
    for (key, value) in expected {
        assert_eq!(table.get(key).map(String::as_str), Some(value), "{key}");
    }
    for key in [
        "startAcceptSendRequestTimeStamp",
        "remainTransientStoreBufferNumbs",
        "remainHowManyDataToFlush",
        "commitLogDirCapacity",
        "pageCacheLockTimeMills",
        "sendThreadPoolQueueCapacity",
        "ackThreadPoolQueueSize",
        "EndTransactionQueueSize",
        "EndTransactionThreadPoolQueueCapacity",
        "bootTimestamp",
        "putMessageEntireTimeMax",
        "putMessageTimesTotal",
        "putMessageFailedTimes",
        "putMessageSizeTotal",
        "putMessageDistributeTime",
        "putMessageAverageSize",
        "dispatchMaxBuffer",
        "getMessageEntireTimeMax",
        "getFoundTps",
        "getMissTps",
        "putLatency99",
        "putLatency999",
        "commitLogDiskRatio",
        "consumeQueueDiskRatio",
        "commitLogMaxOffset",
        "msgPutTotalYesterdayMorning",
        "msgGetTotalYesterdayMorning",
        "msgPutTotalTodayMorning",
        "timerCongestNum",
    ] {
        assert!(table.contains_key(key), "{key}");
    }
}

#[test]
fn configuration_changes_what_it_says() {
    let mut bench = Bench::new();
    let before = body(&mut bench, GET_BROKER_CONFIG, &[]);
    assert!(before.contains("\nbrokerPermission=6\n"), "{before}");
    assert_eq!(body(&mut bench, GET_BROKER_CONFIG, &[]), before, "showing changes nothing");
    let mut check = |text: &str, expected: (i32, &str)| {
        let (code, remark, _) = shown(&bench.ask(UPDATE_BROKER_CONFIG, &[], text));
        assert_eq!((code, remark.as_str()), expected, "{text}");
    };
    check("configBlackList=x", (16, "Can not update config in black list."));
    check(
        "listenPort=7777",
        (29, "listenPort cannot be changed while the broker runs: change it in container.toml and restart the broker"),
    );
    check("brokerPermission=4", (0, ""));
    assert!(bench.outside.iter().any(|action| matches!(action, Action::Reconfigure { .. })));
    assert!(bench.outside.iter().any(|action| matches!(action, Action::Announce)), "NameServers hear of it");
    assert_eq!(bench.core.announcement().topics.topic_config_table["SELF_TEST_TOPIC"].perm, 4);
    assert!(body(&mut bench, GET_BROKER_CONFIG, &[]).contains("\nbrokerPermission=4\n"));
    let sent_by_an_old_route = bench.produce("t", 0, "x", "");
    assert_eq!(sent_by_an_old_route.code, 0);
}

/// A Java master that is back waits for ever for a member that does not answer 60, and takes over what has no lower version.
#[test]
fn a_java_master_is_told_of_no_timer_messages() {
    let mut bench = Bench::new();
    let answer = bench.ask(GET_TIMER_CHECK_POINT, &[], "");
    let numbers: Vec<i64> =
        answer.body.to_bytes().chunks(8).map(|chunk| i64::from_be_bytes(chunk.try_into().unwrap())).collect();
    assert_eq!((answer.code, numbers), (0, vec![bench.now.0, 0, 0, 0, -1, 0, 0]));
}

#[test]
fn slaves_and_tools_get_the_tables() {
    let mut bench = Bench::new();
    bench.commit("t", "g", 3);
    assert!(body(&mut bench, GET_ALL_CONSUMER_OFFSET, &[]).contains(r#""t@g":{"0":3}"#));
    assert!(body(&mut bench, GET_ALL_DELAY_OFFSET, &[]).contains(r#""offsetTable":{}"#));
    assert_eq!(body(&mut bench, GET_ALL_MESSAGE_REQUEST_MODE, &[]), r#"{"messageRequestModeMap":{}}"#);
    let unversioned = r#""dataVersion":{"counter":0,"stateVersion":-1,"timestamp":0}"#;
    assert_eq!(body(&mut bench, GET_TIMER_METRICS, &[]), format!(r#"{{{unversioned},"timingCount":{{}}}}"#));
    assert!(body(&mut bench, GET_BROKER_HA_STATUS, &[]).contains(r#""master":true"#));
    let system = body(&mut bench, GET_SYSTEM_TOPIC_LIST_FROM_BROKER, &[]);
    for topic in ["TBW102", r#""b""#, r#""c""#, "rmq_sys_SYNC_BROKER_MEMBER_b"] {
        assert!(system.contains(topic), "{system}");
    }
    for code in [TRIGGER_DELETE_FILES, 9_999] {
        check(&mut bench, code, &[], (3, &format!(" request type {code} not supported")));
    }
}

#[test]
fn clients_are_asked_through_the_broker() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    let offset_id = bench.produce("t", 0, "one", "").ext.get("msgId").unwrap().to_owned();
    let fields = [("consumerGroup", "g"), ("clientId", "client-1"), ("jstackEnable", "false")];
    check(&mut bench, GET_CONSUMER_RUNNING_INFO, &fields, (1, "The Consumer <g> <client-1> not online"));
    bench.beat(1, "g", &["t"]);
    bench.outside.clear();
    let id = bench.send_from(2, command(GET_CONSUMER_RUNNING_INFO, &fields, ""));
    let direct = [("consumerGroup", "g"), ("clientId", "client-1"), ("msgId", offset_id.as_str()), ("topic", "t")];
    bench.send_from(2, command(CONSUME_MESSAGE_DIRECTLY, &direct, ""));
    let calls = bench.outside.iter().map(|action| match action {
        Action::Call { to, command, then } => (to.0, command.code, *then == id, command.body.len() > 90),
        other => panic!("{other:?}"),
    });
    assert_eq!(calls.collect::<Vec<_>>(), [(1, 307, true, false), (1, 309, false, true)]);
    let wrong = [("consumerGroup", "g"), ("clientId", "client-1"), ("msgId", "xyz")];
    let remark = r#"msgId "xyz" is no offset message id: 32 or 56 hexadecimal digits"#;
    check(&mut bench, CONSUME_MESSAGE_DIRECTLY, &wrong, (1, remark));
}

/// The clients a request for the progress of `t` goes on to, by connection, or its refusal.
fn asked(bench: &mut Bench, group: &str, client: &str) -> Result<Vec<u64>, String> {
    bench.outside.clear();
    let fields = [("topic", "t"), ("group", group), ("clientAddr", client)];
    let id = bench.send_from(9, command(INVOKE_BROKER_TO_GET_CONSUMER_STATUS, &fields, ""));
    if let Some(answer) = bench.answer(id) {
        return if answer.code == 0 { Ok(Vec::new()) } else { Err(answer.remark.unwrap()) };
    }
    let [Action::CallAll { clients, command, then }] = bench.outside.as_slice() else { panic!("{:?}", bench.outside) };
    assert_eq!((command.code, *then), (GET_CONSUMER_STATUS_FROM_CLIENT, id));
    let header = (command.ext.get("topic"), command.ext.get("group"), command.ext.get("clientAddr"));
    assert_eq!(header, (Some("t"), Some(group), None));
    Ok(clients.iter().map(|(_, connection)| connection.0).collect())
}

#[test]
fn members_are_asked_how_far_they_have_come() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    let nobody = "No Any Consumer online in the consumer group: [g]".to_owned();
    assert_eq!(asked(&mut bench, "g", ""), Err(nobody));
    bench.beat(1, "g", &["t"]);
    bench.beat(2, "g", &["t"]);
    assert_eq!(asked(&mut bench, "g", ""), Ok(vec![1, 2]));
    assert_eq!(asked(&mut bench, "g", "client-2"), Ok(vec![2]));
    assert_eq!(asked(&mut bench, "g", "client-7"), Ok(vec![]));
    let body = r#"{"messageQueueTable":{{"brokerName":"b","queueId":1,"topic":"t"}:7}}"#;
    let answered = |client: &str, code: i32, body: &str| {
        (client.into(), Command { code, body: body.to_owned().into_bytes().into(), ..Command::default() })
    };
    let all = vec![answered("client-1", 0, body), answered("client-2", 1, body), answered("client-3", 0, "?")];
    let expected =
        r#"{"consumerTable":{"client-1":{{"brokerName":"b","queueId":1,"topic":"t"}:7}},"messageQueueTable":{}}"#;
    assert_eq!(shown(&progress_of(all)), (0, String::new(), expected.to_owned()));
}

#[test]
fn queues_of_unknown_topics_are_cleaned_by_hand() {
    let mut bench = Bench::new();
    for topic in ["t", "u"] {
        bench.create_topic(topic);
        bench.produce(topic, 0, "one", "");
    }
    bench.produce("u", 0, "later", "DELAY\u{1}1\u{2}");
    bench.core.topics.remove(bench.now, "t");
    let topics = |bench: &Bench| bench.core.view.topics().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(topics(&bench), ["SCHEDULE_TOPIC_XXXX", "t", "u"]);
    check(&mut bench, CLEAN_UNUSED_TOPIC, &[], (0, ""));
    assert_eq!(topics(&bench), ["SCHEDULE_TOPIC_XXXX", "u"]);
    for code in [CLEAN_EXPIRED_CONSUMEQUEUE, DELETE_EXPIRED_COMMITLOG] {
        check(&mut bench, code, &[], (0, ""));
    }
    assert_eq!(topics(&bench), ["SCHEDULE_TOPIC_XXXX", "u"], "nothing is expired");
}

#[test]
fn a_group_is_moved_by_the_broker() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.create_group("g");
    for _ in 0..4 {
        bench.now = bench.now.plus(1_000);
        bench.produce("t", 0, "x", "");
    }
    bench.commit("t", "g", 4);
    let time = (START.0 + 2_000).to_string();
    let reset = |topic, group, queue, offset, time| {
        [
            ("topic", topic),
            ("group", group),
            ("queueId", queue),
            ("offset", offset),
            ("timestamp", time),
            ("isForce", "false"),
        ]
    };
    check(
        &mut bench,
        INVOKE_BROKER_TO_RESET_OFFSET,
        &reset("u", "g", "-1", "-1", "0"),
        (
            17,
            "topic[u] not exist, apply first please! Create it with mqadmin updateTopic, or set autoCreateTopicEnable=true",
        ),
    );
    assert_eq!(bench.ask(INVOKE_BROKER_TO_RESET_OFFSET, &reset("t", "h", "-1", "-1", "0"), "").code, 26);
    assert_eq!(bench.ask(INVOKE_BROKER_TO_RESET_OFFSET, &reset("t", "g", "2", "0", "0"), "").code, 29);
    check(
        &mut bench,
        INVOKE_BROKER_TO_RESET_OFFSET,
        &reset("t", "g", "0", "6", "0"),
        (1, "Target offset 6 not in consume queue range [0-4]"),
    );
    let moved = |queues: &[(i32, i64)]| {
        let one =
            |(queue, offset): &(i32, i64)| format!(r#"{{"brokerName":"b","queueId":{queue},"topic":"t"}}:{offset}"#);
        let table: Vec<_> = queues.iter().map(one).collect();
        format!(r#"{{"offsetTable":{{{}}}}}"#, table.join(","))
    };
    assert_eq!(body(&mut bench, INVOKE_BROKER_TO_RESET_OFFSET, &reset("t", "g", "0", "3", "0")), moved(&[(0, 3)]));
    assert_eq!(bench.core.offsets.get("t", "g", QueueId(0)), Some(QueueOffset(3)));
    assert_eq!(
        body(&mut bench, INVOKE_BROKER_TO_RESET_OFFSET, &reset("t", "g", "-1", "-1", &time)),
        moved(&[(0, 1), (1, 0)])
    );
    assert_eq!(body(&mut bench, INVOKE_BROKER_TO_RESET_OFFSET, &reset("t", "g", "0", "-1", "-1")), moved(&[(0, 4)]));
}

#[test]
fn connections_are_listed() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    check(
        &mut bench,
        GET_CONSUMER_CONNECTION_LIST,
        &[("consumerGroup", "g")],
        (206, "the consumer group[g] not online"),
    );
    check(&mut bench, GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", "p")], (1, "the producer group[p] not exist"));
    bench.beat(1, "g", &["t"]);
    let connection = r#"{"clientAddr":"127.0.0.1:40001","clientId":"client-1","language":"JAVA","version":513}"#;
    let consumers = body(&mut bench, GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", "g")]);
    assert!(consumers.starts_with(&format!(r#"{{"connectionSet":[{connection}],"#)), "{consumers}");
    let producers = body(&mut bench, GET_PRODUCER_CONNECTION_LIST, &[("producerGroup", "p")]);
    assert_eq!(producers, format!(r#"{{"connectionSet":[{connection}]}}"#));
    let table = body(&mut bench, GET_ALL_PRODUCER_INFO, &[]);
    assert!(
        table.starts_with(
            r#"{"data":{"p":[{"clientId":"client-1","language":"JAVA","lastUpdateTimestamp":1700000000000,"#
        ),
        "{table}"
    );
    let known = body(&mut bench, QUERY_SUBSCRIPTION_BY_CONSUMER, &[("group", "g"), ("topic", "t")]);
    assert!(known.contains(r#""subString":"*""#), "{known}");
    assert_eq!(
        body(&mut bench, QUERY_SUBSCRIPTION_BY_CONSUMER, &[("group", "h"), ("topic", "t")]),
        r#"{"group":"h","topic":"t"}"#
    );
}
