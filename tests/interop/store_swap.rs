//! A data directory goes from Java to us and back: each reads exactly what the other wrote, and appends.

use std::path::Path;

use crate::server::{Broker, Peer, Server, peer};
use crate::toolchain::Java;
use crate::{run, toolchain};

#[test]
fn a_java_store_is_taken_over_and_given_back() {
    let Some(java) = toolchain::java() else { return };
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("manifest").display().to_string();
    let broker = Broker::new("broker-a", directory.path());

    let server = start(java, Peer::Java, directory.path(), &broker);
    run::java(java, &server, "StoreWriter", &[&manifest, "20000", "1"]);
    server.stop();

    let server = start(java, peer(), directory.path(), &broker);
    run::java(java, &server, "StoreReader", &[&manifest]);
    run::java(java, &server, "StoreWriter", &[&manifest, "3000", "2"]);
    run::java(java, &server, "StoreReader", &[&manifest]);
    server.stop();

    let server = start(java, Peer::Java, directory.path(), &broker);
    run::java(java, &server, "StoreReader", &[&manifest]);
    run::java(java, &server, "StoreWriter", &[&manifest, "500", "3"]);
    run::java(java, &server, "StoreReader", &[&manifest]);
    server.stop();
}

/// A directory of ours, left by kill -9 and then by a clean stop, is a Java directory each time.
#[test]
fn a_store_of_ours_opens_in_java() {
    let Some(java) = toolchain::java() else { return };
    let directory = tempfile::tempdir().unwrap();
    let manifest = directory.path().join("manifest").display().to_string();
    let broker = Broker::new("broker-a", directory.path());

    let server = start(java, peer(), directory.path(), &broker);
    run::java(java, &server, "StoreWriter", &[&manifest, "2000", "4", "undelayed"]);
    drop(server);
    assert!(broker.store.join("abort").exists(), "a killed broker leaves its abort file");

    let server = start(java, Peer::Java, directory.path(), &broker);
    run::java(java, &server, "StoreReader", &[&manifest]);
    run::java(java, &server, "StoreWriter", &[&manifest, "500", "5"]);
    server.stop();

    let server = start(java, peer(), directory.path(), &broker);
    run::java(java, &server, "StoreReader", &[&manifest]);
    run::java(java, &server, "StoreWriter", &[&manifest, "500", "6"]);
    server.stop();
    assert!(!broker.store.join("abort").exists(), "a clean stop removes the abort file");

    let server = start(java, Peer::Java, directory.path(), &broker);
    run::java(java, &server, "StoreReader", &[&manifest]);
    server.stop();
}

fn start(java: &Java, peer: Peer, directory: &Path, broker: &Broker) -> Server {
    match peer {
        Peer::Ours => Server::ours(directory, vec![broker.clone()], None),
        Peer::Java => {
            let mut server = Server::java_namesrv(java, directory);
            server.add_java_brokers(java, vec![broker.clone()]);
            server
        }
    }
}
