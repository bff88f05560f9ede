//! The goals, each with its bound and what was measured.

use crate::harness::deployment::Kind;
use crate::results::Results;

/// One goal.
pub struct Goal {
    pub text: String,
    /// With its unit, if it has one.
    pub unit: &'static str,
    pub bound: Bound,
    /// `None` when a row it needs was not measured.
    pub measured: Option<f64>,
}

/// Which side of the number is good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

use Bound::{AtLeast, AtMost};
use Kind::{Floor, JavaContainer, OneContainer, Processes};

impl Goal {
    fn new(text: &str, unit: &'static str, bound: Bound, measured: Option<f64>) -> Goal {
        Goal { text: text.to_owned(), unit, bound, measured }
    }

    pub fn is_reached(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            AtMost(bound) => measured <= bound,
            AtLeast(bound) => measured >= bound,
        })
    }

    /// The measured figure as a share of its bound.
    pub fn ratio(&self) -> Option<f64> {
        let (AtMost(bound) | AtLeast(bound)) = self.bound;
        self.measured.map(|measured| measured / bound)
    }
}

/// All goals in the order of the page.
pub fn all(results: &Results) -> Vec<Goal> {
    [against_java(results), against_the_floor(results), latencies(results), idle(results), sharing(results)]
        .into_iter()
        .flatten()
        .collect()
}

fn against_java(results: &Results) -> Vec<Goal> {
    let cpu = |row| results.ratio(row, "cpu_us", OneContainer, JavaContainer);
    let sync = cpu("send/async-flush/sync/1KiB/x16");
    let asynchronous = cpu("send/async-flush/async/1KiB/x16");
    vec![
        Goal::new("server CPU of a synchronous 1 KiB send, 16 producers: share of Java's", "", AtMost(1.0 / 8.0), sync),
        Goal::new("server CPU of an asynchronous 1 KiB send: share of Java's", "", AtMost(1.0 / 10.0), asynchronous),
        Goal::new(
            "server CPU of a consumed 1 KiB message: share of Java's",
            "",
            AtMost(1.0 / 4.0),
            cpu("catch-up/1KiB"),
        ),
    ]
}

fn against_the_floor(results: &Results) -> Vec<Goal> {
    let throughput = |row: &str| results.ratio(row, "per_s", OneContainer, Floor);
    let saturated = |flush: &str| throughput(&format!("send/{flush}/async/1KiB/x16"));
    vec![
        Goal::new(
            "saturated throughput, ASYNC_FLUSH: share of the floor's",
            "",
            AtLeast(0.6),
            saturated("async-flush"),
        ),
        Goal::new("saturated throughput, SYNC_FLUSH: share of the floor's", "", AtLeast(0.8), saturated("sync-flush")),
    ]
}

/// Only at rates that Java sustains.
fn latencies(results: &Results) -> Vec<Goal> {
    const RATES: [(&str, f64); 4] =
        [("async-flush", 2_000.0), ("async-flush", 10_000.0), ("sync-flush", 500.0), ("sync-flush", 2_000.0)];
    let goals = |(flush, rate): (&str, f64)| {
        let row = format!("rate/{flush}/{rate}");
        let sustained = results.median(&row, JavaContainer, "per_s").is_none_or(|per_s| per_s >= 0.98 * rate);
        let goal = |name: &str, figure: &str, bound| {
            let measured = results.ratio(&row, figure, OneContainer, JavaContainer);
            let note = if sustained { "" } else { " (which Java did not sustain)" };
            let text = format!("{name} at {rate} messages/s, {flush}{note}: share of Java's");
            Goal::new(&text, "", AtMost(bound), measured)
        };
        [goal("p99", "p99_us", 1.0 / 4.0), goal("p99.9", "p99_9_us", 1.0 / 8.0)]
    };
    RATES.into_iter().flat_map(goals).collect()
}

fn idle(results: &Results) -> Vec<Goal> {
    let eight = |figure| results.median("brokers/8", OneContainer, figure);
    vec![
        Goal::new("8 idle brokers: memory (RSS)", "MiB", AtMost(64.0), eight("idle_rss_mib")),
        Goal::new("8 idle brokers: threads", "", AtMost(32.0), eight("idle_threads")),
        Goal::new("8 idle brokers: CPU of a core", "%", AtMost(2.0), eight("idle_cpu_percent")),
        Goal::new("8 brokers: ready", "s", AtMost(1.0), eight("ready_s")),
        Goal::new("8 brokers: stopped", "s", AtMost(2.0), eight("stop_s")),
    ]
}

/// The worst of 4 and 8 brokers counts.
fn sharing(results: &Results) -> Vec<Goal> {
    let ratios = |figure: &str| {
        ["brokers/4", "brokers/8"]
            .into_iter()
            .filter_map(|row| results.ratio(row, figure, OneContainer, Processes))
            .collect()
    };
    let worst = |figure: &str| {
        let ratios: Vec<f64> = ratios(figure);
        ratios.into_iter().reduce(f64::max)
    };
    let least = |figure: &str| {
        let ratios: Vec<f64> = ratios(figure);
        ratios.into_iter().reduce(f64::min)
    };
    let beside = results.median("neighbour/producers", OneContainer, "beside_p99_us");
    let alone = results.median("neighbour/producers", OneContainer, "alone_p99_us");
    let share = "of a process each";
    vec![
        Goal::new(
            &format!("co-located, synchronous: server CPU, share {share}"),
            "",
            AtMost(1.0),
            worst("sync_cpu_us"),
        ),
        Goal::new(
            &format!("co-located, synchronous: messages/s, share {share}"),
            "",
            AtLeast(1.0),
            least("sync_per_s"),
        ),
        Goal::new(&format!("co-located, synchronous: p99, share {share}"), "", AtMost(1.0), worst("sync_p99_us")),
        Goal::new(&format!("co-located, saturated: server CPU, share {share}"), "", AtMost(1.0), worst("async_cpu_us")),
        Goal::new(&format!("co-located, saturated: messages/s, share {share}"), "", AtLeast(1.0), least("async_per_s")),
        Goal::new(&format!("co-located, saturated: p99, share {share}"), "", AtMost(1.0), worst("async_p99_us")),
        Goal::new(&format!("co-located: memory after load, share {share}"), "", AtMost(1.0), worst("loaded_rss_mib")),
        Goal::new(&format!("co-located, SYNC_FLUSH: syncs, share {share}"), "", AtMost(1.0), worst("syncs")),
        Goal::new(
            "neighbour's p99 while a broker is saturated by producers: multiple of its p99 alone",
            "",
            AtMost(3.0),
            beside.zip(alone).map(|(beside, alone)| beside / alone),
        ),
        Goal::new(
            "10,000 topics x 4 queues: server CPU per send, multiple of one topic's",
            "",
            AtMost(1.1),
            results.median("topics/10000", OneContainer, "multiple_of_one_topic"),
        ),
    ]
}
