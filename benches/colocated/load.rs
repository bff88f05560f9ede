//! Load on a deployment: our generator, and the stock Java client.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Arguments;
use crate::harness::deployment::Deployment;
use crate::harness::generator::{Generator, Load, millis};

/// What our generator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One send in flight on each connection.
    Sync,
    /// As many as `--inflight`.
    Saturated,
}

/// 1 KiB sends by `mqcontainer bench send`.
pub fn ours(arguments: &Arguments, deployment: &Deployment, mode: Mode) -> Load {
    let program = arguments.generator.clone().unwrap_or_else(|| env!("CARGO_BIN_EXE_mqcontainer").into());
    let mut options: Vec<String> =
        ["send", "--namesrv", &deployment.namesrv, "--topic", "colocated", "--size", "1KiB"].map(str::to_owned).into();
    let shared = [
        ["--connections", &arguments.connections.to_string()],
        ["--server-pid", &deployment.pids()],
        ["--warmup", &millis(arguments.warmup)],
        ["--duration", &millis(arguments.seconds)],
    ];
    options.extend(shared.concat().into_iter().map(str::to_owned));
    if mode == Mode::Saturated {
        options.extend(["--mode", "async", "--inflight", &arguments.inflight.to_string()].map(str::to_owned));
    }
    Generator::start(&program, deployment.directory(), "load", &options).load().expect("a load that works")
}

/// Synchronous 1 KiB sends by the stock Java client, from several threads of one producer.
pub fn java_client(arguments: &Arguments, deployment: &Deployment, class_path: &str) -> Load {
    let mut command = Command::new("java");
    command
        .arg(format!("-Duser.home={}", deployment.directory().display()))
        .args(["-cp", class_path, "SyncSend", &deployment.namesrv, "colocated", &arguments.threads.to_string(), "1024"])
        .args([&arguments.warmup.to_string(), &arguments.seconds.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().expect("the Java client says begin, end and its result").unwrap();
    let (mut began, mut before) = (Instant::now(), deployment.usage());
    let (mut elapsed, mut after) = (began.elapsed(), before);
    let result = loop {
        let line = next();
        match line.as_str() {
            "begin" => (began, before) = (Instant::now(), deployment.usage()),
            "end" => (elapsed, after) = (began.elapsed(), deployment.usage()),
            // The client's logging prints lines of its own.
            other => {
                if let Some(result) = other.strip_prefix("result ") {
                    break result.to_owned();
                }
            }
        }
    };
    assert!(child.wait().unwrap().success(), "the Java client failed");
    let numbers: Vec<f64> = result.split(' ').map(|number| number.parse().unwrap()).collect();
    let messages = numbers[0];
    Load {
        messages,
        failed: numbers[1],
        messages_per_s: messages / elapsed.as_secs_f64(),
        cpu_us_per_message: after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6 / messages,
        p50_us: numbers[2],
        p99_us: numbers[3],
        p99_9_us: numbers[4],
        generator_cores: f64::NAN,
    }
}
