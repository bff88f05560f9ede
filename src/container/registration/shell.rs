//! The shell: a handle for brokers, one owner task, one short task per call.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::calls;
use super::plan::{Call, Note, Now, Outcome, Plan, What};
use super::{NameServerStatus, Registration};
use crate::broker::{Members, Upstream};
use crate::env::mailbox::{self, Receiver, Sender, oneshot};
use crate::env::{Clock, Env, TaskKind, Tasks};
use crate::protocol::ids::{BrokerIdentity, Millis};
use crate::remoting::{Client, Connection, ConnectionId, Request, Service, Transport};

/// Events that may wait for the owner task; senders wait beyond that.
const WAITING_MAX: usize = 1024;
/// How long leaving may take at all NameServers together.
const LEAVE_PATIENCE: Duration = Duration::from_secs(3);
/// How long [`Registrar::update_and_wait`] waits for NameServers that do not answer.
const UPDATE_PATIENCE: Duration = Duration::from_secs(3);

/// How long a NameServer may take to say who is in a group (Java: 3 s).
const MEMBERS_TIMEOUT: Duration = Duration::from_secs(3);

/// The door to the registrar; clones share it.
#[derive(Clone)]
pub struct Registrar {
    events: Sender<Event>,
    status: watch::Receiver<Vec<NameServerStatus>>,
    masters: watch::Receiver<BTreeMap<BrokerIdentity, Upstream>>,
    members: watch::Receiver<BTreeMap<BrokerIdentity, Members>>,
    tasks: Tasks,
}

enum Event {
    Update(Box<Registration>, oneshot::Sender<()>),
    Remove(BrokerIdentity, oneshot::Sender<()>),
    Forget(BrokerIdentity),
    AskMembers(BrokerIdentity),
    RemoveAll(oneshot::Sender<()>),
    SetNameServers(Vec<String>),
    Ended { call: Call, outcome: Outcome, connection: Option<Connection> },
}

impl Registrar {
    /// Starts the registrar for these NameServers (`host:port`), without brokers.
    #[must_use]
    pub fn start(name_servers: &[String], env: &Env, transport: &Arc<Transport>) -> Registrar {
        let tasks = env.tasks.child();
        let owner: Arc<str> = "registration".into();
        let closed = Arc::new(Closed::default());
        let service: Arc<dyn Service> = Arc::clone(&closed) as Arc<dyn Service>;
        let client = Client::new(&owner, transport, Arc::clone(&env.clock), &tasks, Some(service));
        let (events, arrivals) = mailbox::bounded(WAITING_MAX);
        let mut plan = Plan::default();
        plan.set_name_servers(name_servers, now(&*env.clock));
        let (publish, status) = watch::channel(plan.status());
        let (publish_masters, masters) = watch::channel(BTreeMap::new());
        let (publish_members, members) = watch::channel(BTreeMap::new());
        let shell = Shell {
            plan,
            clock: Arc::clone(&env.clock),
            client,
            arrivals,
            events: events.clone(),
            closed,
            connections: HashMap::new(),
            settling: Vec::new(),
            leaving: Vec::new(),
            publish,
            publish_masters,
            publish_members,
            tasks: tasks.clone(),
            owner: Arc::clone(&owner),
        };
        tasks.spawn(TaskKind::Registration, &owner, shell.run());
        Registrar { events, status, masters, members, tasks }
    }

    /// A broker came, or its topics changed: they are registered soon, several changes together.
    pub async fn update(&self, registration: Registration) {
        let (done, _nobody_waits) = oneshot::channel();
        self.send(Event::Update(Box::new(registration), done)).await;
    }

    /// Like [`Registrar::update`]; ends when every NameServer that answers has it, at the latest after 3 s. For answers that
    /// promise that a topic can be used now.
    pub async fn update_and_wait(&self, registration: Registration) {
        let (done, settled) = oneshot::channel();
        self.send(Event::Update(Box::new(registration), done)).await;
        // Whichever comes first, the caller goes on.
        let _outcome = tokio::time::timeout(UPDATE_PATIENCE, settled).await;
    }

    /// Unregisters a broker everywhere, in parallel, within 3 s.
    pub async fn remove(&self, identity: &BrokerIdentity) {
        let (done, gone) = oneshot::channel();
        self.send(Event::Remove(identity.clone(), done)).await;
        if tokio::time::timeout(LEAVE_PATIENCE, gone).await.is_err() {
            tracing::warn!(broker = %identity, "some NameServers did not answer when the broker unregistered; they drop it by themselves");
            self.send(Event::Forget(identity.clone())).await;
        }
    }

