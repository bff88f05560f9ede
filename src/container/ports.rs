//! The two ports of one broker, and the door between them and whatever broker is behind.
//!
//! ```text
//! listenPort ------\
//!                   admission --> door --> broker (once it serves)
//! listenPort - 2 --/                \----> SYSTEM_BUSY with the reason (before)
//! ```
//!
//! Ports are taken before the store is recovered: a taken port shows at once, and clients of a broker that recovers are told
//! so instead of being refused. When a broker ends its ports close, so clients go elsewhere and come back with fresh state.
//!
//! A NameServer tells a broker by a request to its port that its group has changed (905). The door takes that and has all NameServers
//! asked who is there: a push may be late, lost or made up, so it says no more than that it is time to ask.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use crate::broker;
use crate::config;
use crate::dispatch::{self, Admission, AdmissionLimits, Dispatch, LaneLimits, Opened};
use crate::env::Clock;
use crate::protocol::codes::{request, response};
use crate::protocol::command::Command;
use crate::protocol::ids::BrokerIdentity;
use crate::remoting::{Connection, Counters, Request, Service};
use crate::store::Progress;

use super::registration::Registrar;
use super::status::recovery;

/// The service of a broker's ports.
pub(super) struct Door {
    identity: BrokerIdentity,
    progress: Arc<Progress>,
    behind: OnceLock<broker::Handle>,
    /// Asks who is in the group, when the broker has to know (`enableSlaveActingMaster`).
    group: Option<Registrar>,
}

impl Door {
    pub(super) fn new(identity: &BrokerIdentity, progress: &Arc<Progress>, group: Option<Registrar>) -> Arc<Door> {
        Arc::new(Door { identity: identity.clone(), progress: Arc::clone(progress), behind: OnceLock::new(), group })
    }

    /// From now on requests go to the broker.
    pub(super) fn open(&self, handle: broker::Handle) {
        let opened = self.behind.set(handle).is_ok();
        assert!(opened, "a door opens once");
    }
}

impl Service for Door {
    fn request(&self, request: Request) {
        if request.command.code == request::NOTIFY_MIN_BROKER_ID_CHANGE
            && let Some(registrar) = &self.group
        {
            registrar.ask_members(&self.identity);
            return request.reply.answer(Command { code: response::SUCCESS, ..Command::default() });
        }
        match self.behind.get() {
            Some(handle) => handle.request(request),
            None => request.reply.answer(Command {
                code: response::SYSTEM_BUSY,
                remark: Some(format!(
                    "broker {} is starting ({}), try another one or later",
                    self.identity,
                    recovery(&self.progress)
                )),
                ..Command::default()
            }),
        }
    }

    fn closed(&self, connection: &Connection) {
        if let Some(handle) = self.behind.get() {
            handle.closed(connection);
        }
    }
}

/// The open ports of one broker.
pub(super) struct Ports {
    main: Opened,
    fast: Opened,
    admission: Arc<Admission>,
}

impl Ports {
    /// Takes both ports or none.
    pub(super) fn open(
        dispatch: &Dispatch,
        bind: std::net::IpAddr,
        owner: &Arc<str>,
        config: &config::Broker,
        door: &Arc<Door>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Ports, dispatch::Error> {
        let admission = Admission::new(limits(config), Arc::clone(clock));
        let open = |port| {
            let service = Arc::clone(door) as Arc<dyn Service>;
            dispatch.open(owner, SocketAddr::new(bind, port), Some(&admission), service)
        };
        let main = open(config.ports.main)?;
        let fast = open(config.ports.fast)?;
        Ok(Ports { main, fast, admission })
    }

    pub(super) fn admission(&self) -> &Arc<Admission> {
        &self.admission
    }

    pub(super) fn counters(&self) -> [Arc<Counters>; 2] {
        [Arc::clone(self.main.counters()), Arc::clone(self.fast.counters())]
    }

    /// Stops accepting and reading at once; returns when answers in flight are out and the ports are free again.
    pub(super) async fn close(self) {
        tokio::join!(self.main.close(), self.fast.close());
    }
}

/// `[broker.limits]` by lane: half of the bytes for sends, a quarter each for fetches and the rest. Held long polls do not
/// count as requests that wait for work, so the fetch lane has Java's own limit (`pullThreadPoolQueueCapacity`).
fn limits(config: &config::Broker) -> AdmissionLimits {
    let requests = config.limits.inflight_requests;
    let bytes = config.limits.inflight_bytes;
    AdmissionLimits {
        send: LaneLimits { requests: requests.min(config.requests.send_queue), bytes: bytes / 2 },
        fetch: LaneLimits { requests: config.requests.pull_queue, bytes: bytes / 4 },
        control: LaneLimits { requests, bytes: bytes / 4 },
    }
}
