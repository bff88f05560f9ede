//! A stock Java `.conf` as it is: included from the TOML, and shown by GET_BROKER_CONFIG as a Java broker shows its own.
//!
//! `cargo run --example java_conf`
#![allow(clippy::disallowed_methods, reason = "an example writes its own file")]

mod support;

use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::command::Command;
use support::{Outcome, Peer, Running, free_port, java_conf};

#[tokio::main]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let port = free_port();
    let conf = java_conf("broker-j", port, &folder.path().join("store"));
    println!("broker-j.conf:\n{conf}");
    std::fs::write(folder.path().join("broker-j.conf"), &conf)?;

    let running = Running::start_in(folder, "[[broker]]\ninclude = \"broker-j.conf\"\n", |env| env).await?;
    let peer = Peer::new();
    let broker = format!("127.0.0.1:{port}");

    let shown = peer.call(&broker, Command { code: request::GET_BROKER_CONFIG, ..Command::default() }).await?;
    let shown = String::from_utf8(shown.body.to_bytes().to_vec())?;
    for key in ["brokerName", "brokerRole", "flushDiskType", "mappedFileSizeCommitLog"] {
        let line = shown.lines().find(|line| line.starts_with(&format!("{key}="))).ok_or(key)?;
        println!("the broker says {line}");
    }
    let offset = peer.send(&broker, "FromJava", "a message").await?;
    println!("sent to queue offset {offset}, read back {:?}", peer.pull_all(&broker, "FromJava", 1).await?);

    running.stop().await;
    Ok(())
}
