//! The same brokers, deployed in one of three ways.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqcontainer::env::{SystemClock, Tasks, Usage};
use mqcontainer::protocol::body::route::ClusterInfo;
use mqcontainer::protocol::codes::request;
use mqcontainer::protocol::json;
use mqcontainer::remoting::{Client, Limits, Transport};
use serde::Serialize;

use crate::Arguments;
use crate::outcome::Idle;
use crate::process::{Process, free_port, mebibytes};

/// How brokers are deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All in one process of ours.
    OneContainer,
    /// Each in a process of ours.
    Processes,
    /// All in Java's BrokerContainer.
    JavaContainer,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::OneContainer => "one container",
            Kind::Processes => "a process each",
            Kind::JavaContainer => "Java's container",
        }
    }
}

/// Running brokers and their NameServer.
pub struct Deployment {
    pub namesrv: String,
    /// From the start of the first process to the last broker's registration.
    pub ready: Duration,
    servers: Vec<Process>,
    namesrv_process: Process,
    directory: PathBuf,
}

const READY: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(10);

impl Deployment {
    pub fn start(arguments: &Arguments, kind: Kind, java: Option<&str>) -> Deployment {
        let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let directory = temporary.keep();
        let starter =
            Starter { binary: binary(arguments), java: java.map(str::to_owned), directory: directory.clone() };
        let port = free_port();
        let namesrv = format!("127.0.0.1:{port}");
        let mut namesrv_process = match kind {
            Kind::JavaContainer => starter.java_namesrv(port),
            Kind::OneContainer | Kind::Processes => starter.namesrv(port),
        };
        await_brokers(&namesrv, 0, std::slice::from_mut(&mut namesrv_process));
        let names: Vec<String> = (0..arguments.brokers).map(|index| format!("broker-{index}")).collect();
        let confs: Vec<PathBuf> = names.iter().map(|name| starter.conf(name, &namesrv)).collect();
        let began = Instant::now();
        let mut servers = match kind {
            Kind::OneContainer => vec![starter.container("container", &namesrv, &confs)],
            Kind::Processes => confs
                .iter()
                .zip(&names)
                .map(|(conf, name)| starter.container(name, &namesrv, std::slice::from_ref(conf)))
                .collect(),
            Kind::JavaContainer => vec![starter.java_container(&namesrv, &confs)],
        };
        await_brokers(&namesrv, arguments.brokers, &mut servers);
        Deployment { namesrv, ready: began.elapsed(), servers, namesrv_process, directory }
    }

