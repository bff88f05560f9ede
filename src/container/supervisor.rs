//! Which brokers there are: added, removed, all stopped.
//!
//! ```text
//! container.toml --\
//!                   add --> table (identity -> configuration, life) --> remove, stop
//! ADD_BROKER 902 --/
//! ```
//!
//! Invariants: a broker is in the table from before its first port is taken until after its lock is given back, so two
//! brokers never meet on a port or a directory; the table is locked for look-ups only, never while something waits.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::{self, Config};
use crate::protocol::ids::BrokerIdentity;

use super::error::Error;
use super::lifecycle::{FirstFailure, Life};
use super::shared::Shared;
use super::status::{BrokerStatus, State};

/// How long a start waits for brokers that join their groups.
const JOIN_PATIENCE: Duration = Duration::from_secs(5);

/// The brokers of a container. Cloning is cheap; clones are the same.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
    config: Arc<Config>,
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    members: BTreeMap<BrokerIdentity, Member>,
    /// Nothing is added any more.
    stopping: bool,
}

struct Member {
    config: Arc<config::Broker>,
    life: Life,
}

impl Supervisor {
    pub(super) fn new(shared: Arc<Shared>, config: Arc<Config>) -> Supervisor {
        Supervisor { shared, config, table: Arc::default() }
    }

    /// Starts every broker of the configuration, all at once.
    pub(super) fn start_all(&self) {
        let mut table = self.table();
        for broker in &self.config.brokers {
            self.begin(&mut table, broker.clone(), FirstFailure::Retry);
        }
    }

    /// Waits until every broker has served or failed once; one that joins its group counts as started after 5 s.
    pub(super) async fn settled(&self) {
        let lives: Vec<Life> = self.table().members.values().map(|member| member.life.clone()).collect();
        for life in &lives {
            life.settled().await;
        }
        // Most join within moments, and a table that says so is worth the wait.
        let joined = async {
            for life in &lives {
                life.joined().await;
            }
        };
        let _late = tokio::time::timeout(JOIN_PATIENCE, joined).await;
    }

    /// Adds one broker and returns when it serves. When it does not, nothing of it is left.
    ///
    /// # Errors
    /// It clashes with what is here, or did not start.
    pub async fn add(&self, broker: config::Broker) -> Result<BrokerIdentity, Error> {
        let identity = broker.identity.clone();
        let life = {
            let mut table = self.table();
            if table.stopping {
                return Err(Error::Stopping);
            }
            if table.members.contains_key(&identity) {
                return Err(Error::AlreadyAdded(identity));
            }
            let running = table.members.values().map(|member| &*member.config);
            self.config.check_neighbours(running, &broker).map_err(Error::Config)?;
            self.begin(&mut table, broker, FirstFailure::GiveUp)
        };
        match life.settled().await {
            State::Failed { reason, .. } => {
                life.stop().await;
                self.forget(&identity, &life);
                Err(Error::NotStarted(reason.to_string()))
            }
            State::Stopping | State::Stopped => Err(Error::RemovedMeanwhile(identity)),
            State::Starting { .. } | State::Serving(_) => Ok(identity),
        }
    }

    /// Stops one broker in order and returns when nothing of it is left.
    ///
    /// # Errors
    /// There is no such broker.
    pub async fn remove(&self, identity: &BrokerIdentity) -> Result<(), Error> {
        let life = self.table().members.get(identity).map(|member| member.life.clone()).ok_or(Error::NotExist)?;
        life.stop().await;
        self.forget(identity, &life);
        Ok(())
    }

    /// Takes a life that has ended out of the table; another one may have begun under its identity.
    fn forget(&self, identity: &BrokerIdentity, life: &Life) {
        let mut table = self.table();
        if table.members.get(identity).is_some_and(|member| member.life.is(life)) {
            table.members.remove(identity);
        }
    }

    /// Stops all brokers, at the same time, each in order; nothing is added any more. A broker that is still opening its store
    /// when `patience` is over is left to the end of the process, which recovery stands like any crash.
    pub(super) async fn stop_all(&self, patience: Duration) {
        let lives: Vec<Life> = {
            let mut table = self.table();
            table.stopping = true;
            table.members.values().map(|member| member.life.clone()).collect()
        };
        for life in &lives {
            life.ask_to_stop();
        }
        let all = async {
            for life in &lives {
                life.stop().await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            for broker in self.brokers().iter().filter(|broker| !matches!(broker.state, State::Stopped)) {
                tracing::warn!(broker = %broker.identity, state = broker.state.word(), "left behind by the shutdown");
            }
        }
    }

    /// Every broker with what it is doing, in the order of identities.
    #[must_use]
    pub fn brokers(&self) -> Vec<BrokerStatus> {
        let status = |member: &Member| BrokerStatus {
            identity: member.config.identity.clone(),
            role: member.config.role,
            address: std::net::SocketAddr::new(member.config.addresses.client, member.config.ports.main),
            store: member.config.store.root.clone(),
            state: member.life.state(),
            restarts: member.life.restarts(),
            upstream: member.life.upstream(),
            group: member.config.dledger.as_ref().map(|dledger| dledger.group.as_str().into()),
            standing: member.life.standing(),
        };
        self.table().members.values().map(status).collect()
    }

    fn begin(&self, table: &mut Table, broker: config::Broker, first: FirstFailure) -> Life {
        let config = Arc::new(broker);
        let life = Life::begin(&self.shared, &config, first);
        let member = Member { config: Arc::clone(&config), life: life.clone() };
        let before = table.members.insert(config.identity.clone(), member);
        assert!(before.is_none(), "{} is added once", config.identity);
        life
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
