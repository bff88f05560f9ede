//! The servers under test: our container, or Java's NameServer and brokers with the same names and ports.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::ports;
use crate::run::{Killed, jvm, tail};
use crate::toolchain::Java;

/// Short levels, so that retries and delays end soon; the last is long enough to kill a broker meanwhile. As an option the clients
/// hear of it too.
pub const MESSAGE_DELAY_LEVEL: &str = "messageDelayLevel=1s 2s 3s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 15s";

/// Never a measure of speed: a JVM on a loaded machine takes minutes.
const READY: Duration = Duration::from_secs(600);
const STOPPED: Duration = Duration::from_secs(600);

/// Which implementation answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    Ours,
    Java,
}

/// INTEROP_PEER=java tests the scenarios themselves.
pub fn peer() -> Peer {
    match std::env::var("INTEROP_PEER").as_deref() {
        Ok("java") => Peer::Java,
        Ok(other) => panic!("INTEROP_PEER={other}: only java is known"),
        Err(_) => Peer::Ours,
    }
}

/// One broker of a server. The port stays the same when the server is started again: message ids carry it.
#[derive(Clone)]
pub struct Broker {
    pub name: &'static str,
    /// 0 for a master.
    pub id: u32,
    pub port: u16,
    pub store: PathBuf,
    /// Further lines of its .conf.
    pub more: String,
}

impl Broker {
    pub fn new(name: &'static str, directory: &Path) -> Broker {
        Broker::replica(name, 0, "", directory)
    }

    /// A member of a group, with further lines of its .conf.
    pub fn replica(name: &'static str, id: u32, more: &str, directory: &Path) -> Broker {
        let store = directory.join(format!("store-{name}-{id}"));
        Broker { name, id, port: free_ports(&[-2, 0, 1]), store, more: more.to_owned() }
    }

    fn conf(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}-{}.conf", self.name, self.id))
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A stock .conf file. Small segments, so that a test sees several.
    pub fn properties(&self, namesrv: &str) -> String {
        let store = self.store.display();
        format!(
            "brokerClusterName=DefaultCluster\nbrokerName={}\nbrokerId={}\nbrokerIP1=127.0.0.1\nbrokerIP2=127.0.0.1\nlistenPort={}\n\
             namesrvAddr={namesrv}\nstorePathRootDir={store}\nstorePathCommitLog={store}/commitlog\n\
             mappedFileSizeCommitLog=16777216\nwaitTimeMillsInSendQueue=10000\n{MESSAGE_DELAY_LEVEL}\n{}\n",
            self.name, self.id, self.port, self.more
        )
    }
}

/// Running servers; they are killed when this is dropped.
pub struct Server {
    pub namesrv: String,
    pub brokers: Vec<Broker>,
    /// The admin port of the container, where addBroker goes to.
    pub container: Option<String>,
    processes: Vec<Killed>,
    directory: PathBuf,
    logs: AtomicUsize,
    _temporary: Option<tempfile::TempDir>,
}

impl Server {
    /// A NameServer and two masters of the implementation under test, in a directory of their own.
    pub fn start(java: &Java, peer: Peer) -> Server {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().to_owned();
        let brokers = vec![Broker::new("broker-a", &directory), Broker::new("broker-b", &directory)];
        let mut server = match peer {
            Peer::Ours => Server::ours(&directory, brokers, None),
            Peer::Java => Server::java_all(java, &directory, brokers),
        };
        server._temporary = Some(temporary);
        server
    }

    /// Our container with these brokers; with a NameServer inside unless an outside one is given.
    pub fn ours(directory: &Path, brokers: Vec<Broker>, outside: Option<&str>) -> Server {
        let (http, container) = (free_ports(&[0]), free_ports(&[-2, 0]));
        let inside = free_ports(&[0]);
        let namesrv = outside.map_or_else(|| format!("127.0.0.1:{inside}"), str::to_owned);
        let mut server = Server::empty(directory, namesrv, brokers);
        let mut toml = format!(
            "[container]\nlistenPort = {container}\nnamesrvAddr = \"{}\"\nbindAddress = \"127.0.0.1\"\n\n\
             [http]\nlisten = \"127.0.0.1:{http}\"\n\n",
            server.namesrv
        );
        if outside.is_none() {
            let kv = directory.join("kvConfig.json");
            write!(toml, "[namesrv]\nlistenPort = {inside}\nkvConfigPath = \"{}\"\n\n", kv.display()).unwrap();
        }
        for broker in &server.brokers {
            let conf = broker.conf(directory);
            fs::write(&conf, broker.properties(&server.namesrv)).unwrap();
            write!(toml, "[[broker]]\ninclude = \"{}\"\n\n", conf.display()).unwrap();
        }
        let file = directory.join("container.toml");
        fs::write(&file, toml).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqcontainer"));
        command.args(["run", "-c"]).arg(&file).current_dir(directory);
        server.spawn("container", command);
        server.container = Some(format!("127.0.0.1:{container}"));
        server.await_ready("container", || http_ok(http, "/readyz"));
        server
    }

    fn java_all(java: &Java, directory: &Path, brokers: Vec<Broker>) -> Server {
        let mut server = Server::java_namesrv(java, directory);
        server.add_java_brokers(java, brokers);
        server
    }

