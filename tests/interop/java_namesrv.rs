//! Our brokers registered at a Java NameServer and used through it.

use crate::server::{Broker, Peer, Server, peer};
use crate::{run, toolchain};

#[test]
fn brokers_are_used_through_a_java_namesrv() {
    let Some(java) = toolchain::java() else { return };
    if peer() == Peer::Java {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let namesrv = Server::java_namesrv(java, directory.path());
    let brokers = vec![Broker::new("broker-a", directory.path()), Broker::new("broker-b", directory.path())];
    let server = Server::ours(directory.path(), brokers, Some(&namesrv.namesrv));
    run::scenarios(java, &server, &["send", "consume.tags", "consume.goes_on", "admin.delete_topic"]);
}
