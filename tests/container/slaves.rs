//! A slave beside its master or away from it: everything but the copy of the log.

use std::collections::BTreeSet;
use std::path::Path;

use mqcontainer::protocol::codes::{request, response};
use mqcontainer::protocol::command::Command;
use mqcontainer::protocol::headers::pull::PullResponse;
use mqcontainer::protocol::ids::QueueOffset;
use mqcontainer::protocol::record::{BodyCrc, records};
use serde_json::Value;

use crate::support::{Outcome, Peer, Running, broker_table, configuration, free_port, pull_command, until};

/// The slave of a name; slaves of one name need directories of their own.
fn slave_table(name: &str, id: i64, port: u16, folder: &Path) -> String {
    let store = folder.join(format!("{name}-{id}"));
    format!(
        "{}brokerRole = \"SLAVE\"\nbrokerId = {id}\nstorePathRootDir = \"{}\"\n",
        broker_table(name, port),
        store.display()
    )
}

/// One member of one broker of /brokers.
async fn member(running: &Running, id: i64, member: &str) -> Outcome<Value> {
    let (_, page) = running.page("/brokers").await?;
    let page: Value = serde_json::from_str(&page)?;
    let brokers = page["brokers"].as_array().ok_or("no list")?;
    let broker = brokers.iter().find(|broker| broker["id"] == id).ok_or("no such broker")?;
    Ok(broker[member].clone())
}

