//! A slave beside its master or away from it: everything but the copy of the log.

use std::path::Path;

use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use serde_json::Value;

use crate::support::{Outcome, Peer, Running, broker_table, configuration, free_port, until};

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
