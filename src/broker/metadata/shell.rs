//! The task of a slave that follows its master.

use std::sync::Arc;

use tokio::sync::watch;

use crate::broker::Upstream;
use crate::broker::actor::Inbound;
use crate::env::mailbox::Sender;
use crate::remoting::Client;

/// Follows the master of one slave until the slave's actor ends.
pub(in crate::broker) struct Follower {
    pub(in crate::broker) client: Client,
    pub(in crate::broker) upstream: watch::Receiver<Upstream>,
    pub(in crate::broker) results: Sender<Inbound>,
    pub(in crate::broker) owner: Arc<str>,
}

impl Follower {
    pub(in crate::broker) async fn run(mut self) {
        loop {
            let Upstream { address, ha_address, .. } = self.upstream.borrow_and_update().clone();
            tracing::info!(broker = %self.owner, address, ha_address, connections = self.client.counters().active.load(std::sync::atomic::Ordering::Relaxed), "master");
            tokio::select! {
                () = self.results.closed() => return,
                changed = self.upstream.changed() => if changed.is_err() { return },
            }
        }
    }
}
