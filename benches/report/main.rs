//! Ours, Java 5.5.0's container and the floor under the same load: every figure of docs/performance.md.
//!
//! ```text
//! rows: what is measured        each by alternating the servers, the others stopped (SIGSTOP), a few rounds
//!    |-- peers + loads          sends, fixed rates, reading: one broker of each, warm
//!    |-- fleet                  1, 4, 8 brokers in one process and in several
//!    |-- neighbours             a light load beside a saturated broker
//!    |-- restarts               start and stop over many stored messages
//!    v
//! results: samples by row, merged into performance.json -> goals, page -> performance.md, pictures
//! ```
//!
//!     cargo bench --bench report                              all rows, less than half an hour; needs java and mvn
//!     cargo bench --bench report -- --full                    each size with each number of producers, the start after 50
//!                                                             million messages, and Java's slow rows as often as the others
//!     cargo bench --bench report -- --rows send/async,rate    rows whose names hold one of these; the others stay as they were
//!     cargo bench --bench report -- --quick                   to see whether it works, into target/
//!     cargo bench --bench report -- --render                  only the page, from the figures there are

#![allow(clippy::disallowed_methods, reason = "a bench starts processes and waits for them")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench that cannot go on ends")]

mod fleet;
#[path = "../floor/mod.rs"]
mod floor;
mod goals;
#[path = "../harness/mod.rs"]
mod harness;
mod loads;
mod neighbours;
mod page;
mod peers;
mod restarts;
mod results;
mod rows;
mod scale;

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Parser, Subcommand};

use harness::deployment::{Kind, Plan};
use harness::figures::show;
use harness::process::java_class_path;
use results::{Figures, Results, Run};
use rows::{Hog, Work};

/// Measures ours, Java's container and the floor; writes docs/performance.md
#[derive(Parser, Clone, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    other: Option<Other>,
    /// Only rows whose names hold one of these texts, separated by ","
    #[arg(long, value_delimiter = ',', value_name = "TEXT")]
    rows: Vec<String>,
    /// Runs of each server for a row; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measured seconds of a run; rows that a goal is read from take three times as long
    #[arg(long, default_value_t = 0.7)]
    seconds: f64,
    /// Seconds of load before that
    #[arg(long, default_value_t = 0.3)]
    warmup: f64,
    /// Seconds of load on Java's container after its start, so that its code is compiled
    #[arg(long, default_value_t = 24.0)]
    java_warmup: f64,
    /// One short round into target/, to see whether it works
    #[arg(long)]
    quick: bool,
    /// With all sizes for all numbers of producers, the start after 50 million messages, and Java's slow rows in all rounds
    #[arg(long)]
    full: bool,
    /// Without Java's container
    #[arg(long)]
    no_java: bool,
    /// Only the page and the pictures, from performance.json
    #[arg(long)]
    render: bool,
    /// Names of rows, and no more
    #[arg(long)]
    list: bool,
    /// The server to measure instead of this build's
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// The load generator to use instead of this build's
    #[arg(long, value_name = "FILE")]
    generator: Option<PathBuf>,
    /// Where performance.md and bench/ go: docs/, of --quick target/report/
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Set by cargo bench
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand, Clone, Debug)]
enum Other {
    Floor(floor::Arguments),
}

impl Arguments {
    fn out(&self) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let default =
            if self.quick { Path::new(env!("CARGO_TARGET_TMPDIR")).join("report") } else { root.join("docs") };
        self.out.clone().unwrap_or(default)
    }

    fn generator(&self) -> PathBuf {
        self.generator.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into())
    }

    /// Of a server in rows that start and stop it. Java takes half a minute for that and more, and no goal is read from it
    /// there, so it has one round.
    fn restart_rounds(&self, kind: Kind) -> usize {
        if kind == Kind::JavaContainer && !self.full { 1 } else { self.rounds }
    }

    /// One broker or several of a kind, with ASYNC_FLUSH.
    fn plan(&self, kind: Kind, brokers: usize, java: Option<&str>) -> Plan {
        let server = self.server.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into());
        Plan {
            kind,
            brokers,
            group: false,
            server,
            java: java.map(str::to_owned),
            sync_flush: false,
            conf: String::new(),
        }
    }
}

/// A whole run: what was asked for, and what came out until now.
struct Session {
    arguments: Arguments,
    java: Option<String>,
    results: Results,
}

