//! What to send to which NameServer, and when: the pure half of the registrar.
//!
//! ```text
//! per NameServer and broker:   unknown --register ok--> registered --period--> register or query (322), again
//!                                 ^  \-- failed: 1 s, 2 s, .. 5 s --/    |  topics changed: at once
//!                                 +------- connection lost ----------+   |  removed: unregister, forget
//! ```
//!
//! At most one request per NameServer and broker is under way; what changes meanwhile is sent when it has ended, so changes
//! of many topics join into few registrations, and a NameServer that hangs delays nobody but itself.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::calls::EncodedBody;
use super::{NameServerStatus, Registration};
use crate::broker::Upstream;
use crate::protocol::ids::{BrokerId, BrokerIdentity, Millis};

/// First pause after a failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// Longest pause between two tries; Java waits for its next period, 30 s.
const RETRY_MAX: Duration = Duration::from_secs(5);
/// Bounds of `registerNameServerPeriod` (`BrokerController.startRegisterService`).
const PERIOD_MIN: Duration = Duration::from_secs(10);
const PERIOD_MAX: Duration = Duration::from_secs(60);
/// A slave whose NameServer knows no master asks it again after this long; Java waits for its next period.
const SEEK_PERIOD: Duration = Duration::from_secs(2);

/// Both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Now {
    /// For waiting.
    pub monotonic: Duration,
    /// For people.
    pub wall: Millis,
}

/// A request to one NameServer about one broker.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub server: String,
    pub registrant: Arc<Registrant>,
    pub what: What,
}

/// A registration with its body, which is written once for all NameServers and only if it is sent.
#[derive(Debug)]
pub(super) struct Registrant {
    pub registration: Registration,
    body: OnceLock<EncodedBody>,
}

impl Registrant {
    pub fn body(&self) -> &EncodedBody {
        self.body.get_or_init(|| EncodedBody::new(&self.registration))
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// REGISTER_BROKER 103.
    Register,
    /// QUERY_DATA_VERSION 322: whether the NameServer has these topics already.
    Query,
    /// BROKER_HEARTBEAT 904, oneway.
    Heartbeat,
    /// UNREGISTER_BROKER 104.
    Unregister,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 103, 104 or 904 went well.
    Done,
    /// 103 of a slave went well, and this is its master.
    Master(Upstream),
    /// 322: the NameServer has other topics, or none.
    Changed(bool),
    /// The NameServer answered with an error.
    Refused(String),
    /// No answer.
    Unreachable(String),
}

/// What the log should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Registered where it was not before.
    Registered,
    /// The first failure after a success, or at all.
    Failed(String),
}

/// All NameServers and brokers.
#[derive(Debug, Default)]
pub(super) struct Plan {
    servers: BTreeMap<String, Server>,
    brokers: BTreeMap<BrokerIdentity, Broker>,
    /// What NameServers said last about the masters of slaves; kept when a master goes.
    masters: BTreeMap<BrokerIdentity, Upstream>,
    /// Counts updates of all brokers, so that a broker which comes back never repeats a revision.
    updates: u64,
}

#[derive(Debug)]
struct Broker {
    registrant: Arc<Registrant>,
    /// Which update this is, to know whether a NameServer has it.
    revision: u64,
}

#[derive(Debug, Default)]
struct Server {
    standings: BTreeMap<BrokerIdentity, Standing>,
    reachable: Option<bool>,
    last_success: Option<Millis>,
    last_error: Option<(Millis, String)>,
}

/// How one broker stands with one NameServer.
#[derive(Debug)]
struct Standing {
    /// The revision it has; `None` when it has none that we know of.
    registered: Option<u64>,
    /// What is under way, with the revision it carries.
    under_way: Option<(What, u64)>,
    /// When to register or query next.
    due: Duration,
    heartbeat_due: Duration,
    failures: u32,
    /// It is a slave, and this NameServer knows no master of its name.
    masterless: bool,
    /// The broker is leaving; what to unregister.
    leaving: Option<Arc<Registrant>>,
}

impl Standing {
    fn new(now: Duration) -> Standing {
        Standing {
            registered: None,
            under_way: None,
            due: now,
            heartbeat_due: now,
            failures: 0,
            masterless: false,
            leaving: None,
        }
    }
}

