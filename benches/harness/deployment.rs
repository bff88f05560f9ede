//! The same brokers, deployed in one of several ways.

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
use serde::{Deserialize, Serialize};

use super::process::{Process, free_port, mebibytes};
use super::scrape;

/// How brokers are deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All in one process of ours.
    OneContainer,
    /// Each in a process of ours.
    Processes,
    /// All in Java's BrokerContainer.
    JavaContainer,
    /// Each in a BrokerContainer of Java's.
    JavaContainers,
    /// The program that does the least work (benches/floor), always one broker.
    Floor,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::OneContainer => "one container",
            Kind::Processes => "a process each",
            Kind::JavaContainer => "Java's container",
            Kind::JavaContainers => "Java's, one each",
            Kind::Floor => "the floor",
        }
    }

    /// Java's, which is slow until its code is compiled.
    pub fn is_java(self) -> bool {
        matches!(self, Kind::JavaContainer | Kind::JavaContainers)
    }
}

/// What to deploy.
#[derive(Clone, Debug)]
pub struct Plan {
    pub kind: Kind,
    pub brokers: usize,
    /// Whether they are replicas of one name, with ids from 0 on, instead of masters of their own.
    pub group: bool,
    /// Our server.
    pub server: PathBuf,
    /// The class path of Java's, for those kinds.
    pub java: Option<String>,
    /// Whether a send is answered after its bytes are synced.
    pub sync_flush: bool,
    /// Lines for every broker besides, in Java's spelling.
    pub conf: String,
}

/// Running brokers and their NameServer.
pub struct Deployment {
    pub namesrv: String,
    /// From the start of the first process to the last broker's registration.
    pub ready: Duration,
    pub kind: Kind,
    servers: Vec<Process>,
    namesrv_process: Option<Process>,
    brokers: usize,
    confs: Vec<PathBuf>,
    starter: Starter,
}

/// Without clients.
#[derive(Clone, Debug, Serialize)]
pub struct Idle {
    pub rss_mib: f64,
    pub threads: u64,
    pub cpu_percent: f64,
}

/// Recovery of many messages may take long.
const READY: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(10);
/// Of the commit log files of a broker, these may still be written, dispatched or read.
const FILES_KEPT: usize = 2;
/// The floor has one file, which grows by so much.
const FLOOR_STEP: u64 = 1 << 30;

impl Deployment {
    pub fn start(plan: &Plan) -> Deployment {
        Deployment::start_each(plan, |_| String::new())
    }

    /// With more lines for single brokers, by their number.
    pub fn start_each(plan: &Plan, lines: impl Fn(usize) -> String) -> Deployment {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        let starter = Starter { plan: plan.clone(), directory };
        let port = free_port();
        let namesrv = format!("127.0.0.1:{port}");
        let mut namesrv_process = match plan.kind {
            Kind::JavaContainer | Kind::JavaContainers => Some(starter.java_namesrv(port)),
            Kind::OneContainer | Kind::Processes => Some(starter.namesrv(port)),
            Kind::Floor => None,
        };
        if let Some(process) = &mut namesrv_process {
            await_brokers(&namesrv, |_| true, std::slice::from_mut(process));
        }
        let conf = |index| starter.conf(index, &namesrv, &lines(index));
        let confs = (0..plan.brokers).map(conf).collect();
        let brokers = plan.brokers;
        let (kind, ready, servers) = (plan.kind, Duration::ZERO, Vec::new());
        let mut deployment = Deployment { namesrv, ready, kind, servers, namesrv_process, brokers, confs, starter };
        deployment.start_brokers();
        deployment
    }

    /// Again after [`Deployment::stop_brokers`] or [`Deployment::kill_brokers`], with the same stores; sets `ready`.
    pub fn start_brokers(&mut self) {
        // A NameServer that still lists brokers of before would make these ready too early.
        if self.kind != Kind::Floor {
            await_brokers(&self.namesrv, |known| known == 0, &mut []);
        }
        let (namesrv, starter, confs) = (&self.namesrv, &self.starter, &self.confs);
        let began = Instant::now();
        let each = |start: &dyn Fn(&str, &[PathBuf]) -> Process| {
            let one = |(index, conf)| start(&format!("container-{index}"), std::slice::from_ref(conf));
            confs.iter().enumerate().map(one).collect()
        };
        self.servers = match self.kind {
            Kind::OneContainer => vec![starter.container("container", namesrv, confs)],
            Kind::Processes => each(&|name, confs| starter.container(name, namesrv, confs)),
            Kind::JavaContainer => vec![starter.java_container("container", namesrv, confs)],
            Kind::JavaContainers => each(&|name, confs| starter.java_container(name, namesrv, confs)),
            Kind::Floor => vec![starter.floor(namesrv)],
        };
        let brokers = self.brokers;
        await_brokers(&self.namesrv, |known| known >= brokers, &mut self.servers);
        self.ready = began.elapsed();
    }

