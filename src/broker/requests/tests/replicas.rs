//! What a producer is told of copies, and what operators are.

use std::sync::Arc;

use crate::broker::action::RequestId;
use crate::broker::event::Event;
use crate::broker::testing::{Bench, command, send_fields};
use crate::protocol::body::stats::HaRuntimeInfo;
use crate::protocol::codes::request::*;
use crate::protocol::ids::{BrokerId, Millis, PhysicalOffset};
use crate::protocol::json;
use crate::replication::Incoming;
use crate::replication::progress::{Replica, Session, SessionId};

fn master(lines: &str) -> Bench {
    let mut bench = Bench::with(&format!("brokerRole = \"SYNC_MASTER\"\ntotalReplicas = 3\n{lines}"));
    bench.create_topic("t");
    bench
}

fn send(bench: &mut Bench, properties: &str) -> RequestId {
    bench.send(command(SEND_MESSAGE_V2, &send_fields("t", "0", properties), "x"))
}

fn end(bench: &Bench) -> PhysicalOffset {
    bench.core.view.log_range().1
}

/// A link of a follower opens; it begins with the log as it is.
fn opened(bench: &mut Bench, session: u64, broker: i64) {
    let end = end(bench);
    let about = Session {
        replica: Replica::Broker(BrokerId(broker)),
        remote: None,
        since: Millis(0),
        began: end,
        acknowledged: end,
        term: None,
    };
    let opened = Incoming::Opened { session: SessionId(session), about, traffic: Arc::default() };
    bench.event(Event::Replication(opened));
}

fn reported(bench: &mut Bench, session: u64, end: PhysicalOffset) {
    bench.event(Event::Replication(Incoming::Reported { session: SessionId(session), end }));
}

fn code(bench: &mut Bench, id: RequestId) -> Option<i32> {
    bench.answer(id).map(|answer| answer.code)
}

#[test]
fn a_send_waits_for_as_many_copies_as_configured() {
    let mut bench = master("inSyncReplicas = 3");
    opened(&mut bench, 1, 1);
    opened(&mut bench, 2, 2);
    let (waits, hurries) = (send(&mut bench, ""), send(&mut bench, "WAIT\u{1}false\u{2}"));
    let all = end(&bench);
    assert_eq!((code(&mut bench, waits), code(&mut bench, hurries)), (None, Some(0)));
    reported(&mut bench, 1, all);
    assert_eq!(code(&mut bench, waits), None);
    // The same follower by another link is no third copy.
    opened(&mut bench, 3, 1);
    reported(&mut bench, 3, all);
    assert_eq!(code(&mut bench, waits), None);
    reported(&mut bench, 2, all);
    assert_eq!(code(&mut bench, waits), Some(0));
}

#[test]
fn copies_that_do_not_come_in_time_leave_the_message_stored_and_visible() {
    let mut bench = master("inSyncReplicas = 2\nslaveTimeout = 3000");
    let late = send(&mut bench, "");
    bench.pass(2_000);
    let later = send(&mut bench, "");
    bench.pass(999);
    assert_eq!(code(&mut bench, late), None);
    bench.pass(1);
    assert_eq!((code(&mut bench, late), code(&mut bench, later)), (Some(12), None));
    assert_eq!(bench.core.view.queue_range("t", crate::protocol::ids::QueueId(0)).max.0, 2);
    opened(&mut bench, 1, 1);
    assert_eq!(code(&mut bench, later), Some(0), "a slow one does not hold up those behind it");
}

#[test]
fn by_default_nobody_is_waited_for() {
    let mut bench = master("");
    let id = send(&mut bench, "");
    assert_eq!(code(&mut bench, id), Some(0));
}

#[test]
fn the_flush_is_waited_for_too() {
    let mut bench = master("inSyncReplicas = 2\nflushDiskType = \"SYNC_FLUSH\"");
    opened(&mut bench, 1, 1);
    bench.jobs_run = false;
    let id = send(&mut bench, "");
    let all = end(&bench);
    reported(&mut bench, 1, all);
    assert_eq!(code(&mut bench, id), None);
    bench.jobs_run = true;
    bench.pass(1);
    assert_eq!(code(&mut bench, id), Some(0));
}

#[test]
fn operators_see_how_far_slaves_are() {
    let mut bench = master("inSyncReplicas = 2\nhaMaxGapNotInSync = 100");
    opened(&mut bench, 1, 1);
    let begun = end(&bench);
    send(&mut bench, "");
    let all = end(&bench);
    let shown = |bench: &mut Bench| {
        let answer = bench.ask(GET_BROKER_HA_STATUS, &[], "");
        let status = json::from_java::<HaRuntimeInfo>(&answer.body.to_bytes()).unwrap();
        let slave = &status.ha_connection_info[0];
        (status.master_commit_log_max_offset, status.in_sync_slave_nums, slave.slave_ack_offset, slave.in_sync)
    };
    assert_eq!(shown(&mut bench), (all.0, 0, begun.0, false));
    reported(&mut bench, 1, all);
    assert_eq!(shown(&mut bench), (all.0, 1, all.0, true));
    let snapshot = bench.core.snapshot(bench.now);
    assert_eq!((snapshot.replicas_in_sync, snapshot.replica_lags), (1, [("1".to_owned(), 0)].into()));
}
