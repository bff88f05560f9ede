//! Many brokers in one process against one process each, and against Java's container: the same work, side by side.
//!
//! ```text
//! for each round, for each deployment (alternating):
//!     NameServer (not measured) -> brokers: time to ready -> idle -> load by `mqcontainer bench send`, sync and saturated
//!                               -> [load by the Java client] -> time to stop
//! medians over the rounds -> table on stdout, docs/bench/colocated.json, docs/bench/colocated.svg
//! ```
//!
//!     cargo bench --bench colocated                  two brokers, three rounds
//!     cargo bench --bench colocated -- --quick       to see whether it works
//!     cargo bench --bench colocated -- --java        with Java 5.5.0's BrokerContainer and the Java client (needs java and mvn)
//!
//! CPU is the servers' user and system time from /proc, of all their processes together, NameServer left out.

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and waits for them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on ends")]

#[path = "../harness/mod.rs"]
mod harness;
mod load;
mod outcome;
mod picture;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use harness::deployment::{Deployment, Kind, Plan};
use harness::{machine, process};
use outcome::{Report, Sample};

/// Many brokers in one process against one process each.
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Brokers of each deployment
    #[arg(long, default_value_t = 2)]
    brokers: usize,
    /// Runs of each deployment; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each load
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// Seconds of load before that
    #[arg(long, default_value_t = 5.0)]
    warmup: f64,
    /// Connections to each broker
    #[arg(long, default_value_t = 8)]
    connections: u32,
    /// Sends in flight on each connection of the saturated load
    #[arg(long, default_value_t = 64)]
    inflight: u32,
    /// Sending threads of the Java client
    #[arg(long, default_value_t = 8)]
    threads: u32,
    /// One short round
    #[arg(long)]
    quick: bool,
    /// With Java 5.5.0's BrokerContainer, and with load by the Java client
    #[arg(long)]
    java: bool,
    /// The server to measure instead of this build's
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The load generator to use instead of this build's
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// Where colocated.json and colocated.svg go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bench"))]
    out: PathBuf,
    /// Set by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        arguments = Arguments { rounds: 1, seconds: 2.0, warmup: 1.0, ..arguments };
    }
    let java = arguments.java.then(process::java_class_path);
    let mut kinds = vec![Kind::OneContainer, Kind::Processes];
    if java.is_some() {
        kinds.push(Kind::JavaContainer);
    }
    let mut samples: Vec<Sample> = Vec::new();
    for round in 0..arguments.rounds {
        for kind in &kinds {
            eprintln!("round {} of {}: {}", round + 1, arguments.rounds, kind.name());
            samples.push(sample(&arguments, *kind, round, java.as_deref()));
        }
    }
    let report = Report::new(&arguments, &kinds, samples);
    println!("{}", report.table());
    report.write(&arguments.out);
}

/// One run of one deployment.
fn sample(arguments: &Arguments, kind: Kind, round: usize, java: Option<&str>) -> Sample {
    let load_average = machine::load_average();
    let plan = Plan {
        kind,
        brokers: arguments.brokers,
        group: false,
        server: arguments.server.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into()),
        java: java.map(str::to_owned),
        sync_flush: false,
        conf: String::new(),
    };
    let mut deployment = Deployment::start(&plan);
    let idle = deployment.idle(Duration::from_secs(if arguments.quick { 1 } else { 3 }));
    let sync = load::ours(arguments, &deployment, load::Mode::Sync);
    let saturated = load::ours(arguments, &deployment, load::Mode::Saturated);
    let java_client = java.map(|class_path| load::java_client(arguments, &deployment, class_path));
    let rss_after_mib = process::mebibytes(&deployment.usage());
    let ready_s = deployment.ready.as_secs_f64();
    let stop_s = deployment.stop().as_secs_f64();
    Sample { kind, round, load_average, ready_s, stop_s, idle, rss_after_mib, sync, saturated, java_client }
}