    /// As `mqcontainer bench --server-pid` takes them.
    pub fn pids(&self) -> String {
        let pids: Vec<String> = self.servers.iter().map(|server| server.pid().to_string()).collect();
        pids.join(",")
    }

    /// For whatever belongs to this deployment; it is removed with it.
    pub fn directory(&self) -> &Path {
        &self.starter.directory
    }

    /// All broker processes together.
    pub fn usage(&self) -> Usage {
        self.servers.iter().map(Process::usage).fold(Usage::default(), Usage::plus)
    }

    /// Syncs of commit logs since the start; `None` of servers that do not count them.
    pub fn syncs(&self) -> Option<f64> {
        let addresses = self.servers.iter().map(Process::http);
        addresses.map(|address| scrape::sum(address?, "mqcontainer_stage_seconds_count", "stage=\"flush\"")).sum()
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

    /// While others are measured.
    pub fn pause(&self) {
        self.servers.iter().chain(&self.namesrv_process).for_each(Process::pause);
    }

    /// Returns when the brokers are known to their NameServer, which may have dropped those it did not hear of.
    pub fn resume(&mut self) {
        self.namesrv_process.iter().chain(&self.servers).for_each(Process::resume);
        let brokers = self.brokers;
        await_brokers(&self.namesrv, |known| known >= brokers, &mut self.servers);
    }

    /// Gives the disk space of full commit log files back, and with it their unwritten pages, so that a long run neither
    /// fills the disk nor measures the writing of what an earlier load left. The brokers do not notice until they read there.
    pub fn discard_full_files(&self) {
        for conf in &self.confs {
            let mut files = files_in(&store(conf).join("commitlog"));
            files.truncate(files.len().saturating_sub(FILES_KEPT));
            files.iter().for_each(|file| punch(file, 0));
        }
        if self.kind == Kind::Floor {
            punch(&self.starter.records(), FILES_KEPT as u64 * FLOOR_STEP);
        }
    }

    /// Writes all stores to disk and drops them from the page cache. Pages that a process has mapped stay, so the brokers must
    /// not run.
    pub fn drop_page_cache(&self) {
        assert!(self.servers.is_empty(), "stop the brokers before");
        for conf in &self.confs {
            for folder in tree(&store(conf)) {
                for path in files_in(&folder) {
                    let file = fs::File::open(path).unwrap();
                    file.sync_all().unwrap();
                    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
                }
            }
        }
    }

    /// Ends the brokers as an operator does; returns how long the last one took.
    pub fn stop_brokers(&mut self) -> Duration {
        let began = Instant::now();
        self.servers.iter().for_each(Process::ask_to_stop);
        self.servers.iter_mut().for_each(Process::wait);
        self.servers.clear();
        began.elapsed()
    }

    /// Ends the brokers as a crash does.
    pub fn kill_brokers(&mut self) {
        self.servers.iter_mut().for_each(Process::kill);
        self.servers.clear();
    }

    /// Ends everything; returns how long the last broker took.
    pub fn stop(&mut self) -> Duration {
        let took = self.stop_brokers();
        if let Some(process) = &mut self.namesrv_process {
            process.ask_to_stop();
            process.wait();
        }
        took
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.servers.clear();
        self.namesrv_process = None;
        let _ = fs::remove_dir_all(&self.starter.directory);
    }
}

/// A broker's configuration file stands beside its store.
fn store(conf: &Path) -> PathBuf {
    let name = conf.file_stem().unwrap().to_str().unwrap();
    conf.with_file_name(format!("store-{name}"))
}

/// The folder and all below it; none if it does not exist.
fn tree(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let below = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    below.flat_map(|path| tree(&path)).chain([folder.to_owned()]).collect()
}

/// Sorted by name, which for commit logs is by age.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

/// A hole up to `kept` bytes before the end.
fn punch(path: &Path, kept: u64) {
    use rustix::fs::FallocateFlags;
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len().saturating_sub(kept);
    if length == 0 {
        return;
    }
    rustix::fs::fallocate(&file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, 0, length).unwrap();
}

struct Starter {
    plan: Plan,
    directory: PathBuf,
}

impl Starter {
    /// A stock Java file that both implementations read; everything it does not say has Java's default.
    fn conf(&self, index: usize, namesrv: &str, lines: &str) -> PathBuf {
        let file = format!("broker-{index}.conf");
        let (number, id) = if self.plan.group { (0, index) } else { (index, 0) };
        let path = self.directory.join(&file);
        let store = store(&path);
        let store = store.display();
        let flush = if self.plan.sync_flush { "flushDiskType=SYNC_FLUSH\n" } else { "" };
        let text = format!(
            "brokerClusterName=DefaultCluster\nbrokerName=broker-{number}\nbrokerId={id}\nbrokerIP1=127.0.0.1\nlistenPort={}\n\
             namesrvAddr={namesrv}\nstorePathRootDir={store}\nstorePathCommitLog={store}/commitlog\n{flush}{}{lines}",
            free_port(),
            self.plan.conf
        );
        self.write(&file, &text)
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
        let http = format!("127.0.0.1:{}", free_port());
        text.push_str(&format!("\n[http]\nlisten = \"{http}\"\n"));
        self.ours(name, &text).with_http(http)
    }

