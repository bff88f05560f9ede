//! What came out: samples of single runs, medians of them, the table and the files.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::harness::deployment::{Idle, Kind};
use crate::harness::figures::{median, publish, show};
use crate::harness::generator::Load;
use crate::harness::machine::Machine;
use crate::{Arguments, picture};

/// One run of one deployment.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub kind: Kind,
    pub round: usize,
    /// Of the minute before.
    pub load_average: f64,
    pub ready_s: f64,
    pub stop_s: f64,
    pub idle: Idle,
    /// After all load.
    pub rss_after_mib: f64,
    pub sync: Load,
    pub saturated: Load,
    pub java_client: Option<Load>,
}

/// One line of the table: medians, one for each deployment; `None` where it was not measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: &'static str,
    pub unit: &'static str,
    pub medians: Vec<Option<f64>>,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub machine: Machine,
    pub command: String,
    pub deployments: Vec<Kind>,
    pub brokers: usize,
    pub medians: Vec<Row>,
    pub samples: Vec<Sample>,
}

type Take = fn(&Sample) -> Option<f64>;

const ROWS: [(&str, &str, Take); 23] = [
    ("sync: server CPU", "us/message", |sample| Some(sample.sync.cpu_us_per_message)),
    ("sync: throughput", "messages/s", |sample| Some(sample.sync.messages_per_s)),
    ("sync: p50", "us", |sample| Some(sample.sync.p50_us)),
    ("sync: p99", "us", |sample| Some(sample.sync.p99_us)),
    ("sync: p99.9", "us", |sample| Some(sample.sync.p99_9_us)),
    ("saturated: server CPU", "us/message", |sample| Some(sample.saturated.cpu_us_per_message)),
    ("saturated: throughput", "messages/s", |sample| Some(sample.saturated.messages_per_s)),
    ("saturated: p50", "us", |sample| Some(sample.saturated.p50_us)),
    ("saturated: p99", "us", |sample| Some(sample.saturated.p99_us)),
    ("saturated: p99.9", "us", |sample| Some(sample.saturated.p99_9_us)),
    (JAVA_CLIENT_CPU, "us/message", |sample| sample.java_client.as_ref().map(|load| load.cpu_us_per_message)),
    ("Java client: throughput", "messages/s", |sample| sample.java_client.as_ref().map(|load| load.messages_per_s)),
    ("Java client: p50", "us", |sample| sample.java_client.as_ref().map(|load| load.p50_us)),
    ("Java client: p99", "us", |sample| sample.java_client.as_ref().map(|load| load.p99_us)),
    ("Java client: p99.9", "us", |sample| sample.java_client.as_ref().map(|load| load.p99_9_us)),
    ("failed requests", "", |sample| Some(failed(sample))),
    ("idle: memory (RSS)", "MiB", |sample| Some(sample.idle.rss_mib)),
    ("idle: CPU of a core", "%", |sample| Some(sample.idle.cpu_percent)),
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    ("idle: threads", "", |sample| Some(sample.idle.threads as f64)),
    ("after load: memory (RSS)", "MiB", |sample| Some(sample.rss_after_mib)),
    ("ready", "s", |sample| Some(sample.ready_s)),
    ("stopped", "s", |sample| Some(sample.stop_s)),
    ("load average before", "", |sample| Some(sample.load_average)),
];

const JAVA_CLIENT_CPU: &str = "Java client: server CPU";
/// The goal: ours needs at most this share of Java's CPU for a synchronous 1 KiB send of the Java client.
const GOAL: f64 = 0.25;

fn failed(sample: &Sample) -> f64 {
    sample.sync.failed + sample.saturated.failed + sample.java_client.as_ref().map_or(0.0, |load| load.failed)
}

impl Report {
    pub fn new(arguments: &Arguments, kinds: &[Kind], samples: Vec<Sample>) -> Report {
        let medians_of = |take: Take| {
            let of =
                |kind: &Kind| median(samples.iter().filter(|sample| sample.kind == *kind).filter_map(take).collect());
            kinds.iter().map(of).collect()
        };
        let medians = ROWS.map(|(name, unit, take)| Row { name, unit, medians: medians_of(take) });
        Report {
            machine: Machine::now(),
            command: format!("{arguments:?}"),
            deployments: kinds.to_vec(),
            brokers: arguments.brokers,
            medians: medians.into_iter().filter(|row| row.medians.iter().any(Option::is_some)).collect(),
            samples,
        }
    }

    pub fn table(&self) -> String {
        let mut text = format!(
            "{} brokers, 1 KiB, medians; {}, {} cores, {}\n\n",
            self.brokers, self.machine.cpu, self.machine.cores, self.machine.revision
        );
        let _ = write!(text, "{:<36}", "");
        for kind in &self.deployments {
            let _ = write!(text, "{:>18}", kind.name());
        }
        for row in &self.medians {
            let _ = write!(text, "\n{:<36}", format!("{} {}", row.name, row.unit));
            for value in &row.medians {
                let _ = write!(text, "{:>18}", value.map_or_else(|| "-".to_owned(), show));
            }
        }
        if let Some(share) = self.share_of_java() {
            let verdict = if share <= GOAL { "reached" } else { "missed" };
            let _ = write!(
                text,
                "\n\nCPU of a synchronous send by the Java client: {share:.3} of Java's (goal: at most {GOAL}), {verdict}"
            );
        }
        text
    }

    /// Our server's CPU for a synchronous send of the Java client as a share of Java's.
    fn share_of_java(&self) -> Option<f64> {
        let row = self.medians.iter().find(|row| row.name == JAVA_CLIENT_CPU)?;
        let of = |kind| row.medians[self.deployments.iter().position(|deployed| *deployed == kind)?];
        Some(of(Kind::OneContainer)? / of(Kind::JavaContainer)?)
    }

    pub fn write(&self, out: &Path) {
        publish(out, "colocated.json", &(serde_json::to_string_pretty(self).unwrap() + "\n"));
        publish(out, "colocated.svg", &picture::svg(self));
    }
}