impl Plan {
    /// A broker came or its topics changed; returns the revision to wait for.
    pub fn update(&mut self, registration: Registration, now: Now) -> u64 {
        let identity = registration.identity.clone();
        let registrant = Arc::new(Registrant { registration, body: OnceLock::new() });
        self.updates += 1;
        let revision = self.updates;
        self.brokers.insert(identity.clone(), Broker { registrant, revision });
        for server in self.servers.values_mut() {
            let standing = server.standings.entry(identity.clone()).or_insert_with(|| Standing::new(now.monotonic));
            standing.leaving = None;
            // A NameServer that fails keeps its pause: a busy broker must not turn it into a storm.
            if standing.failures == 0 {
                standing.due = now.monotonic;
            }
        }
        revision
    }

    /// A broker goes: it is unregistered wherever it may be registered.
    pub fn remove(&mut self, identity: &BrokerIdentity) {
        let Some(broker) = self.brokers.remove(identity) else { return };
        self.masters.remove(identity);
        for server in self.servers.values_mut() {
            let Some(standing) = server.standings.get_mut(identity) else { continue };
            if standing.registered.is_some() || standing.under_way.is_some() {
                standing.leaving = Some(Arc::clone(&broker.registrant));
            } else {
                server.standings.remove(identity);
            }
        }
    }

    /// Replaces the list of NameServers. Those that are dropped are not told: they may be the same machines under new names.
    pub fn set_name_servers(&mut self, list: &[String], now: Now) {
        self.servers.retain(|address, _| list.contains(address));
        for address in list {
            let server = self.servers.entry(address.clone()).or_default();
            for identity in self.brokers.keys() {
                server.standings.entry(identity.clone()).or_insert_with(|| Standing::new(now.monotonic));
            }
        }
    }

    /// A NameServer closed its connection and has thereby forgotten all brokers registered over it.
    pub fn connection_lost(&mut self, server: &str, now: Now) {
        let Some(server) = self.servers.get_mut(server) else { return };
        server.reachable = Some(false);
        for standing in server.standings.values_mut() {
            standing.registered = None;
            if standing.failures == 0 {
                standing.due = now.monotonic;
            }
        }
        // Nothing is registered any more, so nobody has to be unregistered either.
        server.standings.retain(|_, standing| standing.leaving.is_none() || standing.under_way.is_some());
    }

    /// What is to be sent now. Each call is under way until [`Plan::ended`].
    pub fn due(&mut self, now: Now) -> Vec<Call> {
        let mut calls = Vec::new();
        for (address, server) in &mut self.servers {
            for (identity, standing) in &mut server.standings {
                if standing.under_way.is_some() {
                    continue;
                }
                let call =
                    |registrant, what| Call { server: address.clone(), registrant: Arc::clone(registrant), what };
                if let Some(leaving) = &standing.leaving {
                    calls.push(call(leaving, What::Unregister));
                    standing.under_way = Some((What::Unregister, 0));
                } else if let Some(broker) = self.brokers.get(identity)
                    && let Some(what) = standing.next(broker, now.monotonic)
                {
                    calls.push(call(&broker.registrant, what));
                    standing.under_way = Some((what, broker.revision));
                }
            }
        }
        calls
    }

    /// When to call [`Plan::due`] again, if nothing happens before.
    pub fn next_due(&self) -> Option<Duration> {
        let idle = |server: &Server| {
            let standings = server.standings.iter().filter(|(_, standing)| standing.under_way.is_none());
            standings.filter_map(|(identity, standing)| Some(standing.wakes(self.brokers.get(identity)?))).min()
        };
        self.servers.values().filter_map(idle).min()
    }

    /// A call ended. Calls to NameServers that were dropped meanwhile count for nothing.
    pub fn ended(&mut self, server: &str, identity: &BrokerIdentity, outcome: Outcome, now: Now) -> Option<Note> {
        let server = self.servers.get_mut(server)?;
        let standing = server.standings.get_mut(identity)?;
        let (what, revision) = standing.under_way.take()?;
        match &outcome {
            // Sent, which says nothing about the other side.
            Outcome::Done if what == What::Heartbeat => {}
            Outcome::Done | Outcome::Master(_) | Outcome::Changed(_) => {
                server.reachable = Some(true);
                server.last_success = Some(now.wall);
            }
            Outcome::Refused(error) => {
                server.reachable = Some(true);
                server.last_error = Some((now.wall, error.clone()));
            }
            Outcome::Unreachable(error) => {
                server.reachable = Some(false);
                server.last_error = Some((now.wall, error.clone()));
            }
        }
        // Leaving is one try: whatever came of it, a NameServer forgets a silent broker by itself.
        if what == What::Unregister {
            if self.brokers.contains_key(identity) && standing.leaving.is_none() {
                *standing = Standing::new(now.monotonic);
            } else {
                server.standings.remove(identity);
            }
            return None;
        }
        let broker = self.brokers.get(identity)?;
        let (was_registered, had_failed) = (standing.registered.is_some(), standing.failures > 0);
        standing.apply(what, revision, &outcome, broker, now.monotonic);
        if let Outcome::Master(master) = &outcome {
            self.masters.insert(identity.clone(), master.clone());
        }
        match outcome {
            Outcome::Done | Outcome::Master(_) if !was_registered => Some(Note::Registered),
            Outcome::Refused(error) | Outcome::Unreachable(error) if !had_failed => Some(Note::Failed(error)),
            _ => None,
        }
    }

