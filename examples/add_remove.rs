//! Adding a broker to a running container and removing it, as `mqadmin addBroker` and `removeBroker` do (902, 903).
//!
//! `cargo run --example add_remove`
#![allow(clippy::disallowed_methods, reason = "an example writes its own file")]

mod support;

use support::{Outcome, Peer, Running, broker_table, free_port, java_conf};

#[tokio::main]
async fn main() -> Outcome<()> {
    let running = Running::start(&broker_table("broker-a", free_port())).await?;
    let peer = Peer::new();
    let port = free_port();
    let broker = format!("127.0.0.1:{port}");

    let conf = running.file("broker-b.conf");
    std::fs::write(&conf, java_conf("broker-b", port, &running.file("store-b")))?;
    let added = peer.add_broker(&running.admin, &conf).await?;
    println!("ADD_BROKER {}: code {} {:?}", conf.display(), added.code, added.remark);
    println!("masters now: {:?}", peer.route(&running.namesrv, "TBW102").await?);
    peer.send(&broker, "Added", "to a broker that came later").await?;

    let twice = peer.add_broker(&running.admin, &conf).await?;
    println!("the same again: code {} {:?}", twice.code, twice.remark);

    let removed = peer.remove_broker(&running.admin, "broker-b").await?;
    println!("REMOVE_BROKER broker-b: code {}", removed.code);
    println!("masters now: {:?}", peer.route(&running.namesrv, "TBW102").await?);

    let again = peer.add_broker(&running.admin, &conf).await?;
    println!("added again: code {}, it still has {:?}", again.code, peer.pull_all(&broker, "Added", 1).await?);
    if (added.code, twice.code, removed.code, again.code) != (0, 1, 0, 0) {
        return Err("other codes than expected".into());
    }

    running.stop().await;
    Ok(())
}
