//! A DLedger group of three members: they elect a leader; it is removed while a producer sends, another one leads, and nothing that was
//! acknowledged is missing.
//!
//! ```text
//! container: NameServer, broker-d n0, broker-d n1, broker-d n2      one of them leads, and is removed
//! ```
//!
//! `cargo run --example dledger`
#![allow(clippy::disallowed_methods, reason = "an example asks for the time")]

mod support;

use std::time::Instant;

use support::{Outcome, Peer, Running, free_port, member_tables, until};

const TOPIC: &str = "Elected";

#[tokio::main]
async fn main() -> Outcome<()> {
    let (folder, ports) = (tempfile::tempdir()?, [free_port(), free_port(), free_port()]);
    let tables = member_tables("broker-d", &ports, folder.path()).concat();
    let running = Running::start_in(folder, &tables, |env| env).await?;
    let peer = Peer::new();

    let first = leader(&running, &peer).await?;
    println!("the leader is {first}");
    for number in 1..=3 {
        peer.send(&first, TOPIC, &number.to_string()).await?;
    }
    println!("SEND_OK: two of three members have it");

    let member = ports.iter().position(|port| first.ends_with(&format!(":{port}"))).ok_or("not a member")?;
    let removed = Instant::now();
    let answer = peer.remove_broker_id(&running.admin, "broker-d", i64::try_from(member)?).await?;
    println!("REMOVE_BROKER DefaultCluster:broker-d:{member}: code {}", answer.code);
    let next = another(&running, &peer, &first).await?;
    until("the next leader takes messages", || async { peer.send(&next, TOPIC, "4").await.is_ok() }).await;
    println!("producers go on at {next} after {} ms", removed.elapsed().as_millis());
    println!("it has {:?}", peer.pull_all(&next, TOPIC, 4).await?);

    let (_, ready) = running.page("/readyz").await?;
    print!("{ready}");
    running.stop().await;
    Ok(())
}

/// Where clients find the leader: the member that is registered under id 0.
async fn leader(running: &Running, peer: &Peer) -> Outcome<String> {
    another(running, peer, "").await
}

async fn another(running: &Running, peer: &Peer, than: &str) -> Outcome<String> {
    let found = || async {
        let route = peer.route(&running.namesrv, "TBW102").await.unwrap_or_default();
        route.into_iter().find(|(name, address)| name == "broker-d" && address != than).map(|(_, address)| address)
    };
    until("a leader is registered", || async { found().await.is_some() }).await;
    Ok(found().await.ok_or("it has gone again")?)
}
