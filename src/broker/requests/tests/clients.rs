//! Heartbeats, notifications, locks, and the figures of clients.

use crate::broker::action::Action;
use crate::broker::event::Event;
use crate::broker::testing::{Bench, command};
use crate::protocol::codes::request::*;
use crate::remoting::ConnectionId;

/// Connections that were told of a change of group `g` since the last call.
fn notified(bench: &mut Bench) -> Vec<u64> {
    let told = |action: Action| match action {
        Action::Push { to, command } if command.code == NOTIFY_CONSUMER_IDS_CHANGED => {
            assert_eq!((command.ext.get("consumerGroup"), command.is_oneway()), (Some("g"), true));
            Some(to.0)
        }
        _ => None,
    };
    bench.outside.drain(..).filter_map(told).collect()
}

#[test]
fn members_are_told_of_each_other() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    let answer = bench.beat(1, "g", &["t"]);
    assert_eq!(answer.ext.get("IS_SUPPORT_HEART_BEAT_V2"), Some("true"));
    assert!(bench.core.topics.get("%RETRY%g").is_some() && bench.core.groups.get("g").is_some());
    assert_eq!(notified(&mut bench), [1]);
    bench.beat(1, "g", &["t"]);
    assert!(notified(&mut bench).is_empty());
    bench.beat(2, "g", &["t"]);
    assert_eq!(notified(&mut bench), [1, 2]);
    let ids = bench.ask(GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", "g")], "");
    assert_eq!(ids.body.to_bytes(), r#"{"consumerIdList":["client-1","client-2"]}"#.as_bytes());
    bench.event(Event::Closed(ConnectionId(2)));
    assert_eq!(notified(&mut bench), [1]);
    let id = bench.send(command(
        UNREGISTER_CLIENT,
        &[("clientID", "client-1"), ("consumerGroup", "g"), ("producerGroup", "p")],
        "",
    ));
    assert_eq!(bench.answer(id).unwrap().code, 0);
    assert_eq!(bench.ask(GET_CONSUMER_LIST_BY_GROUP, &[("consumerGroup", "g")], "").code, 1);
    assert_eq!(bench.core.snapshot(bench.now).producers, []);
}

#[test]
fn silent_clients_are_forgotten() {
    let mut bench = Bench::new();
    bench.beat(1, "g", &["t"]);
    bench.pass(110_000);
    bench.beat(2, "g", &["t"]);
    bench.outside.clear();
    bench.pass(20_000);
    let closed =
        bench.outside.iter().any(|action| matches!(action, Action::Disconnect { connection: ConnectionId(1), .. }));
    assert!(closed);
    assert_eq!(notified(&mut bench), [2]);
}

#[test]
fn locks_are_granted_once() {
    let mut bench = Bench::new();
    let mut check = |client: &str, code: i32, expected: &str| {
        let body = format!(
            r#"{{"clientId":"{client}","consumerGroup":"g","mqSet":[{{"brokerName":"b","queueId":0,"topic":"t"}}]}}"#
        );
        let answer = bench.ask(code, &[], &body);
        assert_eq!((answer.code, answer.body.to_bytes().as_ref()), (0, expected.as_bytes()), "{client}");
    };
    let granted = r#"{"lockOKMQSet":[{"brokerName":"b","queueId":0,"topic":"t"}]}"#;
    check("a", LOCK_BATCH_MQ, granted);
    check("b", LOCK_BATCH_MQ, r#"{"lockOKMQSet":[]}"#);
    check("b", UNLOCK_BATCH_MQ, "");
    check("a", LOCK_BATCH_MQ, granted);
    check("a", UNLOCK_BATCH_MQ, "");
    check("b", LOCK_BATCH_MQ, granted);
    assert_eq!(bench.ask(LOCK_BATCH_MQ, &[], "{").code, 1);
}

#[test]
fn sql_filters_are_refused_at_the_start() {
    let mut bench = Bench::new();
    let mut check = |kind: &str, code: i32| {
        let body =
            format!(r#"{{"clientId":"a","group":"g","subscriptionData":{{"topic":"t","expressionType":"{kind}"}}}}"#);
        assert_eq!(bench.ask(CHECK_CLIENT_CONFIG, &[], &body).code, code, "{kind}");
    };
    check("TAG", 0);
    check("SQL92", 1);
}

#[test]
fn lag_is_what_was_not_consumed() {
    let mut bench = Bench::new();
    bench.create_topic("t");
    bench.beat(1, "g", &["t", "%RETRY%g"]);
    bench.produce("t", 0, "one", "");
    bench.produce("t", 0, "two", "");
    bench.commit("t", "g", 1);
    bench.pass(3_000);
    let lags = bench.core.snapshot(bench.now).lags;
    let shown: Vec<_> = lags
        .iter()
        .map(|lag| {
            (
                &*lag.topic,
                lag.lag_messages,
                lag.inflight_messages,
                lag.ready_messages,
                lag.lag_millis,
                lag.queueing_millis,
            )
        })
        .collect();
    assert_eq!(shown, [("t", 1, 0, 1, Some(3_000), Some(3_000))]);
}
