//! What came out: figures of every run of every server, by row, kept as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Arguments;
use crate::harness::deployment::Kind;
use crate::harness::figures::median;
use crate::harness::generator::Load;
use crate::harness::machine::{Machine, load_average};

/// Numbers by name; the unit is the end of the name.
pub type Figures = BTreeMap<String, f64>;

/// One call of the bench.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    #[serde(flatten)]
    pub machine: Machine,
    /// What it was called with.
    pub command: String,
    pub rounds: usize,
    pub seconds: f64,
    pub java_warmup_s: f64,
    /// Of the minute before.
    pub load_average: f64,
    /// What did not come out, and why.
    #[serde(default)]
    pub failures: Vec<String>,
}

/// One row.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// Index of its run.
    pub run: usize,
    /// One entry for each round.
    pub samples: BTreeMap<Kind, Vec<Figures>>,
}

/// All rows ever measured into one file; measuring a row again replaces it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    pub runs: Vec<Run>,
    pub rows: Vec<Row>,
}

impl Run {
    pub fn now(arguments: &Arguments, command: &str) -> Run {
        Run {
            machine: Machine::now(),
            command: command.to_owned(),
            rounds: arguments.rounds,
            seconds: arguments.seconds,
            java_warmup_s: arguments.java_warmup,
            load_average: load_average(),
            failures: Vec::new(),
        }
    }
}

impl Results {
    /// Empty when nothing was measured yet.
    pub fn read(out: &Path) -> Results {
        let text = fs::read(out.join("bench/performance.json")).unwrap_or_default();
        if text.is_empty() { Results::default() } else { serde_json::from_slice(&text).unwrap() }
    }

    /// Rows added from now on belong to `run`.
    pub fn begin(&mut self, run: Run) {
        self.runs.push(run);
    }

    /// A row of the last run.
    pub fn add(&mut self, name: &str, samples: BTreeMap<Kind, Vec<Figures>>) {
        let run = self.runs.len() - 1;
        self.rows.retain(|row| row.name != name);
        self.rows.push(Row { name: name.to_owned(), run, samples });
    }

    /// Of the last run.
    pub fn add_failure(&mut self, failure: String) {
        let run = self.runs.len() - 1;
        self.runs[run].failures.push(failure);
    }

    /// Without the runs that have no row left.
    pub fn write(&self, out: &Path) {
        let mut kept = self.clone();
        kept.forget_unused_runs();
        fs::create_dir_all(out.join("bench")).unwrap();
        fs::write(out.join("bench/performance.json"), serde_json::to_string_pretty(&kept).unwrap() + "\n").unwrap();
    }

    fn forget_unused_runs(&mut self) {
        let used: Vec<usize> = (0..self.runs.len()).filter(|run| self.rows.iter().any(|row| row.run == *run)).collect();
        for row in &mut self.rows {
            row.run = used.iter().position(|run| *run == row.run).unwrap();
        }
        self.runs = used.iter().map(|run| self.runs[*run].clone()).collect();
    }

    /// The median of a figure; `None` when it was not measured.
    pub fn median(&self, row: &str, kind: Kind, figure: &str) -> Option<f64> {
        let row = self.rows.iter().find(|known| known.name == row)?;
        median(row.samples.get(&kind)?.iter().filter_map(|figures| figures.get(figure).copied()).collect())
    }

    /// The median of one kind over that of another.
    pub fn ratio(&self, row: &str, figure: &str, of: Kind, to: Kind) -> Option<f64> {
        let to = self.median(row, to, figure).filter(|value| *value > 0.0)?;
        Some(self.median(row, of, figure)? / to)
    }
}

/// Of a load that read a backlog of so many messages, and how many of them it did not find.
pub fn read_figures(load: Option<&Load>, backlog: u64) -> Figures {
    let mut figures = figures("", load);
    #[expect(clippy::cast_precision_loss, reason = "millions")]
    let missing = load.map(|load| (backlog as f64 - load.messages).max(0.0));
    figures.extend(missing.map(|missing| ("messages_missing".to_owned(), missing)));
    figures
}

/// All numbers of a load under their names, with a prefix; nothing of one that failed.
pub fn figures(prefix: &str, load: Option<&Load>) -> Figures {
    let Some(load) = load else { return Figures::new() };
    let all = [
        ("cpu_us", load.cpu_us_per_message),
        ("per_s", load.messages_per_s),
        ("p50_us", load.p50_us),
        ("p99_us", load.p99_us),
        ("p99_9_us", load.p99_9_us),
        ("failed", load.failed),
        ("generator_cores", load.generator_cores),
    ];
    let finite = all.into_iter().filter(|(_, value)| value.is_finite());
    finite.map(|(name, value)| (format!("{prefix}{name}"), value)).collect()
}
