//! Tells brokers that the lowest id of their group changed (905, oneway).
//!
//! Best effort, as in Java: brokers also ask for their group every second.

use std::sync::Arc;
use std::time::Duration;

use super::table::MinBrokerChanged;
use crate::env::mailbox::{self, Receiver, Sender};
use crate::env::{Env, TaskKind, Tasks};
use crate::protocol::codes::request;
use crate::protocol::command::Command;
use crate::protocol::headers::broker_admin::MinBrokerIdChange;
use crate::remoting::{Client, Transport};

/// Changes that may wait; more are dropped with a log line.
const WAITING_MAX: usize = 256;
/// Java gives each push 300 ms.
const PATIENCE: Duration = Duration::from_millis(300);

pub(super) struct Pusher {
    waiting: Sender<MinBrokerChanged>,
}

impl Pusher {
    pub(super) fn push(&self, change: MinBrokerChanged) {
        if let Err(error) = self.waiting.try_send(change) {
            tracing::warn!(%error, "brokers are not told about their group's new lowest id");
        }
    }
}

/// Starts the task that pushes; it ends with `tasks`.
pub(super) fn start(env: &Env, transport: &Arc<Transport>, tasks: &Tasks, owner: &Arc<str>) -> Pusher {
    let client = Client::new(owner, transport, Arc::clone(&env.clock), tasks, None);
    let (waiting, changes) = mailbox::bounded(WAITING_MAX);
    tasks.spawn(TaskKind::NameServer, owner, run(client, changes, tasks.clone()));
    Pusher { waiting }
}

async fn run(client: Client, mut changes: Receiver<MinBrokerChanged>, tasks: Tasks) {
    let cancelled = tasks.cancelled();
    tokio::pin!(cancelled);
    loop {
        let change = tokio::select! {
            () = &mut cancelled => return,
            change = changes.recv() => change,
        };
        let Some(change) = change else { return };
        for address in &change.to {
            let sent = tokio::time::timeout(PATIENCE, client.oneway(address, command(&change))).await;
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%address, %error, "broker not told about its group's new lowest id"),
                Err(_) => {
                    tracing::warn!(%address, "broker not told about its group's new lowest id: no connection in time")
                }
            }
        }
    }
}

fn command(change: &MinBrokerChanged) -> Command {
    let mut command = Command { code: request::NOTIFY_MIN_BROKER_ID_CHANGE, ..Command::default() };
    let header = MinBrokerIdChange {
        min_broker_id: Some(change.min_id),
        broker_name: Some(&change.name),
        min_broker_address: Some(&change.min_address),
        offline_broker_address: change.offline_address.as_deref(),
        ha_broker_address: change.ha_address.as_deref(),
    };
    header.encode(&mut command.ext);
    command
}
