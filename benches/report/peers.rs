//! One broker of each kind, all warm; while one is measured the others stand still.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind, Plan};
use crate::loads::Client;
use crate::results::{Figures, figures};
use crate::rows::{Mode, Work};

const ALL: [Kind; 3] = [Kind::OneContainer, Kind::JavaContainer, Kind::Floor];
/// The floor stores but does not read.
const READERS: [Kind; 2] = [Kind::OneContainer, Kind::JavaContainer];
/// What a server that stood still has to catch up with before it is measured.
const SETTLE: Duration = Duration::from_millis(150);
const TOPIC: &str = "report";
/// Bytes of bodies that reading is measured with.
const BACKLOG_BYTES: u64 = 320 << 20;
/// Reads of a message cost so little that CPU ticks of 10 ms would be seen.
const BACKLOG_MESSAGES_MAX: u64 = 1_000_000;

/// Brokers that take turns.
struct Peers {
    deployments: Vec<Deployment>,
}

impl Peers {
    fn start(session: &Session, kinds: &[Kind], plan: impl Fn(Plan) -> Plan) -> Peers {
        let start = |kind| {
            eprintln!("starting {}", Kind::name(kind));
            let deployment = Deployment::start(&plan(session.plan(kind, 1)));
            deployment.pause();
            deployment
        };
        Peers { deployments: session.kinds(kinds).into_iter().map(start).collect() }
    }

    /// One after the other, so that each has the machine for itself.
    fn warm_up(&mut self, session: &Session) {
        for deployment in &mut self.deployments {
            deployment.resume();
            warm_up(session, deployment);
            deployment.pause();
        }
    }

    /// One server after the other, in each of the rounds.
    fn alternate(
        &mut self,
        rounds: usize,
        mut sample: impl FnMut(usize, &mut Deployment) -> Figures,
    ) -> BTreeMap<Kind, Vec<Figures>> {
        let mut samples: BTreeMap<Kind, Vec<Figures>> = BTreeMap::new();
        for round in 0..rounds {
            for deployment in &mut self.deployments {
                deployment.resume();
                sleep(SETTLE);
                samples.entry(deployment.kind).or_default().push(sample(round, deployment));
                deployment.pause();
            }
        }
        samples
    }

    fn stop(mut self) {
        for deployment in &mut self.deployments {
            deployment.resume();
            deployment.stop();
        }
    }
}

/// Every path that is measured later; Java's gets as long as its compilers need.
fn warm_up(session: &Session, deployment: &Deployment) {
    let arguments = &session.arguments;
    let seconds = if deployment.kind == Kind::JavaContainer { arguments.java_warmup } else { 1.0 };
    let share = seconds / 6.0;
    let client = Client { generator: &arguments.generator(), deployment, warmup: 0.0, seconds: share };
    for mode in [Mode::Sync, Mode::Async, Mode::Batch] {
        client.send(TOPIC, 1024, 16, &mode.options(16));
        client.send(TOPIC, 128, 64, &mode.options(64));
    }
}

/// All rows that run on warm brokers with one way to flush.
pub fn measure(session: &mut Session, sync_flush: bool, rows: &[Work]) {
    let (with_floor, reading): (Vec<Work>, Vec<Work>) =
        rows.iter().partition(|work| matches!(work, Work::Send { .. } | Work::Rate { .. }));
    if !with_floor.is_empty() || !reading.is_empty() {
        let mut peers = Peers::start(session, &ALL, |plan| Plan { sync_flush, ..plan });
        peers.warm_up(session);
        for work in with_floor {
            sends(session, &mut peers, work);
        }
        if !reading.is_empty() {
            let (floor, readers) = peers.deployments.into_iter().partition(|peer| peer.kind == Kind::Floor);
            Peers { deployments: floor }.stop();
            peers = Peers { deployments: readers };
        }
        for work in reading {
            reads(session, &mut peers, work);
        }
        peers.stop();
    }
}

