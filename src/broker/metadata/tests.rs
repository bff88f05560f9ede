//! The plan against a master that answers, changes, fails; the adoption of what it fetched.

use std::time::Duration;

use super::plan::{Fetched, Outcome, Plan, Table};
use crate::broker::event::Event;
use crate::broker::testing::{Bench, shown};
use crate::protocol::body::topic::{TopicConfig, TopicConfigList};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::ids::{BrokerId, QueueId, QueueOffset};
use crate::protocol::json;

/// A master that has whatever requests have made of a broker's core.
struct Master(Bench);

impl Master {
    fn new() -> Master {
        Master(Bench::new())
    }

    fn answer(&mut self, question: Command) -> Command {
        let id = self.0.send(question);
        self.0.answer(id).expect("answered at once")
    }

    fn ask(&mut self, code: i32, fields: &[(&str, &str)], body: &str) -> Command {
        self.0.ask(code, fields, body)
    }

    fn create(&mut self, topics: std::ops::Range<usize>) {
        let topic = |number| TopicConfig { topic_name: format!("T{number:04}"), ..TopicConfig::default() };
        let list = TopicConfigList { topic_config_list: topics.map(topic).collect() };
        let body = String::from_utf8(json::to_java(&list)).expect("JSON is UTF-8");
        assert_eq!(self.ask(request::UPDATE_AND_CREATE_TOPIC_LIST, &[], &body).code, 0);
    }
}

/// Asks for everything that is due; what came of it, one word each: the table fetched or `!` and the reason of a failure.
fn round(plan: &mut Plan, now: u64, mut master: impl FnMut(Command) -> Result<Command, String>) -> Vec<Fetched> {
    let now = Duration::from_secs(now);
    let mut fetched = Vec::new();
    let mut questions = 0;
    while let Some((table, question)) = plan.next(now) {
        questions += 1;
        assert!(questions < 100, "the plan asks for ever");
        match plan.answered(now, table, master(question)) {
            Outcome::Fetched(table) => fetched.push(table),
            Outcome::Goes | Outcome::Failed { .. } => {}
        }
    }
    fetched
}

fn tables(fetched: &[Fetched]) -> Vec<(Table, usize)> {
    let table = |fetched: &Fetched| match fetched {
        Fetched::Topics(topics) => (Table::Topics, topics.topic_config_table.len()),
        Fetched::Groups(groups) => (Table::Groups, groups.subscription_group_table.len()),
        Fetched::ConsumerOffsets(offsets) => (Table::ConsumerOffsets, offsets.iter().count()),
        Fetched::DelayOffsets(_) => (Table::DelayOffsets, 0),
    };
    fetched.iter().map(table).collect()
}

const SYSTEM_TOPICS: usize = 13;
const SYSTEM_GROUPS: usize = 6;

#[test]
fn everything_at_once_then_every_second_what_has_changed() {
    let mut master = Master::new();
    let mut plan = Plan::new(BrokerId(1), Duration::from_secs(10));
    let mut check = |now: u64, topics: std::ops::Range<usize>, expected: &[(Table, usize)]| {
        master.create(topics);
        let fetched = round(&mut plan, now, |question| Ok(master.answer(question)));
        assert_eq!(tables(&fetched), expected);
    };
    let offsets = [(Table::ConsumerOffsets, 0), (Table::DelayOffsets, 0)];
    let groups = (Table::Groups, SYSTEM_GROUPS);
    check(10, 0..1, &[(Table::Topics, SYSTEM_TOPICS + 1), groups, offsets[0], offsets[1]]);
    check(10, 1..2, &[]);
    check(11, 0..0, &[(Table::Topics, SYSTEM_TOPICS + 2), offsets[0], offsets[1]]);
    check(12, 0..0, &offsets);
    // More than one page.
    check(13, 2..2_500, &[(Table::Topics, SYSTEM_TOPICS + 2_500), offsets[0], offsets[1]]);
}

