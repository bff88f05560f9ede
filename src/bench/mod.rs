//! The load generator behind `mqcontainer bench`: a client of any RocketMQ cluster, ours or Java's, that measures.
//!
//! ```text
//! arguments --checked--> Load      cluster (105, 106, 17, 34) --> targets: the queues of a topic
//!                          |
//!      connections x in flight = lanes, one task each:  send | consume ---call---> brokers
//!                          |      schedule: when is the next one due
//!                          v
//!        recorders, one per connection --every second--> progress --> report: table, JSON
//!                                        env::Usage of the server's processes
//! ```
//!
//! Invariants:
//! - In open loop a latency counts from the moment a request was due, however late it was sent (coordinated omission).
//! - Seconds of the warm-up are shown and counted nowhere else; server CPU is read at both ends of the measured time.
//! - Memory does not grow with the number of messages: histograms, counts by code, one line per second.
//!
//! `schedule`, `interval`, `message` and `report` are pure. Must not know: brokers' inside, stores, the container.

mod arguments;
mod cluster;
mod consume;
mod finish;
mod interval;
mod machine;
mod message;
mod progress;
mod report;
mod run;
mod schedule;
mod send;

pub use arguments::Arguments;
pub use run::run;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Options that do not go together.
    #[error("{0}")]
    Arguments(String),
    /// The threads or signals of the load generator.
    #[error("cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// A request that must work before load can begin.
    #[error("{what} at {address}: {source}")]
    Call {
        /// What was asked.
        what: &'static str,
        /// Whom.
        address: String,
        /// Why it got no answer.
        #[source]
        source: crate::remoting::CallError,
    },
    /// It was answered, but not with success.
    #[error("{what} at {address}: code {code} {}: {remark}", crate::protocol::codes::response_name(*.code).unwrap_or("unknown"))]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Whom.
        address: String,
        /// The code of the answer.
        code: i32,
        /// Its remark.
        remark: String,
    },
    /// An answer that cannot be read.
    #[error("{what} at {address}: {reason}")]
    Malformed {
        /// What was asked.
        what: &'static str,
        /// Whom.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The NameServer knows no master that could take the topic.
    #[error("the NameServer {namesrv} knows no master broker")]
    NoBroker {
        /// Its address.
        namesrv: String,
    },
    /// The topic was created but no route to it came up.
    #[error("topic {topic} has no {access} queue at {namesrv} after {waited_s} s")]
    NoQueue {
        /// The topic.
        topic: String,
        /// "writable" or "readable".
        access: &'static str,
        /// The NameServer.
        namesrv: String,
        /// How long was waited.
        waited_s: u64,
    },
    /// The process named by `--server-pid` cannot be looked at.
    #[error("--server-pid {pid}: {source}")]
    Server {
        /// The process.
        pid: u32,
        /// The kernel's reason.
        #[source]
        source: std::io::Error,
    },
    /// The result could not be kept.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: String,
        /// The kernel's reason.
        #[source]
        source: std::io::Error,
    },
    /// Not one request got through.
    #[error("nothing was answered with success: {reasons}")]
    NothingDone {
        /// Errors with their counts.
        reasons: String,
    },
}
