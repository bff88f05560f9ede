//! Three members of a DLedger group: they elect a leader, take messages, lose leaders, and lose nothing that was acknowledged. And
//! a directory that was a master's becomes a member's, and is a master's again.
#![allow(clippy::disallowed_methods, reason = "tests stand outside of the program")]
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

#[path = "../../examples/support/mod.rs"]
mod support;

mod group;

use std::sync::Arc;

use group::{Group, config};
use mqcontainer::broker::Doors;
use mqcontainer::config::Role;
use mqcontainer::env::mailbox;
use mqcontainer::protocol::codes::response;
use mqcontainer::raft;
use mqcontainer::remoting::{Limits, Transport};
use support::{DEADLINE, Outcome, Peer, Refused, free_port, until};
use tokio::sync::watch;

const TOPIC: &str = "T";

/// Sends messages with growing numbers until `count` more are acknowledged; those that are not are sent no second time.
async fn send(peer: &Peer, group: &Group, leader: u32, acknowledged: &mut Vec<String>, count: usize) -> Outcome<()> {
    for _ in 0..count {
        let body = format!("{:06}", acknowledged.len());
        peer.send(&group.address(leader), TOPIC, &body).await?;
        acknowledged.push(body);
    }
    Ok(())
}

fn code(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    error.downcast_ref::<Refused>().map(|refused| refused.code)
}

async fn lives_on(flush: &str) -> Outcome<()> {
    let (peer, mut acknowledged) = (Peer::new(), Vec::new());
    let mut group = Group::new(3, &format!("flushDiskType = \"{flush}\""))?;
    group.start_all().await?;
    let first = group.leader(&[0, 1, 2]).await;
    send(&peer, &group, first, &mut acknowledged, 100).await?;

    // Others say at once that they do not lead.
    let others: Vec<u32> = (0..3).filter(|member| *member != first).collect();
    for other in &others {
        let refused = peer.send(&group.address(*other), TOPIC, "no").await.unwrap_err();
        assert_eq!(code(&*refused), Some(response::SERVICE_NOT_AVAILABLE), "{refused}");
    }

    // The leader is gone from one moment to the next.
    group.kill(first).await;
    let second = group.leader(&others).await;
    send(&peer, &group, second, &mut acknowledged, 100).await?;
    group.start(first).await?;

    // The next one hears nobody and nobody hears it: it stops taking messages by itself.
    group.shut_off(second, true);
    let rest: Vec<u32> = (0..3).filter(|member| *member != second).collect();
    let third = group.leader(&rest).await;
    until("the old leader knows", || async {
        let refused = peer.send(&group.address(second), TOPIC, "lost").await;
        refused.is_err_and(|error| code(&*error) == Some(response::SERVICE_NOT_AVAILABLE))
    })
    .await;
    send(&peer, &group, third, &mut acknowledged, 100).await?;
    group.shut_off(second, false);

    // And one that is asked to stop.
    until("the old leader follows", || async {
        group.standing(second).is_some_and(|standing| standing.leader.is_some())
    })
    .await;
    let leader = group.leader(&[0, 1, 2]).await;
    group.stop(leader).await;
    let rest: Vec<u32> = (0..3).filter(|member| *member != leader).collect();
    let last = group.leader(&rest).await;
    send(&peer, &group, last, &mut acknowledged, 100).await?;
    group.start(leader).await?;

    let last = group.leader(&[0, 1, 2]).await;
    send(&peer, &group, last, &mut acknowledged, 1).await?;
    let wanted = acknowledged.last().unwrap();
    let mut read = Vec::new();
    until("all are read", || async { true }).await;
    while read.last() != Some(wanted) {
        let from = mqcontainer::protocol::ids::QueueOffset(i64::try_from(read.len())?);
        read.extend(tokio::time::timeout(DEADLINE, peer.pull(&group.address(last), TOPIC, from)).await??);
    }
    // What was answered with a failure may be there all the same; what was acknowledged is, in order.
    read.retain(|body| body != "lost");
    assert_eq!(read, acknowledged);
    group.logs_become_equal().await;
    let standing = group.standing(last).unwrap();
    assert_eq!((standing.role, standing.leader.map(|leader| leader.0)), (raft::Role::Leader, Some(last)));
    group.stop_all().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_lives_on_without_its_leader() -> Outcome<()> {
    lives_on("ASYNC_FLUSH").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_flushes_lives_on_without_its_leader() -> Outcome<()> {
    lives_on("SYNC_FLUSH").await
}

/// An ordinary master on the directory of a member.
async fn as_master(group: &Group, member: u32, sends: std::ops::Range<usize>, expected: usize) -> Outcome<()> {
    let folder = group.folder();
    let table = format!(
        "[[broker]]\nlistenPort = {}\nbrokerRole = \"ASYNC_MASTER\"\nstorePathRootDir = \"{}\"\n",
        free_port(),
        group.root(member).display()
    );
    let config = Arc::new(config(folder, &table).brokers.remove(0));
    assert_eq!(config.role, Role::AsyncMaster);
    let transport = Transport::new(Limits::default());
    let live =
        group::start(group.env(), &transport, &config, mailbox::bounded(1).0, watch::channel(Doors::new()).1).await?;
    let (peer, address) = (Peer::new(), format!("127.0.0.1:{}", config.ports.main));
    for number in sends {
        peer.send(&address, TOPIC, &format!("{number:06}")).await?;
    }
    let bodies = peer.pull_all(&address, TOPIC, expected).await?;
    assert_eq!(bodies, (0..expected).map(|number| format!("{number:06}")).collect::<Vec<_>>());
    live.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_of_a_master_becomes_a_members_and_a_masters_again() -> Outcome<()> {
    // The others learn first: two empty voters could elect one of themselves.
    let mut group = Group::new(3, "raft.learners = [\"n1\", \"n2\"]")?;
    as_master(&group, 0, 0..50, 50).await?;
    let before = group::log(&group.root(0));
    group.start_all().await?;
    let leader = group.leader(&[0, 1, 2]).await;
    assert_eq!(leader, 0);
    let (peer, mut acknowledged) = (Peer::new(), (0..50).map(|number| format!("{number:06}")).collect::<Vec<_>>());
    send(&peer, &group, leader, &mut acknowledged, 50).await?;
    assert_eq!(peer.pull_all(&group.address(0), TOPIC, 100).await?, acknowledged);
    group.logs_become_equal().await;
    group.stop_all().await;
    assert!(group::log(&group.root(2)).starts_with(&before), "not a byte of the master's log has changed");
    as_master(&group, 0, 100..120, 120).await?;
    as_master(&group, 2, 100..110, 110).await?;
    Ok(())
}
