//! docs/performance.md and its pictures, from the figures.

use std::fmt::Write as _;
use std::path::Path;

use crate::goals::{self, Bound, Goal};
use crate::harness::chart::{Panel, Picture};
use crate::harness::deployment::Kind;
use crate::harness::figures::{publish, show};
use crate::results::Results;
use crate::rows::{self, Hog, Mode, Work};

const PEERS: [Kind; 3] = [Kind::OneContainer, Kind::JavaContainer, Kind::Floor];
const READERS: [Kind; 2] = [Kind::OneContainer, Kind::JavaContainer];
const FLEETS: [Kind; 3] = [Kind::OneContainer, Kind::Processes, Kind::JavaContainer];

const ABOUT: &str = "\
# Performance

Written by `cargo bench --bench report`, which measures everything here again; what the figures mean and what was tried stands in
[performance-notes.md](performance-notes.md). [Raw figures](bench/performance.json): every run of every server.

One broker of ours, one in Java 5.5.0's BrokerContainer (jars of Maven Central, default options of the virtual machine and the broker) and
the floor (`benches/floor`: the same frames in, as many bytes to one file with the same sync, answers out, nothing else) take turns
under `mqcontainer bench`, on the same machine; whoever is not measured is stopped with SIGSTOP. Figures are medians of the
rounds. CPU is user and system time of the server's processes from /proc, divided by the messages. At fixed rates the loop is open and a
latency counts from when the send was due. \"Generator\" is the load generator's CPU in cores while ours was measured: server
and generator share the machine, so where both together fill it, messages/s is what the machine does with both, and the
CPU of a message is the better figure of the server.
";

/// Writes the page and the pictures.
pub fn write(results: &Results, out: &Path) {
    let mut page = ABOUT.to_owned();
    for (index, run) in results.runs.iter().enumerate() {
        let _ = writeln!(
            page,
            "\nRun {}: {}; {} rounds of {} s; load average before {}; `report {}`.",
            index + 1,
            run.machine.line(),
            run.rounds,
            run.seconds,
            run.load_average,
            run.command
        );
        for failure in &run.failures {
            let _ = writeln!(page, "Not measured: {failure}.");
        }
    }
    page += &goal_table(results, out);
    page += "\n## Pictures\n\n![Server CPU of a message](bench/performance-cpu.svg)\n\n\
             ![Latency at fixed rates](bench/performance-latency.svg)\n\n![Eight brokers](bench/performance-brokers.svg)\n";
    page += &sends(results);
    page += &reads(results);
    page += &fleet(results);
    page += &starts(results);
    let write = |name: &str, content: &str| publish(out, name, content);
    write("performance.md", &page);
    write("bench/performance-cpu.svg", &cpu_picture(results));
    write("bench/performance-latency.svg", &latency_picture(results));
    write("bench/performance-brokers.svg", &fleet_picture(results));
}

