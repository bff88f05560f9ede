//! A broker with a light load, alone and while another broker of its container is saturated.
//!
//! ```text
//! broker-0   500 messages/s, open loop            its p99: the row's figures
//! broker-1.. one for each hog that is wanted      saturated in every second run
//! ```
//!
//! The same with a process for each broker shows what the machine does to the light load and its generator, whoever serves it.

use std::collections::BTreeMap;

use crate::Session;
use crate::harness::deployment::{Deployment, Kind};
use crate::harness::generator::{Generator, Load};
use crate::loads::Client;
use crate::results::{Figures, figures};
use crate::rows::{Hog, Mode, Work};

const LIGHT: [&str; 6] = ["--mode", "async", "--inflight", "64", "--rate", "500"];
/// The hog runs before the light load is counted, and after.
const BEFORE_S: f64 = 0.4;
const AFTER_S: f64 = 1.1;
/// What cold readers have for one run: about as much as they read in it. Java reads at less than a third of our rate.
const COLD_MESSAGES: u64 = 1 << 20;
const COLD_MESSAGES_JAVA: u64 = 384 << 10;
/// More than the three files that recovery reads, so that it does not read the backlog.
const COLD_FILES: &str = "mappedFileSizeCommitLog=67108864\n";
const LAST_FILES_BYTES: u64 = 256 << 20;

/// A container of one kind with a broker for each hog.
struct Neighbourhood<'s> {
    session: &'s Session,
    deployment: Deployment,
    hogs: &'s [Hog],
}

/// All hogs in one container, one after the other. Cold readers come first, because loads of sends give full files back.
pub fn measure(session: &mut Session, hogs: &[Hog]) {
    let mut hogs = hogs.to_vec();
    hogs.sort_by_key(|hog| *hog != Hog::ColdReaders);
    let mut samples: BTreeMap<Hog, BTreeMap<Kind, Vec<Figures>>> = BTreeMap::new();
    for kind in session.kinds(&[Kind::OneContainer, Kind::Processes, Kind::JavaContainer]) {
        // No goal is read from Java's cold readers, and its brokers would be stopped and started for them.
        let skipped = |hog: Hog| kind == Kind::JavaContainer && hog == Hog::ColdReaders && !session.arguments.full;
        let hogs: Vec<Hog> = hogs.iter().copied().filter(|hog| !skipped(*hog)).collect();
        if hogs.is_empty() {
            continue;
        }
        eprintln!("neighbours: {}", kind.name());
        let measured = session.attempt(&format!("neighbours, {}", kind.name()), |session| {
            let neighbourhood = Neighbourhood::start(session, kind, &hogs);
            let rounds = |hog| (0..session.arguments.rounds).map(move |round| (hog, round));
            let runs = hogs.iter().flat_map(|hog| rounds(*hog));
            runs.map(|(hog, round)| (hog, neighbourhood.round(hog, round))).collect::<Vec<_>>()
        });
        for (hog, sample) in measured.unwrap_or_default() {
            samples.entry(hog).or_default().entry(kind).or_default().push(sample);
        }
    }
    for (hog, samples) in samples {
        session.add(Work::Neighbour { hog }, samples);
    }
}

impl<'s> Neighbourhood<'s> {
    fn start(session: &'s Session, kind: Kind, hogs: &'s [Hog]) -> Neighbourhood<'s> {
        let lines = |broker: usize| match broker.checked_sub(1).map(|index| hogs[index]) {
            Some(Hog::SyncFlush) => "flushDiskType=SYNC_FLUSH\n".to_owned(),
            Some(Hog::ColdReaders) => COLD_FILES.to_owned(),
            Some(Hog::Producers) | None => String::new(),
        };
        let deployment = Deployment::start_each(&session.plan(kind, hogs.len() + 1), lines);
        let mut neighbourhood = Neighbourhood { session, deployment, hogs };
        if hogs.contains(&Hog::ColdReaders) {
            neighbourhood.fill_and_forget();
        }
        let generator = session.arguments.generator();
        let seconds = if kind == Kind::JavaContainer { session.arguments.java_warmup } else { 1.0 };
        neighbourhood.client(&generator, seconds).send("warm-up", 1024, 16, &[]);
        neighbourhood
    }

    /// Java's pages are mapped and leave the cache only with the process.
    fn fill_and_forget(&mut self) {
        let generator = self.session.arguments.generator();
        let client = self.client(&generator, 0.0);
        for round in 0..self.session.arguments.rounds {
            client.fill(&cold_topic(round), 1024, self.backlog(), &self.at(Hog::ColdReaders));
        }
        client.fill("last", 16 * 1024, LAST_FILES_BYTES / (16 * 1024), &self.at(Hog::ColdReaders));
        self.deployment.stop_brokers();
        self.deployment.drop_page_cache();
        self.deployment.start_brokers();
    }

    fn backlog(&self) -> u64 {
        let java = self.deployment.kind == Kind::JavaContainer;
        let messages = if java { COLD_MESSAGES_JAVA } else { COLD_MESSAGES };
        if self.session.arguments.quick { messages / 4 } else { messages }
    }

    /// The light load alone, then beside the hog.
    fn round(&self, hog: Hog, round: usize) -> Figures {
        let arguments = &self.session.arguments;
        let generator = arguments.generator();
        let light = [vec!["--broker".to_owned(), "broker-0".to_owned()], LIGHT.map(str::to_owned).into()].concat();
        let seconds = arguments.seconds * 3.0;
        let client = Client { warmup: arguments.warmup, ..self.client(&generator, seconds) };
        let alone = client.send("light", 1024, 4, &light);
        let heavy = self.start_hog(hog, round, &client);
        let beside = Client { warmup: arguments.warmup + BEFORE_S, ..client }.send("light", 1024, 4, &light);
        let heavy = heavy.load();
        if hog != Hog::ColdReaders {
            self.deployment.discard_full_files();
        }
        let mut sample = figures("alone_", alone.as_ref());
        sample.extend(figures("beside_", beside.as_ref()));
        sample.extend(figures("hog_", heavy.as_ref()));
        sample.extend(heavy.map(|heavy: Load| ("hog_s".to_owned(), heavy.messages / heavy.messages_per_s)));
        sample
    }

    fn start_hog(&self, hog: Hog, round: usize, light: &Client<'_>) -> Generator {
        let client = Client { seconds: light.seconds + BEFORE_S + AFTER_S, ..*light };
        let producers = || [self.at(hog), Mode::Async.options(16)].concat();
        match hog {
            Hog::Producers | Hog::SyncFlush => {
                client.start_send(&format!("heavy-{}", self.broker(hog)), 1024, 16, &producers())
            }
            Hog::ColdReaders => client.start_drain(&cold_topic(round), "cold", &self.at(hog)),
        }
    }

    fn at(&self, hog: Hog) -> Vec<String> {
        vec!["--broker".to_owned(), format!("broker-{}", self.broker(hog))]
    }

    fn broker(&self, hog: Hog) -> usize {
        1 + self.hogs.iter().position(|known| *known == hog).unwrap()
    }

    fn client<'c>(&'c self, generator: &'c std::path::Path, seconds: f64) -> Client<'c> {
        Client { generator, deployment: &self.deployment, warmup: 0.0, seconds }
    }
}

fn cold_topic(round: usize) -> String {
    format!("cold-{round}")
}
