//! The result: one structure, written as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::interval::{Interval, Percentiles};
use super::machine::Machine;
use super::progress::Measured;
use crate::env::Usage;

/// One run. Times are microseconds, sizes bytes, unless the name says else.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    /// "send" or "consume".
    pub(super) load: &'static str,
    /// When it ended, RFC 3339.
    pub(super) date: String,
    /// Commit of the load generator.
    pub(super) revision: String,
    pub(super) machine: Machine,
    pub(super) settings: Settings,
    pub(super) result: Totals,
    /// The processes of `--server-pid`, added up.
    pub(super) server: Option<Server>,
    /// The load generator itself, so that a figure it limits is not taken for the server's.
    pub(super) generator: Option<Generator>,
    /// One for each second of the measured time.
    pub(super) seconds: Vec<Second>,
}

/// What was asked for.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Settings {
    pub(super) namesrv: String,
    pub(super) topic: String,
    pub(super) targets: Vec<String>,
    pub(super) connections: u32,
    pub(super) requests_in_flight: u32,
    pub(super) mode: &'static str,
    pub(super) messages_per_request: u32,
    pub(super) size_min: Option<usize>,
    pub(super) size_max: Option<usize>,
    /// Messages a second; absent: closed loop.
    pub(super) rate: Option<f64>,
    pub(super) group: Option<String>,
    pub(super) warmup_s: f64,
    pub(super) duration_s: f64,
}

/// Sums over the measured time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Totals {
    pub(super) elapsed_s: f64,
    pub(super) messages: u64,
    pub(super) requests: u64,
    pub(super) bytes: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) messages_per_s: f64,
    pub(super) mib_per_s: f64,
    /// Sends: from due or sent to answered. Receives: from a message's birth (milliseconds) to its arrival.
    pub(super) latency: Option<Percentiles>,
}

/// The server's processes over the measured time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Server {
    pub(super) cpu_s: f64,
    pub(super) cpu_us_per_message: Option<f64>,
    /// At the end.
    pub(super) rss_bytes: u64,
    /// At the end.
    pub(super) threads: u64,
}

/// The load generator over the measured time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Generator {
    pub(super) cpu_s: f64,
    /// CPU time over time: how many cores it kept busy.
    pub(super) cores: f64,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Second {
    /// Its end, seconds from the start of its phase.
    pub(super) at_s: f64,
    pub(super) messages_per_s: f64,
    pub(super) failed: u64,
    pub(super) latency: Option<Percentiles>,
}

impl Totals {
    pub(super) fn new(total: &Interval, elapsed: Duration) -> Totals {
        Totals {
            elapsed_s: elapsed.as_secs_f64(),
            messages: total.messages,
            requests: total.requests,
            bytes: total.bytes,
            errors: total.errors.clone(),
            messages_per_s: per_second(total.messages, elapsed),
            mib_per_s: per_second(total.bytes, elapsed) / (1024.0 * 1024.0),
            latency: total.percentiles(),
        }
    }
}

impl Server {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 messages")]
    pub(super) fn new(before: &Usage, after: &Usage, messages: u64) -> Server {
        let cpu = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        Server {
            cpu_s: cpu,
            cpu_us_per_message: (messages > 0).then(|| cpu * 1e6 / messages as f64),
            rss_bytes: after.resident_bytes,
            threads: after.threads,
        }
    }
}

impl Generator {
    pub(super) fn new(before: &Usage, after: &Usage, measured: &Measured) -> Generator {
        let cpu_s = after.cpu.saturating_sub(before.cpu).as_secs_f64();
        let elapsed = measured.elapsed.as_secs_f64();
        Generator { cpu_s, cores: if elapsed > 0.0 { cpu_s / elapsed } else { 0.0 } }
    }
}

