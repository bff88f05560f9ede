//! A DLedger group of ours with Java's clients, tools and NameServer: sends and consumers go on when the leader is killed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::run::Running;
use crate::server::{Broker, Peer, Server, free_ports, peer};
use crate::{run, toolchain};

/// The number of members.
const SIZE: usize = 3;

/// Members of one group, with what Java's `conf/dledger` has and the one line of ours that admits them.
fn members(name: &'static str, directory: &Path) -> Vec<Broker> {
    let ports: Vec<u16> = (0..SIZE).map(|_| free_ports(&[0])).collect();
    let peers: Vec<String> =
        ports.iter().enumerate().map(|(number, port)| format!("n{number}-127.0.0.1:{port}")).collect();
    let member = |number: usize| {
        let more = format!(
            "enableDLegerCommitLog=true\ndLegerGroup={name}\ndLegerPeers={}\ndLegerSelfId=n{number}\nraft.unsafe_raft=true",
            peers.join(";")
        );
        Broker::replica(name, u32::try_from(number).unwrap(), &more, directory)
    };
    (0..SIZE).map(member).collect()
}

#[test]
fn java_clients_go_on_when_the_leader_is_killed_during_sends() {
    if peer() == Peer::Java {
        return;
    }
    let Some(java) = toolchain::java() else { return };
    let directory = tempfile::tempdir().unwrap();
    let brokers = members("broker-r", directory.path());
    let mut namesrv = Server::java_namesrv(java, &folder(directory.path(), "names"));
    // Clients find one master.
    namesrv.brokers.push(brokers[0].clone());
    let namesrv = namesrv;
    let begin = |number: usize, life: u32| {
        let folder = folder(directory.path(), &format!("member-{number}-{life}"));
        Server::member(java, Peer::Ours, &folder, &brokers[number], &namesrv)
    };
    // None is ready before there is a leader, so all start at once.
    let mut servers: Vec<Option<Server>> = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..SIZE)
            .map(|number| {
                scope.spawn({
                    let begin = &begin;
                    move || begin(number, 1)
                })
            })
            .collect();
        starting.into_iter().map(|starting| starting.join().ok()).collect()
    });
    let addresses: Vec<String> = brokers.iter().map(Broker::address).collect();
    let arguments: Vec<&str> = std::iter::once("broker-r").chain(addresses.iter().map(String::as_str)).collect();
    let mut clients = Running::java(java, &namesrv, "Elected", &arguments);
    for what in ["the leader is killed", "it is back"] {
        let all: Vec<&Server> = servers.iter().flatten().chain([&namesrv]).collect();
        let number: usize = clients.wants_one(what, SIZE, &all);
        match servers[number].take() {
            Some(mut server) => server.kill(),
            None => servers[number] = Some(begin(number, 2)),
        }
        clients.done();
    }
    let all: Vec<&Server> = servers.iter().flatten().chain([&namesrv]).collect();
    clients.ends(&all);
}

#[test]
fn mqadmin_adds_asks_and_removes_members() {
    if peer() == Peer::Java {
        return;
    }
    let Some(java) = toolchain::java() else { return };
    let server = Server::start(java, peer());
    let mut names = vec![format!("CONTAINER={}", server.container.as_ref().unwrap())];
    for (number, member) in members("broker-r", server.directory()).iter().enumerate() {
        let conf = server.directory().join(format!("member-{number}.conf"));
        fs::write(&conf, member.properties(&server.namesrv)).unwrap();
        names.push(format!("CONF_{number}={}", conf.display()));
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/java/dledger.script").display().to_string();
    let arguments: Vec<&str> = std::iter::once(script.as_str()).chain(names.iter().map(String::as_str)).collect();
    run::java(java, &server, "MqAdmin", &arguments);
}

fn folder(directory: &Path, name: &str) -> PathBuf {
    let path = directory.join(name);
    fs::create_dir_all(&path).unwrap();
    path
}
