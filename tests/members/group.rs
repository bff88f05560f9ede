//! Three brokers of one DLedger group as a container starts them, with letters that pass from one to the other in this process.
//!
//! ```text
//! n0 --door--> n1 (both in "this process"), n2 over TCP; letters of a member that is shut off are lost in both directions
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mqcontainer::broker::{self, Doors, Links, Standing, Started, Upstream};
use mqcontainer::config::{Broker, Config, Role};
use mqcontainer::container;
use mqcontainer::dispatch::{Dispatch, Opened};
use mqcontainer::env::{Env, Tasks, mailbox};
use mqcontainer::protocol::raft::{Letter, MemberId};
use mqcontainer::remoting::{Client, Limits, Service, Transport};
use mqcontainer::replication::link::tcp::Listener;
use mqcontainer::store::Progress;
use tokio::sync::watch;

use crate::support::{Outcome, free_port, until};

/// The brokers that are there, by number.
type Handles = Arc<Mutex<BTreeMap<MemberId, broker::Handle>>>;

pub struct Live {
    pub started: Started,
    requests: Opened,
}

pub struct Group {
    env: Env,
    transport: Arc<Transport>,
    config: Vec<Arc<Broker>>,
    pub live: BTreeMap<u32, Live>,
    handles: Handles,
    shut_off: Arc<Mutex<BTreeSet<MemberId>>>,
    letters: mailbox::Sender<Letter>,
    doors: watch::Sender<Doors>,
    folder: tempfile::TempDir,
}

/// A configuration with these brokers.
pub fn config(folder: &Path, tables: &str) -> Config {
    let text = format!(
        "[container]\nlistenPort = {}\n[defaults]\nbrokerName = \"g\"\nbrokerIP1 = \"127.0.0.1\"\n\
         storePathRootDir = \"{}/n${{brokerId}}\"\nmappedFileSizeCommitLog = \"1MiB\"\nmaxMessageSize = \"64KiB\"\n{tables}",
        free_port(),
        folder.display()
    );
    match Config::load(Path::new("container.toml"), text.as_bytes(), &container::outside()) {
        Ok((config, _)) => config,
        Err(errors) => panic!("{errors}\n{text}"),
    }
}

/// The members of a group; `lines` belong to each of them.
fn members(folder: &Path, count: u32, lines: &str) -> Config {
    let ports: Vec<(u16, u16)> = (0..count).map(|_| (free_port(), free_port())).collect();
    let peer = |(number, (_, log)): (usize, &(u16, u16))| format!("n{number}-127.0.0.1:{log}");
    let peers: Vec<String> = ports.iter().enumerate().map(peer).collect();
    let broker = |(number, (main, _)): (usize, &(u16, u16))| {
        format!("[[broker]]\ndLegerSelfId = \"n{number}\"\nlistenPort = {main}\n{lines}\n")
    };
    let brokers: String = ports.iter().enumerate().map(broker).collect();
    let group = format!(
        "enableDLegerCommitLog = true\ndLegerPeers = \"{}\"\nraft.unsafe_raft = true\n\
         raft.heartbeat_millis = 50\nraft.election_timeout_millis = [300, 600]\n{brokers}",
        peers.join(";")
    );
    config(folder, &group)
}

impl Live {
    /// The ordered stop.
    pub async fn end(self) {
        self.started.handle.stop().await;
        self.requests.close().await;
        self.started.links.cancel();
        self.started.links.ended().await;
    }
}

impl Group {
    pub fn new(count: u32, lines: &str) -> Outcome<Group> {
        let folder = tempfile::tempdir()?;
        let config = members(folder.path(), count, lines);
        let env = container::environment(&config.container)?;
        let (letters, posted) = mailbox::bounded(1_024);
        let (handles, shut_off) = (Handles::default(), Arc::<Mutex<BTreeSet<MemberId>>>::default());
        tokio::spawn(carry(posted, Arc::clone(&handles), Arc::clone(&shut_off)));
        Ok(Group {
            env,
            transport: Transport::new(Limits::default()),
            config: config.brokers.into_iter().map(Arc::new).collect(),
            live: BTreeMap::new(),
            handles,
            shut_off,
            letters,
            doors: watch::channel(Doors::new()).0,
            folder,
        })
    }

