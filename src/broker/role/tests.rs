//! A broker in its group, as a story of events and what it wants done.

use std::sync::Arc;

use super::joining::Question;
use crate::broker::action::{Action, AfterCall, AfterEscape};
use crate::broker::event::Event;
use crate::broker::group::{Members, Presence};
use crate::broker::testing::{Bench, START, client, command, shown};
use crate::protocol::codes::request::*;
use crate::protocol::command::Command;
use crate::protocol::ha::Epoch;
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset, QueueId, QueueOffset};
use crate::replication::Incoming;
use crate::replication::epochs::Epochs;
use crate::replication::progress::{Replica, Session, SessionId};
use crate::store::NewMessage;

const GROUP: &str = "enableSlaveActingMaster = true\ntotalReplicas = 3\nslaveReadEnable = true\n";

fn slave(more: &str) -> Bench {
    let mut bench = Bench::with(&format!("brokerRole = \"SLAVE\"\nbrokerId = 2\n{GROUP}{more}"));
    bench.outside.clear();
    bench
}

fn named(bench: &mut Bench, ids: &[i64]) {
    let members = ids.iter().map(|id| (BrokerId(*id), format!("10.0.0.{id}:10911"))).collect();
    bench.event(Event::Members(Members(members)));
}

/// What it wants of others, shortly; replies and files are left out.
fn wants(bench: &mut Bench) -> Vec<String> {
    let shown = |action: Action| match action {
        Action::Present(Presence::Online) => Some("online".to_owned()),
        Action::Present(Presence::Joining { .. }) | Action::SaveEpochs { .. } | Action::Announce => None,
        Action::CallMember { address, command, .. } => Some(format!("{} of {address}", command.code)),
        Action::Follow(upstream) => Some(format!("follow {:?} {:?}", upstream.address, upstream.ha_address)),
        Action::Escape { message, queues, .. } => {
            let properties = String::from_utf8_lossy(&message.properties).replace(['\u{1}', '\u{2}'], " ");
            Some(format!(
                "escape {} {} of {queues} x{} {properties}",
                message.topic, message.queue, message.reconsume_times
            ))
        }
        action => Some(format!("{action:?}")),
    };
    bench.outside.drain(..).filter_map(shown).collect()
}

/// The message as the master has put it into the queue of delay level 1.
fn delayed(bench: &mut Bench, name: &str) {
    let properties = format!("DELAY\u{1}1\u{2}KEYS\u{1}{name}\u{2}REAL_TOPIC\u{1}t\u{2}REAL_QID\u{1}3\u{2}");
    let message = message(bench, "SCHEDULE_TOPIC_XXXX", properties);
    bench.copied(message);
}

fn message(bench: &Bench, topic: &str, properties: String) -> NewMessage {
    NewMessage {
        topic: topic.into(),
        queue: QueueId(0),
        flag: 0,
        sys_flag: 0,
        born: START,
        born_host: client(1).remote,
        store_host: bench.core.store_host(),
        reconsume_times: 0,
        prepared_transaction_offset: PhysicalOffset(0),
        properties: properties.into(),
        body: "x".into(),
    }
}

/// The oldest escape that waits, or call, ends.
fn escaped(bench: &mut Bench, then: AfterEscape, result: Result<(), &str>) {
    bench.event(Event::Escaped { then, result: result.map_err(str::to_owned) });
}

#[test]
fn the_slave_with_the_smallest_id_acts() {
    let check = |lines: &str, ids: &[i64], expected: bool| {
        let mut bench = slave(lines);
        named(&mut bench, &[]);
        named(&mut bench, ids);
        assert_eq!(bench.core.part.is_acting(), expected, "{ids:?}");
    };
    check("", &[2, 3], true);
    check("", &[3], true);
    check("", &[], true);
    check("", &[1, 2], false);
    check("", &[0, 2], false);
    let mut plain = Bench::with("brokerRole = \"SLAVE\"\nbrokerId = 2\ntotalReplicas = 3");
    named(&mut plain, &[2, 3]);
    assert!(!plain.core.part.is_acting());
}

