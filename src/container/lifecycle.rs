//! The life of one broker: started, watched, started again, stopped. One task for each broker, the same for every role.
//!
//! ```text
//!           ports taken -> store opened -> door open -> (joining its group) -> registered
//! Starting -----------------------------------------------------------------------------> Serving
//!    ^  \--any step fails--> Failed(reason) <--ended by itself, panic----------------------/  |
//!    |                          |                                                            | asked to stop
//!    +------after a pause-------+                                                            v
//!                                        unregistered -> no more requests -> stopped -> Stopped
//! ```
//!
//! A broker with `enableSlaveActingMaster` says itself when it has joined its group; what it waits for is shown until then, and it is
//! registered nowhere. It joins once in a run: one that has joined leaves its group only by ending.
//!
//! Invariant: outside of Starting, Serving and Stopping nothing of the broker is left: no port, no lock, no registration.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::broker::action::Announcement;
use crate::broker::{self, Exit, Links, Members, Presence, Standing, Started, Upstream};
use crate::config;
use crate::dispatch;
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::body::register::RegisterBrokerBody;
use crate::protocol::body::topic::TopicConfigAndMapping;
use crate::remoting::{self, BACKLOG};
use crate::store::Progress;

use super::escape;
use super::masters;
use super::ports::{Door, Ports};
use super::registration::{Membership, Registration};
use super::restart::{Action, Event, Restart};
use super::seat::{self, Seated};
use super::shared::Shared;
use super::status::{Serving, State};

/// What is done when the first start fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FirstFailure {
    /// Try again: the broker is part of the configuration.
    Retry,
    /// Leave nothing behind: somebody waits for the answer of ADD_BROKER.
    GiveUp,
}

/// The door to a life.
#[derive(Clone)]
pub(super) struct Life {
    state: watch::Receiver<State>,
    restarts: watch::Receiver<u64>,
    upstream: watch::Receiver<Upstream>,
    standing: watch::Receiver<Option<Standing>>,
    tasks: Tasks,
}

impl Life {
    /// Begins; the state can be watched from the first moment on.
    pub(super) fn begin(shared: &Arc<Shared>, config: &Arc<config::Broker>, first: FirstFailure) -> Life {
        let (state, states) = watch::channel(State::Starting { progress: Arc::default() });
        let (restarts, restarted) = watch::channel(0);
        let (upstream, upstreams) = watch::channel(Upstream::default());
        let (standing, stands) = watch::channel(None);
        let tasks = shared.lives.child();
        let life = Living {
            shared: Arc::clone(shared),
            config: Arc::clone(config),
            owner: config.identity.to_string().into(),
            tasks: tasks.clone(),
            state,
            restarts,
            upstream: Arc::new(upstream),
            standing,
            told: None,
        };
        let owner = Arc::clone(&life.owner);
        drop(tasks.spawn(TaskKind::Supervisor, &owner, life.run(first)));
        Life { state: states, restarts: restarted, upstream: upstreams, standing: stands, tasks }
    }

    /// What it is doing now.
    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// How often it was started again.
    pub(super) fn restarts(&self) -> u64 {
        *self.restarts.borrow()
    }

    /// Where its master is, as far as known; a master knows none.
    pub(super) fn upstream(&self) -> Upstream {
        self.upstream.borrow().clone()
    }

    /// What a member of a DLedger group is now; none while it does not serve, and of any other broker.
    pub(super) fn standing(&self) -> Option<Standing> {
        *self.standing.borrow()
    }

    /// Waits for the end of the first try and returns what came of it.
    pub(super) async fn settled(&self) -> State {
        let mut state = self.state.clone();
        match state.wait_for(State::is_settled).await {
            Ok(state) => state.clone(),
            // The life ended without a word, which only a panic does.
            Err(_) => State::Failed { reason: "its supervisor panicked, see the log".into(), restart_at: None },
        }
    }

    /// Waits until the broker serves clients or has failed.
    pub(super) async fn joined(&self) {
        let mut state = self.state.clone();
        // An error says that the life has ended.
        let _ended = state.wait_for(|state| state.is_settled() && !state.is_joining()).await;
    }

    /// Whether both are doors to one life.
    pub(super) fn is(&self, other: &Life) -> bool {
        self.state.same_channel(&other.state)
    }

    /// Asks the broker to stop and does not wait.
    pub(super) fn ask_to_stop(&self) {
        self.tasks.cancel();
    }