    pub fn pids(&self) -> String {
        let pids: Vec<String> = self.servers.iter().map(|server| server.pid().to_string()).collect();
        pids.join(",")
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// All broker processes together.
    pub fn usage(&self) -> Usage {
        self.servers.iter().map(Process::usage).fold(Usage::default(), Usage::plus)
    }

    /// Without any client.
    pub fn idle(&self, time: Duration) -> Idle {
        std::thread::sleep(Duration::from_secs(1));
        let before = self.usage();
        std::thread::sleep(time);
        let after = self.usage();
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Idle { rss_mib: mebibytes(&after), threads: after.threads, cpu_percent: 100.0 * cpu / time.as_secs_f64() }
    }

    /// Ends the brokers as an operator does; returns how long the last one took.
    pub fn stop(&mut self) -> Duration {
        let began = Instant::now();
        self.servers.iter().for_each(Process::ask_to_stop);
        self.servers.iter_mut().for_each(Process::wait);
        let took = began.elapsed();
        self.namesrv_process.ask_to_stop();
        self.namesrv_process.wait();
        took
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.servers.clear();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

struct Starter {
    binary: PathBuf,
    java: Option<String>,
    directory: PathBuf,
}

impl Starter {
    /// A stock Java file that both implementations read; everything it does not say has Java's default.
    fn conf(&self, name: &str, namesrv: &str) -> PathBuf {
        let store = self.directory.join(format!("store-{name}"));
        let store = store.display();
        let text = format!(
            "brokerClusterName=DefaultCluster\nbrokerName={name}\nbrokerId=0\nbrokerIP1=127.0.0.1\nlistenPort={}\n\
             namesrvAddr={namesrv}\nstorePathRootDir={store}\nstorePathCommitLog={store}/commitlog\n",
            free_port()
        );
        self.write(&format!("{name}.conf"), &text)
    }

    fn namesrv(&self, port: u16) -> Process {
        let kv = self.directory.join("kvConfig.json");
        let text = format!(
            "[container]\nlistenPort = {}\nnamesrvAddr = \"127.0.0.1:{port}\"\nbindAddress = \"127.0.0.1\"\n\n[namesrv]\nlistenPort = {port}\nkvConfigPath = \"{}\"\n",
            free_port(),
            kv.display()
        );
        self.ours("namesrv", &text)
    }

    fn container(&self, name: &str, namesrv: &str, confs: &[PathBuf]) -> Process {
        let mut text = format!(
            "[container]\nlistenPort = {}\nnamesrvAddr = \"{namesrv}\"\nbindAddress = \"127.0.0.1\"\n",
            free_port()
        );
        for conf in confs {
            text.push_str(&format!("\n[[broker]]\ninclude = \"{}\"\n", conf.display()));
        }
        self.ours(name, &text)
    }

    fn ours(&self, name: &str, toml: &str) -> Process {
        let file = self.write(&format!("{name}.toml"), toml);
        let mut command = Command::new(&self.binary);
        command.args(["run", "-c"]).arg(file).env("RUST_LOG", "warn");
        Process::start(name, &self.directory, command)
    }

    fn java_namesrv(&self, port: u16) -> Process {
        let file = self.write("namesrv.conf", &format!("listenPort={port}\n"));
        self.java("namesrv", "org.apache.rocketmq.namesrv.NamesrvStartup", &file)
    }

    fn java_container(&self, namesrv: &str, confs: &[PathBuf]) -> Process {
        let paths: Vec<String> = confs.iter().map(|conf| conf.display().to_string()).collect();
        let text =
            format!("listenPort={}\nnamesrvAddr={namesrv}\nbrokerConfigPaths={}\n", free_port(), paths.join(":"));
        let file = self.write("container.conf", &text);
        self.java("container", "org.apache.rocketmq.container.BrokerContainerStartup", &file)
    }

    /// The virtual machine's own defaults; a home of its own for RocketMQ's log files.
    fn java(&self, name: &str, class: &str, conf: &Path) -> Process {
        let home = self.directory.join(format!("{name}-home"));
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new("java");
        command
            .arg(format!("-Duser.home={}", home.display()))
            .arg(format!("-Drocketmq.home.dir={}", home.display()))
            .args(["-cp", self.java.as_deref().expect("only with --java"), class, "-c"])
            .arg(conf)
            .env("ROCKETMQ_HOME", &home);
        Process::start(name, &self.directory, command)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// The server that is measured.
pub fn binary(arguments: &Arguments) -> PathBuf {
    arguments.server.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into())
}

/// Asks the NameServer (106) until it answers and knows so many brokers.
fn await_brokers(namesrv: &str, brokers: usize, processes: &mut [Process]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Instant::now() + READY;
    runtime.block_on(async {
        let tasks = Tasks::new();
        loop {
            // A client of its own each time: one that failed to connect waits before it tries again.
            let transport = Transport::new(Limits::default());
            let client = Client::new(&"bench".into(), &transport, Arc::new(SystemClock::new()), &tasks.child(), None);
            if registered(&client, namesrv).await.is_some_and(|count| count >= brokers) {
                break;
            }
            processes.iter_mut().for_each(Process::must_run);
            assert!(Instant::now() < deadline, "not {brokers} brokers at {namesrv} within {READY:?}");
            tokio::time::sleep(POLL).await;
        }
        tasks.cancel();
    });
}

async fn registered(client: &Client, namesrv: &str) -> Option<usize> {
    let command =
        mqcontainer::protocol::command::Command { code: request::GET_BROKER_CLUSTER_INFO, ..Default::default() };
    let answer = client.call(namesrv, command, Duration::from_secs(3)).await.ok()?;
    let info: ClusterInfo = json::from_java(&answer.body.to_bytes()).ok()?;
    Some(info.broker_addr_table.len())
}
