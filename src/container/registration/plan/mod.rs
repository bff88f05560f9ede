//! What to send to which NameServer, and when: the pure half of the registrar.
//!
//! ```text
//! per NameServer and broker:   unknown --register ok--> registered --period--> register or query (322), again
//!                                 ^  \-- failed: 1 s, 2 s, .. 5 s --/    |  topics changed: at once
//!                                 +------- connection lost ----------+   |  removed: unregister, forget
//!
//! with enableSlaveActingMaster, beside it: heartbeats where it was registered; who is in the group (`members`), also
//!                                          while the broker is joining and not to be registered yet
//! ```
//!
//! At most one request of each of the three kinds is under way per NameServer and broker ([`standing`]); what changes meanwhile
//! is sent when it has ended, so changes of many topics join into few registrations, and a NameServer that hangs delays nobody
//! but itself.

mod members;
mod standing;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use self::standing::Standing;
use super::calls::EncodedBody;
use super::{Membership, NameServerStatus, Registration};
use crate::broker::{Members, Upstream};
use crate::protocol::ids::{BrokerIdentity, Millis};

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
    /// BROKER_HEARTBEAT 904, or 322 for NameServers before 5.0, oneway.
    Heartbeat,
    /// GET_BROKER_MEMBER_GROUP 901, or the route (105) of the group's own topic for NameServers before 5.0.
    Members,
    /// UNREGISTER_BROKER 104.
    Unregister,
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// 103 or 104 went well, a heartbeat was sent.
    Done,
    /// 103 of a slave went well, and this is its master.
    Master(Upstream),
    /// 322: the NameServer has other topics, or none.
    Changed(bool),
    /// 901 or 105: who is in the group.
    Members(Members),
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
    /// Who is in the groups, as the NameServers that answer say together; kept while none answers.
    members: BTreeMap<BrokerIdentity, Members>,
    /// Counts updates of all brokers, so that a broker which comes back never repeats a revision.
    updates: u64,
}

#[derive(Debug)]
struct Broker {
    registrant: Arc<Registrant>,
    /// Which update this is, to know whether a NameServer has it.
    revision: u64,
}

impl Broker {
    fn group(&self) -> Option<&Membership> {
        self.registrant.registration.group.as_ref()
    }

    fn is_joining(&self) -> bool {
        self.group().is_some_and(|group| group.joining)
    }
}

#[derive(Debug, Default)]
struct Server {
    standings: BTreeMap<BrokerIdentity, Standing>,
    health: Health,
}

/// How a NameServer is doing.
#[derive(Debug, Default)]
struct Health {
    reachable: Option<bool>,
    last_success: Option<Millis>,
    last_error: Option<(Millis, String)>,
}

