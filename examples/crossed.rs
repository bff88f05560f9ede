//! The crossed deployment: two containers, each with a master and the other master's slave; one is killed and comes back. The slave
//! of its master acts meanwhile (Java: `conf/container/2container-2m-2s`).
//!
//! ```text
//! container 1: NameServer, broker-a master, broker-b slave
//! container 2:             broker-b master, broker-a slave     <- kill -9
//! ```
//!
//! `cargo run --example crossed`
#![allow(clippy::disallowed_methods, reason = "an example writes its own files")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use mqcontainer::config::Config;
use mqcontainer::container::{self, Exit};
use mqcontainer::observe::logs;
use mqcontainer::protocol::ids::QueueOffset;
use support::process::Process;
use support::{Outcome, Peer, broker_table, free_port, until};

const TOPIC: &str = "Crossed";

/// Both containers are processes of this example, started again with a file: `mqcontainer -c FILE` does the same.
fn main() -> Outcome<()> {
    match std::env::args_os().nth(1) {
        Some(file) => run_container(Path::new(&file)),
        None => tokio::runtime::Runtime::new()?.block_on(show()),
    }
}

fn run_container(file: &Path) -> Outcome<()> {
    logs::start(Some("error"), None)?;
    let outside = container::outside();
    let (config, _warnings) = Config::load(file, &std::fs::read(file)?, &outside)?;
    match container::run(config, outside) {
        Exit::Clean => Ok(()),
        exit => Err(format!("{exit:?}").into()),
    }
}

fn start(file: &Path) -> Outcome<Process> {
    Process::start(Command::new(std::env::current_exe()?).arg(file))
}

async fn show() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let crossed = Crossed::write(folder.path())?;
    let peer = Peer::new();
    let first = start(&crossed.files[0])?;
    let second = start(&crossed.files[1])?;
    crossed.caught_up(&peer).await;
    for number in 1..=2 {
        crossed.send_both(&peer, number).await?;
    }
    println!("SEND_OK: broker-a and its slave have it, broker-b and its slave have it");
    // Topics do not travel in the log: a slave asks its master for them every second.
    until("the slaves know the topic", || async {
        peer.pull(&crossed.slave_a, TOPIC, QueueOffset(0)).await.is_ok()
            && peer.pull(&crossed.slave_b, TOPIC, QueueOffset(0)).await.is_ok()
    })
    .await;

    second.kill()?;
    println!("container 2 is killed");
    until("clients find the slave of broker-b in its place", || async {
        let places = peer.route(&crossed.namesrv, TOPIC).await.unwrap_or_default();
        places.contains(&("broker-b".to_owned(), crossed.slave_b.clone()))
    })
    .await;
    println!("clients find {:?}", peer.route(&crossed.namesrv, TOPIC).await?);
    println!("consumers of broker-b go on at its slave: {:?}", peer.pull_all(&crossed.slave_b, TOPIC, 2).await?);
    // enableAutoInSyncReplicas: with one replica alive, minInSyncReplicas counts.
    until("broker-a takes messages alone", || async {
        peer.send(&crossed.master_a, TOPIC, "3 to broker-a").await.is_ok()
    })
    .await;
    println!("producers of broker-a go on, SEND_OK: {:?}", peer.pull_all(&crossed.master_a, TOPIC, 3).await?);

    let second = start(&crossed.files[1])?;
    crossed.caught_up(&peer).await;
    println!("container 2 is back: broker-a's slave is 0 bytes behind, broker-b's slave is 0 bytes behind");
    crossed.send_both(&peer, 4).await?;
    println!("broker-a and broker-b after its return: code 0");
    println!("broker-a's slave has {:?}", peer.pull_all(&crossed.slave_a, TOPIC, 4).await?);
    println!("broker-b's slave has {:?}", peer.pull_all(&crossed.slave_b, TOPIC, 3).await?);
    second.stop()?;
    first.stop()
}

/// Where everything is.
struct Crossed {
    files: [PathBuf; 2],
    namesrv: String,
    master_a: String,
    slave_a: String,
    master_b: String,
    slave_b: String,
}

impl Crossed {
    /// Writes the files of both containers.
    fn write(folder: &Path) -> Outcome<Crossed> {
        let namesrv = free_port();
        let [master_a, slave_b, master_b, slave_a] = [(); 4].map(|()| free_port());
        let kv = folder.join("kvConfig.json");
        let names = format!(
            "[namesrv]\nlistenPort = {namesrv}\nsupportActingMaster = true\nkvConfigPath = \"{}\"\n",
            kv.display()
        );
        let containers = [
            both(folder, namesrv) + &names + &master("broker-a", master_a) + &slave("broker-b", slave_b),
            both(folder, namesrv) + &master("broker-b", master_b) + &slave("broker-a", slave_a),
        ];
        let files = [folder.join("container-1.toml"), folder.join("container-2.toml")];
        for (file, text) in files.iter().zip(&containers) {
            std::fs::write(file, text)?;
            println!("{}:\n{text}", file.display());
        }
        let [namesrv, master_a, slave_a, master_b, slave_b] =
            [namesrv, master_a, slave_a, master_b, slave_b].map(|port| format!("127.0.0.1:{port}"));
        Ok(Crossed { files, namesrv, master_a, slave_a, master_b, slave_b })
    }

    /// Waits until each master has a slave that has all of its log.
    async fn caught_up(&self, peer: &Peer) {
        for master in [&self.master_a, &self.master_b] {
            until("a slave that is 0 bytes behind", || async {
                let Ok(status) = peer.ha_status(master).await else { return false };
                matches!(&status.ha_connection_info[..], [slave] if slave.diff == 0)
            })
            .await;
        }
    }

    /// Fails unless both masters answer SEND_OK, which they do when their slaves have the message.
    async fn send_both(&self, peer: &Peer, number: usize) -> Outcome<()> {
        peer.send(&self.master_a, TOPIC, &format!("{number} to broker-a")).await?;
        peer.send(&self.master_b, TOPIC, &format!("{number} to broker-b")).await?;
        Ok(())
    }
}

/// What both containers have.
fn both(folder: &Path, namesrv: u16) -> String {
    format!(
        "[container]\nlistenPort = {}\nbindAddress = \"127.0.0.1\"\nnamesrvAddr = \"127.0.0.1:{namesrv}\"\n\
         [defaults]\nbrokerIP1 = \"127.0.0.1\"\nmappedFileSizeCommitLog = \"16MiB\"\n\
         storePathRootDir = \"{}/${{brokerName}}-${{brokerId}}\"\ntotalReplicas = 2\ninSyncReplicas = 2\n\
         minInSyncReplicas = 1\nenableAutoInSyncReplicas = true\nenableSlaveActingMaster = true\n",
        free_port(),
        folder.display()
    )
}

fn master(name: &str, port: u16) -> String {
    broker_table(name, port) + "brokerRole = \"SYNC_MASTER\"\n"
}

fn slave(name: &str, port: u16) -> String {
    broker_table(name, port) + "brokerRole = \"SLAVE\"\nbrokerId = 1\nslaveReadEnable = true\n"
}