impl Second {
    pub(super) fn new(at: Duration, took: Duration, interval: &Interval) -> Second {
        Second {
            at_s: at.as_secs_f64(),
            messages_per_s: per_second(interval.messages, took),
            failed: interval.failed(),
            latency: interval.percentiles(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() { 0.0 } else { count as f64 / elapsed.as_secs_f64() }
}

/// One line of live progress.
pub(super) fn line(second: &Second) -> String {
    let mut text = format!("{:>5.0} s  {:>9.0} messages/s", second.at_s, second.messages_per_s);
    if let Some(latency) = &second.latency {
        let _ = write!(
            text,
            "  p50 {:>9}  p99 {:>9}  max {:>9}",
            time(latency.p50_us),
            time(latency.p99_us),
            time(latency.max_us)
        );
    }
    if second.failed > 0 {
        let _ = write!(text, "  {} failed", second.failed);
    }
    text
}

/// The table at the end.
pub(super) fn table(report: &Report) -> String {
    let result = &report.result;
    let mut rows: Vec<(String, String)> = vec![
        ("messages".into(), format!("{} in {:.1} s", result.messages, result.elapsed_s)),
        ("throughput".into(), format!("{:.0} messages/s, {:.1} MiB/s", result.messages_per_s, result.mib_per_s)),
    ];
    if let Some(rate) = report.settings.rate {
        rows.push(("rate asked for".into(), format!("{rate:.0} messages/s")));
    }
    if let Some(latency) = &result.latency {
        let points = [
            ("p50", latency.p50_us),
            ("p90", latency.p90_us),
            ("p99", latency.p99_us),
            ("p99.9", latency.p99_9_us),
            ("max", latency.max_us),
        ];
        rows.extend(points.map(|(name, micros)| (format!("latency {name}"), time(micros))));
    }
    rows.extend(result.errors.iter().map(|(reason, count)| (format!("failed: {reason}"), count.to_string())));
    if let Some(server) = &report.server {
        let per_message = server.cpu_us_per_message.map_or_else(String::new, |cpu| format!("{cpu:.1} us a message, "));
        rows.push(("server CPU".into(), format!("{per_message}{:.2} cores", server.cpu_s / result.elapsed_s)));
        rows.push(("server memory".into(), format!("{:.1} MiB", mebibytes(server.rss_bytes))));
        rows.push(("server threads".into(), server.threads.to_string()));
    }
    if let Some(generator) = &report.generator {
        rows.push(("generator CPU".into(), format!("{:.2} cores", generator.cores)));
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:<width$}  {value}\n")).collect()
}

/// All reasons with their counts in one line.
pub(super) fn reasons(errors: &BTreeMap<String, u64>) -> String {
    if errors.is_empty() {
        return "no answer came".to_owned();
    }
    let reasons: Vec<String> = errors.iter().map(|(reason, count)| format!("{count} x {reason}")).collect();
    reasons.join(", ")
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut total = Interval::new();
        for micros in 1..=1000 {
            total.success(1, 1024);
            total.latency(Duration::from_micros(micros * 10));
        }
        total.error("code 2 SYSTEM_BUSY");
        let usage = |millis, resident_bytes| Usage { cpu: Duration::from_millis(millis), resident_bytes, threads: 9 };
        Report {
            load: "send",
            date: "2026-01-01T00:00:00+00:00".into(),
            revision: "abc".into(),
            machine: Machine { cpu: "c".into(), cores: 2, kernel: "k".into() },
            settings: Settings { rate: Some(500.0), ..Settings::default() },
            result: Totals::new(&total, Duration::from_secs(2)),
            server: Some(Server::new(&usage(100, 0), &usage(110, 3 << 20), total.messages)),
            generator: Some(Generator { cpu_s: 1.0, cores: 0.5 }),
            seconds: vec![Second::new(Duration::from_secs(2), Duration::from_secs(2), &total)],
        }
    }

    #[test]
    fn the_table_says_it_all() {
        let expected = "\
messages                    1000 in 2.0 s
throughput                  500 messages/s, 0.5 MiB/s
rate asked for              500 messages/s
latency p50                 5.00 ms
latency p90                 9.01 ms
latency p99                 9.90 ms
latency p99.9               9.99 ms
latency max                 10.01 ms
failed: code 2 SYSTEM_BUSY  1
server CPU                  10.0 us a message, 0.01 cores
server memory               3.0 MiB
server threads              9
generator CPU               0.50 cores
";
        assert_eq!(table(&report()), expected);
    }

    #[test]
    fn a_line_of_progress() {
        let mut second = report().seconds.remove(0);
        assert_eq!(
            line(&second),
            "    2 s        500 messages/s  p50   5.00 ms  p99   9.90 ms  max  10.01 ms  1 failed"
        );
        second.latency = None;
        second.failed = 0;
        assert_eq!(line(&second), "    2 s        500 messages/s");
    }

    #[test]
    fn json_has_what_a_program_looks_for() {
        let json = serde_json::to_value(report()).unwrap();
        let check = |pointer: &str, expected: serde_json::Value| assert_eq!(json.pointer(pointer), Some(&expected));
        check("/result/messages_per_s", 500.0.into());
        check("/result/errors/code 2 SYSTEM_BUSY", 1.into());
        check("/result/latency/p99_us", 9903.into());
        check("/server/cpu_us_per_message", 10.0.into());
        check("/machine/cores", 2.into());
        check("/seconds/0/failed", 1.into());
    }
}