impl Health {
    fn apply(&mut self, what: What, outcome: &Outcome, now: Millis) {
        match outcome {
            // Sent, which says nothing about the other side.
            Outcome::Done if what == What::Heartbeat => {}
            Outcome::Done | Outcome::Master(_) | Outcome::Changed(_) | Outcome::Members(_) => {
                self.reachable = Some(true);
                self.last_success = Some(now);
            }
            Outcome::Refused(error) => {
                self.reachable = Some(true);
                self.last_error = Some((now, error.clone()));
            }
            Outcome::Unreachable(error) => {
                self.reachable = Some(false);
                self.last_error = Some((now, error.clone()));
            }
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
        let broker = Broker { registrant, revision };
        // Whoever joins must not be found: what was registered before goes first.
        let joining = broker.is_joining();
        self.brokers.insert(identity.clone(), broker);
        for server in self.servers.values_mut() {
            let standing = server.standings.entry(identity.clone()).or_insert_with(|| Standing::new(now.monotonic));
            standing.leaving = standing.leaving.take().filter(|_| joining);
            standing.hurry(now.monotonic);
        }
        revision
    }

    /// A broker goes: it is unregistered wherever it may be registered.
    pub fn remove(&mut self, identity: &BrokerIdentity) {
        let Some(broker) = self.brokers.remove(identity) else { return };
        self.masters.remove(identity);
        self.members.remove(identity);
        for server in self.servers.values_mut() {
            let Some(standing) = server.standings.get_mut(identity) else { continue };
            if standing.known || standing.under_way.is_some() {
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
        for identity in self.brokers() {
            self.join_answers(&identity);
        }
    }

    /// Somebody came to or left this broker's group: every NameServer is asked at once.
    pub fn ask_members(&mut self, identity: &BrokerIdentity, now: Now) {
        for server in self.servers.values_mut() {
            if let Some(standing) = server.standings.get_mut(identity) {
                standing.poll.hurry(now.monotonic);
            }
        }
    }

    /// A NameServer closed its connection and has thereby forgotten all brokers registered over it.
    pub fn connection_lost(&mut self, server: &str, now: Now) {
        let Some(server) = self.servers.get_mut(server) else { return };
        server.health.reachable = Some(false);
        for standing in server.standings.values_mut() {
            standing.forgotten(now.monotonic);
        }
        // Nothing is registered any more, so nobody has to be unregistered either.
        server.standings.retain(|_, standing| standing.leaving.is_none() || standing.under_way.is_some());
    }

    /// What is to be sent now. Each call is under way until [`Plan::ended`].
    pub fn due(&mut self, now: Now) -> Vec<Call> {
        let mut calls = Vec::new();
        for (address, server) in &mut self.servers {
            for (identity, standing) in &mut server.standings {
                let broker = self.brokers.get(identity);
                for what in standing.take_due(broker, now.monotonic) {
                    let leaving = standing.leaving.as_ref().filter(|_| what == What::Unregister);
                    let registrant = leaving.or(broker.map(|broker| &broker.registrant));
                    let registrant = registrant.map(Arc::clone);
                    calls.extend(registrant.map(|registrant| Call { server: address.clone(), registrant, what }));
                }
            }
        }
        calls
    }

    /// When to call [`Plan::due`] again, if nothing happens before.
    pub fn next_due(&self) -> Option<Duration> {
        let wakes = |server: &Server| {
            let standings = server.standings.iter();
            standings.filter_map(|(identity, standing)| standing.wakes(self.brokers.get(identity)?)).min()
        };
        self.servers.values().filter_map(wakes).min()
    }

    /// A call ended. Calls to NameServers that were dropped meanwhile count for nothing.
    pub fn ended(
        &mut self,
        server: &str,
        identity: &BrokerIdentity,
        what: What,
        outcome: Outcome,
        now: Now,
    ) -> Option<Note> {
        let server = self.servers.get_mut(server)?;
        let standing = server.standings.get_mut(identity)?;
        let revision = standing.ended(what)?;
        server.health.apply(what, &outcome, now.wall);
        match what {
            // Leaving is one try: whatever came of it, a NameServer forgets a silent broker by itself.
            What::Unregister if self.brokers.contains_key(identity) => {
                *standing = Standing::new(now.monotonic);
                return None;
            }
            What::Unregister => {
                server.standings.remove(identity);
                return None;
            }
            What::Members => {
                let (answer, error) = match outcome {
                    Outcome::Members(members) => (Some(members), None),
                    Outcome::Refused(error) | Outcome::Unreachable(error) => (None, Some(error)),
                    Outcome::Done | Outcome::Master(_) | Outcome::Changed(_) => (None, None),
                };
                let first_failure = standing.poll.ended(answer);
                self.join_answers(identity);
                return error.filter(|_| first_failure).map(Note::Failed);
            }
            What::Register | What::Query | What::Heartbeat => {}
        }
        let broker = self.brokers.get(identity)?;
        let (was_registered, had_failed) = (standing.registered.is_some(), standing.failures > 0);
        standing.apply(what, revision, &outcome, broker, now.monotonic);
        if let Outcome::Master(master) = &outcome {
            self.masters.insert(identity.clone(), master.clone());
        }
        match outcome {
            Outcome::Done | Outcome::Master(_) if what == What::Register && !was_registered => Some(Note::Registered),
            Outcome::Refused(error) | Outcome::Unreachable(error) if !had_failed => Some(Note::Failed(error)),
            _ => None,
        }
    }

    /// What the NameServers say of a broker's group, together.
    fn join_answers(&mut self, identity: &BrokerIdentity) {
        if !self.brokers.contains_key(identity) {
            return;
        }
        let standings = self.servers.values().filter_map(|server| server.standings.get(identity));
        if let Some(members) = members::union(standings.filter_map(|standing| standing.poll.answer())) {
            self.members.insert(identity.clone(), members);
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

    /// Who is in the groups of brokers with `enableSlaveActingMaster`.
    pub fn members(&self) -> &BTreeMap<BrokerIdentity, Members> {
        &self.members
    }

    /// All brokers.
    pub fn brokers(&self) -> Vec<BrokerIdentity> {
        self.brokers.keys().cloned().collect()
    }

    /// How each NameServer is doing, for /readyz and the table printed at start.
    pub fn status(&self) -> Vec<NameServerStatus> {
        let status = |(address, server): (&String, &Server)| NameServerStatus {
            address: address.clone(),
            reachable: server.health.reachable,
            last_success: server.health.last_success,
            last_error: server.health.last_error.clone(),
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
