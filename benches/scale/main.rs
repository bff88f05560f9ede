//! Many of everything: topics, consumer groups, connections, brokers in a process; what each costs.
//!
//! ```text
//! topics       a broker with one topic and a broker with --topics: the same sends in turns; stop, start, kill -9, start
//! groups       offsets of --groups groups in one broker: commits, their file, memory, start
//! connections  --idle connections that say nothing, with the same sends beside and without them
//! brokers      --brokers in one process, idle
//!      v
//! figures by name, one list for each round -> medians -> table, docs/bench/scale.json, docs/bench/scale.svg
//! ```
//!
//!     cargo bench --bench scale                    about ten minutes; docs/scale.md says what the figures mean
//!     cargo bench --bench scale -- --quick         one short round
//!     cargo bench --bench scale -- --parts topics  only some of them
//!
//! CPU is the server's user and system time from /proc, so it says more on a busy machine than times do.

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and waits for them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on ends")]

mod clients;
#[path = "../harness/mod.rs"]
mod harness;
mod outcome;
mod topics;

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser;

use harness::deployment::{Deployment, Kind, Plan};
use harness::process;
use outcome::{Figures, Report};

/// What many topics, groups, connections and brokers cost
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    /// Topics of the large broker
    #[arg(long, default_value_t = 10_000)]
    topics: u32,
    /// Queues of each topic
    #[arg(long, default_value_t = 4)]
    queues: u32,
    /// Consumer groups
    #[arg(long, default_value_t = 1_000)]
    groups: u32,
    /// Connections that say nothing
    #[arg(long, default_value_t = 5_000)]
    idle: u32,
    /// Brokers in one process
    #[arg(long, default_value_t = 16)]
    brokers: usize,
    /// Turns of each load; medians are reported
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measured seconds of a turn
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// Seconds of load before that
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Seconds of load on the large broker before its first turn, so that its queues have files and its tables their size
    #[arg(long, default_value_t = 40.0)]
    settling: f64,
    /// Two short rounds
    #[arg(long)]
    quick: bool,
    /// Of topics, groups, connections, brokers
    #[arg(long, value_delimiter = ',', value_name = "PART", default_value = "topics,groups,connections,brokers")]
    parts: Vec<String>,
    /// Lines for every broker's configuration, to try settings ("\n" between them)
    #[arg(long, default_value = "")]
    conf: String,
    /// The server to measure instead of this build's
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The load generator to use instead of this build's
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// Where scale.json and scale.svg go
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/bench"))]
    out: PathBuf,
    /// Set by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn plan(&self, brokers: usize) -> Plan {
        Plan {
            kind: Kind::OneContainer,
            brokers,
            group: false,
            server: self.server.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into()),
            java: None,
            sync_flush: false,
            conf: self.conf.replace("\\n", "\n") + "\n",
        }
    }
}

fn main() {
    let mut arguments = Arguments::parse();
    if arguments.quick {
        arguments = Arguments { rounds: 2, seconds: 2.0, warmup: 0.5, settling: 10.0, ..arguments };
    }
    let mut figures = Figures::default();
    for part in &arguments.parts {
        eprintln!("{part}");
        match part.as_str() {
            "topics" => topics::measure(&arguments, &mut figures),
            "groups" => groups(&arguments, &mut figures),
            "connections" => connections(&arguments, &mut figures),
            "brokers" => brokers(&arguments, &mut figures),
            other => panic!("--parts {other}: there are topics, groups, connections and brokers"),
        }
    }
    let report = Report::new(&arguments, figures);
    println!("{}", report.table());
    report.write(&arguments.out);
}

