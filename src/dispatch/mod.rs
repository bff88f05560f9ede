//! Whose request is it: the ports of the process and who answers on each.
//!
//! ```text
//!  port 10911 ─┐
//!  port 10909 ─┴─> admission of broker-a ──> broker-a's Service (its mailbox)
//!  port 10921 ───> admission of broker-b ──> broker-b's Service
//!  port 10811 ─────────────────────────────> container requests
//!  port  9876 ─────────────────────────────> NameServer
//! ```
//!
//! A connection belongs to the port it came in by, so a request is routed when its connection is accepted and costs no
//! table look-up. Ports open and close while the process runs: brokers are added, removed and restarted.
//!
//! Invariants: a port has one owner; a failed open leaves nothing behind; what is counted in is counted out.
//! Must not know: how brokers work, what is in a request besides its code.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::env::Tasks;
use crate::protocol::codes::response;
use crate::protocol::command::Command;
use crate::remoting::{self, Counters, Service, Transport};

mod admission;
mod latency;

pub use admission::{Admission, AdmissionLimits, Lane, LaneLimits};
pub use latency::{LATENCY_BOUNDS_MILLIS, Latencies, Latency, Rpc, RpcResult};

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else in this process has it.
    #[error("{owner} cannot listen on {address}: {holder} of this process does; give one of them another port")]
    Taken {
        /// Who wanted it.
        owner: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// Who has it.
        holder: Arc<str>,
    },
    /// The operating system refuses.
    #[error("{owner} cannot listen on {address}: {source}")]
    Bind {
        /// Who wanted it.
        owner: Arc<str>,
        /// The address.
        address: SocketAddr,
        /// What it says.
        source: io::Error,
    },
}

/// The port table. Cloning is cheap; clones share the table.
#[derive(Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
}

struct Shared {
    transport: Arc<Transport>,
    tasks: Tasks,
    ports: Mutex<BTreeMap<SocketAddr, PortStatus>>,
}

/// One open port.
#[derive(Clone, Debug)]
pub struct PortStatus {
    /// Who answers there.
    pub owner: Arc<str>,
    /// Where, with the real port.
    pub address: SocketAddr,
    /// What happens there.
    pub counters: Arc<Counters>,
}

/// An open port. Dropping it stops listening and drains in the background; [`close`](Opened::close) waits for that.
#[must_use = "dropping it closes the port"]
pub struct Opened {
    dispatch: Dispatch,
    status: PortStatus,
    tasks: Tasks,
}

impl Dispatch {
    /// No ports; when `tasks` is cancelled every port closes.
    #[must_use]
    pub fn new(transport: &Arc<Transport>, tasks: &Tasks) -> Dispatch {
        Dispatch {
            shared: Arc::new(Shared {
                transport: Arc::clone(transport),
                tasks: tasks.clone(),
                ports: Mutex::default(),
            }),
        }
    }

    /// Binds `address` for `owner` and serves at once. Port 0 takes a free one.
    ///
    /// `admission` bounds the requests in flight; the ports of one broker share one.
    ///
    /// # Errors
    /// When the port is taken; nothing is left behind then.
    pub fn open(
        &self,
        owner: &Arc<str>,
        address: SocketAddr,
        admission: Option<&Arc<Admission>>,
        service: Arc<dyn Service>,
    ) -> Result<Opened, Error> {
        let mut ports = self.shared.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(holder) = ports.get(&address) {
            return Err(Error::Taken { owner: Arc::clone(owner), address, holder: Arc::clone(&holder.owner) });
        }
        let listener = remoting::bind(address, remoting::BACKLOG).map_err(|source| Error::Bind {
            owner: Arc::clone(owner),
            address,
            source,
        })?;
        let status = PortStatus {
            owner: Arc::clone(owner),
            address: listener.local_addr(),
            counters: Arc::clone(listener.counters()),
        };
        ports.insert(status.address, status.clone());
        drop(ports);
        let service = match admission {
            Some(admission) => Arc::new(admission::Admitted { admission: Arc::clone(admission), service }),
            None => service,
        };
        let tasks = self.shared.tasks.child();
        listener.serve(owner, service, &self.shared.transport, &tasks);
        tracing::info!(%owner, address = %status.address, "listening");
        Ok(Opened { dispatch: self.clone(), status, tasks })
    }

    /// The open ports by address.
    #[must_use]
    pub fn ports(&self) -> Vec<PortStatus> {
        self.shared.ports.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The budgets all ports share.
    #[must_use]
    pub fn transport(&self) -> &Arc<Transport> {
        &self.shared.transport
    }
}

impl Opened {
    /// The address with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.status.address
    }

    /// What happens on this port.
    #[must_use]
    pub fn counters(&self) -> &Arc<Counters> {
        &self.status.counters
    }

    /// Stops accepting and reading, lets answers in flight go out (bounded by the drain limit), closes, and returns when all
    /// of that is done.
    pub async fn close(self) {
        self.tasks.cancel();
        self.tasks.ended().await;
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.tasks.cancel();
        self.dispatch.shared.ports.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.status.address);
        tracing::info!(owner = %self.status.owner, address = %self.status.address, "closed");
    }
}

/// The answer to a code nobody here knows, in Java's words (`NettyRemotingAbstract.processRequestCommand`).
#[must_use]
pub fn not_supported(code: i32) -> Command {
    Command {
        code: response::REQUEST_CODE_NOT_SUPPORTED,
        remark: Some(format!(" request type {code} not supported")),
        ..Command::default()
    }
}
