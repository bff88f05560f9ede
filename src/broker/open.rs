//! Starting a broker: store and files are read on the I/O pool, then the actor begins.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use crate::config::{Broker, Role};
use crate::env::{Disk, Env, TaskKind, mailbox};
use crate::protocol::ids::Millis;
use crate::protocol::json;
use crate::remoting::Client;
use crate::store::{self, Progress, Store};

use super::action::ConfigFile;
use super::actor::{Actor, Parts};
use super::core::{Core, Loaded};
use super::handle::{Handle, Started};
use super::metadata::Follower;
use super::readers::Readers;
use super::stages::Stages;
use super::upstream::Upstream;

/// Control messages that may wait: snapshots, stops, closed connections.
const CONTROL_LIMIT: usize = 4_096;

/// Results of readers and jobs that may wait.
const RESULTS_LIMIT: usize = 4_096;

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
    /// The I/O pool did not run the start.
    #[error("the i/o pool did not open the store: {0}")]
    Pool(#[from] crate::env::Full),
}

/// Starts a broker; `progress` shows how far its recovery is. A slave finds its master at `upstream` and calls it by `client`; for a
/// master neither is used.
///
/// # Errors
/// [`StartError`]; nothing of the broker is left then.
pub async fn start(
    config: Arc<Broker>,
    env: &Env,
    progress: Arc<Progress>,
    client: Client,
    upstream: watch::Receiver<Upstream>,
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
    if config.role == Role::Slave {
        let follower = Follower { client, upstream, results: results.clone(), owner: Arc::clone(&owner) };
        drop(env.tasks.spawn(TaskKind::Slave, &owner, follower.run()));
    }
    let parts = Parts {
        core,
        store,
        env: env.clone(),
        owner: Arc::clone(&owner),
        config_folder: config.store.root.join("config"),
        mailbox: requests,
        control: controls,
        inbound,
        results,
        announce,
        readers,
        share,
        stages: Arc::clone(&stages),
    };
    let ended = env.tasks.spawn(TaskKind::BrokerActor, &owner, Actor::new(parts).run());
    let handle = Handle::new(Arc::new(config.identity.clone()), mailbox, control, requests_limit, stages);
    Ok(Started { handle, announcements, ended })
}

fn open(
    config: &Arc<Broker>,
    disk: &Arc<dyn Disk>,
    now: Millis,
    seed: u64,
    progress: &Progress,
) -> Result<(Store, Core), StartError> {
    let store = Store::open(
        store::Options::new(config.store.clone(), config.delay_levels.clone()),
        Arc::clone(disk),
        now,
        progress,
    )?;
    let folder = config.store.root.join("config");
    disk.create_dir(&folder).map_err(|error| unreadable(&folder, ConfigFile::Topics, &error))?;
    let loaded = Loaded {
        topics: load(&**disk, &folder, ConfigFile::Topics)?,
        groups: load(&**disk, &folder, ConfigFile::Groups)?,
        consumer_offsets: load(&**disk, &folder, ConfigFile::ConsumerOffsets)?,
        delay_offsets: load(&**disk, &folder, ConfigFile::DelayOffsets)?,
    };
    let core = Core::new(Arc::clone(config), store.view(), &loaded, now, seed)
        .map_err(|(file, error)| unreadable(&folder, file, &error))?;
    Ok((store, core))
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
