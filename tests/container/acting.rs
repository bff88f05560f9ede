//! What a fleet does without one of its containers: the behaviour that Java's integration tests of its container describe and,
//! being switched off, do not check (`org.apache.rocketmq.test.container`).

use bytes::Bytes;
use mqcontainer::protocol::body::MessageQueue;
use mqcontainer::protocol::body::lock::{LockRequest, LockResponse};
use mqcontainer::protocol::body::route::TopicRouteData;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::send::SendResponse;
use mqcontainer::protocol::ids::QueueOffset;
use mqcontainer::protocol::json;
use mqcontainer::protocol::message_id;

use crate::fleet::{Fleet, SIZE, Settings, commit, name, offset_of};
use crate::support::{Outcome, send_command, until};

const AUTO: Settings = Settings { auto_in_sync: true, remote_escape: true };
const STRICT: Settings = Settings { auto_in_sync: false, remote_escape: false };

/// A message of a delay level, from 1.
fn delayed(topic: &str, level: u32, body: &str) -> Command {
    let properties = format!("DELAY\u{1}{level}\u{2}");
    send_command(topic, Some(&properties), Bytes::copy_from_slice(body.as_bytes()))
}

async fn route(fleet: &Fleet, topic: &str) -> Outcome<TopicRouteData> {
    fleet.peer.route_data(&fleet.names.namesrv, topic).await
}

/// `BrokerFailoverIT`, `BrokerMemberGroupIT`, `SlaveBrokerIT`, `GetMaxOffsetFromSlaveIT`, `PullMultipleReplicasIT`,
/// `PushMultipleReplicasIT`, `SyncConsumerOffsetIT`, `GetMetadataReverseIT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slave_acts_and_its_master_goes_on_where_consumers_are() -> Outcome<()> {
    let mut fleet = Fleet::start(AUTO).await?;
    fleet.create_topic("T").await?;
    let [master, first, second] = [0, 1, 2].map(|id| fleet.broker(0, id));
    fleet.until_in_sync(0, 2).await;
    for number in 0..10 {
        fleet.peer.send(&master, "T", &number.to_string()).await?;
    }
    let all: Vec<String> = (0..10).map(|number| number.to_string()).collect();
    for broker in [&master, &first, &second] {
        assert_eq!(fleet.peer.pull_all(broker, "T", 10).await?, all, "the same is read from each replica");
    }
    commit(&fleet.peer, &master, "T", "g", 3).await?;
    for slave in [&first, &second] {
        until("the slave has the offset", || async {
            offset_of(&fleet.peer, slave, request::QUERY_CONSUMER_OFFSET, "T", "g")
                .await
                .is_ok_and(|got| got == Some(3))
        })
        .await;
    }

    fleet.take_away(0).await?;
    for group in 0..SIZE {
        fleet.until_members(group, 2).await;
    }
    until("the slave with the smallest id acts", || async { fleet.acts(0, 1).await.is_ok_and(|acts| acts) }).await;
    assert!(!fleet.acts(0, 2).await?);
    // Clients find it in place of the master, to read only.
    let seen = route(&fleet, "T").await?;
    let broker = seen.broker_datas.iter().find(|broker| broker.broker_name == name(0)).ok_or("no brokers")?;
    assert_eq!(broker.broker_addrs.get(&0), Some(&first));
    let queues = seen.queue_datas.iter().find(|queues| queues.broker_name == name(0)).ok_or("no queues")?;
    assert_eq!(queues.perm, 4);
    let send =
        fleet.peer.send(&first, "T", "refused").await.expect_err("an acting slave takes no messages").to_string();
    assert!(send.starts_with("code 14: "), "{send}");
    assert_eq!(offset_of(&fleet.peer, &first, request::GET_MAX_OFFSET, "T", "").await?, Some(10));
    assert_eq!(fleet.peer.pull_all(&first, "T", 10).await?, all);
    commit(&fleet.peer, &first, "T", "g", 8).await?;

    fleet.bring_back(0).await?;
    fleet.until_members(0, SIZE).await;
    let committed = offset_of(&fleet.peer, &master, request::QUERY_CONSUMER_OFFSET, "T", "g").await?;
    assert_eq!(committed, Some(8), "the master has what consumers committed to the slave");
    until("the slave acts no more", || async { fleet.acts(0, 1).await.is_ok_and(|acts| !acts) }).await;
    fleet.until_in_sync(0, 2).await;
    assert_eq!(fleet.peer.send(&master, "T", "10").await?, QueueOffset(10));
    assert_eq!(offset_of(&fleet.peer, &first, request::QUERY_CONSUMER_OFFSET, "T", "g").await?, Some(8));
    fleet.stop().await
}

