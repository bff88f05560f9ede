//! The tasks of a broker's links: they bring the log and the tables of whom it follows, and give its log to who follows it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::actor::Inbound;
use super::metadata::Follower;
use super::role::joins;
use super::upstream::Upstream;
use crate::config::{Broker, Role};
use crate::env::mailbox::Sender;
use crate::env::{Env, Share, TaskKind};
use crate::remoting::Client;
use crate::replication::Incoming;
use crate::replication::following::{Following, Leader};
use crate::replication::leading::Leading;
use crate::replication::link::local::Door;
use crate::replication::link::tcp::Listener;
use crate::replication::sender::{LinkOptions, LogState};
use crate::store::View;

/// What all of them need.
pub(super) struct LinkTasks<'a> {
    pub(super) config: &'a Broker,
    pub(super) owner: &'a Arc<str>,
    /// Its tasks end with the broker.
    pub(super) env: &'a Env,
    /// The log, as the actor says.
    pub(super) log: watch::Receiver<LogState>,
    /// The actor.
    pub(super) news: Sender<Incoming>,
}

impl LinkTasks<'_> {
    /// Copies the tables of the master, wherever it is.
    pub(super) fn copy_tables(&self, client: Client, upstream: watch::Receiver<Upstream>, results: Sender<Inbound>) {
        if self.config.role == Role::Slave {
            let follower = Follower::new(self.config, (client, upstream), results, Arc::clone(&self.env.clock));
            drop(self.env.tasks.spawn(TaskKind::Slave, self.owner, follower.run()));
        }
    }

    /// Copies the log: a member of a DLedger group that of its leader, a slave that of its master.
    pub(super) fn copy_log(&self, leader: watch::Receiver<Leader>, upstream: watch::Receiver<Upstream>) {
        if self.config.dledger.is_some() {
            let following = self.following(leader, Leader::clone);
            drop(self.env.tasks.spawn(TaskKind::Replication, self.owner, following.run()));
        } else if self.config.role == Role::Slave || joins(self.config) {
            let following = self.following(upstream, Upstream::leader);
            drop(self.env.tasks.spawn(TaskKind::Replication, self.owner, following.run()));
        }
    }

    fn following<T>(&self, known: watch::Receiver<T>, locate: fn(&T) -> Leader) -> Following<T> {
        Following {
            owner: Arc::clone(self.owner),
            env: self.env.clone(),
            log: self.log.clone(),
            broker: self.news.clone(),
            known,
            locate,
            options: link_options(self.config),
            id: self.config.identity.id,
        }
    }

    /// Gives the log to followers: where those of this process ask for it.
    pub(super) fn give_log(self, log: (View, Share), listener: Listener) -> Door {
        let (door, calls) = Door::new();
        let requests = SocketAddr::new(self.config.addresses.client, self.config.ports.main);
        let options = (link_options(self.config), requests);
        let leading = Leading::new(Arc::clone(self.owner), self.env.clone(), log, self.log, self.news, options);
        drop(self.env.tasks.spawn(TaskKind::Replication, self.owner, leading.run(listener, calls)));
        door
    }
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
