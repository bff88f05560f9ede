//! What happens to one broker happens to no other and not to the process.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use mqcontainer::env::{Disk, Env, SystemDisk};

use crate::child::Child;
use crate::faulty::{Faults, FaultyDisk};
use crate::support::{Outcome, Peer, Running, broker_table, free_port, java_conf, until};

/// The line of /readyz about one broker.
async fn ready_line(running: &Running, name: &str) -> Outcome<(u16, String)> {
    let (status, body) = running.page("/readyz").await?;
    let line = body.lines().find(|line| line.starts_with(&format!("DefaultCluster_{name}_0 ")));
    Ok((status, line.unwrap_or_default().to_owned()))
}

async fn until_serving(running: &Running, name: &str) {
    until("the broker serves", || async {
        ready_line(running, name).await.is_ok_and(|(_, line)| line.ends_with(" serving"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_port_and_a_locked_store_stop_nobody_else() -> Outcome<()> {
    let (a, b, c) = (free_port(), free_port(), free_port());
    let taken = TcpListener::bind(("127.0.0.1", b - 2))?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir_all(folder.path().join("c"))?;
    let held = SystemDisk.lock(&folder.path().join("c/lock"))?;

    let tables = broker_table("a", a) + &broker_table("b", b) + &broker_table("c", c);
    let running = Running::start_in(folder, &tables, |env| env).await?;
    let peer = Peer::new();
    peer.send(&format!("127.0.0.1:{a}"), "T", "served").await?;
    let (status, line) = ready_line(&running, "b").await?;
    assert_eq!(status, 503);
    assert!(
        line.contains(" failed: ") && line.contains(&(b - 2).to_string()) && line.contains("next start in"),
        "{line}"
    );
    let (_, line) = ready_line(&running, "c").await?;
    assert!(line.contains(" failed: ") && line.contains("lock"), "{line}");
    assert_eq!(running.page("/livez").await?.0, 200);
    // Only brokers that serve are registered.
    assert_eq!(peer.route(&running.namesrv, "TBW102").await?.len(), 1);

    // What is mended outside heals by itself.
    drop((taken, held));
    until_serving(&running, "b").await;
    until_serving(&running, "c").await;
    peer.send(&format!("127.0.0.1:{b}"), "T", "late").await?;
    assert_eq!(ready_line(&running, "a").await?.0, 200);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_ends_one_broker_which_comes_back() -> Outcome<()> {
    let (a, b) = (free_port(), free_port());
    let sync = "flushDiskType = \"SYNC_FLUSH\"\n";
    let tables = broker_table("a", a) + sync + &broker_table("b", b) + sync;
    let folder = tempfile::tempdir()?;
    let faults = Arc::new(Faults::default());
    let disk = FaultyDisk { folder: folder.path().join("a"), faults: Arc::clone(&faults) };
    let running = Running::start_in(folder, &tables, |env| Env { disk: Arc::new(disk), ..env }).await?;
    let peer = Peer::new();
    let (a, b) = (format!("127.0.0.1:{a}"), format!("127.0.0.1:{b}"));
    peer.send(&a, "T", "before").await?;

    faults.syncs_fail.store(true, Ordering::SeqCst);
    assert!(peer.send(&a, "T", "lost or not, but not acknowledged").await.is_err());
    until("the failure shows", || async {
        ready_line(&running, "a")
            .await
            .is_ok_and(|(status, line)| status == 503 && line.contains("injected by the test"))
    })
    .await;
    peer.send(&b, "T", "the neighbour serves on").await?;
    until("it is unregistered", || async {
        peer.route(&running.namesrv, "TBW102").await.is_ok_and(|masters| masters.len() == 1)
    })
    .await;

    faults.syncs_fail.store(false, Ordering::SeqCst);
    until_serving(&running, "a").await;
    peer.send(&a, "T", "after").await?;
    let stored = peer.pull_all(&a, "T", 2).await?;
    assert_eq!(stored.first().map(String::as_str), Some("before"));
    until("it is registered again", || async {
        peer.route(&running.namesrv, "TBW102").await.is_ok_and(|masters| masters.len() == 2)
    })
    .await;
    let (_, metrics) = running.page("/metrics").await?;
    let restarts = |name: &str| {
        metrics
            .lines()
            .find(|line| {
                line.starts_with("mqcontainer_broker_restarts_total") && line.contains(&format!("node_id=\"{name}\""))
            })
            .and_then(|line| line.rsplit(' ').next())
            .and_then(|count| count.parse::<u64>().ok())
    };
    assert!(restarts("a") >= Some(1), "{:?}", restarts("a"));
    assert_eq!(restarts("b"), Some(0));
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_ends_one_broker_which_comes_back() -> Outcome<()> {
    let (a, b) = (free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let faults = Arc::new(Faults::default());
    let disk = FaultyDisk { folder: folder.path().join("a"), faults: Arc::clone(&faults) };
    let tables = broker_table("a", a) + &broker_table("b", b);
    let running = Running::start_in(folder, &tables, |env| Env { disk: Arc::new(disk), ..env }).await?;
    let peer = Peer::new();
    let (a, b) = (format!("127.0.0.1:{a}"), format!("127.0.0.1:{b}"));
    peer.send(&a, "T", "before").await?;

    faults.writes_panic.store(true, Ordering::SeqCst);
    assert!(peer.send(&a, "T", "lost").await.is_err());
    until("the panic shows", || async {
        ready_line(&running, "a").await.is_ok_and(|(status, line)| status == 503 && line.contains("injected panic"))
    })
    .await;
    peer.send(&b, "T", "the neighbour serves on").await?;

    faults.writes_panic.store(false, Ordering::SeqCst);
    until_serving(&running, "a").await;
    assert_eq!(peer.pull_all(&a, "T", 1).await?, ["before"]);
    running.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_recovery_is_shown_and_keeps_nobody_waiting() -> Outcome<()> {
    let (a, b, c) = (free_port(), free_port(), free_port());
    let folder = tempfile::tempdir()?;
    let faults = Arc::new(Faults::default());
    faults.set_stuck(true);
    let disk = FaultyDisk { folder: folder.path().join("a"), faults: Arc::clone(&faults) };
    let tables = broker_table("a", a) + &broker_table("b", b);
    let running = Running::begin(folder, &tables, |env| Env { disk: Arc::new(disk), ..env }).await?;
    let peer = Peer::new();
    until_serving(&running, "b").await;
    let (status, line) = ready_line(&running, "a").await?;
    assert_eq!((status, line.as_str()), (503, "DefaultCluster_a_0 starting: loading queues and index"));
    assert_eq!(running.page("/livez").await?.0, 200);

    // Clients that still know its address are told so.
    let refused = peer.send(&format!("127.0.0.1:{a}"), "T", "too early").await.unwrap_err().to_string();
    assert!(refused.starts_with("code 2: broker DefaultCluster_a_0 is starting"), "{refused}");
    // Neither are other brokers kept waiting, nor administrators.
    peer.send(&format!("127.0.0.1:{b}"), "T", "served").await?;
    let conf = running.file("c.conf");
    std::fs::write(&conf, java_conf("c", c, &running.file("store-c")))?;
    assert_eq!(peer.add_broker(&running.admin, &conf).await?.code, 0);

    faults.set_stuck(false);
    until_serving(&running, "a").await;
    peer.send(&format!("127.0.0.1:{a}"), "T", "in time").await?;
    running.stop().await;
    Ok(())
}

#[test]
fn exit_codes_say_how_it_went() -> Outcome<()> {
    let mut healthy = Child::start(1)?;
    assert!(healthy.wait_until_ready()?.contains("1 of 1 brokers serve"));
    assert_eq!(healthy.stop()?.code(), Some(0));

    // Not one broker starts: nobody would notice a process without brokers.
    let port = free_port();
    let taken = TcpListener::bind(("127.0.0.1", port))?;
    let mut alone = Child::start_with(&broker_table("a", port))?;
    assert!(alone.wait_until_ready()?.contains("DefaultCluster_a_0 failed: "));
    assert_eq!(alone.ended()?.code(), Some(2));
    drop(taken);

    let bad = Child::start_with("[[broker]]\nbrokerNam = \"a\"\n")?;
    assert_eq!(bad.ended()?.code(), Some(1));
    Ok(())
}
