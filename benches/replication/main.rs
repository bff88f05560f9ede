//! What a copy costs and how late it is: a master and its slave in one process, in a process each, and Java's in the same two ways.
//!
//! ```text
//! for each round, for each deployment (alternating):
//!     NameServer (not measured) -> SYNC_MASTER + SLAVE, inSyncReplicas=2: idle -> fixed rate -> 16 sync producers -> saturated
//!                               -> ASYNC_MASTER + SLAVE: the same fixed rate
//! medians over the rounds -> docs/replication.md, docs/bench/replication.json, docs/bench/replication.svg
//! ```
//!
//!     cargo bench --bench replication                 ours and Java 5.5.0's (needs java and mvn), three rounds, about 20 minutes
//!     cargo bench --bench replication -- --quick      one short round into target/, to see whether it works
//!     cargo bench --bench replication -- --no-java    ours alone
//!
//! CPU is the servers' user and system time from /proc, of master and slave together, NameServer left out.

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and waits for them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on ends")]

mod group;
#[path = "../harness/mod.rs"]
mod harness;
mod outcome;
mod page;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use group::{Group, Work};
use harness::deployment::Kind;
use harness::{machine, process};
use outcome::{Report, Sample};

/// What a copy costs and how late it is
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Runs of each deployment; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of each load
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds of load before that
    #[arg(long, default_value_t = 3.0)]
    warmup: f64,
    /// Seconds of load on Java's brokers before their first measurement
    #[arg(long, default_value_t = 20.0)]
    java_warmup: f64,
    /// Messages a second of the loads at a fixed rate
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    /// Sends in flight on each of the 16 connections of the saturated load
    #[arg(long, default_value_t = 64)]
    inflight: u32,
    /// One short round into target/
    #[arg(long)]
    quick: bool,
    /// Without Java's brokers
    #[arg(long)]
    no_java: bool,
    /// The server to measure instead of this build's
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The load generator to use instead of this build's
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// Where replication.md and bench/ go: docs/, of --quick target/replication/
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Set by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn out(&self) -> PathBuf {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let default = if self.quick { Path::new(env!("CARGO_TARGET_TMPDIR")).join("replication") } else { docs };
        self.out.clone().unwrap_or(default)
    }
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        arguments = Arguments { rounds: 1, seconds: 1.0, warmup: 0.5, java_warmup: 3.0, ..arguments };
    }
    let java = (!arguments.no_java).then(process::java_class_path);
    let mut kinds = vec![Kind::OneContainer, Kind::Processes];
    if java.is_some() {
        kinds.extend([Kind::JavaContainer, Kind::JavaContainers]);
    }
    let mut samples: Vec<Sample> = Vec::new();
    for round in 0..arguments.rounds {
        for kind in &kinds {
            eprintln!("round {} of {}: {}", round + 1, arguments.rounds, kind.name());
            samples.push(sample(&arguments, *kind, round, java.as_deref()));
        }
    }
    let report = Report::new(&arguments, &kinds, samples);
    println!("{}", page::text(&report));
    page::write(&report, &arguments.out());
}

/// One run of one deployment.
fn sample(arguments: &Arguments, kind: Kind, round: usize, java: Option<&str>) -> Sample {
    let load_average = machine::load_average();
    let mut group = Group::start(arguments, kind, "SYNC_MASTER", java);
    let idle = group.deployment.idle(Duration::from_secs(if arguments.quick { 1 } else { 5 }));
    group.warm_up();
    let rate = group.send(Work::Rate);
    let sync = group.send(Work::Sync);
    let saturated = group.send(Work::Saturated);
    let rss_after_mib = process::mebibytes(&group.deployment.usage());
    group.deployment.stop();
    // Not side by side with the first one: both together would be four brokers.
    let mut group = Group::start(arguments, kind, "ASYNC_MASTER", java);
    group.warm_up();
    let rate_async = group.send(Work::Rate);
    group.deployment.stop();
    Sample { kind, round, load_average, idle, rss_after_mib, rate, sync, saturated, rate_async }
}
