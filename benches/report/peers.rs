//! One broker of each kind, all warm; while one is measured the others stand still.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind, Plan};
use crate::loads::Client;
use crate::results::{Figures, figures, read_figures};
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

/// Reads of a backlog until it must be complete.
const AWAITED_TURNS: usize = 5;

/// Brokers that take turns.
struct Peers {
    deployments: Vec<Deployment>,
}

impl Peers {
    /// Without those that do not start.
    fn start(session: &mut Session, kinds: &[Kind], plan: impl Fn(Plan) -> Plan) -> Peers {
        let kinds = session.kinds(kinds);
        let mut start = |kind: Kind| {
            eprintln!("starting {}", kind.name());
            session.attempt(&format!("rows on {}", kind.name()), |session| {
                let deployment = Deployment::start(&plan(session.plan(kind, 1)));
                deployment.pause();
                deployment
            })
        };
        Peers { deployments: kinds.into_iter().filter_map(&mut start).collect() }
    }

    /// One after the other, so that each has the machine for itself; without those that fail.
    fn prepare(&mut self, session: &mut Session, mut work: impl FnMut(&Session, &mut Deployment)) {
        self.deployments.retain_mut(|deployment| {
            let prepared = session.attempt(&format!("rows on {}", deployment.kind.name()), |session| {
                deployment.resume();
                work(session, deployment);
                deployment.pause();
            });
            prepared.is_some()
        });
    }

    /// The row: one server after the other, in each of the rounds. One that fails is left out from then on.
    fn alternate(
        &mut self,
        session: &mut Session,
        work: Work,
        mut sample: impl FnMut(usize, &mut Deployment) -> Figures,
    ) {
        let mut samples: BTreeMap<Kind, Vec<Figures>> = BTreeMap::new();
        for round in 0..session.arguments.rounds {
            self.deployments.retain_mut(|deployment| {
                let what = format!("{} and what follows it, {}", work.name(), deployment.kind.name());
                let measured = session.attempt(&what, |_| {
                    deployment.resume();
                    sleep(SETTLE);
                    let figures = sample(round, deployment);
                    deployment.pause();
                    figures
                });
                let works = measured.is_some();
                samples.entry(deployment.kind).or_default().extend(measured);
                works
            });
        }
        session.add(work, samples);
    }
}

/// Every path that is measured later; Java's gets as long as its compilers need.
fn warm_up(session: &Session, deployment: &mut Deployment) {
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
        peers.prepare(session, warm_up);
        for work in with_floor {
            sends(session, &mut peers, work);
        }
        if !reading.is_empty() {
            peers.deployments.retain(|peer| peer.kind != Kind::Floor);
        }
        for work in reading {
            reads(session, &mut peers, work);
        }
    }
}

fn sends(session: &mut Session, peers: &mut Peers, work: Work) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let seconds = arguments.seconds * if work.is_goal() { 3.0 } else { 1.0 };
    peers.alternate(session, work, |_, deployment| {
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
    peers.alternate(session, work, |round, deployment| {
        let warmup = arguments.warmup + 0.6;
        let consumer = Client { generator: &generator, deployment, warmup, seconds };
        let producer = Client { warmup: 0.0, seconds: warmup + seconds + 0.5, ..consumer };
        let reading = consumer.start_tail(TOPIC, &format!("tail-{per_s}-{round}"));
        let sending = producer.start_send(TOPIC, 1024, 16, &[at_rate(per_s), vec!["--send-time".to_owned()]].concat());
        let (read, _) = (reading.load(), sending.load());
        deployment.discard_full_files();
        figures("", read.as_ref())
    });
}

fn catch_up(session: &mut Session, peers: &mut Peers, work: Work, bytes: u32) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let topic = format!("catch-up-{bytes}");
    let messages = backlog(bytes, arguments.quick);
    peers.alternate(session, work, |round, deployment| {
        let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
        if round == 0 {
            client.fill(&topic, bytes, messages, &[]);
            await_all(&client, &topic, messages);
        }
        read_figures(client.drain(&topic, &format!("round-{round}")).as_ref(), messages)
    });
}

/// A message can be read only some time after it was acknowledged.
#[expect(clippy::cast_precision_loss, reason = "a million")]
fn await_all(client: &Client<'_>, topic: &str, messages: u64) {
    let read = |turn| client.drain(topic, &format!("warm-up-{turn}")).map_or(0.0, |load| load.messages);
    let all = (0..AWAITED_TURNS).any(|turn| read(turn) >= messages as f64);
    if !all {
        eprintln!("{topic}: not all of {messages} messages can be read");
    }
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
    let messages = backlog(1024, arguments.quick) / 2;
    let mut peers = Peers::start(session, &READERS, |plan| Plan { conf: SMALL_FILES.to_owned(), ..plan });
    peers.prepare(session, |_, deployment| {
        for round in 0..arguments.rounds {
            let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
            client.fill(&format!("cold-{round}"), 1024, messages, &[]);
        }
        fill_last_files(&generator, deployment);
        deployment.stop_brokers();
        deployment.drop_page_cache();
        deployment.start_brokers();
    });
    peers.prepare(session, warm_up);
    peers.alternate(session, Work::Cold, |round, deployment| {
        let client = Client { generator: &generator, deployment, warmup: 0.0, seconds: 0.0 };
        read_figures(client.drain(&format!("cold-{round}"), "cold").as_ref(), messages)
    });
}

/// More than the three files of 64 MiB that recovery reads.
const LAST_FILES_BYTES: u64 = 256 << 20;

/// With messages that nobody reads.
fn fill_last_files(generator: &std::path::Path, deployment: &Deployment) {
    let client = Client { generator, deployment, warmup: 0.0, seconds: 0.0 };
    client.fill(TOPIC, 16 * 1024, LAST_FILES_BYTES / (16 * 1024), &[]);
}