/// Markdown; nothing when no row has a figure.
fn table(title: &str, head: &[&str], rows: Vec<Vec<String>>) -> String {
    let rows: Vec<Vec<String>> = rows.into_iter().filter(|row| row[1..].iter().any(|cell| cell != "-")).collect();
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!("\n### {title}\n\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

fn goal_table(results: &Results, out: &Path) -> String {
    let mut text =
        "\n## Goals\n\n| goal | bound | measured | measured / bound | reached |\n|---|---|---|---|---|\n".to_owned();
    for goal in goals::all(results, out) {
        let Goal { text: name, unit, bound, measured } = &goal;
        let bound = match bound {
            Bound::AtMost(bound) => format!("at most {bound}"),
            Bound::AtLeast(bound) => format!("at least {bound}"),
        };
        let measured =
            measured.map_or_else(|| "-".to_owned(), |value| format!("{value:.3} {unit}").trim_end().to_owned());
        let reached = match goal.is_reached() {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let _ = writeln!(text, "| {name} | {bound} {unit} | {measured} | {} | {reached} |", cell(goal.ratio()));
    }
    text
}

fn sends(results: &Results) -> String {
    let mut text = "\n## Sending\n".to_owned();
    for (sync_flush, flush) in [(false, "ASYNC_FLUSH"), (true, "SYNC_FLUSH")] {
        for (mode, name) in [
            (Mode::Sync, "one send in flight per producer"),
            (Mode::Async, "saturated, 1024 sends in flight"),
            (Mode::Batch, "batches of 32 messages, one in flight per producer"),
        ] {
            let names =
                names(|work| matches!(work, Work::Send { mode: m, sync_flush: f, .. } if m == mode && f == sync_flush));
            text += &costs(results, &format!("{flush}: {name}"), &names);
            text += &latencies(results, &format!("{flush}: {name}, latency"), &names, &PEERS);
        }
    }
    let rates = names(|work| matches!(work, Work::Rate { .. }));
    text += &costs(results, "1 KiB at fixed rates, 16 producers", &rates);
    text += &latencies(results, "1 KiB at fixed rates, latency", &rates, &PEERS);
    text
}

fn reads(results: &Results) -> String {
    let mut text = "\n## Reading\n".to_owned();
    let backlog = names(|work| matches!(work, Work::CatchUp { .. } | Work::Cold));
    text += &costs(results, "A backlog, 8 queues, 32 messages a pull", &backlog);
    text += &missing(results, &backlog);
    let tails = names(|work| matches!(work, Work::Tail { .. }));
    text += &costs(results, "At the tail of a 1 KiB producer at a fixed rate (CPU of sending and reading)", &tails);
    text += &latencies(results, "From the moment a send is due to its arrival at the consumer", &tails, &READERS);
    text
}

/// Backlogs that were smaller than the row says.
fn missing(results: &Results, names: &[String]) -> String {
    let mut text = String::new();
    for (name, kind) in names.iter().flat_map(|name| READERS.map(|kind| (name, kind))) {
        if let Some(missing) = results.median(name, kind, "messages_missing").filter(|missing| *missing > 0.0) {
            let _ = write!(
                text,
                "\n{name}, {}: the backlog had {missing:.0} messages less than for the others.\n",
                short(kind)
            );
        }
    }
    text
}

fn names(of: impl Fn(Work) -> bool) -> Vec<String> {
    rows::all().into_iter().filter(|work| of(*work)).map(Work::name).collect()
}

fn costs(results: &Results, title: &str, names: &[String]) -> String {
    let head = [
        "row",
        "CPU us: ours",
        "Java",
        "floor",
        "ours / Java",
        "ours / floor",
        "messages/s: ours",
        "Java",
        "floor",
        "ours / Java",
        "ours / floor",
        "failed: ours",
        "Java",
        "generator",
    ];
    let row = |name: &String| {
        let [ours, java, floor] = PEERS;
        let of = |kind, figure| cell(results.median(name, kind, figure));
        let ratio = |figure, to| cell(results.ratio(name, figure, ours, to));
        let figures = ["cpu_us", "per_s"].map(|figure| {
            let values = PEERS.map(|kind| of(kind, figure));
            values.into_iter().chain([ratio(figure, java), ratio(figure, floor)])
        });
        let last = [of(ours, "failed"), of(java, "failed"), of(ours, "generator_cores")];
        [name.clone()].into_iter().chain(figures.into_iter().flatten()).chain(last).collect()
    };
    table(title, &head, names.iter().map(row).collect())
}

fn latencies(results: &Results, title: &str, names: &[String], kinds: &[Kind]) -> String {
    let mut head = vec!["us".to_owned()];
    for figure in ["p50", "p99", "p99.9"] {
        head.extend(kinds.iter().map(|kind| format!("{figure}: {}", short(*kind))));
        head.push("ours / Java".to_owned());
    }
    let head: Vec<&str> = head.iter().map(String::as_str).collect();
    let row = |name: &String| {
        let figures = ["p50_us", "p99_us", "p99_9_us"].into_iter().flat_map(|figure| {
            let values = kinds.iter().map(move |kind| cell(results.median(name, *kind, figure)));
            values.chain([cell(results.ratio(name, figure, Kind::OneContainer, Kind::JavaContainer))])
        });
        [name.clone()].into_iter().chain(figures).collect()
    };
    table(title, &head, names.iter().map(row).collect())
}

fn short(kind: Kind) -> &'static str {
    match kind {
        Kind::OneContainer => "ours",
        Kind::Processes => "ours, a process each",
        Kind::JavaContainer => "Java",
        Kind::JavaContainers => "Java, a container each",
        Kind::Floor => "floor",
    }
}

const FLEET: [(&str, &str, &str); 17] = [
    ("ready", "s", "ready_s"),
    ("stopped", "s", "stop_s"),
    ("idle: memory (RSS)", "MiB", "idle_rss_mib"),
    ("idle: threads", "", "idle_threads"),
    ("idle: CPU of a core", "%", "idle_cpu_percent"),
    ("synchronous: server CPU", "us/message", "sync_cpu_us"),
    ("synchronous: throughput", "messages/s", "sync_per_s"),
    ("synchronous: p99", "us", "sync_p99_us"),
    ("saturated: server CPU", "us/message", "async_cpu_us"),
    ("saturated: throughput", "messages/s", "async_per_s"),
    ("saturated: p99", "us", "async_p99_us"),
    ("after load: memory (RSS)", "MiB", "loaded_rss_mib"),
    ("SYNC_FLUSH, 8 in flight for each: server CPU", "us/message", "synced_cpu_us"),
    ("SYNC_FLUSH, 8 in flight for each: throughput", "messages/s", "synced_per_s"),
    ("SYNC_FLUSH, 8 in flight for each: p99", "us", "synced_p99_us"),
    ("SYNC_FLUSH, 8 in flight for each: syncs", "of 1000 messages", "syncs_per_1000"),
    ("saturated: generator", "cores", "async_generator_cores"),
];

fn fleet(results: &Results) -> String {
    let mut text = "\n## Several brokers\n".to_owned();
    let head = [
        "1 KiB, 8 connections to each broker",
        "one container",
        "a process each",
        "Java's container",
        "one / each",
        "one / Java",
    ];
    for name in names(|work| matches!(work, Work::Brokers { .. })) {
        let row = |(title, unit, figure): (&str, &str, &str)| {
            let values = FLEETS.map(|kind| cell(results.median(&name, kind, figure)));
            let ratios = [FLEETS[1], FLEETS[2]].map(|to| cell(results.ratio(&name, figure, FLEETS[0], to)));
            let title = format!("{title} {unit}").trim_end().to_owned();
            [title].into_iter().chain(values).chain(ratios).collect()
        };
        text += &table(&name, &head, FLEET.into_iter().map(row).collect());
    }
    Hog::ALL.into_iter().fold(text, |text, hog| text + &neighbour(results, hog))
}

fn neighbour(results: &Results, hog: Hog) -> String {
    let head = [
        "us",
        "p99 alone",
        "p99 beside",
        "beside / alone",
        "p99.9 alone",
        "p99.9 beside",
        "messages/s of the other",
        "it worked for s",
    ];
    let row = |kind: Kind| {
        let of = |figure| results.median(hog.row(), kind, figure);
        let figures = ["alone_p99_us", "beside_p99_us"].map(of).into_iter();
        let figures = figures.chain([goals::beside_to_alone(results, hog, kind)]);
        let more = ["alone_p99_9_us", "beside_p99_9_us", "hog_per_s", "hog_s"].map(of);
        [short(kind).to_owned()].into_iter().chain(figures.chain(more).map(cell)).collect()
    };
    let title = format!("A broker with 500 messages/s beside one saturated by {}", hog.name());
    table(&title, &head, FLEETS.map(row).into())
}

fn starts(results: &Results) -> String {
    let head = [
        "100-byte messages",
        "start after a stop, s: ours",
        "Java",
        "start after kill -9, s: ours",
        "Java",
        "stop, s: ours",
        "Java",
    ];
    let row = |name: &String| {
        let figures = ["clean_s", "killed_s", "stop_s"].into_iter();
        let values = figures.flat_map(|figure| READERS.map(|kind| cell(results.median(name, kind, figure))));
        [name.clone()].into_iter().chain(values).collect()
    };
    let names = names(|work| matches!(work, Work::Start { .. }));
    "\n## Start and stop\n".to_owned()
        + &table("Over stored messages", &head, names.iter().map(row).collect())
        + &missing(results, &names)
}

fn picture(results: &Results, title: &str, legend: &[Kind], panels: Vec<Panel>) -> String {
    let source = results.runs.last().map(|run| run.machine.line()).unwrap_or_default();
    let panels = panels.into_iter().filter(|panel| panel.bars.iter().any(Option::is_some)).collect();
    let legend = legend.iter().map(|kind| short(*kind)).collect();
    Picture { title: title.to_owned(), legend, panels, source }.svg()
}

fn panel(results: &Results, title: &str, row: &str, (unit, figure): (&'static str, &str), kinds: &[Kind]) -> Panel {
    let more = figure.ends_with("per_s");
    let better = if more { "more is better" } else { "less is better" };
    let bars = kinds.iter().map(|kind| results.median(row, *kind, figure)).collect();
    Panel { title: title.to_owned(), unit, better, bars }
}

fn cpu_picture(results: &Results) -> String {
    let mut panels = Vec::new();
    for (flush, title) in [("async-flush", "ASYNC_FLUSH"), ("sync-flush", "SYNC_FLUSH")] {
        panels.extend(["sync", "async", "batch"].map(|mode| {
            let row = format!("send/{flush}/{mode}/1KiB/x16");
            panel(results, &format!("{mode}, {title}"), &row, ("us/message", "cpu_us"), &PEERS)
        }));
        panels.extend(["sync", "async", "batch"].map(|mode| {
            let row = format!("send/{flush}/{mode}/1KiB/x16");
            panel(results, &format!("{mode}, {title}"), &row, ("messages/s", "per_s"), &PEERS)
        }));
    }
    picture(results, "1 KiB sends, 16 producers: server CPU and throughput", &PEERS, panels)
}

fn latency_picture(results: &Results) -> String {
    let mut panels = Vec::new();
    for work in rows::all().into_iter().filter(|work| matches!(work, Work::Rate { .. } | Work::Tail { .. })) {
        let row = work.name();
        panels.extend(
            [("p50_us", "p50"), ("p99_us", "p99"), ("p99_9_us", "p99.9")]
                .map(|(figure, name)| panel(results, &format!("{row}: {name}"), &row, ("us", figure), &PEERS)),
        );
    }
    picture(results, "Latency of 1 KiB messages at fixed rates", &PEERS, panels)
}

fn fleet_picture(results: &Results) -> String {
    let panels = FLEET[..FLEET.len() - 1]
        .iter()
        .map(|(title, unit, figure)| panel(results, title, "brokers/8", (unit, figure), &FLEETS));
    picture(results, "Eight brokers", &FLEETS, panels.collect())
}