    /// Replaces the NameServers (25 with `namesrvAddr`). Those that are dropped are not told: they may be the same machines
    /// under other names, and forget silent brokers by themselves.
    pub async fn set_name_servers(&self, list: Vec<String>) {
        self.send(Event::SetNameServers(list)).await;
    }

    /// How each NameServer is doing.
    #[must_use]
    pub fn status(&self) -> Vec<NameServerStatus> {
        self.status.borrow().clone()
    }

    /// Ends when the status satisfies `condition`, or the registrar has stopped.
    pub async fn status_when(&self, condition: impl FnMut(&Vec<NameServerStatus>) -> bool) {
        let mut status = self.status.clone();
        // An error says that the registrar has stopped, and then nothing will change any more.
        let _stopped = status.wait_for(condition).await;
    }

    /// The masters that NameServers named to the slaves of this container, each the newest; they stay when a master goes.
    #[must_use]
    pub fn masters(&self) -> watch::Receiver<BTreeMap<BrokerIdentity, Upstream>> {
        self.masters.clone()
    }

    /// Who is in the groups of this container's brokers: what the NameServers that answer say together, the last of it while none does.
    /// A broker is missing until one has answered.
    #[must_use]
    pub fn members(&self) -> watch::Receiver<BTreeMap<BrokerIdentity, Members>> {
        self.members.clone()
    }

    /// Asks at once who is in the group of this broker. Never blocks; what does not fit is asked within the period anyway.
    pub fn ask_members(&self, identity: &BrokerIdentity) {
        if self.events.try_send(Event::AskMembers(identity.clone())).is_err() {
            tracing::debug!(broker = %identity, "the registrar is busy or has stopped");
        }
    }

    /// Unregisters all brokers, in parallel, within 3 s, and ends.
    pub async fn stop(&self) {
        let (done, gone) = oneshot::channel();
        self.send(Event::RemoveAll(done)).await;
        let _within_patience = tokio::time::timeout(LEAVE_PATIENCE, gone).await;
        self.tasks.cancel();
        self.tasks.ended().await;
    }

    async fn send(&self, event: Event) {
        if self.events.send(event).await.is_err() {
            tracing::debug!("the registrar has stopped");
        }
    }
}

/// Connections that ended, seen from the client.
#[derive(Debug, Default)]
struct Closed {
    connections: Mutex<Vec<ConnectionId>>,
    added: Notify,
}

impl Service for Closed {
    /// NameServers ask brokers nothing over these connections; dropping the request says so.
    fn request(&self, request: Request) {
        drop(request);
    }

    fn closed(&self, connection: &Connection) {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(connection.id());
        self.added.notify_one();
    }
}

struct Shell {
    plan: Plan,
    clock: Arc<dyn Clock>,
    client: Client,
    arrivals: Receiver<Event>,
    events: Sender<Event>,
    closed: Arc<Closed>,
    /// The connection last used to each NameServer.
    connections: HashMap<String, ConnectionId>,
    settling: Vec<(BrokerIdentity, u64, oneshot::Sender<()>)>,
    leaving: Vec<(Vec<BrokerIdentity>, oneshot::Sender<()>)>,
    publish: watch::Sender<Vec<NameServerStatus>>,
    publish_masters: watch::Sender<BTreeMap<BrokerIdentity, Upstream>>,
    publish_members: watch::Sender<BTreeMap<BrokerIdentity, Members>>,
    tasks: Tasks,
    owner: Arc<str>,
}

impl Shell {
    async fn run(mut self) {
        let closed = Arc::clone(&self.closed);
        let tasks = self.tasks.clone();
        loop {
            let wake = self.plan.next_due().map(|due| due.saturating_sub(self.clock.monotonic()));
            tokio::select! {
                biased;
                () = tasks.cancelled() => return,
                () = closed.added.notified() => self.handle_closed(),
                event = self.arrivals.recv() => match event {
                    Some(event) => self.handle(event),
                    None => return,
                },
                () = sleep(wake) => {}
            }
            for call in self.plan.due(now(&*self.clock)) {
                self.call(call);
            }
            publish(&self.publish, &self.plan.status());
            publish(&self.publish_masters, self.plan.masters());
            publish(&self.publish_members, self.plan.members());
            // After the news: whoever waits for a removal finds nothing old.
            self.answer();
        }
    }