#[test]
fn an_acting_slave_has_due_messages_stored_elsewhere() {
    let mut bench = slave("");
    named(&mut bench, &[0, 2]);
    bench.event(Event::Replication(Incoming::Following {
        leader: "m".into(),
        dialect: crate::protocol::ha::Dialect::Ours,
        reign: None,
    }));
    delayed(&mut bench, "one");
    delayed(&mut bench, "two");
    bench.pass(2_000);
    // The master was there when it joined, so it asked where its log is.
    assert_eq!(wants(&mut bench), ["906 of 10.0.0.0:10911"]);
    bench.event(Event::Called {
        then: AfterCall::Joining { question: Question::Exchange },
        answer: Ok(Command::default()),
    });
    assert_eq!(wants(&mut bench), ["online"]);

    named(&mut bench, &[2]);
    let escapes = ["one", "two"].map(|name| format!("escape t 3 of 1 x0 DELAY 1 KEYS {name} REAL_TOPIC t REAL_QID 3 "));
    assert_eq!(wants(&mut bench), escapes);
    let delayed = |offset| AfterEscape::Delayed { level: 1, offset: QueueOffset(offset) };
    escaped(&mut bench, delayed(0), Ok(()));
    escaped(&mut bench, delayed(1), Err("nobody there"));
    assert_eq!(wants(&mut bench), [""; 0]);
    bench.pass(1_000);
    assert_eq!(wants(&mut bench), escapes[1..]);
    escaped(&mut bench, delayed(1), Ok(()));
    assert_eq!(bench.core.delays.progress().next(), Some((1, QueueOffset(2))));

    // The master is back: what comes due now is its business.
    named(&mut bench, &[0, 2]);
    super::tests::delayed(&mut bench, "three");
    bench.pass(2_000);
    assert_eq!(wants(&mut bench), [""; 0]);
}

