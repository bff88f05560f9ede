//! Starting a broker: store and files are read on the I/O pool, then the actor begins.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Broker, Dledger, Role};
use crate::env::{Disk, Env, TaskKind, mailbox};
use crate::protocol::ha::Epoch;
use crate::protocol::ids::{Millis, PhysicalOffset};
use crate::protocol::json;
use crate::protocol::raft::{Letter, MemberId};
use crate::raft::{self, Hard, Raft};
use crate::remoting::Client;
use crate::replication::epochs::Epochs;
use crate::replication::following::Leader;
use crate::replication::link::tcp::Listener;
use crate::store::{self, Commits, Progress, Store};

use super::action::ConfigFile;
use super::actor::{Actor, Doors, Parts};
use super::core::{Core, Loaded};
use super::escape::Escaped;
use super::group::Members;
use super::handle::{Handle, Started};
use super::links::LinkTasks;
use super::raft::entry::as_follower;
use super::raft::{Member, StateError, open_state};
use super::readers::Readers;
use super::role::joins;
use super::stages::Stages;
use super::upstream::Upstream;

/// Control messages that may wait: snapshots, stops, closed connections.
const CONTROL_LIMIT: usize = 4_096;

/// Results of readers and jobs that may wait.
const RESULTS_LIMIT: usize = 4_096;

/// Frames and reports that may wait for the broker; a frame has `haTransferBatchSize` bytes.
const INCOMING_LIMIT: usize = 256;

/// What other members of a DLedger group have said and the broker has not heard yet.
const POSTS_LIMIT: usize = 256;

/// Jobs of one broker that wait or run in the pool: store, files, cold reads.
const POOL_JOBS_MAX: usize = 64;

