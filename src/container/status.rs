//! What a broker of this container is doing: what /readyz, /brokers, the metrics and the table at start show.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::{self, Standing, Upstream};
use crate::config::Role;
use crate::dispatch::Admission;
use crate::protocol::ids::BrokerIdentity;
use crate::raft;
use crate::remoting::Counters;
use crate::store::{Phase, Progress};

/// One broker.
#[derive(Clone)]
pub struct BrokerStatus {
    /// Cluster, name and id.
    pub identity: BrokerIdentity,
    /// `brokerRole`.
    pub role: Role,
    /// Where clients reach it.
    pub address: SocketAddr,
    /// `storePathRootDir`.
    pub store: PathBuf,
    /// What it is doing.
    pub state: State,
    /// How often it was started again.
    pub restarts: u64,
    /// Where its master is, for a slave.
    pub upstream: Upstream,
    /// `dLegerGroup` of a member of a DLedger group.
    pub group: Option<Arc<str>>,
    /// What that member is now, while it serves.
    pub standing: Option<Standing>,
}

/// What a broker is doing. Times are monotonic, by `env::Clock`.
#[derive(Clone)]
pub enum State {
    /// Its store is being opened.
    Starting {
        /// How far that is.
        progress: Arc<Progress>,
    },
    /// It serves.
    Serving(Serving),
    /// It did not start, or ended by itself.
    Failed {
        /// Why.
        reason: Arc<str>,
        /// When it is started again; none when it is not.
        restart_at: Option<Duration>,
    },
    /// It is being stopped.
    Stopping,
    /// It has ended as it was asked to.
    Stopped,
}

/// What can be asked of a broker that serves.
#[derive(Clone)]
pub struct Serving {
    /// The broker.
    pub handle: broker::Handle,
    /// Its requests in flight.
    pub admission: Arc<Admission>,
    /// What happens on its ports: listenPort and listenPort - 2.
    pub ports: [Arc<Counters>; 2],
    /// How long opening took.
    pub took: Duration,
    /// Messages found when its store was opened.
    pub recovered: u64,
    /// What it waits for before it takes part in its group; until then it is registered nowhere and serves no clients.
    pub joining: Option<Arc<str>>,
}

impl BrokerStatus {
    /// Its role now, as tables show it: that of the configuration, or of a member of a DLedger group that of its term.
    #[must_use]
    pub fn role_now(&self) -> &'static str {
        self.standing.as_ref().map_or(self.role.as_str(), |standing| role_word(standing.role))
    }
}

/// What members of DLedger groups are called.
#[must_use]
pub fn role_word(role: raft::Role) -> &'static str {
    match role {
        raft::Role::Follower => "follower",
        raft::Role::PreCandidate => "pre-candidate",
        raft::Role::Candidate => "candidate",
        raft::Role::Leader => "leader",
    }
}

impl State {
    /// Every word [`State::word`] gives.
    pub const WORDS: [&str; 6] = ["starting", "joining", "serving", "failed", "stopping", "stopped"];

    /// One word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            State::Starting { .. } => "starting",
            State::Serving(Serving { joining: Some(_), .. }) => "joining",
            State::Serving(_) => "serving",
            State::Failed { .. } => "failed",
            State::Stopping => "stopping",
            State::Stopped => "stopped",
        }
    }

    /// Whether it serves clients.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self, State::Serving(Serving { joining: None, .. }))
    }

    /// Whether it waits for others before it serves.
    #[must_use]
    pub fn is_joining(&self) -> bool {
        matches!(self, State::Serving(Serving { joining: Some(_), .. }))
    }

    /// Whether the first try has ended, well or not. What a broker that joins waits for may never come, so it counts as started.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !matches!(self, State::Starting { .. })
    }

    /// What there is to know besides the word; empty when the word says all.
    #[must_use]
    pub fn detail(&self, now: Duration) -> String {
        match self {
            State::Starting { progress } => recovery(progress),
            State::Failed { reason, restart_at: Some(at) } => {
                format!("{reason}; next start in {} s", at.saturating_sub(now).as_secs_f32().ceil())
            }
            State::Failed { reason, restart_at: None } => reason.to_string(),
            State::Serving(Serving { joining: Some(waits_for), .. }) => waits_for.to_string(),
            State::Serving(_) | State::Stopping | State::Stopped => String::new(),
        }
    }
}

/// How far opening a store is, in words.
#[must_use]
pub fn recovery(progress: &Progress) -> String {
    match progress.phase() {
        Phase::Waiting => "waiting for its turn".to_owned(),
        Phase::Loading => "loading queues and index".to_owned(),
        Phase::Scanning => {
            let (done, total) = progress.bytes();
            let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
            format!("reading the log, {percent} % of {total} bytes, {} messages", progress.records())
        }
        Phase::Finishing => "writing queues".to_owned(),
        Phase::Done => "opening ports".to_owned(),
    }
}
