//! One topic against many, in turns.

use std::time::{Duration, Instant};

use crate::harness::deployment::Deployment;
use crate::harness::generator::{Generator, Load, millis};
use crate::outcome::Figures;
use crate::{Arguments, cpu_of, descriptors, memory};

/// How messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 16 connections with one request in flight.
    Sync,
    /// 8 connections with 64.
    Async,
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Sync => "sync",
            Mode::Async => "async",
        }
    }
}

pub fn measure(arguments: &Arguments, figures: &mut Figures) {
    let (one, mut many) = (Deployment::start(&arguments.plan(1)), Deployment::start(&arguments.plan(1)));
    create(arguments, &one, "t", 1);
    let fresh = memory(&many);
    let (cpu, took, ()) = cpu_of(&many, || create(arguments, &many, "t", arguments.topics));
    figures.add("topics: creation of all", "s", took.as_secs_f64());
    figures.add("topics: CPU of the creation of one", "us", cpu.as_secs_f64() * 1e6 / f64::from(arguments.topics));
    figures.add("topics: memory of one without messages", "KiB", per(fresh, memory(&many), arguments.topics));
    settle(arguments, &one, &many);
    for round in 0..arguments.rounds {
        for mode in [Mode::Async, Mode::Sync] {
            eprintln!("round {} of {}: {}", round + 1, arguments.rounds, mode.name());
            for (deployment, topics) in [(&one, 1), (&many, arguments.topics)] {
                let load = send(arguments, deployment, "t", topics, mode);
                let name = |what: &str| format!("topics: {what} of {} sends, {topics}", mode.name());
                figures.add(&name("CPU"), "us", load.cpu_us_per_message);
                figures.add(&name("p99"), "us", load.p99_us);
                figures.add(
                    &format!("topics: rate of {} sends, {topics}", mode.name()),
                    "messages/s",
                    load.messages_per_s,
                );
            }
        }
    }
    for (deployment, topics) in [(&one, 1), (&many, arguments.topics)] {
        figures.add(&format!("topics: memory after load, {topics}"), "MiB", memory(deployment));
        figures.add(&format!("topics: descriptors, {topics}"), "", descriptors(deployment));
        let threads = u32::try_from(deployment.usage().threads).unwrap();
        figures.add(&format!("topics: threads, {topics}"), "", f64::from(threads));
        let idle = deployment.idle(Duration::from_secs(if arguments.quick { 5 } else { 65 }));
        figures.add(&format!("topics: CPU idle, {topics}"), "% of a core", idle.cpu_percent);
    }
    drop(one);
    restarts(arguments, figures, &mut many);
}

/// Stop and start, then load, a crash and the start after it.
fn restarts(arguments: &Arguments, figures: &mut Figures, many: &mut Deployment) {
    figures.add("topics: stop", "s", many.stop_brokers().as_secs_f64());
    many.start_brokers();
    figures.add("topics: ready after a stop", "s", many.ready.as_secs_f64());
    figures.add("topics: memory after a start", "MiB", memory(many));
    figures.add("topics: CPU of a start", "s", many.usage().cpu.as_secs_f64());
    let load = send(arguments, many, "t", arguments.topics, Mode::Async);
    figures.add("topics: messages before kill -9", "", load.messages);
    many.kill_brokers();
    many.start_brokers();
    figures.add("topics: ready after kill -9", "s", many.ready.as_secs_f64());
}

/// The topics are there when this returns, each with one message at most.
pub fn create(arguments: &Arguments, deployment: &Deployment, topic: &str, topics: u32) {
    let count = ["--warmup", "0s", "--messages", "1", "--duration", "600s"].map(str::to_owned);
    run(arguments, deployment, topic, topics, &count);
}

/// 1 KiB sends to all queues in turn.
pub fn send(arguments: &Arguments, deployment: &Deployment, topic: &str, topics: u32, mode: Mode) -> Load {
    let mut options: Vec<String> =
        ["--warmup", &millis(arguments.warmup), "--duration", &millis(arguments.seconds)].map(str::to_owned).into();
    options.extend(load(mode));
    run(arguments, deployment, topic, topics, &options)
}

fn load(mode: Mode) -> Vec<String> {
    let options: &[&str] = match mode {
        Mode::Sync => &["--connections", "16"],
        Mode::Async => &["--mode", "async", "--connections", "8", "--inflight", "64"],
    };
    options.iter().map(|option| (*option).to_owned()).collect()
}

/// Makes the files of all queues, which is paid once in their lives, and lets the first settling pass.
fn settle(arguments: &Arguments, one: &Deployment, many: &Deployment) {
    for (deployment, topics) in [(one, 1), (many, arguments.topics)] {
        let messages = (arguments.topics * arguments.queues * 2).to_string();
        let mut options = ["--warmup", "0s", "--duration", "600s", "--messages", &messages].map(str::to_owned).to_vec();
        options.extend(load(Mode::Async));
        run(arguments, deployment, "t", topics, &options);
    }
    let began = Instant::now();
    // Consume queues are settled every 60 s.
    let least = Duration::from_secs(60);
    while began.elapsed() < least {
        std::thread::sleep(Duration::from_millis(500));
    }
    for (deployment, topics) in [(one, 1), (many, arguments.topics)] {
        let longer = Arguments { warmup: 0.0, seconds: arguments.settling, ..arguments.clone() };
        send(&longer, deployment, "t", topics, Mode::Async);
    }
}

fn run(arguments: &Arguments, deployment: &Deployment, topic: &str, topics: u32, more: &[String]) -> Load {
    let program = arguments.generator.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into());
    let mut options: Vec<String> =
        ["send", "--namesrv", &deployment.namesrv, "--topic", topic, "--size", "1KiB"].map(str::to_owned).into();
    let shared = [
        ["--topics", &topics.to_string()],
        ["--queues", &arguments.queues.to_string()],
        ["--server-pid", &deployment.pids()],
    ];
    options.extend(shared.concat().into_iter().map(str::to_owned));
    options.extend_from_slice(more);
    Generator::start(&program, deployment.directory(), "load", &options).load().expect("a load that works")
}

/// Growth for each, in KiB.
fn per(before: f64, after: f64, count: u32) -> f64 {
    (after - before) * 1024.0 / f64::from(count)
}