    /// Stops the broker in order, whatever it is doing, and returns when nothing of it is left.
    pub(super) async fn stop(&self) {
        self.tasks.cancel();
        self.tasks.ended().await;
    }
}

/// Why a broker does not run any more.
enum Ended {
    Asked,
    Failed(String),
}

/// A broker that serves, with all that must be taken down again.
struct Running {
    started: Started,
    ports: Ports,
    /// Where the broker learns who is in its group.
    members: watch::Sender<Option<Members>>,
    /// Its seat in its DLedger group.
    seated: Option<Seated>,
}

struct Living {
    shared: Arc<Shared>,
    config: Arc<config::Broker>,
    owner: Arc<str>,
    tasks: Tasks,
    state: watch::Sender<State>,
    restarts: watch::Sender<u64>,
    upstream: Arc<watch::Sender<Upstream>>,
    standing: watch::Sender<Option<Standing>>,
    /// What the NameServers last said of its master.
    told: Option<Upstream>,
}

impl Living {
    async fn run(mut self, first: FirstFailure) {
        let mut restart = Restart::default();
        let mut gives_up = first == FirstFailure::GiveUp;
        loop {
            let ended = match self.start().await {
                Ok(running) => {
                    gives_up = false;
                    restart.apply(self.now(), Event::Serves);
                    self.serve(running).await
                }
                Err(ended) => ended,
            };
            let Ended::Failed(reason) = ended else { break };
            if !self.pause(&mut restart, &reason, gives_up).await {
                return;
            }
            self.restarts.send_modify(|restarts| *restarts += 1);
        }
        self.state.send_replace(State::Stopped);
    }

    /// Shows the failure and waits; false when there is to be no further start.
    async fn pause(&self, restart: &mut Restart, reason: &str, gives_up: bool) -> bool {
        let now = self.now();
        let Action::StartAt(at) = restart.apply(now, Event::Failed) else { return false };
        let restart_at = (!gives_up).then_some(at);
        self.state.send_replace(State::Failed { reason: reason.into(), restart_at });
        if gives_up {
            return false;
        }
        let pause = at.saturating_sub(now);
        tracing::error!(broker = %self.owner, reason, restart_in_s = pause.as_secs(), "broker failed");
        tokio::select! {
            () = self.tasks.cancelled() => {
                self.state.send_replace(State::Stopped);
                false
            }
            () = tokio::time::sleep(pause) => true,
        }
    }

    /// Ports, store, door, registration, in this order; takes down what it took when a step fails.
    async fn start(&mut self) -> Result<Running, Ended> {
        let began = self.now();
        let progress = Arc::new(Progress::default());
        self.state.send_replace(State::Starting { progress: Arc::clone(&progress) });
        let group = self.config.group.acting_master.then(|| self.shared.registrar.clone());
        let door = Door::new(&self.config.identity, &progress, group);
        let env = self.shared.env.clone();
        let ports = Ports::open(&self.shared.dispatch, self.shared.bind, &self.owner, &self.config, &door, &env.clock)
            .map_err(|error| Ended::Failed(error.to_string()))?;
        let ha = match self.ha_listener() {
            Ok(listener) => listener,
            Err(error) => {
                ports.close().await;
                return Err(Ended::Failed(error.to_string()));
            }
        };
        self.find_master();
        let (members, known_members) = watch::channel(None);
        let escapes = escape::start(&self.shared, &self.config, &self.tasks, &self.owner);
        let (listener, doors, mut seated) = Seated::take(&self.shared.members, &self.config, ha);
        let links = Links {
            listener,
            client: self.shared.client.clone(),
            upstream: Arc::clone(&self.upstream),
            members: known_members,
            escapes,
            letters: self.shared.members.letters(),
            doors,
        };
        let started = match start_broker(&env, &self.owner, &self.config, &progress, links).await {
            Ok(started) => started,
            Err(reason) => {
                ports.close().await;
                return Err(Ended::Failed(reason));
            }
        };
        if self.tasks.is_cancelled() {
            tokio::join!(ports.close(), started.handle.stop());
            end(&started.links).await;
            return Err(Ended::Asked);
        }
        door.open(started.handle.clone());
        if let Some(seated) = &mut seated {
            seated.came(&self.owner, &started).await;
        }
        let joining = waits_for(&started);
        let registration = registration(&self.config, &started, joining.is_none());
        if joining.is_none() {
            self.shared.registrar.update_and_wait(registration).await;
        } else if seated.is_none() {
            self.shared.registrar.update(registration).await;
        }
        let serving = Serving {
            handle: started.handle.clone(),
            admission: Arc::clone(ports.admission()),
            ports: ports.counters(),
            took: self.now().saturating_sub(began),
            recovered: progress.records(),
            joining,
        };
        let (recovered, took_ms, joins) = (serving.recovered, serving.took.as_millis(), serving.joining.is_some());
        tracing::info!(broker = %self.owner, recovered, took_ms, joins, "broker started");
        self.state.send_replace(State::Serving(serving));
        self.shared.masters.came(&self.config, self.shared.bind, &started.door, !joins);
        Ok(Running { started, ports, members, seated })
    }