async fn until_master_is(running: &Running, id: i64, port: u16) -> Outcome<()> {
    let (master, ha) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", port + 1));
    until("the slave knows its master", || async {
        member(running, id, "master").await.is_ok_and(|got| got == master.as_str())
    })
    .await;
    assert_eq!(member(running, id, "master_ha").await?, ha);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slave_finds_its_master_in_the_process_or_at_a_name_server() -> Outcome<()> {
    let (master, beside, away) = (free_port(), free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let tables = broker_table("a", master) + &slave_table("a", 1, beside, folder.path());
    let running = Running::start_in(folder, &tables, |env| env).await?;
    until_master_is(&running, 1, master).await?;
    assert_eq!(member(&running, 0, "master").await?, Value::Null);

    // The other container has no NameServer of its own and learns it from this one's.
    let folder = tempfile::tempdir()?;
    let ports = (free_port(), free_port());
    let text = configuration(folder.path(), ports.0, ports.1, &slave_table("a", 2, away, folder.path()));
    let text = text.replacen("[container]", &format!("[container]\nnamesrvAddr = \"{}\"", running.namesrv), 1);
    let other = Running::from_text(folder, &text, ports, |env| env).await?;
    other.container.settled().await;
    until_master_is(&other, 2, master).await?;

    let route = Peer::new().route_data(&running.namesrv, "TBW102").await?;
    let addresses: Vec<(i64, String)> =
        route.broker_datas[0].broker_addrs.iter().map(|(id, address)| (*id, address.clone())).collect();
    let expected = [(0, master), (1, beside), (2, away)].map(|(id, port)| (id, format!("127.0.0.1:{port}")));
    assert_eq!(addresses, expected);
    other.stop().await;
    running.stop().await;
    Ok(())
}

/// The answer of a broker to one of the questions a slave asks, as text.
async fn table(peer: &Peer, broker: &str, code: i32) -> Outcome<String> {
    let answer = peer.call(broker, Command { code, ..Command::default() }).await?;
    Ok(String::from_utf8_lossy(&answer.body.to_bytes()).into_owned())
}

async fn until_equal(peer: &Peer, master: &str, slave: &str) {
    let codes =
        [request::GET_ALL_TOPIC_CONFIG, request::GET_ALL_SUBSCRIPTIONGROUP_CONFIG, request::GET_ALL_CONSUMER_OFFSET];
    until("the slave has the tables of its master", || async {
        for code in codes {
            let (master, slave) = (table(peer, master, code).await, table(peer, slave, code).await);
            if !matches!((master, slave), (Ok(master), Ok(slave)) if master == slave) {
                return false;
            }
        }
        true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slave_copies_what_is_not_in_the_log_and_keeps_it_when_the_master_goes() -> Outcome<()> {
    let (master, slave) = (free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let tables = broker_table("a", master) + &slave_table("a", 1, slave, folder.path());
    let running = Running::start_in(folder, &tables, |env| env).await?;
    let (master, slave) = (format!("127.0.0.1:{master}"), format!("127.0.0.1:{slave}"));
    let peer = Peer::new();
    for topic in ["T", "U"] {
        peer.send(&master, topic, "creates the topic").await?;
        let mut commit = Command { code: request::UPDATE_CONSUMER_OFFSET, ..Command::default() };
        for (key, value) in [("consumerGroup", "g"), ("topic", topic), ("queueId", "0"), ("commitOffset", "1")] {
            commit.ext.set(key, value);
        }
        peer.call(&master, commit).await?;
    }
    until_equal(&peer, &master, &slave).await;
    let mut delete = Command { code: request::DELETE_TOPIC_IN_BROKER, ..Command::default() };
    delete.ext.set("topic", "U");
    peer.call(&master, delete.clone()).await?;
    until_equal(&peer, &master, &slave).await;
    assert!(!table(&peer, &slave, request::GET_ALL_TOPIC_CONFIG).await?.contains("\"U\""));

    // A slave takes no messages and no changes.
    let refused = |command: Command| async { peer.ask(&slave, command).await.map(|answer| answer.code) };
    let send = peer.send(&slave, "T", "m").await.expect_err("a slave takes no messages").to_string();
    assert!(send.starts_with("code 14: service not available now"), "{send}");
    assert_eq!(refused(delete).await?, 1);

    let topics = table(&peer, &slave, request::GET_ALL_TOPIC_CONFIG).await?;
    peer.remove_broker(&running.admin, "a").await?;
    assert_eq!(table(&peer, &slave, request::GET_ALL_TOPIC_CONFIG).await?, topics);
    running.stop().await;
    Ok(())
}

/// Code, suggested broker and number of messages of a pull.
async fn pulled(peer: &Peer, broker: &str, topic: &str, from: i64) -> Outcome<(i32, i64, usize)> {
    let answer = peer.ask(broker, pull_command(topic, QueueOffset(from))).await?;
    if answer.code == response::SYSTEM_BUSY {
        return Ok((answer.code, -1, 0));
    }
    let suggest = PullResponse::decode(&answer.ext)?.suggest_which_broker_id;
    let body = answer.body.to_bytes();
    Ok((answer.code, suggest, records(&body, BodyCrc::Check).count()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn consumers_read_from_a_slave_and_are_sent_back_to_its_master() -> Outcome<()> {
    let (master, reads, copies) = (free_port(), free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let tables = broker_table("a", master)
        + &slave_table("a", 1, reads, folder.path())
        + "slaveReadEnable = true\n"
        + &slave_table("a", 2, copies, folder.path());
    let running = Running::start_in(folder, &tables, |env| env).await?;
    let [master, reads, copies] = [master, reads, copies].map(|port| format!("127.0.0.1:{port}"));
    let peer = Peer::new();
    for number in 0..3 {
        peer.send(&master, "T", &number.to_string()).await?;
    }
    until("the slave has the messages", || async {
        pulled(&peer, &reads, "T", 0).await.is_ok_and(|got| got == (response::SUCCESS, 0, 3))
    })
    .await;
    // Nothing new here: the master knows better.
    assert_eq!(pulled(&peer, &reads, "T", 3).await?, (response::PULL_RETRY_IMMEDIATELY, 0, 0));
    // A slave without slaveReadEnable is a copy only.
    assert_eq!(pulled(&peer, &copies, "T", 0).await?, (response::SYSTEM_BUSY, -1, 0));
    // A master that is gone answers nobody: the slave does.
    peer.remove_broker(&running.admin, "a").await?;
    until("the slave answers by itself", || async {
        pulled(&peer, &reads, "T", 3).await.is_ok_and(|got| got == (response::PULL_NOT_FOUND, 0, 0))
    })
    .await;
    assert_eq!(pulled(&peer, &reads, "T", 0).await?, (response::SUCCESS, 0, 3));

    let (_, page) = running.page("/metrics").await?;
    let roles: BTreeSet<&str> = page
        .lines()
        .filter(|line| line.contains("node_id=\"a\""))
        .filter_map(|line| line.split_once("broker_id=")?.1.split_once(['}', ',']))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(roles, BTreeSet::from(["\"1\"", "\"2\""]));
    assert!(!page.contains("broker_id=\"1\",broker_role=\"ASYNC_MASTER\""));
    assert!(page.contains("broker_id=\"1\",broker_role=\"SLAVE\""));
    running.stop().await;
    Ok(())
}