/// What the masters of groups 1 and 2 and the first slave of group 0 have of the topic, sorted.
async fn arrived(fleet: &Fleet) -> Vec<String> {
    let mut bodies = Vec::new();
    for (group, id) in [(1, 0), (2, 0), (0, 1)] {
        bodies.extend(fleet.peer.pull(&fleet.broker(group, id), "T", QueueOffset(0)).await.unwrap_or_default());
    }
    bodies.sort();
    bodies
}

/// `ScheduledMessageIT`, `ScheduleSlaveActingMasterIT`: with a master beside the acting slave and without one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_due_without_its_master_is_delivered_once_by_another() -> Outcome<()> {
    for beside in [true, false] {
        let mut fleet = Fleet::start(AUTO).await?;
        fleet.create_topic("T").await?;
        fleet.until_in_sync(0, 2).await;
        let master = fleet.broker(0, 0);
        for number in 0..4 {
            // Level 2 is 5 s: time enough to take the master away, and nothing depends on that.
            fleet.peer.call(&master, delayed("T", 2, &format!("delayed {number}"))).await?;
        }
        fleet.until_in_sync(0, 2).await;
        fleet.take_away(0).await?;
        if !beside {
            // Container 1 has the acting slave and the master of group 1: that master goes, group 2's stays elsewhere.
            fleet.peer.remove_broker(&fleet.container(1).admin.clone(), &name(1)).await?;
        }
        until("all that was delayed has come", || async { arrived(&fleet).await.len() >= 4 }).await;
        let expected: Vec<String> = (0..4).map(|number| format!("delayed {number}")).collect();
        assert_eq!(arrived(&fleet).await, expected);

        // The master that is back does not deliver them again: what it delivers next is the new one.
        fleet.bring_back(0).await?;
        fleet.until_members(0, SIZE).await;
        fleet.until_in_sync(0, 2).await;
        let before = fleet.peer.pull(&master, "T", QueueOffset(0)).await?;
        fleet.peer.call(&master, delayed("T", 1, "new")).await?;
        let own = fleet.peer.pull_all(&master, "T", before.len() + 1).await?;
        assert_eq!(own.last().map(String::as_str), Some("new"));
        let mut all = [arrived(&fleet).await, own].concat();
        all.sort();
        all.dedup();
        assert_eq!(all, [expected, vec!["new".to_owned()]].concat());
        fleet.stop().await?;
    }
    Ok(())
}

/// `PullMultipleReplicasIT`: what a consumer sends back to a slave is stored by a master of the same container.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_sent_back_to_a_slave_comes_again() -> Outcome<()> {
    let fleet = Fleet::start(AUTO).await?;
    fleet.create_topic("T").await?;
    fleet.until_in_sync(0, 2).await;
    fleet.peer.send(&fleet.broker(0, 0), "T", "again").await?;
    let slave = fleet.broker(0, 1);
    fleet.peer.pull_all(&slave, "T", 1).await?;
    let mut back = Command { code: request::CONSUMER_SEND_MSG_BACK, ..Command::default() };
    for (key, value) in [("offset", "0"), ("group", "g"), ("delayLevel", "1"), ("originTopic", "T")] {
        back.ext.set(key, value);
    }
    fleet.peer.call(&slave, back.clone()).await?;
    // The master beside that slave.
    assert_eq!(fleet.peer.pull_all(&fleet.broker(1, 0), "%RETRY%g", 1).await?, ["again"]);
    back.ext.set("delayLevel", "-1");
    fleet.peer.call(&slave, back).await?;
    until("it is in the dead letter topic", || async {
        let max = offset_of(&fleet.peer, &fleet.broker(1, 0), request::GET_MAX_OFFSET, "%DLQ%g", "").await;
        max.is_ok_and(|max| max == Some(1))
    })
    .await;
    fleet.stop().await
}

/// How many queues a client gets when it locks one of group 0 at the master.
async fn locked(fleet: &Fleet) -> Outcome<usize> {
    let queue = MessageQueue { topic: "T".into(), broker_name: name(0), queue_id: 0 };
    let ask = LockRequest {
        client_id: "c".into(),
        consumer_group: "g".into(),
        mq_set: [queue].into(),
        only_this_broker: false,
    };
    let lock = Command { code: request::LOCK_BATCH_MQ, body: json::to_java(&ask).into(), ..Command::default() };
    let answer = fleet.peer.call(&fleet.broker(0, 0), lock).await?;
    Ok(json::from_java::<LockResponse>(&answer.body.to_bytes())?.locked.len())
}

