//! What came out: samples by name, medians, the table and the files.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::Arguments;
use crate::harness::chart::{Panel, Picture};
use crate::harness::figures::{median, publish, show};
use crate::harness::machine::{self, Machine};

/// In the order of their first samples.
#[derive(Default)]
pub struct Figures(Vec<Figure>);

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub median: f64,
    pub samples: Vec<f64>,
}

impl Figures {
    pub fn add(&mut self, name: &str, unit: &'static str, value: f64) {
        if let Some(figure) = self.0.iter_mut().find(|figure| figure.name == name) {
            figure.samples.push(value);
            figure.median = median(figure.samples.clone()).unwrap();
        } else {
            self.0.push(Figure { name: name.to_owned(), unit, median: value, samples: vec![value] });
        }
    }
}

/// All of it.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    machine: Machine,
    command: String,
    /// With it times are worth little, and CPU somewhat more.
    load_average_at_end: f64,
    quick: bool,
    topics: u32,
    queues: u32,
    groups: u32,
    idle_connections: u32,
    brokers: usize,
    figures: Vec<Figure>,
}

impl Report {
    pub fn new(arguments: &Arguments, figures: Figures) -> Report {
        Report {
            machine: Machine::now(),
            command: format!("{arguments:?}"),
            load_average_at_end: machine::load_average(),
            quick: arguments.quick,
            topics: arguments.topics,
            queues: arguments.queues,
            groups: arguments.groups,
            idle_connections: arguments.idle,
            brokers: arguments.brokers,
            figures: figures.0,
        }
    }

    fn median(&self, name: &str) -> Option<f64> {
        self.figures.iter().find(|figure| figure.name == name).map(|figure| figure.median)
    }

    /// Many topics' figure as a multiple of one topic's.
    fn ratio(&self, what: &str) -> Option<f64> {
        Some(self.median(&format!("topics: {what}, {}", self.topics))? / self.median(&format!("topics: {what}, 1"))?)
    }

    pub fn table(&self) -> String {
        let mut text = format!("{}\nload average {:.1}, medians\n", self.machine.line(), self.load_average_at_end);
        for figure in &self.figures {
            let _ = write!(text, "\n{:<56}{:>12} {}", figure.name, show(figure.median), figure.unit);
        }
        for what in ["CPU of async sends", "CPU of sync sends"] {
            if let Some(ratio) = self.ratio(what) {
                let verdict = if ratio <= 1.1 { "reached" } else { "missed" };
                let _ = write!(
                    text,
                    "\n{what}, {} topics: {ratio:.2} of one topic (goal: at most 1.1), {verdict}",
                    self.topics
                );
            }
        }
        text
    }

    pub fn write(&self, out: &Path) {
        publish(out, "scale.json", &(serde_json::to_string_pretty(self).unwrap() + "\n"));
        publish(out, "scale.svg", &self.picture().svg());
    }

    fn picture(&self) -> Picture {
        let panel = |title: &str, unit, what: &str| Panel {
            title: title.to_owned(),
            unit,
            better: "less is better",
            bars: [1, self.topics].map(|topics| self.median(&format!("topics: {what}, {topics}"))).into(),
        };
        Picture {
            title: format!("One topic and {} topics, {} queues each", self.topics, self.queues),
            legend: vec!["one topic", "many topics"],
            panels: vec![
                panel("CPU, async sends", "us/message", "CPU of async sends"),
                panel("CPU, sync sends", "us/message", "CPU of sync sends"),
                panel("p99, async sends", "us", "p99 of async sends"),
                panel("p99, sync sends", "us", "p99 of sync sends"),
                panel("Memory after load", "MiB", "memory after load"),
                panel("Open files and sockets", "", "descriptors"),
            ],
            source: self.machine.line(),
        }
    }
}
