//! Starting and stopping: in order, and nothing is lost.

use std::collections::BTreeSet;
use std::net::TcpListener;

use crate::child::Child;
use crate::support::{Outcome, Peer, Running, broker_table, free_port};

#[test]
fn the_number_of_threads_does_not_depend_on_the_number_of_brokers() -> Outcome<()> {
    // Other tests of this binary start threads too, so the containers run in processes of their own.
    let of = |brokers: usize| -> Outcome<u64> {
        let mut child = Child::start(brokers)?;
        child.wait_until_ready()?;
        let threads = std::fs::read_dir(format!("/proc/{}/task", child.id()))?.count();
        assert_eq!(child.stop()?.code(), Some(0));
        Ok(threads as u64)
    };
    assert_eq!(of(1)?, of(8)?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_stop() -> Outcome<()> {
    let (a, b) = (free_port(), free_port());
    let tables = broker_table("a", a) + &broker_table("b", b);
    let running = Running::start(&tables).await?;
    let peer = Peer::new();
    for port in [a, b] {
        peer.send(&format!("127.0.0.1:{port}"), "T", "first").await?;
    }
    let mut senders = Vec::new();
    for port in [a, b] {
        senders.push(tokio::spawn(async move {
            let peer = Peer::new();
            let mut acknowledged = Vec::new();
            // Until the broker refuses, which it does when the container stops.
            loop {
                let body = format!("{port}-{}", acknowledged.len());
                match peer.send(&format!("127.0.0.1:{port}"), "T", &body).await {
                    Ok(_) => acknowledged.push(body),
                    Err(_) => return acknowledged,
                }
            }
        }));
    }
    for port in [a, b] {
        peer.pull_all(&format!("127.0.0.1:{port}"), "T", 50).await?;
    }
    let folder = running.stop().await;
    drop((TcpListener::bind(("127.0.0.1", a))?, TcpListener::bind(("127.0.0.1", b))?));

    let running = Running::start_in(folder, &tables, |env| env).await?;
    for (sender, port) in senders.into_iter().zip([a, b]) {
        let acknowledged = sender.await?;
        // "first" is one of the fifty that were read.
        assert!(acknowledged.len() >= 49);
        let stored = peer.pull_all(&format!("127.0.0.1:{port}"), "T", acknowledged.len() + 1).await?;
        let stored: BTreeSet<&String> = stored.iter().collect();
        assert!(acknowledged.iter().all(|body| stored.contains(body)), "an acknowledged message is missing");
    }
    running.stop().await;
    Ok(())
}
