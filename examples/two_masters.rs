//! Two masters in one process: messages to both, found through the NameServer inside and read back.
//!
//! `cargo run --example two_masters`

mod support;

use support::{Outcome, Peer, Running, broker_table, free_port};

#[tokio::main]
async fn main() -> Outcome<()> {
    let brokers = broker_table("broker-a", free_port()) + &broker_table("broker-b", free_port());
    let running = Running::start(&brokers).await?;
    let peer = Peer::new();

    // TBW102 is the topic every broker has from the start; new topics inherit its settings.
    let masters = peer.route(&running.namesrv, "TBW102").await?;
    println!("the NameServer at {} knows {} masters:", running.namesrv, masters.len());
    for (name, address) in &masters {
        for number in 0..3 {
            peer.send(address, "Greetings", &format!("hello {number} from {name}")).await?;
        }
        println!("  {name} at {address}: {:?}", peer.pull_all(address, "Greetings", 3).await?);
    }
    if masters.len() != 2 {
        return Err(format!("two masters were expected, not {masters:?}").into());
    }

    running.stop().await;
    println!("both stopped");
    Ok(())
}