    /// Until it ends by itself or is asked to; everything is taken down then.
    async fn serve(&mut self, running: Running) -> Ended {
        let Running { mut started, ports, members, mut seated } = running;
        let (mut told, mut beside) = (self.shared.registrar.masters(), self.shared.masters.changes());
        let mut found = self.upstream.subscribe();
        let mut groups = self.shared.registrar.members();
        let mut doors = self.shared.members.doors();
        // What has changed while the broker started.
        started.standing.mark_changed();
        doors.mark_changed();
        let mut online = self.is_online();
        self.find_master();
        let failed = loop {
            tokio::select! {
                biased;
                () = self.tasks.cancelled() => break None,
                ended = &mut started.ended => break Some(match ended {
                    Ok(Ok(Exit::Failed(reason))) => reason,
                    Ok(Ok(Exit::Stopped)) => "it stopped although nobody asked it to".to_owned(),
                    Ok(Err(panicked)) => panicked.to_string(),
                    Err(error) => error.to_string(),
                }),
                Ok(()) = started.announcements.changed() => {
                    if let Some(seated) = &mut seated {
                        let peers = started.announcements.borrow().peers.clone();
                        seated.meet(&peers).await;
                    }
                    // A member of a DLedger group that has no role yet is not registered (Java: `DLedgerRoleChangeHandler`).
                    if online || seated.is_none() {
                        self.shared.registrar.update(registration(&self.config, &started, online)).await;
                    }
                }
                Ok(()) = started.presence.changed(), if !online => {
                    online = self.join(&started).await;
                }
                Ok(()) = started.standing.changed(), if seated.is_some() => {
                    let standing = *started.standing.borrow_and_update();
                    self.standing.send_replace(standing);
                    match online {
                        // It stays registered, and says what it waits for.
                        true => self.show(waits_for(&started)),
                        false => online = self.join(&started).await,
                    }
                }
                Ok(()) = doors.changed() => {
                    if let Some(seated) = &seated {
                        seated.find_others();
                    }
                }
                Ok(()) = groups.changed() => {
                    let known = groups.borrow_and_update().get(&self.config.identity).cloned();
                    inform(&members, known);
                }
                Ok(()) = told.changed() => self.find_master(),
                Ok(()) = beside.changed() => self.find_master(),
                // By the broker, when a master has spoken to it.
                Ok(()) = found.changed() => self.find_master(),
            }
        };
        let left = leave(&started, seated.as_ref());
        self.take_down(failed, &started, ports, left).await
    }

    /// It serves nobody any more.
    async fn take_down(
        &self,
        failed: Option<String>,
        started: &Started,
        ports: Ports,
        leave: impl Future<Output = ()>,
    ) -> Ended {
        self.shared.masters.ended(&self.config);
        self.standing.send_replace(None);
        self.state.send_replace(match &failed {
            None => State::Stopping,
            Some(reason) => State::Failed { reason: reason.as_str().into(), restart_at: None },
        });
        match failed {
            None => {
                self.shared.registrar.remove(&self.config.identity).await;
                // Closing begins before stopping: what is accepted is answered, nothing new is read.
                tokio::join!(ports.close(), started.handle.stop());
                leave.await;
                tracing::info!(broker = %self.owner, "broker stopped");
                Ended::Asked
            }
            Some(reason) => {
                // At once, not after the NameServers: clients must not wait for one that does not answer.
                tokio::join!(ports.close(), self.shared.registrar.remove(&self.config.identity), leave);
                Ended::Failed(reason)
            }
        }
    }

    /// The broker has joined its group, or waits for something else now; returns whether it has joined.
    async fn join(&self, started: &Started) -> bool {
        let joining = waits_for(started);
        let online = joining.is_none();
        if online {
            tracing::info!(broker = %self.owner, "joined its group");
            self.shared.registrar.update(registration(&self.config, started, online)).await;
            self.shared.masters.came(&self.config, self.shared.bind, &started.door, online);
        }
        self.show(joining);
        online
    }

