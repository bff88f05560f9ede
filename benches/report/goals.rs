//! The goals, each with its bound and what was measured.

use std::path::Path;

use crate::harness::deployment::Kind;
use crate::results::Results;
use crate::rows::Hog;
use crate::scale;

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
pub fn all(results: &Results, out: &Path) -> Vec<Goal> {
    let topics = Goal::new(
        "10,000 topics x 4 queues: server CPU of a send, multiple of one topic's ([scale.json](bench/scale.json))",
        "",
        AtMost(1.1),
        scale::multiple_of_one_topic(out),
    );
    [
        against_java(results),
        against_the_floor(results),
        latencies(results),
        idle(results),
        sharing(results),
        isolation(results),
        vec![topics],
    ]
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
    let ratios = |figure: &str| -> Vec<f64> {
        let rows = ["brokers/4", "brokers/8"].into_iter();
        rows.filter_map(|row| results.ratio(row, figure, OneContainer, Processes)).collect()
    };
    let most = |what: &str, figure: &str| {
        let text = format!("co-located, {what}: share of a process each");
        Goal::new(&text, "", AtMost(1.0), ratios(figure).into_iter().reduce(f64::max))
    };
    let least = |what: &str, figure: &str| {
        let text = format!("co-located, {what}: share of a process each");
        Goal::new(&text, "", AtLeast(1.0), ratios(figure).into_iter().reduce(f64::min))
    };
    let loads = [("sync", "synchronous"), ("async", "saturated"), ("synced", "SYNC_FLUSH")];
    let of_load = loads.into_iter().flat_map(|(prefix, load)| {
        [
            most(&format!("{load}: server CPU"), &format!("{prefix}_cpu_us")),
            least(&format!("{load}: messages/s"), &format!("{prefix}_per_s")),
            most(&format!("{load}: p99"), &format!("{prefix}_p99_us")),
        ]
    });
    of_load
        .chain([most("SYNC_FLUSH: syncs of a message", "syncs_per_1000"), most("memory after load", "loaded_rss_mib")])
        .collect()
}

fn isolation(results: &Results) -> Vec<Goal> {
    let goal = |hog: Hog| {
        let text = format!("neighbour's p99 while a broker is saturated by {}: multiple of its p99 alone", hog.name());
        Goal::new(&text, "", AtMost(3.0), beside_to_alone(results, hog, OneContainer))
    };
    Hog::ALL.map(goal).into()
}

/// p99 of the light load beside a hog, over that without.
pub fn beside_to_alone(results: &Results, hog: Hog, kind: Kind) -> Option<f64> {
    let of = |figure| results.median(hog.row(), kind, figure);
    Some(of("beside_p99_us")? / of("alone_p99_us")?)
}
