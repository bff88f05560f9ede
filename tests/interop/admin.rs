//! Stock mqadmin commands, on servers of their own because they change them.

use std::fs;
use std::path::Path;

use crate::server::{Broker, Peer, Server, peer};
use crate::{run, toolchain};

#[test]
fn mqadmin_commands_answer() {
    let Some(java) = toolchain::java() else { return };
    let server = Server::start(java, peer());
    run::java(java, &server, "MqAdmin", &[&script("mqadmin.script")]);
}

#[test]
fn brokers_are_added_and_removed() {
    let Some(java) = toolchain::java() else { return };
    let mut server = Server::start(java, peer());
    if peer() == Peer::Java {
        server.add_java_container(java);
    }
    let broker = Broker::new("broker-c", server.directory());
    let conf = server.directory().join("broker-c.conf");
    fs::write(&conf, broker.properties(&server.namesrv)).unwrap();
    let names = [
        format!("CONTAINER={}", server.container.as_ref().unwrap()),
        format!("CONF={}", conf.display()),
        format!("BROKER_C={}", broker.address()),
    ];
    let script = script("container.script");
    run::java(java, &server, "MqAdmin", &[script.as_str(), &names[0], &names[1], &names[2]]);
}

fn script(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/java").join(name).display().to_string()
}