fn sends(session: &mut Session, peers: &mut Peers, work: Work) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let seconds = arguments.seconds * if work.is_goal() { 3.0 } else { 1.0 };
    let samples = peers.alternate(arguments.rounds, |_, deployment| {
        let client = Client { generator: &generator, deployment, warmup: arguments.warmup, seconds };
        let load = match work {
            Work::Send { mode, bytes, connections, .. } => {
                client.send(TOPIC, bytes, connections, &mode.options(connections))
            }
            Work::Rate { per_s, .. } => client.send(TOPIC, 1024, 16, &at_rate(per_s)),
            _ => unreachable!("not a row of sends: {work:?}"),
        };
        deployment.discard_full_files();
        figures("", load.as_ref())
    });
    session.add(work, samples);
}

fn reads(session: &mut Session, peers: &mut Peers, work: Work) {
    match work {
        Work::Tail { per_s } => tail(session, peers, work, per_s),
        Work::CatchUp { bytes } => catch_up(session, peers, work, bytes),
        _ => unreachable!("not a row of reads: {work:?}"),
    }
}

/// Open loop with room for a stall: as many lanes as would be waiting after a second of it, within bounds.
fn at_rate(per_s: u32) -> Vec<String> {
    let inflight = (per_s / 16).clamp(16, 256);
    ["--mode", "async", "--inflight", &inflight.to_string(), "--rate", &per_s.to_string()].map(str::to_owned).into()
}

/// The consumer's figures: CPU holds the sends too, latency is from the moment a send was due to the message's arrival.
fn tail(session: &mut Session, peers: &mut Peers, work: Work, per_s: u32) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let seconds = arguments.seconds * 3.0;
    let samples = peers.alternate(arguments.rounds, |round, deployment| {
        let warmup = arguments.warmup + 0.6;
        let consumer = Client { generator: &generator, deployment, warmup, seconds };
        let producer = Client { warmup: 0.0, seconds: warmup + seconds + 0.5, ..consumer };
        let reading = consumer.start_tail(TOPIC, &format!("tail-{per_s}-{round}"));
        let sending = producer.start_send(TOPIC, 1024, 16, &[at_rate(per_s), vec!["--send-time".to_owned()]].concat());
        let (read, _) = (reading.load(), sending.load());
        deployment.discard_full_files();
        figures("", read.as_ref())
    });
    session.add(work, samples);
}

fn catch_up(session: &mut Session, peers: &mut Peers, work: Work, bytes: u32) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let topic = format!("catch-up-{bytes}");
    let samples = peers.alternate(arguments.rounds, |round, deployment| {
        let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
        if round == 0 {
            client.fill(&topic, bytes, backlog(bytes, arguments.quick));
            client.drain(&topic, "warm-up");
        }
        figures("", client.drain(&topic, &format!("round-{round}")).as_ref())
    });
    session.add(work, samples);
}

fn backlog(bytes: u32, quick: bool) -> u64 {
    let messages = (BACKLOG_BYTES / u64::from(bytes)).min(BACKLOG_MESSAGES_MAX);
    if quick { messages / 8 } else { messages }
}

/// Java's pages are mapped and leave the cache only with the process, so all brokers are started again over stores that were
/// dropped from it. Files are small and more than three are filled after the backlog, because recovery reads the last
/// three.
pub fn cold(session: &mut Session) {
    const SMALL_FILES: &str = "mappedFileSizeCommitLog=67108864\n";
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let mut peers = Peers::start(session, &READERS, |plan| Plan { conf: SMALL_FILES.to_owned(), ..plan });
    for deployment in &mut peers.deployments {
        deployment.resume();
        for round in 0..arguments.rounds {
            let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
            client.fill(&format!("cold-{round}"), 1024, backlog(1024, arguments.quick) / 2);
        }
        fill_last_files(&generator, deployment);
        deployment.stop_brokers();
        deployment.drop_page_cache();
        deployment.start_brokers();
        deployment.pause();
    }
    peers.warm_up(session);
    let samples = peers.alternate(arguments.rounds, |round, deployment| {
        let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
        figures("", client.drain(&format!("cold-{round}"), "cold").as_ref())
    });
    peers.stop();
    session.add(Work::Cold, samples);
}

/// More than the three files of 64 MiB that recovery reads.
const LAST_FILES_BYTES: u64 = 256 << 20;

/// With messages that nobody reads.
fn fill_last_files(generator: &std::path::Path, deployment: &Deployment) {
    let client = Client { generator, deployment, warmup: 0.0, seconds: 0.0 };
    client.fill(TOPIC, 16 * 1024, LAST_FILES_BYTES / (16 * 1024));
}