    fn handle(&mut self, event: Event) {
        let now = now(&*self.clock);
        match event {
            Event::Update(registration, done) => {
                let identity = registration.identity.clone();
                let revision = self.plan.update(*registration, now);
                self.settling.push((identity, revision, done));
            }
            Event::Remove(identity, done) => {
                self.plan.remove(&identity);
                self.leaving.push((vec![identity], done));
            }
            Event::Forget(identity) => self.plan.forget(&identity),
            Event::AskMembers(identity) => self.plan.ask_members(&identity, now),
            Event::RemoveAll(done) => {
                let all = self.plan.brokers();
                for identity in &all {
                    self.plan.remove(identity);
                }
                self.leaving.push((all, done));
            }
            Event::SetNameServers(list) => self.plan.set_name_servers(&list, now),
            Event::Ended { call, outcome, connection } => self.end(&call, outcome, connection, now),
        }
    }

    fn end(&mut self, call: &Call, outcome: Outcome, connection: Option<Connection>, now: Now) {
        let identity = &call.registrant.registration.identity;
        match self.plan.ended(&call.server, identity, call.what, outcome, now) {
            Some(Note::Registered) => tracing::info!(broker = %identity, name_server = call.server, "registered"),
            Some(Note::Failed(error)) => {
                tracing::warn!(broker = %identity, name_server = call.server, what = ?call.what, error, "NameServer failed, trying again");
            }
            None => {}
        }
        if let Some(connection) = connection {
            self.connections.insert(call.server.clone(), connection.id());
            if connection.is_closed() {
                self.plan.connection_lost(&call.server, now);
            }
        }
    }

    fn handle_closed(&mut self) {
        let closed = std::mem::take(&mut *self.closed.connections.lock().unwrap_or_else(PoisonError::into_inner));
        let now = now(&*self.clock);
        for connection in closed {
            // A connection that was replaced meanwhile says nothing about the one in use.
            let server = self.connections.iter().find(|(_, used)| **used == connection);
            if let Some(server) = server.map(|(server, _)| server.clone()) {
                self.connections.remove(&server);
                self.plan.connection_lost(&server, now);
            }
        }
    }

    fn call(&self, call: Call) {
        let (client, events) = (self.client.clone(), self.events.clone());
        let task = async move {
            let (outcome, connection) = carry_out(&client, &call).await;
            if events.send(Event::Ended { call, outcome, connection }).await.is_err() {
                tracing::debug!("a NameServer answered after the registrar had stopped");
            }
        };
        drop(self.tasks.spawn(TaskKind::Registration, &self.owner, task));
    }

    /// Tells those who wait that it is done. A receiver that has gone needs no answer.
    fn answer(&mut self) {
        for (identity, revision, done) in std::mem::take(&mut self.settling) {
            if self.plan.is_settled(&identity, revision) {
                let _gone = done.send(());
            } else if !done.is_closed() {
                self.settling.push((identity, revision, done));
            }
        }
        for (identities, done) in std::mem::take(&mut self.leaving) {
            if identities.iter().all(|identity| self.plan.is_gone(identity)) {
                let _gone = done.send(());
            } else if !done.is_closed() {
                self.leaving.push((identities, done));
            }
        }
    }
}

async fn carry_out(client: &Client, call: &Call) -> (Outcome, Option<Connection>) {
    let unreachable = |error: &dyn std::fmt::Display| Outcome::Unreachable(error.to_string());
    let connection = match client.connect(&call.server).await {
        Ok(connection) => connection,
        Err(error) => return (unreachable(&error), None),
    };
    let registration = &call.registrant.registration;
    let command = calls::command(call.what, registration, call.registrant.body());
    let timeout = match call.what {
        What::Unregister => LEAVE_PATIENCE,
        What::Members => MEMBERS_TIMEOUT,
        _ => registration.timeout,
    };
    let outcome = match call.what {
        What::Heartbeat => match connection.push(command) {
            Ok(()) => Outcome::Done,
            Err(error) => unreachable(&error),
        },
        _ => match connection.call(command, timeout).await {
            Ok(answer) => calls::outcome(call.what, registration, &answer),
            Err(error) => unreachable(&error),
        },
    };
    (outcome, Some(connection))
}

/// Wakes those who watch only when there is something new.
fn publish<T: PartialEq + Clone>(to: &watch::Sender<T>, new: &T) {
    to.send_if_modified(|published| {
        let changed = published != new;
        if changed {
            published.clone_from(new);
        }
        changed
    });
}

/// Never ends without a time to wait for.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn now(clock: &dyn Clock) -> Now {
    Now { monotonic: clock.monotonic(), wall: Millis(clock.now_millis()) }
}
