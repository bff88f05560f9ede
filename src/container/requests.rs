//! Requests to the container itself, on its own two ports (Java: `BrokerContainerProcessor`).
//!
//! ```text
//! 902 ADD_BROKER     --task--> read .conf on the pool -> supervisor.add -----> answered when the broker serves
//! 903 REMOVE_BROKER  --task--> supervisor.remove ----------------------------> answered when its lock is given back
//! 25 UPDATE          --task--> configuration in force, registrar
//! 26 GET             --at once, from the configuration in force
//! anything else      --code 3
//! ```
//!
//! Unlike Java's single admin thread, a recovery that takes minutes keeps nobody else waiting.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::{self, Config, Outside};
use crate::dispatch::not_supported;
use crate::env::{Env, TaskKind};
use crate::protocol::body::data_version::DataVersion;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::container::{AddBrokerRequest, RemoveBrokerRequest};
use crate::protocol::ids::{BrokerIdentity, Millis};
use crate::protocol::json;
use crate::remoting::{Connection, ReplySlot, Request, Service};

use super::error::Error;
use super::registration::Registrar;
use super::supervisor::Supervisor;

/// Changes under way at once.
const CHANGES_MAX: usize = 64;

/// Files that are read for additions at once.
const READS_MAX: usize = 4;

/// The service of the container's ports. Cloning is cheap; clones are the same.
#[derive(Clone)]
pub(super) struct Requests {
    shared: Arc<Shared>,
}

struct Shared {
    supervisor: Supervisor,
    registrar: Registrar,
    config: Arc<Config>,
    outside: Arc<Outside>,
    env: Env,
    owner: Arc<str>,
    share: crate::env::Share,
    changes: AtomicUsize,
    in_force: Mutex<InForce>,
}

/// `[container]` as it is now; changes last until the process ends.
struct InForce {
    container: config::Container,
    version: DataVersion,
}

impl Requests {
    pub(super) fn new(
        supervisor: Supervisor,
        registrar: Registrar,
        config: Arc<Config>,
        outside: Arc<Outside>,
        env: &Env,
    ) -> Requests {
        let container = config.container.clone();
        let version = DataVersion::new(Millis(env.clock.now_millis()));
        Requests {
            shared: Arc::new(Shared {
                supervisor,
                registrar,
                config,
                outside,
                env: env.clone(),
                owner: super::OWNER.into(),
                share: env.pool.share(READS_MAX),
                changes: AtomicUsize::new(0),
                in_force: Mutex::new(InForce { container, version }),
            }),
        }
    }

    /// Starts an addition, removal or update in a task of its own.
    fn change(&self, command: Command, reply: ReplySlot) {
        let place = Place::take(&self.shared);
        let Some(place) = place else { return reply.answer(refusal(&Error::Busy { limit: CHANGES_MAX })) };
        let shared = Arc::clone(&self.shared);
        let task = async move {
            let outcome = match command.code {
                request::ADD_BROKER => shared.add(&command).await,
                request::REMOVE_BROKER => shared.remove(&command).await,
                _ => shared.update(&command).await,
            };
            drop(place);
            reply.answer(match outcome {
                Ok(answer) => answer,
                Err(error) => {
                    tracing::warn!(code = command.code, %error, "request to the container refused");
                    refusal(&error)
                }
            });
        };
        drop(self.shared.env.tasks.spawn(TaskKind::ContainerRequest, &self.shared.owner, task));
    }
}

impl Service for Requests {
    fn request(&self, Request { command, reply, .. }: Request) {
        match command.code {
            request::ADD_BROKER | request::REMOVE_BROKER | request::UPDATE_BROKER_CONFIG => self.change(command, reply),
            request::GET_BROKER_CONFIG => reply.answer(self.shared.show()),
            other => reply.answer(not_supported(other)),
        }
    }

    fn closed(&self, _connection: &Connection) {}
}

