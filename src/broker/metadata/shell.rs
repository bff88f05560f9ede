//! The task of a slave that follows its master.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::plan::{Outcome, Plan};
use super::watch::WAIT;
use crate::broker::Upstream;
use crate::broker::actor::Inbound;
use crate::broker::event::Event;
use crate::config::Broker;
use crate::env::Clock;
use crate::env::mailbox::Sender;
use crate::protocol::ids::BrokerId;
use crate::remoting::Client;

/// How long the master may take for one answer (Java: 3 s for offsets, 30 s for topics and groups).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Follows the master of one slave until the slave's actor ends.
pub(in crate::broker) struct Follower {
    client: Client,
    upstream: watch::Receiver<Upstream>,
    results: Sender<Inbound>,
    clock: Arc<dyn Clock>,
    /// The slave's own address; a NameServer may name it as master for a moment after the slave has changed its id.
    own: String,
    id: BrokerId,
    owner: Arc<str>,
}

impl Follower {
    pub(in crate::broker) fn new(
        config: &Broker,
        (client, upstream): (Client, watch::Receiver<Upstream>),
        results: Sender<Inbound>,
        clock: Arc<dyn Clock>,
    ) -> Follower {
        let own = SocketAddr::new(config.addresses.client, config.ports.main).to_string();
        let id = config.identity.id;
        Follower { client, upstream, results, clock, own, id, owner: config.identity.to_string().into() }
    }

    pub(in crate::broker) async fn run(mut self) {
        let ended = self.results.clone();
        loop {
            let address = self.upstream.borrow_and_update().address.clone().filter(|address| *address != self.own);
            if let Some(address) = &address {
                tracing::info!(broker = %self.owner, master = address, "follows its master");
            }
            tokio::select! {
                () = ended.closed() => return,
                () = self.follow(address.as_deref()) => return,
                moved = moved(self.upstream.clone(), address.as_ref()) => if !moved { return },
            }
        }
    }

    /// Asks one master for its tables; ends with the actor.
    async fn follow(&self, master: Option<&str>) {
        let Some(master) = master else { return std::future::pending().await };
        let mut plan = Plan::new(self.id, self.clock.monotonic());
        let mut watch = None;
        loop {
            let now = self.clock.monotonic();
            let Some((table, question)) = plan.next(now) else {
                if watch.is_none() {
                    let held = |question| Box::pin(self.client.call(master, question, WAIT + ANSWER_TIMEOUT));
                    watch = plan.watch(now).map(held);
                }
                let next_due = if watch.is_some() { plan.next_table_due() } else { plan.next_due() };
                tokio::select! {
                    answer = answer_of(&mut watch) => {
                        watch = None;
                        plan.watched(self.clock.monotonic(), answer.ok());
                    }
                    () = tokio::time::sleep(next_due.saturating_sub(now)) => {}
                }
                continue;
            };
            let answer = self.client.call(master, question, ANSWER_TIMEOUT).await;
            let answer = answer.map_err(|error| error.to_string());
            match plan.answered(self.clock.monotonic(), table, answer) {
                Outcome::Goes => {}
                Outcome::Fetched(fetched) => {
                    if self.results.send(Inbound::Event(Event::Fetched(fetched))).await.is_err() {
                        return;
                    }
                }
                Outcome::Failed { reason, first: true } => {
                    tracing::warn!(broker = %self.owner, master, ?table, reason, "not copied from the master, trying again");
                }
                Outcome::Failed { reason, first: false } => {
                    tracing::debug!(broker = %self.owner, master, ?table, reason, "still not copied");
                }
            }
        }
    }
}

/// The answer to the question that is under way; never when there is none.
async fn answer_of<T>(question: &mut Option<Pin<Box<impl Future<Output = T>>>>) -> T {
    match question {
        Some(question) => question.await,
        None => std::future::pending().await,
    }
}

/// Waits for another master than `current`; `false` when there will be none any more.
async fn moved(mut upstream: watch::Receiver<Upstream>, current: Option<&String>) -> bool {
    upstream.wait_for(|upstream| upstream.address.as_ref() != current).await.is_ok()
}
