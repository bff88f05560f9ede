//! One scrape for all brokers of the process, and the pages beside it.
//!
//! `cargo run --example scrape`

mod support;

use support::{Outcome, Peer, Running, broker_table, free_port};

#[tokio::main]
async fn main() -> Outcome<()> {
    let (a, b) = (free_port(), free_port());
    let running = Running::start(&(broker_table("broker-a", a) + &broker_table("broker-b", b))).await?;
    let peer = Peer::new();
    for number in 0..5 {
        peer.send(&format!("127.0.0.1:{a}"), "Orders", &format!("order {number}")).await?;
    }
    peer.send(&format!("127.0.0.1:{b}"), "Orders", "another").await?;

    for path in ["/livez", "/readyz", "/brokers"] {
        let (status, body) = running.page(path).await?;
        println!("{path} {status}\n{body}");
    }
    let (status, metrics) = running.page("/metrics").await?;
    println!(
        "/metrics {status}, {} series; some of them:",
        metrics.lines().filter(|line| !line.starts_with('#')).count()
    );
    let wanted =
        ["rocketmq_messages_in_total{", "rocketmq_storage_size_bytes{", "mqcontainer_broker_up{", "process_threads"];
    for line in metrics.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name))) {
        println!("{line}");
    }
    if status != 200 || !metrics.contains("topic=\"Orders\"") {
        return Err("the scrape does not show the messages".into());
    }

    running.stop().await;
    Ok(())
}
