//! Starting a broker: store and files are read on the I/O pool, then the actor begins.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::config::{Broker, Role};
use crate::env::{Disk, Env, TaskKind, mailbox};
use crate::protocol::ha::Epoch;
use crate::protocol::ids::Millis;
use crate::protocol::json;
use crate::remoting::Client;
use crate::replication::epochs::Epochs;
use crate::replication::following::Following;
use crate::replication::leading::Leading;
use crate::replication::link::local::Door;
use crate::replication::link::tcp::Listener;
use crate::replication::sender::LinkOptions;
use crate::store::{self, Progress, Store};

use super::action::ConfigFile;
use super::actor::{Actor, Parts};
use super::core::{Core, Loaded};
use super::escape::Escaped;
use super::group::Members;
use super::handle::{Handle, Started};
use super::metadata::Follower;
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
    let weight = usize::try_from(config.limits.io_weight).unwrap_or(1);
    let share = env.pool.share(POOL_JOBS_MAX * weight);
    let (opening, disk) = (Arc::clone(&config), Arc::clone(&env.disk));
    let now = Millis(env.clock.now_millis());
    let seed = env.entropy.next_u64();
    let (store, core) = share.run(move || open(&opening, &disk, now, seed, &progress)).await??;

    let owner: Arc<str> = config.identity.to_string().into();
    let requests_limit = config.limits.inflight_requests;
    let (mailbox, requests) = mailbox::bounded(requests_limit);
    let (control, controls) = mailbox::bounded(CONTROL_LIMIT);
    let (results, inbound) = mailbox::bounded(RESULTS_LIMIT);
    let (announce, announcements) = watch::channel(core.announcement());
    let readers =
        Readers::new(store.view(), env.tasks.clone(), (share.clone(), weight), results.clone(), Arc::clone(&owner));
    let stages = Arc::new(Stages::default());
    let (present, presence) = watch::channel(core.presence());
    let (log, logs) = watch::channel(core.log_state(&store, 0));
    let (news, incoming) = mailbox::bounded(INCOMING_LIMIT);
    let group = Env { tasks: env.tasks.child(), ..env.clone() };
    if config.role == Role::Slave {
        let (upstream, client) = (links.upstream.subscribe(), links.client.clone());
        let follower = Follower::new(&config, (client, upstream), results.clone(), Arc::clone(&env.clock));
        drop(group.tasks.spawn(TaskKind::Slave, &owner, follower.run()));
    }
    if config.role == Role::Slave || joins(&config) {
        let following = Following {
            owner: Arc::clone(&owner),
            env: group.clone(),
            log: logs.clone(),
            broker: news.clone(),
            known: links.upstream.subscribe(),
            locate: Upstream::leader,
            options: link_options(&config),
            id: config.identity.id,
        };
        drop(group.tasks.spawn(TaskKind::Replication, &owner, following.run()));
    }
    let (door, calls) = Door::new();
    let log_of = (store.view(), share.clone());
    let leading = Leading::new(Arc::clone(&owner), group.clone(), log_of, logs, news, link_options(&config));
    drop(group.tasks.spawn(TaskKind::Replication, &owner, leading.run(links.listener, calls)));
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
        readers,
        share,
        stages: Arc::clone(&stages),
    };
    let ended = env.tasks.spawn(TaskKind::BrokerActor, &owner, Actor::new(parts).run());
    let handle = Handle::new(Arc::new(config.identity.clone()), mailbox, control, requests_limit, stages);
    Ok(Started { handle, announcements, presence, ended, door, links: group.tasks })
}

/// How the links of a broker behave.
#[must_use]
pub fn link_options(config: &Broker) -> LinkOptions {
    let options = &config.replication;
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    LinkOptions {
        heartbeat: millis(options.heartbeat),
        housekeeping: millis(options.housekeeping),
        batch: options.batch_bytes,
        flow_limit: options.flow_limit,
    }
}

/// Opens a broker's store and tables, ready for an owner. Blocks: for the I/O pool. `seed` makes its unique ids differ from those of
/// its last run.
///
/// # Errors
/// [`StartError`]; the lock of the store is given back then.
pub fn open(
    config: &Arc<Broker>,
    disk: &Arc<dyn Disk>,
    now: Millis,
    seed: u64,
    progress: &Progress,
) -> Result<(Store, Core), StartError> {
    let mut store = Store::open(
        store::Options::new(config.store.clone(), config.delay_levels.clone()),
        Arc::clone(disk),
        now,
        progress,
    )?;
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
    let core = Core::new(Arc::clone(config), store.view(), &loaded, now, seed)
        .map_err(|(file, error)| unreadable(&folder, file, &error))?;
    Ok((store, core))
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
