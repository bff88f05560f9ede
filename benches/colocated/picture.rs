//! The picture: one panel for each figure that matters, in it one bar for each deployment.

use crate::harness::chart::{Panel, Picture};
use crate::outcome::Report;

/// Figures in the picture.
const PANELS: [(&str, &str); 9] = [
    ("Java client: server CPU", "less is better"),
    ("sync: server CPU", "less is better"),
    ("saturated: server CPU", "less is better"),
    ("saturated: throughput", "more is better"),
    ("sync: p99", "less is better"),
    ("idle: memory (RSS)", "less is better"),
    ("idle: threads", "less is better"),
    ("ready", "less is better"),
    ("stopped", "less is better"),
];

/// All panels, the legend and where it was measured.
pub fn svg(report: &Report) -> String {
    let panel = |(name, better): (&str, &'static str)| {
        let row = report.medians.iter().find(|row| row.name == name)?;
        Some(Panel { title: row.name.to_owned(), unit: row.unit, better, bars: row.medians.clone() })
    };
    let runs = report.samples.len() / report.deployments.len().max(1);
    let picture = Picture {
        title: format!("{} brokers, 1 KiB messages: medians of {runs} runs each", report.brokers),
        legend: report.deployments.iter().map(|kind| kind.name()).collect(),
        panels: PANELS.into_iter().filter_map(panel).collect(),
        source: report.machine.line(),
    };
    picture.svg()
}