impl Session {
    /// The kinds that this run measures out of those that have the row.
    fn kinds(&self, kinds: &[Kind]) -> Vec<Kind> {
        kinds.iter().copied().filter(|kind| *kind != Kind::JavaContainer || self.java.is_some()).collect()
    }

    /// Keeps a row, at once on disk too: a run that is broken off leaves what it has.
    fn add(&mut self, work: Work, samples: BTreeMap<Kind, Vec<Figures>>) {
        let name = work.name();
        self.results.add(&name, samples);
        self.results.write(&self.arguments.out());
        let shown = ["cpu_us", "per_s", "p99_us"].map(|figure| {
            let kinds = [Kind::OneContainer, Kind::JavaContainer, Kind::Floor];
            let values = kinds.map(|kind| self.results.median(&name, kind, figure).map_or("-".into(), show));
            format!("{figure} {}", values.join(" "))
        });
        eprintln!("{name:<36} {}", shown.join("  "));
    }

    /// A server that does not start, stop or answer must not end the run. What it left unmeasured is written down.
    fn attempt<T>(&mut self, what: &str, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(|| work(self)));
        result.map_err(|panic| self.failed(what, panic.as_ref())).ok()
    }

    fn failed(&mut self, what: &str, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        let reason = text.and_then(|text| text.lines().next()).unwrap_or("unknown");
        eprintln!("{what}: {reason}");
        self.results.add_failure(format!("{what}: {reason}"));
        self.results.write(&self.arguments.out());
    }

    fn plan(&self, kind: Kind, brokers: usize) -> Plan {
        self.arguments.plan(kind, brokers, self.java.as_deref())
    }
}

fn main() {
    let mut arguments = Arguments::parse();
    if let Some(Other::Floor(floor)) = &arguments.other {
        floor::run(floor);
    }
    if arguments.quick {
        arguments = Arguments { rounds: 1, seconds: 0.4, warmup: 0.2, java_warmup: 4.0, ..arguments };
    }
    let wanted: Vec<Work> = rows::all().into_iter().filter(|work| is_wanted(&arguments, *work)).collect();
    if arguments.list {
        return wanted.iter().for_each(|work| println!("{}", work.name()));
    }
    let out = arguments.out();
    let mut results = Results::read(&out);
    if !arguments.render {
        let began = Instant::now();
        let java = (!arguments.no_java).then(java_class_path);
        let command = std::env::args().skip(1).filter(|argument| argument != "--bench").collect::<Vec<_>>().join(" ");
        results.begin(Run::now(&arguments, &command));
        let mut session = Session { arguments, java, results };
        measure(&mut session, &wanted);
        results = Results::read(&out);
        eprintln!("{} rows in {:.1} minutes", wanted.len(), began.elapsed().as_secs_f64() / 60.0);
    }
    page::write(&results, &out);
}

/// In phases, so that servers start as seldom as possible.
fn measure(session: &mut Session, wanted: &[Work]) {
    for sync_flush in [false, true] {
        let on_peers: Vec<Work> = wanted.iter().copied().filter(|work| work.peers() == Some(sync_flush)).collect();
        session.attempt("peers", |session| peers::measure(session, sync_flush, &on_peers));
    }
    for work in wanted {
        match *work {
            Work::Cold => {
                session.attempt(&work.name(), peers::cold);
            }
            Work::Brokers { brokers } => fleet::brokers(session, brokers),
            _ => {}
        }
    }
    let hogs: Vec<Hog> =
        wanted.iter().filter_map(|work| if let Work::Neighbour { hog } = work { Some(*hog) } else { None }).collect();
    neighbours::measure(session, &hogs);
    let millions: Vec<u64> = wanted
        .iter()
        .filter_map(|work| if let Work::Start { millions } = work { Some(*millions) } else { None })
        .collect();
    restarts::measure(session, &millions);
}

fn is_wanted(arguments: &Arguments, work: Work) -> bool {
    let named = arguments.rows.iter().any(|text| work.name().contains(text.as_str()));
    let small = !matches!(work, Work::Start { millions } if millions > if arguments.full { 50 } else { 10 });
    let quick = !arguments.quick || work.is_quick();
    let detail = work.is_detail() && !arguments.full;
    if arguments.rows.is_empty() { small && quick && !detail } else { named && small }
}
