//! The mailbox of one broker's escapes, and one task per message.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::choice::{self, Candidate, Verdict};
use super::letter::Letter;
use crate::broker::Escaped;
use crate::config;
use crate::container::shared::Shared;
use crate::env::mailbox::{self, Receiver, Sender};
use crate::env::{TaskKind, Tasks};
use crate::protocol::body::route::TopicRouteData;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::headers::namesrv::RouteRequest;
use crate::protocol::ids::{BrokerIdentity, QueueId};
use crate::protocol::{json, topic_name};

/// Messages of one broker that may wait.
const WAITING_MAX: usize = 256;
/// Messages of one broker under way at once.
const UNDER_WAY_MAX: usize = 16;
/// How long one master may take (`EscapeBridge.SEND_TIMEOUT`), and one NameServer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a route counts. Java keeps one for 30 s and goes on sending to a master that has died (apache/rocketmq#7923).
const ROUTE_AGE_MAX: Duration = Duration::from_secs(5);
/// Topics whose routes are kept; when there are more, all are asked for again.
const ROUTES_MAX: usize = 1_024;
/// The master chooses the queue.
const ANY_QUEUE: QueueId = QueueId(-1);

/// Where one broker hands over its messages. The task ends with the broker, or with `tasks`; what is under way then is dropped,
/// and with it the answer. A broker without `enableSlaveActingMaster` is not served.
pub(in crate::container) fn start(
    shared: &Arc<Shared>,
    config: &config::Broker,
    tasks: &Tasks,
    owner: &Arc<str>,
) -> Sender<Escaped> {
    let (escapes, arrivals) = mailbox::bounded(WAITING_MAX);
    if config.group.acting_master {
        let bridge = Arc::new(Bridge {
            shared: Arc::clone(shared),
            own: config.identity.clone(),
            remote: config.group.remote_escape,
            turn: AtomicUsize::new(0),
            routes: Mutex::default(),
        });
        let (inner, whose) = (tasks.clone(), Arc::clone(owner));
        drop(tasks.spawn(TaskKind::Escape, owner, async move {
            tokio::select! {
                () = inner.cancelled() => {}
                () = bridge.run(arrivals, &inner, &whose) => {}
            }
        }));
    }
    escapes
}

struct Bridge {
    shared: Arc<Shared>,
    own: BrokerIdentity,
    /// `enableRemoteEscape`.
    remote: bool,
    turn: AtomicUsize,
    routes: Mutex<HashMap<String, Route>>,
}

/// Who takes a topic.
struct Route {
    asked: Duration,
    candidates: Vec<Candidate>,
}

/// What became of the candidates so far.
#[derive(Default)]
struct Tried {
    names: BTreeSet<String>,
    last: Option<String>,
}

impl Bridge {
    async fn run(self: Arc<Self>, mut arrivals: Receiver<Escaped>, tasks: &Tasks, owner: &Arc<str>) {
        let places = Arc::new(Semaphore::new(UNDER_WAY_MAX));
        while let (Ok(place), Some(escaped)) = (Arc::clone(&places).acquire_owned().await, arrivals.recv().await) {
            let (bridge, inner) = (Arc::clone(&self), tasks.clone());
            drop(tasks.spawn(TaskKind::Escape, owner, async move {
                tokio::select! {
                    () = inner.cancelled() => {}
                    () = bridge.give(escaped) => {}
                }
                drop(place);
            }));
        }
    }

    async fn give(&self, Escaped { message, queues, done }: Escaped) {
        if done.is_closed() {
            return;
        }
        let letter = Letter::new(&message, &self.own, queues);
        let outcome = self.deliver(&letter).await;
        if let Err(reason) = &outcome {
            tracing::debug!(broker = %self.own, topic = letter.topic, reason, "message taken by no other master");
        }
        // A broker that has ended needs no answer.
        let _gone = done.send(outcome);
    }

