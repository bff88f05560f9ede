//! docs/replication.md, its picture and the raw figures.

use std::fmt::Write as _;
use std::path::Path;

use crate::harness::chart::{Panel, Picture};
use crate::harness::deployment::Kind;
use crate::harness::figures::{publish, show};
use crate::outcome::{Report, Row, THROUGHPUT};

/// Throughput of a SYNC_MASTER as a multiple of Java's.
const GOAL: f64 = 5.0;

const ABOUT: &str = "\
# What a copy costs and how late it is

Written by `cargo bench --bench replication`. [Raw figures](bench/replication.json): every run.

A master and its slave (inSyncReplicas = 2, ASYNC_FLUSH, all else Java's defaults) in one container and in a container each, ours
and Java 5.5.0's (jars of Maven Central, default options of the virtual machine), one after the other in each round, under 1 KiB sends of
`mqcontainer bench` over 16 connections on the same machine. Figures are medians of the rounds. CPU and memory are those of master
and slave together, from /proc.

- *saturated*, *16 producers*: a SYNC_MASTER, which answers a send when the slave has it; 1,024 in flight, and one on each connection.
- *on both*: from when a send was due, at a fixed rate in an open loop, to the SYNC_MASTER's answer. The slave has a message
  before that answer, so its lag is no longer than this: a bound at each percentile that needs no probe inside a server.
- *on the master*: the same sends to an ASYNC_MASTER, which answers without waiting for its slave. The *difference* of the two is what the
  copy, its report and waiting for it add; as a difference of percentiles it is a measure, not a percentile itself.
";

/// Figures in the picture.
const PANELS: [(&str, &str); 9] = [
    (THROUGHPUT, MORE),
    ("saturated: server CPU", LESS),
    ("16 producers: throughput", MORE),
    ("16 producers: server CPU", LESS),
    ("16 producers: p99", LESS),
    ("on both: p99", LESS),
    ("difference: p99", LESS),
    ("fixed rate, ASYNC_MASTER: server CPU", LESS),
    ("after load: memory (RSS)", LESS),
];
const MORE: &str = "more is better";
const LESS: &str = "less is better";

/// The page.
pub fn text(report: &Report) -> String {
    let mut page = format!(
        "{ABOUT}\n{}; {} rounds of {} s, {} messages/s at the fixed rate.\n\n",
        report.machine.line(),
        report.rounds,
        report.seconds,
        report.rate
    );
    page += &table(report);
    for (ours, java) in PAIRS {
        let Some(ratio) = report.ratio(THROUGHPUT, ours, java) else { continue };
        let verdict = if ratio >= GOAL { "reached" } else { "missed" };
        let (ours, java) = (ours.name(), java.name());
        let _ = writeln!(
            page,
            "\nThroughput of a saturated SYNC_MASTER, {ours} against {java}: {ratio:.2} times (goal: at least {GOAL}), {verdict}."
        );
    }
    page + "\n![Replication](bench/replication.svg)\n"
}

/// What is compared with what.
const PAIRS: [(Kind, Kind); 2] = [(Kind::OneContainer, Kind::JavaContainer), (Kind::Processes, Kind::JavaContainers)];

fn table(report: &Report) -> String {
    let names: Vec<&str> = report.deployments.iter().map(|kind| kind.name()).collect();
    let rule = "---|".repeat(names.len() + 2);
    let mut table = format!("| | {} | one container / a process each |\n|{rule}\n", names.join(" | "));
    for Row { name, unit, medians } in &report.medians {
        let cells: Vec<String> = medians.iter().copied().map(cell).collect();
        let shared = cell(report.ratio(name, Kind::OneContainer, Kind::Processes));
        let unit = if unit.is_empty() { String::new() } else { format!(", {unit}") };
        let _ = writeln!(table, "| {name}{unit} | {} | {shared} |", cells.join(" | "));
    }
    table
}

fn cell(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "-".to_owned(), show)
}

/// Page, picture and raw figures.
pub fn write(report: &Report, out: &Path) {
    publish(out, "replication.md", &text(report));
    publish(out, "bench/replication.json", &(serde_json::to_string_pretty(report).unwrap() + "\n"));
    publish(out, "bench/replication.svg", &picture(report).svg());
}

fn picture(report: &Report) -> Picture {
    let panel = |(name, better): (&str, &'static str)| {
        let row = report.medians.iter().find(|row| row.name == name)?;
        Some(Panel { title: row.name.to_owned(), unit: row.unit, better, bars: row.medians.clone() })
    };
    Picture {
        title: format!("A master and its slave, 1 KiB sends, fixed rate {}/s", report.rate),
        legend: report.deployments.iter().map(|kind| kind.name()).collect(),
        panels: PANELS.into_iter().filter_map(panel).collect(),
        source: report.machine.line(),
    }
}