/// ASYNC_FLUSH: what two replicas have acknowledged survives the power failure of the master alone. The power failure is a log that
/// ends in zeros, as a file system leaves it, and a process that has not said goodbye.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_master_has_lost_it_fetches_from_its_slaves() -> Outcome<()> {
    let mut fleet = Fleet::start(AUTO).await?;
    fleet.create_topic("T").await?;
    fleet.until_in_sync(0, 2).await;
    let master = fleet.broker(0, 0);
    let mut places = Vec::new();
    for number in 0..20 {
        let answer = fleet.peer.call(&master, send_command("T", None, Bytes::from(number.to_string()))).await?;
        let (_, place) = message_id::decode(SendResponse::decode(&answer.ext)?.msg_id).ok_or("no message id")?;
        places.push(place.0);
    }
    fleet.until_in_sync(0, 2).await;
    fleet.take_away(0).await?;
    let store = fleet.store(0, 0);
    std::fs::write(store.join("abort"), "")?;
    // It says what was synced, which in this story nothing was.
    std::fs::remove_file(store.join("checkpoint"))?;
    let log = std::fs::read_dir(store.join("commitlog"))?.next().ok_or("no log")??.path();
    let mut bytes = std::fs::read(&log)?;
    bytes[usize::try_from(places[12])? + 20..].fill(0);
    std::fs::write(&log, bytes)?;

    fleet.bring_back(0).await?;
    fleet.until_members(0, SIZE).await;
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    for id in 0..SIZE {
        assert_eq!(fleet.peer.pull_all(&fleet.broker(0, id), "T", 20).await?, all, "broker {id}");
    }
    assert_eq!(fleet.peer.send(&master, "T", "20").await?, QueueOffset(20));
    fleet.until_in_sync(0, 2).await;
    fleet.stop().await
}

/// `AddAndRemoveBrokerIT` and `SlaveBrokerIT`: one slave is removed by 903 and added again by 902.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slave_is_removed_and_added_again() -> Outcome<()> {
    let fleet = Fleet::start(AUTO).await?;
    fleet.create_topic("T").await?;
    fleet.until_in_sync(0, 2).await;
    let admin = &fleet.container(1).admin;
    let conf = fleet.conf(0, 1)?;
    let mut remove = Command { code: request::REMOVE_BROKER, ..Command::default() };
    for (key, value) in [("brokerName", "g0"), ("brokerClusterName", "DefaultCluster"), ("brokerId", "1")] {
        remove.ext.set(key, value);
    }
    fleet.peer.call(admin, remove.clone()).await?;
    assert_eq!(fleet.peer.ask(admin, remove).await?.code, 211);
    fleet.until_members(0, 2).await;
    until("one link is left", || async {
        fleet.peer.ha_status(&fleet.broker(0, 0)).await.is_ok_and(|status| status.ha_connection_info.len() == 1)
    })
    .await;
    fleet.peer.send(&fleet.broker(0, 0), "T", "with one slave").await?;

    let added = fleet.peer.add_broker(admin, &conf).await?;
    assert_eq!((added.code, added.remark), (0, None));
    fleet.until_members(0, SIZE).await;
    fleet.until_in_sync(0, 2).await;
    assert_eq!(fleet.peer.pull_all(&fleet.broker(0, 1), "T", 1).await?, ["with one slave"]);
    fleet.stop().await
}

/// `RebalanceLockOnSlaveIT` and `SendMultipleReplicasIT`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn locks_and_sends_with_fewer_replicas() -> Outcome<()> {
    let mut fleet = Fleet::start(STRICT).await?;
    fleet.create_topic("T").await?;
    fleet.until_in_sync(0, 2).await;
    assert_eq!(locked(&fleet).await?, 1);
    fleet.peer.send(&fleet.broker(0, 0), "T", "three replicas").await?;

    // Two of three: the master of group 0 and its slave 1.
    fleet.take_away(2).await?;
    fleet.until_members(0, 2).await;
    until("two of three lock", || async { locked(&fleet).await.is_ok_and(|count| count == 1) }).await;
    fleet.peer.send(&fleet.broker(0, 0), "T", "two replicas").await?;

    fleet.take_away(1).await?;
    fleet.until_members(0, 1).await;
    until("one of three locks nothing", || async { locked(&fleet).await.is_ok_and(|count| count == 0) }).await;
    let refused =
        fleet.peer.send(&fleet.broker(0, 0), "T", "one replica").await.expect_err("inSyncReplicas = 2").to_string();
    assert!(refused.starts_with("code 1: in-sync replicas not enough"), "{refused}");
    fleet.stop().await?;

    let mut fleet = Fleet::start(AUTO).await?;
    fleet.create_topic("T").await?;
    for container in [1, 2] {
        fleet.take_away(container).await?;
    }
    fleet.until_members(0, 1).await;
    until("one replica is enough", || async { fleet.peer.send(&fleet.broker(0, 0), "T", "one replica").await.is_ok() })
        .await;
    fleet.stop().await
}