/// Why a broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its store did not open.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A configuration file cannot be read; neither can its `.bak`.
    #[error(
        "{folder}/{file} cannot be read ({reason}), and neither can its .bak; restore it, or remove both to start without it"
    )]
    File {
        /// The folder.
        folder: String,
        /// The file.
        file: &'static str,
        /// The error.
        reason: String,
    },
    /// The epochs of its log cannot be read or written.
    #[error("{path}: {reason}")]
    Epochs {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A member of a DLedger group does not know what it has promised.
    #[error(transparent)]
    State(#[from] StateError),
    /// The I/O pool did not run the start.
    #[error("the i/o pool did not open the store: {0}")]
    Pool(#[from] crate::env::Full),
}

/// How a broker meets the other members of its group.
pub struct Links {
    /// Where they connect for the log.
    pub listener: Listener,
    /// By which a slave calls its master.
    pub client: Client,
    /// Where a slave finds its master: what the container knows, and what a master that comes back says itself (906).
    pub upstream: Arc<watch::Sender<Upstream>>,
    /// The group as the NameServers know it; `None` until one has answered.
    pub members: watch::Receiver<Option<Members>>,
    /// Takes messages for other masters.
    pub escapes: mailbox::Sender<Escaped>,
    /// Takes what a member of a DLedger group says to the others.
    pub letters: mailbox::Sender<Letter>,
    /// The other members of its DLedger group that live in this process.
    pub doors: watch::Receiver<Doors>,
}

/// Starts a broker; `progress` shows how far its recovery is.
///
/// # Errors
/// [`StartError`]; nothing of the broker is left then.
pub async fn start(
    config: Arc<Broker>,
    env: &Env,
    progress: Arc<Progress>,
    links: Links,
) -> Result<Started, StartError> {
    let identity = Arc::new(config.identity.clone());
    let config = as_follower(&config);
    let weight = usize::try_from(config.limits.io_weight).unwrap_or(1);
    let share = env.pool.share(POOL_JOBS_MAX * weight);
    let (opening, disk) = (Arc::clone(&config), Arc::clone(&env.disk));
    let steady = Millis(i64::try_from(env.clock.monotonic().as_millis()).unwrap_or(i64::MAX));
    let times = (Millis(env.clock.now_millis()), steady);
    let seed = env.entropy.next_u64();
    let (store, core) = share.run(move || open(&opening, &disk, times, seed, &progress)).await??;

    let owner: Arc<str> = config.identity.to_string().into();
    let requests_limit = config.limits.inflight_requests;
    let (mailbox, requests) = mailbox::bounded(requests_limit);
    let (control, controls) = mailbox::bounded(CONTROL_LIMIT);
    let (results, inbound) = mailbox::bounded(RESULTS_LIMIT);
    let (announce, announcements) = watch::channel(core.announcement());
    let readers =
        Readers::new(store.view(), env.tasks.clone(), (share.clone(), weight), results.clone(), Arc::clone(&owner));
    let stages = Arc::new(Stages::default());
    let (posts, posted) = mailbox::bounded(POSTS_LIMIT);
    let (standing, stands) = watch::channel(core.standing());
    let (leader, leaders) = watch::channel(Leader::default());
    let (present, presence) = watch::channel(core.presence());
    let (log, logs) = watch::channel(core.log_state(&store, 0));
    let (news, incoming) = mailbox::bounded(INCOMING_LIMIT);
    let group = Env { tasks: env.tasks.child(), ..env.clone() };
    let tasks = LinkTasks { config: &config, owner: &owner, env: &group, log: logs, news };
    tasks.copy_tables(links.client.clone(), links.upstream.subscribe(), results.clone());
    tasks.copy_log(leaders, links.upstream.subscribe());
    let door = tasks.give_log((store.view(), share.clone()), links.listener);
    let parts = Parts {
        core,
        store,
        env: env.clone(),
        owner: Arc::clone(&owner),
        config_folder: config.store.root.join("config"),
        mailbox: requests,
        control: controls,
        inbound,
        incoming,
        log,
        epoch_file: config.store.epoch_file(),
        results,
        announce,
        presence: present,
        members: links.members,
        upstream: links.upstream,
        client: links.client,
        escapes: links.escapes,
        posts: posted,
        letters: links.letters,
        doors: links.doors,
        leader,
        standing,
        state_file: state_file(&config),
        readers,
        share,
        stages: Arc::clone(&stages),
    };
    let ended = env.tasks.spawn(TaskKind::BrokerActor, &owner, Actor::new(parts).run());
    let handle = Handle::new(identity, mailbox, control, requests_limit, (stages, posts));
    Ok(Started { handle, announcements, presence, standing: stands, ended, door, links: group.tasks })
}

/// Where a member of a DLedger group keeps its promises.
fn state_file(config: &Broker) -> PathBuf {
    config.store.root.join("raftState")
}

/// Opens a broker's store and tables, ready for an owner. Blocks: for the I/O pool. `now` is the time by the wall and by a clock that never
/// goes back; `seed` makes its unique ids, and the chance in its elections, differ from those of its last run.
///
/// # Errors
/// [`StartError`]; the lock of the store is given back then.
pub fn open(
    config: &Arc<Broker>,
    disk: &Arc<dyn Disk>,
    (now, steady): (Millis, Millis),
    seed: u64,
    progress: &Progress,
) -> Result<(Store, Core), StartError> {
    let config = &as_follower(config);
    let commits = config.dledger.is_some().then(|| match disk.exists(&state_file(config)) {
        true => Commits::InCheckpoint,
        false => Commits::Unknown,
    });
    let options = store::Options { commits, ..store::Options::new(config.store.clone(), config.delay_levels.clone()) };
    let mut store = Store::open(options, Arc::clone(disk), now, progress)?;
    if config.role == Role::Slave || joins(config) {
        store.follow_master();
    }
    let folder = config.store.root.join("config");
    disk.create_dir(&folder).map_err(|error| unreadable(&folder, ConfigFile::Topics, &error))?;
    let loaded = Loaded {
        topics: load(&**disk, &folder, ConfigFile::Topics)?,
        groups: load(&**disk, &folder, ConfigFile::Groups)?,
        consumer_offsets: load(&**disk, &folder, ConfigFile::ConsumerOffsets)?,
        delay_offsets: load(&**disk, &folder, ConfigFile::DelayOffsets)?,
        epochs: epochs(config, &**disk, &store)?,
    };
    let mut core = Core::new(Arc::clone(config), store.view(), &loaded, now, seed)
        .map_err(|(file, error)| unreadable(&folder, file, &error))?;
    if let Some(dledger) = &config.dledger {
        let hard = open_state(&**disk, &state_file(config), dledger, &loaded.epochs)?;
        core.take_part(member(dledger, hard, store.committed(), steady, seed));
    }
    Ok((store, core))
}

fn member(config: &Dledger, hard: Hard, committed: PhysicalOffset, now: Millis, seed: u64) -> Member {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let options = raft::Options {
        heartbeat_millis: millis(config.heartbeat),
        election_min_millis: millis(config.election_min),
        election_max_millis: millis(config.election_max),
        ..raft::Options::default()
    };
    let me = MemberId(config.me);
    Member::new(Raft::new(options, me, hard, committed, now, seed), me, &config.group, now)
}

/// Who wrote which part of the log. A master begins a new epoch with each start: what it may have lost since its followers
/// last heard of it is told apart by that from what it writes now. One that joins its group does so when it has what they have.
fn epochs(config: &Broker, disk: &dyn Disk, store: &Store) -> Result<Epochs, StartError> {
    let path = config.store.epoch_file();
    let wrong = |reason: String| StartError::Epochs { path: path.display().to_string(), reason };
    let backup = path.with_extension("bak");
    let read = |path: &Path| match disk.exists(path) {
        false => Ok(None),
        true => {
            let content = disk.read(path).map_err(|error| wrong(error.to_string()))?;
            Epochs::from_file(&String::from_utf8_lossy(&content)).map(Some).map_err(|error| wrong(error.to_string()))
        }
    };
    let mut epochs = match read(&path) {
        Ok(Some(epochs)) => epochs,
        Ok(None) => read(&backup)?.unwrap_or_default(),
        // Replaced atomically by us, but not by Java.
        Err(error) => read(&backup)?.ok_or(error)?,
    };
    let (first, end) = store.view().log_range();
    // What is behind the end was lost with it.
    epochs.cut(end + 1);
    if config.role != Role::Slave && !joins(config) {
        if epochs.newest().is_none() && end > first {
            epochs.begin(Epoch { number: 1, start: first });
        }
        epochs.advance(first);
        let number = epochs.newest().map_or(1, |newest| newest.number + 1);
        epochs.begin(Epoch { number, start: end });
        disk.replace(&path, epochs.to_file().as_bytes(), Some(&backup)).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(epochs)
}

/// The file's content, or that of its `.bak` when the file is missing, empty or no JSON (Java: `ConfigManager.load`).
fn load(disk: &dyn Disk, folder: &Path, file: ConfigFile) -> Result<Option<Vec<u8>>, StartError> {
    let mut problem = None;
    for name in [file.file_name().to_owned(), format!("{}.bak", file.file_name())] {
        let path = folder.join(name);
        if !disk.exists(&path) {
            continue;
        }
        let content = disk.read(&path).map_err(|error| unreadable(folder, file, &error))?;
        if content.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match json::from_java::<serde_json::Value>(&content) {
            Ok(_) => return Ok(Some(content)),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "not JSON, trying the previous version");
                problem = Some(error.to_string());
            }
        }
    }
    match problem {
        None => Ok(None),
        Some(problem) => Err(unreadable(folder, file, &problem)),
    }
}

fn unreadable(folder: &Path, file: ConfigFile, error: &dyn std::fmt::Display) -> StartError {
    StartError::File { folder: folder.display().to_string(), file: file.file_name(), reason: error.to_string() }
}
