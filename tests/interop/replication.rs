//! A log copied between us and Java, in both directions, with SYNC_MASTER and two copies: byte for byte, over restarts and kills of
//! either side.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::server::{Broker, Peer, Server, peer};
use crate::{run, toolchain};

/// Never a measure of speed; a Java slave waits 5 s before it connects again.
const COPIED: Duration = Duration::from_secs(300);

/// Each send is answered SEND_OK only when the slave has it: StoreWriter takes nothing less.
const MASTER: &str = "brokerRole=SYNC_MASTER\ntotalReplicas=2\ninSyncReplicas=2\nslaveTimeout=300000\n";
const SLAVE: &str = "brokerRole=SLAVE\ntotalReplicas=2\ninSyncReplicas=2\n";

#[test]
fn a_java_slave_follows_our_master() {
    follow(peer(), Peer::Java);
}

#[test]
fn our_slave_follows_a_java_master() {
    follow(Peer::Java, peer());
}

/// Writes, restarts the slave, writes, kills the master, writes; the two logs are the same each time.
fn follow(master: Peer, slave: Peer) {
    let Some(java) = toolchain::java() else { return };
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("manifest").display().to_string();
    let namesrv = Server::java_namesrv(java, &make(directory.path(), "names"));
    let leader = Broker::replica("broker-a", 0, MASTER, directory.path());
    let follower = Broker::replica("broker-a", 1, SLAVE, directory.path());
    let begin =
        |peer, broker: &Broker, name: &str| Server::member(java, peer, &make(directory.path(), name), broker, &namesrv);

    let leading = begin(master, &leader, "master-1");
    let following = begin(slave, &follower, "slave-1");
    run::java(java, &leading, "StoreWriter", &[&manifest, "600", "1", "undelayed"]);
    equal(&leader, &follower, &[&leading, &following]);

    following.stop();
    let following = begin(slave, &follower, "slave-2");
    run::java(java, &leading, "StoreWriter", &[&manifest, "200", "2", "undelayed"]);
    equal(&leader, &follower, &[&leading, &following]);

    drop(leading);
    let leading = begin(master, &leader, "master-2");
    run::java(java, &leading, "StoreWriter", &[&manifest, "200", "3", "undelayed"]);
    run::java(java, &leading, "StoreReader", &[&manifest]);
    equal(&leader, &follower, &[&leading, &following]);
    same_tables(&leader, &follower, &[&leading, &following]);
    following.stop();
    leading.stop();
}

/// Waits until the files of the follower name the topics, groups and offsets that those of the leader name. A Java slave asks its
/// master once a minute.
fn same_tables(leader: &Broker, follower: &Broker, servers: &[&Server]) {
    let tables = [
        ("topics.json", "topicConfigTable"),
        ("subscriptionGroup.json", "subscriptionGroupTable"),
        ("consumerOffset.json", "offsetTable"),
    ];
    let deadline = Instant::now() + COPIED;
    for (file, table) in tables {
        // A table that never had anything in it may have no file.
        let names = |broker: &Broker| -> BTreeSet<String> {
            let content = fs::read(broker.store.join("config").join(file)).unwrap_or_default();
            let content: serde_json::Value = mqcontainer::protocol::json::from_java(&content).unwrap_or_default();
            content[table].as_object().into_iter().flat_map(|table| table.keys().cloned()).collect()
        };
        loop {
            let (one, other) = (names(leader), names(follower));
            if one == other && (!one.is_empty() || table == "offsetTable") {
                break;
            }
            let logs = || servers.iter().map(|server| server.logs()).collect::<String>();
            assert!(Instant::now() < deadline, "{file} differs: {one:?} {other:?}\n{}", logs());
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn make(directory: &Path, name: &str) -> std::path::PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}

/// Waits until the follower has all bytes of the leader.
fn equal(leader: &Broker, follower: &Broker, servers: &[&Server]) {
    let deadline = Instant::now() + COPIED;
    while let Some(difference) = difference(&leader.store.join("commitlog"), &follower.store.join("commitlog")) {
        let logs = || servers.iter().map(|server| server.logs()).collect::<String>();
        assert!(Instant::now() < deadline, "{difference}\n{}", logs());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Where two commit logs differ. A file that is there on one side only was made ahead: it must be empty.
fn difference(leader: &Path, follower: &Path) -> Option<String> {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    };
    let mut written = false;
    for name in &names(leader) | &names(follower) {
        let [one, other] = [leader, follower].map(|folder| fs::read(folder.join(&name)).unwrap_or_default());
        let length = one.len().max(other.len());
        let at = |bytes: &[u8], index: usize| bytes.get(index).copied().unwrap_or(0);
        if one != other
            && let Some(index) = (0..length).find(|index| at(&one, *index) != at(&other, *index))
        {
            return Some(format!("{name} differs at {index} of {length}"));
        }
        written |= one.iter().any(|byte| *byte != 0);
    }
    (!written).then(|| "nothing is written".to_owned())
}
