//! What came out: samples of single runs and medians of them.

use serde::Serialize;

use crate::Arguments;
use crate::harness::deployment::{Idle, Kind};
use crate::harness::figures::median;
use crate::harness::generator::Load;
use crate::harness::machine::Machine;

/// One run of one deployment; what does not say else is of the SYNC_MASTER.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    pub kind: Kind,
    pub round: usize,
    /// Of the minute before.
    pub load_average: f64,
    pub idle: Idle,
    /// After all load.
    pub rss_after_mib: f64,
    pub rate: Load,
    pub sync: Load,
    pub saturated: Load,
    /// Of the ASYNC_MASTER.
    pub rate_async: Load,
}

/// One figure: medians, one for each deployment.
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
    pub rounds: usize,
    pub seconds: f64,
    /// Messages a second.
    pub rate: f64,
    pub deployments: Vec<Kind>,
    pub medians: Vec<Row>,
    pub samples: Vec<Sample>,
}

pub const THROUGHPUT: &str = "saturated: throughput";

type Take = fn(&Sample) -> f64;

const ROWS: [(&str, &str, Take); 25] = [
    (THROUGHPUT, "messages/s", |sample| sample.saturated.messages_per_s),
    ("saturated: server CPU", "us/message", |sample| sample.saturated.cpu_us_per_message),
    ("saturated: p99", "us", |sample| sample.saturated.p99_us),
    ("16 producers: throughput", "messages/s", |sample| sample.sync.messages_per_s),
    ("16 producers: server CPU", "us/message", |sample| sample.sync.cpu_us_per_message),
    ("16 producers: p50", "us", |sample| sample.sync.p50_us),
    ("16 producers: p99", "us", |sample| sample.sync.p99_us),
    ("on both: p50", "us", |sample| sample.rate.p50_us),
    ("on both: p99", "us", |sample| sample.rate.p99_us),
    ("on both: p99.9", "us", |sample| sample.rate.p99_9_us),
    ("on the master: p50", "us", |sample| sample.rate_async.p50_us),
    ("on the master: p99", "us", |sample| sample.rate_async.p99_us),
    ("on the master: p99.9", "us", |sample| sample.rate_async.p99_9_us),
    ("difference: p50", "us", |sample| sample.rate.p50_us - sample.rate_async.p50_us),
    ("difference: p99", "us", |sample| sample.rate.p99_us - sample.rate_async.p99_us),
    ("difference: p99.9", "us", |sample| sample.rate.p99_9_us - sample.rate_async.p99_9_us),
    ("fixed rate, SYNC_MASTER: server CPU", "us/message", |sample| sample.rate.cpu_us_per_message),
    ("fixed rate, ASYNC_MASTER: server CPU", "us/message", |sample| sample.rate_async.cpu_us_per_message),
    ("idle: memory (RSS)", "MiB", |sample| sample.idle.rss_mib),
    ("idle: CPU of a core", "%", |sample| sample.idle.cpu_percent),
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    ("idle: threads", "", |sample| sample.idle.threads as f64),
    ("after load: memory (RSS)", "MiB", |sample| sample.rss_after_mib),
    ("sends not answered SEND_OK", "", failed),
    ("saturated: generator", "cores", |sample| sample.saturated.generator_cores),
    ("load average before", "", |sample| sample.load_average),
];

fn failed(sample: &Sample) -> f64 {
    [&sample.rate, &sample.sync, &sample.saturated, &sample.rate_async].iter().map(|load| load.failed).sum()
}

impl Report {
    pub fn new(arguments: &Arguments, kinds: &[Kind], samples: Vec<Sample>) -> Report {
        let of =
            |kind: Kind, take: Take| median(samples.iter().filter(|sample| sample.kind == kind).map(take).collect());
        let row = |(name, unit, take): (&'static str, &'static str, Take)| {
            let medians = kinds.iter().map(|kind| of(*kind, take)).collect();
            Row { name, unit, medians }
        };
        Report {
            machine: Machine::now(),
            command: format!("{arguments:?}"),
            rounds: arguments.rounds,
            seconds: arguments.seconds,
            rate: arguments.rate,
            deployments: kinds.to_vec(),
            medians: ROWS.map(row).into(),
            samples,
        }
    }

    /// One figure of one deployment.
    pub fn median(&self, name: &str, kind: Kind) -> Option<f64> {
        let row = self.medians.iter().find(|row| row.name == name)?;
        row.medians[self.deployments.iter().position(|deployed| *deployed == kind)?]
    }

    /// One deployment's figure as a multiple of another's.
    pub fn ratio(&self, name: &str, of: Kind, to: Kind) -> Option<f64> {
        Some(self.median(name, of)? / self.median(name, to)?)
    }
}
