//! What `cargo bench --bench scale` measured, as far as a goal is read from it.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// docs/bench/scale.json, the part that is read.
#[derive(Debug, Deserialize)]
struct Report {
    quick: bool,
    topics: u32,
    queues: u32,
    figures: Vec<Figure>,
}

/// "topics: CPU of async sends, 10000" and the same of one topic.
#[derive(Debug, Deserialize)]
struct Figure {
    name: String,
    median: f64,
}

/// CPU of a send to 10,000 topics with 4 queues, as a multiple of the same with one topic; the worst of the ways to send. `None`
/// when that was not measured.
pub fn multiple_of_one_topic(out: &Path) -> Option<f64> {
    let text = fs::read(out.join("bench/scale.json")).ok()?;
    let report: Report = serde_json::from_slice(&text).ok()?;
    if report.quick || report.topics < 10_000 || report.queues < 4 {
        return None;
    }
    let multiple = |one: &Figure| {
        let load = one.name.strip_suffix(", 1").filter(|name| name.starts_with("topics: CPU of "))?;
        let many = format!("{load}, {}", report.topics);
        Some(report.figures.iter().find(|figure| figure.name == many)?.median / one.median)
    };
    report.figures.iter().filter_map(multiple).reduce(f64::max)
}
