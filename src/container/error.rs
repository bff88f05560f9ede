//! What can go wrong with a container as a whole and with the requests to it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::protocol::ids::BrokerIdentity;
use crate::{config, dispatch, namesrv};

/// Why a container did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system gives no threads.
    #[error(
        "threads of the process cannot be started: {0}; raise the limit of processes (ulimit -u) or lower serverWorkerThreads and io_threads"
    )]
    Threads(io::Error),
    /// A port of the container or of its NameServer.
    #[error(transparent)]
    Port(#[from] dispatch::Error),
    /// The address of the HTTP endpoint.
    #[error("http cannot listen on {address}: {source}; give listen of [http] another port")]
    Http {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The NameServer inside.
    #[error("the NameServer inside did not start: {0}")]
    NameServer(#[from] namesrv::StartError),
    /// Not one broker started.
    #[error("none of the {0} brokers started")]
    NoBroker(usize),
}

/// Why a request to the container was not carried out; the text is the remark of the answer, in Java's words where Java has any
/// (`BrokerContainerProcessor`).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 902 without `configPath`.
    #[error("addBroker config path is empty")]
    NoConfigPath,
    /// 902: the file cannot be read.
    #[error("addBroker properties empty: {} cannot be read on the container's host: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// 25: the body is no text.
    #[error("string2Properties error: the body is not UTF-8")]
    NotProperties,
    /// The file of 902, the broker beside the others, or the changes of 25 are wrong.
    #[error("{0}")]
    Config(config::Errors),
    /// 902: it is here already.
    #[error("{0} has already been added to current broker container")]
    AlreadyAdded(BrokerIdentity),
    /// 902: it did not start.
    #[error("start broker failed: {0}")]
    NotStarted(String),
    /// 902: somebody removed it while it started.
    #[error("{0} was removed while it started")]
    RemovedMeanwhile(BrokerIdentity),
    /// 903: it is not here.
    #[error("Broker not exist")]
    NotExist,
    /// The process is ending.
    #[error("the container is stopping")]
    Stopping,
    /// Too many of these requests at once.
    #[error("{limit} changes of this container are under way, try again later")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// A header that cannot be read.
    #[error("{0}")]
    Header(String),
}