    /// Whether every NameServer that can be reached has this revision of the broker, or is known to have failed with it.
    pub fn is_settled(&self, identity: &BrokerIdentity, revision: u64) -> bool {
        self.servers.values().all(|server| {
            server.standings.get(identity).is_none_or(|standing| {
                standing.failures > 0 || standing.registered.is_some_and(|registered| registered >= revision)
            })
        })
    }

    /// Whether nothing is left to be sent for a broker that was removed.
    pub fn is_gone(&self, identity: &BrokerIdentity) -> bool {
        !self
            .servers
            .values()
            .any(|server| server.standings.get(identity).is_some_and(|standing| standing.leaving.is_some()))
    }

    /// Gives up unregistering: the time for it is over.
    pub fn forget(&mut self, identity: &BrokerIdentity) {
        for server in self.servers.values_mut() {
            if server.standings.get(identity).is_some_and(|standing| standing.leaving.is_some()) {
                server.standings.remove(identity);
            }
        }
    }

    /// The newest answers that named the master of a slave.
    pub fn masters(&self) -> &BTreeMap<BrokerIdentity, Upstream> {
        &self.masters
    }

    /// All brokers.
    pub fn brokers(&self) -> Vec<BrokerIdentity> {
        self.brokers.keys().cloned().collect()
    }

    /// How each NameServer is doing, for /readyz and the table printed at start.
    pub fn status(&self) -> Vec<NameServerStatus> {
        let status = |(address, server): (&String, &Server)| NameServerStatus {
            address: address.clone(),
            reachable: server.reachable,
            last_success: server.last_success,
            last_error: server.last_error.clone(),
            registered: server
                .standings
                .iter()
                .filter(|(_, standing)| standing.registered.is_some())
                .map(|(identity, _)| identity.clone())
                .collect(),
        };
        self.servers.iter().map(status).collect()
    }
}

impl Standing {
    fn next(&self, broker: &Broker, now: Duration) -> Option<What> {
        if self.due <= now {
            let current = self.registered == Some(broker.revision);
            // Only a registration is answered with the master.
            let asks = !broker.registrant.registration.force && !self.masterless;
            return Some(if current && asks { What::Query } else { What::Register });
        }
        let beats = self.registered.is_some() && broker.registrant.registration.heartbeat.is_some();
        (beats && self.heartbeat_due <= now).then_some(What::Heartbeat)
    }

    fn wakes(&self, broker: &Broker) -> Duration {
        let beats = self.registered.is_some() && broker.registrant.registration.heartbeat.is_some();
        if beats { self.due.min(self.heartbeat_due) } else { self.due }
    }

    fn apply(&mut self, what: What, revision: u64, outcome: &Outcome, broker: &Broker, now: Duration) {
        if let Some(heartbeat) = &broker.registrant.registration.heartbeat {
            self.heartbeat_due = now + heartbeat.every;
        }
        if what == What::Register {
            let is_slave = broker.registrant.registration.identity.id != BrokerId::MASTER;
            self.masterless = is_slave && *outcome == Outcome::Done;
        }
        let period = match self.masterless {
            true => SEEK_PERIOD,
            false => broker.registrant.registration.period.clamp(PERIOD_MIN, PERIOD_MAX),
        };
        match (what, outcome) {
            (What::Heartbeat, Outcome::Done) => {}
            (_, Outcome::Done | Outcome::Master(_)) => {
                self.registered = Some(revision);
                self.failures = 0;
                self.due = if revision == broker.revision { now + period } else { now };
            }
            (_, Outcome::Changed(false)) => {
                self.failures = 0;
                self.due = if revision == broker.revision { now + period } else { now };
            }
            (_, Outcome::Changed(true)) => {
                self.registered = None;
                self.due = now;
            }
            (_, Outcome::Refused(_) | Outcome::Unreachable(_)) => {
                self.registered = None;
                let pause = RETRY_MIN.saturating_mul(1 << self.failures.min(8)).min(RETRY_MAX);
                self.failures = self.failures.saturating_add(1);
                self.due = now + pause;
            }
        }
    }
}
