//! Several brokers: in one process, in a process each, in Java's container; and what they do to each other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind};
use crate::harness::process::mebibytes;
use crate::loads::Client;
use crate::results::{Figures, figures};
use crate::rows::{Mode, Work};

const TOPIC: &str = "fleet";
const CONNECTIONS: u32 = 8;
/// Java's container compiles while it is measured unless it had some load; its idle figures come first, as an operator sees them.
const JAVA_WARMUP_SHARE: f64 = 0.2;
/// Ticks of 10 ms are then 0.25 % of a core.
const IDLE_S: f64 = 4.0;
/// Messages a second of a neighbour with a light load.
const LIGHT: u32 = 500;

/// Start, idle, load, stop; each round with new stores.
pub fn brokers(session: &mut Session, brokers: usize) {
    let all = [Kind::OneContainer, Kind::Processes, Kind::JavaContainer];
    // Java's takes half a minute to stop four brokers, a minute for eight; one and eight show how it grows.
    let kinds = session.kinds(if brokers == 4 { &all[..2] } else { &all });
    let mut samples: BTreeMap<Kind, Vec<Figures>> = BTreeMap::new();
    for _ in 0..session.arguments.rounds {
        for kind in &kinds {
            eprintln!("{brokers} brokers: {}", kind.name());
            samples.entry(*kind).or_default().push(one_round(session, *kind, brokers));
        }
    }
    session.add(Work::Brokers { brokers }, samples);
}

fn one_round(session: &Session, kind: Kind, brokers: usize) -> Figures {
    let arguments = &session.arguments;
    let generator = arguments.generator();
    let mut deployment = Deployment::start(&session.plan(kind, brokers));
    let idle = deployment.idle(Duration::from_secs_f64(if arguments.quick { 1.0 } else { IDLE_S }));
    let mut sample = Figures::new();
    for (prefix, mode) in [("sync_", Mode::Sync), ("async_", Mode::Async)] {
        let warmup =
            if kind == Kind::JavaContainer { arguments.java_warmup * JAVA_WARMUP_SHARE } else { arguments.warmup };
        let client =
            Client { generator: &generator, deployment: &deployment, warmup, seconds: arguments.seconds * 3.0 };
        let load = client.send(TOPIC, 1024, CONNECTIONS, &mode.options(CONNECTIONS));
        sample.extend(figures(prefix, load.as_ref()));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let threads = idle.threads as f64;
    let others = [
        ("ready_s", deployment.ready.as_secs_f64()),
        ("idle_rss_mib", idle.rss_mib),
        ("idle_threads", threads),
        ("idle_cpu_percent", idle.cpu_percent),
        ("loaded_rss_mib", mebibytes(&deployment.usage())),
        ("stop_s", deployment.stop().as_secs_f64()),
    ];
    sample.extend(others.map(|(name, value)| (name.to_owned(), value)));
    sample
}

/// The light load alone, then with the other broker saturated.
pub fn neighbour(session: &mut Session) {
    let arguments = session.arguments.clone();
    let generator = arguments.generator();
    let seconds = arguments.seconds * 3.0;
    let mut samples: BTreeMap<Kind, Vec<Figures>> = BTreeMap::new();
    for kind in session.kinds(&[Kind::OneContainer, Kind::JavaContainer]) {
        let mut deployment = Deployment::start(&session.plan(kind, 2));
        if kind == Kind::JavaContainer {
            let seconds = arguments.java_warmup;
            Client { generator: &generator, deployment: &deployment, warmup: 0.0, seconds }.send(TOPIC, 1024, 16, &[]);
        }
        for _ in 0..arguments.rounds {
            let client = Client { generator: &generator, deployment: &deployment, warmup: arguments.warmup, seconds };
            let light = [at(0), light()].concat();
            let alone = client.send("light", 1024, 4, &light);
            let hog = Client { seconds: seconds + 1.5, ..client };
            let hog = hog.start_send("heavy", 1024, 16, &[at(1), Mode::Async.options(16)].concat());
            let beside = Client { warmup: arguments.warmup + 0.4, ..client }.send("light", 1024, 4, &light);
            let hog = hog.load();
            deployment.discard_full_files();
            let mut sample = figures("alone_", alone.as_ref());
            sample.extend(figures("beside_", beside.as_ref()));
            sample.extend(figures("hog_", hog.as_ref()));
            samples.entry(kind).or_default().push(sample);
        }
        deployment.stop();
    }
    session.add(Work::Neighbour, samples);
}

fn at(broker: usize) -> Vec<String> {
    vec!["--broker".to_owned(), format!("broker-{broker}")]
}

fn light() -> Vec<String> {
    ["--mode", "async", "--inflight", "64", "--rate", &LIGHT.to_string()].map(str::to_owned).into()
}