#[test]
fn a_master_joins_with_what_its_slave_has_done_meanwhile() {
    let mut bench = Bench::with(&format!("brokerRole = \"ASYNC_MASTER\"\n{GROUP}"));
    bench.core.topics.ensure(START, "t", 1, false, 0);
    for (queue, offset) in [(0, 5), (1, 7)] {
        bench.core.offsets.commit(START, "t", "g", QueueId(queue), QueueOffset(offset));
    }
    delayed(&mut bench, "one");
    delayed(&mut bench, "two");
    bench.pass(3_000);
    assert_eq!(wants(&mut bench), [""; 0], "a joining master delivers nothing");
    let refused = [SEND_MESSAGE_V2, PULL_MESSAGE, GET_ALL_CONSUMER_OFFSET, LOCK_BATCH_MQ]
        .map(|code| bench.ask(code, &[], "").code);
    assert_eq!(refused, [14; 4]);

    named(&mut bench, &[0, 1]);
    assert_eq!(wants(&mut bench), ["1007 of 10.0.0.1:10911"]);
    let answered = |bench: &mut Bench, question, body: &str| {
        let answer = Command { body: body.to_owned().into_bytes().into(), ..Command::default() };
        bench.event(Event::Called { then: AfterCall::Joining { question }, answer: Ok(answer) });
    };
    // A Java slave has nothing to say of its log.
    answered(&mut bench, Question::Log, "");
    assert_eq!(wants(&mut bench), ["follow None None", "906 of 10.0.0.1:10911"]);
    answered(&mut bench, Question::Exchange, "");
    assert_eq!(wants(&mut bench), [""; 0]);
    let about = Session {
        replica: Replica::Broker(BrokerId(1)),
        remote: None,
        since: Millis(0),
        began: PhysicalOffset(0),
        acknowledged: PhysicalOffset(0),
        term: None,
    };
    bench.event(Event::Replication(Incoming::Opened { session: SessionId(1), about, traffic: Arc::default() }));
    assert_eq!(wants(&mut bench), ["45 of 10.0.0.1:10911"]);
    answered(&mut bench, Question::DelayOffsets, r#"{"offsetTable":{1:1,2:99}}"#);
    assert_eq!(wants(&mut bench), ["43 of 10.0.0.1:10911"]);
    answered(&mut bench, Question::ConsumerOffsets, r#"{"offsetTable":{"t@g":{0:6,1:6},"gone@g":{0:9}}}"#);
    assert_eq!(wants(&mut bench), ["online"]);
    let offset =
        |bench: &Bench, topic, queue| bench.core.offsets.get(topic, "g", QueueId(queue)).map(|offset| offset.0);
    assert_eq!([offset(&bench, "t", 0), offset(&bench, "t", 1), offset(&bench, "gone", 0)], [Some(6), Some(7), None]);
    // The first message was delivered by the slave, the second is now.
    bench.pass(1);
    assert_eq!(bench.core.view.queue_range("t", QueueId(3)).max, QueueOffset(1));
    assert_eq!(bench.core.delays.progress().take(2).collect::<Vec<_>>(), [(1, QueueOffset(2)), (2, QueueOffset(0))]);
    assert_eq!(bench.ask(GET_ALL_CONSUMER_OFFSET, &[], "").code, 0);
}

#[test]
fn a_master_fetches_what_only_its_slave_has() {
    let check = |slave: &str, expected: &[&str]| {
        let mut bench = Bench::with(&format!("brokerRole = \"SYNC_MASTER\"\n{GROUP}"));
        let adopted = Epochs::new([Epoch { number: 3, start: PhysicalOffset(0) }]);
        bench.event(Event::Replication(Incoming::Adopt { epochs: adopted, term: None }));
        let copy = message(&bench, "t", "KEYS\u{1}k\u{2}".to_owned());
        bench.copied(copy);
        named(&mut bench, &[0, 1]);
        assert_eq!(wants(&mut bench), ["1007 of 10.0.0.1:10911"]);
        let end = bench.core.view.log_range().1;
        let body = slave.replace("MORE", &(end.0 + 50).to_string()).replace("SAME", &end.0.to_string());
        let mut answer = Command { body: body.into_bytes().into(), ..Command::default() };
        answer.ext.set("haServerAddr", "10.0.0.1:10912");
        bench.event(Event::Called { then: AfterCall::Joining { question: Question::Log }, answer: Ok(answer) });
        assert_eq!(wants(&mut bench), expected);
        bench
    };
    let leads = ["follow None None", "906 of 10.0.0.1:10911"];
    let bench = check(r#"{"epochList":[{"epoch":3,"startOffset":0}],"maxOffset":SAME}"#, &leads);
    assert_eq!(bench.core.lineage.epochs().newest().map(|epoch| epoch.number), Some(4));
    // Another history: nothing can be fetched without giving something up.
    check(r#"{"epochList":[{"epoch":3,"startOffset":0},{"epoch":4,"startOffset":7}],"maxOffset":MORE}"#, &leads);
    let fetch = [r#"follow None Some("10.0.0.1:10912")"#];
    let mut bench = check(r#"{"epochList":[{"epoch":3,"startOffset":0}],"maxOffset":MORE}"#, &fetch);
    let nobody_comes_in = |bench: &Bench| !bench.core.lets_followers_in() && !bench.core.may_be_cut();
    assert!(nobody_comes_in(&bench));
    let copy = message(&bench, "t", "KEYS\u{1}k\u{2}".to_owned());
    bench.copied(copy);
    assert_eq!(wants(&mut bench), leads);
    assert!(bench.core.lets_followers_in());
    // A greeting that was under way for long.
    let late = Epochs::new([Epoch { number: 3, start: PhysicalOffset(0) }]);
    bench.event(Event::Replication(Incoming::Adopt { epochs: late, term: None }));
    assert_eq!(bench.core.lineage.epochs().newest().map(|epoch| epoch.number), Some(4));
}

#[test]
fn a_slave_goes_where_a_master_that_is_back_says() {
    let mut bench = slave("");
    named(&mut bench, &[]);
    wants(&mut bench);
    let fields =
        [("masterHaAddress", "10.0.0.9:10912"), ("masterFlushOffset", "0"), ("masterAddress", "10.0.0.9:10911")];
    assert_eq!(bench.ask(EXCHANGE_BROKER_HA_INFO, &fields, "").code, 0);
    assert_eq!(wants(&mut bench), [r#"follow Some("10.0.0.9:10911") Some("10.0.0.9:10912")"#]);
    assert_eq!(bench.ask(EXCHANGE_BROKER_HA_INFO, &[], "").code, 0);
    assert_eq!(wants(&mut bench), [""; 0]);
}

#[test]
fn what_consumers_send_back_to_a_slave_goes_to_another_master() {
    let mut bench = slave("");
    named(&mut bench, &[]);
    let copy = message(&bench, "t", "KEYS\u{1}k\u{2}".to_owned());
    bench.copied(copy);
    wants(&mut bench);
    let mut give_back = |level: &str, expected: &str, result: Result<(), &str>| {
        let fields = [("offset", "0"), ("group", "g"), ("delayLevel", level), ("maxReconsumeTimes", "4")];
        let id = bench.send(command(CONSUMER_SEND_MSG_BACK, &fields, ""));
        let Some(Action::Escape { then, .. }) = bench.outside.pop() else { panic!("no escape") };
        let answer = {
            let escape = format!("{then:?}");
            assert!(escape.contains(expected), "{escape}");
            escaped(&mut bench, then, result);
            bench.answer(id).unwrap()
        };
        shown(&answer).0
    };
    assert_eq!(give_back("0", "dead: false", Ok(())), 0);
    assert_eq!(give_back("-1", "dead: true", Ok(())), 0);
    assert_eq!(give_back("0", "dead: false", Err("none")), 1);
    let id = bench.send(command(CONSUMER_SEND_MSG_BACK, &[("offset", "0"), ("group", "g"), ("delayLevel", "-1")], ""));
    let escape = wants(&mut bench).pop().unwrap();
    assert!(escape.starts_with("escape %DLQ%g 0 of 1 x1 KEYS k "), "{escape}");
    assert_eq!(bench.answer(id), None);
    assert!(bench.core.topics.get("%RETRY%g").is_none(), "a slave makes no topic");
}

#[test]
fn a_strict_lock_needs_more_than_half_of_the_group() {
    let body = r#"{"clientId":"c","consumerGroup":"g","mqSet":[{"brokerName":"b","queueId":0,"topic":"t"}]}"#;
    let check = |lines: &str, ids: &[i64], answers: &[&str], expected: (usize, &[&str])| {
        let mut bench = slave(lines);
        named(&mut bench, &[]);
        named(&mut bench, ids);
        wants(&mut bench);
        let id = bench.send(command(LOCK_BATCH_MQ, &[], body));
        let asked = wants(&mut bench);
        assert_eq!(asked.len(), answers.len(), "{asked:?}");
        for answer in answers {
            assert_eq!(bench.answer(id), None);
            let answer = match *answer {
                "" => Err("timeout".to_owned()),
                answer => Ok(Command { body: answer.to_owned().into_bytes().into(), ..Command::default() }),
            };
            bench.event(Event::Called { then: AfterCall::Lock { to: id }, answer });
        }
        let locked = bench.answer(id).unwrap();
        let locked = shown(&locked).2.matches("queueId").count();
        assert_eq!(
            (locked, &wants(&mut bench)[..]),
            (expected.0, &expected.1.iter().map(|&want| want.to_owned()).collect::<Vec<_>>()[..])
        );
        assert_eq!(bench.core.locks.any_live(START, "g"), expected.0 > 0);
    };
    let yes = r#"{"lockOKMQSet":[{"brokerName":"b","queueId":0,"topic":"t"}]}"#;
    let strict = "lockInStrictMode = true";
    check(strict, &[0, 1, 2], &[yes, ""], (1, &[]));
    check(strict, &[0, 1, 2], &["", r#"{"lockOKMQSet":[]}"#], (0, &["42 of 10.0.0.0:10911", "42 of 10.0.0.1:10911"]));
    check(strict, &[2], &[], (0, &[]));
    check("", &[2], &[], (1, &[]));
}