    async fn deliver(&self, letter: &Letter) -> Result<(), String> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut tried = Tried::default();
        let others = self.shared.masters.others(&self.own).into_iter();
        let beside = others.map(|other| Candidate { name: other.name, address: other.address, queues: None }).collect();
        if self.offer_all(letter, choice::in_turn(beside, turn), &mut tried).await {
            return Ok(());
        }
        if self.remote {
            let candidates = self.routed(&letter.topic, &mut tried).await;
            if self.offer_all(letter, choice::in_turn(candidates, turn), &mut tried).await {
                return Ok(());
            }
            // Whoever took nothing may be gone.
            self.routes().remove(&letter.topic);
        }
        Err(self.nobody(letter, &tried))
    }

    /// Whether one of them has stored it.
    async fn offer_all(&self, letter: &Letter, candidates: Vec<Candidate>, tried: &mut Tried) -> bool {
        for candidate in candidates {
            if !tried.names.insert(candidate.name.clone()) {
                continue;
            }
            match self.offer(letter, &candidate).await {
                Ok(()) => return true,
                Err(reason) => tried.last = Some(format!("{} at {}: {reason}", candidate.name, candidate.address)),
            }
        }
        false
    }

    /// To its own queue, where the master has that one.
    async fn offer(&self, letter: &Letter, to: &Candidate) -> Result<(), String> {
        let has_queue = to.queues.is_none_or(|queues| letter.queue.0 < queues);
        let first = if has_queue { letter.queue } else { ANY_QUEUE };
        match self.send(letter, to, first).await {
            Ok(()) => Ok(()),
            Err((Verdict::PerhapsQueue, _)) if first != ANY_QUEUE => {
                self.send(letter, to, ANY_QUEUE).await.map_err(|(_, reason)| reason)
            }
            Err((_, reason)) => Err(reason),
        }
    }

    async fn send(&self, letter: &Letter, to: &Candidate, queue: QueueId) -> Result<(), (Verdict, String)> {
        let answer = self.shared.client.call(&to.address, letter.command(queue), PATIENCE).await;
        let answer = answer.map_err(|error| (Verdict::Refused, error.to_string()))?;
        match choice::verdict(answer.code) {
            Verdict::Stored => Ok(()),
            verdict => Err((verdict, said(&answer))),
        }
    }

    /// The masters that take a topic, or would make it.
    async fn routed(&self, topic: &str, tried: &mut Tried) -> Vec<Candidate> {
        let now = self.shared.env.clock.monotonic();
        if let Some(route) = self.routes().get(topic)
            && now < route.asked + ROUTE_AGE_MAX
        {
            return route.candidates.clone();
        }
        let mut found = self.ask(topic, true).await;
        if found.as_ref().is_ok_and(Vec::is_empty) {
            found = self.ask(topic_name::AUTO_CREATE, false).await;
        }
        match found {
            Ok(candidates) => {
                let mut routes = self.routes();
                if routes.len() >= ROUTES_MAX {
                    routes.clear();
                }
                routes.insert(topic.to_owned(), Route { asked: now, candidates: candidates.clone() });
                candidates
            }
            Err(reason) => {
                tried.last = Some(reason);
                Vec::new()
            }
        }
    }

    /// Asks one NameServer after the other, those that answered last first.
    async fn ask(&self, topic: &str, is_topics_own: bool) -> Result<Vec<Candidate>, String> {
        let mut servers = self.shared.registrar.status();
        servers.sort_by_key(|server| server.reachable != Some(true));
        let mut failed = "there is no NameServer to ask for its route, see namesrvAddr".to_owned();
        for server in servers {
            let mut command = Command { code: request::GET_ROUTEINFO_BY_TOPIC, ..Command::default() };
            RouteRequest { topic, accept_standard_json_only: Some(true) }.encode(&mut command.ext);
            let answer = match self.shared.client.call(&server.address, command, PATIENCE).await {
                Ok(answer) => answer,
                Err(error) => {
                    failed = format!("NameServer {}: {error}", server.address);
                    continue;
                }
            };
            match answer.code {
                response::TOPIC_NOT_EXIST => return Ok(Vec::new()),
                response::SUCCESS => match json::from_java::<TopicRouteData>(&answer.body.to_bytes()) {
                    Ok(route) => return Ok(choice::of_route(route, &self.own, is_topics_own)),
                    Err(error) => failed = format!("NameServer {}: its route cannot be read: {error}", server.address),
                },
                _ => failed = format!("NameServer {}: {}", server.address, said(&answer)),
            }
        }
        Err(failed)
    }

    fn nobody(&self, letter: &Letter, tried: &Tried) -> String {
        let (topic, cluster) = (&letter.topic, &self.own.cluster);
        match &tried.last {
            Some(last) => format!("no other master of {cluster} took a message of {topic}; the last tried: {last}"),
            None if self.remote => format!(
                "no other master of {cluster} takes messages of {topic}: start one, or create the topic on one that runs"
            ),
            None => format!(
                "no other master of {cluster} serves in this container: add one, or set enableRemoteEscape = true to use those elsewhere"
            ),
        }
    }

    fn routes(&self) -> MutexGuard<'_, HashMap<String, Route>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn said(answer: &Command) -> String {
    format!("code {}: {}", answer.code, answer.remark.as_deref().unwrap_or("no remark"))
}
