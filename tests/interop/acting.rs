//! A slave that acts for its master, one of them from Java: consumers go on, delayed messages come once, and the master that is back
//! knows of it.
//!
//! ```text
//! broker-a 0  killed or frozen, then started again        broker-b 0   gets what the slave cannot store (enableRemoteEscape)
//! broker-a 1  acts meanwhile                              Java's NameServer
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Running;
use crate::server::{Broker, Peer, Server, peer};
use crate::toolchain;

/// What the members have in common.
const MEMBER: &str = "totalReplicas=2\ninSyncReplicas=2\nminInSyncReplicas=1\nenableAutoInSyncReplicas=true\n\
    enableSlaveActingMaster=true\nslaveReadEnable=true\nslaveTimeout=300000\n\
    brokerHeartbeatInterval=500\nsyncBrokerMemberGroupPeriod=1000\n";

/// Only a closed connection tells in time that this one has gone.
const MASTER: &str = "brokerRole=SYNC_MASTER\nbrokerNotActiveTimeoutMillis=600000\ncompatibleWithOldNameSrv=false\n";
/// Only heartbeats keep this one there until it registers again.
const SLAVE: &str =
    "brokerRole=SLAVE\nbrokerNotActiveTimeoutMillis=15000\ncompatibleWithOldNameSrv=false\nenableRemoteEscape=true\n";

/// As NameServers before 5.0 know them; only missing heartbeats tell that this one has gone.
const OLD_MASTER: &str = "brokerRole=SYNC_MASTER\nbrokerNotActiveTimeoutMillis=10000\ncompatibleWithOldNameSrv=true\n";
const OLD_SLAVE: &str = "brokerRole=SLAVE\nbrokerNotActiveTimeoutMillis=15000\ncompatibleWithOldNameSrv=true\n";

/// How a master goes away.
enum End {
    Killed,
    /// It answers nothing, its connections stand.
    Frozen,
}

#[test]
fn our_slave_acts_for_a_java_master() {
    act([Peer::Java, peer()], [MASTER, SLAVE], Some(Peer::Java), End::Killed);
}

#[test]
fn a_java_slave_acts_for_our_master() {
    act([peer(), Peer::Java], [MASTER, SLAVE], Some(peer()), End::Killed);
}

/// Nobody else takes what comes due: it waits for its master.
#[test]
fn a_java_slave_acts_for_our_master_that_hangs() {
    act([peer(), Peer::Java], [OLD_MASTER, OLD_SLAVE], None, End::Frozen);
}

/// Runs the clients of Acting.java while the master goes and comes back.
fn act(peers: [Peer; 2], roles: [&str; 2], other: Option<Peer>, end: End) {
    let Some(java) = toolchain::java() else { return };
    let directory = tempfile::tempdir().unwrap();
    let namesrv = Server::java_namesrv(java, &folder(directory.path(), "names"));
    let members =
        [0, 1].map(|id| Broker::replica("broker-a", id, &[roles[id as usize], MEMBER].concat(), directory.path()));
    let begin = |peer, broker: &Broker, name: &str| {
        Server::member(java, peer, &folder(directory.path(), name), broker, &namesrv)
    };
    let mut leading = begin(peers[0], &members[0], "master-1");
    let beside = other.map(|peer| begin(peer, &Broker::new("broker-b", directory.path()), "other"));

    let mut addresses: Vec<String> = members.iter().map(Broker::address).collect();
    addresses.extend(beside.iter().map(|server| server.brokers[0].address()));
    let mut arguments: Vec<&str> = addresses.iter().map(String::as_str).collect();
    if peers[1] == Peer::Ours && beside.is_some() {
        arguments.push("back");
    }
    let mut clients = Running::java(java, &leading, "Acting", &arguments);
    clients.wants("the slave is there", &[&leading]);
    // A Java slave asks its master for the topics after a minute.
    let [from, to] = [0, 1].map(|id: usize| folder(&members[id].store, "config").join("topics.json"));
    fs::copy(from, to).unwrap();
    let following = begin(peers[1], &members[1], "slave");
    clients.done();
    clients.wants("the master is gone", &[&leading, &following]);
    match end {
        End::Killed => leading.kill(),
        End::Frozen => leading.freeze(),
    }
    clients.done();
    clients.wants("the master is back", &[&leading, &following]);
    drop(leading);
    let leading = begin(peers[0], &members[0], "master-2");
    clients.done();
    clients.ends(&[&leading, &following]);
}

fn folder(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}