    /// What it waits for, or nothing.
    fn show(&self, joining: Option<Arc<str>>) {
        self.state.send_if_modified(|state| match state {
            State::Serving(serving) if serving.joining != joining => {
                serving.joining = joining;
                true
            }
            _ => false,
        });
    }

    fn is_online(&self) -> bool {
        self.state.borrow().is_ready()
    }

    /// Tells the broker when there is news of its master.
    fn find_master(&mut self) {
        let beside = self.shared.masters.beside(&self.config);
        let told = self.shared.registrar.masters().borrow().get(&self.config.identity).cloned();
        // In a group whose slaves act as master the master speaks itself; what NameServers repeat is older than that.
        let is_news = told != self.told || !self.config.group.acting_master;
        self.told.clone_from(&told);
        let news = told.filter(|_| is_news);
        self.upstream.send_if_modified(|known| {
            let found = masters::upstream(&self.config, beside.as_ref(), news, known.clone());
            let changed = found != *known;
            *known = found;
            changed
        });
    }

    /// The port where slaves connect.
    fn ha_listener(&self) -> Result<TcpListener, dispatch::Error> {
        let address = SocketAddr::new(self.shared.bind, self.config.ports.ha);
        match remoting::bind(address, BACKLOG) {
            Ok(listener) => Ok(listener.into_socket()),
            Err(source) => Err(dispatch::Error::Bind { owner: Arc::clone(&self.owner), address, source }),
        }
    }

    fn now(&self) -> Duration {
        self.shared.env.clock.monotonic()
    }
}

/// The broker has ended: its links do, and then the other members of its DLedger group hear of it.
async fn leave(started: &Started, seated: Option<&Seated>) {
    end(&started.links).await;
    if let Some(seated) = seated {
        seated.ended().await;
    }
}

/// Ends a broker's links; its port for the log is free then.
async fn end(links: &Tasks) {
    links.cancel();
    links.ended().await;
}

/// Wakes the broker only when there is something new.
fn inform(members: &watch::Sender<Option<Members>>, known: Option<Members>) {
    members.send_if_modified(|members| {
        let changed = *members != known;
        *members = known;
        changed
    });
}

/// What a broker waits for before it takes part in its group; `None` when it does.
fn waits_for(started: &Started) -> Option<Arc<str>> {
    match &*started.presence.borrow() {
        Presence::Joining { waits_for } => Some(waits_for.as_str().into()),
        Presence::Online => seat::waits_for(started.standing.borrow().as_ref()),
    }
}

/// What the NameServers are to know of a broker.
fn registration(config: &config::Broker, started: &Started, online: bool) -> Registration {
    let announcement: Announcement = started.announcements.borrow().clone();
    let membership = Membership {
        joining: !online,
        heartbeat_every: config.registration.heartbeat_interval,
        not_active_timeout: config.group.not_active_timeout,
        member_period: config.group.member_period,
        old_name_servers: config.group.old_name_servers,
    };
    let addresses = config.addresses;
    let topics = TopicConfigAndMapping {
        data_version: announcement.topics.data_version,
        topic_config_table: announcement.topics.topic_config_table.clone(),
        ..TopicConfigAndMapping::default()
    };
    Registration {
        identity: config.identity.clone(),
        id: announcement.identity.id,
        address: SocketAddr::new(addresses.client, config.ports.main).to_string(),
        ha_address: SocketAddr::new(addresses.ha, config.ports.ha).to_string(),
        zone: None,
        group: config.group.acting_master.then_some(membership),
        period: config.registration.period,
        timeout: config.registration.timeout,
        force: config.registration.force,
        body: RegisterBrokerBody { topic_config_serialize_wrapper: topics, ..RegisterBrokerBody::default() },
    }
}

/// Starts the broker in a task of its own, so that a panic on the way is one of its failures and not its supervisor's.
async fn start_broker(
    env: &Env,
    owner: &Arc<str>,
    config: &Arc<config::Broker>,
    progress: &Arc<Progress>,
    links: Links,
) -> Result<Started, String> {
    let (config, progress, inner) = (Arc::clone(config), Arc::clone(progress), env.clone());
    let task = async move { broker::start(config, &inner, progress, links).await };
    match env.tasks.spawn(TaskKind::BrokerStart, owner, task).await {
        Ok(Ok(Ok(started))) => Ok(started),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(panicked)) => Err(panicked.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