    pub fn root(&self, member: u32) -> PathBuf {
        self.folder.path().join(format!("n{member}"))
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn env(&self) -> &Env {
        &self.env
    }

    pub fn address(&self, member: u32) -> String {
        format!("127.0.0.1:{}", self.config[member as usize].ports.main)
    }

    pub async fn start(&mut self, member: u32) -> Outcome<()> {
        let config = Arc::clone(&self.config[member as usize]);
        let live = start(&self.env, &self.transport, &config, self.letters.clone(), self.doors.subscribe()).await?;
        self.handles.lock().unwrap().insert(MemberId(member), live.started.handle.clone());
        // The last one is reached over TCP.
        if member < 2 {
            self.doors.send_modify(|doors| drop(doors.insert(MemberId(member), live.started.door.clone())));
        }
        self.live.insert(member, live);
        Ok(())
    }

    pub async fn start_all(&mut self) -> Outcome<()> {
        for member in 0..u32::try_from(self.config.len())? {
            self.start(member).await?;
        }
        Ok(())
    }

    fn forget(&mut self, member: u32) -> Live {
        self.handles.lock().unwrap().remove(&MemberId(member));
        self.doors.send_modify(|doors| drop(doors.remove(&MemberId(member))));
        self.live.remove(&member).unwrap()
    }

    /// One broker is gone from one moment to the next; its neighbours go on.
    pub async fn kill(&mut self, member: u32) {
        let live = self.forget(member);
        live.started.ended.abort();
        live.requests.close().await;
        live.started.links.cancel();
        let _aborted = live.started.ended.await;
        live.started.links.ended().await;
    }

    pub async fn stop(&mut self, member: u32) {
        self.forget(member).end().await;
    }

    pub async fn stop_all(&mut self) {
        for member in self.live.keys().copied().collect::<Vec<_>>() {
            self.stop(member).await;
        }
    }

    /// Its letters are lost from now on, or pass again.
    pub fn shut_off(&self, member: u32, is_off: bool) {
        let mut shut_off = self.shut_off.lock().unwrap();
        match is_off {
            true => drop(shut_off.insert(MemberId(member))),
            false => drop(shut_off.remove(&MemberId(member))),
        }
    }

    pub fn standing(&self, member: u32) -> Option<Standing> {
        *self.live.get(&member)?.started.standing.borrow()
    }

    /// The master among these, as it announces itself.
    fn master(&self, among: &[u32]) -> Option<u32> {
        let mut masters = among.iter().copied().filter(|member| {
            let announced = self.live.get(member).map(|live| live.started.announcements.borrow().clone());
            announced.is_some_and(|announced| announced.role == Role::SyncMaster && announced.identity.id.0 == 0)
        });
        let found = masters.next();
        found.filter(|_| masters.next().is_none())
    }

    /// Waits for one master among these members.
    pub async fn leader(&self, among: &[u32]) -> u32 {
        until("a leader", || async { self.master(among).is_some() }).await;
        self.master(among).unwrap()
    }

    /// Waits until all logs have the same bytes.
    pub async fn logs_become_equal(&self) {
        let logs = || self.live.keys().map(|member| log(&self.root(*member))).collect::<Vec<_>>();
        until("equal logs", || async {
            let logs = logs();
            logs.windows(2).all(|pair| pair[0] == pair[1])
        })
        .await;
    }
}

/// The bytes of a commit log up to the last that is not zero.
pub fn log(root: &Path) -> Vec<u8> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root.join("commitlog")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut bytes: Vec<u8> = files.iter().flat_map(|file| std::fs::read(file).unwrap()).collect();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

/// Starts one broker with its port for requests.
pub async fn start(
    env: &Env,
    transport: &Arc<Transport>,
    config: &Arc<Broker>,
    letters: mailbox::Sender<Letter>,
    doors: watch::Receiver<Doors>,
) -> Outcome<Live> {
    let owner: Arc<str> = config.identity.to_string().into();
    let tasks = Tasks::new();
    let (ip, port) = (config.addresses.client, config.ports.ha);
    let mut listening = tokio::net::TcpListener::bind(SocketAddr::new(ip, port)).await;
    for _ in 0..100 {
        if listening.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        listening = tokio::net::TcpListener::bind(SocketAddr::new(ip, port)).await;
    }
    let links = Links {
        listener: Listener::Port(listening?),
        client: Client::new(&owner, transport, Arc::clone(&env.clock), &tasks, None),
        upstream: Arc::new(watch::channel(Upstream::default()).0),
        members: watch::channel(None).1,
        escapes: mailbox::bounded(1).0,
        letters,
        doors,
    };
    let env = Env { tasks: Tasks::new(), ..env.clone() };
    let started = broker::start(Arc::clone(config), &env, Arc::new(Progress::default()), links).await?;
    let service: Arc<dyn Service> = Arc::new(started.handle.clone());
    let dispatch = Dispatch::new(transport, &tasks);
    let requests = dispatch.open(&owner, SocketAddr::new(ip, config.ports.main), None, service)?;
    Ok(Live { started, requests })
}

/// Brings letters to brokers that are there.
async fn carry(mut posted: mailbox::Receiver<Letter>, handles: Handles, shut_off: Arc<Mutex<BTreeSet<MemberId>>>) {
    while let Some(Letter { from, to, message, .. }) = posted.recv().await {
        let is_lost = {
            let shut_off = shut_off.lock().unwrap();
            shut_off.contains(&from) || shut_off.contains(&to)
        };
        let handle = handles.lock().unwrap().get(&to).cloned();
        if let Some(handle) = handle.filter(|_| !is_lost) {
            handle.deliver(from, message);
        }
    }
}