    fn ours(&self, name: &str, toml: &str) -> Process {
        let file = self.write(&format!("{name}.toml"), toml);
        let mut command = Command::new(&self.plan.server);
        command.args(["run", "-c"]).arg(file).env("RUST_LOG", "warn");
        Process::start(name, &self.directory, command)
    }

    fn records(&self) -> PathBuf {
        self.directory.join("records")
    }

    /// This very program, which holds the floor too.
    fn floor(&self, address: &str) -> Process {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let port = address.rsplit(':').next().unwrap();
        command.args(["floor", "--port", port, "--file"]).arg(self.records());
        if self.plan.sync_flush {
            command.arg("--sync");
        }
        Process::start("floor", &self.directory, command)
    }

    fn java_namesrv(&self, port: u16) -> Process {
        let file = self.write("namesrv.conf", &format!("listenPort={port}\n"));
        self.java("namesrv", "org.apache.rocketmq.namesrv.NamesrvStartup", &file)
    }

    fn java_container(&self, name: &str, namesrv: &str, confs: &[PathBuf]) -> Process {
        let paths: Vec<String> = confs.iter().map(|conf| conf.display().to_string()).collect();
        let text =
            format!("listenPort={}\nnamesrvAddr={namesrv}\nbrokerConfigPaths={}\n", free_port(), paths.join(":"));
        let file = self.write(&format!("{name}.conf"), &text);
        self.java(name, "org.apache.rocketmq.container.BrokerContainerStartup", &file)
    }

    /// The virtual machine's own defaults; a home of its own for RocketMQ's log files.
    fn java(&self, name: &str, class: &str, conf: &Path) -> Process {
        let home = self.directory.join(format!("{name}-home"));
        fs::create_dir_all(&home).unwrap();
        let mut command = Command::new("java");
        command
            .arg(format!("-Duser.home={}", home.display()))
            .arg(format!("-Drocketmq.home.dir={}", home.display()))
            .args(["-cp", self.plan.java.as_deref().expect("a class path"), class, "-c"])
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

/// Asks the NameServer (106) until it answers with as many brokers as wanted.
fn await_brokers(namesrv: &str, wanted: impl Fn(usize) -> bool, processes: &mut [Process]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = Instant::now() + READY;
    runtime.block_on(async {
        let tasks = Tasks::new();
        loop {
            // A client of its own each time: one that failed to connect waits before it tries again.
            let transport = Transport::new(Limits::default());
            let client = Client::new(&"bench".into(), &transport, Arc::new(SystemClock::new()), &tasks.child(), None);
            if registered(&client, namesrv).await.is_some_and(&wanted) {
                break;
            }
            processes.iter_mut().for_each(Process::must_run);
            assert!(Instant::now() < deadline, "not the brokers wanted at {namesrv} within {READY:?}");
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
    Some(info.broker_addr_table.values().map(|name| name.broker_addrs.len()).sum())
}
