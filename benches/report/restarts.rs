//! Start and stop over many stored messages: after an orderly stop, and after a crash.

use std::collections::BTreeMap;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind};
use crate::loads::Client;
use crate::results::Figures;
use crate::rows::Work;

const TOPIC: &str = "many";
/// Small messages: as many as possible to recover from the bytes there are.
const BYTES: u32 = 100;

/// One store grows from one size to the next; the sizes must ascend.
pub fn measure(session: &mut Session, millions: &[u64]) {
    let mut samples: BTreeMap<u64, BTreeMap<Kind, Vec<Figures>>> = BTreeMap::new();
    let kinds =
        if millions.is_empty() { Vec::new() } else { session.kinds(&[Kind::OneContainer, Kind::JavaContainer]) };
    for kind in kinds {
        session.attempt(&format!("start and stop, {}", kind.name()), |session| {
            grow(session, kind, millions, |size, rounds| {
                samples.entry(size).or_default().insert(kind, rounds);
            });
        });
    }
    for (millions, samples) in samples {
        session.add(Work::Start { millions }, samples);
    }
}

fn grow(session: &Session, kind: Kind, millions: &[u64], mut add: impl FnMut(u64, Vec<Figures>)) {
    let mut deployment = Deployment::start(&session.plan(kind, 1));
    let generator = session.arguments.generator();
    let (mut stored, mut missing) = (0, 0);
    for size in millions {
        eprintln!("start after {size} million messages: {}", kind.name());
        let client = Client { generator: &generator, deployment: &deployment, warmup: 0.0, seconds: 0.0 };
        missing += client.fill(TOPIC, BYTES, (size - stored) * 1_000_000, &[]);
        stored = *size;
        #[expect(clippy::cast_precision_loss, reason = "millions")]
        let missing = ("messages_missing".to_owned(), missing as f64);
        let rounds = (0..session.arguments.restart_rounds(kind)).map(|_| {
            let mut figures = restarts(&mut deployment);
            figures.extend([missing.clone()]);
            figures
        });
        add(*size, rounds.collect());
    }
}

fn restarts(deployment: &mut Deployment) -> Figures {
    let stop = deployment.stop_brokers();
    deployment.start_brokers();
    let clean = deployment.ready;
    deployment.kill_brokers();
    deployment.start_brokers();
    let times = [("stop_s", stop), ("clean_s", clean), ("killed_s", deployment.ready)];
    times.map(|(name, time)| (name.to_owned(), time.as_secs_f64())).into()
}