impl Shared {
    async fn add(&self, command: &Command) -> Result<Command, Error> {
        let header = AddBrokerRequest::decode(&command.ext).map_err(|error| Error::Header(error.to_string()))?;
        let path = header.config_path.map(str::trim).filter(|path| !path.is_empty()).ok_or(Error::NoConfigPath)?;
        let broker = self.read(PathBuf::from(path)).await?;
        let identity = self.supervisor.add(broker).await?;
        tracing::info!(broker = %identity, config_path = path, "broker added");
        Ok(success())
    }

    /// The broker a `.conf` describes; files are read on the pool.
    async fn read(&self, path: PathBuf) -> Result<config::Broker, Error> {
        let (config, outside) = (Arc::clone(&self.config), Arc::clone(&self.outside));
        let named = path.clone();
        let read = self.share.run(move || config.broker_from_conf(&path, &outside)).await;
        let unreadable = |reason| Error::Unreadable { path: named.clone(), reason };
        match read {
            Ok(Ok((broker, warnings))) => {
                for warning in &warnings.0 {
                    tracing::warn!("{warning}");
                }
                Ok(broker)
            }
            Ok(Err(errors)) => Err(match errors.0.as_slice() {
                [config::Error::Unreadable { reason, .. }] => unreadable(reason.clone()),
                _ => Error::Config(errors),
            }),
            Err(full) => Err(unreadable(full.to_string())),
        }
    }

    async fn remove(&self, command: &Command) -> Result<Command, Error> {
        let header = RemoveBrokerRequest::decode(&command.ext).map_err(|error| Error::Header(error.to_string()))?;
        let identity = BrokerIdentity {
            cluster: header.broker_cluster_name.to_owned(),
            name: header.broker_name.to_owned(),
            id: header.broker_id,
        };
        self.supervisor.remove(&identity).await?;
        tracing::info!(broker = %identity, "broker removed");
        Ok(success())
    }

    fn show(&self) -> Command {
        let in_force = self.in_force();
        let body = config::properties_text(&in_force.container.effective());
        let mut answer = Command { body: body.into_bytes().into(), ..success() };
        answer.ext.set("version", in_force.version_text());
        answer
    }

    /// Changes `[container]` until the process ends; all of the request or nothing.
    async fn update(&self, command: &Command) -> Result<Command, Error> {
        let body = command.body.to_bytes();
        let text = std::str::from_utf8(&body).map_err(|_| Error::NotProperties)?;
        let (answer, name_servers) = {
            let mut in_force = self.in_force();
            let (container, changes) = in_force.container.update(text).map_err(Error::Config)?;
            for change in &changes {
                tracing::info!(key = change.key, from = change.from, to = change.to, "container configuration changed");
            }
            if !changes.is_empty() {
                in_force.version.next(Millis(self.env.clock.now_millis()), 0);
            }
            in_force.container = container;
            let mut answer = success();
            answer.ext.set("version", in_force.version_text());
            (answer, in_force.container.namesrv_addrs.clone())
        };
        self.registrar.set_name_servers(name_servers).await;
        Ok(answer)
    }

    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InForce {
    fn version_text(&self) -> String {
        String::from_utf8_lossy(&json::to_java(&self.version)).into_owned()
    }
}

/// One of the places for changes, given back when dropped.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Place> {
        let admit = |under_way| (under_way < CHANGES_MAX).then_some(under_way + 1);
        let taken = shared.changes.fetch_update(Ordering::AcqRel, Ordering::Acquire, admit);
        taken.is_ok().then(|| Place(Arc::clone(shared)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.changes.fetch_sub(1, Ordering::AcqRel);
    }
}

fn success() -> Command {
    Command { code: response::SUCCESS, ..Command::default() }
}

fn refusal(error: &Error) -> Command {
    let code = match error {
        Error::NotExist => response::BROKER_NOT_EXIST,
        Error::Busy { .. } => response::SYSTEM_BUSY,
        Error::Config(errors) if errors.is_black_listed() => response::NO_PERMISSION,
        _ => response::SYSTEM_ERROR,
    };
    Command { code, remark: Some(error.to_string()), ..Command::default() }
}
