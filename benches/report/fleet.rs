//! Several brokers: in one process, in a process each, in Java's container.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind, Plan};
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

/// Start, idle, load, stop; each round with new stores.
pub fn brokers(session: &mut Session, brokers: usize) {
    let all = [Kind::OneContainer, Kind::Processes, Kind::JavaContainer];
    let kinds = session.kinds(match brokers {
        // There is nothing to share.
        1 => &[Kind::OneContainer, Kind::JavaContainer],
        // Java's takes half a minute to stop four brokers, a minute for eight; one and eight show how it grows.
        4 => &all[..2],
        _ => &all,
    });
    let mut samples: BTreeMap<Kind, Vec<Figures>> = BTreeMap::new();
    for round in 0..session.arguments.rounds {
        for kind in &kinds {
            if round < session.arguments.restart_rounds(*kind) {
                let what = format!("{brokers} brokers: {}", kind.name());
                eprintln!("{what}");
                samples
                    .entry(*kind)
                    .or_default()
                    .extend(session.attempt(&what, |session| one_round(session, *kind, brokers)));
            }
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
    if kind != Kind::JavaContainer {
        sample.extend(synced(session, kind, brokers));
    }
    sample
}

/// With SYNC_FLUSH and several sends in flight for each broker, and how many syncs that took.
fn synced(session: &Session, kind: Kind, brokers: usize) -> Figures {
    let arguments = &session.arguments;
    let generator = arguments.generator();
    let deployment = Deployment::start(&Plan { sync_flush: true, ..session.plan(kind, brokers) });
    let client = Client { generator: &generator, deployment: &deployment, warmup: 0.0, seconds: arguments.warmup };
    // All lanes go from broker to broker.
    let lanes = ["--mode", "async", "--inflight", &brokers.to_string()].map(str::to_owned);
    client.send(TOPIC, 1024, CONNECTIONS, &lanes);
    let before = deployment.syncs();
    let load = Client { seconds: arguments.seconds * 3.0, ..client }.send(TOPIC, 1024, CONNECTIONS, &lanes);
    let syncs = deployment.syncs().zip(before).map(|(after, before)| after - before);
    let mut sample = figures("synced_", load.as_ref());
    let per_thousand = syncs.zip(load).map(|(syncs, load)| 1000.0 * syncs / load.messages);
    sample.extend(per_thousand.map(|syncs| ("syncs_per_1000".to_owned(), syncs)));
    sample
}