    /// A Java NameServer alone.
    pub fn java_namesrv(java: &Java, directory: &Path) -> Server {
        let port = free_ports(&[0]);
        let mut server = Server::empty(directory, format!("127.0.0.1:{port}"), Vec::new());
        let home = directory.join("namesrv");
        let conf = directory.join("namesrv.conf");
        let paths = format!("kvConfigPath={0}/kv.json\nconfigStorePath={0}/namesrv.properties\n", home.display());
        let acting = "supportActingMaster=true\nscanNotActiveBrokerInterval=500\n";
        fs::write(&conf, format!("listenPort={port}\n{acting}{paths}")).unwrap();
        server.java("namesrv", java, "org.apache.rocketmq.namesrv.NamesrvStartup", &conf);
        server
    }

    /// One broker of either implementation, registered at another server's NameServer.
    pub fn member(java: &Java, peer: Peer, directory: &Path, broker: &Broker, namesrv: &Server) -> Server {
        match peer {
            Peer::Ours => Server::ours(directory, vec![broker.clone()], Some(&namesrv.namesrv)),
            Peer::Java => {
                let mut server = Server::empty(directory, namesrv.namesrv.clone(), Vec::new());
                server.add_java_brokers(java, vec![broker.clone()]);
                server
            }
        }
    }

    /// Starts Java brokers that register at this server's NameServer.
    pub fn add_java_brokers(&mut self, java: &Java, brokers: Vec<Broker>) {
        for broker in brokers {
            let conf = broker.conf(&self.directory);
            fs::write(&conf, broker.properties(&self.namesrv)).unwrap();
            self.java(broker.name, java, "org.apache.rocketmq.broker.BrokerStartup", &conf);
            self.brokers.push(broker);
        }
    }

    /// Starts an empty Java container for addBroker and removeBroker.
    pub fn add_java_container(&mut self, java: &Java) {
        let port = free_ports(&[-2, 0]);
        let conf = self.directory.join("container.conf");
        fs::write(&conf, format!("listenPort={port}\nnamesrvAddr={}\n", self.namesrv)).unwrap();
        self.java("container", java, "org.apache.rocketmq.container.BrokerContainerStartup", &conf);
        self.container = Some(format!("127.0.0.1:{port}"));
    }

    fn java(&mut self, name: &str, java: &Java, class: &str, conf: &Path) {
        let home = self.directory.join(name);
        fs::create_dir_all(&home).unwrap();
        let mut command = jvm(&java.server_5_5_0);
        command
            .arg(format!("-Duser.home={}", home.display()))
            .arg(format!("-Drocketmq.home.dir={}", home.display()))
            .args([class, "-c"])
            .arg(conf)
            .env("ROCKETMQ_HOME", &home);
        let log = self.spawn(name, command);
        self.await_ready(name, || fs::read_to_string(&log).is_ok_and(|text| text.contains("success")));
    }

    fn empty(directory: &Path, namesrv: String, brokers: Vec<Broker>) -> Server {
        Server {
            namesrv,
            brokers,
            container: None,
            processes: Vec::new(),
            directory: directory.to_owned(),
            logs: AtomicUsize::new(0),
            _temporary: None,
        }
    }

    fn spawn(&mut self, name: &str, mut command: Command) -> PathBuf {
        let log = self.log_file(name);
        let file = File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        self.processes.push(Killed(command.spawn().expect("start the server")));
        log
    }

    fn await_ready(&mut self, name: &str, ready: impl Fn() -> bool) {
        let deadline = Instant::now() + READY;
        while !ready() {
            let ended = self.processes.last_mut().unwrap().0.try_wait().unwrap();
            assert!(ended.is_none(), "{name} ended with {ended:?}\n{}", self.logs());
            assert!(Instant::now() < deadline, "{name} not ready within {READY:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends all processes as an operator does, last started first, and waits: stores are left clean.
    pub fn stop(mut self) {
        while let Some(mut process) = self.processes.pop() {
            kill_process(Pid::from_child(&process.0), Signal::TERM).unwrap();
            let deadline = Instant::now() + STOPPED;
            while process.0.try_wait().unwrap().is_none() {
                assert!(Instant::now() < deadline, "not stopped within {STOPPED:?}\n{}", self.logs());
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Ends all processes as a failure does.
    pub fn kill(&mut self) {
        self.processes.clear();
    }

    /// Keeps all processes from running, their connections stay: a machine that hangs.
    pub fn freeze(&self) {
        for process in &self.processes {
            kill_process(Pid::from_child(&process.0), Signal::STOP).unwrap();
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file in this server's directory for the output of one process.
    pub fn log_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{:03}-{name}.log", self.logs.fetch_add(1, Ordering::Relaxed)))
    }

    /// The ends of what the servers printed.
    pub fn logs(&self) -> String {
        let mut files: Vec<PathBuf> =
            fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| {
            path.extension().is_some_and(|end| end == "log") && !path.to_string_lossy().contains("-client")
        });
        files.sort();
        files
            .iter()
            .map(|path| format!("--- {}\n{}\n", path.display(), tail(&fs::read_to_string(path).unwrap_or_default())))
            .collect()
    }
}

/// One server for all tests that do not change it; it ends with the last of them.
pub fn shared(java: &Java) -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start(java, peer()));
        *shared = Arc::downgrade(&server);
        server
    })
}

/// A port that is free together with its neighbours at the given distances.
pub fn free_ports(distances: &[i32]) -> u16 {
    ports::claim(distances)
}

fn http_ok(port: u16, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    stream.write_all(request.as_bytes()).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