#[test]
fn a_table_that_changes_between_its_pages_is_read_again() {
    let mut master = Master::new();
    master.create(0..2_500);
    let mut plan = Plan::new(BrokerId(1), Duration::ZERO);
    let mut asked = 0;
    let fetched = round(&mut plan, 0, |question| {
        if question.code == request::GET_ALL_TOPIC_CONFIG {
            asked += 1;
            if asked == 2 || asked == 3 {
                master.create(2_500..2_500 + asked);
            }
        }
        Ok(master.answer(question))
    });
    assert_eq!(tables(&fetched)[0], (Table::Topics, SYSTEM_TOPICS + 2_503));
}

#[test]
fn a_master_without_pages_and_one_that_fails() {
    let answer = |body: &str| Ok(Command { body: body.to_owned().into_bytes().into(), ..Command::default() });
    let old = |question: Command| match question.code {
        request::GET_ALL_TOPIC_CONFIG => answer(
            r#"{"dataVersion":{"counter":1,"timestamp":5},"topicConfigTable":{"A":{"topicName":"A"},"B":{"topicName":"B"}}}"#,
        ),
        request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => {
            answer(r#"{"dataVersion":{"counter":1},"subscriptionGroupTable":{}}"#)
        }
        request::GET_ALL_CONSUMER_OFFSET => answer(r#"{"offsetTable":{"A@g":{0:3}}}"#),
        _ => Err("no answer".to_owned()),
    };
    let mut plan = Plan::new(BrokerId(1), Duration::ZERO);
    assert_eq!(tables(&round(&mut plan, 0, old)), [(Table::Topics, 2), (Table::ConsumerOffsets, 1)]);
    // The tables that failed wait a second, then longer.
    let mut asked = |now: u64| {
        let mut codes = Vec::new();
        round(&mut plan, now, |question| {
            codes.push(question.code);
            old(question)
        });
        codes
    };
    assert_eq!(asked(1), [21, 201, 43, 45]);
    assert_eq!(asked(2), [21, 43]);
    assert_eq!(asked(3), [21, 201, 43, 45]);
}

#[test]
fn a_long_answer_is_asked_for_less_often() {
    let check = |bytes: usize, seconds: u64| {
        let body = format!(r#"{{"offsetTable":{{}},"x":"{}"}}"#, "x".repeat(bytes));
        let mut plan = Plan::new(BrokerId(1), Duration::ZERO);
        let answer = || Command { body: body.clone().into_bytes().into(), ..Command::default() };
        plan.answered(Duration::ZERO, Table::ConsumerOffsets, Ok(answer()));
        for table in [Table::Topics, Table::Groups, Table::DelayOffsets] {
            for _ in 0..9 {
                plan.answered(Duration::from_hours(1), table, Err("later".to_owned()));
            }
        }
        assert_eq!(plan.next_table_due(), Duration::from_secs(seconds));
    };
    check(0, 1);
    check(64 << 10, 2);
    check(1 << 20, 17);
    check(16 << 20, 60);
}

fn slave() -> Bench {
    Bench::with("brokerRole = \"SLAVE\"\nbrokerId = 1")
}

/// Copies everything of the master that has changed.
fn copy(master: &mut Master, slave: &mut Bench) {
    for fetched in round(&mut Plan::new(BrokerId(1), Duration::ZERO), 0, |question| Ok(master.answer(question))) {
        slave.event(Event::Fetched(fetched));
    }
}

/// What a broker answers to the four questions.
fn all(bench: &mut Bench) -> Vec<(i32, String, String)> {
    [21, 201, 43].map(|code| shown(&bench.ask(code, &[], ""))).into()
}

#[test]
fn a_slave_has_what_its_master_has_and_loses_what_it_loses() {
    let (mut master, mut slave) = (Master::new(), slave());
    master.create(0..3);
    let group = |master: &mut Master, name: &str| {
        let body = format!(r#"{{"groupName":"{name}","retryMaxTimes":3}}"#);
        assert_eq!(master.ask(request::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, &[], &body).code, 0);
    };
    let commit = |bench: &mut Bench, topic: &str, group: &str, offset: &str| {
        let fields = [("consumerGroup", group), ("topic", topic), ("queueId", "1"), ("commitOffset", offset)];
        assert_eq!(bench.ask(request::UPDATE_CONSUMER_OFFSET, &fields, "").code, 0);
    };
    group(&mut master, "g");
    group(&mut master, "h");
    commit(&mut master.0, "T0000", "g", "5");
    commit(&mut master.0, "T0001", "h", "6");
    copy(&mut master, &mut slave);
    assert_eq!(all(&mut slave), all(&mut master.0));

    // While the master is away a consumer commits here; the master does not know it, and it stays.
    commit(&mut slave, "T0002", "g", "7");
    assert_eq!(master.ask(request::DELETE_TOPIC_IN_BROKER, &[("topic", "T0001")], "").code, 0);
    assert_eq!(master.ask(request::DELETE_SUBSCRIPTIONGROUP, &[("groupName", "h")], "").code, 0);
    slave.outside.clear();
    copy(&mut master, &mut slave);
    assert_eq!(all(&mut slave)[..2], all(&mut master.0)[..2]);
    let offset = |slave: &Bench, topic: &str, group: &str| slave.core.offsets.get(topic, group, QueueId(1));
    let got = [("T0000", "g"), ("T0001", "h"), ("T0002", "g")].map(|(topic, group)| offset(&slave, topic, group));
    assert_eq!(got, [Some(QueueOffset(5)), None, Some(QueueOffset(7))]);

    // A master that begins anew, with a table that is older, takes nothing away.
    copy(&mut Master::new(), &mut slave);
    assert!(slave.core.topics.get("T0002").is_some());
}

#[test]
fn a_slave_keeps_its_tables_as_they_are() {
    let mut slave = slave();
    let before = all(&mut slave);
    let refused = |slave: &mut Bench, code: i32, fields: &[(&str, &str)]| shown(&slave.ask(code, fields, "")).0;
    assert_eq!(refused(&mut slave, request::DELETE_TOPIC_IN_BROKER, &[("topic", "T")]), 1);
    assert_eq!(refused(&mut slave, request::UPDATE_AND_CREATE_TOPIC, &[]), 1);
    assert_eq!(refused(&mut slave, request::INVOKE_BROKER_TO_RESET_OFFSET, &[]), 1);
    assert_eq!(refused(&mut slave, request::CONSUMER_SEND_MSG_BACK, &[]), 1);
    let (code, remark, _) = shown(&slave.ask(request::SEND_MESSAGE_V2, &[], ""));
    assert_eq!(code, 14);
    assert!(remark.starts_with("service not available now"), "{remark}");
    slave.beat(1, "g", &["T"]);
    assert_eq!(all(&mut slave), before);
}

#[test]
fn the_form_that_javas_slave_parses() {
    let mut master = Master::new();
    master.create(0..1);
    let fields = [("consumerGroup", "g"), ("topic", "T0000"), ("queueId", "1"), ("commitOffset", "5")];
    assert_eq!(master.ask(request::UPDATE_CONSUMER_OFFSET, &fields, "").code, 0);
    let mut check = |code: i32, fields: &[(&str, &str)], total: Option<&str>, expected: &[String]| {
        let answer = master.ask(code, fields, "");
        let total_field = if code == 21 { "totalTopicNum" } else { "totalGroupNum" };
        assert_eq!((answer.code, answer.ext.get(total_field)), (0, total));
        let (_, _, body) = shown(&answer);
        for part in expected {
            assert!(body.contains(part), "{part} is not in {body}");
        }
    };
    // As `BrokerOuterAPI.getAllTopicConfig` and its like ask.
    let page = |seq, size| [(seq, "0"), (size, "2000"), ("dataVersion", "")];
    let topic = r#""T0000":{"attributes":{},"order":false,"perm":6,"readQueueNums":16,"topicFilterType":"SINGLE_TAG","topicName":"T0000","topicSysFlag":0,"writeQueueNums":16}"#;
    let empty = r#""mappingDataVersion":{"counter":0,"stateVersion":0,"timestamp":0}"#;
    let detail = r#""topicQueueMappingDetailMap":{}"#;
    check(21, &page("topicSeq", "maxTopicNum"), Some("14"), &[topic, empty, detail].map(str::to_owned));
    let group = r#""SELF_TEST_C_GROUP":{"#;
    check(201, &page("groupSeq", "maxGroupNum"), Some("7"), &[group, r#""forbiddenTable":{}"#].map(str::to_owned));
    let offsets = r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"offsetTable":{"T0000@g":{"1":5}}}"#;
    check(43, &[], None, &[offsets.to_owned()]);
    let delays = r#"{"dataVersion":{"counter":0,"stateVersion":0,"timestamp":0},"offsetTable":{}}"#;
    check(45, &[], None, &[delays.to_owned()]);
}

/// What a slave that watches fetches after what happened at its master.
#[test]
fn a_slave_that_watches_fetches_what_has_changed() {
    let mut master = Master::new();
    master.create(0..1);
    let mut plan = Plan::new(BrokerId(1), Duration::ZERO);
    let mut now = 0;
    let mut watch = |plan: &mut Plan, master: &mut Master, change: &dyn Fn(&mut Master)| {
        now += 1;
        round(plan, now, |question| Ok(master.answer(question)));
        let at = Duration::from_secs(now);
        let question = plan.watch(at).expect("everything is here");
        let id = master.0.send(question);
        change(master);
        master.0.pass(200);
        plan.watched(at, master.0.answer(id));
        let fetched = round(plan, now, |question| Ok(master.answer(question)));
        let mut tables: Vec<Table> = tables(&fetched).into_iter().map(|(table, _)| table).collect();
        tables.sort_unstable();
        tables
    };
    // The first answer comes at once, because nothing is known of this master; the offsets follow a tenth of a second later.
    assert_eq!(watch(&mut plan, &mut master, &|_| {}), []);
    assert_eq!(watch(&mut plan, &mut master, &|master| master.create(1..2)), [Table::Topics]);
    assert_eq!(watch(&mut plan, &mut master, &|master| master.0.commit("T0001", "g", 1)), [Table::ConsumerOffsets]);
    assert_eq!(watch(&mut plan, &mut master, &|master| master.0.pass(10_000)), []);
    assert_eq!(plan.next_table_due(), Duration::from_secs(61), "tables are asked for once a minute besides");
    // A master of Java's does not know the question: back to asking.
    let unknown = Command { code: crate::protocol::codes::response::REQUEST_CODE_NOT_SUPPORTED, ..Command::default() };
    plan.watched(Duration::from_secs(5), Some(unknown));
    assert_eq!(plan.next_table_due(), Duration::from_secs(6));
    assert!(plan.watch(Duration::from_secs(64)).is_none() && plan.watch(Duration::from_secs(65)).is_some());
}

#[test]
fn who_creates_a_topic_on_a_sync_master_waits_until_its_slave_has_it() {
    let lines = "brokerRole = \"SYNC_MASTER\"\ntotalReplicas = 2\ninSyncReplicas = 2";
    let mut master = Master(Bench::with(lines));
    let create = |name: &str| {
        crate::broker::testing::command(
            request::UPDATE_AND_CREATE_TOPIC,
            &crate::broker::testing::topic_fields(name),
            "",
        )
    };
    let alone = master.0.send(create("A"));
    assert_eq!(master.0.answer(alone).map(|answer| answer.code), Some(0), "no slave is there");

    let mut plan = Plan::new(BrokerId(1), Duration::ZERO);
    round(&mut plan, 0, |question| Ok(master.answer(question)));
    let watch = |master: &mut Master, plan: &Plan, second: u64| {
        master.0.send(plan.watch(Duration::from_secs(second)).expect("everything is here"))
    };
    let told = |master: &mut Master, plan: &mut Plan, second: u64, id| {
        plan.watched(Duration::from_secs(second), master.0.answer(id));
        round(plan, second, |question| Ok(master.answer(question)));
    };
    let first = watch(&mut master, &plan, 1);
    told(&mut master, &mut plan, 1, first);
    let second = watch(&mut master, &plan, 2);
    let waits = master.0.send(create("B"));
    assert_eq!(master.0.answer(waits), None, "the slave has not copied it");
    told(&mut master, &mut plan, 2, second);
    assert_eq!(master.0.answer(waits), None, "nor said that it has");
    watch(&mut master, &plan, 3);
    assert_eq!(master.0.answer(waits).map(|answer| answer.code), Some(0));

    let late = master.0.send(create("C"));
    master.0.pass(3_000);
    let late = shown(&master.0.answer(late).expect("after slaveTimeout"));
    assert_eq!(late.0, 12, "{late:?}");
    assert!(master.0.core.topics.get("C").is_some());
}
