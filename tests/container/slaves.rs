//! A slave beside its master or away from it: everything but the copy of the log.

use std::path::Path;

use serde_json::Value;

use crate::support::{Outcome, Running, broker_table, configuration, free_port, until};

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

    let route = crate::support::Peer::new().route_data(&running.namesrv, "TBW102").await?;
    let addresses: Vec<(i64, String)> =
        route.broker_datas[0].broker_addrs.iter().map(|(id, address)| (*id, address.clone())).collect();
    let expected = [(0, master), (1, beside), (2, away)].map(|(id, port)| (id, format!("127.0.0.1:{port}")));
    assert_eq!(addresses, expected);
    other.stop().await;
    running.stop().await;
    Ok(())
}