/// Open file descriptors of all server processes.
fn descriptors(deployment: &Deployment) -> f64 {
    let pids = deployment.pids();
    let count = |pid: &str| std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
    as_f64(pids.split(',').map(count).sum())
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

fn memory(deployment: &Deployment) -> f64 {
    process::mebibytes(&deployment.usage())
}

/// CPU of the servers while `work` runs, and how long it ran.
fn cpu_of<T>(deployment: &Deployment, work: impl FnOnce() -> T) -> (Duration, Duration, T) {
    let (began, before) = (Instant::now(), deployment.usage());
    let result = work();
    (deployment.usage().cpu.saturating_sub(before.cpu), began.elapsed(), result)
}

fn groups(arguments: &Arguments, figures: &mut Figures) {
    let mut deployment = Deployment::start(&arguments.plan(1));
    topics::create(arguments, &deployment, "t", 1);
    let before = memory(&deployment);
    let commits = arguments.groups * arguments.queues;
    let (cpu, took, ()) =
        cpu_of(&deployment, || clients::commit(&deployment.namesrv, arguments.groups, arguments.queues));
    figures.add("groups: CPU of a commit", "us", cpu.as_secs_f64() * 1e6 / f64::from(commits));
    figures.add("groups: time of all commits", "s", took.as_secs_f64());
    // The file is written every 5 s (flushConsumerOffsetInterval) when something has changed.
    std::thread::sleep(Duration::from_secs(6));
    figures.add("groups: memory for one", "KiB", (memory(&deployment) - before) * 1024.0 / f64::from(arguments.groups));
    let (cpu, ..) = cpu_of(&deployment, || {
        for _ in 0..4 {
            clients::commit(&deployment.namesrv, 1, 1);
            std::thread::sleep(Duration::from_secs(5));
        }
    });
    figures.add("groups: CPU with one commit each 5 s", "% of a core", cpu.as_secs_f64() / 20.0 * 100.0);
    figures.add("groups: stop", "s", deployment.stop_brokers().as_secs_f64());
    deployment.start_brokers();
    figures.add("groups: ready", "s", deployment.ready.as_secs_f64());
}

fn connections(arguments: &Arguments, figures: &mut Figures) {
    let deployment = Deployment::start(&arguments.plan(1));
    topics::create(arguments, &deployment, "t", 1);
    for _ in 0..arguments.rounds {
        let alone = topics::send(arguments, &deployment, "t", 1, topics::Mode::Async);
        figures.add("connections: CPU of a send without", "us", alone.cpu_us_per_message);
        figures.add("connections: p99 of a send without", "us", alone.p99_us);
        let (rss, open) = (memory(&deployment), descriptors(&deployment));
        let address = clients::broker_address(&deployment.namesrv);
        let idle: Vec<TcpStream> = (0..arguments.idle).map(|_| TcpStream::connect(&address).unwrap()).collect();
        let deadline = Instant::now() + Duration::from_secs(30);
        while descriptors(&deployment) < open + f64::from(arguments.idle) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        figures.add(
            "connections: descriptors of one",
            "",
            (descriptors(&deployment) - open) / f64::from(arguments.idle),
        );
        figures.add(
            "connections: memory of one",
            "KiB",
            (memory(&deployment) - rss) * 1024.0 / f64::from(arguments.idle),
        );
        let beside = topics::send(arguments, &deployment, "t", 1, topics::Mode::Async);
        figures.add("connections: CPU of a send with", "us", beside.cpu_us_per_message);
        figures.add("connections: p99 of a send with", "us", beside.p99_us);
        drop(idle);
        while descriptors(&deployment) > open + 16.0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn brokers(arguments: &Arguments, figures: &mut Figures) {
    for _ in 0..arguments.rounds.min(3) {
        for brokers in [1, arguments.brokers] {
            let mut deployment = Deployment::start(&arguments.plan(brokers));
            let idle = deployment.idle(Duration::from_secs(if arguments.quick { 3 } else { 10 }));
            let name = |what: &str| format!("{brokers} brokers idle: {what}");
            figures.add(&name("ready"), "s", deployment.ready.as_secs_f64());
            figures.add(&name("CPU"), "% of a core", idle.cpu_percent);
            figures.add(&name("memory"), "MiB", idle.rss_mib);
            figures.add(&name("threads"), "", f64::from(u32::try_from(idle.threads).unwrap()));
            figures.add(&name("descriptors"), "", descriptors(&deployment));
            figures.add(&name("stop"), "s", deployment.stop().as_secs_f64());
        }
    }
}
